"""The whole story on what the package ships: simulated walks in, one page of figures out."""

from moodwalk.demo.page import write_demo_page
from moodwalk.demo.run import DemoModel, DemoProgress, DemoResult, run_demo

__all__ = ["DemoModel", "DemoProgress", "DemoResult", "run_demo", "write_demo_page"]
