"""Who runs what where a host of several could not switch, and who goes back for that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Host:
    """What is known of a host of the run.

    Attributes:
        name: in the inventory.
        before: the release that it had; None where it was not to get another one.
        has_switched: whether it was in this run that it did.
        is_out_of_reach: whether it was lost while it did, and may be at either.
        is_in_play: whether Ansible goes on with it.
    """

    name: str
    before: str | None
    has_switched: bool
    is_out_of_reach: bool
    is_in_play: bool

    @property
    def has_gone_ahead(self) -> bool:
        """Whether it has switched, and had something to go back to."""
        return self.has_switched and bool(self.before)

    @property
    def is_lost(self) -> bool:
        """Whether it was to have the release, and could not be reached any more, or failed.

        Where one does not go back Ansible counts all of the play for that, also such as have it.
        """
        return self.before is not None and not self.is_in_play and not self.has_switched


def read(variables: Mapping[str, Any], in_play: Collection[str]) -> Host:
    """Return what a host's variables say of it.

    Args:
        variables: of the host, with what the role has registered.
        in_play: the names of the hosts that Ansible goes on with.
    """
    name = variables["inventory_hostname"]
    info, switched = (variables.get(f"__release_{each}") for each in ("info", "switched"))
    answer = switched or {}
    return Host(
        name=name,
        before=None if info is None else info.get("live", ""),
        has_switched=bool(answer.get("changed")),
        is_out_of_reach=bool(answer.get("unreachable")),
        is_in_play=name in in_play,
    )


def lost(hosts: Iterable[Host]) -> list[str]:
    """Return who was lost on the way."""
    return [host.name for host in hosts if host.is_lost]


def going_back(hosts: Iterable[Host], go_back: bool) -> list[str]:
    """Return who is to go back, if that is wanted."""
    return [host.name for host in hosts if host.has_gone_ahead] if go_back else []


def back(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return who did go back.

    Args:
        results: of the loop over those that were to.
    """
    return [each["__release_host"] for each in results if not each.get("unreachable") and not each.get("failed")]


def who_runs_what(
    hosts: Sequence[Host], results: Sequence[Mapping[str, Any]], *, go_back: bool, release: str
) -> list[str]:
    """Return who runs what in the end, and what to type for those of which that is not known, a line each.

    Args:
        hosts: of the run.
        results: see `back`.
        go_back: whether those that had switched were to go back.
        release: which was to go live.
    """
    ahead = [host for host in hosts if host.has_gone_ahead]
    returned = back(results)
    vain = [each["__release_host"] for each in results if each.get("failed") and not each.get("unreachable")]
    first = []
    if len(hosts) > 1:
        if not ahead:
            first.append("No host had switched")
        elif not go_back:
            first.append(f"Already at {release}, and left there: {', '.join(host.name for host in ahead)}")
        elif returned:
            first.append(f"Went back to what they had: {', '.join(returned)}")
    if unreached := [host.name for host in hosts if host.is_out_of_reach]:
        first.append(f"Could not be reached, and may be at either: {', '.join(unreached)}")
    lines = [". ".join(first)] if first else []
    lines += [
        f"{host.name} could not go back, and may be at either. Once it can, type: "
        f"ansible-playbook rollback.yml -l {host.name} -e release={host.before}"
        for host in (ahead if go_back else ())
        if host.name not in (*returned, *vain)
    ]
    # What it had has failed there since, and no rollback goes to it.
    lines += [
        f"{host.name} could not go back to {host.before}, which was no good there any more, and is left at {release}. "
        f"Type ansible-playbook deploy.yml -l {host.name} with -e release_version= one that is good"
        for host in ahead
        if host.name in vain
    ]
    return lines
