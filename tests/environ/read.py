"""Read `.env` files with whatever django-environ is in the path, and compare; runs in a process of its own.

Its standard input is JSON: `files`, each a path, the values that are to be read from it, and whether it was quoted for
systemd; and `urls`, each a DATABASE_URL and what is to be read from it. It prints what came out wrong, by mode.
"""

import contextlib
import json
import os
import sys
from typing import Any

from environ import Env

MODES: dict[str, dict[str, bool]] = {
    "default": {},
    "overwrite": {"overwrite": True},
    "comments": {"parse_comments": True},
}


def wrong_values(path: str, expected: dict[str, str], mode: str) -> int:
    """Return how many keys of a file are read as something else."""
    os.environ.clear()
    Env.read_env(path, **MODES[mode])
    return sum(os.environ.get(key) != value for key, value in expected.items())


def main() -> None:
    """Read everything."""
    given = json.load(sys.stdin)
    cuts_always = given["version"].startswith("0.11")
    result: dict[str, Any] = dict.fromkeys(MODES, 0)
    result.update(read=0, systemd=0, urls=0)
    for file in given["files"]:
        modes = ["systemd"] if file["systemd"] else list(MODES)
        for mode in modes:
            # 0.11 cuts at # even inside double quotes: what systemd reads too cannot hold one there.
            if mode == "systemd" and cuts_always:
                continue
            with contextlib.suppress(TypeError):  # versions before parse_comments take no such argument
                result[mode] += wrong_values(file["path"], file["values"], "default" if mode == "systemd" else mode)
                result["read"] += len(file["values"])
    os.environ.clear()
    for url, expected in given["urls"]:
        seen = Env.db_url_config(url)
        result["urls"] += any(seen[key] != value for key, value in expected.items())
    print(json.dumps(result))


main()
