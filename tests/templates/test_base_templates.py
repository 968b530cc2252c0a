"""What the role base writes: who gets in, and how."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.initech.django.tests.templates.render import evaluate, load_tasks, needs, render, variables


def inventory(**hosts: dict[str, Any]) -> dict[str, Any]:
    """Return what Ansible knows of hosts and their variables on the first of them; all are of one environment."""
    return {
        "inventory_hostname": next(iter(hosts)),
        "app_environment": "prod",
        "groups": {"all": list(hosts), "prod": list(hosts)},
        "hostvars": {name: {"inventory_hostname": name, **variables} for name, variables in hosts.items()},
    }


def sshd(login: str = "admin", **inputs: Any) -> dict[str, str]:
    """Return what sshd is told."""
    text = render("base", "sshd.conf.j2", __base_login={"stdout": login}, **{**inventory(web1={}), **inputs})
    return dict(line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))


def files(name: str, **inputs: Any) -> dict[str, dict[str, Any]]:
    """Return the entries of one of the role's lists by path, their contents not looked at."""
    known = {**variables("base", **{**inventory(web1={}), **inputs}), "__base_login": {"stdout": "admin"}}
    entries = [{k: v for k, v in entry.items() if "lookup(" not in str(v)} for entry in known[name]]
    return {entry["path"]: entry for entry in evaluate(entries, known)}


def refusals(name: str, login: str = "debian", **inputs: Any) -> list[str]:
    """Return what a file of the role's tasks, and those that it imports, would refuse: the messages."""
    known = {**variables("base", **inputs), "__base_login": {"stdout": login}, "inventory_hostname": "web1"}
    known["ansible_facts"] = {
        "distribution": "Debian",
        "distribution_version": "13",
        "distribution_major_version": "13",
    }
    found = []
    for task in load_tasks("base", f"tasks/{name}.yml"):
        if imported := task.get("ansible.builtin.import_tasks"):
            found += refusals(imported.removesuffix(".yml"), login, **inputs)
        if check := task.get("ansible.builtin.assert"):
            conditions = check["that"] if isinstance(check["that"], list) else [check["that"]]
            if not all(evaluate(f"{{{{ {each} }}}}", known) for each in conditions):
                found.append(evaluate(check["fail_msg"], known))
    return found


def test_root_gets_in_only_where_ansible_itself_does_so() -> None:
    assert sshd()["PermitRootLogin"] == "no"
    assert sshd("root")["PermitRootLogin"] == "prohibit-password"


def test_switches_are_said_as_sshd_says_them_and_can_be_said_otherwise() -> None:
    assert sshd()["PasswordAuthentication"] == "no"
    assert sshd()["AllowTcpForwarding"] == "no"
    assert (
        sshd(base_ssh_options={"AllowTcpForwarding": "local", "X11Forwarding": True})["AllowTcpForwarding"] == "local"
    )
    assert sshd(base_ssh_options={"X11Forwarding": True})["X11Forwarding"] == "yes"
    assert sshd(base_banner="")["Banner"] == "none"


@pytest.mark.parametrize(
    ("behind", "forwards"),
    [
        ({"ansible_ssh_common_args": "-o ProxyJump=web1"}, "local"),
        ({"ansible_ssh_extra_args": "-J admin@web1"}, "local"),
        ({"ansible_ssh_args": "-C -o proxycommand='ssh -W %h:%p web1'"}, "local"),
        ({"ansible_ssh_common_args": "-F '/home/anna/its-J/ssh_config'", "ansible_ssh_args": None}, "no"),
        ({}, "no"),
    ],
)
def test_sshd_forwards_only_where_a_host_of_the_environment_is_reached_through_another(
    behind: dict[str, Any], forwards: str
) -> None:
    known = inventory(web1={}, db=behind)
    assert sshd(**known)["AllowTcpForwarding"] == forwards
    assert sshd(**known, base_ssh_options={"AllowTcpForwarding": False})["AllowTcpForwarding"] == "no"


@pytest.mark.parametrize(("is_on", "file"), [(True, "/etc/ssh/sshd_config.d/00-initech.conf"), (False, "")])
def test_what_sshd_is_told_has_to_be_what_it_does_unless_it_is_told_nothing(is_on: bool, file: str) -> None:
    (guarded, _) = load_tasks("base", "tasks/access.yml")
    assert evaluate(guarded["initech.django.guarded_files"]["sshd"], variables("base", base_ssh=is_on)) == file
    assert file in {"", *files("__base_access")}


def test_the_firewall_drops_what_no_rule_lets_in() -> None:
    text = render("base", "firewall.nft.j2", base_ssh_addresses=["192.0.2.0/24"])
    assert "policy drop;" in text
    assert "        ip saddr { 192.0.2.0/24 } tcp dport { 22 } accept\n" in text
    assert re.search(r"add @logins \{ ip saddr limit rate over 60/minute burst 60 packets \} drop", text)
    assert text.index("@logins6 {") < text.index("tcp dport { 22 } accept")
    assert "@logins" not in render("base", "firewall.nft.j2", base_ssh_logins_per_minute=0)
    with pytest.raises(AnsibleError, match="no address"):
        render("base", "firewall.nft.j2", base_ssh_addresses=["office.example.com"])


def test_the_firewall_comes_back_whatever_becomes_of_rules_that_are_not_ours() -> None:
    path = "/etc/systemd/system/nftables.service.d/initech.conf"
    loads = "=-/usr/sbin/nft -f /etc/initech/firewall.nft"
    lines = files("__base_access")[path]["content"].splitlines()
    assert lines[1:] == ["[Service]", f"ExecStartPost{loads}", f"ExecReload{loads}", f"ExecStopPost{loads}"]


@pytest.mark.parametrize(("is_on", "loaded"), [(True, True), (False, False), ("false", False)])
def test_what_servers_open_is_written_without_the_firewall_too_so_that_it_never_comes_without_it(
    is_on: bool | str, loaded: bool
) -> None:
    known = variables("base", base_firewall=is_on)
    known |= {"open_name": "nginx", "open_ports": [80], "open_addresses": ["::/0"], "ansible_check_mode": False}
    (task,) = load_tasks("base", "tasks/open.yml")
    assert evaluate(f"{{{{ {task.get('when', True)} }}}}", known) is True
    directory, file = evaluate(task["initech.django.files"]["files"], known)
    assert directory == {"path": "/etc/initech/firewall.d", "state": "directory"}
    assert (file["path"], file["state"]) == ("/etc/initech/firewall.d/nginx.nft", "file")
    assert "tcp dport { 80 } accept" in file["content"]
    (handler,) = (each for each in load_tasks("base", "handlers/main.yml") if each["name"] == task["notify"])
    assert evaluate(f"{{{{ {handler['when']} }}}}", known) is loaded


@pytest.mark.parametrize(
    ("switch", "off", "name", "path"),
    [
        ("base_firewall", False, "__base_access", "/etc/initech/firewall.nft"),
        ("base_firewall", False, "__base_access", "/etc/systemd/system/nftables.service.d/initech.conf"),
        ("base_ssh", False, "__base_access", "/etc/ssh/sshd_config.d/00-initech.conf"),
        ("base_kernel", False, "__base_system", "/etc/sysctl.d/60-initech.conf"),
        ("base_journal_size", "", "__base_system", "/etc/systemd/journald.conf.d/initech.conf"),
        ("base_services_first", False, "__base_system", "/etc/systemd/system/user.slice.d/initech.conf"),
        ("base_core_dumps", True, "__base_system", "/etc/security/limits.d/initech.conf"),
        ("base_core_dumps", True, "__base_system", "/etc/systemd/coredump.conf.d/initech.conf"),
        ("base_shell_seconds", 0, "__base_system", "/etc/profile.d/initech.sh"),
        ("base_kernel", False, "__base_system", "/etc/modprobe.d/initech.conf"),
        ("base_updates", False, "__base_system", "/etc/apt/apt.conf.d/52initech"),
    ],
)
def test_a_control_that_is_switched_off_leaves_no_file(switch: str, off: Any, name: str, path: str) -> None:
    assert files(name)[path]["state"] == "file"
    assert files(name, **{switch: off})[path]["state"] == "absent"


def test_nobody_is_an_administrator_unless_named() -> None:
    path = "/etc/sudoers.d/initech-administrators"
    assert files("__base_access")[path]["state"] == "absent"
    entry = files("__base_access", base_administrators={"anna": ["key"]})[path]
    assert entry["content"].splitlines()[1:] == ["anna ALL=(ALL:ALL) NOPASSWD: ALL"]


ANNA = {"anna": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFdmlpcU0xVvD8x1Wd6cMR5SWWn5oTBkSkmGpRn8hRLy"]}


@pytest.mark.parametrize("name", ["check", "main"])
@pytest.mark.parametrize(
    ("former", "message"),
    [
        (["bert", "root"], "base_former_administrators has root, without whom no host runs"),
        (["debian"], "has debian, as whom Ansible gets in to web1.* Then set ansible_user: anna, put debian back"),
        (["bert", "anna"], "^anna: both in base_administrators and in base_former_administrators. Take out one"),
    ],
)
def test_nobody_who_is_needed_is_removed_in_a_whole_run_and_in_one_of_access_alone(
    name: str, former: list[str], message: str
) -> None:
    (refusal,) = refusals(name, base_administrators=ANNA, base_former_administrators=former)
    assert re.search(message, refusal)
    assert refusal.endswith("Nothing was changed.")


@pytest.mark.parametrize("name", ["check", "main"])
def test_who_left_is_removed_and_the_images_own_account_once_ansible_gets_in_by_another(name: str) -> None:
    former = ["bert", "debian"]
    assert refusals(name, "anna", base_administrators=ANNA, base_former_administrators=former) == []


def test_updates_reboot_at_a_time_or_never() -> None:
    path = "/etc/apt/apt.conf.d/52initech"
    assert 'Automatic-Reboot "true";' in files("__base_system")[path]["content"]
    assert 'Automatic-Reboot "false";' in files("__base_system", base_reboot_at="")[path]["content"]


def reboots(at: str | None, **hosts: dict[str, Any]) -> list[str]:
    """Return when the hosts of an environment reboot, if its variables say when the first does; None if they do not."""
    every = {
        name: variables if at is None else {"base_reboot_at": at, **variables} for name, variables in hosts.items()
    }
    known = inventory(**every)
    path = "/etc/apt/apt.conf.d/52initech"
    texts = [
        files("__base_system", **{**known, "inventory_hostname": name, **variables})[path]["content"]
        for name, variables in every.items()
    ]
    return [re.findall(r'Automatic-Reboot-Time "(.*)";', text)[0] for text in texts]


def test_the_hosts_of_an_environment_reboot_one_after_the_other() -> None:
    assert reboots(None, web1={}, web2={}, db={}) == ["04:00", "04:10", "04:20"]
    assert reboots("23:45", web1={}, web2={}, db={}) == ["23:45", "23:55", "00:05"]


def test_a_host_with_a_time_of_its_own_reboots_then_and_the_others_do_not_wait_for_it() -> None:
    own = {"base_reboot_at": "01:30"}
    assert reboots(None, web1={}, db=own, web2={}) == ["04:00", "01:30", "04:10"]
    assert reboots("05:00", web1={}, db=own, web2={}) == ["05:00", "01:30", "05:10"]


def test_two_apps_on_one_machine_reboot_it_at_one_time() -> None:
    on_one = {"ansible_host": "192.0.2.1"}
    assert reboots(None, shop=on_one, blog=on_one, web2={}) == ["04:00", "04:00", "04:10"]
    by_port = {**on_one, "ansible_port": 22}
    assert reboots(None, shop=on_one, blog=by_port, web2={**on_one, "ansible_port": 2201}) == [
        "04:00",
        "04:00",
        "04:10",
    ]


def test_what_is_taken_back_on_a_new_host_is_stopped_while_systemd_still_knows_its_unit() -> None:
    undo = " ; ".join(variables("base")["__base_undo"])
    stopped, forgotten = (undo.index(f"systemctl {what}") for what in ("stop initech-firewall", "daemon-reload"))
    assert stopped < forgotten < undo.index("systemctl reload-or-restart initech-firewall")


@pytest.mark.parametrize("text", ['"04:30"', '"23:59"', "00:00", '""'])
def test_a_time_to_reboot_is_taken(text: str) -> None:
    assert refusals("check", base_reboot_at=yaml.safe_load(text)) == []


@pytest.mark.parametrize("text", ["4:30", '"4:30"', "4am", '"24:00"', '"04:60"', '"04:30 "'])
def test_what_is_no_time_to_reboot_is_refused_with_what_to_write(text: str) -> None:
    (refusal,) = refusals("check", base_reboot_at=yaml.safe_load(text))
    assert refusal.startswith(f"base_reboot_at is {yaml.safe_load(text)}")
    assert 'in quotes, such as "04:30"' in refusal


def test_a_size_of_the_journal_is_one_that_systemd_reads() -> None:
    for good in ("500M", "1G", "2T", 524288000, ""):
        assert refusals("check", base_journal_size=good) == []
    for bad in ("lots", "500 MB", "0", "-1G", "500m"):
        (refusal,) = refusals("check", base_journal_size=bad)
        assert refusal.startswith(f"base_journal_size is {bad}, which is no size. Write one such as 500M or 1G")


@needs("systemd-analyze")
def test_the_swap_file_is_as_large_as_was_asked_for_and_systemd_reads_its_unit_as_it_is_meant(tmp_path: Path) -> None:
    unit = tmp_path / "swap.service"
    unit.write_text(render("base", "swap.service.j2", base_swap_size="64M"))
    assert f"fallocate --length {64 * 1024**2} /swapfile.new" in unit.read_text()
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    assert subprocess.run(verify, capture_output=True, text=True, check=False).stderr == ""
    assert files("__base_system")["/etc/systemd/system/initech-swap.service"]["state"] == "absent"


KERNEL = {
    "swapon": 'if grep -q "^$1 " "$SWAPS"; then exit 255; fi; echo "$1 file" >>"$SWAPS"',
    "swapoff": 'test -z "$FULL"; grep -q "^$1 " "$SWAPS"; sed -i "\\|^$1 |d" "$SWAPS"',
    "mkswap": 'test -s "$1"',
    "fallocate": 'truncate --size="$2" "$3"',
}


class Swap:
    """A host's swap file, as big as it may be, and a kernel that refuses what ours refuses."""

    def __init__(self, directory: Path, size: int, *, used: bool) -> None:
        """Have a file of that size; none, if it is 0."""
        self.file, self.swaps = directory / "swapfile", directory / "swaps"
        if size:
            with self.file.open("wb") as file:
                file.truncate(size)
        self.swaps.write_text("Filename Type\n" + (f"{self.file} file\n" if used else ""))
        self.programs = directory / "bin"
        self.programs.mkdir()
        for name, script in KERNEL.items():
            (self.programs / name).write_text(f"#!/bin/sh -e\n{script}\n")
            (self.programs / name).chmod(0o755)

    def start(self, full: bool = False) -> int:
        """Start our unit for a file of 64 KB, and return its exit code; memory that is full needs what it has."""
        unit = render("base", "swap.service.j2", base_swap_size="64K")
        (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        meant = command.replace("$$", "$").replace("%%", "%")
        meant = meant.replace("/proc/swaps", str(self.swaps)).replace("/swapfile", str(self.file))
        path = f"{self.programs}:{os.environ['PATH']}"
        environ = {"PATH": path, "SWAPS": str(self.swaps), "FULL": "1" if full else ""}
        return subprocess.run(shlex.split(meant), env=environ, capture_output=True, check=False).returncode

    @property
    def state(self) -> tuple[int, int]:
        """How large the file is, and how often it is in use."""
        return self.file.stat().st_size, self.swaps.read_text().count(f"{self.file} ")


@pytest.mark.parametrize(("size", "used"), [(0, False), (32768, False), (32768, True), (65536, False), (65536, True)])
def test_a_swap_file_that_is_there_is_used_or_replaced_whoever_uses_it(tmp_path: Path, size: int, used: bool) -> None:
    swap = Swap(tmp_path, size, used=used)
    assert swap.start() == 0
    assert swap.state == (65536, 1)
    assert swap.start() == 0
    assert swap.state == (65536, 1)


def test_a_swap_file_that_cannot_be_switched_off_stays(tmp_path: Path) -> None:
    swap = Swap(tmp_path, 32768, used=True)
    assert swap.start(full=True) != 0
    assert swap.state == (32768, 1)


def test_the_swap_file_comes_after_a_line_of_fstab_for_it() -> None:
    assert "\nAfter=swapfile.swap\n" in render("base", "swap.service.j2", base_swap_size="64M")
