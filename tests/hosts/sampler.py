"""Watch every process of the host for secrets in its arguments and its environment."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from demo import Demo

WATCH = """
import pathlib, signal, sys, time
needles = pathlib.Path("/root/needles").read_bytes().split()
allowed = sys.argv[1:]
seen = set()


def stop(*_):
    pathlib.Path("/root/seen").write_text("; ".join(sorted(seen)) or "nothing")
    sys.exit()


signal.signal(signal.SIGTERM, stop)
while True:
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (process / name).read_bytes()
                if any(needle in content for needle in needles):
                    seen.add(f"{name} of {(process / 'comm').read_text().strip()}")
            except OSError:
                pass
    # Else it takes a whole core, and all that it watches twice the time.
    time.sleep(0.01)
"""


class Sampler:
    """Looks at all processes again and again while a with statement lasts."""

    def __init__(self, demo: Demo, secrets: Sequence[str]) -> None:
        """Take the secrets, which hold no blanks."""
        self.seen = ""
        self._demo = demo
        self._secrets = secrets

    def __enter__(self) -> Self:
        """Start."""
        code = base64.b64encode(WATCH.encode()).decode()
        self._demo.host(
            f"umask 077; echo {code} | base64 -d > /root/sampler.py; echo '{' '.join(self._secrets)}' > /root/needles; "
            "systemd-run --quiet --unit=sampler python3 /root/sampler.py"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and keep what was seen."""
        self.seen = self._demo.host(
            "systemctl stop sampler; cat /root/seen; rm /root/seen /root/needles /root/sampler.py"
        )
