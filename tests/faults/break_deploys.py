"""Break deploys on purpose; write build/faults.json and print a table.

`make faults` does all, which takes hours; `make faults PARTS="tasks bad --times 5"` these parts, and what strikes at
random moments so many times; under load there are 500 times as many requests. The file keeps what it has of the other
parts.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from faults import BAD, FILL, FILL_INODES, FREE, KILL_MODULE, LARGE, SMALL, Ground, Outcome, Run, cloned
from under_load import UnderLoad, three_hosts

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "build" / "faults.json"
CLONE = ROOT / "build" / "faults"


FULL = ("No space left on device",)


def at_task(task: str, harm: Callable[[Run], object]) -> Callable[[Run], None]:
    """Return what does harm when a task has ended."""

    def strike(run: Run) -> None:
        if not run.read_until(task):
            raise RuntimeError(f"The deploy never came to {task!r}:\n{run.finish()}")
        harm(run)

    return strike


def at_moment(seconds: float, harm: Callable[[Run], object]) -> Callable[[Run], None]:
    """Return what does harm so many seconds after the begin."""

    def strike(run: Run) -> None:
        time.sleep(seconds)
        harm(run)

    return strike


class Faults:
    """All faults, by part."""

    def __init__(self, ground: Ground, times: int, seed: int) -> None:
        """Take the ground, how often to strike at random, and what the moments follow from."""
        self.ground = ground
        self.host = ground.demo.host
        self.times = times
        self.random = random.Random(seed)
        self.names = ground.tasks()
        # Once more, now that all caches are warm: how long it takes.
        ground.tasks()

    def doing(self, command: str) -> Callable[[Run], object]:
        """Return what runs a command on the host, whatever the run is."""
        return lambda _: self.host(command)

    def moments(self, times: int) -> Iterator[float]:
        """Yield random moments of a deploy, in seconds after its begin."""
        for _ in range(times):
            yield round(self.random.uniform(0, self.ground.seconds), 2)

    def tasks(self) -> Iterator[Outcome]:
        """Kill the controller at every task."""
        for task in self.names:
            yield self.ground.strike("kill of the controller", task, at_task(task, Run.kill))

    def controller(self) -> Iterator[Outcome]:
        """Kill the controller at random moments."""
        for seconds in self.moments(self.times):
            yield self.ground.strike("kill of the controller", f"{seconds} s", at_moment(seconds, Run.kill))

    def module(self) -> Iterator[Outcome]:
        """Kill Ansible's process on the host at random moments."""

        def kill(run: Run) -> None:
            process = self.ground.demo.background(f"timeout 20 python3 -c '{KILL_MODULE}'")
            run.finish()
            process.wait()

        for seconds in self.moments(max(self.times // 5, 1)):
            yield self.ground.strike("kill of the module on the host", f"{seconds} s", at_moment(seconds, kill))

    def network(self) -> Iterator[Outcome]:
        """Cut the network at random moments: no byte comes back any more, until the run has given up."""
        for seconds in self.moments(max(self.times // 5, 1)):
            yield self.ground.strike(
                "cut of the network",
                f"{seconds} s",
                at_moment(seconds, self.doing("pkill -STOP sshd || true")),
                mend=lambda: self.host("pkill -CONT sshd; pkill sshd-session; systemctl restart ssh"),
            )

    def reboot(self) -> Iterator[Outcome]:
        """Reboot the host at every task."""
        for task in self.names[:-1]:
            down = at_task(task, lambda _: self.ground.demo.background("systemctl reboot --force --force").wait())
            yield self.ground.strike("reboot of the host", task, down, mend=self.ground.boot, is_down=True)

    def full(self) -> Iterator[Outcome]:
        """Fill the file system of the releases before and after every task, first its bytes and then its inodes."""
        self.host(SMALL)
        self.ground.page()
        for kind, fill in (("disk full", FILL), ("inodes used up", FILL_INODES)):
            for task in self.names[:-3]:
                harm = at_task(task, self.doing(fill))
                yield self.ground.strike(kind, task, harm, mend=lambda: self.host(FREE), refusal=FULL, may_go_well=True)
        self.host(LARGE)

    def bad(self) -> Iterator[Outcome]:
        """Deploy what is no good."""
        yield self.ground.half_migrated()
        for name in BAD:
            yield self.ground.spoil(name)

    def two(self) -> Iterator[Outcome]:
        """Deploy twice at once."""
        for number in range(max(self.times // 2, 1)):
            yield self.ground.two_at_once(number)

    def load(self) -> Iterator[Outcome]:
        """Ask the site all the time, while releases come and go."""
        yield from UnderLoad(self.ground, 500 * self.times).outcomes()
        yield three_hosts(self.ground)


PARTS = ("load", "tasks", "controller", "module", "network", "reboot", "full", "bad", "two")


def main() -> int:
    """Do the parts that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--times", type=int, default=100, help="how often to kill at random moments (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="what these moments follow from (default: 1)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: not among {', '.join(PARTS)}")
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    bad = 0
    with cloned(ROOT, CLONE) as demo:
        faults = Faults(Ground(demo), options.times, options.seed)
        for part in options.parts or PARTS:
            outcomes = []
            for outcome in getattr(faults, part)():
                outcomes.append(outcome)
                bad += bool(outcome.problems)
                verdict = "; ".join(outcome.problems) or f"well, {outcome.ended}"
                print(f"{outcome.fault}, {outcome.at}: {verdict}", flush=True)
                known[part] = {
                    "when": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
                    "seed": options.seed,
                    "faults": len(outcomes),
                    "not well": sum(bool(each.problems) for each in outcomes),
                    "outcomes": [each.as_json() for each in outcomes],
                }
                FILE.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    print(f"\n{'':12} faults  not well")
    for part, found in known.items():
        print(f"{part:12} {found['faults']:6}  {found['not well']:8}")
    print(f"\n{FILE}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
