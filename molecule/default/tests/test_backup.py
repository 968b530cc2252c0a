"""What a host with backups is like, before and after a reboot."""

from __future__ import annotations

import json
import re
from typing import Any

Host = Any  # testinfra has no types

PGBACKREST = "/etc/pgbackrest/pgbackrest.conf"
INFO = "runuser -u postgres -- pgbackrest --stanza=main --output=json info"


def backups(host: Host) -> list[str]:
    """Return the labels of all backups of the database server."""
    return [backup["label"] for backup in json.loads(host.check_output(f"cd / && {INFO}"))[0]["backup"]]


def snapshots(host: Host) -> int:
    """Return how many backups of uploads there are."""
    return len(json.loads(host.check_output("/etc/slow-sql/backup/restic --json snapshots")))


def test_every_timer_runs_and_has_a_next_time(host: Host) -> None:
    for name in ("initech-backup@full", "initech-backup@diff", "initech-backup-check", "slow-sql-media-backup"):
        shown = host.check_output("systemctl show --property ActiveState,NextElapseUSecRealtime %s.timer", name)
        assert "ActiveState=active" in shown
        assert re.search(r"NextElapseUSecRealtime=.+", shown), name


def test_the_units_that_the_timers_start_take_backups_inside_their_sandboxes(host: Host) -> None:
    before, uploads = backups(host), snapshots(host)
    host.check_output("systemctl start initech-backup@diff slow-sql-media-backup initech-backup-check")
    assert len(backups(host)) == len(before) + 1
    assert snapshots(host) == uploads + 1
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


def test_only_those_who_take_backups_can_read_the_passphrase(host: Host) -> None:
    file = host.file(PGBACKREST)
    assert (file.user, file.group, file.mode) == ("root", "postgres", 0o640)
    passphrase = re.findall(r"^repo1-cipher-pass=(.+)$", file.content_string, re.MULTILINE)[0]
    # Never in a command, which sudo would write into the journal.
    own = host.file("/etc/slow-sql/backup/passphrase")
    assert own.content_string == passphrase
    assert (own.user, own.group, own.mode) == ("root", "root", 0o600)
    assert host.run("runuser -u slow-sql -- cat %s", PGBACKREST).rc != 0
    assert host.run("runuser -u slow-sql -- ls /etc/slow-sql/backup").rc != 0
    seen = host.check_output("journalctl --no-pager --output cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert passphrase not in seen


def test_the_repository_holds_nothing_that_can_be_read_without_the_passphrase(host: Host) -> None:
    assert host.run("grep -raq 'django_migrations' /var/backups/initech").rc != 0
    info = host.check_output("head -c 8 /var/backups/initech/database/backup/main/backup.info")
    assert info == "Salted__"


def test_the_app_cannot_change_its_backups(host: Host) -> None:
    assert (
        host.check_output("cd / && runuser -u slow-sql -- find /var/backups/initech -writable 2>/dev/null || true")
        == ""
    )
