"""Ask a release over its own socket."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from pathlib import Path

SAME_ANSWER = 3
"""How often a release may give an answer that is no good before it is believed: it may just be warming up."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, host: str, timeout: float) -> None:
        """Take the path of the socket, the Host header, and how long to wait for each answer, in seconds."""
        super().__init__(host, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, host: str, url: str, timeout: float) -> int:
    """Return the status of one request, sent as nginx would send one that came by HTTPS.

    Raises:
        OSError, http.client.HTTPException: there was no answer.
    """
    connection = UnixConnection(path, host, timeout)
    try:
        headers = {"Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
        connection.request("GET", url, headers={**headers, "User-Agent": "initech.django", "Connection": "close"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def is_good(status: int, url: str) -> bool:
    """Judge a status. Nobody said that `/` is a page of this project, so there 404 is an answer too."""
    return status < 400 or (not url and status not in (400, 500) and status < 500)


def wait_until_healthy(path: Path, host: str, url: str, timeout: float, is_running: Callable[[], bool]) -> str:
    """Ask until the answer is good, or hope is lost.

    Args:
        path: the socket.
        host: the Host header.
        url: the path to ask for; empty: `/`, with any answer that Django itself gives on purpose.
        timeout: seconds to wait in all.
        is_running: tells whether it makes sense to go on.

    Returns:
        What is wrong; empty if nothing is.
    """
    deadline = time.monotonic() + timeout
    bad_answers = 0
    while True:
        try:
            status = ask(path, host, url or "/", max(deadline - time.monotonic(), 0.1))
            if is_good(status, url):
                return ""
            bad_answers += 1
            wrong = f"it answered {status} to GET {url or '/'} with Host: {host}"
            if status == 400:
                wrong += "; if that name is not in ALLOWED_HOSTS, set release_health_host to one that is"
        except (OSError, http.client.HTTPException) as error:
            wrong = f"it does not answer GET {url or '/'} ({str(error) or type(error).__name__})"
        if not is_running():
            return "it ended"
        if bad_answers >= SAME_ANSWER or time.monotonic() > deadline:
            return wrong
        time.sleep(0.1)
