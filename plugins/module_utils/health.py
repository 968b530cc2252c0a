"""Ask a release over its own socket."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import string
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

ANSWER_SECONDS = 1
"""What an answer may take, however little is left of the time. The first request of a worker loads what was not needed
before, and on a busy host less would end with "timed out", whatever is wrong."""

STILL_SECONDS = 5
"""How long a process that was told to stand still may take to do so; one that waits for a disk does not at once."""


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


@dataclass(frozen=True)
class Question:
    """What a release is asked, and which answer is good.

    Attributes:
        socket: where it listens.
        host: the Host header.
        path: what is asked for; empty: `/`, with any answer that Django itself gives on purpose.
        status: of a good answer; 0: below 400.
        text: what the page of a good answer has in it.
        attempts: how often it may give an answer that is no good before that is believed: it may just be warming up.
    """

    socket: Path
    host: str
    path: str = ""
    status: int = 0
    text: str = ""
    attempts: int = 3

    @property
    def url(self) -> str:
        """The path that is asked for, with what HTTP does not let through in percent-encoding, as browsers do it."""
        return quote(self.path or "/", safe=string.punctuation)

    def ask(self, timeout: float) -> tuple[int, str]:
        """Return the status and the page of one request, sent as nginx would send one that came by HTTPS.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
            UnicodeError: the Host header cannot be sent.
        """
        connection = UnixConnection(self.socket, self.host, timeout)
        try:
            headers = {"Host": self.host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
            headers = {**headers, "User-Agent": "initech.django", "Connection": "close"}
            connection.request("GET", self.url, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    def wrong(self, status: int, page: str) -> str:
        """Return what is wrong with an answer, or nothing.

        Nobody said that `/` is a page of this project, so there 404 is an answer too.
        """
        if self.status:
            is_good = status == self.status
        else:
            is_good = status < 400 or (not self.path and status not in (400, 500) and status < 500)
        if not is_good:
            wrong = f"it answered {status} to GET {self.url} with Host: {self.host}"
            wrong += f", and not {self.status}" if self.status else ""
            hint = "; if that name is not in ALLOWED_HOSTS, add it there, or set release_health_host to one that is"
            return wrong + (hint if status == 400 else "")
        if self.text not in page:
            return f"its answer to GET {self.url} does not have {self.text!r} in it"
        return ""


def wait_until_healthy(question: Question, timeout: float, is_running: Callable[[], bool]) -> str:
    """Ask until the answer is good, or hope is lost.

    Args:
        question: what is asked.
        timeout: seconds to wait in all.
        is_running: tells whether it makes sense to go on.

    Returns:
        What is wrong; empty if nothing is.
    """
    deadline = time.monotonic() + timeout
    bad_answers = 0
    while True:
        try:
            wrong = question.wrong(*question.ask(max(deadline - time.monotonic(), ANSWER_SECONDS)))
            if not wrong:
                return ""
            bad_answers += 1
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            wrong = f"it does not answer GET {question.url} ({str(error) or type(error).__name__})"
        if not is_running():
            return "it ended"
        if bad_answers >= question.attempts or time.monotonic() > deadline:
            return wrong
        time.sleep(0.1)


def wrong_with_each(workers: Sequence[int], ask_one: Callable[[], str]) -> str:
    """Ask every worker of a release that nobody else asks yet.

    All of them accept from one socket, and an idle one answers again and again. So the others stand still meanwhile.

    Args:
        workers: their processes.
        ask_one: asks whoever answers, and returns what is wrong, or nothing.

    Returns:
        What is wrong with the first that is no good; empty if nothing is.
    """
    for number, worker in enumerate(workers, 1):
        others = [each for each in workers if each != worker]
        try:
            send(others, signal.SIGSTOP)
            wait_until_still(others)
            wrong = ask_one()
        finally:
            send(others, signal.SIGCONT)
        if wrong:
            return f"of its {len(workers)} workers, number {number} is not well: {wrong}"
    return ""


def send(processes: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def wait_until_still(processes: Sequence[int]) -> None:
    """Wait until all stand still, or have ended: until then one may still accept, and stand still before it answers."""
    for process in processes:
        deadline = time.monotonic() + STILL_SECONDS
        while state_of(process) not in "TtZX" and time.monotonic() < deadline:
            time.sleep(0.001)


def state_of(process: int) -> str:
    """Return the state of a process, as proc(5) has it; `X` where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
