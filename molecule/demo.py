#!/usr/bin/env python3
"""Deploy the example project to a throwaway host on this machine, as `make demo` does.

The host is published at 127.0.0.1:${DEMO_PORT:-8080}. Its secrets are made here, encrypted
at once, and known to nobody.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
VAULT = ROOT / "inventories/demo/group_vars/demo/vault.yml"
PASSWORD = ROOT / ".demo/vault-password"
CURRENT = "/srv/slow-sql/current"


def make_secrets() -> None:
    """Make the vault and its password, unless both are there: the one is worth nothing without the other."""
    if VAULT.exists() and PASSWORD.exists():
        return
    PASSWORD.parent.mkdir(mode=0o700, exist_ok=True)
    PASSWORD.touch(mode=0o600)
    PASSWORD.write_text(secrets.token_urlsafe(32))
    names = ("vault_secret_key", "vault_database_password")
    clear = "---\n" + "".join(f'{name}: "{secrets.token_urlsafe(48)}"\n' for name in names)
    encrypt = ["ansible-vault", "encrypt", "--vault-id", f"demo@{PASSWORD}", "--output", str(VAULT)]
    # Away from ansible.cfg, which would ask for the passwords of the other environments too.
    subprocess.run(encrypt, input=clear, text=True, check=True, stdout=subprocess.DEVNULL, cwd=PASSWORD.parent)


def main() -> int:
    """Boot the host, run the playbook, and show that the site works."""
    os.chdir(ROOT)
    url = f"http://127.0.0.1:{os.environ.get('DEMO_PORT') or 8080}"
    throwaway = [sys.executable, "molecule/throwaway.py"]
    steps = (
        [*throwaway, "up", "demo-host", "--publish", f"{url.rpartition(':')[2]}:80"],
        ["ansible-playbook", "site.yml", "-l", "demo"],
    )
    make_secrets()
    for step in steps:
        print(f"$ {' '.join(step).replace(sys.executable, 'python3')}", flush=True)
        if code := subprocess.run(step, check=False).returncode:
            return code
    readlink = [*throwaway, "run", "demo-host", "--", "readlink", CURRENT]
    release = subprocess.run(readlink, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    started = time.monotonic()
    with urlopen(f"{url}/ten-slow-requests/", timeout=60) as response:
        squares = response.read().decode().split()
    print(f"Deployed: examples/slow_sql of this checkout, as release {release.strip().rpartition('/')[2]}")
    print(f"Ten queries of five seconds each, asked for at once: {', '.join(squares)}")
    print(f"They took {time.monotonic() - started:.1f} seconds: {url}/ten-slow-requests/")
    # Without a slash at its end, so that a path can be put behind it.
    print(url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
