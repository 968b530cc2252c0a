"""What a project writes, where it outlives the release and the app may write it: uploads, databases, logs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

COPY = """
import os, shutil, sys, zlib
from pathlib import Path

def copy(source, target):
    if source.is_dir() and not source.is_symlink():
        if not os.path.lexists(target):
            os.makedirs(target, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            for each in source.iterdir():
                copy(each, target / each.name)
    elif not os.path.lexists(target):
        os.makedirs(target.parent, exist_ok=True)
        # Hosts may share the disk. The name of the file may leave no room for more.
        draft = target.with_name(f".{os.uname().nodename}.{zlib.crc32(os.fsencode(target.name)):08x}.draft")
        remove(draft)
        try:
            shutil.copy2(source, draft, follow_symlinks=False)
            draft.rename(target)
        finally:
            remove(draft)

def remove(draft):
    if os.path.lexists(draft):
        draft.unlink()

try:
    copy(Path(sys.argv[1]), Path(sys.argv[2]))
except OSError as error:
    sys.exit(str(error))
"""
"""What copies, as the app too: what is there already is not touched, and no link is followed.

A release's own Python runs it, which may be as old as 3.6.
"""


def inside(release: Release, directory: str) -> Path | None:
    """Return the path of a directory below the release's source, or None if it is not below it.

    None too for the project itself and what it lies in: these are not for moving away and serving. And for what lies
    behind a link that leads out of the release, where others have their files.

    Raises:
        Problem: it lies behind a link that leads to nothing.
    """
    if not directory:
        return None
    project = release.project.resolve()
    path = Path(os.path.normpath(project / directory))
    source = release.source.resolve()
    if source not in path.parents or path in (project, *project.parents):
        return None
    for each in path.parents:
        if source in each.parents:
            require_end(release, each)
    return path if release.path.resolve() in path.parent.resolve().parents else None


def link_away(release: Release, path: Path, target: Path, user: str | None = None, keep: int | None = None) -> None:
    """Make a directory of the source a link to where its files may be written; what it held goes there, if new.

    Args:
        release: whose.
        path: of the directory.
        target: where it leads to.
        user: whose the target is, and what goes there; default: ours.
        keep: a descriptor that whoever copies inherits, so that nobody else does meanwhile.

    Raises:
        Problem: something cannot be copied there.
    """
    if path.is_symlink():
        return
    if path.is_dir():
        copy_new(release, path, target.resolve(), user, keep)
        shutil.rmtree(path)
    _link(path, target)


def copy_new(release: Release, source: Path, target: Path, user: str | None, keep: int | None) -> None:
    """Copy a file or a directory, but for what is there already, each file whole or not at all.

    Whose the target is does it: root must not trust what it finds where others may write, nor may it give files away on
    every file system.

    Args:
        release: whose interpreter does it.
        source: of the release.
        target: may be there, and is no link.
        user: see `link_away`.
        keep: see `link_away`.

    Raises:
        Problem: it cannot be copied.
    """
    # Of any other place the app may have made a link.
    is_media = target == App(release.app).media.resolve()
    hint = f". Where a directory there is not the app's, type on the host: sudo chown -R {user}: {target}"
    run_or_fail(
        [release.virtualenv / "bin" / "python", "-I", "-S", "-c", COPY, source, target],
        f"{source} cannot be copied to {target} as {user or 'root'}{hint if is_media else ''}",
        user=user,
        environment={},
        timeout=DAY,
        keep=keep,
    )


def _link(path: Path, target: Path) -> None:
    """Make a link, and the directories that it lies in, through which the app and nginx go whatever root's umask is."""
    _make(path.parent)
    path.symlink_to(target)


def _make(directory: Path) -> None:
    """Make a directory, and those that it lies in, through which everybody may go."""
    for each in reversed((directory, *directory.parents)):
        if not each.is_dir():
            each.mkdir()
            each.chmod(0o755)


def require_end(release: Release, link: Path) -> None:
    """Require that a path of the source, where it is a link out of the release, leads to something.

    Raises:
        Problem: it does not, and nothing can be made behind it.
    """
    end = link.resolve()
    if link.is_symlink() and not end.exists() and release.path.resolve() not in end.parents:
        raise Problem(
            f"{link} leads to {end}, which is not there, and the settings go that way. Type on the host: "
            f"sudo install -d -o {release.app} -g {release.app} {end}"
        )


def link_shared(release: Release, directories: Sequence[str], files: Sequence[str], keep: int | None = None) -> None:
    """Let what the project writes beside its code be where all releases share it: in the app's home.

    What came with the source is the first content.

    Args:
        release: whose.
        directories: relative to the project.
        files: too.
        keep: see `link_away`.

    Raises:
        Problem: something cannot be copied there.
    """
    home = App(release.app).home
    for name in directories:
        path = inside(release, name)
        if path and not path.is_symlink():
            _make(path)
            link_away(release, path, home / name, release.app, keep)
    for name in files:
        path, target = inside(release, name), home / name
        if path and not path.is_symlink():
            if not path.exists():
                _make(path.parent)
                path.touch()
                path.chmod(0o644)
            copy_new(release, path, target.resolve(), release.app, keep)
            path.unlink()
            _link(path, target)


def require_apart(release: Release, settings: dict[str, Any], shared: Sequence[str]) -> None:
    """Refuse static files, uploads and databases of SQLite in what releases share: each has a place of its own.

    Args:
        release: whose.
        settings: from `collect_static`.
        shared: directories and files, relative to the project.

    Raises:
        Problem: one lies there.
    """
    project = release.project.resolve()
    roots = [("STATIC_ROOT", settings["static_root"]), ("MEDIA_ROOT", settings["media_root"])]
    for setting, name in [*roots, *(("DATABASES", each) for each in settings["sqlite"])]:
        path = Path(os.path.normpath(project / name))
        for directory in (Path(os.path.normpath(project / each)) for each in shared):
            if directory in (path, *path.parents):
                place = directory.relative_to(project)
                raise Problem(
                    f"{setting} names {path}, which lies in {place} of what releases share, and has a place of its "
                    f"own. In place of {place} name what else is in it, or nothing"
                )


def link_media(release: Release, settings: dict[str, Any], keep: int | None = None) -> None:
    """Let uploads into the source go to where they outlive the release.

    Args:
        release: whose.
        settings: from `collect_static`.
        keep: see `link_away`.

    Raises:
        Problem: what git holds cannot be copied there, or has a link that would lead nowhere when the release is gone.
    """
    root = inside(release, settings["media_root"])
    if root and not root.is_symlink():
        for link in (each for each in root.rglob("*") if each.is_symlink()):
            if release.path in Path(os.readlink(link)).parents:
                raise Problem(f"{link} leads to {os.readlink(link)}, which goes with the release. Copy what is there")
        link_away(release, root, App(release.app).media, release.app, keep)


def sqlite_files(release: Release, settings: dict[str, Any]) -> dict[Path, Path]:
    """Return where databases of SQLite outlive the release, each with where the source has it or will have it.

    One that is a link already is left alone.

    Raises:
        Problem: two would be one file.
    """
    found: dict[Path, Path] = {}
    for name in settings["sqlite"]:
        path = None if name.startswith((":memory:", "file:")) else inside(release, name)
        if path is None or path.is_symlink():
            continue
        target = App(release.app).home / path.name
        other = found.setdefault(target, path)
        if other.resolve() != path.resolve():
            raise Problem(
                f"{other} and {path} would both be {target}. Give one of them a name of its own in DATABASES. Where "
                f"{target} is there already, it holds the tables of both: copy it to that name first"
            )
    return found


def link_sqlite(release: Release, settings: dict[str, Any], keep: int | None = None) -> None:
    """Let databases of SQLite in the source be where they outlive the release and the app may write: in its home.

    One that came with the source is the first content. SQLite follows links, and keeps its journal where they lead.

    Args:
        release: whose.
        settings: from `collect_static`.
        keep: see `link_away`.

    Raises:
        Problem: it cannot be copied there, or two would be one file.
    """
    for target, path in sqlite_files(release, settings).items():
        if path.is_file():
            copy_new(release, path, target, release.app, keep)
            path.unlink()
        _link(path, target)
