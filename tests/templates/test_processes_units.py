"""The units of workers and timers are in the sandbox of the site, and systemd accepts them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.dotenv import RESERVED
from ansible_collections.initech.django.plugins.module_utils.manage import SWITCH
from ansible_collections.initech.django.plugins.module_utils.processes import MARK, Timer, Worker, units
from ansible_collections.initech.django.tests.templates.render import needs, render

ID = "20261124T101500Z-1a2b3c4d"
WORKER = "shop.mail.2@.service"
RUN = "shop.tidy@.service"
OF_EACH = {
    "Description",
    "Type",
    "ExecStart",
    "ExecStartPost",
    "RuntimeDirectory",
    "RestartSec",
    "TimeoutStopSec",
    "Environment",
    "CollectMode",
}
OF_A_COMMAND = {"Restart", "StartLimitIntervalSec", "TimeoutStartSec"}


def base(**inputs: Any) -> str:
    return render("gunicorn", "instance.service.j2", app_name="shop", **inputs)


def made(**inputs: Any) -> dict[str, str]:
    mail = Worker("mail", "celery -A shop worker -n mail${REPLICA}@%h", replicas=2, gevent=True, deadline=300)
    tidy = Timer("tidy", "manage.py clearsessions", "Mon *-*-* 04:00", timeout=7)
    boot = render("gunicorn", "boot.service.j2", app_name="shop")
    return units("shop", [mail], [tidy], base(**inputs), boot)


def settings(text: str) -> dict[str, list[str]]:
    """Return the settings of a unit by name."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_what_the_units_tell_their_processes_no_env_file_may_have_but_for_the_switch() -> None:
    # Which may well be others.
    usual = {"HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    services = [text for name, text in {**made(), "shop@.service": base()}.items() if name.endswith("@.service")]
    lines = [line for text in services for line in settings(text)["Environment"]]
    assert {line.partition("=")[0] for line in lines} == {*usual, *RESERVED, SWITCH}


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"gunicorn_env_as_environment": True, "gunicorn_writable_directories": ["/srv/exchange"]},
        {"gunicorn_pgbouncer": True},
    ],
)
def test_all_but_what_is_gunicorns_alone_is_as_in_the_unit_of_the_site(inputs: dict[str, Any]) -> None:
    site = settings(base(**inputs))
    for name, without in ((WORKER, OF_EACH), (RUN, OF_EACH | OF_A_COMMAND)):
        own = settings(made(**inputs)[name])
        assert {key: own[key] for key in own if key not in without} == {
            key: site[key] for key in site if key not in without
        }
        assert set(site["Environment"]) < set(own["Environment"])
        # systemd removes it when a unit ends, and the socket of the site is in there.
        assert "RuntimeDirectory" not in own
        # Visitors wait for the site, and nobody for these.
        assert "ExecStartPost" not in own


def test_a_worker_has_its_number_its_patch_and_its_deadline() -> None:
    own = settings(made()[WORKER])
    assert own["ExecStart"] == ["/srv/shop/releases/%i/virtualenv/bin/celery -A shop worker -n mail${REPLICA}@%%h"]
    assert {"REPLICA=2", "GEVENT_PATCH=on", "RELEASE=%i"} <= set(own["Environment"])
    assert own["TimeoutStopSec"] == ["300"]
    assert own["KillMode"] == ["mixed"]
    assert own["Restart"] == ["always"]


def test_a_command_on_a_calendar_ends_and_is_not_begun_again() -> None:
    own = settings(made()[RUN])
    assert own["Type"] == ["oneshot"]
    assert own["TimeoutStartSec"] == ["7"]
    assert "GEVENT_PATCH=off" in own["Environment"]
    assert "Restart" not in own
    assert settings(made()["shop.tidy.timer"])["OnCalendar"] == ["Mon *-*-* 04:00"]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("shop.tidy.service", ["start", f"shop.tidy@{ID}.service"]),
        (
            "shop.service.d/processes.conf",
            ["start", "--no-block", f"shop.mail.1@{ID}.service", f"shop.mail.2@{ID}.service"],
        ),
    ],
)
def test_a_timer_and_the_boot_start_what_the_link_leads_to(unit: str, expected: list[str], tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(Path("releases", ID))
    systemctl = tmp_path / "systemctl"
    systemctl.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    systemctl.chmod(0o755)
    (command,) = settings(made()[unit])["ExecStart"]
    # systemd itself turns $$ into $.
    arguments = shlex.split(command.replace("/srv/shop/current", str(link)).replace("$$", "$"))
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = subprocess.run(
        arguments, capture_output=True, text=True, check=True, timeout=20, env={**os.environ, "PATH": path}
    )
    assert result.stdout.splitlines() == expected


@needs("systemd-analyze")
@pytest.mark.parametrize(("unit", "most"), [(WORKER, 12), (RUN, 12), ("shop.tidy.service", 12)])
def test_systemd_finds_hardly_anything_that_they_may_do(unit: str, most: int, tmp_path: Path) -> None:
    """The exposure is in tenths, of ten; a unit without a sandbox has 9.6."""
    file = tmp_path / "shop.service"
    file.write_text(made()[unit])
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={most}", "--no-pager", str(file)]
    analysed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert analysed.returncode == 0, analysed.stdout


def test_what_a_timer_starts_by_is_not_started_at_boot() -> None:
    text = made()["shop.tidy.service"]
    assert "[Install]" not in text
    assert settings(text)["ConditionPathExists"] == ["/srv/shop/current"]
    assert settings(text)["Type"] == ["oneshot"]


def test_each_unit_is_marked_as_ours() -> None:
    assert all(text.startswith(MARK) for text in made().values())


@needs("systemd-analyze")
def test_systemd_accepts_them(tmp_path: Path) -> None:
    for name, text in made().items():
        if "/" not in name:
            program = text.replace("/srv/shop/releases/%i/virtualenv/bin/", "/bin/echo ")
            (tmp_path / name.replace("@", "@x")).write_text(program)
    paths = sorted(tmp_path.iterdir())
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert result.returncode == 0, result.stderr
    assert len(paths) == 5
