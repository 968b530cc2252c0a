"""A package index that asks for a password."""

from __future__ import annotations

import base64
import secrets
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from packaging.utils import canonicalize_name


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, index: PrivateIndex, **named: Any) -> None:
        self._index = index
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"shop:{self._index.password}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {wanted}":
            self._index.served += 1
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class PrivateIndex:
    """Serves a directory of wheels to whoever knows the password; used in a with statement."""

    def __init__(self, wheels: Path, address: str) -> None:
        """Take the directory, and the address of this machine that clients can reach."""
        self.password = secrets.token_urlsafe(24)
        self.served = 0
        self._directory = TemporaryDirectory()
        for wheel in wheels.glob("*.whl"):
            name = canonicalize_name(wheel.name.split("-")[0])
            place = Path(self._directory.name, "simple", name)
            place.mkdir(parents=True, exist_ok=True)
            (place / wheel.name).symlink_to(wheel)
        handler = partial(_Handler, index=self, directory=self._directory.name)
        self._server = ThreadingHTTPServer((address, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://shop:{self.password}@{address}:{self._server.server_port}/simple"

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._directory.cleanup()
