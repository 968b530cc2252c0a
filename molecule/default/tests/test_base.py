"""Who gets in to a host, and what it lets in, before and after a reboot."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

Host = Any  # testinfra has no types

OPEN = {22, 80, 443}
WEAK = re.compile(r"sha1|md5|cbc|3des|nistp|umac-64|group14|chacha20|ssh-rsa\b")


def address(host: Host) -> str:
    """Return by which address the machine reaches the host."""
    return str(host.check_output("hostname --all-ip-addresses").split()[0])


def is_open(host: Host, port: int) -> bool:
    """Tell whether a port answers from outside; what is dropped answers nothing."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address(host), port)) == 0


def ssh(host: Host, *options: str) -> subprocess.CompletedProcess[str]:
    """Try to get in anew, not by a connection that is there."""
    config = Path(host.backend.ssh_config)
    fresh = ["-F", str(config), "-o", "BatchMode=yes", "-o", "ControlPath=none", *options]
    return subprocess.run(
        ["ssh", *fresh, host.backend.get_hostname(), "sudo -n id -un"], capture_output=True, text=True, check=False
    )


def test_the_named_administrator_gets_in_and_becomes_root(host: Host) -> None:
    assert ssh(host, "-l", "anna").stdout == "root\n"


def test_root_and_passwords_do_not_get_in(host: Host) -> None:
    as_root = ssh(host, "-l", "root")
    assert as_root.returncode == 255
    assert "Permission denied (publickey)" in as_root.stderr
    assert "This is a private system" in as_root.stderr


def test_sshd_offers_nothing_that_is_weak(host: Host) -> None:
    told = dict(line.split(" ", 1) for line in host.check_output("/usr/sbin/sshd -T").splitlines() if " " in line)
    assert told["passwordauthentication"] == told["kbdinteractiveauthentication"] == "no"
    for kind in ("kexalgorithms", "ciphers", "macs"):
        assert told[kind]
        assert not WEAK.search(told[kind]), kind


@pytest.mark.parametrize("port", sorted(OPEN))
def test_what_is_meant_for_visitors_and_administrators_is_open(host: Host, port: int) -> None:
    assert is_open(host, port)


def test_nothing_else_is_let_in(host: Host) -> None:
    sockets = host.check_output("ss --listening --tcp --numeric --no-header").splitlines()
    local = (line.split()[3].rsplit(":", 1) for line in sockets)
    listening = {int(port) for listener, port in local if not listener.startswith(("127.", "[::1]"))}
    rules = host.check_output("nft list table inet initech")
    assert "policy drop" in rules
    unit = "closed-by-the-firewall"
    host.check_output(
        f"systemd-run --unit {unit} --property DynamicUser=true python3 -m http.server 8999 --directory /usr/share"
    )
    try:
        host.check_output("timeout 10 sh -c 'until ss -Hltn sport = 8999 | grep -q .; do :; done'")
        assert {port for port in listening | {8999} if is_open(host, port)} == OPEN
    finally:
        host.check_output(f"systemctl stop {unit}")


def test_the_tables_of_others_are_left_alone(host: Host) -> None:
    host.check_output("nft add table inet somebody")
    host.check_output("systemctl reload initech-firewall")
    tables = host.check_output("nft list tables").splitlines()
    host.check_output("nft delete table inet somebody")
    assert {"table inet initech", "table inet somebody"} <= set(tables)


def test_the_firewall_outlives_whatever_is_done_to_the_rules_of_nftables_service(host: Host) -> None:
    # Debian's /etc/nftables.conf begins with `flush ruleset`. Its unit is not running on these hosts, so that it is a
    # start that loads it while ours is active.
    for verb in ("start", "reload", "restart", "stop"):
        host.check_output(f"systemctl {verb} nftables")
        assert "policy drop" in host.check_output("nft list table inet initech"), verb


def test_the_guard_has_gone(host: Host) -> None:
    assert host.run("systemctl is-active initech-guard.timer").stdout.strip() == "inactive"


def test_updates_come_by_themselves_and_what_was_in_memory_is_not_written_down(host: Host) -> None:
    settings = host.check_output("apt-config dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    # The hosts of an environment do not reboot at once.
    at = {"debian13": "04:00", "debian12": "04:10"}[host.backend.get_hostname()]
    assert f'Unattended-Upgrade::Automatic-Reboot-Time "{at}";' in settings
    assert host.check_output("systemctl is-enabled apt-daily-upgrade.timer") == "enabled"
    assert host.check_output("runuser -u nobody -- sh -c 'ulimit -H -c'") == "0"


def test_the_journal_outlives_a_reboot(host: Host) -> None:
    assert host.file("/var/log/journal").is_directory


def test_the_swap_file_is_wanted_and_left_to_the_machine_in_a_container(host: Host) -> None:
    assert host.check_output("systemctl is-enabled initech-swap") == "enabled"
    assert host.run("test -e /swapfile").rc != 0
