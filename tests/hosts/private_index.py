"""A package index that asks for a password, with a certificate of an authority that nobody knows yet."""

from __future__ import annotations

import base64
import secrets
import ssl
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from packaging.utils import canonicalize_name

NAME = "packages.test"


def make_certificate(directory: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate of it; return the files of the authority, the certificate and its key."""
    new: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    authority, its_key, certificate, key = (directory / name for name in ("ca.crt", "ca.key", "crt", "key"))
    subprocess.run(
        [*new, "-subj", "/CN=Private index", "-keyout", its_key, "-out", authority], check=True, capture_output=True
    )
    extensions = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName=DNS:{NAME}"]
    signed = [*new, "-subj", "/CN=packages", *extensions, "-CA", authority, "-CAkey", its_key]
    subprocess.run([*signed, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return authority, certificate, key


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
        """Take the directory, and the address of this machine that clients have to know it by as `packages.test`."""
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
        self.authority, certificate, key = make_certificate(Path(self._directory.name))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"https://shop:{self.password}@{NAME}:{self._server.server_port}/simple"

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
