"""What the templates of the role backup render to, and whether systemd understands its units."""

from __future__ import annotations

import configparser
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.tests.templates.render import (
    ROLES,
    evaluate,
    load_tasks,
    needs,
    render,
    variables,
)

INPUTS: dict[str, Any] = {
    "app_name": "shop",
    "app_environment": "prod",
    "ansible_facts": {"distribution_release": "trixie"},
    "groups": {},
    "inventory_hostname": "shop-host",
    "backup_passphrase": "a=b#c;d 'e' \"f\" long enough",
}
SFTP = {
    "backup_repository": "sftp",
    "backup_directory": "/backups",
    "backup_sftp_host": "vault.example.com",
    "backup_sftp_private_key": "KEY",
    "backup_sftp_known_hosts": "vault.example.com ssh-ed25519 AAAA",
}
S3 = {
    "backup_repository": "s3",
    "backup_directory": "/shop",
    "backup_s3_bucket": "bucket",
    "backup_s3_endpoint": "s3.example.com",
    "backup_s3_key": "key",
    "backup_s3_key_secret": "it's $ecret",
}
UNITS = sorted(path.name for path in (ROLES / "backup" / "templates").glob("*.service.j2"))
TIMERS = sorted(path.name for path in (ROLES / "backup" / "templates").glob("*.timer.j2"))


def backup(template: str, **inputs: Any) -> str:
    return render("backup", template, **{**INPUTS, **inputs})


def restic(which: str, **inputs: Any) -> dict[str, Any]:
    """Return what the role sees when it makes one of the repositories of restic's."""
    values = known(**inputs)
    return {**INPUTS, **inputs, "__backup_restic": evaluate(values["__backup_restics"], values)[which]}


def settings(**inputs: Any) -> dict[str, dict[str, str]]:
    """Return pgBackRest's configuration by section."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=True)
    parser.read_string(backup("pgbackrest.conf.j2", **inputs))
    return {section: dict(parser[section]) for section in parser.sections()}


def known(**inputs: Any) -> dict[str, Any]:
    return variables("backup", **{**INPUTS, **inputs})


def lacking(**inputs: Any) -> list[str]:
    values = known(**inputs)
    found: list[str] = evaluate(values["__backup_lacking"], values)
    return found


def test_the_repository_is_encrypted_with_the_passphrase_as_it_was_written() -> None:
    found = settings()
    assert found["global"]["repo1-cipher-type"] == "aes-256-cbc"
    assert found["global"]["repo1-cipher-pass"] == INPUTS["backup_passphrase"]
    assert found["global"]["repo1-retention-full"] == "4"
    assert found["main"] == {"pg1-path": "/var/lib/postgresql/17/main"}


@pytest.mark.parametrize(("release", "version"), [("bookworm", 15), ("trixie", 17)])
def test_what_is_backed_up_is_the_cluster_of_the_distributions_own_version(release: str, version: int) -> None:
    found = settings(ansible_facts={"distribution_release": release})
    assert found["main"]["pg1-path"] == f"/var/lib/postgresql/{version}/main"


def test_a_repository_in_a_directory_is_of_no_other_type() -> None:
    found = settings()["global"]
    assert found["repo1-path"] == "/var/backups/initech/database"
    assert not [name for name in found if name.startswith(("repo1-type", "repo1-s3", "repo1-sftp"))]


def test_a_repository_on_another_host_is_reached_by_sftp_and_its_key_is_checked() -> None:
    found = settings(**SFTP)["global"]
    assert found["repo1-type"] == "sftp"
    assert found["repo1-sftp-host"] == "vault.example.com"
    assert found["repo1-sftp-host-key-check-type"] == "strict"
    assert found["repo1-path"] == "/backups/database"
    assert "KEY" not in found.values()


def test_a_repository_in_a_bucket_has_its_keys() -> None:
    found = settings(**S3)["global"]
    assert found["repo1-type"] == "s3"
    assert found["repo1-s3-key-secret"] == "it's $ecret"
    assert found["repo1-path"] == "/shop/database"


def test_options_of_the_inventory_are_added() -> None:
    assert settings(backup_settings={"process-max": 4})["global"]["process-max"] == "4"


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ({}, []),
        ({"backup_passphrase": ""}, ["backup_passphrase"]),
        (SFTP, []),
        (S3, []),
        (
            {"backup_repository": "s3", "backup_s3_key": "key"},
            ["backup_s3_bucket", "backup_s3_endpoint", "backup_s3_key_secret"],
        ),
        ({**SFTP, "backup_sftp_known_hosts": ""}, ["backup_sftp_known_hosts"]),
    ],
)
def test_what_a_repository_lacks_is_named(inputs: dict[str, Any], names: list[str]) -> None:
    assert lacking(**inputs) == names


@pytest.mark.parametrize(
    ("inputs", "base"),
    [
        ({}, "/var/backups/initech"),
        (SFTP, "sftp://backup@vault.example.com:22//backups"),
        (S3, "s3:https://s3.example.com/bucket/shop"),
    ],
)
@pytest.mark.parametrize(
    ("which", "directory", "place"),
    [("media", "/media/shop", "/etc/shop/backup"), ("mysql", "/mysql", "/etc/initech-mysql-backup")],
)
def test_restic_finds_its_repository_and_the_secrets_of_the_inventory(
    inputs: dict[str, Any], base: str, which: str, directory: str, place: str, tmp_path: Path
) -> None:
    script = tmp_path / "restic"
    script.write_text(render("backup", "restic.sh.j2", **restic(which, **inputs)))
    tool = tmp_path / "bin" / "restic"
    tool.parent.mkdir()
    tool.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$RESTIC_REPOSITORY" "$RESTIC_PASSWORD_FILE" "$AWS_SHARED_CREDENTIALS_FILE" "$@"\n'
    )
    tool.chmod(0o755)
    environment = {"PATH": f"{tool.parent}:/usr/bin:/bin"}
    result = subprocess.run(["sh", script, "a b"], env=environment, capture_output=True, text=True, check=True)
    found, passphrase, credentials, *arguments = result.stdout.splitlines()
    assert (found, passphrase) == (f"{base}{directory}", f"{place}/passphrase")
    assert credentials == (f"{place}/aws" if inputs == S3 else "")
    assert S3["backup_s3_key_secret"] not in script.read_text()
    assert arguments[-1] == "a b"
    assert INPUTS["backup_passphrase"] not in script.read_text()
    if inputs == SFTP:
        option, command, _ = arguments
        assert option == "-o"
        assert command.startswith(f"sftp.command=ssh -p 22 -i {place}/ssh_key")
        assert shlex.split(command)[-3:] == ["backup@vault.example.com", "-s", "sftp"]


def test_the_key_of_a_bucket_is_in_a_file_that_restic_reads() -> None:
    values = known(**S3)
    (file,) = evaluate("{{ __backup_restic_secrets.s3 }}", {**values, "__backup_restic": {"place": "/etc/shop/backup"}})
    assert (file["path"], file["mode"]) == ("/etc/shop/backup/aws", "0600")
    read = configparser.RawConfigParser()
    read.read_string(file["content"])
    assert dict(read["default"]) == {"aws_access_key_id": "key", "aws_secret_access_key": "it's $ecret"}


@pytest.mark.parametrize("repository", [{}, S3])
@pytest.mark.parametrize("unit", sorted({*UNITS} - {"failed.service.j2", "mysql-restored.service.j2"}))
def test_a_backup_runs_in_a_sandbox_and_reaches_the_network_only_where_its_repository_is_there(
    unit: str, repository: dict[str, Any]
) -> None:
    lines = backup(unit, **repository).splitlines()
    assert "ProtectSystem=strict" in lines
    assert "NoNewPrivileges=true" in lines
    assert ("RestrictAddressFamilies=AF_UNIX" in lines) == (not repository)
    assert any(line.startswith("ReadWritePaths=/var/backups/initech/") for line in lines) == (not repository)
    assert ("User=postgres" in lines) == (unit in ("check.service.j2", "database.service.j2"))
    assert INPUTS["backup_passphrase"] not in "\n".join(lines)


@pytest.mark.parametrize("unit", sorted({*UNITS} - {"failed.service.j2", "mysql-restored.service.j2"}))
def test_a_failure_calls_somebody_only_if_there_is_somebody_to_call(unit: str) -> None:
    assert "OnFailure" not in backup(unit)
    assert "OnFailure=initech-backup-failed@%n.service\n" in backup(unit, backup_failure_command="/bin/true")


def test_uploads_that_a_link_leads_to_are_backed_up_and_where_there_are_none_nothing_else_is(tmp_path: Path) -> None:
    (line,) = (line for line in backup("media.service.j2").splitlines() if "restic backup" in line)
    text = line.partition("=")[2].replace("$$", "$").replace("/etc/shop/backup/restic", "/bin/echo")
    command = shlex.split(text.replace("/srv/shop/media", str(tmp_path / "media")))

    def started() -> tuple[bool, str]:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.returncode == 0, result.stdout

    (tmp_path / "media").symlink_to("disk")
    assert started() == (False, "")
    (tmp_path / "disk").mkdir()
    assert started() == (True, f"backup --tag media {tmp_path / 'disk'}\n")
    (tmp_path / "media").unlink()
    (tmp_path / "media").mkdir()
    assert started() == (True, f"backup --tag media {tmp_path / 'media'}\n")


def test_uploads_are_forgotten_by_age_wherever_they_were() -> None:
    (line,) = (line for line in backup("media.service.j2").splitlines() if "restic forget" in line)
    assert "--group-by host --keep-within 35d --prune" in line


def test_uploads_are_backed_up_whenever_the_database_is() -> None:
    def calendar(*names: str) -> list[str]:
        lines = [line for name in names for line in backup(name).splitlines()]
        return [line for line in lines if line.startswith("OnCalendar=")]

    assert calendar("media.timer.j2") == calendar("full.timer.j2", "diff.timer.j2") == calendar("mysql-whole.timer.j2")


@pytest.mark.parametrize(
    ("groups", "engine", "server", "has_media"),
    [
        ({}, "postgresql", "postgresql", True),
        ({"apps": ["web", "db"], "databases": ["web", "db"]}, "mysql", "mysql", True),
        ({"apps": ["web"], "databases": ["db"]}, "mysql", "mysql", False),
        ({"apps": ["db"], "databases": ["web"]}, "postgresql", "", True),
    ],
)
def test_a_host_backs_up_what_it_has(groups: dict[str, Any], engine: str, server: str, has_media: bool) -> None:
    values = known(groups=groups, inventory_hostname="db", backup_engine=engine)
    assert evaluate(values["__backup_server"], values) == server
    assert evaluate(values["__backup_has_media"], values) is has_media
    units = evaluate("{{ __backup_units | map(attribute='path') | map('basename') | list }}", values)
    assert ("shop-media-backup.service" in units) == has_media
    assert ("initech-backup@.service" in units) == (server == "postgresql")
    assert ("initech-mysql-backup@.service" in units) == (server == "mysql")


def test_uploads_can_be_restored_where_provisioning_stops_at_a_repository_of_another_server() -> None:
    tasks = load_tasks("backup", "tasks/main.yml")
    included = [task.get("ansible.builtin.include_tasks") for task in tasks]
    assert {"archive.yml", "mysql.yml"} <= {*included[included.index("media.yml") :]}


def test_oracles_mysql_is_not_backed_up() -> None:
    values = known(backup_engine="mysql", backup_mysql_packages=["mysql-community-server"])
    assert not evaluate(values["__backup_knows_the_server"], values)


@needs("bash")
def test_the_program_that_stores_mariadb_is_good_bash(tmp_path: Path) -> None:
    script = tmp_path / "store"
    script.write_text(backup("mysql-store.sh.j2"))
    subprocess.run(["bash", "-n", script], check=True)
    assert "--keep-within 35d" in script.read_text()
    assert f"--keep-hourly {35 * 24}" in script.read_text()


@needs("systemd-analyze")
@pytest.mark.parametrize("template", [*UNITS, *TIMERS])
def test_systemd_understands_a_unit(template: str, tmp_path: Path) -> None:
    kind = template.removesuffix(".j2").rpartition(".")[2]
    file = tmp_path / f"unit.{kind}"
    text = backup(template, backup_failure_command="/bin/true")
    # What the host has, this machine may lack.
    for program in (
        "/usr/bin/pgbackrest",
        "/etc/shop/backup/restic",
        "/etc/initech-mysql-backup/store",
        "/usr/sbin/mariadbd",
    ):
        text = text.replace(program, "/bin/true")
    file.write_text(text)
    if kind == "timer":
        (tmp_path / "unit.service").write_text("[Service]\nExecStart=/bin/true\n")
    result = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    noise = [line for line in result.stderr.splitlines() if str(tmp_path) in line or "unit." in line]
    assert noise == []
