"""Read `.env` files with whatever django-environ is in the path, and compare; runs in a process of its own.

Its standard input is JSON: `files`, each a path, the values that are to be read from it, and whether it was quoted for
systemd; and `urls`, each a DATABASE_URL and what is to be read from it. It prints how many came out wrong, by mode, and
the keys of those that were quoted for systemd, by file.
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


def wrong_keys(path: str, expected: dict[str, str], mode: str) -> list[str]:
    """Return which keys of a file are read as something else."""
    os.environ.clear()
    Env.read_env(path, **MODES[mode])
    return [key for key, value in expected.items() if os.environ.get(key) != value]


def main() -> None:
    """Read everything."""
    given = json.load(sys.stdin)
    result: dict[str, Any] = dict.fromkeys(MODES, 0)
    result.update(read=0, systemd={}, urls=0)
    for file in given["files"]:
        path, values = file["path"], file["values"]
        if file["systemd"]:
            result["systemd"][path] = wrong_keys(path, values, "default")
            result["read"] += len(values)
            continue
        for mode in MODES:
            with contextlib.suppress(TypeError):  # versions before parse_comments take no such argument
                result[mode] += len(wrong_keys(path, values, mode))
                result["read"] += len(values)
    os.environ.clear()
    for url, expected in given["urls"]:
        seen = Env.db_url_config(url)
        result["urls"] += any(seen[key] != value for key, value in expected.items())
    print(json.dumps(result))


main()
