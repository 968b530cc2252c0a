"""What those who ask a site notice of all that is done to it: no failed request, and hardly any delay."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import cycle

from demo import HOST, Demo, Result, free_port, visitor
from faults import BAD, Ground, Outcome
from load import Load, Request

PAGE = "/healthz"
CONNECTIONS = 40
PAUSE = 0.25
"""Seconds between two requests of a connection: 150 requests a second, which is all that two cores can answer."""

ROOM = 1.0
"""Seconds between two requests of a load that leaves the cores room. With all of them full, a request takes as long as
the queue that it waits in, and the controller and the load themselves are in it, too. Both are judged."""

ROUNDS = 3
"""How often each act is done with room for it."""

QUIET = 10.0
"""Seconds before each act, in which the site does nothing else."""

SLOWER = 0.05
"""By how much the 99th percentile may grow while a release is switched, in seconds."""

RECYCLED = 2000
"""After how many requests a worker is replaced here: every half minute one of two."""

HOSTS = (HOST, "faults-2", "faults-3")


def p99(requests: Sequence[Request], since: float, until: float) -> float:
    """Return how long all but one in a hundred requests took at most that were sent in this time, in seconds."""
    found = sorted(request.seconds for request in requests if since <= request.at <= until)
    return found[int(len(found) * 0.99)] if found else 0.0


def switches(demo: Demo, since: float) -> list[tuple[float, float]]:
    """Return from when to when releases were switched, as the host's history has it: from the start to the drain."""
    events = [json.loads(line) for line in demo.host("cat /srv/slow-sql/history.jsonl").splitlines()]
    at: dict[str, list[tuple[float, float]]] = {event["event"]: [] for event in events}
    for event in events:
        moment = datetime.fromisoformat(event["at"]).timestamp()
        if moment >= since:
            at[event["event"]].append((moment, event.get("seconds", 0.0)))
    starts = [moment - seconds for moment, seconds in at.get("started", [])]
    ends = [moment for moment, _ in at.get("drained", [])]
    return list(zip(starts, ends, strict=True))


class UnderLoad:
    """Acts on one site that is asked all the time."""

    def __init__(self, ground: Ground, requests: int) -> None:
        """Take the ground, and how many requests there are to be in all."""
        self.ground = ground
        self.demo = ground.demo
        self.requests = requests
        self.acts: dict[str, Callable[[], Result]] = {
            "a deploy": self.deploy,
            "a rollback": lambda: self.demo.playbook("rollback"),
            "a failed deploy": self.failed_deploy,
        }

    def deploy(self) -> Result:
        """Deploy something new."""
        self.ground.change()
        return self.demo.playbook("deploy")

    def failed_deploy(self) -> Result:
        """Deploy what does not start, and see that it is refused."""
        file, old, new, words = BAD["an import error in wsgi"]
        path = self.demo.path / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        result = self.deploy()
        path.write_text(text, encoding="utf-8")
        self.demo.commit("As it was")
        return Result(0 if result.code and words in result.text else 1, result.output)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what came of each act, again and again until there were requests enough."""
        recycle = json.dumps({"gunicorn_max_requests": RECYCLED})
        for name in ("provision", "deploy"):
            self.ground.change()
            self.demo.checked("ansible-playbook", f"{name}.yml", "-l", "demo", "-e", recycle)
        began = time.time()
        with Load(self.demo.connect, PAGE, connections=CONNECTIONS, pause=PAUSE) as load:
            for name in cycle(self.acts):
                yield self.act("under load", name, load)
                if len(load.requests) >= self.requests:
                    break
        with Load(self.demo.connect, PAGE, connections=CONNECTIONS, pause=ROOM) as calm:
            for name in [*self.acts] * ROUNDS:
                yield self.act("under load with room", name, calm)
        replaced = self.demo.host(
            f"journalctl --unit 'slow-sql@*' --since @{began:.0f} --output=cat | grep -c Autorestarting || true"
        )
        outcome = Outcome("under load", "recycled workers", figures={"workers": int(replaced)})
        outcome.figures["requests"] = len(load.requests) + len(calm.requests)
        outcome.problems += [f"{count} times {what}" for each in (load, calm) for what, count in each.failures.items()]
        outcome.problems += [] if int(replaced) else ["no worker was replaced"]
        yield outcome
        self.demo.checked("ansible-playbook", "provision.yml", "-l", "demo")

    def act(self, fault: str, name: str, load: Load) -> Outcome:
        """Do something and compare the time of its switch, if there was one, with the time before it."""
        outcome, first = Outcome(fault, name), len(load.requests)
        quiet = time.time()
        time.sleep(QUIET)
        began = time.time()
        result = self.acts[name]()
        outcome.code = result.code
        outcome.problems += [] if result.code == 0 else [f"it ended otherwise: {result.text[-1500:]}"]
        requests = load.requests[first:]
        before = p99(requests, quiet, began)
        outcome.figures = {"requests": len(requests), "p99 before": round(before, 4)}
        failed = [request.answer for request in requests if request.answer != "200"]
        outcome.problems += [f"{len(failed)} failed requests: {failed[0]}"] if failed else []
        for since, until in switches(self.demo, began):
            during = p99(requests, since, until)
            outcome.figures["p99 during the switch"] = round(during, 4)
            is_slow = during > before + SLOWER
            outcome.problems += [f"p99 {during:.3f} s, before it {before:.3f} s"] if is_slow else []
        return outcome


def three_hosts(ground: Ground) -> Outcome:
    """Deploy to three hosts, one after the other, each asked all the time; roll back; remove two of them again."""
    demo, outcome = ground.demo, Outcome("under load", "a deploy and a rollback over three hosts")
    inventory = demo.path / "inventories/demo/hosts.yml"
    text = inventory.read_text(encoding="utf-8")
    ports = [demo.port, free_port(), free_port()]
    throwaway = (sys.executable, "molecule/throwaway.py")
    inventory.write_text("\n".join(["demo:", "  hosts:", *(f"    {name}:" for name in HOSTS), ""]), encoding="utf-8")
    try:
        for name, port in zip(HOSTS[1:], ports[1:], strict=True):
            demo.checked(*throwaway, "up", name, "--publish", f"{port}:443")
        demo.checked("ansible-playbook", "site.yml", "-l", "demo")
        ground.change()
        with ExitStack() as stack:
            loads = [
                stack.enter_context(Load(visitor(demo, *each), PAGE, connections=CONNECTIONS // 2, pause=PAUSE))
                for each in zip(HOSTS, ports, strict=True)
            ]
            runs = [demo.playbook("deploy"), demo.playbook("rollback")]
    finally:
        inventory.write_text(text, encoding="utf-8")
        demo.checked(*throwaway, "down", *HOSTS[1:])
    outcome.code = max(run.code for run in runs)
    outcome.problems += [run.text[-1500:] for run in runs if run.code]
    outcome.figures = {"requests": sum(len(load.requests) for load in loads)}
    outcome.problems += [f"{count} times {what}" for load in loads for what, count in load.failures.items()]
    return outcome
