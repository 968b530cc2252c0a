"""certbot is asked when it has something to do, and what it could not do is told."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import acme
from ansible_collections.initech.django.plugins.module_utils.certificates import DAYS, authority, issue
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

NOW = datetime.now(timezone.utc)
NAMES = ["shop.example.com", "www.example.com"]
SERVER = "https://acme.example.com/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@pytest.fixture(name="certbot", autouse=True)
def _certbot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where certbot keeps a certificate, which is there."""
    monkeypatch.setattr(acme, "LETSENCRYPT", tmp_path)
    lineage = tmp_path / "live" / "shop"
    lineage.mkdir(parents=True)
    (lineage / "fullchain.pem").write_bytes(issue(authority("somebody", NOW), NAMES, NOW).certificate)
    (tmp_path / "renewal").mkdir()
    conf = f"version = 2.1.0\ncert = x\n[renewalparams]\nserver = {SERVER}\n[[webroot_map]]\nshop.example.com = /x\n"
    (tmp_path / "renewal" / "shop.conf").write_text(conf)
    return lineage


def wanted(names: list[str] = NAMES, server: str = SERVER, email: str = "") -> acme.Wanted:
    return acme.Wanted("shop", names, email, server, Path("/var/lib/initech-acme"))


def test_a_certificate_that_is_there_is_kept() -> None:
    assert not wanted().is_due(NOW)
    assert not wanted([*reversed(NAMES)]).is_due(NOW)
    # The timer's work.
    assert not wanted().is_due(NOW + timedelta(days=DAYS - 25))


def test_one_is_asked_for_where_none_will_do(certbot: Path) -> None:
    assert wanted(NAMES[:1]).is_due(NOW)
    assert wanted(server="https://other.example.com/directory").is_due(NOW)
    assert wanted().is_due(NOW + timedelta(days=DAYS - acme.DAYS_LEFT, hours=1))
    (certbot / "fullchain.pem").unlink()
    assert wanted().is_due(NOW)


def test_another_authority_is_asked_though_the_certificate_would_do() -> None:
    assert "--force-renewal" in wanted(server="https://other.example.com/directory").command()
    assert "--force-renewal" not in wanted().command()


def renewed_by(certbot: Path, server: str) -> None:
    """Have the certificate be one that another authority gave."""
    conf = certbot.parents[1] / "renewal" / "shop.conf"
    conf.write_text(conf.read_text().replace(SERVER, server))


def test_back_from_an_authority_for_tests_to_the_default_its_certificate_is_not_kept(certbot: Path) -> None:
    renewed_by(certbot, STAGING)
    assert not wanted(server=STAGING).is_due(NOW)
    assert wanted(server="").is_due(NOW)
    assert {"--force-renewal", f"--server={acme.DEFAULT}"} <= set(wanted(server="").command())


def test_a_certificate_of_the_default_authority_is_kept_where_none_is_named(certbot: Path) -> None:
    renewed_by(certbot, acme.DEFAULT)
    assert not wanted(server="").is_due(NOW)
    assert "--force-renewal" not in wanted(server="").command()


@pytest.mark.parametrize(
    "line",
    [f"server = {SERVER}", f"agree-tos\nserver={SERVER}", f'# 100%\nserver: "{SERVER}"', f"server = {SERVER}  # x"],
)
def test_the_default_is_the_one_of_certbots_configuration_where_that_names_one(certbot: Path, line: str) -> None:
    ini = certbot.parents[1] / "cli.ini"
    ini.write_text("max-log-backups = 0\npreconfigured-renewal = True\n")
    assert wanted(server="").authority() == acme.DEFAULT
    ini.write_text(f"max-log-backups = 0\n{line}\n")
    assert wanted(server="").authority() == SERVER
    assert not wanted(server="").is_due(NOW)
    assert wanted(server=STAGING).authority() == STAGING


def test_whose_authority_cannot_be_told_is_kept(certbot: Path) -> None:
    (certbot.parents[1] / "renewal" / "shop.conf").unlink()
    assert not wanted(server="").is_due(NOW)


def test_the_command_names_what_was_asked_for() -> None:
    command = wanted(email="admin@example.com").command()
    assert [part for part in command if part.startswith("--domain")] == [f"--domain={name}" for name in NAMES]
    assert {"--email=admin@example.com", "--no-eff-email", f"--server={SERVER}"} <= set(command)
    assert "--register-unsafely-without-email" in wanted().command()
    # certbot writes down what it is told, so that the next provision compares the same address.
    assert f"--server={acme.DEFAULT}" in wanted(server="").command()


def test_what_certbot_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "Some challenges have failed.\n")

    monkeypatch.setattr(acme, "run", refused)
    with pytest.raises(Problem, match=r"(?s)no certificate for shop\.example\.com, .*challenges have failed.*port 80"):
        wanted().obtain()


def test_a_link_takes_the_place_of_a_file_and_stays(tmp_path: Path) -> None:
    path, target = tmp_path / "shop.crt", tmp_path / "live" / "shop" / "fullchain.pem"
    path.write_text("of the host's own authority")
    assert acme.link(path, target, is_check=True)
    assert not path.is_symlink()
    assert acme.link(path, target, is_check=False)
    assert path.readlink() == target
    assert not acme.link(path, target, is_check=False)
