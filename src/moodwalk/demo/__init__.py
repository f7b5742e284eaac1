"""The whole story on what the package ships: simulated walks in, one page of figures out."""

from moodwalk.demo.page import write_demo_page
from moodwalk.demo.result import DemoModel, DemoResult
from moodwalk.demo.run import DEMO_FILES, DemoProgress, run_demo

__all__ = [
    "DEMO_FILES",
    "DemoModel",
    "DemoProgress",
    "DemoResult",
    "run_demo",
    "write_demo_page",
]
