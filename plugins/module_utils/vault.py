"""Make and change the secrets in an environment's vault file, as text: whatever else stands there stays as it is.

No message holds a value.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible_collections.initech.django.plugins.module_utils.inputs import UNFILLED, leaves
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from jinja2 import nodes

PREFIX = "vault_"
FALLBACKS = "_fallbacks"
"""What is added to the name of a key for that of the list of its former values."""

NEXT = "_next"
"""What is added to the name of a password for that of the value that is to take its place."""

KEY = "vault_secret_key"
DATABASE = "vault_database_password"
KEY_PATH = "release_env.SECRET_KEY"
CREDENTIAL_PATH = "database_password"
USER_PATH = "database_user"
URL_LOOKUP = "initech.django.database_url"
"""The lookup that takes the two from the inventory by itself."""

BACKUP = "vault_backup_passphrase"
BACKUP_PATH = "backup_passphrase"

NOBODY_KNOWS = "nobody-knows-"
"""How a password begins that inventories/vault-password-client made up, since it took it for one that nobody needs."""

OTHER = "other"
"""The vault id under which ansible.cfg asks for the password of whichever environment it does not list."""

DEFAULT = "default"
"""The vault id of a password that was given to Ansible without one."""

WIDE = 1_000_000_000


# The text of a vault file


class Unfit(Exception):
    """What is wrong with the text of a vault file, in words that go on after its name."""


@contextmanager
def by_hand(file: str) -> Iterator[None]:
    """Say of a vault file that cannot be changed here how to do it by hand.

    Args:
        file: its path.

    Raises:
        Problem: it cannot.
    """
    try:
        yield
    except Unfit as error:
        raise Problem(
            f"{file} {error}, so nothing was changed. To do it by hand type: ansible-vault edit {shlex.quote(file)}"
        ) from None


class _Loader(yaml.SafeLoader):
    """Reads values with tags of Ansible's own too, such as `!unsafe`."""


def _tagged(_loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> tuple[str, str]:
    return tag, yaml.serialize(node)


_Loader.add_multi_constructor("!", _tagged)


def read(text: str) -> dict[str, Any]:
    """Return the values by name; one that has a tag stands for itself and for nothing that could be used.

    Raises:
        Unfit: it is no YAML, or no mapping.
    """
    try:
        values = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError) as error:
        # What YAML itself says shows the line.
        mark = getattr(error, "problem_mark", None)
        raise Unfit(f"is no valid YAML{f', at line {mark.line + 1}' if mark else ''}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise Unfit("does not hold names and their values")
    return values


def _spots(text: str, name: str) -> Iterator[tuple[int, int, int]]:
    """Yield where a name stands, and where its value begins and ends."""
    root = yaml.compose(text, _Loader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == name:
            begin, end = value.start_mark.index, _end(value)
            # YAML takes the empty lines behind a value in lines for a part of it.
            yield key.start_mark.index, begin, begin + len(text[begin:end].rstrip())


def _spot(text: str, name: str) -> tuple[int, int, int] | None:
    found = list(_spots(text, name))
    if len(found) > 1:
        raise Unfit(f"has {name} twice")
    return found[0] if found else None


def _end(node: yaml.Node) -> int:
    """Return where a value ends, without the comments below it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _end(last[-1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _dumped(value: str | Sequence[str]) -> str:
    """Return a value in double quotes, in one line."""
    value = value if isinstance(value, str) else list(value)
    style: dict[str, Any] = {"default_style": '"', "default_flow_style": True, "allow_unicode": True, "width": WIDE}
    text: str = yaml.safe_dump(value, **style)
    return text.rstrip("\n")


def _checked(name: str, text: str, expected: Mapping[str, Any]) -> str:
    try:
        is_good = read(text) == expected
    except Unfit:
        is_good = False
    if not is_good:
        raise Unfit(f"is written in a way in which {name} cannot be changed without touching something else")
    return text


def with_value(text: str, name: str, value: str | Sequence[str]) -> str:
    """Return the text with another value of a name, in its place, or with a new line at the end.

    Raises:
        Unfit: it cannot be read, or something else would change.
    """
    expected = {**read(text), name: value if isinstance(value, str) else list(value)}
    spot = _spot(text, name)
    if spot:
        _, begin, end = spot
        # Behind the name, or where a list began that is no further in than the name.
        blank = " " if text[:begin].endswith((":", "\n")) else ""
        return _checked(name, f"{text[:begin]}{blank}{_dumped(value)}{text[end:]}", expected)
    line_end = "\r\n" if "\r\n" in text else "\n"
    start = text if text.strip() else "---\n"
    start += "" if start.endswith("\n") else line_end
    return _checked(name, f"{start}{name}: {_dumped(value)}{line_end}", expected)


def without_value(text: str, name: str) -> str:
    """Return the text without the lines of a name.

    Raises:
        Unfit: it cannot be read, or something else would change.
    """
    expected = {key: value for key, value in read(text).items() if key != name}
    spot = _spot(text, name)
    if not spot:
        return text
    begin, _, end = spot
    line = text[end:].find("\n")
    return _checked(name, text[:begin] + (text[end + line + 1 :] if line >= 0 else ""), expected)


def write(file: Path, content: bytes) -> None:
    """Write a vault file, whole or not at all. A new one nobody else can read.

    Raises:
        OSError: it cannot be written.
    """
    draft = file.with_name(f".{file.name}.draft")
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    # What a run that was killed left.
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        draft.chmod(mode)
        os.replace(draft, file)
    finally:
        draft.unlink(missing_ok=True)


# The variables of an inventory


@cache
def names_in(template: str) -> Mapping[str, bool]:
    """Return the variables that a template refers to, and whether each has to be there.

    It does not where there is a default for it, or where the template asks whether it is defined.
    """
    if "{{" not in template and "{%" not in template:
        return {}
    try:
        # It is only parsed, never rendered.
        tree = jinja2.Environment(autoescape=True).parse(template)
    except jinja2.TemplateSyntaxError:
        return {}
    guarded, tested = set(), set()
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        inner = node.node
        while isinstance(inner, (nodes.Getattr, nodes.Getitem)):
            inner = inner.node
        if isinstance(inner, nodes.Name):
            if isinstance(node, nodes.Filter) and node.name in ("default", "d"):
                guarded.add(inner)
            elif isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
                tested.add(inner.name)
    asks = any(constant.value == URL_LOOKUP for constant in tree.find_all(nodes.Const))
    found = dict.fromkeys((USER_PATH, CREDENTIAL_PATH), True) if asks else {}
    for name in tree.find_all(nodes.Name):
        found[name.name] = found.get(name.name, False) or not (name in guarded or name.name in tested)
    return found


def is_blank(value: Any) -> bool:
    """Tell whether somebody has still to give a value."""
    return value is None or (isinstance(value, str) and (not value.strip() or value.startswith(UNFILLED)))


class Variables:
    """The variables of one host as written, and what refers to what."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Look at them.

        Args:
            raw: by name, not evaluated.
        """
        self.raw = raw
        self.references: dict[str, Mapping[str, bool]] = {}
        for name, value in raw.items():
            # A second name of everything.
            if name != "vars":
                for path, leaf in leaves(name, value):
                    found = names_in(str(leaf)) if isinstance(leaf, str) else {}
                    if found:
                        self.references[path] = found

    def reached(self, path: str, *, without: str = "") -> set[str]:
        """Return the variables that a value is made of, through others too.

        Args:
            path: of the value, for example `release_env.SECRET_KEY`, or of what holds it.
            without: a variable that is not looked into.
        """
        seen: set[str] = set()
        waiting = [path]
        while waiting:
            wanted = waiting.pop()
            for place, names in self.references.items():
                if wanted != without and (place == wanted or place.startswith((f"{wanted}.", f"{wanted}["))):
                    waiting += names.keys() - seen
                    seen |= names.keys()
        return seen

    def used_in(self, path: str) -> set[str]:
        """Return the variables of the vault that a value is made of, through others too."""
        return {name for name in self.reached(path) if name.startswith(PREFIX)}

    def lacking(self) -> dict[str, str]:
        """Return the variables of the vault that have to be there and are not, with where the first one is used."""
        found: dict[str, str] = {}
        for path, names in self.references.items():
            for name, is_needed in names.items():
                if is_needed and name.startswith(PREFIX) and is_blank(self.raw.get(name)):
                    found.setdefault(name, path)
        return found

    def has_key(self, key: str) -> bool:
        """Tell whether `release_env` has a key."""
        env = self.raw.get("release_env")
        return isinstance(env, Mapping) and key in env


# What is to be done


@dataclass(frozen=True)
class Plan:
    """What a run does to a vault file, by names.

    Attributes:
        text: the whole file, decrypted.
        made: names that get their first value.
        rotated: names of keys that get another value.
        begun: names of passwords that get a next value beside the one that they have.
        rotating: names of passwords that have one, which the database and the hosts have still to learn.
        removed: lists of former values.
        lacking: names that nobody can make up, with where they are used.
        needs_provision: one is among them that the host has to learn before a deploy.
    """

    text: str
    made: Sequence[str]
    rotated: Sequence[str]
    begun: Sequence[str]
    rotating: Sequence[str]
    removed: Sequence[str]
    lacking: Mapping[str, str]
    needs_provision: bool

    @property
    def changes(self) -> bool:
        """Whether the file will be another."""
        return bool(self.made or self.rotated or self.begun or self.removed)


def plan(
    hosts: Mapping[str, Variables],
    played: Collection[str],
    text: str,
    rotate: Sequence[str],
    file: str,
    *,
    make: Callable[[int], str] = secrets.token_urlsafe,
) -> Plan:
    """Return what is to be done, which is nothing where nothing is lacking.

    Made up is what this collection alone gives out: Django's key, the password of a database that it makes, and what
    its backups are encrypted with. What is left of an earlier rotation is removed, unless something is rotated now.

    Args:
        hosts: all of the environment, by name.
        played: the names of those that the run reaches.
        text: the vault file, decrypted; empty where there is none.
        rotate: keys of `release_env`, or names of the vault.
        file: its path, for messages.
        make: returns a new secret of that many random bytes, of characters that need no escaping.

    Raises:
        Problem: something cannot be rotated. All of it in one message.
        Unfit: the file cannot be changed.
    """
    values, all_hosts = read(text), hosts.values()
    keys = {KEY}.union(*(host.used_in(KEY_PATH) for host in all_hosts))
    passwords = {DATABASE}.union(*(host.used_in(CREDENTIAL_PATH) for host in all_hosts))
    passphrases = {BACKUP}.union(*(host.used_in(BACKUP_PATH) for host in all_hosts))
    lacking: dict[str, str] = {}
    for host in all_hosts:
        lacking = {**host.lacking(), **lacking}
    made = sorted(name for name in lacking if name in keys | passwords | passphrases and is_blank(values.get(name)))
    named = [name for name in rotation(list(all_hosts), keys, passwords, rotate, file) if name not in made]
    rotated = [name for name in named if name in keys]
    rotating = sorted(name for name in passwords if name in named or f"{name}{NEXT}" in values)
    begun = [name for name in rotating if f"{name}{NEXT}" not in values]
    problems = [line for name in rotating for line in password_problems(hosts, played, name, file)]
    if len(rotating) > 1:
        problems.append(
            f"{' and '.join(rotating)} are of several databases: rotate one after the other, by these names"
        )
    rest = {name: path for name, path in sorted(lacking.items()) if name not in made}
    if rotated or rotating:
        # Without them nothing is deployed, by which alone hosts learn what was rotated.
        problems += [
            f"{name}, for {path}: it comes from somebody else and cannot be made up. Write it into the file first: "
            f"ansible-vault edit {shlex.quote(file)}"
            for name, path in rest.items()
        ]
    refuse(problems)
    removed = sorted(name for name in (f"{key}{FALLBACKS}" for key in keys) if name in values and not rotate)
    for name in made:
        text = with_value(text, name, make(50 if name in keys else 32))
    for name in rotated:
        text = with_value(text, f"{name}{FALLBACKS}", former_values(values, name))
        text = with_value(text, name, make(50))
    for name in begun:
        if is_blank(values.get(name)):
            raise Unfit(f"does not hold {name}, which is to be rotated")
        text = with_value(text, f"{name}{NEXT}", make(32))
    for name in removed:
        text = without_value(text, name)
    needs_provision = not (passwords | passphrases).isdisjoint(made)
    return Plan(text, made, rotated, begun, rotating, removed, rest, needs_provision)


def swapped(text: str, name: str) -> str:
    """Return the text of a vault file in which a password has its next value, and that is still there too.

    Raises:
        Unfit: the file cannot be changed.
    """
    return with_value(text, name, read(text)[f"{name}{NEXT}"])


def ended(text: str, name: str) -> str:
    """Return the text of a vault file in which nothing is left of a password's rotation.

    Raises:
        Unfit: the file cannot be changed.
    """
    return without_value(text, f"{name}{NEXT}")


def former_values(values: Mapping[str, Any], name: str) -> list[str]:
    """Return what is kept of a key that gets another value: that which it has, and what was kept before.

    Raises:
        Unfit: something of it cannot be kept.
    """
    if is_blank(values.get(name)):
        raise Unfit(f"does not hold {name}, which is to be rotated")
    kept = values.get(f"{name}{FALLBACKS}") or []
    if not isinstance(kept, list):
        raise Unfit(f"has a {name}{FALLBACKS} that is no list")
    former = [values[name], *kept]
    if not all(isinstance(value, str) and value and "," not in value for value in former):
        raise Unfit(f"has a {name} that is no text or holds a comma, which SECRET_KEY_FALLBACKS cannot keep")
    return former


def refuse(problems: Sequence[str]) -> None:
    """Raise a Problem that lists them, if there are any."""
    if problems:
        raise Problem("Nothing was changed:\n" + "\n".join(f"  {line}" for line in problems))


def rotation(
    hosts: Sequence[Variables], keys: set[str], passwords: set[str], rotate: Sequence[str], file: str
) -> list[str]:
    """Return the names of the vault that get another value.

    Args:
        hosts: all of the environment.
        keys: names that hold a key of Django's.
        passwords: names that hold the password of a database.
        rotate: what the user named.
        file: the path of the vault file, for messages.

    Raises:
        Problem: everything that cannot be rotated, a line each.
    """
    found: list[str] = []
    problems: list[str] = []
    for wanted in dict.fromkeys(name.strip() for name in rotate):
        names = {wanted}
        if not wanted.startswith(PREFIX):
            path = f"release_env.{wanted}" if any(host.has_key(wanted) for host in hosts) else wanted
            names = {name for host in hosts for name in host.used_in(path)}
        problem = _rotation_problem(hosts, keys | passwords, wanted, names)
        problems += [problem] if problem else []
        found += sorted(names.difference(found))
    for name in found if not problems else ():
        used = [host.used_in("release_env") for host in hosts]
        if name in keys and any(name in names and f"{name}{FALLBACKS}" not in names for names in used):
            problems.append(
                f"{name}: release_env does not hand on its former value, so all sessions would end. Write into "
                f"{Path(file).with_name('release.yml')}, below SECRET_KEY: "
                f'SECRET_KEY_FALLBACKS: "{{{{ {name}{FALLBACKS} | default([]) }}}}"'
            )
    refuse(problems)
    return found


def _rotation_problem(hosts: Sequence[Variables], ours: set[str], wanted: str, names: set[str]) -> str | None:
    choice = "Type: -e rotate=SECRET_KEY or -e rotate=DATABASE_URL"
    if not wanted:
        return f"rotate names nothing. {choice}"
    if names and names <= ours:
        return None
    if names and all(is_passphrase(hosts, name) for name in names):
        return f"{wanted}: what was encrypted with it could not be read any more, so it stays as it is"
    if names:
        return (
            f"{wanted}: it is neither a key of Django's nor a database's password: whoever gave it out has to change it"
        )
    if any(host.has_key(wanted) for host in hosts):
        return f"{wanted}: release_env does not take it from the vault"
    return f"{wanted}: release_env does not have it. {choice}"


def is_passphrase(hosts: Sequence[Variables], name: str) -> bool:
    """Tell whether backups are encrypted with what has this name in the vault."""
    return name == BACKUP or any(name in host.used_in(BACKUP_PATH) for host in hosts)


def password_problems(hosts: Mapping[str, Variables], played: Collection[str], name: str, file: str) -> list[str]:
    """Return what stands in the way of giving a database's password another value, a line each.

    While it changes, the app connects as a second user. So what `.env` says must follow from `database_user` and
    `database_password`, and all hosts of that database must take part.

    Args:
        hosts: all of the environment, by name.
        played: the names of those that the run reaches.
        name: that of the password in the vault.
        file: the path of the vault file, for messages.
    """
    concerned = [host for host, variables in hosts.items() if name in variables.used_in(CREDENTIAL_PATH)]
    if not concerned:
        return [f"{name}: {CREDENTIAL_PATH} of no host refers to it"]
    found = []
    if set(concerned) != set(played):
        found.append(f"{name}: it has to change on all of its hosts and no others. Type: -l {','.join(concerned)}")
    release = Path(file).with_name("release.yml")
    for variables in map(hosts.__getitem__, concerned):
        if name in variables.reached("release_env", without=CREDENTIAL_PATH):
            found.append(f"{release}: release_env refers to {name}. Write {CREDENTIAL_PATH} there")
        if not {CREDENTIAL_PATH, USER_PATH} <= variables.reached("release_env"):
            found.append(
                f"{release}: release_env does not follow from {USER_PATH} and {CREDENTIAL_PATH}. Write: "
                f'DATABASE_URL: "{{{{ lookup({URL_LOOKUP!r}) }}}}"'
            )
    return list(dict.fromkeys(found))


# The password of the vault


def label_of(content: bytes) -> str | None:
    """Return the vault id that an encrypted file names, if it does."""
    parts = content.partition(b"\n")[0].decode("ascii", errors="replace").strip().split(";")
    return parts[3] if len(parts) > 3 else None


def choose_secret(environment: str, ids: Sequence[tuple[str, bytes]]) -> int | None:
    """Return which of the passwords that Ansible has is for a new vault of an environment, or None.

    Never one that the client made up: what it encrypts would be lost.

    Args:
        environment: its name.
        ids: vault ids and passwords, in Ansible's order.
    """
    wanted = [environment, OTHER]
    # Where environments have no vault ids there is one password for all of them.
    wanted += [DEFAULT] if {name for name, _ in ids} == {DEFAULT} else []
    for name in wanted:
        for number, (each, password) in enumerate(ids):
            if each == name and not password.startswith(NOBODY_KNOWS.encode()):
                return number
    return None


def no_password(environment: str, password: Path, inventory: str) -> str:
    """Return what to type where Ansible has no password for a new vault.

    Args:
        environment: its name.
        password: where the client looks for it.
        inventory: the directory of the inventory, as one would type it.
    """
    if environment == "demo":
        how = "Type: make demo"
    elif password.exists() and password.stat().st_size:
        command = f"ansible-playbook secrets.yml -i {shlex.quote(inventory)}"
        how = f"{password} is there, and Ansible got none from it. If it holds one, type: {command}"
    else:
        place, file = shlex.quote(str(password.parent)), shlex.quote(str(password))
        how = f"Type: mkdir -p -m 0700 {place} && (umask 077; openssl rand -base64 32 > {file})"
    return f"No vault password for {environment}, so nothing was made. It lies outside git. {how}"


# What is said


def report(plan: Plan, file: str, environment: str, sources: Sequence[str], *, is_done: bool, is_ignored: bool) -> str:
    """Return what was done, or would be, by names, and what to type next.

    Args:
        plan: from `plan`.
        file: the path of the vault file.
        environment: its environment.
        sources: the inventories that have to be named.
        is_done: it was.
        is_ignored: git ignores the file.
    """
    lines = []
    if plan.made:
        lines.append(f"{'Made' if is_done else 'Would make'} in {file}: {', '.join(plan.made)}.")
    if plan.rotated:
        names = ", ".join(plan.rotated)
        lines += [
            f"{'Rotated' if is_done else 'Would rotate'} in {file}: {names}. What the former value signed stays valid",
            "until secrets.yml is run again without rotate, and that is deployed.",
        ]
    if plan.removed:
        lines += [
            f"{'Removed' if is_done else 'Would remove'} from {file}: {', '.join(plan.removed)}.",
            "With the next deploy what the former value signed is no longer valid.",
        ]
    if plan.begun:
        names = ", ".join(plan.begun)
        lines.append(f"{'Made' if is_done else 'Would make'} another value in {file}: {names}.")
    if plan.rotating and is_done:
        names = ", ".join(plan.rotating)
        lines += [
            f"Now {names} is changed in the database and on the hosts, while the app goes on.",
            f"Should this be stopped, type the same again.{'' if is_ignored else ' Commit the file when it is done.'}",
        ]
        return "\n".join(lines)
    if not plan.changes and not plan.lacking:
        lines.append(f"{file} has all that is needed.")
    if plan.lacking:
        listing = "\n".join(f"  {name}, for {path}" for name, path in plan.lacking.items())
        verb = "edit" if plan.text else f"create --encrypt-vault-id {environment}"
        lines.append(
            f"These come from somebody else and cannot be made up:\n{listing}\n"
            f"Write them into the file yourself: ansible-vault {verb} {shlex.quote(file)}"
        )
    if plan.changes and not is_done:
        return "\n".join([*lines, "Nothing was changed yet. To do it type the same without --check."])
    commit = "" if is_ignored or not plan.changes else "Commit the file. "
    playbook = "site.yml" if plan.needs_provision else "deploy.yml"
    options = [*(f"-i {shlex.quote(source)}" for source in sources), f"-l {environment}"]
    lines.append(f"{commit}The next command: ansible-playbook {playbook} {' '.join(options)}")
    return "\n".join(lines)
