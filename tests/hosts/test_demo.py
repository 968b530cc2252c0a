"""From a fresh clone to the running site, and deploys after that: what a user sees who does it every day.

The tests build on each other in this order.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from demo import Demo
from load import Load

PAGE = "examples/slow_sql/pages/templates/pages/home.html"
FOOTER = "The heading is a row of the database"


def instances(demo: Demo) -> list[str]:
    """Return the units of releases that run, or have not ended yet."""
    return [line.split()[0] for line in demo.host("systemctl list-units --plain --no-legend 'slow-sql@*'").splitlines()]


def stylesheets(demo: Demo) -> list[str]:
    """Return where the page has its stylesheet, by a name with a hash."""
    return re.findall(r"/static/pages/style\.[0-9a-f]{12}\.css", demo.get("/"))


def test_make_demo_ends_with_what_was_deployed_how_long_the_ten_requests_took_and_the_url(demo: Demo) -> None:
    *_, deployed, squares, took, url = demo.made.output.strip().splitlines()
    # What is live by now another test may have deployed.
    first = json.loads(demo.host("head -1 /srv/slow-sql/history.jsonl"))
    assert deployed.endswith(f"as release {first['release']}")
    assert sorted(map(int, re.findall(r"[0-9]+", squares))) == [x * x for x in range(1, 11)]
    assert re.fullmatch(rf"They took 5\.[0-4] seconds: https://127\.0\.0\.1:{demo.port}/ten-slow-requests/", took)
    assert url == f"https://127.0.0.1:{demo.port}"
    assert FOOTER in demo.get("/")


def test_two_checkouts_that_each_have_a_demo_host_never_share_a_connection(demo: Demo, tmp_path: Path) -> None:
    lines = (demo.path / "ansible.cfg").read_text().splitlines()
    (control_path,) = [line.partition(" = ")[2] for line in lines if line.startswith("control_path = ")]
    option = f"ControlPath={control_path % {'directory': '/d'}}"
    own = demo.path / ".throwaway" / "ssh_config"
    other = tmp_path / "ssh_config"
    other.write_text("Host demo-host\n  HostName 127.0.0.1\n  Port 1\n  User admin\n")
    seen = {demo.checked("ssh", "-G", "-F", str(file), "-o", option, "demo-host") for file in (own, other)}
    paths = {re.search(r"controlpath (/d/.+)", text) for text in seen}
    assert len({path[1] for path in paths if path}) == 2


def test_no_secret_is_printed(demo: Demo) -> None:
    view = demo.run("ansible-vault", "view", "inventories/demo/group_vars/demo/vault.yml")
    secrets = re.findall(r': "(.+)"', view.output)
    assert len(secrets) == 2
    for run in (demo.made, demo.playbook("site", "-vvv", "--diff", "-e", "release_keep=4")):
        assert run.code == 0, run.output
        assert not [secret for secret in secrets if secret in run.output]


def test_a_second_provision_changes_nothing(demo: Demo) -> None:
    again = demo.playbook("provision")
    assert (again.code, again.changed) == (0, 0), again.output


@pytest.mark.alone
def test_a_second_deploy_says_already_live_and_changes_nothing_within_ten_seconds(demo: Demo) -> None:
    started = time.monotonic()
    again = demo.playbook("deploy")
    assert time.monotonic() - started < 10
    assert (again.code, again.changed) == (0, 0), again.output
    assert f"already live, as release {demo.live()}." in again.text


def test_check_mode_passes_on_a_finished_host_and_foretells_no_change(demo: Demo) -> None:
    check = demo.playbook("site", "--check", "--diff")
    assert (check.code, check.changed) == (0, 0), check.output


def test_a_new_commit_goes_live_under_load_without_a_failed_request(demo: Demo) -> None:
    old = demo.live()
    page = demo.path / PAGE
    page.write_text(page.read_text().replace(FOOTER, "A new commit"))
    style = demo.path / "examples/slow_sql/pages/static/pages/style.css"
    style.write_text(f"{style.read_text()}/* new */\n")
    demo.commit("Change the footer")
    styles = stylesheets(demo)
    with Load(demo.connect) as load:
        deploy = demo.playbook("deploy")
    assert deploy.code == 0, deploy.output
    assert load.failures == {}
    assert load.answers["200"] > 200
    assert demo.live() != old
    assert "A new commit" in demo.get("/")
    # A page that is still open asks for that which it was sent with.
    styles += stylesheets(demo)
    assert ["/* new */" in demo.get(path) for path in styles] == [False, True]


def test_check_mode_says_what_would_be_deployed_and_does_not(demo: Demo) -> None:
    before = demo.state()
    check = demo.playbook("deploy", "--check", "--diff", "-e", "release_version=HEAD~1")
    assert check.code == 0, check.output
    assert "would be deployed. New: source." in check.text
    assert demo.state() == before


def test_rollback_goes_to_the_previous_release_under_load_without_a_failed_request(demo: Demo) -> None:
    with Load(demo.connect) as load:
        rollback = demo.playbook("rollback")
        left = instances(demo)
    assert rollback.code == 0, rollback.output
    assert left == [f"slow-sql@{demo.live()}.service"]
    assert load.failures == {}
    assert load.answers["200"] > 200
    assert FOOTER in demo.get("/")
    # The page of the release that it came from may still be open too.
    newer = demo.host("cd /srv/slow-sql/static-kept && grep -l 'new \\*/' pages/style.*")
    assert "/* new */" in demo.get(f"/static/{newer}")


def test_slow_requests_in_flight_are_answered_while_a_release_is_replaced(demo: Demo) -> None:
    with Load(demo.connect, "/slow-sql/?x=7&seconds=4", seconds=12) as load:
        deploy = demo.playbook("deploy")
        left = instances(demo)
    assert deploy.code == 0, deploy.output
    # What it had to finish was waited for.
    assert left == [f"slow-sql@{demo.live()}.service"]
    assert load.failures == {}
    assert load.answers["200"] >= 80
    assert "A new commit" in demo.get("/")


def test_rollback_where_there_is_nothing_older_is_refused_with_what_to_type(demo: Demo) -> None:
    while (rollback := demo.playbook("rollback")).code == 0:
        pass
    assert "has no good release older than the live one" in rollback.text
    assert "ansible-playbook deploy.yml -l demo -e release_version=NAME" in rollback.text
    assert FOOTER in demo.get("/")


def test_only_so_many_releases_are_kept_and_the_live_one_always(demo: Demo) -> None:
    for number in range(3):
        page = demo.path / PAGE
        page.write_text(f"{page.read_text()}<!-- {number} -->\n")
        demo.commit(f"Commit {number}")
        assert demo.playbook("deploy", "-e", "release_keep=2").code == 0
    releases = demo.host("ls /srv/slow-sql/releases").split()
    assert len(releases) == 2
    assert demo.live() == max(releases)
    assert "<!-- 2 -->" in demo.get("/")
