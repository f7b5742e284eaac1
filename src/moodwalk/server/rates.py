"""How many requests a client may make: token buckets, a bounded number of them."""

import ipaddress
import time
from collections import OrderedDict

__all__ = ["RateLimiter", "name_client"]

_MOST_CLIENTS = 20_000


class RateLimiter:
    """A bucket for each client and kind of request.

    A bucket holds `burst` requests and fills with `rate_per_s`. The ones used least recently are
    forgotten where there are too many, which can only be in a client's favour.
    """

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, client: str, kind: str, rate_per_s: float, burst: float) -> float:
        """Take a request from a client's bucket.

        Parameters
        ----------
        client, kind
            Which bucket.
        rate_per_s, burst
            How fast it fills, and how much it holds.

        Returns
        -------
        float
            0 where the request may go on; otherwise the seconds until the next one may.
        """
        now = time.monotonic()
        key = (client, kind)
        left, seen = self._buckets.pop(key, (burst, now))
        left = min(burst, left + (now - seen) * rate_per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / rate_per_s
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait_s


def name_client(host: str) -> str:
    """Return what stands for a client: its address; of IPv6 the network, of which one has many addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host
