"""What a result was made with: versions of Python and the packages that matter, and the commit."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

__all__ = ["describe_versions", "find_commit"]

_PACKAGES = ("moodwalk", "numpy", "scipy", "scikit-learn", "torch")


def describe_versions() -> dict[str, str]:
    """Return the version of Python and of every package that figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def find_commit() -> str | None:
    """Return the commit of moodwalk's own checkout, or None where it is installed without one."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "--show-toplevel", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    # Installed inside somebody else's checkout, the commit would be theirs.
    ours = Path(found[0]) / "src" / "moodwalk"
    return found[1] if ours.exists() and ours.samefile(here) else None
