"""``python -m moodwalk``."""

import sys

from moodwalk.cli import main

if __name__ == "__main__":
    sys.exit(main())
