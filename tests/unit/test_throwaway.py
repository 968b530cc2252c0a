"""The pure parts of molecule/throwaway.py; the hosts themselves are tested by everything that boots one."""

from __future__ import annotations

import argparse
import importlib.util
import re
import resource
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "molecule" / "throwaway.py"


def load(path: Path) -> ModuleType:
    """Import the script, which is in no package, by its path."""
    spec = importlib.util.spec_from_file_location("throwaway", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up here.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


throwaway = load(SCRIPT)


def listed(name: str, **changes: Any) -> dict[str, Any]:
    """Return one container as ``podman ps --format json`` prints it."""
    return {
        "Names": [throwaway.container_name(name)],
        "Labels": {"initech-throwaway.distribution": "debian12"},
        "State": "running",
        "Ports": [{"host_ip": "127.0.0.1", "host_port": 40022, "container_port": 22, "range": 1}],
        **changes,
    }


def test_a_changed_recipe_names_a_new_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = throwaway.image_name("debian13")
    assert re.fullmatch(r"localhost/initech-throwaway:debian13-[0-9a-f]{12}", before)
    assert throwaway.image_name("debian13") == before
    monkeypatch.setattr(throwaway, "CUSTOMISATION", (*throwaway.CUSTOMISATION, "true"))
    assert throwaway.image_name("debian13") != before


def test_the_recipe_ends_with_the_suite_and_names_no_mirror() -> None:
    for distribution, suite in throwaway.SUITES.items():
        assert throwaway.recipe(distribution)[-1] == suite
        assert "://" not in " ".join(throwaway.recipe(distribution))


def test_two_checkouts_name_their_containers_differently(tmp_path: Path) -> None:
    copy = tmp_path / "molecule" / "throwaway.py"
    copy.parent.mkdir()
    copy.write_text(SCRIPT.read_text())
    try:
        assert load(copy).container_name("demo") != throwaway.container_name("demo")
    finally:
        sys.modules["throwaway"] = throwaway


@pytest.mark.parametrize("text", ["demo", "web-1", "a"])
def test_a_host_name_that_dns_accepts_is_accepted(text: str) -> None:
    assert throwaway.host_name(text) == text


@pytest.mark.parametrize("text", ["", "Demo", "-x", "1a", "a_b", "a.b", "a b", "../a", "a*", "a" * 32, "a\n"])
def test_a_host_name_that_could_mislead_ssh_or_podman_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no host name"):
        throwaway.host_name(text)


def test_a_port_pair_is_read_as_local_and_guest() -> None:
    assert throwaway.port_pair("8080:80") == throwaway.Port(local=8080, guest=80)


@pytest.mark.parametrize("text", ["8080", "8080:", ":80", "0:80", "8080:65536", "1:2:3", "a:80", "-1:80", "80 :80"])
def test_a_port_pair_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="8080:80"):
        throwaway.port_pair(text)


@pytest.mark.parametrize(
    ("hard", "expected"), [(resource.RLIM_INFINITY, "5000:5000"), (9000, "5000:5000"), (4000, "4000:4000")]
)
def test_a_limit_stays_below_the_callers_and_below_the_ceiling(
    monkeypatch: pytest.MonkeyPatch, hard: int, expected: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, hard))
    assert throwaway.ulimit(resource.RLIMIT_NOFILE, 5000) == expected


def test_hosts_are_read_from_podmans_listing() -> None:
    hosts = throwaway.parse_hosts([listed("demo"), listed("web-1", State="exited")])
    assert {name: host.state for name, host in hosts.items()} == {"demo": "running", "web-1": "exited"}
    assert hosts["demo"].distribution == "debian12"
    assert hosts["demo"].ssh_port == 40022


def test_neighbouring_ports_that_podman_folded_are_unfolded() -> None:
    ports = [{"host_port": 8080, "container_port": 80, "range": 2}, {"host_port": 40022, "container_port": 22}]
    host = throwaway.parse_hosts([listed("demo", Ports=ports)])["demo"]
    assert host.ports == ((8080, 80), (8081, 81), (40022, 22))


def test_the_ssh_entry_leads_to_this_host_and_trusts_only_its_recorded_key() -> None:
    entry = throwaway.ssh_entry(throwaway.parse_hosts([listed("demo")])["demo"])
    lines = [line.strip() for line in entry.splitlines()]
    assert lines[0] == "Host demo"
    assert {"HostName 127.0.0.1", "Port 40022", "User admin", "StrictHostKeyChecking yes"} <= set(lines)
    assert f'UserKnownHostsFile "{SCRIPT.parents[1]}/.throwaway/hosts/demo.known_hosts"' in lines


def test_a_taken_port_is_refused_by_number_and_a_free_one_is_not() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(throwaway.HostError, match=rf"Port {port} on 127\.0\.0\.1 .*--publish"):
            throwaway.require_free([throwaway.Port(port, 80)])
    throwaway.require_free([throwaway.Port(port, 80)])


def test_a_failed_command_becomes_a_short_message_with_its_last_words() -> None:
    with pytest.raises(throwaway.HostError, match=r"(?s)Exit code 3 .*last words$"):
        throwaway.execute("sh", "-c", "echo last words >&2; exit 3")
    with pytest.raises(throwaway.HostError, match="is not installed"):
        throwaway.execute("no-such-command-at-all")


def test_without_root_and_sudo_the_message_says_exactly_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throwaway.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(throwaway, "PATH", "/nowhere")
    packages = " ".join(package for tool, package in throwaway.TOOLS.items() if not Path(tool).exists())
    assert "podman crun mmdebstrap" in packages
    with pytest.raises(throwaway.HostError, match=f"Type, as root: apt-get install {packages} && cd "):
        throwaway.require_root()
