"""What the demonstration computes, step by step, and what it leaves on disk."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from scipy.stats import binomtest

from moodwalk.audit import Audit, audit_labels
from moodwalk.demo.page import write_demo_page
from moodwalk.demo.result import DemoModel, DemoResult
from moodwalk.emotion import EMOTIONS
from moodwalk.errors import DataFormatError
