"""Certificates of an ACME authority, by certbot, which renews them by a timer of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils import certificates
from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

LETSENCRYPT = Path("/etc/letsencrypt")
DEFAULT = "https://acme-v02.api.letsencrypt.org/directory"
"""Whom certbot asks where nothing says otherwise."""
DAYS_LEFT = 20
"""The timer renews with 30 days left. With so few it has failed, and whoever provisions is to see that."""


@dataclass(frozen=True)
class Wanted:
    """The certificate of an app.

    Attributes:
        name: what certbot calls it.
        names: for which names, at least one.
        email: where the authority writes to; nowhere, if empty.
        directory: the address of the authority; that of certbot's default, if empty.
        webroot: where the authority finds the answers to its questions.
    """

    name: str
    names: Sequence[str]
    email: str
    directory: str
    webroot: Path

    @property
    def lineage(self) -> Path:
        """Where certbot keeps the newest one."""
        return LETSENCRYPT / "live" / self.name

    def command(self) -> list[str]:
        """Return what asks for it. Of one that is there and good for long only the settings are written anew.

        The authority is always named: certbot writes down whom it asked, and that is compared the next time.
        """
        return [
            "certbot",
            "certonly",
            "--non-interactive",
            "--agree-tos",
            "--keep-until-expiring",
            "--renew-with-new-domains",
            f"--cert-name={self.name}",
            "--webroot",
            f"--webroot-path={self.webroot}",
            "--key-type=ecdsa",
            "--deploy-hook=systemctl reload nginx.service",
            *([f"--email={self.email}", "--no-eff-email"] if self.email else ["--register-unsafely-without-email"]),
            f"--server={self.authority()}",
            *(["--force-renewal"] if self.is_of_another() else []),
            *(f"--domain={name}" for name in self.names),
        ]

    def authority(self) -> str:
        """Return the address of the authority: where none is asked for that of certbot's configuration, or its own."""
        return self.directory or read(LETSENCRYPT / "cli.ini", "server") or DEFAULT

    def is_of_another(self) -> bool:
        """Tell whether what is there came from another authority, as one for tests, which nobody trusts."""
        return self.server() not in ("", self.authority())

    def server(self) -> str:
        """Return from which authority certbot renews it; empty if that cannot be told."""
        return read(LETSENCRYPT / "renewal" / f"{self.name}.conf", "server", "renewalparams")

    def is_due(self, now: datetime) -> bool:
        """Tell whether certbot has something to do: none is there, it is for other names, of another, or at its end."""
        try:
            leaf = certificates.Pair((self.lineage / "fullchain.pem").read_bytes(), b"").leaf
        except (OSError, ValueError):
            return True
        is_right = certificates.names(leaf) == {name.lower() for name in self.names} and not self.is_of_another()
        return not is_right or certificates.end(leaf) - now < timedelta(days=DAYS_LEFT)

    def obtain(self) -> None:
        """Have certbot ask for it.

        Raises:
            Problem: the authority did not give one.
        """
        result = run(self.command(), timeout=300)
        if result.returncode != 0:
            raise Problem(
                f"There is no certificate for {', '.join(self.names)}. certbot said:\n"
                f"{tail(result.stdout + result.stderr)}\n"
                "Do these names lead to this host, and can it be reached at port 80 from everywhere? The site goes on "
                "with the certificate that it has; type the same again when they do."
            )


def read(path: Path, key: str, section: str = "top") -> str:
    """Return a setting of a file of certbot's; empty where there is none, or the file cannot be read.

    Args:
        path: of the file.
        key: of the setting.
        section: where it stands; the lines before the first one are `top`.
    """
    settings = ConfigParser(interpolation=None, strict=False, allow_no_value=True, inline_comment_prefixes=("#", ";"))
    try:
        settings.read_string(f"[top]\n{path.read_text(encoding='utf-8')}")
    except (OSError, ValueError, ConfigError):
        return ""
    return (settings.get(section, key, fallback=None) or "").strip("'\"")


def link(path: Path, target: Path, *, is_check: bool) -> bool:
    """Have a link, in place of whatever is there, and tell whether it changed."""
    if path.is_symlink() and path.readlink() == target:
        return False
    if not is_check:
        draft = path.with_name(f".{path.name}.draft")
        draft.unlink(missing_ok=True)
        os.symlink(target, draft)
        draft.replace(path)
    return True
