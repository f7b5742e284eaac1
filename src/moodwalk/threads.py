"""One thread for numerical libraries, so that sums are taken in the same order everywhere."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Generator[None]:
    """Give numerical libraries one thread inside the block.

    Import torch before, where the block may import it: what is not yet loaded cannot be limited.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    n_threads = torch.get_num_threads() if torch else 1
    with threadpool_limits(1):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(n_threads)
