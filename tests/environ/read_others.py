"""Read `.env` files with what projects use instead of django-environ, and compare; runs in a process of its own.

Its standard input is JSON: for each path the values that are to be read from it. It prints how many came out wrong, by
reader.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

from decouple import Config, RepositoryEnv
from dotenv import dotenv_values
from environs import Env


def by_environs(path: str) -> Callable[[str], str | None]:
    """Return what looks a key up with environs."""
    os.environ.clear()
    env = Env()
    env.read_env(path, recurse=False)
    return lambda key: env.str(key, None)


READERS: dict[str, Callable[[str], Callable[[str], str | None]]] = {
    "python-dotenv": lambda path: dotenv_values(path).get,
    "environs": by_environs,
    "python-decouple": lambda path: Config(RepositoryEnv(path)),
}


def main() -> None:
    """Read everything."""
    wrong = dict.fromkeys(READERS, 0)
    for path, values in json.load(sys.stdin).items():
        for name, reader in READERS.items():
            look_up = reader(path)
            wrong[name] += sum(look_up(key) != value for key, value in values.items())
    print(json.dumps(wrong))


main()
