"""Whether what is live in one environment may be deployed to another, and whether it would be the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.backups import duration as told
from ansible_collections.initech.django.plugins.module_utils.inputs import where
from ansible_collections.initech.django.plugins.module_utils.lease import duration
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

AFTER = "release_promote_after"
OWN_GROUPS = frozenset(["all", "ungrouped", "apps", "databases"])
"""Groups that are no environments: Ansible's, and those that the playbooks make."""


@dataclass(frozen=True)
class Source:
    """A host of the environment that is promoted from, as its inventory has it.

    Attributes:
        host: its name.
        environment: its app_environment.
        app_name: the app there.
        python_version: the interpreter that was asked for there.
        database_host: the host that has that environment's database and no app; empty where each has its own.
    """

    host: str
    environment: str
    app_name: str
    python_version: str = ""
    database_host: str = ""


@dataclass(frozen=True)
class Seen:
    """What is live on such a host.

    Attributes:
        host: its name.
        live: the id of the release; empty where nothing is live.
        version: what was asked for when it was deployed.
        commit: what it was made from.
        seconds: since when it is live; None where the host's history does not tell.
        requirements: the hashes of the files that its virtualenv was made from, by path, the first the one installed.
        pins: their lines.
        python: the version of its interpreter.
        problems: why it is not proven, a line each.
    """

    host: str
    live: str
    version: str = ""
    commit: str = ""
    seconds: float | None = None
    requirements: Mapping[str, str] | None = None
    pins: Sequence[str] = ()
    python: str = ""
    problems: Sequence[str] = ()

    @property
    def called(self) -> str:
        """How people call what is live, which HEAD does not tell."""
        return self.commit[:8] if self.version in ("HEAD", self.commit) else self.version


def members(name: str, environment: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the hosts that are meant by `-e from=`: those of a group, or the one of that name.

    Args:
        name: what was typed.
        environment: that is deployed to.
        groups: the inventory's, with all hosts in `all`.

    Raises:
        Problem: nothing was typed, or nothing is called so.
    """
    others = sorted(set(groups) - OWN_GROUPS - {environment})
    example = f"ansible-playbook promote.yml -e from={others[0] if others else 'staging'} -l {environment}"
    if not name:
        raise Problem(f"It is not said what is promoted to {environment}. Type: {example}")
    found = list(groups.get(name, [name] if name in groups["all"] else []))
    if not found:
        known = ", ".join(others) or "no other environment"
        raise Problem(f"from is {name!r}, and the inventory has no such group or host, but {known}. Type: {example}")
    return found


def sources(name: str, environment: str, hosts: Sequence[Source]) -> list[Source]:
    """Return those hosts that have the app.

    Args:
        name: what was typed as `-e from=`.
        environment: that is deployed to.
        hosts: all that are meant by it.

    Raises:
        Problem: they are of this environment, or of several, or have several apps.
    """
    environments = sorted({host.environment for host in hosts})
    if environment in environments:
        raise Problem(
            f"from is {name!r}, and -l {environment} names the same environment. "
            f"Type -e from= and the environment where this version was tried."
        )
    if len(environments) > 1:
        raise Problem(
            f"from is {name!r}, which has hosts of {len(environments)} environments: {', '.join(environments)}. "
            "Type -e from= and one of them."
        )
    apps: dict[str, list[str]] = {}
    found = [host for host in hosts if host.host != host.database_host]
    for host in found:
        apps.setdefault(host.app_name, []).append(host.host)
    if len(apps) > 1:
        listing = "; ".join(f"{app} on {', '.join(names)}" for app, names in sorted(apps.items()))
        raise Problem(
            f"from is {name!r}, which has several apps: {listing}. Type -e from= and a group or host that has one."
        )
    if not found:
        raise Problem(f"from is {name!r}, which has no host of an app. Type -e from= and one that has.")
    return found


def _differences(seen: Sequence[Seen], source: str) -> Iterator[str]:
    """Yield how hosts differ."""
    first, deploy = seen[0], f"Type: ansible-playbook deploy.yml -l {source}"
    for host in seen:
        if not host.live:
            yield f"{host.host}: nothing is live there. {deploy}"
        elif not host.commit:
            yield f"{host.host}: release {host.live} is live there, and is not complete. {deploy}"
        elif not first.commit:
            continue
        elif host.commit != first.commit:
            yield (
                f"{host.host}: commit {host.commit[:8]} is live ({host.version}), and {first.host} has "
                f"{first.commit[:8]} ({first.version}). {deploy}"
            )
        elif host.requirements and first.requirements and host.requirements != first.requirements:
            files = ", ".join(sorted(dict(host.requirements.items() ^ first.requirements.items())))
            yield f"{host.host}: {files} is not the same as on {first.host}. {deploy}"


def refusals(seen: Sequence[Seen], source: str, environment: str, after: str) -> list[str]:
    """Return why what is live there must not be promoted, a line each.

    Args:
        seen: what is live on its hosts, at least one.
        source: what was typed as `-e from=`.
        environment: that is deployed to.
        after: `release_promote_after`.

    Raises:
        Problem: that is no duration.
    """
    found = list(_differences(seen, source))
    for host in seen:
        found += [f"{host.host}: {problem}" for problem in host.problems]
    if any(host.problems for host in seen):
        # As `verify` says it: what somebody changed is left to what runs from it.
        found.append(f"What is not proven a deploy replaces: ansible-playbook deploy.yml -l {source}")
    least = duration(after, AFTER)
    for host in seen:
        if not least or not host.live:
            continue
        if host.seconds is None:
            found.append(
                f"{host.host}: its history does not tell since when {host.live} is live, and {AFTER} is {after}. "
                f"Type: ansible-playbook releases.yml -l {source}"
            )
        elif host.seconds < least:
            found.append(
                f"{host.host}: {host.live} is live for {told(host.seconds)}, and {AFTER} is {after} "
                f"({where(environment, AFTER)}). Type the same again in {told(least - host.seconds)}"
            )
    return found


def judge(seen: Sequence[Seen], source: str, environment: str, after: str) -> Seen:
    """Return what is live there, of which all hosts have the same.

    Args: as of `refusals`.

    Raises:
        Problem: it must not be promoted.
    """
    found = refusals(seen, source, environment, after)
    if found:
        lines = "\n".join(f"  {line}" for line in found)
        raise Problem(
            f"What is live in {source} is not to be promoted to {environment}:\n{lines}\nNothing was changed."
        )
    return seen[0]


def compare(there: Seen, packed: Mapping[str, Any], source: str, environment: str) -> list[str]:
    """Return how what would be deployed here differs from what is live there, a line each.

    What only the one that is installed adds, such as prod.txt to requirements.txt, is no difference.

    Args:
        there: what is live.
        packed: `commit`, `version` and `requirements_hashes` of what would be deployed.
        source: what was typed as `-e from=`.
        environment: that is deployed to.
    """
    if packed["commit"] != there.commit:
        would = f"commit {packed['commit'][:8]} would be deployed, and {there.host} has {there.commit[:8]}"
        return [f"{would}. Leave -e release_version={packed['version']} out"]
    theirs, ours = there.requirements or {}, packed["requirements_hashes"]
    mend = (
        f"release_subdirectory and release_requirements_file have to name the same in {where(source, AFTER)} and "
        f"{where(environment, AFTER)}"
    )
    if not theirs.keys() & ours.keys():
        would = f"{', '.join(ours)} would be installed, and {there.host} has {', '.join(theirs)}"
        return [f"{would}, which is none of these; {mend}"]
    return [
        f"{file} would be installed with the hash {ours[file][:16]}, and {there.host} has {theirs[file][:16]}; {mend}"
        for file in ours
        if file in theirs and ours[file] != theirs[file]
    ]


def _names(pins: Sequence[str]) -> dict[str, None]:
    """Return lines without their hashes, in order."""
    return dict.fromkeys(pin.partition(" --hash=")[0] for pin in pins)


def say(seen: Sequence[Seen], packed: Mapping[str, Any], source: str, environment: str) -> list[str]:
    """Return what is promoted, and what is added to it here, as lines.

    Args:
        seen: what is live there, the same on all hosts.
        packed: `requirements_hashes` and `pins` of what is deployed.
        source: what was typed as `-e from=`.
        environment: that is deployed to.
    """
    there = seen[0]
    named = "" if there.called == there.commit[:8] else f" ({there.called})"
    ages = [host.seconds for host in seen if host.seconds is not None]
    since = f", live for {told(min(ages))}" if ages else ""
    hosts = ", ".join(host.host for host in seen)
    proven = f"proven: {len(there.pins)} requirements, Python {there.python}"
    lines = [f"From {source} to {environment}: commit {there.commit[:8]}{named}{since} on {hosts}; {proven}."]
    theirs, ours = there.requirements or {}, packed["requirements_hashes"]
    lines += [f"{file}: the same, {digest}." for file, digest in ours.items() if file in theirs]
    before, after = _names(there.pins), _names(packed["pins"])
    added, left = [pin for pin in after if pin not in before], [pin for pin in before if pin not in after]
    if added:
        lines.append(f"{', '.join(file for file in ours if file not in theirs)} adds here: {', '.join(added)}.")
    if left:
        lines.append(f"{', '.join(file for file in theirs if file not in ours)} added there alone: {', '.join(left)}.")
    return lines
