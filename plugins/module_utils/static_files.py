"""The static files of all releases that stay, for pages that are still open, or that another host has sent.

A page names its stylesheet by a hash of its content. When another release goes live, the page still asks for that name.
So all names that carry a hash are linked into one directory beside the releases, where nginx looks for what the live
release does not have. They are hard links: they take no space, and outlive the release by nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

MANIFEST = "staticfiles.json"
COMPRESSED = (".gz", ".br", ".zst")
HASHED = re.compile(r"(?:.*\.)?[0-9a-f]{12}(?:\.[^.]+)?")
"""A file's name as Django's ManifestStaticFilesStorage makes it, and WhiteNoise's with it: style.0123456789ab.css.

Source of the rule: `HashedFilesMixin.hashed_name`.
"""


def is_hashed(name: str) -> bool:
    """Tell whether a file's name carries the hash of its content, compressed or not."""
    return any(HASHED.fullmatch(each) for each in (name, plain(name)))


def plain(name: str) -> str:
    """Return the name of the file of which this is a compressed variant, or the name itself."""
    stem, extension = os.path.splitext(name)
    return stem if extension in COMPRESSED else name


def in_manifest(static: Path) -> set[str]:
    """Return the hashed names, below the directory, that the manifest of a storage lists, whatever they look like."""
    try:
        paths = json.loads((static / MANIFEST).read_text(encoding="utf-8"))["paths"]
        return {hashed for name, hashed in paths.items() if hashed != name}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return set()


def hashed_files(static: Path) -> Iterator[Path]:
    """Yield the files of a release whose names no other content will have, by their paths below its directory.

    A link is none of them: what it leads to may change, or lie elsewhere.
    """
    listed = in_manifest(static)
    for directory, _, names in os.walk(static):
        for name in names:
            path = Path(directory, name)
            below = path.relative_to(static)
            is_one = is_hashed(name) or str(below.with_name(plain(name))) in listed
            if is_one and path.is_file() and not path.is_symlink():
                yield below


def gather(app: App, releases: Iterable[Release]) -> None:
    """Let the directory of kept files have the hashed files of these releases, and no others.

    Where two have the same name, the newer one's is taken. Nothing that is there is ever missing meanwhile.

    Raises:
        Problem: the disk is full, or something else is in the way.
    """
    wanted: dict[Path, Path] = {}
    for release in sorted(releases, key=lambda each: each.id):
        wanted.update({below: release.static / below for below in hashed_files(release.static)})
    try:
        app.static.mkdir(exist_ok=True)
        # Root's own umask may have kept nginx out, when it was made too.
        app.static.chmod(0o755)
        for below, source in wanted.items():
            link(source, app.static / below, app.static)
        remove_others(app.static, wanted.keys())
    except OSError as error:
        raise Problem(f"{error.filename} cannot be written: {error.strerror}.") from None


def link(source: Path, target: Path, root: Path) -> None:
    """Let a path lead to the same file as another, with one rename where it led elsewhere."""
    try:
        if target.samefile(source):
            return
    except (FileNotFoundError, NotADirectoryError):
        pass
    for directory in [*reversed(target.relative_to(root).parents)][1:]:
        path = root / directory
        if not path.is_dir():
            path.unlink(missing_ok=True)
            path.mkdir()
            path.chmod(0o755)
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    os.link(source, draft, follow_symlinks=False)
    draft.replace(target)


def remove_others(root: Path, wanted: Iterable[Path]) -> None:
    """Remove everything below a directory that is not wanted, and directories that become empty."""
    kept = {root / path for path in wanted}
    for directory, directories, names in os.walk(root, topdown=False):
        for path in (Path(directory, name) for name in names):
            if path not in kept:
                path.unlink()
        for path in (Path(directory, name) for name in directories):
            if path.is_symlink():
                path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
