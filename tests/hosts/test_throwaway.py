"""A throwaway host that was left behind stands in nobody's way: CI that takes too long is killed, and begins again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from demo import free_port

SCRIPT = Path(__file__).resolve().parents[2] / "molecule" / "throwaway.py"


def throwaway(directory: Path, *arguments: str) -> str:
    """Run the script as that of the checkout in a directory, and return what it printed."""
    checkout = directory / "molecule"
    checkout.mkdir(parents=True, exist_ok=True)
    shutil.copy(SCRIPT, checkout)
    return subprocess.run(
        [sys.executable, checkout / SCRIPT.name, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_a_host_that_an_earlier_checkout_left_at_this_path_is_made_anew(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    try:
        throwaway(checkout, "up", "left", "--publish", f"{free_port()}:80")
        throwaway(checkout, "run", "left", "--", "touch", "/root/of-the-earlier-one")
        shutil.rmtree(checkout)

        port = free_port()
        assert "left behind by an earlier checkout, removed" in throwaway(
            checkout, "up", "left", "--publish", f"{port}:80"
        )

        assert f"127.0.0.1:{port} -> 80" in throwaway(checkout, "list")
        assert throwaway(checkout, "run", "left", "--", "ls", "/root") == ""
        ssh = ["ssh", "-F", str(checkout / ".throwaway" / "ssh_config"), "-o", "BatchMode=yes", "left", "true"]
        assert subprocess.run(ssh, check=False).returncode == 0
        assert "already running" in throwaway(checkout, "up", "left", "--publish", f"{port}:80")
    finally:
        throwaway(checkout, "down", "left")
