"""How fast the server answers, what it does with ten times the load, and whether it recovers.

    python benchmarks/serve.py [--rate 50] [--seconds 20] [--workers 1] [--processes N] [--json]

A server of its own is started on a free port. Requests to `POST /v1/predict`, a simulated walk of 75 frames as
JSON, are sent at even intervals whatever the server does (an open loop), over connections that are kept.
Latency counts from the moment at which a request was due, so that a server that stalls cannot hide it.
First at the rate asked for, then at ten times that, then at the first rate again.
The load comes from the same machine and takes its share of the processors; what else ran is shown.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from moodwalk.walker import simulate_gait

N_FRAMES = 75
MOST_CONNECTIONS = 400


@dataclass
class Phase:
    rate: float
    seconds: float
    latencies: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)

    def describe(self) -> dict:
        told = {"rate": self.rate, "statuses": {str(k): v for k, v in self.statuses.items()}}
        for name, values in (
            ("answered", self.latencies),
            ("refused", self.refused),
            ("sent late", self.late),
        ):
            if len(values) > 1:
                cuts = statistics.quantiles(values, n=100)
                told[name] = {
                    "p50_ms": 1000 * cuts[49],
                    "p95_ms": 1000 * cuts[94],
                    "p99_ms": 1000 * cuts[98],
                    "max_ms": 1000 * max(values),
                }
        return told


class Client:
    """Connections that are used again, and one request that is sent again and again."""

    def __init__(self, port: int) -> None:
        gait = simulate_gait(n_frames=N_FRAMES, fps=30.0, seed=0)
        rounded = [[[round(float(x), 5) for x in j] for j in f] for f in gait.positions]
        body = json.dumps({"positions": rounded, "fps": 30.0}).encode()
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.port, self.request, self.idle = port, head.encode() + body, []

    async def send(self, phase: Phase, due: float) -> None:
        phase.late.append(time.perf_counter() - due)
        try:
            status = await asyncio.wait_for(self._ask(), 30)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            phase.statuses["no answer"] += 1
            return
        passed = time.perf_counter() - due
        phase.statuses[status] += 1
        (phase.latencies if status == 200 else phase.refused).append(passed)

    async def _ask(self) -> int:
        while self.idle:
            reader, writer = self.idle.pop()
            if not (writer.is_closing() or reader.at_eof()):
                break
            writer.close()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in head.lower() or len(self.idle) >= MOST_CONNECTIONS:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return int(head.split()[1])


async def run_phase(client: Client, rate: float, seconds: float) -> Phase:
    phase = Phase(rate, seconds)
    start = time.perf_counter() + 0.1
    tasks = []
    for i in range(round(rate * seconds)):
        due = start + i / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(client.send(phase, due)))
    await asyncio.gather(*tasks)
    return phase


async def run(port: int, rate: float, seconds: float) -> list[tuple[str, dict]]:
    client = Client(port)
    await run_phase(client, rate, 3)  # warm
    told = []
    for name, factor in (("load", 1), ("ten times the load", 10), ("after it", 1)):
        before = os.getloadavg()[0]
        phase = await run_phase(client, factor * rate, seconds)
        told.append((name, {**phase.describe(), "load_average": [before, os.getloadavg()[0]]}))
    return told


def start_server(arguments: argparse.Namespace) -> tuple[subprocess.Popen, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moodwalk", "serve", "--no-web", "--port", str(port)]
    command += ["--workers", str(arguments.workers), "--no-access-log"]
    if arguments.processes:
        command += ["--processes", str(arguments.processes)]
    if arguments.no_rate_limit:
        command += ["--rate", "100000"]
    server = subprocess.Popen(command)
    for _ in range(300):
        time.sleep(0.2)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except OSError:
            continue
        return server, port
    server.kill()
    raise SystemExit("the server did not start")


def main() -> None:
    """Start a server, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--processes", type=int)
    parser.add_argument(
        "--no-rate-limit", action="store_true", help="so that only the queue's length sheds load"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    server, port = start_server(arguments)
    try:
        told = asyncio.run(run(port, arguments.rate, arguments.seconds))
    finally:
        server.terminate()
        server.wait(60)
    if arguments.json:
        print(json.dumps(dict(told), indent=2))
        return
    print(f"{os.cpu_count()} processors; load averages before and after each part are shown")
    for name, one in told:
        print(f"{name}: {one['rate']:g} requests/s: {one['statuses']}, load {one['load_average']}")
        for what in ("answered", "refused", "sent late"):
            if what in one:
                figures = "  ".join(f"{k[:-3]} {v:7.1f}" for k, v in one[what].items())
                print(f"    {what:10} ms: {figures}")


if __name__ == "__main__":
    main()
