"""Files are there whole, with their owner and mode, or as they were."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import patch

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.initech.django.plugins.module_utils import files
from ansible_collections.initech.django.plugins.module_utils.files import Entry, place
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules.files import main
from ansible_collections.initech.django.tests.templates.render import needs

OWNER, GROUP = Path(__file__).owner(), Path(__file__).group()


@pytest.fixture(autouse=True)
def _umask() -> Any:
    """Let the umask be one that would be seen in a mode."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def entry(path: Path, **options: str) -> Entry:
    return Entry(path, **{"owner": OWNER, "group": GROUP, **options})


def placed(path: Path, is_check: bool = False, /, **options: str) -> dict[str, str] | None:
    changes = place([entry(path, **options)], is_check=is_check)
    return changes[0] if changes else None


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_path_that_is_named_twice_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    with pytest.raises(Problem, match=f"Named more than once.*: {path}$"):
        place(
            [entry(tmp_path / "b.conf", content="b"), entry(path, content="a"), entry(path, content="b")],
            is_check=False,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    assert placed(path, content="ä = 1\n") == {
        "before_header": str(path),
        "after_header": str(path),
        "before": "",
        "after": "ä = 1\n",
    }
    assert (path.read_text(), mode(path)) == ("ä = 1\n", 0o644)
    assert placed(path, content="ä = 1\n") is None
    assert os.listdir(tmp_path) == ["a.conf"]


def test_line_ends_of_windows_are_written_once_and_told_from_others(tmp_path: Path) -> None:
    path = tmp_path / "shop.crt"
    placed(path, content="a\r\nb\r\n")
    assert path.read_bytes() == b"a\r\nb\r\n"
    assert placed(path, content="a\r\nb\r\n") is None
    assert placed(path, content="a\nb\n") is not None
    assert path.read_bytes() == b"a\nb\n"


def test_a_directory_is_made_once_with_those_above_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert placed(path, state="directory", mode="0750")
    assert mode(path) == 0o750
    assert placed(path, state="directory", mode="750") is None


def test_a_mode_alone_is_mended_and_shown_and_the_file_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    placed(path, content="x", mode="0600")
    before = path.stat().st_ino
    change = placed(path, content="x")
    assert change is not None
    assert (change["before"], change["after"]) == (f"{OWNER} {GROUP} 0600\n", f"{OWNER} {GROUP} 0644\n")
    assert (path.stat().st_ino, mode(path)) == (before, 0o644)


def test_what_is_absent_goes_also_where_it_is_a_link_and_a_directory_does_not(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    path = tmp_path / "link"
    path.symlink_to("kept")
    assert placed(path, state="absent")
    assert placed(path, state="absent") is None
    assert os.listdir(tmp_path) == ["kept"]
    with pytest.raises(Problem, match="is a directory"):
        placed(tmp_path, state="absent")


def test_a_link_in_place_of_a_file_is_replaced_and_one_to_a_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("same")
    (tmp_path / "theirs").chmod(0o444)
    (tmp_path / "ours").symlink_to("theirs")
    assert placed(tmp_path / "ours", content="same", mode="0600")
    assert not (tmp_path / "ours").is_symlink()
    assert (mode(tmp_path / "ours"), mode(tmp_path / "theirs")) == (0o600, 0o444)
    (tmp_path / "disk").mkdir(mode=0o755)
    (tmp_path / "media").symlink_to("disk")
    assert placed(tmp_path / "media", state="directory", mode="0750")
    assert (tmp_path / "media").is_symlink()
    assert mode(tmp_path / "disk") == 0o750


def test_check_mode_changes_nothing_and_needs_neither_the_directory_nor_the_user_nor_the_program(
    tmp_path: Path,
) -> None:
    path = tmp_path / "not" / "there"
    change = placed(path, True, content="x", owner="no-such-user", validate="no-such-program %s")
    assert change is not None
    assert change["after"] == "x"
    assert not os.listdir(tmp_path)


def test_what_its_own_program_finds_wrong_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.sh"
    placed(path, content="true\n", validate="sh -n %s")
    with pytest.raises(Problem, match=r"a\.sh stays as it is.*\n.*(?i:syntax error)"):
        placed(path, content="if\n", validate="sh -n %s")
    assert path.read_text() == "true\n"
    assert os.listdir(tmp_path) == ["a.sh"]


def test_the_program_sees_the_file_with_its_mode(tmp_path: Path) -> None:
    check = """sh -c 'test "$(stat -c %%a "$1")" = 640' - %s""".replace("%%", "%")
    assert placed(tmp_path / "a b.conf", content="x", mode="0640", validate=check)


@pytest.mark.parametrize(
    ("usage", "options"),
    [("  --man=no\n  --recursive-errors=MODE  of systemd 250\n", ["--recursive-errors=no"]), ("  --man=no\n", [])],
)
def test_systemd_is_asked_of_a_unit_whose_program_is_not_there_yet_with_options_that_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: str, options: list[str]
) -> None:
    """Ubuntu 22.04 has systemd 249."""
    asked: list[tuple[str, str, list[str]]] = []

    def run(command: list[str]) -> CompletedProcess[str]:
        if command[-1] == "--help":
            return CompletedProcess(command, 0, usage, "")
        file = Path(command[-1])
        asked.append((file.name, file.read_text(), command[:-1]))
        return CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(files, "run", run)
    text = "[Service]\nExecStart=/no/such/%i/gunicorn --config a\nExecReload=/bin/sh -c b\n"
    assert placed(tmp_path / "shop@.service", content=text, validate="unit")
    expected = "[Service]\nExecStart=/bin/true --config a\nExecReload=/bin/sh -c b\n"
    assert asked == [("check@.service", expected, ["systemd-analyze", "verify", "--man=no", *options])]
    assert placed(tmp_path / "shop.timer", content="[Timer]\n", validate="unit")
    assert asked[1][0] == "check.timer"


def test_a_line_that_systemd_would_leave_out_is_no_good_whatever_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of systemd 249, which Ubuntu 22.04 has, is 0 then."""
    said = [
        "/usr/lib/systemd/system/other.service:9: Standard output type syslog is obsolete",
        "{}:3: Failed to parse calendar specification, ignoring: Sundy",
    ]

    def run(command: list[str]) -> CompletedProcess[str]:
        return CompletedProcess(command, 0, "", "\n".join(said).format(command[-1]))

    monkeypatch.setattr(files, "run", run)
    path = tmp_path / "shop.timer"
    with pytest.raises(Problem, match=r"shop\.timer stays as it is.*\n.*ignoring: Sundy"):
        placed(path, content="[Timer]\nOnCalendar=daily\nOnCalendar=Sundy\n", validate="unit")
    assert os.listdir(tmp_path) == []
    # What is wrong with other units is not ours to judge.
    said.pop()
    assert placed(path, content="[Timer]\nOnCalendar=daily\n", validate="unit")


@needs("systemd-analyze")
def test_a_unit_that_systemd_refuses_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "shop.service"
    with pytest.raises(Problem, match=r"shop\.service stays as it is.*\n.*no ExecStart="):
        placed(path, content="[Service]\nRestart=no\n", validate="unit")
    assert os.listdir(tmp_path) == []
    assert placed(path, content="[Service]\nExecStart=/no/such\n", validate="unit")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "rw"}, "mode 'rw' is not octal"),
        ({"mode": "420", "validate": "true"}, "validate has no %s"),
        ({"owner": "no-such-user"}, "no such user"),
        ({"group": "no-such-group"}, "no such group"),
        ({"state": "directory"}, "is no directory. Move it away"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_lost(tmp_path: Path, options: dict[str, str], words: str) -> None:
    path = tmp_path / "a.conf"
    path.write_text("kept")
    with pytest.raises(Problem, match=words):
        placed(path, content="new", **options)
    assert (path.read_text(), os.listdir(tmp_path)) == ("kept", ["a.conf"])


def test_a_file_in_no_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"a\.conf: there is no directory .*/none$"):
        placed(tmp_path / "none" / "a.conf", content="x")


def test_a_path_has_to_be_absolute() -> None:
    with pytest.raises(Problem, match=r"a\.conf is no absolute path"):
        placed(Path("a.conf"))


# Several


def written(*entries: Entry) -> dict[str, Any]:
    """Return what the module makes of several."""
    given = [{**vars(each), "path": str(each.path)} for each in entries]
    with patch_module_args({"files": given}), patch("sys.stdout") as stdout, pytest.raises(SystemExit):
        main()
    result: dict[str, Any] = json.loads("".join(call.args[0] for call in stdout.write.call_args_list))
    return result


@pytest.mark.parametrize(
    "last",
    [{"content": "if\n", "validate": "sh -n %s"}, {"content": "x", "owner": "no-such-user"}, {"state": "directory"}],
)
def test_where_one_is_no_good_all_stay_as_they_are(tmp_path: Path, last: dict[str, str]) -> None:
    """Those before it would be in place, and the next run would find nothing changed of which to tell a daemon."""
    for name in ("mode", "gone", "last"):
        (tmp_path / name).write_text("kept")
    before = mode(tmp_path / "mode")
    first = [
        entry(tmp_path / "new", content="x", validate="sh -n %s"),
        entry(tmp_path / "mode", content="kept", mode="0640"),
        entry(tmp_path / "gone", state="absent"),
    ]
    result = written(*first, entry(tmp_path / "last", **last))
    assert (result["failed"], str(tmp_path / "last") in result["msg"]) == (True, True)
    assert sorted(os.listdir(tmp_path)) == ["gone", "last", "mode"]
    assert (mode(tmp_path / "mode"), (tmp_path / "last").read_text()) == (before, "kept")
    assert written(*first)["paths"] == [str(each.path) for each in first]


def test_a_directory_is_there_before_the_program_looks_at_a_file_in_it(tmp_path: Path) -> None:
    place = tmp_path / "place"
    result = written(
        entry(place, state="directory", mode="0700"), entry(place / "run", content="true", validate="sh -n %s")
    )
    assert result["paths"] == [str(place), str(place / "run")]
    assert os.listdir(place) == ["run"]


def test_a_program_that_looks_at_one_finds_the_others_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("old")
    result = written(
        entry(tmp_path / "first", content="new"),
        entry(tmp_path / "second", content="x", validate=f"sh -c 'test \"$(cat {tmp_path}/first)\" = old' - %s"),
    )
    assert len(result["paths"]) == 2
