"""An application that does nothing but wait, as long as the query says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    """Answer after a wait."""
    time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Length", "0")])
    return []
