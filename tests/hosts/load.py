"""Keep a site busy, and count what it did not answer."""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self


class Request(NamedTuple):
    """A request that was answered, or was not.

    Attributes:
        at: when it was sent, as time.time() has it.
        seconds: how long it took.
        answer: the status, or the error.
    """

    at: float
    seconds: float
    answer: str


class SafeConnection(http.client.HTTPSConnection):
    """A connection to a site by HTTPS that needs nobody to know where its name leads."""

    def __init__(self, address: tuple[str, int], name: str, context: ssl.SSLContext) -> None:
        """Take where the site is, its name, and who is trusted."""
        super().__init__(name, timeout=30, context=context)
        self._address = address
        self._trusted = context

    def connect(self) -> None:
        """Connect."""
        plain = socket.create_connection(self._address, timeout=self.timeout)
        self.sock = self._trusted.wrap_socket(plain, server_hostname=self.host)


class Load:
    """Connections to a page, each asking again a moment after it was answered.

    Used in a with statement; at its end every request in flight was answered and counted.

    Attributes:
        requests: all that have ended.
    """

    def __init__(
        self,
        connect: Callable[[], http.client.HTTPConnection],
        path: str = "/",
        *,
        connections: int = 40,
        seconds: float = 0,
        pause: float = 0.25,
        reopens: bool = False,
    ) -> None:
        """Take what to ask for and how.

        Args:
            connect: makes a connection to the site.
            path: of the page.
            connections: how many at once.
            seconds: how long to go on at least.
            pause: between two requests of a connection, in seconds, on average: visitors do not march in step. Without
                one the load takes all of a small machine, and nothing beside it gets done.
            reopens: whether what was asked on a connection that was closed meanwhile is asked again on a new one, as
                clients do it (RFC 9112, 9.3.1 and 9.6). A reload of nginx closes such ones; a deploy reloads nothing,
                and there it is a failure.
        """
        self.requests: list[Request] = []
        self._path = path
        self._pause = pause
        self._reopens = reopens
        self._connect = connect
        self._until = time.monotonic() + seconds
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(connections)]

    def __enter__(self) -> Self:
        """Start."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Go on for as long as was promised, unless something failed, and end."""
        if error is None:
            self._stop.wait(max(self._until - time.monotonic(), 0))
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> Counter[str]:
        """How often each answer came back."""
        return Counter(request.answer for request in self.requests)

    @property
    def failures(self) -> dict[str, int]:
        """How often anything but a 200 came back, by kind."""
        return {answer: count for answer, count in self.answers.items() if answer != "200"}

    def _ask(self) -> None:
        connection = self._connect()
        while not self._stop.wait(random.uniform(0, 2 * self._pause)):
            began, started = time.time(), time.monotonic()
            # Of a new connection it is a failure in any case.
            again = self._reopens and connection.sock is not None
            try:
                try:
                    response = self._send(connection)
                except ConnectionError:
                    if not again:
                        raise
                    connection.close()
                    response = self._send(connection)
                response.read()
                answer = str(response.status)
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
                connection.close()
            self.requests.append(Request(began, time.monotonic() - started, answer))
        connection.close()

    def _send(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        connection.request("GET", self._path)
        return connection.getresponse()
