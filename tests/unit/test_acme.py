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
    assert not wanted(server="").is_due(NOW)
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
    assert "--force-renewal" not in wanted(server="").command()


def test_the_command_names_what_was_asked_for() -> None:
    command = wanted(email="admin@example.com").command()
    assert [part for part in command if part.startswith("--domain")] == [f"--domain={name}" for name in NAMES]
    assert {"--email=admin@example.com", "--no-eff-email", f"--server={SERVER}"} <= set(command)
    assert "--register-unsafely-without-email" in wanted().command()
    assert not [part for part in wanted(server="").command() if part.startswith("--server")]


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
