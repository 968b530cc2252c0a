"""Where an upgrade of PostgreSQL fails, the site has its old database again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import versions
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import postgresql_upgrade

LIBRARY = "Your installation references loadable libraries that are missing from the new installation."
OLD = '{"version":"15","cluster":"main","port":"5432","running":0}'
STOPPED = '{"version":"15","cluster":"main","port":"5433","running":0}'
HALF = '{"version":"17","cluster":"main","port":"5433","running":1}'
NEW = '{"version":"17","cluster":"main","port":"5432","running":1}'


class Host:
    """A host whose upgrade fails, and what was typed on it.

    Attributes:
        left: the clusters that the tool leaves.
        refused: a command that fails.
    """

    def __init__(self, draft: Path) -> None:
        """Take where the file is that is there meanwhile."""
        self.draft = draft
        self.left = OLD
        self.refused = ""
        self.typed: list[str] = []

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """Answer as the host does."""
        self.typed.append(" ".join(command))
        answers = {
            "systemctl show": (0, "inactive\n"),
            "pg_lsclusters --json": (0, f"[{self.left if self.draft.exists() else OLD}]"),
            "systemd-run": (1, ""),
            "journalctl": (0, LIBRARY),
        }
        code, text = next((answers[each] for each in answers if self.typed[-1].startswith(each)), (0, ""))
        if self.refused and self.typed[-1].startswith(self.refused):
            code, text = 1, "No space left on device"
        return subprocess.CompletedProcess(command, code, text, "")

    def run_or_fail(self, command: list[str], failure: str, **_: Any) -> str:
        """Answer, or fail."""
        result = self.run(command)
        if result.returncode:
            raise Problem(f"{failure}: {result.stdout}")
        return result.stdout

    def upgrade(self) -> str:
        """Return what is said of the upgrade."""
        with pytest.raises(Problem) as problem:
            postgresql_upgrade.upgrade("15", "17")
        return str(problem.value)

    @property
    def later(self) -> list[str]:
        """What was typed after the tool had failed, and its words were read."""
        (end,) = [number for number, text in enumerate(self.typed) if text.startswith("journalctl")]
        return self.typed[end + 1 :]


@pytest.fixture(name="host")
def _host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host with a cluster of version 15, below another root."""
    host = Host(tmp_path / "var/lib/postgresql/upgrading-17")
    host.draft.parent.mkdir(parents=True)
    for version in ("15", "17"):
        configuration = tmp_path / "etc/postgresql" / version / "main"
        configuration.mkdir(parents=True)
        (configuration / "start.conf").write_text("manual\n")
    monkeypatch.setattr(postgresql_upgrade, "run", host.run)
    monkeypatch.setattr(postgresql_upgrade, "run_or_fail", host.run_or_fail)
    monkeypatch.setattr(postgresql_upgrade, "Path", lambda first, *parts: tmp_path.joinpath(first[1:], *parts))
    monkeypatch.setattr(versions, "draft", lambda _: host.draft)
    return host


@pytest.mark.parametrize("left", [OLD, f"{OLD},{HALF}", f"{STOPPED},{HALF}"])
def test_the_old_cluster_goes_on_where_the_upgrade_fails(host: Host, tmp_path: Path, left: str) -> None:
    host.left = left
    if HALF in left:
        (tmp_path / "etc/postgresql/17/main/postgresql.conf").touch()
    said = host.upgrade()
    assert LIBRARY in said
    assert said.endswith(
        "The old cluster 15/main goes on, and its data is as it was. Mend what it says, and type the same again."
    )
    assert ("pg_dropcluster --stop 17 main" in host.later) == (HALF in left)
    assert "pg_conftool 15 main set port 5432" in host.later
    assert host.later[-1] == "systemctl restart postgresql@15-main.service"
    assert (tmp_path / "etc/postgresql/15/main/start.conf").read_text() == "auto\n"
    # Nothing is left for the next run to begin again.
    assert not host.draft.exists()


def test_a_new_cluster_that_has_taken_over_stays(host: Host) -> None:
    host.left = f"{STOPPED},{NEW}"
    said = host.upgrade()
    assert LIBRARY in said
    assert "The new cluster 17/main has taken over all the same" in said
    assert not [text for text in host.later if text.startswith(("pg_dropcluster", "systemctl restart"))]
    assert host.draft.exists()


def test_an_old_cluster_that_does_not_start_either_is_told_and_the_next_run_begins_again(host: Host) -> None:
    host.refused = "systemctl restart"
    said = host.upgrade()
    assert LIBRARY in said
    assert "The old cluster does not go on, though its data is as it was: 15/main does not start again" in said
    assert "No space left on device" in said
    assert host.draft.exists()
