"""How the benches time, and how what they found is written down: every figure is a ratio within one run."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "build" / "bench.json"


@dataclass(frozen=True)
class Figure:
    """What was measured, and beside it the floor that it is compared with.

    Attributes:
        name: what was measured.
        seconds: how long it took, each time.
        floor: what it is compared with.
        floor_seconds: how long that took, each time.
        at_most: what the ratio of the medians may be at most, where that was promised.
        seconds_at_most: what the median itself may be at most, where that was promised.
    """

    name: str
    seconds: Sequence[float]
    floor: str
    floor_seconds: Sequence[float]
    at_most: float | None = None
    seconds_at_most: float | None = None

    @property
    def median(self) -> float:
        """How long it takes."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """How many times as long as its floor it takes."""
        return self.median / statistics.median(self.floor_seconds)

    @property
    def goal(self) -> str:
        """What was promised, in words."""
        ratio = f"{self.at_most:g} times" if self.at_most else ""
        return ratio or (f"{self.seconds_at_most:g} s" if self.seconds_at_most else "")

    @property
    def is_met(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        if self.at_most:
            return self.ratio <= self.at_most
        return self.median <= self.seconds_at_most if self.seconds_at_most else None

    def as_json(self) -> dict[str, Any]:
        """Return all that is known of it."""
        return {
            "name": self.name,
            "ratio": round(self.ratio, 2),
            "seconds": [round(each, 2) for each in self.seconds],
            "floor": self.floor,
            "floor_seconds": [round(each, 2) for each in self.floor_seconds],
            "goal": self.goal,
            "met": self.is_met,
        }


def timed(action: Callable[..., object], *arguments: Any) -> float:
    """Do something with arguments, and return how many seconds that took."""
    started = time.monotonic()
    action(*arguments)
    return time.monotonic() - started


def table(figures: Sequence[Figure]) -> str:
    """Return figures as a table, one a line."""
    verdicts = {None: "", True: "met", False: "missed"}
    rows = [("", "seconds", "floor", "seconds", "ratio", "at most", "")]
    rows += [
        (
            each.name,
            f"{each.median:.2f}",
            each.floor,
            f"{statistics.median(each.floor_seconds):.2f}",
            f"{each.ratio:.2f}",
            each.goal,
            verdicts[each.is_met],
        )
        for each in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    # Text to the left, numbers to the right.
    lines = (
        "  ".join(cell.rjust(width) if number in (1, 3, 4) else cell.ljust(width) for number, cell, width in cells)
        for cells in (zip(range(len(row)), row, widths) for row in rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def record(part: str, figures: Sequence[Figure], **more: Any) -> None:
    """Put what a part of the bench found into build/bench.json, in the place of what it found before.

    Args:
        part: its name.
        figures: what it measured.
        more: what else it found.
    """
    known: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    known[part] = {
        "when": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "cores": os.cpu_count(),
        # Of the last five minutes: above the number of cores, something else ran too.
        "load": round(os.getloadavg()[1], 1),
        "figures": [each.as_json() for each in figures],
        **more,
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
