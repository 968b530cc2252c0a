"""What is written to .env and DATABASE_URL is read back exactly by every minor line of django-environ from 0.10 on.

What others misread is told. Needs an index, and so is no part of `make check`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.database_url import database_url
from ansible_collections.initech.django.plugins.module_utils.dotenv import cut_keys, misread_keys, render
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

CUTTING = "0.11"
VERSIONS = ("0.10", CUTTING, "0.12", "0.13", "0.14")
COUNT = 10_000
A_FILE = 100
SPECIAL = "'\"\\#$ =\t`!%&@:/?;,{}()*\x1b\x7f\u00e9\u4e2d\U0001f600"
ALPHABETS = (("\0", "\x7f"), ("\0", "\u024f"), ("\0", "\uffff"), ("\0", "\U0010ffff"))
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def is_writable(value: str) -> bool:
    """Tell whether the grammar has a way to write a value; see ../shared/FACTS.md, django-environ, 8."""
    has_surrogate = any("\ud800" <= character <= "\udfff" for character in value)
    return not value.startswith("$") and not has_surrogate and not set(value) & set(LINE_ENDS + "\0")


def characters(least: int, most: int, alphabets: Sequence[Sequence[str]]) -> str:
    """Return a random text of an alphabet, which is a string, or the characters from a first to a last one."""
    alphabet = random.choice(alphabets)
    length = random.randint(least, most)
    if isinstance(alphabet, str):
        return "".join(random.choices(alphabet, k=length))
    first, last = map(ord, alphabet)
    return "".join(chr(random.randint(first, last)) for _ in range(length))


def text(least: int, most: int, excluded: str = "") -> str:
    """Return a random text that UTF-8 can express."""
    made = characters(least, most, (*ALPHABETS, SPECIAL)).translate(dict.fromkeys(map(ord, excluded), "x"))
    return "".join("x" if "\ud800" <= character <= "\udfff" else character for character in made)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Return values, of which most can be written."""
    # Not drawn by Hypothesis, which takes a minute for so many, and of which nothing is wanted but chance.
    special = [characters(0, 12, (SPECIAL + "abcnrt01",)) for _ in range(COUNT // 2)]
    return special + [characters(0, 30, ALPHABETS) for _ in range(COUNT * 3 // 4)]


@pytest.fixture(scope="module")
def files(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Write them all, in both ways of quoting."""
    directory = tmp_path_factory.mktemp("files")
    writable = [text for text in texts if is_writable(text)]
    found = []
    for systemd in (False, True):
        for start in range(0, len(writable), A_FILE):
            values = {f"KEY_{number}": text for number, text in enumerate(writable[start : start + A_FILE])}
            path = directory / f"{start}-{systemd}.env"
            path.write_text(render(values, systemd), encoding="utf-8", newline="")
            found.append({"path": str(path), "values": values, "systemd": systemd})
    return found


@pytest.fixture(scope="module")
def urls() -> list[tuple[str, dict[str, Any]]]:
    """Return URLs for both engines and for a unix socket, with what is to be read from them."""
    found = []
    for _ in range(COUNT // 4):
        user, password, socket = text(1, 15), text(1, 15), text(1, 15, excluded="/")
        database = text(1, 1, excluded="/") + text(0, 14)
        expected = {"USER": user, "PASSWORD": password}
        for engine, port in (("postgresql", 5432), ("mysql", 3306)):
            url = database_url(password, user=user, name=database, engine=engine)
            found.append((url, {**expected, "NAME": database, "HOST": "127.0.0.1", "PORT": port}))
        url = database_url(password, user=user, name=socket, host="/var/run/postgresql")
        found.append((url, {**expected, "NAME": socket, "HOST": "/var/run/postgresql"}))
        url = database_url(password, user=user, name=socket, pool=True)
        pooled = {"CONN_MAX_AGE": 0, "DISABLE_SERVER_SIDE_CURSORS": True}
        found.append((url, {**expected, **pooled, "NAME": socket, "HOST": "/run/postgresql"}))
    return found


def test_all_that_no_env_file_can_hold_is_refused_and_nothing_else(texts: list[str]) -> None:
    wrong = []
    for text in texts:
        try:
            render({"KEY": text})
            refused = False
        except Problem:
            refused = True
        wrong += [text] if refused is is_writable(text) else []
    assert wrong == []
    assert sum(not is_writable(text) for text in texts) > COUNT / 50


@pytest.mark.parametrize("version", VERSIONS)
def test_every_mode_of_a_version_reads_back_what_was_written(
    version: str, files: list[dict[str, Any]], urls: list[Any], tmp_path: Path
) -> None:
    install: list[str | Path] = [
        "uv",
        "pip",
        "install",
        "--quiet",
        "--target",
        tmp_path,
        f"django-environ=={version}.*",
    ]
    subprocess.run(install, check=True)
    reader = Path(__file__).with_name("read.py")
    result = subprocess.run(
        [sys.executable, reader],
        input=json.dumps({"files": files, "urls": urls}),
        env={"PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(result.stdout)
    assert answer.pop("read") >= 2 * COUNT
    assert len(urls) >= COUNT - 3
    # What systemd reads too is cut by one version, and the keys of exactly these values are told.
    cut = answer.pop("systemd")
    told = {file["path"]: cut_keys(file["values"], systemd=True) for file in files if file["systemd"]}
    assert cut.keys() == told.keys()
    wrong = {path: sorted(keys) for path, keys in cut.items() if keys}
    assert wrong == ({path: sorted(keys) for path, keys in told.items() if keys} if version == CUTTING else {})
    assert any(told.values())
    assert answer == {"default": 0, "overwrite": 0, "comments": 0, "urls": 0}
    # Nothing was dropped and logged.
    assert result.stderr == ""


def test_other_readers_misread_nothing_but_what_is_told(files: list[dict[str, Any]], tmp_path: Path) -> None:
    readers = ["python-dotenv", "environs", "python-decouple"]
    subprocess.run(["uv", "pip", "install", "--quiet", "--target", tmp_path / "packages", *readers], check=True)
    written = {}
    for number, file in enumerate(file for file in files if not file["systemd"]):
        # In a file by themselves: after a quote that does not end one of them misreads other lines too.
        told = misread_keys(file["values"])
        values = {key: value for key, value in file["values"].items() if key not in told}
        path = tmp_path / f"{number}.env"
        path.write_text(render(values), encoding="utf-8", newline="")
        written[str(path)] = values
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name("read_others.py")],
        input=json.dumps(written),
        env={"PYTHONPATH": str(tmp_path / "packages"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == dict.fromkeys(readers, 0)
    assert sum(map(len, written.values())) > COUNT / 2
