"""What a virtualenv holds is read from its files, and whatever was done to them shows."""

from __future__ import annotations

import base64
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256, sha384, sha512
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import (
    changed_files,
    identify,
    read_packages,
    site_packages,
)
from packaging.markers import default_environment

SITE = "lib/python3.13/site-packages"

Install = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return the directory of a virtualenv's packages, with none in it."""
    path = tmp_path / "virtualenv" / SITE
    path.mkdir(parents=True)
    return path


@pytest.fixture
def install(tmp_path: Path, site: Path, wheel: Callable[..., str]) -> Install:
    """Return a function that installs a package as pip and uv do."""

    def run(name: str, version: str = "1.0", **options: Any) -> None:
        wheel(tmp_path / "wheels", name, version, **options)
        with zipfile.ZipFile(tmp_path / "wheels" / f"{name}-{version}-py3-none-any.whl") as archive:
            archive.extractall(site)

    return run


def read(site: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the packages of the virtualenv, and files that belong to none of them."""
    return read_packages(site.parents[2])


def changed(site: Path) -> list[str]:
    """Return the changed files of the only package."""
    (package,), _ = read(site)
    files: list[str] = package["changed"]
    return files


def record(site: Path, line: str) -> None:
    """Let alpha own another file."""
    with (site / "alpha-1.0.dist-info" / "RECORD").open("a") as file:
        file.write(f"{line}\n")


def test_a_package_is_read_with_all_that_it_says_of_itself(site: Path, install: Install) -> None:
    install("alpha", "1.0", requires=["beta>=2", "gamma; extra == 'more'"])
    assert read(site)[0] == [
        {
            "name": "alpha",
            "version": "1.0",
            "requires": ["beta>=2", "gamma; extra == 'more'"],
            "url": "",
            "changed": [],
        }
    ]


def test_packages_are_sorted_by_name_however_it_is_spelled(site: Path, install: Install) -> None:
    for name in ("beta", "Gamma", "alpha", "a_b", "A.a"):
        install(name)
    assert [package["name"] for package in read(site)[0]] == ["A.a", "a_b", "alpha", "beta", "Gamma"]


def test_a_package_that_came_from_no_index_tells_from_where(site: Path, install: Install) -> None:
    install("alpha", files={"alpha-1.0.dist-info/direct_url.json": '{"url": "https://h/a.whl", "archive_info": {}}'})
    assert read(site)[0][0]["url"] == "https://h/a.whl"


def test_an_edited_file_is_named(site: Path, install: Install) -> None:
    install("alpha")
    # Of the same size.
    (site / "alpha.py").write_text("version = '1.1'\n")
    assert changed(site) == [f"{SITE}/alpha.py"]


def test_a_deleted_file_is_named(site: Path, install: Install) -> None:
    install("alpha", files={"data.txt": ""})
    (site / "data.txt").unlink()
    assert changed(site) == [f"{SITE}/data.txt"]


def test_a_deleted_file_that_has_no_hash_is_named(site: Path, install: Install) -> None:
    install("alpha")
    record(site, "gone.py,,")
    assert changed(site) == [f"{SITE}/gone.py"]


def test_an_edited_script_outside_of_the_packages_is_named(site: Path, install: Install) -> None:
    script = site.parents[2] / "bin" / "alpha"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nrm -rf /\n")
    digest = base64.urlsafe_b64encode(sha256(b"#!/bin/sh\n").digest()).rstrip(b"=").decode()
    install("alpha")
    record(site, f"../../../bin/alpha,sha256={digest},10")
    assert changed(site) == ["bin/alpha"]


CONTENT = b"version = '1.0'\n"


@pytest.mark.parametrize(
    "recorded",
    [
        f"sha256={sha256(CONTENT).hexdigest()}",  # as uv_build before 0.8.13 wrote it
        f"sha256={base64.urlsafe_b64encode(sha256(CONTENT).digest()).decode()}",
        f"sha384={base64.urlsafe_b64encode(sha384(CONTENT).digest()).rstrip(b'=').decode()}",
        f"sha512={base64.urlsafe_b64encode(sha512(CONTENT).digest()).rstrip(b'=').decode()}",
    ],
)
@pytest.mark.parametrize(("content", "is_changed"), [(CONTENT, False), (CONTENT.replace(b"1.0", b"1.1"), True)])
def test_a_hash_is_read_however_those_who_built_the_package_wrote_it(
    content: bytes, is_changed: bool, recorded: str, site: Path, install: Install
) -> None:
    install("alpha")
    (site / "beta.py").write_bytes(content)
    record(site, f"beta.py,{recorded},16")
    assert changed(site) == ([f"{SITE}/beta.py"] if is_changed else [])


def test_all_changed_files_of_a_package_are_named_in_order(site: Path, install: Install) -> None:
    install("alpha", files={"c.py": "", "b.py": ""})
    for name in ("c.py", "b.py"):
        (site / name).write_text("pass\n")
    assert changed(site) == [f"{SITE}/b.py", f"{SITE}/c.py"]


@pytest.mark.parametrize(("content", "is_changed"), [("first", False), ("second", False), ("other", True)])
def test_a_file_that_two_packages_have_is_what_either_of_them_installed(
    content: str, is_changed: bool, site: Path, install: Install
) -> None:
    install("alpha", files={"tests/__init__.py": "first"})
    install("beta", files={"tests/__init__.py": "second"})
    (site / "tests" / "__init__.py").write_text(content)
    packages, strays = read(site)
    assert [package["changed"] for package in packages] == [[f"{SITE}/tests/__init__.py"] if is_changed else []] * 2
    assert strays == []


def test_a_package_that_has_lost_its_name_is_still_named(site: Path, install: Install) -> None:
    install("alpha", "1.0")
    (site / "alpha-1.0.dist-info" / "METADATA").unlink()
    (package,), _ = read(site)
    assert (package["name"], package["version"]) == ("alpha", "1.0")
    assert package["changed"] == [f"{SITE}/alpha-1.0.dist-info/METADATA"]


@pytest.mark.parametrize(
    "path", ["stray.py", "stray/__init__.py", "stray.pth", "stray.pyc", "alpha-1.0.dist-info/stray"]
)
def test_a_file_that_belongs_to_no_package_is_named(path: str, site: Path, install: Install) -> None:
    install("alpha")
    (site / path).parent.mkdir(exist_ok=True)
    (site / path).touch()
    assert read(site)[1] == [f"{SITE}/{path}"]


def test_a_link_to_modules_elsewhere_is_named(site: Path, tmp_path: Path) -> None:
    (site / "stray").symlink_to(tmp_path, target_is_directory=True)
    assert read(site)[1] == [f"{SITE}/stray"]


def test_what_python_compiles_is_neither_changed_nor_stray(site: Path, install: Install) -> None:
    install("alpha", files={"__pycache__/alpha.cpython-313.pyc": "at installation"})
    for name in ("alpha.cpython-313.pyc", "alpha.cpython-314.pyc"):
        (site / "__pycache__" / name).write_text("later")
    (package,), strays = read(site)
    assert (package["changed"], strays) == ([], [])


def test_the_files_of_a_package_without_a_record_are_strays(site: Path, install: Install) -> None:
    install("alpha")
    (site / "alpha-1.0.dist-info" / "RECORD").unlink()
    assert f"{SITE}/alpha.py" in read(site)[1]


def test_a_record_with_blank_lines_can_be_read(site: Path, install: Install) -> None:
    install("alpha")
    record = site / "alpha-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("\n", "\n\n"))
    assert read(site)[1] == []


def test_nothing_is_in_a_virtualenv_that_is_not_there(tmp_path: Path) -> None:
    assert read_packages(tmp_path / "nowhere") == ([], [])


def test_packages_are_found_whatever_the_version_of_python(tmp_path: Path) -> None:
    path = tmp_path / "lib" / "python3.99" / "site-packages"
    path.mkdir(parents=True)
    assert site_packages(tmp_path) == path


def test_an_interpreter_says_of_itself_what_markers_are_judged_by() -> None:
    assert identify(Path(sys.executable)) == default_environment()


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=rf"^{tmp_path}/python is not there\.$"):
        identify(tmp_path / "python")


def test_an_interpreter_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho No module named encodings >&2; exit 1\n")
    broken.chmod(0o755)
    with pytest.raises(Problem) as problem:
        identify(broken)
    assert str(problem.value) == f"{broken} cannot be run (exit code 1):\nNo module named encodings"


def test_packages_have_no_say_in_what_an_interpreter_says(site: Path) -> None:
    python = site.parents[2] / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    (site.parents[2] / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    (site / "sitecustomize.py").write_text("raise SystemExit('mine')\n")
    assert identify(python) == default_environment()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("alpha==1\n", []), ("\ufeffalpha==1\n", []), ("alpha==2\n", ["requirements.txt"]), (None, ["requirements.txt"])],
)
def test_requirements_that_are_not_what_a_virtualenv_was_made_from_are_named(
    text: str | None, expected: list[str], tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "requirements.txt").write_text(text)
    assert changed_files(tmp_path, {"requirements": {"requirements.txt": "alpha==1\n"}}) == expected


def test_without_a_look_at_files_the_packages_are_the_same_and_no_change_is_found(site: Path, install: Install) -> None:
    install("alpha")
    (site / "alpha.py").write_text("changed")
    (site / "stray.py").touch()
    packages, strays = read_packages(site.parents[2], files=False)
    seen, _ = read(site)
    assert [each["changed"] for each in seen] != [[]]
    assert packages == [{**each, "changed": []} for each in seen]
    assert strays == []
