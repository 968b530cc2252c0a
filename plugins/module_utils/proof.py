"""Compare what a virtualenv holds with the file that it was made from, on the controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import LOCK, Pin, read_requirements
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


@dataclass(frozen=True)
class Package:
    """An installed distribution.

    Attributes:
        name: as it calls itself.
        version: likewise.
        requires: its Requires-Dist.
        url: where it came from if from no index.
        changed: its files that are not what was installed.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    url: str = ""
    changed: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name in the form of PEP 503."""
        return canonicalize_name(self.name)


def same_version(installed: str, pin: Pin) -> bool:
    """Tell whether an installed version is the one that a line names, by PEP 440: 1.0 is 1.0.0, and 1.0+a is not 1.0.

    `packaging` alone would take 1.0+a for 1.0, as pip does; but a frozen file names what is there with its local part.
    """
    if pin.requirement.url:
        return True
    specifier = next(iter(pin.requirement.specifier))
    try:
        return Version(installed) == Version(specifier.version)
    except InvalidVersion:
        return installed.lower() == specifier.version.lower()


def differences(
    pins: Sequence[Pin], packages: Sequence[Package], environment: Mapping[str, str], file: str
) -> Iterator[str]:
    """Yield how the packages of a virtualenv differ from a requirements file, a line each.

    Args:
        pins: of the file.
        packages: installed.
        environment: of the virtualenv's interpreter, for markers.
        file: its name, for messages.
    """
    wanted = {pin.name: pin for pin in pins if pin.applies(environment)}
    installed = {package.key: package for package in packages}
    for package in packages:
        if package.key not in wanted:
            yield f"extra: {package.name} {package.version} is installed, and {file} does not have it"
    for name, pin in wanted.items():
        found = installed.get(name)
        if found is None:
            yield f"missing: {pin.requirement} ({pin.place}) is not installed"
        elif not same_version(found.version, pin):
            yield f"different: {found.name} is {found.version}, and {pin.place} says {pin.requirement}"
        elif (pin.requirement.url or "").partition("#")[0] != found.url.partition("#")[0]:
            origin = found.url or "an index"
            yield f"different: {found.name} comes from {origin}, and {pin.place} says {pin.requirement}"
    for package in packages:
        for path in package.changed[:3]:
            yield f"changed: {path} of {package.name} {package.version} is not what was installed"
        if len(package.changed) > 3:
            yield f"changed: and {len(package.changed) - 3} more files of {package.name} {package.version}"


def conflicts(pins: Sequence[Pin], packages: Sequence[Package], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield where the file itself asks for packages that do not fit together, a line each, by the rules of `pip check`.

    What is missing or different though the file has it is for `differences` to tell.

    Args:
        pins: of the file.
        packages: installed.
        environment: of the virtualenv's interpreter, for markers.
    """
    wanted = {pin.name: pin for pin in pins if pin.applies(environment)}
    installed = {package.key: package for package in packages}
    for package in packages:
        for text in package.requires:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            if requirement.marker and not requirement.marker.evaluate({**environment, "extra": ""}):
                continue
            key = canonicalize_name(requirement.name)
            found = installed.get(key)
            if key in wanted and (found is None or not same_version(found.version, wanted[key])):
                continue
            wish = f"{package.name} {package.version} requires {requirement.name}{requirement.specifier}"
            if found is None:
                yield f"{wish}, which is not installed. Type: {LOCK}"
            elif not requirement.specifier.contains(found.version, prereleases=True):
                yield f"{wish}, and {found.version} is installed. Type: {LOCK}"


def interpreter_problems(asked: str, made_with: Mapping[str, str], version: str, target: str) -> Iterator[str]:
    """Yield how a virtualenv's interpreter is not the one that it should be, a line each.

    Args:
        asked: python_version of the inventory; empty where any will do.
        made_with: `python` (a path) and `version`, from when the virtualenv was made.
        version: of the interpreter now.
        target: where the virtualenv's link to it leads now.
    """
    if asked and not f"{version}.".startswith(f"{asked}."):
        yield f"interpreter: it is Python {version}, and python_version is {asked}"
    if made_with.get("version") != version:
        yield f"interpreter: it is Python {version}, and the virtualenv was made with {made_with.get('version')}"
    if made_with.get("target") != target:
        yield f"interpreter: it is {target}, and the virtualenv was made with {made_with.get('target')}"


def problems(seen: Mapping[str, Any], asked: str) -> list[str]:
    """Return how a virtualenv is not what its requirements say, a line each.

    Args:
        seen: what `virtualenvs.look` read on the host.
        asked: python_version.
    """
    files = seen["marker"]["requirements"]
    path = PurePosixPath(next(iter(files)))
    try:
        requirements = read_requirements(path, files.get)
    except Problem as problem:
        return [str(problem)]
    packages = [
        Package(each["name"], each["version"], tuple(each["requires"]), each["url"], tuple(each["changed"]))
        for each in seen["packages"]
    ]
    environment, version = seen["environment"], seen["environment"]["python_full_version"]
    found = [f"changed: {file} of the release is not what was deployed" for file in seen["changed_files"]]
    found += interpreter_problems(asked, seen["marker"], version, seen["target"])
    found += differences(requirements.pins, packages, environment, str(path))
    found += [f"extra: {file} is in the virtualenv, and belongs to no package" for file in seen["strays"][:10]]
    found += conflicts(requirements.pins, packages, environment)
    return found


def refusal(seen: Mapping[str, Any], asked: str) -> str:
    """Return what to say of a virtualenv that is not what its requirements say, or nothing.

    Args:
        seen: as for `problems`.
        asked: likewise.
    """
    found = problems(seen, asked)
    if not found:
        return ""
    return "\n  ".join([f"The virtualenv of release {seen['release']} is not what its requirements say:", *found])
