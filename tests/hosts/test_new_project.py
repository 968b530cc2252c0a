"""From nothing to a page in two commands: a new project, deployed beside the demo."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from demo import Demo, Result


@dataclass(frozen=True)
class New:
    """A new project, as its user sees it.

    Attributes:
        name: its name.
        server: what its page says of the database.
        made: the run that made it.
        deployed: the run that this one said to type next.
    """

    name: str
    server: str
    made: Result
    deployed: Result


@pytest.fixture(scope="module", params=[("bookshop", "", "PostgreSQL 17"), ("cookshop", "mysql", "MariaDB 11")])
def new(request: pytest.FixtureRequest, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[New]:
    """Make a project, and type what that run says."""
    name, database, server = request.param
    directory = tmp_path_factory.mktemp("new")
    home = str(directory / "config")
    options = ["-e", f"project={name}", "-e", f"directory={directory / name}"]
    options += ["-e", f"database={database}"] if database else []
    made = demo.run("ansible-playbook", "new.yml", *options, "-vvv", "--diff", XDG_CONFIG_HOME=home)
    command = re.search(r"^ +(ansible-playbook site\.yml .*)$", made.output, re.MULTILINE)
    assert command, made.output
    yield New(name, server, made, demo.run(*command[1].split(), XDG_CONFIG_HOME=home))
    shutil.rmtree(demo.path / f"inventories/{name}")
    demo.host(f"rm -f /etc/nginx/conf.d/{name}.conf; systemctl reload nginx; systemctl stop '{name}@*'")


def test_the_page_is_there_after_two_commands(demo: Demo, new: New) -> None:
    assert new.made.code == 0, new.made.output
    assert new.deployed.code == 0, new.deployed.output
    page = demo.get("/", f"{new.name}.localhost")
    assert "<h1>It works.</h1>" in page
    assert new.server in page


def test_its_secrets_are_not_printed(demo: Demo, new: New) -> None:
    text = demo.host(f"cat /srv/{new.name}/current/project/.env")
    values = re.findall(r"^SECRET_KEY=['\"]*([^'\"\n]+)", text, re.MULTILINE)
    values += re.findall(r"://[^:]+:([^@]+)@", text)
    assert len(values) == 2
    assert [value for value in values for run in (new.made, new.deployed) if value in run.output] == []


def test_nothing_of_it_is_for_git_here(demo: Demo, new: New) -> None:
    assert demo.checked("git", "status", "--porcelain", f"inventories/{new.name}") == ""


def test_a_second_run_is_refused_and_loses_nothing(demo: Demo, new: New, tmp_path: Path) -> None:
    inventory = demo.path / f"inventories/{new.name}"
    before = {path: path.read_bytes() for path in inventory.rglob("*") if path.is_file()}
    again = demo.run(
        "ansible-playbook", "new.yml", "-e", f"project={new.name}", "-e", f"directory={tmp_path / 'other'}"
    )
    assert again.code != 0
    assert {path: path.read_bytes() for path in inventory.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "other").exists()
