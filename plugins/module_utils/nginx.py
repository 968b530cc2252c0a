"""nginx's configuration as it would be with the files that are about to be put in place: it judges whole ones only."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from glob import glob
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.commands import run, tail

MAIN = Path("/etc/nginx/nginx.conf")
INCLUDE = re.compile(r"\binclude\s+(/[^\s;]*\*[^\s;]*)\s*;")
"""One of several files; where it says which ones by a relative path it is not ours."""
NAMES = re.compile(r"\bserver_name\s+([^;]+);")
CONFLICT = re.compile(r'conflicting server name "([^"]+)"')
SECOND_DEFAULT = "a duplicate default server"

Drafts = Mapping[Path, "Path | None"]
"""The files that are about to be in place, each with where its content stands, or None if it is about to be gone."""


def included(pattern: str, drafts: Drafts) -> list[Path]:
    """Return the files that nginx would find, in its order.

    Args:
        pattern: of an include, absolute.
        drafts: what is about to be in place.
    """
    found = {Path(path) for path in glob(pattern)} | {path for path in drafts if path.match(pattern)}
    return sorted((path for path in found if drafts.get(path, path)), key=str)


def whole(text: str, drafts: Drafts) -> str:
    """Return the main configuration with the drafts in place of the files that it includes.

    Args:
        text: the main configuration.
        drafts: what is about to be in place.
    """

    def one_by_one(match: re.Match[str]) -> str:
        return "\n".join(f"include {drafts.get(path, path)};" for path in included(match[1], drafts))

    return INCLUDE.sub(one_by_one, text)


def hidden(said: str, text: str, drafts: Drafts) -> list[str]:
    """Return which sites nginx would not show, a line each: it only warns where two have one name.

    Args:
        said: what it printed.
        text: the main configuration.
        drafts: what is about to be in place.
    """
    names = {path: names_in(draft) for path, draft in drafts.items() if draft}
    others = [path for pattern in INCLUDE.findall(text) for path in included(pattern, drafts) if path not in drafts]
    return [
        f"{name} is a name of {other} too, and nginx would show only one of the two sites. Remove it here, or there "
        "first: where that is an app's, provision that one before this one"
        for name in sorted(set(CONFLICT.findall(said)))
        if any(name in own for own in names.values())
        for other in others
        if name in names_in(other)
    ]


def names_in(path: Path) -> set[str]:
    """Return the names of the sites of a file, as nginx compares them."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return {name.strip("\"'").lower() for names in NAMES.findall(text) for name in names.split()}


def wrong_with_nginx(drafts: Drafts) -> str:
    """Return what would be wrong with nginx's whole configuration, or nothing.

    Args:
        drafts: what is about to be in place.
    """
    text = (drafts.get(MAIN) or MAIN).read_text(encoding="utf-8")
    # Beside the real one, by whose place nginx finds what is included by a relative path.
    with tempfile.NamedTemporaryFile("w", dir=MAIN.parent, prefix=f".{MAIN.name}.", encoding="utf-8") as file:
        file.write(whole(text, drafts))
        file.flush()
        result = run(["nginx", "-t", "-q", "-c", file.name])
    said = (result.stdout + result.stderr).replace(file.name, str(MAIN))
    for path, draft in drafts.items():
        said = said.replace(str(draft), str(path)) if draft else said
    lines = hidden(said, text, drafts)
    if result.returncode != 0:
        lines.append(tail(said) or "nginx gave no reason")
    if SECOND_DEFAULT in said:
        lines.append(
            "One site of a host at most answers to every name. Set nginx_server_names, or remove the other one"
        )
    return "\n".join(lines)
