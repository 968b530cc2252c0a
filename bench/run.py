"""Measure what is promised of speed; write build/bench.json and print a table.

`make bench` measures all, `make bench PARTS="deploys waits"` these parts; the file keeps what it has of the others.
Eight hosts on a machine with few cores mostly wait for each other: `make bench PARTS="--hosts 4"` ends at four.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

import deploys
import hosts
import installers
import waits
from clone import cloned
from measure import FILE, Figure, record, table

PARTS = ("deploys", "waits", "hosts", "thousand", "installers")
WITH_HOST = {"deploys", "waits", "hosts"}


def main() -> int:
    """Measure the parts that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--hosts", type=int, default=8, help="to how many hosts at once, at most (default: 8)")
    options = parser.parse_args()
    wanted = options.parts or PARTS
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: not among {', '.join(PARTS)}")
    found: list[Figure] = []

    def keep(part: str, figures: list[Figure], **more: object) -> None:
        found.extend(figures)
        record(part, figures, **more)
        print(table(figures), flush=True)

    with ExitStack() as stack:
        demo = stack.enter_context(cloned()) if WITH_HOST & set(wanted) else None
        for part in PARTS:
            if part not in wanted:
                continue
            if part == "installers":
                keep(part, installers.figures())
            elif part == "thousand":
                keep(part, waits.thousand())
            elif demo and part == "deploys":
                figures = deploys.figures(demo)
                profile = deploys.profile(demo)
                keep(part, figures, profile={name: round(seconds, 2) for name, seconds in profile.items()})
                print("\n".join(f"{seconds:7.2f} s  {name}" for name, seconds in profile.items()), flush=True)
            elif demo and part == "waits":
                keep(part, waits.ten(demo))
            elif demo and part == "hosts":
                keep(part, hosts.figures(demo, options.hosts))
    print(f"\n{table(found)}\n\n{FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
