"""Read a project's requirements files, on the controller, as pip reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath

from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

FROZEN = "requirements.txt"
TO_FREEZE = "requirements_to_freeze.txt"
LOCK = "ansible-playbook lock.yml with the same -l"
HASH = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
OPTIONS = (
    *("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index"),
    *("--pre", "--prefer-binary", "--only-binary", "--no-binary", "--require-hashes"),
)
"""What pip and uv both take from a requirements file, and what makes no release less exact."""
INCLUDE = re.compile(r"(-r|-c|(?:--requirement|--constraint)(?=[\s=]|$))[\s=]*(\S.*)?")
CHECKOUT = re.compile(r"(?:^|@\s*)(?:git|hg|svn|bzr)\+")
VARIABLE = re.compile(r"\$\{\w+\}")
PASSWORD = re.compile(r"(?<!ssh:)//(?![^/\s]*\$\{\w+\})[^/\s]*@")
"""What stands before the host of a URL. With ssh it is a name and no secret, and a variable is none either."""


@dataclass(frozen=True)
class Pin:
    """A line that names one version of a distribution, or one file.

    Attributes:
        requirement: what the line says.
        version: None for a URL, and for what `===` names and PEP 440 does not know.
        place: file and line, for messages.
        hashes: of the files that may be installed.
    """

    requirement: Requirement
    version: Version | None
    place: str
    hashes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in the form of PEP 503, so that two spellings are equal."""
        return canonicalize_name(self.requirement.name)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Tell whether the line is meant for an interpreter, from its marker (PEP 508)."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate(dict(environment))


@dataclass(frozen=True)
class Direct:
    """A line that leaves the version open: of requirements_to_freeze.txt, or of a file that `-c` names."""

    requirement: Requirement
    place: str

    @property
    def name(self) -> str:
        """The name in the form of PEP 503."""
        return canonicalize_name(self.requirement.name)

    def is_met_by(self, pin: Pin) -> bool:
        """Tell whether a pin of the same name is what the line asks for."""
        if self.requirement.url:
            return self.requirement.url.partition("#")[0] == (pin.requirement.url or "").partition("#")[0]
        return pin.version is None or self.requirement.specifier.contains(pin.version, prereleases=True)


@dataclass
class Requirements:
    """A requirements file and those that it names.

    Attributes:
        pins: the lines that are good.
        constraints: those of the files that `-c` names.
        problems: what is wrong with the others, a line each.
        files: path and text of every file read, in order.
    """

    pins: list[Pin] = field(default_factory=list)
    constraints: list[Direct] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """The hash of all files, by which a virtualenv is found again."""
        return sha256("\0".join(part for pair in self.files.items() for part in pair).encode()).hexdigest()


def text_hash(text: str) -> str:
    """Return the hash of one file, whichever line ends it has on the machine that read it."""
    return sha256(text.replace("\r\n", "\n").replace("\r", "\n").encode()).hexdigest()


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return pip's lines with their numbers: continued ones joined, comments cut off, empty ones left out."""
    lines, start, pending = [], 0, ""
    physical = text.splitlines()
    for number, line in enumerate(physical, start=1):
        start = start if pending else number
        # A line that is all comment ends what was continued, and is not continued itself.
        is_comment = line.lstrip().startswith("#")
        is_continued = line.endswith("\\") and not is_comment
        pending += line.rstrip("\\") + " " if is_continued else line
        if is_continued and number < len(physical):
            continue
        content = re.sub(r"(^|\s)#.*$", "", pending).strip()
        if content:
            lines.append((start, content))
        pending = ""
    return lines


def read_requirements(path: PurePosixPath, read: Callable[[str], str | None]) -> Requirements:
    """Read a requirements file and those that it names with -r and -c.

    Args:
        path: the file, inside the project.
        read: returns the text of a file of the project, or None where there is none.

    Raises:
        Problem: the project has no such file.
    """
    result = Requirements()
    if read(str(path)) is None:
        raise Problem(f"The project has no {path}.")
    _read((path,), read, result, set(), is_constraint=False)
    result.problems = list(dict.fromkeys([*result.problems, *_disagreements(result)]))
    return result


def _read(
    paths: Sequence[PurePosixPath],
    read: Callable[[str], str | None],
    result: Requirements,
    done: set[tuple[PurePosixPath, bool]],
    *,
    is_constraint: bool,
) -> None:
    """Read the last of some files, each of which names the next. However many name it, once is enough."""
    path = paths[-1]
    if (path, is_constraint) in done:
        return
    done.add((path, is_constraint))
    text = result.files[str(path)] = read(str(path)) or ""
    if not is_text(text):
        result.problems.append(not_text(path))
        return
    for number, line in logical_lines(text):
        place = f"{path}, line {number}"
        option = INCLUDE.fullmatch(line)
        try:
            if option:
                other = _included(option[2] or "", path, place)
                if read(str(other)) is None:
                    raise Problem(f"{place}: the project has no {other}.")
                if other in paths:
                    raise Problem(f"{place}: {other} is being read already. Take out one of the lines that name it.")
                constrains = is_constraint or option[1] in ("-c", "--constraint")
                _read((*paths, other), read, result, done, is_constraint=constrains)
            elif is_constraint:
                direct = parse_direct(line, place)
                result.constraints += [direct] if direct else []
            else:
                pin = parse_line(line, place)
                result.pins += [pin] if pin else []
        except Problem as problem:
            result.problems.append(str(problem))


def is_text(text: str) -> bool:
    """Tell whether what was read as UTF-8 was that."""
    return "\0" not in text and "\ufffd" not in text


def not_text(path: PurePosixPath | str) -> str:
    """Return what to do with a file that is not UTF-8."""
    return f"{path} is not UTF-8 (PowerShell's > writes UTF-16). Save it as UTF-8."


def _included(name: str, path: PurePosixPath, place: str) -> PurePosixPath:
    """Return the file that a line of another one names.

    Raises:
        Problem: it names none, or none of the project.
    """
    if not name or re.search(r"""[\s"']""", name):
        raise Problem(f"{place}: -r and -c take the name of one file, without blanks and quotes: -r base.txt")
    if "://" in name:
        raise Problem(f"{place}: {name} lies outside the project. Put that file into it, and name it here.")
    return inside(path.parent / name, place)


def inside(path: PurePosixPath, place: str) -> PurePosixPath:
    """Return a path of the project without `..`.

    Raises:
        Problem: it leads out of the project.
    """
    parts: list[str] = []
    for part in path.parts:
        if part == "/" or (part == ".." and not parts):
            raise Problem(f"{place}: {path} lies outside the project. Put that file into it, and name it here.")
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def parse_option(line: str, place: str) -> None:
    """Refuse an option of pip that has no place in a project's requirements.

    Raises:
        Problem: it has none, or it holds a password.
    """
    if PASSWORD.search(line):
        raise Problem(
            f"{place}: a password in git is none any more. Put the URL into the vault, refer to it in python_indexes, "
            "and take the line out."
        )
    if re.match(r"-e|--editable\b", line):
        raise Problem(
            f"{place}: {line!r} is editable, and so not an exact version. Pin a version with ==, or take the line out "
            "where it is the project itself, which is deployed anyway."
        )
    if not re.match(rf"({'|'.join(OPTIONS)})(\s|=|$)", line):
        option = re.split(r"[\s=]", line)[0]
        raise Problem(f"{place}: {option} is no option for a deploy. Take the line out.")
    if VARIABLE.search(line):
        raise Problem(
            f"{place}: {line!r} would take its meaning from the environment, which a host has not. If that is a "
            "password, put the URL into the vault, refer to it in python_indexes, and take the line out."
        )


def parse_requirement(line: str, place: str) -> tuple[Requirement, tuple[str, ...]]:
    """Return what a line asks for, and its hashes.

    Raises:
        Problem: it asks for something that only this checkout has, or cannot be read.
    """
    text, *options = (part.strip() for part in re.split(r"\s--", line))
    if PASSWORD.search(text):
        raise Problem(f"{place}: a password in git is none any more. Pin a version with ==, and see python_indexes.")
    if VARIABLE.search(text):
        raise Problem(f"{place}: {text!r} would take its meaning from the environment, which a host has not.")
    hashes = tuple(_parse_hash(option, place) for option in options)
    if CHECKOUT.search(text):
        raise Problem(
            f"{place}: {text!r} is a checkout, which no hash holds still. Pin a version with ==, or name an archive of "
            "that commit: name @ https://…tar.gz"
        )
    is_path = re.match(r"[./~]|file:", text) or re.search(r"@\s*(?:file:|[./~])", text)
    if is_path or ("://" not in text and re.search(r"\.(whl|zip|tar\.\w+)$", text)):
        raise Problem(f"{place}: {text!r} is a path, which a host has not. Pin a version with ==.")
    try:
        return _understood(text), hashes
    except (ValueError, LookupError, RecursionError):
        pass
    head, _, marker = text.partition(";")
    try:
        _understood(head)
    except (ValueError, RecursionError):
        raise Problem(f"{place}: {text!r} is not a requirement with a version. Write it as name==version.") from None
    raise Problem(f"{place}: {marker.strip()!r} is no condition. Write it like this: python_version < '3.12'")


def _parse_hash(option: str, place: str) -> str:
    """Return the hash of an option behind a requirement: uv takes no other there.

    Raises:
        Problem: it is another option, or no hash.
    """
    name, value = (part.strip() for part in re.split(r"[\s=]|$", option, maxsplit=1))
    if name != "hash":
        raise Problem(f"{place}: --{name} is no option for a deploy. Take it out.")
    if not HASH.fullmatch(value):
        raise Problem(f"{place}: {value!r} is no hash. Write it as --hash=sha256: and 64 of 0-9 and a-f.")
    return value


def _understood(text: str) -> Requirement:
    """Return a requirement that can be judged: packaging finds some of what is wrong only then.

    Raises:
        ValueError: it is none, or names no file of a server, or compares what cannot be compared.
        LookupError: its marker asks for what no interpreter has.
    """
    requirement = Requirement(text)
    if requirement.url and not re.match(r"https?://", requirement.url):
        raise ValueError(requirement.url)
    for specifier in requirement.specifier:
        specifier.contains("1")
    if requirement.marker:
        requirement.marker.evaluate(linux_environment())
    return requirement


def parse_line(line: str, place: str) -> Pin | None:
    """Return what a line pins, or None if it is an option.

    Raises:
        Problem: it may mean another version tomorrow, or cannot be read.
    """
    if line.startswith("-"):
        parse_option(line, place)
        return None
    requirement, hashes = parse_requirement(line, place)
    specifiers = list(requirement.specifier)
    if requirement.url:
        if not hashes and not re.search(r"#(.*&)?sha256=[0-9a-f]{64}(&|$)", requirement.url):
            raise Problem(f"{place}: {requirement} has no hash, so it may be another file tomorrow. {_freeze()}")
        return Pin(requirement, None, place, hashes)
    exact = specifiers[0].version if len(specifiers) == 1 and specifiers[0].operator in ("==", "===") else ""
    if not exact or exact.endswith("*"):
        raise Problem(f"{place}: {requirement} is not pinned to one version. {_freeze()}")
    try:
        return Pin(requirement, Version(exact), place, hashes)
    except InvalidVersion:
        return Pin(requirement, None, place, hashes)


def _freeze() -> str:
    return f"Put it into {TO_FREEZE} and type: {LOCK}"


def parse_direct(line: str, place: str) -> Direct | None:
    """Return what a line asks for, or None if it is an option.

    Raises:
        Problem: it cannot be read.
    """
    if line.startswith("-"):
        parse_option(line, place)
        return None
    return Direct(parse_requirement(line, place)[0], place)


def _disagreements(requirements: Requirements) -> Iterator[str]:
    """Yield what is wrong with lines beside each other."""
    seen: dict[str, Pin] = {}
    for pin in requirements.pins:
        if pin.requirement.marker:
            continue
        other = seen.setdefault(pin.name, pin)
        if (other.version, other.requirement.url) != (pin.version, pin.requirement.url):
            yield f"{pin.place}: {pin.requirement} contradicts {other.place}: {other.requirement}. Take one out."
    for constraint in requirements.constraints:
        pinned = seen.get(constraint.name)
        if pinned and not constraint.requirement.marker and not constraint.is_met_by(pinned):
            wish = f"{constraint.place} asks for {constraint.requirement}"
            yield f"{pinned.place}: {pinned.requirement} is pinned, and {wish}. Change one of them."
    if any(pin.hashes for pin in requirements.pins):
        for pin in requirements.pins:
            if not pin.hashes and not pin.requirement.url:
                yield f"{pin.place}: {pin.requirement} has no hash, and other lines have: all, or none."


def read_direct(path: PurePosixPath | str, text: str) -> tuple[list[Direct], list[str]]:
    """Return what requirements_to_freeze.txt asks for, and what is wrong with it, a line each."""
    if not is_text(text):
        return [], [not_text(path)]
    found: list[Direct] = []
    problems = []
    for number, line in logical_lines(text):
        place = f"{path}, line {number}"
        try:
            if re.match(r"-r|--requirement|-c|--constraint", line):
                raise Problem(f"{place}: {line!r} would stand in {FROZEN} as it is. Put that file's lines here.")
            direct = parse_direct(line, place)
            found += [direct] if direct else []
        except Problem as problem:
            problems.append(str(problem))
    return found, problems


def linux_environment(python: str = "") -> dict[str, str]:
    """Return what markers (PEP 508) are judged by where no host has been asked yet.

    Args:
        python: the full version of the interpreter; empty: of this one.
    """
    environment = {key: str(value) for key, value in default_environment().items()}
    environment.update(sys_platform="linux", os_name="posix", platform_system="Linux")
    if python:
        short = ".".join(python.split(".")[:2])
        environment.update(python_version=short, python_full_version=python, implementation_version=python)
    return environment
