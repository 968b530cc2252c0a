"""Other programs are run as they would be on a host, and their failures are told in words."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import git, instance
from ansible_collections.initech.django.plugins.module_utils.commands import pipe, run, run_or_fail, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import prune


def test_the_tail_is_the_last_lines_without_blank_ends() -> None:
    assert tail("\n1\n2\n3\n4\n\n", 2) == "3\n4"
    assert tail("1\n2", 30) == "1\n2"
    assert tail("", 30) == ""


def test_a_program_is_run_without_a_shell_and_its_exit_code_is_returned() -> None:
    result = run(["sh", "-c", 'echo "$1"; echo oops >&2; exit 3', "sh", "$HOME; `id`"])
    assert (result.returncode, result.stdout, result.stderr) == (3, "$HOME; `id`\n", "oops\n")


def test_a_given_environment_is_the_whole_one_but_for_path_and_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOTHER_SECRET", "S3cr3t")
    lines = run(["env"], environment={"A": "b"}).stdout.splitlines()
    assert sorted(lines) == ["A=b", "LANG=C.UTF-8", f"PATH={os.defpath}"]
    assert "LANG=de_DE" in run(["env"], environment={"LANG": "de_DE"}).stdout.splitlines()
    assert "ANOTHER_SECRET=S3cr3t" in run(["env"]).stdout.splitlines()


def test_a_program_runs_where_it_is_told_to(tmp_path: Path) -> None:
    assert run(["pwd", "-P"], cwd=tmp_path).stdout.strip() == str(tmp_path.resolve())


def test_a_program_that_reads_finds_nothing_instead_of_the_terminal() -> None:
    assert run(["cat"]).stdout == ""


def test_output_that_is_no_utf_8_is_shown_as_well_as_it_can_be() -> None:
    assert run(["printf", r"a\377b"]).stdout == "a\ufffdb"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as somebody else")
def test_a_program_gets_the_rights_of_its_user_and_no_more(tmp_path: Path) -> None:
    assert run(["sh", "-c", "id -un; id -Gn; umask"], user="nobody").stdout.split() == ["nobody", "nogroup", "0022"]
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    assert run(["cat", secret], user="nobody").returncode != 0


def test_a_program_or_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"^no-such-command-at-all is not there\.$"):
        run(["no-such-command-at-all"])
    with pytest.raises(Problem, match=rf"^{tmp_path}/nowhere is not there\.$"):
        run(["true"], cwd=tmp_path / "nowhere")


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    file = tmp_path / "readme"
    file.touch(mode=0o644)
    with pytest.raises(Problem, match=rf"^{file} cannot be run: Permission denied\.$"):
        run([file])


def test_a_program_that_does_not_end_is_killed_and_its_command_shown() -> None:
    begun = time.monotonic()
    with pytest.raises(Problem, match=r"^Not finished after 0 s: sh -c 'exec sleep 30'$"):
        run(["sh", "-c", "exec sleep 30"], timeout=0.1)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "call",
    [
        lambda: instance.systemctl("stop", "shop@1.service"),
        lambda: prune.end(["shop@1.service"]),
        lambda: git.git(Path("/"), "fetch"),
    ],
)
def test_a_release_that_ends_for_a_quarter_of_an_hour_and_a_huge_repository_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]
) -> None:
    began = list[list[str]]()

    def takes_long(command: list[str], *, timeout: float, **_: Any) -> subprocess.CompletedProcess[str]:
        began.append(command)
        if timeout < 900:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", takes_long)
    call()
    assert len(began) == 1


def test_the_output_of_a_program_that_succeeds_is_returned() -> None:
    assert run_or_fail(["sh", "-c", "echo out; echo err >&2"], "No matter") == "out\n"


def test_a_program_that_fails_is_told_with_its_last_words_and_exit_code() -> None:
    code = "import sys; print('\\n'.join(map(str, range(100)))); print('last words', file=sys.stderr); sys.exit(7)"
    with pytest.raises(Problem) as problem:
        run_or_fail([sys.executable, "-c", code], "The hare is gone")
    lines = str(problem.value).splitlines()
    assert lines[0] == "The hare is gone (exit code 7):"
    assert lines[1:] == [*map(str, range(71, 100)), "last words"]


def test_what_root_makes_for_the_app_can_be_read_by_the_app_whatever_roots_own_umask_is() -> None:
    before = os.umask(0o077)
    try:
        assert run(["sh", "-c", "umask"]).stdout.strip() == "0022"
    finally:
        os.umask(before)


def piped(source: str, target: str) -> None:
    with open(os.devnull, encoding="utf-8") as kept:
        pipe(["sh", "-c", source], ["sh", "-c", target], "It broke", keep=kept.fileno(), environment={"WORD": "kept"})


def test_a_program_reads_what_another_one_prints(tmp_path: Path) -> None:
    piped("echo $WORD", f"read line && echo $line $WORD > {tmp_path}/out")
    assert (tmp_path / "out").read_text() == "kept kept\n"


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("echo half; echo lost >&2; exit 3", "cat", r"exit codes 3 and 0\):\nlost"),
        ("exec yes", "echo full >&2; exit 4", r"exit codes -13 and 4\):\nfull"),
        # As mbstream does where it cannot write a file.
        ("exec yes", "echo cannot write >&2", r"exit codes -13 and 0\):\ncannot write"),
        ("echo one >&2; exit 1", "echo two >&2; exit 1", r"exit codes 1 and 1\):\none\ntwo"),
    ],
)
def test_what_either_says_that_fails_is_told(source: str, target: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        piped(source, target)


def test_a_program_that_is_not_there_is_named() -> None:
    with open(os.devnull, encoding="utf-8") as kept, pytest.raises(Problem, match="no-such-program is not there"):
        pipe(["true"], ["no-such-program"], "It broke", keep=kept.fileno())
