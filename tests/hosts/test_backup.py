"""Backups of the demo's database and uploads: taken, restored, compared, damaged, killed and short of space.

The tests build on each other in this order. The repository is a small file system of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo import Demo, Result
from restores import FLIP, kill_holders, until

PASSPHRASE = "a passphrase of this test alone"
REPOSITORY = "/srv/backups"
VARIABLES = {
    "backup_enabled": True,
    "backup_passphrase": PASSPHRASE,
    "backup_directory": REPOSITORY,
    "backup_failure_command": "/bin/sh -c 'echo $UNIT >> /run/failed-backups'",
    # What cannot be archived is given up soon.
    "backup_settings": {"archive-timeout": 5},
    # What a drill compares it writes alike, whatever the servers' zones are.
    "postgresql_settings": {"timezone": "Asia/Kathmandu"},
}


class Backups:
    """The demo with backups."""

    def __init__(self, demo: Demo, variables: Path) -> None:
        """Take the demo and the file of the variables that it lacks."""
        self.demo = demo
        self.variables = variables
        self.log = ""

    def play(self, name: str, *arguments: str) -> Result:
        """Run a playbook, and remember what it printed."""
        result = self.demo.playbook(name, "-e", f"@{self.variables}", *arguments)
        self.log += result.output
        return result

    def good(self, name: str, *arguments: str) -> Result:
        """Run a playbook that is to succeed."""
        result = self.play(name, *arguments)
        assert result.code == 0, result.output
        return result

    def sql(self, text: str, cluster: str = "main") -> str:
        """Return what a database server on the host answers."""
        command = f"cd / && runuser -u postgres -- psql -XAtq --cluster $(ls /etc/postgresql)/{cluster} -d slow_sql"
        return self.demo.host(f'{command} -c "{text}"')

    def second(self) -> str:
        """Return a second that begins after all that was committed, and wait until it is over."""
        moment = self.sql("SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 s'")
        until(lambda: self.sql(f"SELECT clock_timestamp() AT TIME ZONE 'UTC' > '{moment}'") == "t")
        return json.dumps({"restore_time": f"{moment}+00"})

    def failed(self) -> str:
        """Return the units that failed."""
        return self.demo.host("systemctl --failed --plain --no-legend")


@pytest.fixture(scope="module")
def backups(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """Provision the demo with backups, into a small file system; afterwards the host is as it was."""
    variables = tmp_path_factory.mktemp("backup") / "backup.json"
    variables.write_text(json.dumps(VARIABLES))
    demo.host(f"mkdir -p {REPOSITORY} && mount -t tmpfs -o size=300M,mode=0755 tmpfs {REPOSITORY}")
    demo.host("install -o slow-sql -m 0600 /dev/null /srv/slow-sql/media/a && echo uploaded > /srv/slow-sql/media/a")
    made = Backups(demo, variables)
    made.good("provision", "-vvv", "--diff")
    yield made
    made.sql("DROP TABLE IF EXISTS sold, big")
    demo.host("pg_dropcluster --stop $(ls /etc/postgresql) again0")
    demo.host(
        "systemctl disable --now $(cd /etc/systemd/system && ls | grep backup.*timer) && "
        "rm -rf /etc/systemd/system/*backup* /etc/pgbackrest /etc/slow-sql/backup /srv/slow-sql/media/a "
        "/srv/slow-sql/media.* /run/failed-backups /var/lib/postgresql/*/main.* "
        "/etc/postgresql/*/main/conf.d/initech-backup.conf && systemctl daemon-reload && systemctl reset-failed && "
        f"systemctl restart postgresql@$(ls /etc/postgresql)-main && umount {REPOSITORY} && rmdir {REPOSITORY}"
    )
    demo.playbook("provision")


def test_times_that_systemd_cannot_read_are_refused_and_the_timer_stays(backups: Backups) -> None:
    read = "cat /etc/systemd/system/initech-backup@diff.timer"
    timer = backups.demo.host(read)
    refused = backups.play("provision", "-e", "backup_diff_calendar=Sundy")
    assert refused.code != 0
    assert "initech-backup@diff.timer stays as it is" in refused.text
    assert "Failed to parse calendar specification, ignoring: Sundy" in refused.text
    assert backups.demo.host(read) == timer


def test_a_restore_before_the_first_backup_says_how_to_take_one(backups: Backups) -> None:
    assert backups.good("backup", "--check").changed == 1
    refused = backups.play("restore")
    assert refused.code != 0
    assert "The repository holds no backup. The first is taken with: ansible-playbook backup.yml" in refused.text


def test_a_backup_is_taken_and_named_with_what_would_restore_it(backups: Backups) -> None:
    taken = backups.good("backup")
    assert "F was taken in" in taken.text
    assert "Restore: ansible-playbook restore.yml with the same -l and -e restore_time=" in taken.text
    assert backups.failed() == ""


def test_a_restore_to_a_chosen_second_has_what_was_committed_before_it_and_nothing_later(backups: Backups) -> None:
    backups.sql(
        "CREATE TABLE sold (id int PRIMARY KEY, note text); "
        "INSERT INTO sold SELECT n, md5(n::text) FROM generate_series(1, 5000) n"
    )
    kept = backups.sql("SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM sold")
    moment = backups.second()
    backups.sql("DELETE FROM sold WHERE id > 100; INSERT INTO sold VALUES (0, 'later')")
    restored = backups.good("restore", "-e", moment)
    assert backups.sql("SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM sold", "restored") == kept
    assert backups.sql("SELECT count(*) FROM sold") == "101"
    assert "sudo -u postgres psql --cluster" in restored.text
    again = backups.play("restore")
    assert again.code != 0
    assert "There is a cluster" in again.text
    remove = next(line for line in restored.output.splitlines() if "pg_dropcluster" in line).partition("sudo ")[2]
    backups.demo.host(remove.strip(" '"))
    assert "restored" not in backups.demo.host("pg_lsclusters")


def test_over_the_live_database_only_with_its_name_and_then_what_was_there_is_kept(backups: Backups) -> None:
    moment = backups.second()
    backups.sql("DROP TABLE sold; CREATE TABLE undone (id int)")
    undone = backups.second()
    refused = backups.play("restore", "-e", moment, "-e", "restore_over_live=yes")
    assert refused.code != 0
    assert "name it: -e restore_over_live=slow_sql" in refused.text
    restored = backups.good("restore", "-e", moment, "-e", "restore_over_live=slow_sql")
    assert "What was there before is kept in" in restored.text
    assert "What was there before is kept in /srv/slow-sql/media.restored.before-" in restored.text
    assert backups.sql("SELECT count(*) FROM sold") == "101"
    assert "Ten slow queries" in backups.demo.get("/")
    assert backups.demo.host("cat /srv/slow-sql/media.restored/a") == "uploaded"
    # What that undid is still there.
    backups.good("restore", "-e", undone, "-e", "restore_name=undone")
    assert backups.sql("SELECT count(*) FROM undone", "undone") == "0"
    backups.demo.host("pg_dropcluster --stop $(ls /etc/postgresql) undone")


def test_the_drill_finds_the_live_rows_in_the_newest_backup_on_the_new_timeline_too(backups: Backups) -> None:
    backups.sql(
        "CREATE TABLE big AS SELECT n, md5(n::text) || md5((-n)::text) AS note FROM generate_series(1, 600000) n"
    )
    drill = backups.good("restore-drill")
    assert "old." in drill.text
    assert "rows in 13 tables are those of the live database" in drill.text
    assert "Uploads: 1 files restored" in drill.text
    assert "drill" not in backups.demo.host("pg_lsclusters; ls /srv/slow-sql /var/lib/postgresql/*")


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (f"{REPOSITORY}/database/backup/main/*F/bundle", "checksum invalid: 1"),
        (f"{REPOSITORY}/database/archive/main/*/*", "archiveId: "),
        (f"{REPOSITORY}/media/slow-sql/data", "The repository of what was uploaded to slow-sql is damaged"),
    ],
)
def test_one_corrupted_byte_in_the_repository_fails_the_drill(backups: Backups, damaged: str, message: str) -> None:
    host = backups.demo.host
    file = host(f"find {damaged} -type f -size +200c ! -name '*.backup' | sort | tail -1")
    host(f"cp -a {file} /run/whole && python3 -c '{FLIP}' {file}")
    drill = backups.play("restore-drill")
    host(f"cp -a /run/whole {file} && rm /run/whole")
    assert drill.code != 0, file
    assert message in drill.text


def test_a_backup_that_is_killed_is_seen_and_the_next_one_succeeds(backups: Backups) -> None:
    host = backups.demo.host
    # Looked for on the host itself, so that the kill strikes while it copies.
    listing = f"ls -d {REPOSITORY}/database/backup/main/*F | wc -l"
    host(
        f"before=$({listing}) && systemctl start --no-block initech-backup@full && "
        f"until [ $({listing}) -gt $before ]; do :; done && systemctl kill --signal=KILL initech-backup@full"
    )
    until(lambda: "initech-backup@full.service" in backups.failed())
    until(lambda: host("cat /run/failed-backups 2>/dev/null || true") == "initech-backup@full.service")
    backups.good("backup", "-e", "backup_type=full")
    assert backups.failed() == ""


def test_a_database_that_is_killed_loses_no_committed_row_and_the_next_backup_has_them(backups: Backups) -> None:
    unit = f"postgresql@{backups.demo.host('ls /etc/postgresql')}-main"
    backups.sql("INSERT INTO sold VALUES (777, 'committed')")
    backups.demo.host(f"systemctl kill --signal=KILL {unit}")
    until(lambda: unit in backups.failed())
    refused = backups.play("backup")
    assert refused.code != 0
    assert "initech-backup@diff.service failed, and stands in systemctl --failed" in refused.text
    backups.demo.host(f"systemctl start {unit}")
    assert backups.sql("SELECT note FROM sold WHERE id = 777") == "committed"
    backups.good("backup")
    assert backups.failed() == ""


@pytest.mark.parametrize(("word", "directory"), [("", "again0"), ("slow_sql", "main.incoming")])
def test_a_restore_that_is_killed_leaves_the_live_database_alone_and_the_next_one_succeeds(
    backups: Backups, word: str, directory: str
) -> None:
    arguments = ("-e", f"restore_over_live={word}", "-e", "restore_name=again0")
    before = backups.sql("SELECT pg_postmaster_start_time()")
    with backups.demo.running("restore", "-l", "demo", "-e", f"@{backups.variables}", *arguments):
        kill_holders(backups.demo, f"/var/lib/postgresql/*/{directory}/base", "initech-restore.lock")
    assert backups.sql("SELECT pg_postmaster_start_time()") == before
    assert directory in backups.demo.host("ls /var/lib/postgresql/*")
    backups.good("restore", *arguments)
    assert backups.sql("SELECT note FROM sold WHERE id = 777", "main" if word else "again0") == "committed"


def test_a_full_repository_loses_no_row_and_is_seen_and_the_next_run_recovers(backups: Backups) -> None:
    host = backups.demo.host
    host(f"dd if=/dev/zero of={REPOSITORY}/filler bs=1M 2>/dev/null || true")
    backups.sql("INSERT INTO sold VALUES (888, 'while full'); SELECT pg_switch_wal()")
    full = backups.play("backup")
    assert full.code != 0
    assert "The repository is full: /srv/backups/database has less than 32 MB of free space" in full.text
    assert "initech-backup@diff.service" in backups.failed()
    host("systemctl start initech-backup-check || true")
    assert "initech-backup-check.service" in backups.failed()
    host(f"rm {REPOSITORY}/filler")
    backups.good("backup")
    host("systemctl start initech-backup-check")
    assert backups.failed() == ""
    assert "those of the live database" in backups.good("restore-drill").text


def test_before_a_migration_a_backup_is_taken_and_named_in_the_manifest_with_what_would_restore_it(
    backups: Backups,
) -> None:
    def manifest() -> dict[str, Any]:
        return dict(json.loads(backups.demo.host("cat /srv/slow-sql/current/manifest.json")))

    def newest() -> str:
        info = "cd / && runuser -u postgres -- pgbackrest --stanza=main --output=json info"
        return str(json.loads(backups.demo.host(info))[0]["backup"][-1]["label"])

    backups.demo.host("slow-sql-manage migrate pages 0001")
    before = newest()
    # What provisioning changes, the next deploy makes a release of.
    backups.good("provision", "-e", "gunicorn_timeout=61")
    backups.good("deploy")
    assert manifest()["backup"]["label"] == newest() > before
    assert "ansible-playbook restore.yml with the same -l and -e restore_time=" in manifest()["backup"]["command"]
    backups.good("provision")
    backups.good("deploy")
    assert "backup" not in manifest()


def test_the_passphrase_was_in_no_output_and_no_journal_and_only_two_files_have_it(backups: Backups) -> None:
    assert PASSPHRASE not in backups.log
    seen = backups.demo.host("journalctl --no-pager --output=cat; cat /var/log/postgresql/*; ps -ewwo args")
    assert [line for line in seen.splitlines() if PASSPHRASE in line] == []
    files = backups.demo.host(f"grep -rlF '{PASSPHRASE[:-1]}' /etc | sort").split()
    assert backups.demo.host(f"stat -c '%a %U:%G' {' '.join(files)}").splitlines() == [
        "640 root:postgres",
        "600 root:root",
    ]


def test_another_passphrase_is_refused(backups: Backups) -> None:
    arguments = "path=/etc/pgbackrest/pgbackrest.conf key=repo1-cipher-pass passphrase=another-one-of-many-letters"
    module = ("-m", "initech.django.backup_passphrase", "-a", arguments)
    refused = backups.demo.run("ansible", "demo-host", "--become", *module)
    assert refused.code != 0
    assert "has another passphrase than backup_passphrase" in refused.text
