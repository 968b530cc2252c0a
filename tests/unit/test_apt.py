"""apt is not asked where dpkg says that all is installed, and always where there is a doubt."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.action.apt import STATES, ActionModule

AUTOMATIC = "Package: nginx-common\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: zlib\nAuto-Installed: 0\n"


def are_installed(names: str | list[str], states: str) -> bool:
    action = ActionModule.__new__(ActionModule)
    action._low_level_execute_command = lambda command: {"stdout": states}
    return bool(action.are_installed(names))


@pytest.mark.parametrize(
    ("names", "states", "expected"),
    [
        ("nginx", "nginx installed\n", True),
        (["nginx", "g++"], "nginx installed\ng++ installed\n", True),
        (["nginx", "git"], "nginx installed\n", False),
        ("nginx", "nginx config-files\n", False),
        ("nginx", "nginx installed\nnginx automatic\n", False),
        ("nginx=1.2", "nginx=1.2 installed\n", False),
        ("nginx*", "nginx* installed\n", False),
        ("nginx; reboot", "nginx; reboot installed\n", False),
        ("nginx", "", False),
    ],
)
def test_only_what_is_surely_there_is_not_asked_for(names: str | list[str], states: str, expected: bool) -> None:
    assert are_installed(names, states) is expected


def test_the_command_prints_who_is_installed_and_who_only_for_another(tmp_path: Path) -> None:
    states = tmp_path / "extended_states"
    states.write_text(AUTOMATIC)
    programs: dict[str, Any] = {"dpkg-query": "echo dash installed", "awk": 'exec /usr/bin/awk "$@"'}
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    command = STATES.format(packages="dash").replace("/var/lib/apt/extended_states", str(states))
    output = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ).stdout
    assert output.splitlines() == ["dash installed", "nginx-common automatic"]
