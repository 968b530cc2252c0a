"""Keep a site busy, and count what it did not answer."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self


class Load:
    """Connections to a page on 127.0.0.1, each asking again as soon as it was answered.

    Used in a with statement; at its end every request in flight was answered and counted.
    """

    def __init__(
        self,
        port: int,
        path: str = "/",
        seconds: float = 20,
        connections: int = 40,
        *,
        pause: float = 0,
        host: str = "127.0.0.1",
    ) -> None:
        """Take what to ask for and how.

        Args:
            port: of the site.
            path: of the page.
            seconds: how long to go on at least.
            connections: how many at once.
            pause: between two requests of a connection, in seconds.
            host: the name of the site.
        """
        self.answers: Counter[str] = Counter()
        self._port = port
        self._path = path
        self._pause = pause
        self._headers = {"Host": host}
        self._until = time.monotonic() + seconds
        self._stop = threading.Event()
        self._lock = threading.Lock()
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
    def failures(self) -> dict[str, int]:
        """How often anything but a 200 came back, by kind."""
        return {answer: count for answer, count in self.answers.items() if answer != "200"}

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        counts: Counter[str] = Counter()
        while not self._stop.wait(self._pause):
            try:
                connection.request("GET", self._path, headers=self._headers)
                response = connection.getresponse()
                response.read()
                counts[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                counts[repr(error)] += 1
                connection.close()
        connection.close()
        with self._lock:
            self.answers.update(counts)
