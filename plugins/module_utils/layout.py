"""Where everything of an app lies on a host. All paths follow from the app's name."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

RELEASE_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def new_release_id(commit: str, now: datetime) -> str:
    """Return the id of a new release: <UTC stamp>-<short sha>, so that ids sort by age."""
    return f"{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{commit[:8]}"


@dataclass(frozen=True)
class Release:
    """One immutable directory, and the unit that serves it."""

    app: str
    id: str

    @property
    def path(self) -> Path:
        """The release's own directory."""
        return Path("/srv", self.app, "releases", self.id)

    @property
    def source(self) -> Path:
        """The packed tree."""
        return self.path / "source"

    @property
    def project(self) -> Path:
        """A link to the directory of manage.py and `.env`."""
        return self.path / "project"

    @property
    def virtualenv(self) -> Path:
        """A link to the virtualenv."""
        return self.path / "virtualenv"

    @property
    def static(self) -> Path:
        """What collectstatic collected, for nginx."""
        return self.path / "static"

    @property
    def run(self) -> Path:
        """A link to the directory of the socket."""
        return self.path / "run"

    @property
    def runtime(self) -> Path:
        """The directory of the socket, made by systemd."""
        return Path("/run", self.app, self.id)

    @property
    def socket(self) -> Path:
        """Where gunicorn listens."""
        return self.runtime / "gunicorn.sock"

    @property
    def wheels(self) -> Path:
        """What the virtualenv is made from where the host reaches no index; gone when the release is complete."""
        return self.path / "wheels"

    @property
    def archives(self) -> dict[str, Path]:
        """Where the controller sends what is to be unpacked into a directory of the release, by its name."""
        return {name: self.path.with_name(f".{self.id}.{name}.tar") for name in ("source", "wheels")}

    @property
    def manifest(self) -> Path:
        """Written last: a release without it, or with one that cannot be read, is half-made and never used."""
        return self.path / "manifest.json"

    @property
    def unit(self) -> str:
        """The systemd unit."""
        return f"{self.app}@{self.id}.service"


@dataclass(frozen=True)
class App:
    """One Django project on a host."""

    name: str

    @property
    def root(self) -> Path:
        """Everything but secrets of systemd and nginx."""
        return Path("/srv", self.name)

    @property
    def releases(self) -> Path:
        """The releases, a directory each."""
        return self.root / "releases"

    @property
    def virtualenvs(self) -> Path:
        """The virtualenvs, shared by releases, a directory each."""
        return self.root / "virtualenvs"

    @property
    def static(self) -> Path:
        """The static files of all releases that stay, as far as their names carry a hash; hard links."""
        return self.root / "static-kept"

    @property
    def media(self) -> Path:
        """Uploaded files, shared by releases."""
        return self.root / "media"

    @property
    def home(self) -> Path:
        """The app user's home, and the one other place where the app may write."""
        return Path("/var/lib", self.name)

    @property
    def current(self) -> Path:
        """The link that alone decides what is live."""
        return self.root / "current"

    @property
    def history(self) -> Path:
        """What happened to releases on this host, a JSON object a line."""
        return self.root / "history.jsonl"

    @property
    def leases(self) -> Path:
        """Who deploys it, or waits to. Gone after a reboot."""
        return Path("/run/initech-django", self.name)

    @property
    def certificate(self) -> Path:
        """What the role tls has for its site."""
        return Path("/etc/ssl/initech", f"{self.name}.crt")

    @property
    def processes(self) -> Path:
        """Which workers provisioning left on the host, written when their units are in force."""
        return Path("/etc", self.name, "processes.json")

    @property
    def configuration(self) -> tuple[Path, ...]:
        """The files by which provisioning decides how a release is served."""
        return Path("/etc", self.name, "gunicorn.conf.py"), Path("/etc/systemd/system", f"{self.name}@.service")

    def release(self, release_id: str) -> Release:
        """Return one release."""
        return Release(self.name, release_id)

    def live(self) -> Release | None:
        """Return what is live, read from the link and nothing else."""
        try:
            return self.release(self.current.readlink().name)
        except OSError:
            return None

    def complete(self) -> list[Release]:
        """Return the releases that are complete, oldest first."""
        found = (self.release(path.parent.name) for path in self.releases.glob("*/manifest.json"))
        usable = [release for release in found if RELEASE_ID.fullmatch(release.id) and read_manifest(release)]
        return sorted(usable, key=lambda each: each.id)


def read_manifest(release: Release) -> dict[str, Any]:
    """Return the manifest; empty where the release is half-made, or a crash of the host left no whole manifest."""
    try:
        manifest = json.loads(release.manifest.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def require_manifest(release: Release) -> dict[str, Any]:
    """Return the manifest of a release that is to be used.

    Raises:
        Problem: the release is not complete.
    """
    manifest = read_manifest(release)
    if not manifest:
        raise Problem(f"Release {release.id} is not complete, and so never goes live. Deploy again.")
    return manifest


def write_manifest(release: Release, manifest: dict[str, Any]) -> None:
    """Write the manifest, whole or not at all, after everything else has reached the disk."""
    write_last(release.manifest, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def write_last(path: Path, text: str) -> None:
    """Write a file that says that all else is complete, whole or not at all, after all else has reached the disk.

    Args:
        path: of the file, which everybody may read.
        text: of it.
    """
    draft = path.with_name(f"{path.name}.draft")
    os.sync()
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        # Else a crash of the host could leave the new name, and nothing in it.
        os.fsync(file.fileno())
    draft.chmod(0o644)
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
