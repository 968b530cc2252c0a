"""What a host with backups is like, on either engine, before and after a reboot."""

from __future__ import annotations

import json
import re
import time
from typing import Any

Host = Any  # testinfra has no types

PGBACKREST = "/etc/pgbackrest/pgbackrest.conf"
INFO = "cd / && runuser -u postgres -- pgbackrest --stanza=main --output=json info"
MYSQL = "/etc/initech-mysql-backup"
UNITS = {
    True: ("initech-mysql-backup@whole", "initech-mysql-backup@log"),
    False: ("initech-backup@diff", "initech-backup-check"),
}
"""What backs up the database, by whether it is MariaDB: the backup, and what stores or tries its log."""


def is_mysql(host: Host) -> bool:
    """Tell which engine it is."""
    return bool(host.file(MYSQL).exists)


def snapshots(host: Host, place: str, *options: str) -> int:
    """Return how many snapshots restic has in a repository."""
    return len(json.loads(host.check_output(f"{place}/restic --json snapshots {' '.join(options)}")) or ())


def backups(host: Host) -> int:
    """Return how many backups of the database server there are."""
    if is_mysql(host):
        return snapshots(host, MYSQL, "--tag", "base")
    return len(json.loads(host.check_output(INFO))[0]["backup"])


def passphrase(host: Host) -> str:
    """Return what encrypts them."""
    if is_mysql(host):
        return str(host.file(f"{MYSQL}/passphrase").content_string)
    found = re.findall(r"^repo1-cipher-pass=(.+)$", host.file(PGBACKREST).content_string, re.MULTILINE)
    return str(found[0])


def test_every_timer_runs_and_has_a_next_time(host: Host) -> None:
    others = () if is_mysql(host) else ("initech-backup@full",)
    for name in (*UNITS[is_mysql(host)], *others, "slow-sql-media-backup"):
        names = "ActiveState,NextElapseUSecRealtime,NextElapseUSecMonotonic"
        # Of a unit that is at work just now, some timers count from its end.
        deadline = time.monotonic() + 30
        while True:
            shown = host.check_output(f"systemctl show --property {names} {name}.timer")
            assert "ActiveState=active" in shown
            if re.search(r"NextElapseUSec\w+=[1-9A-Z].+", shown):
                break
            assert time.monotonic() < deadline, name


def test_the_units_that_the_timers_start_take_backups_inside_their_sandboxes(host: Host) -> None:
    before, uploads = backups(host), snapshots(host, "/etc/slow-sql/backup")
    host.check_output(f"systemctl start {' '.join(UNITS[is_mysql(host)])} slow-sql-media-backup")
    assert backups(host) == before + 1
    assert snapshots(host, "/etc/slow-sql/backup") == uploads + 1
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


def test_only_those_who_take_backups_can_read_the_passphrase(host: Host) -> None:
    if is_mysql(host):
        place, expected = host.file(f"{MYSQL}/passphrase"), ("root", "root", 0o600)
    else:
        place, expected = host.file(PGBACKREST), ("root", "postgres", 0o640)
    assert (place.user, place.group, place.mode) == expected
    # Never in a command, which sudo would write into the journal.
    own = host.file("/etc/slow-sql/backup/passphrase")
    assert own.content_string == passphrase(host)
    assert (own.user, own.group, own.mode) == ("root", "root", 0o600)
    assert host.run("runuser -u slow-sql -- cat %s", place.path).rc != 0
    assert host.run("runuser -u slow-sql -- ls /etc/slow-sql/backup").rc != 0
    seen = host.check_output("journalctl --no-pager --output cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert passphrase(host) not in seen


def test_the_repository_holds_nothing_that_can_be_read_without_the_passphrase(host: Host) -> None:
    assert host.run("grep -raq 'django_migrations' /var/backups/initech").rc != 0
    if is_mysql(host):
        assert host.run("sh -c 'echo another | restic --repo /var/backups/initech/mysql snapshots'").rc != 0
    else:
        info = host.check_output("head -c 8 /var/backups/initech/database/backup/main/backup.info")
        assert info == "Salted__"


def test_the_app_cannot_change_its_backups(host: Host) -> None:
    find = "cd / && runuser -u slow-sql -- find /var/backups/initech -writable 2>/dev/null || true"
    assert host.check_output(find) == ""
