"""Hand package indexes to pip and uv, and their passwords so that nobody else sees them."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from ansible_collections.initech.django.plugins.module_utils.commands import CA_BUNDLE
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

PIP_CONFIGURATION = Path("/etc/pip.conf")
PLAIN = re.compile(r"[!$-&(-\[\]-~]+")
"""What all readers of netrc files agree on: they differ about quotes, backslashes, comments and what is not ASCII."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _PipConfiguration(configparser.RawConfigParser):
    """Knows an option by the names that pip knows it by: index_url is index-url."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr.lower().replace("_", "-")


def uv_index(pip_configuration: str) -> dict[str, str]:
    """Return uv's environment for the indexes that pip's configuration names: uv does not read it."""
    parser = _PipConfiguration()
    try:
        parser.read_string(pip_configuration)
    except configparser.Error:
        return {}
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
    return {
        variable: ("," if option == "find-links" else " ").join(parser.get(section, option).split())
        for section in ("global", "install")
        for option, variable in names.items()
        if parser.has_option(section, option)
    }


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it is none that an index can have."""
    try:
        parts = urlsplit(url)
        # A password that is not percent-encoded, with / or # in it, looks like a port.
        has_host = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return None
    is_index = has_host if parts.scheme in ("https", "http") else parts.scheme == "file"
    has_user = bool(parts.username) or not parts.password
    return parts if is_index and has_user and not re.search(r"\s", url) else None


def split_password(url: str, number: int = 1) -> tuple[str, str]:
    """Return an index's URL without user and password, and its line of a netrc file; empty where it has none.

    Args:
        url: the index, user and password percent-encoded as in every URL.
        number: which of `python_indexes` it is, for messages, which never show the URL.

    Raises:
        Problem: it is no URL of an index, or its password cannot be handed on.
    """
    here = f"python_indexes[{number - 1}]"
    parts = _split(url)
    if parts is None:
        raise Problem(
            f"{here} is no URL of a package index. Write it as https://user:password@host/simple, "
            "what is special in user and password percent-encoded"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user:
        return url, ""
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise Problem(f"{here}: its password would cross the network in the clear. Write https, not http")
    if not PLAIN.fullmatch(user) or (password and not PLAIN.fullmatch(password)):
        raise Problem(
            f"{here}: user or password holds a blank, a quote, a backslash, # or what is not ASCII, and pip and uv "
            "read these differently. Choose another password"
        )
    clean = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    quoted = password or '""'
    return clean, f"machine {parts.hostname} login {user} password {quoted}\n"


@contextmanager
def index_environment(indexes: Sequence[str], *, uses_uv: bool) -> Iterator[dict[str, str]]:
    """Give the environment in which pip or uv installs from the given indexes, or else from the host's own.

    A password is in no argument, environment or file: only in memory of this process, under a path in /proc that
    programs of the same user can open as long as it lives.

    Args:
        indexes: URLs; the first takes the place of the default index, and the others add to it.
        uses_uv: for uv; else for pip.

    Raises:
        Problem: a URL is no good, or two of them disagree about the password for a host.
    """
    clean, lines = [], dict[str, str]()
    for number, url in enumerate(indexes, start=1):
        address, line = split_password(url, number)
        clean.append(address)
        host = urlsplit(address).hostname or ""
        if line and lines.setdefault(host, line) != line:
            raise Problem(f"python_indexes has two passwords for {host}. One host takes one.")
    environment = {**os.environ, "PIP_CERT": CA_BUNDLE, "SSL_CERT_FILE": CA_BUNDLE, "PIP_NO_INPUT": "1"}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if clean:
        names = ("UV_DEFAULT_INDEX", "UV_INDEX") if uses_uv else ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
        environment.update({names[0]: clean[0], names[1]: " ".join(clean[1:])})
    elif uses_uv and PIP_CONFIGURATION.exists():
        environment.update(uv_index(PIP_CONFIGURATION.read_text(encoding="utf-8")))
    if not lines:
        yield environment
        return
    descriptor = os.memfd_create("netrc")
    try:
        os.write(descriptor, "".join(lines.values()).encode())
        yield {**environment, "NETRC": f"/proc/{os.getpid()}/fd/{descriptor}"}
    finally:
        os.close(descriptor)
