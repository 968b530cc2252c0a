"""What requests that wait cost: they are all served at once, as long as the worker is gevent's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from clone import Demo, free_port
from measure import ROOT, Figure, timed

SECONDS = 5
ROUNDS = 3

REQUESTS = 1000
WORKERS = 8
THREADS = 4
CLASSES = {
    "gevent": ["--worker-class=gevent"],
    f"gthread, {THREADS} threads": ["--worker-class=gthread", f"--threads={THREADS}"],
    "sync": ["--worker-class=sync"],
}


def ten(demo: Demo) -> list[Figure]:
    """Measure the demo's ten slow requests at once, each a statement that waits in the database, against one."""
    paths = (f"/ten-slow-requests/?seconds={SECONDS}", f"/slow-sql/?x=1&seconds={SECONDS}")
    all_ten, one = ([timed(demo.get, path) for _ in range(ROUNDS)] for path in paths)
    return [Figure("ten slow requests", all_ten, "one wait", one, at_most=1.1)]


async def ask(port: int, query: str) -> None:
    """Make one request, and see that it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /?{query} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    if b" 200 " not in answer[:20]:
        raise RuntimeError(f"an answer that is none: {answer[:200]!r}")


async def ask_all(port: int) -> None:
    """Make all requests at once."""
    await asyncio.gather(*(ask(port, "1") for _ in range(REQUESTS)))


@contextmanager
def served(*options: str) -> Iterator[int]:
    """Serve bench/waiting.py with gunicorn, and return the port when it answers."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--chdir", str(ROOT / "bench"), "--workers", str(WORKERS)]
    command += ["--bind", f"127.0.0.1:{port}", "--log-level", "error", "--no-control-socket", *options]
    with subprocess.Popen([*command, "waiting:application"]) as server:
        try:
            while True:
                try:
                    urlopen(f"http://127.0.0.1:{port}/?0", timeout=10).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        raise RuntimeError("gunicorn does not start") from None
                    time.sleep(0.05)
            yield port
        finally:
            server.terminate()


def thousand() -> list[Figure]:
    """Measure a thousand requests that each wait a second, once for each class of gunicorn's workers.

    gthread may take longer than its threads would need: each worker accepts what it gets hold of, and has it queue for
    its own threads while those of others are idle.
    """
    seconds: dict[str, list[float]] = {}
    for name, options in CLASSES.items():
        with served(*options) as port:
            seconds[name] = [timed(asyncio.run, ask_all(port))]
    floor = f"{WORKERS} gevent workers"
    return [
        Figure(f"1,000 waits of 1 s, {WORKERS} workers: {name}", each, floor, seconds["gevent"])
        for name, each in seconds.items()
        if name != "gevent"
    ]
