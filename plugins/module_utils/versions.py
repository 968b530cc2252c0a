"""Decide whether the clusters of PostgreSQL on a host fit the version that is asked for, or may be upgraded to it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

NAME = "main"
"""What Debian calls the cluster of a server that has one."""

PORT = 5432
DISTRIBUTIONS = {"bookworm": "15", "trixie": "17", "jammy": "14", "noble": "16", "resolute": "18"}
"""The version that a distribution has, by the code name of its release."""

VERSION = re.compile(r"[1-9][0-9]")
UNTOUCHED = "Nothing was changed."


@dataclass(frozen=True)
class Cluster:
    """A cluster: the data of one server of one major version."""

    version: str
    name: str
    port: int
    is_running: bool

    def __str__(self) -> str:
        """Return it as Debian's tools do."""
        return f"{self.version}/{self.name}"


def draft(version: str) -> Path:
    """Return the file that is there while an upgrade makes the cluster of a version."""
    return Path(f"/var/lib/postgresql/upgrading-{version}")


def find(version: str, clusters: Sequence[Cluster]) -> Cluster | None:
    """Return the cluster of a version."""
    return next((each for each in clusters if (each.version, each.name) == (version, NAME)), None)


def is_half_made(mine: Cluster | None, is_draft: bool) -> bool:
    """Tell whether an upgrade that was killed left this cluster. The port is the last that it gets."""
    return mine is not None and is_draft and mine.port != PORT


def parse(listing: str) -> list[Cluster]:
    """Return the clusters in what `pg_lsclusters --json` printed."""
    return [
        Cluster(str(each["version"]), each["cluster"], int(each["port"]), bool(each["running"]))
        for each in json.loads(listing or "[]")
    ]


def version_of(asked: str, release: str) -> str:
    """Return the version that is asked for, or that of a distribution.

    Raises:
        Problem: none is asked for, and what the distribution has is not known.
    """
    if not asked and release not in DISTRIBUTIONS:
        raise Problem(
            f"Which PostgreSQL {release or 'a host whose facts were not gathered'} has is not known, but for "
            f'{", ".join(DISTRIBUTIONS)}. Set postgresql_version, as "17".'
        )
    return asked or DISTRIBUTIONS[release]


def check_version(version: str) -> None:
    """Refuse what is no major version of PostgreSQL.

    Raises:
        Problem: it is none.
    """
    if not VERSION.fullmatch(version):
        raise Problem(f'postgresql_version is {version!r}. Write a major version in quotes, as "17".')


def require_fit(version: str, clusters: Sequence[Cluster], limit: str, is_draft: bool = False) -> None:
    """Refuse where a server of this version would begin with an empty cluster beside one that has the data.

    Args:
        version: that is asked for.
        clusters: of the host.
        limit: what stands behind `-l` in what is to be typed.
        is_draft: whether an upgrade that makes its cluster began, and did not end.

    Raises:
        Problem: there is data of another version, or another cluster has the port.
    """
    check_version(version)
    mine = find(version, clusters)
    if is_half_made(mine, is_draft):
        raise Problem(
            f"An upgrade to PostgreSQL {version} was killed on this host, or still runs. Its data is as it was. Type: "
            f"ansible-playbook upgrade-database.yml -l {limit}   {UNTOUCHED}"
        )
    others = [each for each in clusters if each.name == NAME and each.version != version]
    if mine is None and others:
        newest = max(others, key=lambda each: int(each.version))
        stay = f'set postgresql_version: "{newest.version}"'
        upgrade = f"To upgrade it type: ansible-playbook upgrade-database.yml -l {limit}   To stay with it {stay}."
        is_newer = int(newest.version) > int(version)
        raise Problem(
            f"This host has the data of PostgreSQL {newest.version}, in the cluster {', '.join(map(str, others))}, and "
            f"version {version} is asked for, which would begin with an empty cluster. {UNTOUCHED} "
            f"{f'No data goes back to an older version: {stay}.' if is_newer else upgrade}"
        )
    _require_port(mine, version, clusters)


def upgraded_from(version: str, clusters: Sequence[Cluster], is_draft: bool = False) -> Cluster | None:
    """Return the cluster that is to be upgraded, or None where that was done before, or there is nothing to do.

    Args:
        version: to upgrade to.
        clusters: of the host.
        is_draft: whether an upgrade to this version began, and did not end. Then it is begun again.

    Raises:
        Problem: it cannot be told which one is meant.
    """
    check_version(version)
    mine = find(version, clusters)
    others = sorted(
        (each for each in clusters if each.name == NAME and each.version != version), key=lambda each: int(each.version)
    )
    live = [each for each in others if each.port == PORT]
    if others and is_half_made(mine, is_draft):
        # It may have been killed after it gave the port away.
        return (live or others)[-1]
    if mine and live:
        old = live[0]
        raise Problem(
            f"This host has both {old}, with the port {PORT}, and {mine}, which no upgrade made. If nobody needs what "
            f"is in {mine}, type on the host: pg_dropcluster --stop {mine.version} {NAME}   Then type the same again. "
            f'To stay with {old}, set postgresql_version: "{old.version}". {UNTOUCHED}'
        )
    _require_port(mine, version, clusters)
    if mine or not others:
        return None
    if not live:
        listing = ", ".join(f"{each} with port {each.port}" for each in others)
        raise Problem(f"None of the clusters of this host has the port {PORT}: {listing}. Give it to one. {UNTOUCHED}")
    if int(live[0].version) > int(version):
        raise Problem(
            f"This host has the data of PostgreSQL {live[0].version}, and no data goes back to {version}. "
            f'Set postgresql_version: "{live[0].version}". {UNTOUCHED}'
        )
    return live[0]


def _require_port(mine: Cluster | None, version: str, clusters: Sequence[Cluster]) -> None:
    """Refuse where the app would find another cluster than that of this version, or none."""
    if mine and mine.port != PORT:
        raise Problem(
            f"The cluster {mine} of this host has the port {mine.port}, and not {PORT}, where the app looks for it. "
            f"pg_lsclusters lists all of them. Stop the one that has {PORT}, and type on the host: "
            f"pg_conftool {mine.version} {NAME} set port {PORT}; systemctl restart postgresql@{mine.version}-{NAME}   "
            f"If the data is in the other one, set postgresql_version to its version. {UNTOUCHED}"
        )
    if mine is None:
        other = next((each for each in clusters if each.port == PORT), None)
        if other and other.name != NAME:
            raise Problem(
                f"The cluster {other} of this host has the port {PORT}, which {version}/{NAME} needs. Give it another: "
                f"pg_conftool {other.version} {other.name} set port 5433. {UNTOUCHED}"
            )
