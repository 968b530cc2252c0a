"""The same deploy to one host and to several: what must not grow with their number."""

from __future__ import annotations

import re
from pathlib import Path

from clone import Demo, host_names, new_commit, playbook, throwaway
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
    seconds: dict[int, list[float]] = {number: [] for number in numbers}
    for _ in range(ROUNDS):
        for number in numbers:
            new_commit(demo)
            limit = ",".join(names[:number])
            seconds[number].append(timed(playbook, demo, "deploy", limit))
            print(f"deploy to {number}: {seconds[number][-1]:.1f} s", flush=True)
    return [
        Figure(f"code-only deploy to {number}", each, "to one host", seconds[1], 3 if number == 8 else None)
        for number, each in seconds.items()
        if number > 1
    ]
