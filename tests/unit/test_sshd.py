"""What is written of sshd is what it does, or is said not to be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import sshd
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

WRITTEN = """\
# Ansible managed
PermitRootLogin prohibit-password
PasswordAuthentication no
LoginGraceTime 2m
HostKey /etc/ssh/ssh_host_ed25519_key
ListenAddress 192.0.2.1
ChallengeResponseAuthentication no
"""
ALONE = """\
port 22
listenaddress 192.0.2.1:22
logingracetime 120
x11forwarding no
permitrootlogin without-password
passwordauthentication no
kbdinteractiveauthentication no
hostkey /etc/ssh/ssh_host_ed25519_key
"""
WHOLE = """\
port 2222
listenaddress 192.0.2.1:2222
logingracetime 120
x11forwarding yes
permitrootlogin without-password
passwordauthentication no
kbdinteractiveauthentication no
hostkey /etc/ssh/ssh_host_ed25519_key
hostkey /etc/ssh/ssh_host_rsa_key
"""


def test_what_sshd_says_in_words_of_its_own_or_others_add_to_is_in_force() -> None:
    assert sshd.not_in_force(WRITTEN, ALONE, WHOLE) == []


@pytest.mark.parametrize(
    ("option", "instead", "line"),
    [
        ("passwordauthentication no", "passwordauthentication yes", "PasswordAuthentication no"),
        ("permitrootlogin without-password", "permitrootlogin yes", "PermitRootLogin prohibit-password"),
        ("logingracetime 120", "logingracetime 60", "LoginGraceTime 2m"),
        ("hostkey /etc/ssh/ssh_host_ed25519_key\n", "", "HostKey /etc/ssh/ssh_host_ed25519_key"),
    ],
)
def test_what_others_have_said_before_is_not_in_force(option: str, instead: str, line: str) -> None:
    assert option in WHOLE
    assert sshd.not_in_force(WRITTEN, ALONE, WHOLE.replace(option, instead)) == [line]


@pytest.fixture(name="file")
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is no part of the configuration: sshd does what it would do anyway."""
    file = tmp_path / "sshd_config.d" / "00-initech.conf"
    file.parent.mkdir()
    file.write_text("PasswordAuthentication no\nX11Forwarding no\n")

    def run(command: list[str]) -> subprocess.CompletedProcess[Any]:
        assert command[:2] == ["/usr/sbin/sshd", "-T"]
        is_alone = command[2:4] == ["-f", str(file)]
        told = f"passwordauthentication {'no' if is_alone else 'yes'}\nx11forwarding no\n"
        return subprocess.CompletedProcess(command, 0, told, "Deprecated option UsePrivilegeSeparation\n")

    monkeypatch.setattr(sshd, "run", run)
    return file


def test_a_file_that_is_not_read_is_refused_with_what_is_not_in_force_and_the_line_that_has_it_read(file: Path) -> None:
    with pytest.raises(Problem) as refusal:
        sshd.require_in_force(file)
    assert "Not in force: PasswordAuthentication no. " in str(refusal.value)
    assert f"the first line of /etc/ssh/sshd_config, and stand there only once: Include {file.parent}/*.conf." in str(
        refusal.value
    )
    # What runs has not read it yet, and the next provision has nothing to change.
    assert str(refusal.value).endswith("type on the host: systemctl reload ssh, and here the same again")


def test_a_match_of_a_port_is_no_hindrance(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all conditions this is the one for which sshd wants to know by what it is to judge, or tells nothing."""

    def run(command: list[str]) -> subprocess.CompletedProcess[Any]:
        if not any(word.startswith("lport=") for word in command):
            wrong = "'Match LocalPort' in configuration but 'lport' not in connection test specification.\n"
            return subprocess.CompletedProcess(command, 255, "", wrong)
        return subprocess.CompletedProcess(command, 0, "passwordauthentication no\nx11forwarding no\n", "")

    monkeypatch.setattr(sshd, "run", run)
    sshd.require_in_force(file)


def test_a_configuration_that_sshd_does_not_take_is_told_in_its_words(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = subprocess.CompletedProcess(["sshd"], 255, "", "line 7: Bad configuration option: Colour\n")
    monkeypatch.setattr(sshd, "run", lambda _: result)
    with pytest.raises(Problem, match="sshd does not tell what it does:\nline 7: Bad configuration option: Colour"):
        sshd.require_in_force(file)
