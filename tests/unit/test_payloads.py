"""What was packed in one run is used in the next, as long as it is what that one would pack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import payloads
from ansible_collections.initech.django.plugins.module_utils.payloads import Store

ROOT = Path(__file__).resolve().parents[2]
NAME = "ansible_collections.initech.django.plugins.modules.stage-ZIP_DEFLATED-none"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a directory with a source."""
    directory = tmp_path / "sources"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "stage.py").write_text("one")
    return directory


def packed(store: Store, run: Path, *names: str) -> None:
    """Run once: take what is there, pack what is not, and keep it."""
    store.lend(run)
    for name in names:
        if not (run / name).exists():
            run.mkdir(exist_ok=True)
            (run / name).write_text(f"packed in {run.name}")
    store.keep(run)


def test_the_next_run_has_what_was_packed_in_this_one(tmp_path: Path, sources: Path) -> None:
    for run in ("first", "second"):
        packed(Store(tmp_path / "store", [sources]), tmp_path / run, NAME)
        assert (tmp_path / run / NAME).read_text() == "packed in first"


def test_a_source_that_changed_is_packed_anew_and_one_that_changed_back_is_not(tmp_path: Path, sources: Path) -> None:
    for number, (text, expected) in enumerate((("one", 0), ("two", 1), ("one", 0), ("two", 1))):
        (sources / "deep" / "stage.py").write_text(text)
        packed(Store(tmp_path / "store", [sources]), tmp_path / str(number), NAME)
        assert (tmp_path / str(number) / NAME).read_text() == f"packed in {expected}"


def test_a_source_that_came_or_went_or_is_elsewhere_is_another_version(tmp_path: Path, sources: Path) -> None:
    versions = {payloads.digest([sources])}
    (sources / "new.py").write_text("")
    versions.add(payloads.digest([sources]))
    (sources / "deep" / "stage.py").unlink()
    versions.add(payloads.digest([sources]))
    sources.rename(tmp_path / "elsewhere")
    versions.add(payloads.digest([tmp_path / "elsewhere"]))
    assert len(versions) == 4


def test_what_was_packed_while_a_source_changed_is_not_kept(tmp_path: Path, sources: Path) -> None:
    store = Store(tmp_path / "store", [sources])
    (sources / "deep" / "stage.py").write_text("two")
    packed(store, tmp_path / "run", NAME)
    assert not list((tmp_path / "store").iterdir())


def test_modules_of_others_and_files_in_the_making_are_not_kept(tmp_path: Path, sources: Path) -> None:
    names = ("ansible.modules.copy-ZIP_DEFLATED-none", f"{NAME}-part", f"{NAME}.lock")
    packed(Store(tmp_path / "store", [sources]), tmp_path / "run", NAME, *names)
    assert [file.name for file in (tmp_path / "store").glob("*/*")] == [NAME]


def test_the_versions_used_last_are_kept(tmp_path: Path, sources: Path) -> None:
    store = tmp_path / "store"
    for number in range(payloads.KEPT + 3):
        (sources / "deep" / "stage.py").write_text(str(number))
        packed(Store(store, [sources]), tmp_path / str(number), NAME)
        os.utime(store / payloads.digest([sources]), (number, number))
    assert len(list(store.iterdir())) == payloads.KEPT
    assert (store / payloads.digest([sources])).exists()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path, sources: Path, mode: int) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(mode)
    with pytest.raises(PermissionError, match="can be written to by others"):
        Store(tmp_path / "store", [sources])


def test_ansible_packs_a_module_of_ours_once_and_uses_that(tmp_path: Path) -> None:
    def ran() -> str:
        module = ["ansible", "-i", "localhost,", "-c", "local", "localhost", "-vvvvv"]
        module += ["-m", "initech.django.release_info", "-a", f"directory={tmp_path}"]
        environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
        environment["ANSIBLE_DEBUG"] = "1"
        return subprocess.run(module, env=environment, cwd=ROOT, capture_output=True, text=True, check=False).stdout

    assert "ANSIBALLZ: Creating module" in ran()
    assert "ANSIBALLZ: using cached module" in ran()
