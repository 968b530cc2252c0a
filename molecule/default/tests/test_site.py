"""What a provisioned and deployed host must be like, before and after a reboot."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

Host = Any

APP = "slow-sql"
SECRETS = ("SECRET_KEY", "DATABASE_URL")


def curl(host: Host, path: str, *options: str) -> str:
    """Return what the site answers to a request from the host itself."""
    command = " ".join(("curl", "--silent", "--show-error", "--fail", "--max-time 30", *options))
    return str(host.check_output(f"{command} http://127.0.0.1{path}"))
