"""The same deploy to one host and to several: what must not grow with their number.

Beside it the floor does the same work on all of them at once. With few cores that, too, is more than a few times one.
"""

from __future__ import annotations

import re
from pathlib import Path

from clone import Demo, host_names, new_commit, playbook, throwaway
from deploys import FLOOR, bare, prepare_bare
from measure import Figure, timed

NUMBERS = (1, 2, 4, 8)
ROUNDS = 2
GIGABYTES_EACH = 0.5


def possible(most: int) -> list[int]:
    """Return the numbers of hosts, up to the one that is asked for, that this machine's free memory is enough for."""
    found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="utf-8"), re.MULTILINE)
    free = int(found[1]) / 2**20 if found else 0
    return [number for number in NUMBERS if number <= most and number * GIGABYTES_EACH <= free]


def figures(demo: Demo, most: int) -> list[Figure]:
    """Provision as many hosts as there can be, each with a database of its own, and deploy to ever more of them."""
    numbers = possible(most)
    print(f"deploys to {', '.join(map(str, numbers))} hosts", flush=True)
    names = host_names(numbers[-1])
    inventory = demo.path / "inventories" / "demo" / "hosts.yml"
    lines = ["demo:", "  hosts:", *(f"    {name}:" for name in names), ""]
    inventory.write_text("\n".join(lines), encoding="utf-8")
    if others := names[1:]:
        throwaway("up", *others)
        playbook(demo, "site")
    prepare_bare(demo, *names)
    seconds: dict[int, list[float]] = {number: [] for number in numbers}
    floor: dict[int, list[float]] = {number: [] for number in numbers}
    for _ in range(ROUNDS):
        for number in numbers:
            new_commit(demo)
            seconds[number].append(timed(playbook, demo, "deploy", ",".join(names[:number])))
            floor[number].append(timed(bare, "deploy", *names[:number]))
            print(f"deploy to {number}: {seconds[number][-1]:.1f} s, {FLOOR}: {floor[number][-1]:.1f} s", flush=True)
    return [
        Figure(f"{name} to {number}", taken[number], "to one host", taken[1], goal if number == 8 else None)
        for name, taken, goal in (("code-only deploy", seconds, 3), (f"{FLOOR}, all at once,", floor, None))
        for number in numbers
        if number > 1
    ]
