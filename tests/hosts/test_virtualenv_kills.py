"""Whoever kills the making of a virtualenv, at any time, leaves nothing behind that the next run does not mend.

The code that makes virtualenvs runs on the host itself, without Ansible, so that a kill can strike it at any moment.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from demo import Demo
from load import Load

# Not these: what matters is how often something is killed, and not how long each takes.
HEAVY = ("Django==", "gevent==", "psycopg2", "greenlet==", "zope.")
UTILS = "ansible_collections/initech/django/plugins/module_utils"
BUILD = """
import sys
from pathlib import Path

sys.path.insert(0, "/root/kills")
from ansible_collections.initech.django.plugins.module_utils import installer

source = Path("/root/kills/requirements.txt")
wanted = installer.Wanted("/usr/bin/python3", sys.version.split()[0], {"requirements.txt": source}, [])
path, is_new = installer.provide(
    Path("/srv/slow-sql/virtualenvs"), "killed", wanted, installer.Source(uv="/usr/local/bin/uv")
)
print(path.name, is_new)
"""
KILL = """
import json, os, random, shutil, signal, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, "/root/kills")
from ansible_collections.initech.django.plugins.module_utils import virtualenvs

path = Path("/srv/slow-sql/virtualenvs/killed")
live = Path("/srv/slow-sql/current/virtualenv").resolve()


def build():
    return subprocess.Popen(
        [sys.executable, "/root/kills/build.py"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process):
    output = process.communicate()[0].split()
    return process.returncode == 0 and output == ["killed", "True"] and virtualenvs.is_sound(path)


before = virtualenvs.fingerprint(live)
assert finish(build())  # it fills uv's cache
kills = []
while len(kills) < 12:
    shutil.rmtree(path)
    started = time.monotonic()
    assert finish(build())
    whole = time.monotonic() - started
    shutil.rmtree(path)
    process = build()
    time.sleep(random.uniform(0, whole))
    if process.poll() is not None:
        process.communicate()
        continue  # it was quicker this time
    # Every third kill leaves the installer running, as an orphan.
    kill = os.kill if len(kills) % 3 == 0 else os.killpg
    kill(process.pid, signal.SIGKILL)
    process.communicate()
    was_half_made = path.exists() and not virtualenvs.read_marker(path)
    if virtualenvs.is_sound(path):
        shutil.rmtree(path)
    kills.append({"half_made": was_half_made, "repaired": finish(build())})
first, second = build(), build()
outputs = sorted(process.communicate()[0].strip() for process in (first, second))
shutil.rmtree(path)
both = [build(), build()]
together = sorted(process.communicate()[0].strip() for process in both)
print(json.dumps({
    "kills": kills,
    "live_unchanged": virtualenvs.fingerprint(live) == before,
    "sound": outputs,
    "together": together,
}))
shutil.rmtree(path)
"""


@pytest.fixture(scope="module")
def report(demo: Demo) -> dict[str, Any]:
    """Kill, repair, and return what happened."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for file in sorted((Path(demo.path) / "plugins/module_utils").glob("*.py")):
            tar.add(file, arcname=f"{UTILS}/{file.name}")
        frozen = (demo.path / "examples/slow_sql/requirements.txt").read_text().splitlines()
        light = "\n".join(line for line in frozen if "==" in line and not line.startswith(HEAVY))
        for name, text in (("build.py", BUILD), ("kill.py", KILL), ("requirements.txt", light)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    demo.unpack(archive.getvalue(), "/root/kills")
    with Load(demo.connect, connections=2, pause=0.05) as load:
        output = demo.host("python3 /root/kills/kill.py; rm -r /root/kills")
    answer: dict[str, Any] = json.loads(output)
    return {**answer, "failures": load.failures}


def test_each_of_12_kills_is_mended_by_the_next_run(report: dict[str, Any]) -> None:
    assert len(report["kills"]) == 12
    assert [kill for kill in report["kills"] if not kill["repaired"]] == []


def test_many_of_them_struck_while_something_was_half_made(report: dict[str, Any]) -> None:
    assert sum(kill["half_made"] for kill in report["kills"]) >= 3


def test_the_live_release_never_noticed(report: dict[str, Any]) -> None:
    assert report["live_unchanged"]
    assert report["failures"] == {}


def test_of_two_runs_at_the_same_time_one_makes_the_virtualenv_and_both_have_it(report: dict[str, Any]) -> None:
    assert report["sound"] == ["killed False", "killed False"]
    assert report["together"] == ["killed False", "killed True"]
