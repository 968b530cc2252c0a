"""Modules are compiled once on a host, and run as well where that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import payloads, unpacked

PACKAGE = "from pkgutil import extend_path\n__path__=extend_path(__path__,__name__)\n"
SOURCES = {
    "ansible/__init__.py": PACKAGE,
    "ansible/module_utils/__init__.py": PACKAGE,
    "ansible/module_utils/basic.py": "WHERE = __file__\n",
    "sitecustomize.py": "raise SystemExit(1)\n",
}


def packed(sources: dict[str, str]) -> bytes:
    """Return an archive as Ansible packs one."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, text in sources.items():
            writer.writestr(name, text)
    return archive.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return such an archive on a host."""
    path = tmp_path / "payload.zip"
    path.write_bytes(packed(SOURCES))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return where versions are."""
    return tmp_path / "cache" / "modules"


def where(archive: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Import from an archive as a module does on a host, and return from where it came."""
    monkeypatch.setattr(payloads, "HOOK", payloads.HOOK.replace("{version!r}", f"{{version!r}}, {str(home)!r}"))
    archive.write_bytes(payloads.unpacking(packed(SOURCES), "one"))
    code = "import sys; sys.path.insert(0, sys.argv[1]); import ansible.module_utils.basic as it; print(it.WHERE)"
    command = [sys.executable, "-I", "-c", code, str(archive)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_is_imported_is_compiled_and_kept(archive: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert where(archive, home, monkeypatch) == str(home / "one/ansible/module_utils/basic.py")
    assert list(home.glob("one/ansible/module_utils/__pycache__/basic.*.pyc"))


def test_where_nothing_can_be_kept_it_is_imported_from_the_archive(
    archive: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.parent.write_text("no directory")
    assert where(archive, home, monkeypatch) == str(archive / "ansible/module_utils/basic.py")


def test_archives_of_a_version_share_what_they_have_in_common(archive: Path, home: Path) -> None:
    place = Path(unpacked.provide(str(archive), "one", str(home)))
    first = (place / "ansible/module_utils/basic.py").stat()
    archive.write_bytes(packed({**SOURCES, "ansible_collections/initech/modules/stage.py": ""}))
    assert unpacked.provide(str(archive), "one", str(home)) == str(place)
    assert (place / "ansible/module_utils/basic.py").stat() == first
    assert (place / "ansible_collections/initech/modules/stage.py").exists()
    # Ansible writes it on the host, for this archive alone.
    assert not (place / "sitecustomize.py").exists()


def test_a_file_that_a_crash_left_empty_is_written_anew(archive: Path, home: Path) -> None:
    place = Path(unpacked.provide(str(archive), "one", str(home)))
    (place / "ansible/module_utils/basic.py").write_text("")
    unpacked.provide(str(archive), "one", str(home))
    assert (place / "ansible/module_utils/basic.py").read_text() == SOURCES["ansible/module_utils/basic.py"]


def test_nothing_is_taken_from_where_others_can_write(archive: Path, home: Path) -> None:
    home.mkdir(parents=True)
    home.chmod(0o777)
    assert unpacked.provide(str(archive), "one", str(home)) == ""
    assert not list(home.iterdir())


def test_nobody_else_can_read_or_write_there(archive: Path, home: Path) -> None:
    place = Path(unpacked.provide(str(archive), "one", str(home)))
    assert [path.stat().st_mode & 0o777 for path in (home, place)] == [0o700, 0o700]


def test_versions_that_nobody_has_used_for_a_month_go_when_a_new_one_comes(archive: Path, home: Path) -> None:
    for version in ("old", "recent"):
        unpacked.provide(str(archive), version, str(home))
    past = time.time() - unpacked.OLD_SECONDS - 60
    for version in ("old", "recent"):
        os.utime(home / version, (past, past))
    # Made long ago, and in use by another controller.
    unpacked.provide(str(archive), "recent", str(home))
    assert {path.name for path in home.iterdir()} == {"old", "recent"}
    unpacked.provide(str(archive), "new", str(home))
    assert {path.name for path in home.iterdir()} == {"recent", "new"}
