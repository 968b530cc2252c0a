#!/usr/bin/env python3
"""Deploy the example project to a throwaway host on this machine, as `make demo` does.

The site is published at https://127.0.0.1:${DEMO_PORT:-8443}, from a host with Debian 13 or DEMO_DISTRIBUTION. Its
secrets are made here, encrypted at once, and known to nobody.
"""

from __future__ import annotations

import os
import secrets
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
VAULT = ROOT / "inventories/demo/group_vars/demo/vault.yml"
PASSWORD = ROOT / ".demo/vault-password"
AUTHORITY = ROOT / ".demo/authority.crt"
THROWAWAY = (sys.executable, "molecule/throwaway.py")
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


def on_host(*command: str) -> str:
    """Run a command on the host, and return what it printed."""
    run = [*THROWAWAY, "run", "demo-host", "--", *command]
    return subprocess.run(run, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Boot the host, run the playbook, and show that the site works."""
    os.chdir(ROOT)
    url = f"https://127.0.0.1:{os.environ.get('DEMO_PORT') or 8443}"
    distribution = os.environ.get("DEMO_DISTRIBUTION")
    steps = (
        [
            *(*THROWAWAY, "up", "demo-host", "--publish", f"{url.rpartition(':')[2]}:443"),
            *(("--distribution", distribution) if distribution else ()),
        ],
        ["ansible-playbook", "site.yml", "-l", "demo"],
    )
    make_secrets()
    for step in steps:
        print(f"$ {' '.join(step).replace(sys.executable, 'python3')}", flush=True)
        if code := subprocess.run(step, check=False).returncode:
            return code
    release = on_host("readlink", CURRENT)
    AUTHORITY.write_text(on_host("cat", "/etc/ssl/initech/authority.crt"))
    trusting = ssl.create_default_context(cafile=AUTHORITY)
    started = time.monotonic()
    with urlopen(f"{url}/ten-slow-requests/", timeout=60, context=trusting) as response:
        squares = response.read().decode().split()
    print(f"Certified by an authority of the host's own, which browsers do not know: {AUTHORITY.relative_to(ROOT)}")
    print(f"Deployed: examples/slow_sql of this checkout, as release {release.strip().rpartition('/')[2]}")
    print(f"Ten queries of five seconds each, asked for at once: {', '.join(squares)}")
    print(f"They took {time.monotonic() - started:.1f} seconds: {url}/ten-slow-requests/")
    # Without a slash at its end, so that a path can be put behind it.
    print(url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
