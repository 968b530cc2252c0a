"""Directories of a release that are the app's for a while, and then root's again.

What runs as the app may belong to an attacker, who puts a link where root is about to work. So root gives a directory
away last, when all in it is given, and takes it back first. And it makes all files anew, since a process that has one
open may go on writing.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.problem import Problem


def give(directory: Path, app: str) -> None:
    """Let a directory of root's, with all that is in it, be the app's. Links are left alone."""
    user = pwd.getpwnam(app)
    for path, _, names in os.walk(directory, topdown=False):
        for each in (*(Path(path, name) for name in names), Path(path)):
            if not each.is_symlink():
                os.chown(each, user.pw_uid, user.pw_gid)


def take_back(directory: Path, app: str, *, is_public: bool) -> None:
    """Let a directory that was given, with all that is in it now, be root's, and the app read it.

    Pipes and sockets in it are removed.

    Args:
        directory: in one that was root's all the time.
        app: whose group may read all files.
        is_public: everybody may, and nothing is a program; else what others may is left as it was made.

    Raises:
        OSError: a file cannot be made anew, such as on a disk that is full.
        Problem: it is not public, and the app made a link that leads out of it, where root would follow.
    """
    user = pwd.getpwnam(app)
    _take_back(directory, user.pw_gid, is_public)
    if is_public:
        return
    for path, directories, names in os.walk(directory):
        for link in (Path(path, name) for name in (*directories, *names)):
            is_the_apps = link.is_symlink() and link.lstat().st_uid == user.pw_uid
            if is_the_apps and directory.resolve() not in Path(os.path.realpath(link)).parents:
                raise Problem(f"{link} leads to {os.readlink(link)}, which is not in the release. Copy what is there")


def _take_back(directory: Path, group: int, is_public: bool) -> None:
    os.chown(directory, 0, 0)
    directory.chmod(0o755)
    with os.scandir(directory) as entries:
        for entry in list(entries):
            path = Path(entry)
            if entry.is_symlink():
                continue
            if entry.is_dir():
                _take_back(path, group, is_public)
            elif entry.is_file():
                _make_anew(path, group, is_public)
            else:
                path.unlink()


def _make_anew(path: Path, group: int, is_public: bool) -> None:
    found = path.stat()
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    os.close(descriptor)
    draft = Path(name)
    shutil.copyfile(path, draft)
    os.chown(draft, 0, 0 if is_public else group)
    draft.chmod(0o644 if is_public else stat.S_IMODE(found.st_mode) & 0o755 | 0o440)
    os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
    draft.replace(path)
