"""Nobody is locked out of a host by what he writes in the inventory, and each control can be switched off."""

from __future__ import annotations

import json
import time

import pytest
from demo import Demo

OFF = {
    "base_ssh": False,
    "base_firewall": False,
    "base_kernel": False,
    "base_time": False,
    "base_updates": False,
    "base_package_sums": False,
    "base_shell_seconds": 0,
    "base_ssh_logins_per_minute": 0,
    "base_services_first": False,
    "base_journal_size": "",
    "base_core_dumps": True,
    "base_banner": "",
}


def rules(demo: Demo) -> str:
    """Return what the firewall lets in, without who it counts just now; nothing where there is none."""
    return demo.host("nft --terse --stateless list table inet initech 2>/dev/null || true")


@pytest.mark.parametrize("new", [False, True], ids=["provisioned", "new"])
def test_who_locks_himself_out_gets_in_again_a_minute_later(demo: Demo, new: bool) -> None:
    # Tests of others may have left something to be done.
    demo.checked("ansible-playbook", "provision.yml", "-l", "demo")
    before = rules(demo)
    assert "tcp dport 22 accept" in before
    if new:
        # The first firewall of a host: what takes it back has nothing to go back to.
        demo.host(
            "systemctl disable --now initech-firewall; rm -r /etc/systemd/system/initech-firewall.service"
            " /etc/systemd/system/nftables.service.d /etc/initech/firewall.*; systemctl daemon-reload"
        )
        before = rules(demo)
        assert before == ""

    # A documentation network: nobody comes from there.
    result = demo.playbook("provision", "-e", '{"base_ssh_addresses": ["192.0.2.0/24"]}')

    assert result.code != 0
    assert "the host takes back what was changed, a minute after it was" in result.text
    deadline = time.monotonic() + 90
    while "192.0.2.0/24" in rules(demo):
        assert time.monotonic() < deadline
    assert rules(demo) == before
    finished = demo.playbook("provision")
    assert finished.code == 0, finished.output
    assert (finished.changed == 0) is not new, finished.output
    assert "tcp dport 22 accept" in rules(demo)


def test_what_a_killed_run_has_not_proven_is_put_back_by_the_next(demo: Demo) -> None:
    demo.host("systemctl stop initech-guard.timer 2>/dev/null; rm -rf /run/initech-guard; mkdir /run/initech-guard")
    demo.host("echo 'rm -f /etc/ssh/sshd_config.d/99-unproven.conf' > /run/initech-guard/undo")
    demo.host("echo 'PermitTunnel yes' > /etc/ssh/sshd_config.d/99-unproven.conf")
    demo.host(
        "systemd-run --unit=initech-guard --on-active=600 --property=Type=oneshot /bin/sh /run/initech-guard/undo"
    )
    assert demo.playbook("provision").code == 0
    assert demo.host("ls /etc/ssh/sshd_config.d").split() == ["00-initech.conf"]


@pytest.mark.parametrize(
    ("config", "given"),
    [("/^Include/d", {"base_ssh_options": {"ClientAliveInterval": 299}}), ("1i PasswordAuthentication yes", {})],
    ids=["changed", "same"],
)
def test_what_sshd_does_not_do_of_ours_is_noticed_and_no_change_of_it_stays(
    demo: Demo, config: str, given: dict[str, object]
) -> None:
    ours = demo.host("cat /etc/ssh/sshd_config.d/00-initech.conf")
    demo.host(f"sed -i.kept '{config}' /etc/ssh/sshd_config")
    try:
        result = demo.playbook("provision", "-e", json.dumps(given))
    finally:
        demo.host("mv /etc/ssh/sshd_config.kept /etc/ssh/sshd_config; systemctl reload ssh")

    assert result.code != 0
    assert "Not in force: " in result.text
    assert "PasswordAuthentication no" in result.text
    assert "Include /etc/ssh/sshd_config.d/*.conf" in result.text
    assert demo.host("cat /etc/ssh/sshd_config.d/00-initech.conf") == ours
    assert demo.host("systemctl is-active initech-guard.timer || true").strip() == "inactive"
    finished = demo.playbook("provision")
    assert (finished.code, finished.changed) == (0, 0), finished.output


def test_what_sshd_does_at_another_port_is_nobodys_business(demo: Demo) -> None:
    demo.host("printf 'Match LocalPort 2222\\n  X11Forwarding yes\\n' > /etc/ssh/sshd_config.d/50-port.conf")
    try:
        result = demo.playbook("provision")
    finally:
        demo.host("rm /etc/ssh/sshd_config.d/50-port.conf")
    assert (result.code, result.changed) == (0, 0), result.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_ssh_addresses": ["office.example.com"]}, "'office.example.com' is no address and no network"),
        ({"base_administrators": {"anna": ["secret"]}}, "key 1 of anna is no public key"),
        ({"base_swap_size": "lots"}, "base_swap_size is lots, which is no size. Write one such as 1G"),
        ({"base_reboot_at": 270}, "base_reboot_at is 270, which is no time. Write hours and minutes"),
        ({"base_journal_size": "lots"}, "base_journal_size is lots, which is no size. Write one such as 500M"),
        ({"base_former_administrators": ["root"]}, "base_former_administrators has root, without whom no host runs"),
    ],
)
def test_what_is_no_key_or_address_is_refused_before_anything_is_changed(
    demo: Demo, given: dict[str, object], message: str
) -> None:
    result = demo.playbook("provision", "-e", json.dumps(given))
    assert result.code != 0
    assert message in result.text
    assert result.changed == 0


def test_each_control_can_be_switched_off_and_on_again(demo: Demo) -> None:
    off = demo.playbook("provision", "-e", json.dumps(OFF))
    assert off.code == 0, off.output
    assert rules(demo) == ""
    assert "passwordauthentication yes" in demo.host("sshd -T")
    assert demo.get("/healthz")
    again = demo.playbook("provision", "-e", json.dumps(OFF))
    assert (again.code, again.changed) == (0, 0), again.output

    on = demo.playbook("provision")
    assert on.code == 0, on.output
    assert "policy drop" in rules(demo)
    assert "passwordauthentication no" in demo.host("sshd -T")
    assert demo.host("systemctl is-active initech-guard.timer || true").strip() == "inactive"
