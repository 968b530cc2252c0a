"""All Ubuntus that are supported, as the hosts of one environment: provisioned, deployed to, rebooted, rolled back."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPException

import pytest
from demo import Demo, Result, free_port, visitor
from load import Load, SafeConnection

DISTRIBUTIONS = {"ubuntu-22": "ubuntu2204", "ubuntu-24": "ubuntu2404", "ubuntu-26": "ubuntu2604"}
PAGE = "examples/slow_sql/pages/templates/pages/home.html"
REBOOT_SECONDS = 60
# What the example requires is frozen with 3.11, and 22.04 is older; 3.11 is among its packages.
OLDER = "ubuntu-22"
PYTHON = (
    "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq --yes install python3.11-venv >/dev/null 2>&1"
)

Visit = Callable[[], SafeConnection]


@pytest.fixture(scope="module")
def sites(demo: Demo) -> Iterator[dict[str, Visit]]:
    """Have three hosts in place of the demo's, and return what connects to the site of each."""
    good = demo.checked("git", "rev-parse", "HEAD").strip()
    ports = {name: free_port() for name in DISTRIBUTIONS}
    for name, distribution in DISTRIBUTIONS.items():
        options = ("--distribution", distribution, "--publish", f"{ports[name]}:443")
        demo.checked(sys.executable, "molecule/throwaway.py", "up", name, *options)
    demo.host(PYTHON, OLDER)
    # Its PgBouncer is another one, too.
    older = {"python_version": "3.11", "database_pool": True}
    hosts = {name: older if name == OLDER else {} for name in DISTRIBUTIONS}
    (demo.path / "inventories/demo/hosts.yml").write_text(json.dumps({"demo": {"hosts": hosts}}))
    demo.checked("ansible-playbook", "site.yml", "-l", "demo")
    yield {name: visitor(demo, name, port) for name, port in ports.items()}
    # The inventory too, which was committed with the page.
    demo.checked("git", "reset", "--quiet", "--hard", good)
    demo.checked(sys.executable, "molecule/throwaway.py", "down", *DISTRIBUTIONS)


def get(visit: Visit, path: str) -> tuple[int, str]:
    with closing(visit()) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def serves(visit: Visit) -> bool:
    try:
        return get(visit, "/healthz")[0] == 200
    except (OSError, HTTPException):
        return False


def well(run: Result) -> Result:
    assert run.code == 0, run.output
    return run


def test_all_serve_the_site_and_none_of_their_units_has_failed(demo: Demo, sites: dict[str, Visit]) -> None:
    assert demo.host("systemctl is-active slow-sql-pgbouncer", OLDER) == "active"
    for name, visit in sites.items():
        status, page = get(visit, "/")
        assert (status, "<dd>PostgreSQL 1" in page) == (200, True), name
        assert demo.host("systemctl --failed --plain --no-legend", name) == ""


@pytest.mark.alone
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_ten_slow_requests_take_as_long_as_one(sites: dict[str, Visit], name: str) -> None:
    started = time.monotonic()
    status, page = get(sites[name], "/ten-slow-requests/")
    seconds = time.monotonic() - started
    assert (status, sorted(map(int, re.findall(r"[0-9]+", page)))) == (200, [x * x for x in range(1, 11)])
    assert 5 <= seconds < 5.5


def test_a_second_run_changes_nothing(demo: Demo, sites: dict[str, Visit]) -> None:
    run = well(demo.playbook("site"))
    assert run.changed == 0, run.output


def test_a_deploy_and_a_rollback_lose_no_request(demo: Demo, sites: dict[str, Visit]) -> None:
    page = demo.path / PAGE
    page.write_text(f"{page.read_text()}<!-- On Ubuntu -->\n")
    demo.commit("On Ubuntu")
    with ExitStack() as stack:
        loads = {name: stack.enter_context(Load(visit, connections=2, pause=0.1)) for name, visit in sites.items()}
        well(demo.playbook("deploy"))
        assert all("<!-- On Ubuntu -->" in get(visit, "/")[1] for visit in sites.values())
        well(demo.playbook("rollback"))
        assert not any("<!-- On Ubuntu -->" in get(visit, "/")[1] for visit in sites.values())
    assert {name: load.failures for name, load in loads.items()} == {name: {} for name in sites}
    assert all(len(load.requests) > 20 for load in loads.values())


def test_after_a_reboot_they_serve_again_by_themselves(demo: Demo, sites: dict[str, Visit]) -> None:
    boots = {name: demo.host("cat /proc/sys/kernel/random/boot_id", name) for name in sites}
    demo.checked(
        "ansible", "demo", "--become", "-m", "ansible.builtin.reboot", "-a", f"reboot_timeout={REBOOT_SECONDS}"
    )
    deadline = time.monotonic() + REBOOT_SECONDS
    for name, visit in sites.items():
        assert demo.host("cat /proc/sys/kernel/random/boot_id", name) != boots[name]
        while not serves(visit):
            assert time.monotonic() < deadline, f"{name} does not serve"
            time.sleep(0.2)
    assert well(demo.playbook("provision")).changed == 0
