"""Files and directories as they should be, whole or not at all."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.nginx import Drafts, wrong_with_nginx
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

ABSENT, DIRECTORY, FILE, LINK = "absent", "directory", "file", "link"
UNIT, NGINX = "unit", "nginx"
"""In place of a command that validates: systemd is asked, or nginx what it thinks of its whole configuration."""
PROGRAM = re.compile(r"^(Exec\w+=)(/\S+)", re.MULTILINE)


@dataclass(frozen=True)
class State:
    """What is at a path, or should be.

    Attributes:
        kind: `file`, `directory` or `absent`, or `link`, which is replaced by a file; what it leads to stays.
        content: of a file.
        attributes: owner, group and mode in words; empty where nothing is.
    """

    kind: str
    content: str = ""
    attributes: str = ""


@dataclass(frozen=True)
class Entry:
    """A path, and what should be there.

    Attributes:
        path: where.
        state: `file`, `directory` or `absent`.
        content: of a file.
        owner: the user whose it is.
        group: that may do with it what its mode says; if empty, the owner's own.
        mode: in octal; if empty, 0644, and 0755 for a directory.
        validate: a command that fails where the content is no good, with `%s` for a file that has it; `unit` where
            systemd is to tell, `nginx` where nginx is; nothing, if empty.
    """

    path: Path
    state: str = FILE
    content: str = ""
    owner: str = "root"
    group: str = ""
    mode: str = ""
    validate: str = ""

    @property
    def permissions(self) -> str:
        """The mode, in octal."""
        return self.mode or ("0755" if self.state == DIRECTORY else "0644")

    @property
    def wanted(self) -> State:
        """What should be there.

        Raises:
            Problem: what was asked for cannot be.
        """
        if not self.path.is_absolute():
            raise Problem(f"{self.path} is no absolute path")
        if not re.fullmatch(r"[0-7]{3,4}", self.permissions):
            raise Problem(f"{self.path}: mode {self.mode!r} is not octal. Write it in quotes, for example '0644'")
        if self.validate not in ("", UNIT, NGINX) and "%s" not in self.validate:
            raise Problem(f"{self.path}: validate has no %s, where the name of the file would be")
        if self.state == ABSENT:
            return State(ABSENT)
        return State(
            self.state, self.content, f"{self.owner} {self.group or self.owner} {int(self.permissions, 8):04o}"
        )

    def found(self) -> State:
        """Return what is there.

        Raises:
            Problem: it is in the way.
        """
        if not os.path.lexists(self.path):
            return State(ABSENT)
        is_directory = self.path.is_dir()
        if is_directory != (self.state == DIRECTORY):
            is_what = "is a directory" if is_directory else "is no directory"
            raise Problem(f"{self.path} {is_what}. Move it away, and type the same again")
        if is_directory:
            return State(DIRECTORY, "", attributes(self.path))
        if self.path.is_symlink():
            return State(LINK)
        # Not read_text, to which \r\n is \n: a file with those would differ from itself.
        return State(FILE, self.path.read_bytes().decode("utf-8", errors="replace"), attributes(self.path))

    @property
    def draft(self) -> Path:
        """Where the content stands before it is in place."""
        # Hidden, and with a suffix that neither systemd nor nginx nor a database takes for one of theirs.
        return self.path.with_name(f".{self.path.name}.draft")

    def prepare(self) -> None:
        """Have there a directory, or the draft of a file. What was found there is as it was.

        Raises:
            Problem: there is no such user or group, or the disk is full.
        """
        with room(self.path.parent):
            if self.state == DIRECTORY:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._own(self.path)
            elif self.state == FILE:
                self._write_draft()

    def check(self, found: State, drafts: Drafts) -> None:
        """Require that the content is good.

        Args:
            found: what is there.
            drafts: all files that are about to be in place, or gone, with this one.

        Raises:
            Problem: it is not.
        """
        if self.state != FILE or self._has_content(found):
            return
        # Its program may write something of its own.
        with room(self.path.parent):
            wrong = wrong_with_nginx(drafts) if self.validate == NGINX else self._wrong_with(self.draft)
        if wrong:
            raise Problem(f"{self.path} stays as it is, since this would be no good:\n{wrong}")

    def make(self, found: State) -> None:
        """Have there what should be, in place of what was found, once it is prepared.

        Raises:
            Problem: the disk is full.
        """
        with room(self.path.parent):
            if self.state == ABSENT:
                self.path.unlink()
            elif self.state == FILE and self._has_content(found):
                self._own(self.path)
            elif self.state == FILE:
                self.draft.replace(self.path)

    def _has_content(self, found: State) -> bool:
        return (found.kind, found.content) == (FILE, self.content)

    def _write_draft(self) -> None:
        self.draft.unlink(missing_ok=True)
        try:
            with open(os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(self.content)
        except FileNotFoundError:
            raise Problem(f"{self.path}: there is no directory {self.path.parent}") from None
        self._own(self.draft)

    def _wrong_with(self, draft: Path) -> str:
        if not self.validate:
            return ""
        if self.validate == UNIT:
            return wrong_with_unit(self.path.name, self.content)
        return refusal(run(shlex.split(self.validate.replace("%s", shlex.quote(str(draft))))))

    def _own(self, path: Path) -> None:
        try:
            shutil.chown(path, self.owner, self.group or self.owner)
        except LookupError as error:
            raise Problem(f"{self.path}: {error}") from None
        path.chmod(int(self.permissions, 8))


def specification() -> dict[str, Any]:
    """Return the option of a module that has files and directories as they should be."""
    text = {"type": "str", "default": ""}
    entry = {
        "path": {"type": "str", "required": True},
        "state": {"type": "str", "choices": [FILE, DIRECTORY, ABSENT], "default": FILE},
        "owner": {"type": "str", "default": "root"},
        **dict.fromkeys(("content", "group", "mode", "validate"), text),
    }
    return {"files": {"type": "list", "elements": "dict", "required": True, "options": entry}}


def refusal(result: CompletedProcess[str]) -> str:
    """Return what a command said that failed, or nothing where it did not fail."""
    if result.returncode == 0:
        return ""
    return tail(result.stdout + result.stderr) or f"{result.args[0]} gave no reason"


def wrong_with_unit(name: str, text: str) -> str:
    """Return what systemd finds wrong with a unit, or nothing. A program that it starts need not be there yet.

    Args:
        name: of its file.
        text: of it.
    """

    def is_there(match: re.Match[str]) -> str:
        return match[0] if Path(match[2]).exists() else f"{match[1]}/bin/true"

    verify = ["systemd-analyze", "verify", "--man=no"]
    # What is wrong with other units is not ours to judge. Ubuntu 22.04's systemd never does, and has no such option.
    if "--recursive-errors" in run(["systemd-analyze", "--help"]).stdout:
        verify.append("--recursive-errors=no")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, f"check{'@' if '@.' in name else ''}{Path(name).suffix}")
        file.write_text(PROGRAM.sub(is_there, text), encoding="utf-8")
        result = run([*verify, str(file)])
        # systemd 249 names the lines that it would leave out, and exits with 0 all the same.
        left_out = [line for line in result.stderr.splitlines() if line.startswith(f"{file}:")]
        return refusal(result) or "\n".join(left_out)


def attributes(path: Path) -> str:
    """Return owner, group and mode in words."""
    try:
        owners = f"{path.owner()} {path.group()}"
    except KeyError:
        owners = "somebody who is gone"
    return f"{owners} {stat.S_IMODE(path.stat().st_mode):04o}"


def place(entries: Sequence[Entry], *, is_check: bool) -> list[dict[str, str]]:
    """Have files and directories as they should be. No file is changed before all of them were found to be good.

    Directories are made before that, since a draft stands beside the file, where its own program may want to see it.

    Args:
        entries: which.
        is_check: whether nothing is to be changed.

    Returns:
        What has changed, as Ansible shows it.

    Raises:
        Problem: that cannot be.
    """
    twice = [str(path) for path, count in Counter(entry.path for entry in entries).items() if count > 1]
    if twice:
        raise Problem(f"Named more than once, so that it cannot be told what is wanted: {', '.join(twice)}")
    changes = [(entry, wanted, found) for entry in entries if (wanted := entry.wanted) != (found := entry.found())]
    if not is_check:
        try:
            for entry, _, _ in changes:
                entry.prepare()
            drafts = {
                entry.path: entry.draft if entry.state == FILE else None
                for entry, _, _ in changes
                if entry.state != DIRECTORY
            }
            for entry, _, found in changes:
                entry.check(found, drafts)
            for entry, _, found in changes:
                entry.make(found)
        finally:
            for draft in [entry.draft for entry, _, _ in changes if entry.state == FILE]:
                # Of a file that is not there either, a file system that is read-only would say that it is.
                if draft.exists():
                    draft.unlink()
    return [_told(entry.path, wanted, found) for entry, wanted, found in changes]


def _told(path: Path, wanted: State, found: State) -> dict[str, str]:
    headers = {"before_header": str(path), "after_header": str(path)}
    if wanted.content == found.content:
        return {
            **headers,
            "before": f"{found.attributes or found.kind}\n",
            "after": f"{wanted.attributes or wanted.kind}\n",
        }
    return {**headers, "before": found.content, "after": wanted.content}
