"""Backups of MariaDB: taken, restored, compared, damaged, killed and short of space.

The tests build on each other in this order. The repository is a small file system of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import App, example
from demo import Demo, Result
from restores import FLIP, kill_holders, until

PASSPHRASE = "a passphrase of this test alone"
REPOSITORY = "/srv/mysql-backups"
VARIABLES = {
    "backup_enabled": True,
    "backup_passphrase": "{{ vault_backup_passphrase }}",
    "backup_directory": REPOSITORY,
    "backup_failure_command": "/bin/sh -c 'echo $UNIT >> /run/failed-backups'",
    # What a drill compares it writes alike, whatever the servers' zones are.
    "mysql_settings": {"default-time-zone": "+05:45"},
}
WHOLE = "initech-mysql-backup@whole.service"
LOG = "initech-mysql-backup@log.service"
ROWS = "SELECT count(*), md5(group_concat(note ORDER BY id)) FROM sold"


class Backups:
    """The example on MariaDB, with backups."""

    def __init__(self, app: App) -> None:
        """Take the app."""
        self.app = app
        self.host = app.demo.host
        self.log = ""
        self.moment = self.kept = ""

    def play(self, name: str, *arguments: str) -> Result:
        """Run a playbook, and remember what it printed."""
        result = self.app.playbook(name, *arguments)
        self.log += result.output
        return result

    def good(self, name: str, *arguments: str) -> Result:
        """Run a playbook that is to succeed."""
        result = self.play(name, *arguments)
        assert result.code == 0, result.output
        return result

    def sql(self, text: str, socket: str = "/run/mysqld/mysqld.sock") -> str:
        """Return what a server on the host answers."""
        options = f"--socket={socket} --batch --skip-column-names --init-command='SET group_concat_max_len = 1 << 30'"
        return self.host(f'mariadb {options} --execute "{text}" vault')

    def second(self) -> str:
        """Return a second that begins after all that was committed, and wait until it is over."""
        moment = self.sql("SELECT utc_timestamp() + INTERVAL 1 SECOND")
        until(lambda: self.sql(f"SELECT utc_timestamp() > '{moment}'") == "1")
        return json.dumps({"restore_time": f"{moment}+00"})

    def word(self) -> str:
        """Return what one types to mean all databases, also those that other tests have made."""
        names = self.sql("SHOW DATABASES").split()
        return ",".join(sorted({*names} - {"information_schema", "mysql", "performance_schema", "sys"}))

    def failed(self) -> str:
        """Return the units that failed."""
        return self.host("systemctl --failed --plain --no-legend")


def restored(name: str) -> str:
    """Return where a restored server listens."""
    return f"/run/initech-mariadb-{name}/mysqld.sock"


@pytest.fixture(scope="module")
def backups(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """Provision the example on MariaDB with backups, into a small file system; afterwards the host has none."""
    demo.host(f"mkdir -p {REPOSITORY} && mount -t tmpfs -o size=300M,mode=0755 tmpfs {REPOSITORY}")
    demo.host("echo 127.0.0.1 vault.test >> /etc/hosts")
    url = "{{ lookup('initech.django.database_url') }}"
    variables = example(
        demo, "vault", url, database_engine="mysql", database_password="{{ vault_database_password }}", **VARIABLES
    )
    vault = {"vault_database_password": "a-password-of-this-test", "vault_backup_passphrase": PASSPHRASE}
    made = Backups(App(demo, tmp_path_factory.mktemp("vault") / "hosts.yml", "vault", variables, vault))
    made.good("provision", "-vvv", "--diff")
    yield made
    made.app.remove()
    demo.host(
        "systemctl disable --now $(cd /etc/systemd/system && ls | grep backup.*timer); "
        "systemctl stop 'initech-mariadb@*'; rm -rf /var/lib/mysql-* /var/lib/mysql.* /run/failed-backups "
        "/etc/systemd/system/*backup* /etc/systemd/system/initech-mariadb@.service /etc/initech-mysql-backup "
        "/etc/vault/backup /etc/mysql/mariadb.conf.d/initech-backup.cnf && systemctl daemon-reload && "
        f"systemctl reset-failed && systemctl restart mariadb && umount {REPOSITORY} && rmdir {REPOSITORY}"
    )


def test_a_second_provision_changes_nothing(backups: Backups) -> None:
    assert backups.good("provision").changed == 0


def test_a_restore_before_the_first_backup_says_how_to_take_one(backups: Backups) -> None:
    refused = backups.play("restore")
    assert refused.code != 0
    assert "The repository holds no backup. The first is taken with: ansible-playbook backup.yml" in refused.text


def test_a_backup_is_taken_and_named_with_what_would_restore_it(backups: Backups) -> None:
    # It migrates, and so takes one before.
    backups.good("deploy")
    taken = backups.good("backup")
    assert "Restore: ansible-playbook restore.yml with the same -l and -e restore_time=" in taken.text
    assert backups.failed() == ""


def test_a_restore_to_a_chosen_second_has_what_was_committed_before_it_and_nothing_later(backups: Backups) -> None:
    backups.sql(
        "CREATE TABLE sold (id int PRIMARY KEY, note text); INSERT INTO sold SELECT seq, md5(seq) FROM seq_1_to_5000; "
        "CREATE TABLE moments (noted timestamp); INSERT INTO moments SELECT now()"
    )
    backups.kept = backups.sql(ROWS)
    backups.moment = backups.second()
    backups.sql("DELETE FROM sold WHERE id > 100; INSERT INTO sold VALUES (0, 'later')")
    report = backups.good("restore", "-e", backups.moment)
    assert backups.sql(ROWS, restored("restored")) == backups.kept
    assert backups.sql("SELECT count(*) FROM sold") == "101"
    again = backups.play("restore")
    assert again.code != 0
    assert "There is a restored server restored already" in again.text
    remove = report.text.partition("Remove it: sudo ")[2].partition(" - ")[0]
    backups.host(remove.rstrip("' ").replace("''", "'") + "'")
    assert "restored" not in backups.host("ls /var/lib")


def test_over_the_live_database_only_with_its_name_and_then_what_was_there_is_kept(backups: Backups) -> None:
    moment = backups.second()
    backups.sql("DROP TABLE sold")
    refused = backups.play("restore", "-e", moment, "-e", "restore_over_live=yes")
    assert refused.code != 0
    assert f"name it: -e restore_over_live={backups.word()}" in refused.text
    done = backups.good("restore", "-e", moment, "-e", f"restore_over_live={backups.word()}")
    assert "What was there before is kept in" in done.text
    assert backups.sql("SELECT count(*) FROM sold") == "101"
    assert "Ten slow queries" in backups.app.get("/")
    # What was before that is still there.
    backups.good("restore", "-e", backups.moment, "-e", "restore_name=earlier")
    assert backups.sql(ROWS, restored("earlier")) == backups.kept
    backups.host("systemctl stop initech-mariadb@earlier && rm -r /var/lib/mysql-earlier")


def test_the_drill_finds_the_live_rows_while_others_are_written(backups: Backups) -> None:
    writer = backups.app.demo.background(
        "while mariadb vault --execute 'INSERT INTO sold SELECT max(id) + 1, uuid() FROM sold; "
        "CREATE TABLE brief AS SELECT * FROM sold; DROP TABLE brief' && [ ! -e /run/enough ]; do :; done"
    )
    drill = backups.good("restore-drill")
    backups.host("touch /run/enough")
    writer.wait()
    backups.host("rm /run/enough")
    assert "old." in drill.text
    assert "tables are those of the live database" in drill.text
    assert "mariadb-check finds nothing in all restored tables" in drill.text
    assert "drill" not in backups.host("ls /var/lib")


@pytest.mark.parametrize("kind", ["base", "log"])
def test_one_corrupted_byte_in_the_repository_fails_the_drill(backups: Backups, kind: str) -> None:
    order = "sort -rn" if kind == "base" else "sort -n"
    file = backups.host(f"find {REPOSITORY}/mysql/data -type f -printf '%s %p\\n' | {order} | head -1 | cut -d' ' -f2")
    backups.host(f"cp -a {file} /run/whole && chmod u+w {file} && python3 -c '{FLIP}' {file}")
    drill = backups.play("restore-drill")
    backups.host(f"cp -a /run/whole {file} && rm -f /run/whole")
    assert drill.code != 0, file
    assert "The repository of backups is damaged" in drill.text
    assert "Take a new full backup at once" in drill.text


def test_a_backup_that_is_killed_is_seen_and_the_next_one_succeeds(backups: Backups) -> None:
    host = backups.host
    host("rm -f /run/failed-backups")
    host(
        f"systemctl start --no-block {WHOLE} && until pgrep -f 'mariadb-backup --backup' > /dev/null; do :; done && "
        f"systemctl kill --signal=KILL {WHOLE}"
    )
    until(lambda: WHOLE in backups.failed())
    until(lambda: host("cat /run/failed-backups 2>/dev/null || true") == WHOLE)
    backups.good("backup")
    assert backups.failed() == ""
    assert host("/etc/initech-mysql-backup/restic snapshots --json --tag draft").strip() in ("null", "[]")


def test_a_database_that_is_killed_loses_no_committed_row_and_the_next_backup_has_them(backups: Backups) -> None:
    backups.sql("INSERT INTO sold VALUES (-777, 'committed')")
    # systemd starts it again, as Debian has it.
    backups.host("systemctl kill --signal=KILL mariadb")
    until(lambda: backups.host("mariadb-admin ping 2>&1 || true") == "mysqld is alive")
    assert backups.sql("SELECT note FROM sold WHERE id = -777") == "committed"
    backups.good("backup")
    assert backups.failed() == ""


def test_a_database_that_is_down_makes_the_backup_fail_visibly(backups: Backups) -> None:
    backups.host("systemctl stop mariadb")
    refused = backups.play("backup")
    backups.host("systemctl start mariadb")
    assert refused.code != 0
    assert f"{WHOLE} failed, and stands in systemctl --failed" in refused.text
    backups.good("backup")
    backups.host(f"systemctl start {LOG}")
    assert backups.failed() == ""


@pytest.mark.parametrize(("over_live", "directory"), [(False, "mysql-again"), (True, "mysql-incoming")])
def test_a_restore_that_is_killed_leaves_the_live_database_alone_and_the_next_one_succeeds(
    backups: Backups, over_live: bool, directory: str
) -> None:
    word = backups.word() if over_live else ""
    arguments = ("-e", f"restore_over_live={word}", "-e", "restore_name=again")
    before = backups.host("systemctl show -P MainPID mariadb")
    with backups.app.running("restore", *arguments):
        kill_holders(backups.app.demo, f"/var/lib/{directory}/mysql", "initech-mysql-restore.lock")
    assert backups.host("systemctl show -P MainPID mariadb") == before
    assert directory in backups.host("ls /var/lib")
    backups.good("restore", *arguments)
    socket = "/run/mysqld/mysqld.sock" if word else restored("again")
    assert backups.sql("SELECT note FROM sold WHERE id = -777", socket) == "committed"


def test_a_full_repository_loses_no_row_and_is_seen_and_the_next_run_recovers(backups: Backups) -> None:
    host = backups.host
    host(f"dd if=/dev/zero of={REPOSITORY}/filler bs=1M 2>/dev/null || true")
    backups.sql("INSERT INTO sold VALUES (-888, 'while full')")
    full = backups.play("backup")
    assert full.code != 0
    assert f"The repository is full: {REPOSITORY}/mysql has less than 32 MB of free space" in full.text
    assert WHOLE in backups.failed()
    host(f"systemctl start {LOG} || true")
    assert LOG in backups.failed()
    host(f"rm {REPOSITORY}/filler")
    backups.good("backup")
    host(f"systemctl start {LOG}")
    assert backups.failed() == ""
    assert "those of the live database" in backups.good("restore-drill").text
    assert backups.sql("SELECT note FROM sold WHERE id = -888") == "while full"


def test_before_a_migration_a_backup_is_taken_and_named_in_the_manifest(backups: Backups) -> None:
    def manifest() -> dict[str, dict[str, str]]:
        return dict(json.loads(backups.host("cat /srv/vault/current/manifest.json")))

    backups.host("vault-manage migrate pages 0001")
    backups.good("provision", "-e", "gunicorn_timeout=61")
    backups.good("deploy")
    listed = json.loads(backups.host("/etc/initech-mysql-backup/restic snapshots --json --tag base"))
    assert manifest()["backup"]["label"] == listed[-1]["short_id"]
    assert "ansible-playbook restore.yml with the same -l" in manifest()["backup"]["command"]


def test_the_passphrase_was_in_no_output_and_no_journal_and_only_root_can_read_it(backups: Backups) -> None:
    assert PASSPHRASE not in backups.log
    seen = backups.host("journalctl --no-pager --output=cat; ps -ewwo args")
    assert [line for line in seen.splitlines() if PASSPHRASE in line] == []
    files = backups.host(f"grep -rlF '{PASSPHRASE[:-1]}' /etc | sort").split()
    assert Path("/etc/initech-mysql-backup/passphrase") in map(Path, files)
    assert set(backups.host(f"stat -c '%a %U:%G' {' '.join(files)}").splitlines()) == {"600 root:root"}
