"""Make a new project from the template, an inventory for it and its secrets, on the controller."""

from __future__ import annotations

import glob
import json
import keyword
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ansible_collections.initech.django.plugins.module_utils.alone import taken
from ansible_collections.initech.django.plugins.module_utils.git import git
from ansible_collections.initech.django.plugins.module_utils.inputs import is_in_use
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
RENDERED = (".py", ".txt", ".template", ".yml")
"""The files in which names are filled in. `django-admin startproject` is told the same by --extension."""

DATABASES = ("postgresql", "mysql")
LONGEST = 25
"""The app is named after the project, and a user, directories and units after the app."""

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PLACEHOLDER = re.compile(r"\{\{ (\w+) \}\}")
MODULES = frozenset(
    [
        # What the template's requirements.txt installs, where that has another name there.
        *("environ", "mysqldb", "psycopg2", "zope"),
        # What lies beside the project's package, or will.
        *("manage", "pages", "project_name", "static_root"),
        # Neither is among the names of the standard library's modules.
        *("test", "tests"),
    ]
)
TAKEN = frozenset(
    [
        # The demo on the same host, and environments that are there or may be.
        *("slow_sql", "demo", "staging", "prod", "production"),
        # Ansible's own groups.
        *("all", "ungrouped", "localhost"),
        # Names that the database servers keep for themselves.
        *("public", "none", "information_schema", "performance_schema"),
    ]
)


class File(NamedTuple):
    """A file as it is to be."""

    text: str
    is_executable: bool = False


@dataclass(frozen=True)
class Plan:
    """What is to be made: everything was looked at, and nothing is in the way.

    Attributes:
        project: the name.
        directory: where the project will be.
        database: one of DATABASES.
        inventory: the directory of its inventory.
        password: the file that holds the password of its vault.
    """

    project: str
    directory: Path
    database: str
    inventory: Path
    password: Path

    @property
    def app(self) -> str:
        """The name of its user, directories and units."""
        return self.project.replace("_", "-")

    @property
    def vault(self) -> Path:
        """The encrypted file."""
        return self.inventory / "group_vars" / self.project / "vault.yml"


# Templates


def render(template: Path, values: Mapping[str, str]) -> dict[str, File]:
    """Return the files of a template by their paths, as `django-admin startproject --template` writes them.

    Of its language we know only `{{ name }}`, and what we have no value for stays as it is.

    Args:
        template: a directory. Hidden directories and compiled files in it are left out, as Django does.
        values: by name; that of `project_name` also takes its place in the names of files and directories.
    """
    files = {}
    for root, directories, names in os.walk(template):
        directories[:] = sorted(name for name in directories if not name.startswith(".") and name != "__pycache__")
        for name in sorted(name for name in names if not name.endswith((".pyc", ".pyo"))):
            source = Path(root, name)
            # So is called what is Python, or YAML, only when its names are filled in.
            path = str(source.relative_to(template)).replace("project_name", values["project_name"])
            path = path.removesuffix("-tpl")
            text = source.read_text(encoding="utf-8")
            if path.endswith(RENDERED):
                text = PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)
            files[path] = File(text, os.access(source, os.X_OK))
    return files


def project_files(project: str) -> dict[str, File]:
    """Return the files of a new project."""
    return render(TEMPLATES / "project", {"project_name": project})


def inventory_files(plan: Plan) -> dict[str, File]:
    """Return the files of its inventory, but for the vault."""
    values = {
        "project_name": plan.project,
        "app_name": plan.app,
        "database": plan.database,
        "repository": json.dumps(str(plan.directory)),
    }
    return render(TEMPLATES / "inventory", values)


def write(directory: Path, files: Mapping[str, File]) -> None:
    """Write files into a directory, with the permissions that the user's umask leaves."""
    for name, file in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o777 if file.is_executable else 0o666)
        path.write_text(file.text, encoding="utf-8")


# What is refused


def is_module(name: str) -> bool:
    """Tell whether Python, or what the template's project installs, has a module of this name."""
    installed = (TEMPLATES / "project" / "requirements.txt").read_text(encoding="utf-8")
    pinned = {re.sub(r"[-.]", "_", pin.lower()) for pin in re.findall(r"^([\w.-]+)==", installed, re.MULTILINE)}
    return name in pinned | MODULES | set(sys.stdlib_module_names)


def name_problem(name: str, is_importable: Callable[[str], bool] = is_module) -> str | None:
    """Return what is wrong with the name of a project and what to type, or None.

    Args:
        name: becomes a Python package, a database, an inventory group, and with hyphens a user and a host name.
        is_importable: tells whether there is a module of this name.
    """
    if not name:
        return "The project has no name. Type, for example: -e project=shop"
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        better = "_".join(re.findall("[a-z0-9]+", name.lower())).lstrip("0123456789_")[:LONGEST].rstrip("_")
        better = better if better and better != name else "shop"
        return f"{name!r} is no good as a Python package: use a-z, 0-9 and _, a letter first. Type: -e project={better}"
    if len(name) > LONGEST:
        return f"{name!r} is longer than {LONGEST} letters. Type: -e project={name[:LONGEST].rstrip('_')}"
    another = name.removeprefix("pg_")[: LONGEST - len("_site")].rstrip("_") + "_site"
    if is_importable(name):
        return f"{name!r} is the name of a Python module, which the project would hide. Type: -e project={another}"
    if name in TAKEN or is_in_use(name.replace("_", "-")) or name.startswith("pg_"):
        return f"{name!r} is a name that something else has already. Type: -e project={another}"
    return None


def directory_problem(directory: str, checkout: Path) -> str | None:
    """Return what is wrong with the place for a new project and what to type, or None.

    Args:
        directory: absolute, or empty if nobody said.
        checkout: that of the deploy project, in whose git it is not to be.
    """
    if not directory:
        return "The project has no place. Type, for example: -e directory=~/src/shop"
    path = Path(directory).absolute()
    try:
        problem = _place_problem(path.resolve(), checkout)
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}"
    return f"{problem}. Choose another place: -e directory=PATH" if problem else None


def _place_problem(path: Path, checkout: Path) -> str | None:
    nearest = next(each for each in (path, *path.parents) if each.exists())
    # Where something is made: an empty directory gives way to another.
    place = path.parent if nearest == path else nearest
    if path == checkout or checkout in path.parents:
        return f"{path} lies inside {checkout}, which has a git of its own"
    if not str(path).isprintable() or "{" in str(path):
        return f"{str(path)!r} holds characters that Ansible takes for something else"
    if not nearest.is_dir():
        return f"{nearest} is there already, and no directory"
    if nearest == path and any(path.iterdir()):
        return f"{path} is there already, and not empty"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"You may not write to {place}"
    return None


def password_file(environment: str) -> Path:
    """Return where `inventories/vault-password-client` looks for the password of an environment."""
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(configuration, "initech-django", f"{environment}.vault-password")


def plan_project(
    project: str,
    directory: str,
    database: str,
    inventories: Path,
    is_importable: Callable[[str], bool] = is_module,
) -> Plan:
    """Look at everything that a new project needs, and change nothing.

    Args:
        project: its name.
        directory: where it will be, absolute.
        database: one of DATABASES.
        inventories: the directory of all inventories.
        is_importable: see `name_problem`.

    Raises:
        Problem: everything that is wrong, a line each.
    """
    inventories = inventories.resolve()
    wrong_name = name_problem(project, is_importable)
    found = [wrong_name, directory_problem(directory, inventories.parent)]
    if database not in DATABASES:
        choice = " or ".join(f"-e database={name}" for name in DATABASES)
        found.append(f"{database!r} is no database that we know. Type {choice}")
    inventory = inventories / project
    if not inventories.is_dir():
        found.append(f"There is no {inventories}. Type this where ansible.cfg and the inventories are.")
    elif not wrong_name and os.path.lexists(inventory):
        remove = f"rm -r {shlex.quote(str(inventory))}"
        found.append(f"{inventory} is there already. Choose another name, or if its project is gone, type: {remove}")
    if shutil.which("git") is None:
        found.append("There is no git on this machine. Type, as root: apt-get install git")
    lines = [line for line in found if line]
    if lines:
        raise Problem("Nothing was made:\n" + "\n".join(f"  {line}" for line in lines))
    return Plan(project, Path(directory).resolve(), database, inventory, password_file(project))


# What is made


def make(plan: Plan, encrypt: Callable[[str, str], str]) -> None:
    """Make the project and its inventory: beside where they will be, and then put them there.

    Args:
        plan: from `plan_project`.
        encrypt: returns a text encrypted with a password, as a vault.

    Raises:
        Problem: something cannot be made; nothing is left of it then but the password of the vault.
    """
    try:
        password = ensure_password(plan.password)
        with draft_of(plan.inventory) as inventory, draft_of(plan.directory) as project:
            vault = plan.vault.relative_to(plan.inventory)
            write(inventory, {**inventory_files(plan), str(vault): File(encrypt(new_secrets(), password))})
            write(project, project_files(plan.project))
            commit(project)
            inventory.rename(plan.inventory)
            try:
                project.rename(plan.directory)
            except OSError:
                shutil.rmtree(plan.inventory)
                raise
    except OSError as error:
        raise Problem(f"Nothing was made. {error.filename2 or error.filename}: {error.strerror}.") from None


def new_secrets() -> str:
    """Return new values for the vault, in clear text: of characters that need no escaping anywhere."""
    names = ("vault_secret_key", "vault_database_password")
    return "---\n" + "".join(f'{name}: "{secrets.token_urlsafe(48)}"\n' for name in names)


def ensure_password(file: Path) -> str:
    """Return the password of a vault; make one where there is none.

    Raises:
        Problem: there is a program instead, as of a password manager, and it gives none.
        OSError: the file can be neither read nor made.
    """
    if not file.exists() or file.stat().st_size == 0:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Nobody else can read it at any time, and it is there whole or not at all.
        handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(secrets.token_urlsafe(32) + "\n")
        os.replace(draft, file)
    if os.access(file, os.X_OK):
        result = subprocess.run([file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        if result.returncode != 0 or not result.stdout.strip():
            raise Problem(f"Nothing was made. {file} printed no password (exit code {result.returncode}). Correct it.")
        return result.stdout.strip()
    return file.read_text(encoding="utf-8").strip()


@contextmanager
def draft_of(directory: Path) -> Iterator[Path]:
    """Give a new, empty directory beside another; what has not taken its place by then is removed.

    After a run that was killed the next one does that. The lock, which ends with its process, tells it which are dead.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{directory.name}.draft-"
    for left in directory.parent.glob(f"{glob.escape(prefix)}*"):
        with locked(left) as is_ours:
            if is_ours:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=prefix) as parent, locked(Path(parent)):
        # Not itself: that one only its owner can enter.
        draft = Path(parent, directory.name)
        draft.mkdir()
        yield draft


@contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Take the lock of a directory if nobody has it, and say whether that is so."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield taken(descriptor)
    finally:
        os.close(descriptor)


def commit(directory: Path) -> None:
    """Make a directory a git repository with everything in it committed.

    Raises:
        Problem: git cannot; the message shows why.
    """
    # A user's own hooks, key and list of what to ignore are for later commits.
    options = ["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false"]
    run_git(directory, "init", "--quiet", "--initial-branch=main")
    if not all(git(directory, "var", name)[0] for name in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")):
        options += ["-c", "user.name=initech.django", "-c", "user.email=initech.django@localhost"]
    run_git(directory, *options, "add", "--force", ".")
    run_git(directory, *options, "commit", "--quiet", "--message=New project, from the template of initech.django")


def run_git(directory: Path, *arguments: str) -> None:
    """Run git, or fail with what it printed."""
    is_done, output = git(directory, *arguments)
    if not is_done:
        raise Problem(f"Nothing was made. git failed:\n{output}")


# What is said


def report(plan: Plan, here: Path, *, is_made: bool, has_host: bool, port: str) -> str:
    """Return what was made, or would be, and what to type next.

    Args:
        plan: from `plan_project`.
        here: the current directory.
        is_made: it was.
        has_host: `make demo` has booted the throwaway host.
        port: where that publishes its sites.
    """
    # The next command is typed where this one was.
    is_below = here in plan.inventory.parents
    inventory = shlex.quote(str(plan.inventory.relative_to(here) if is_below else plan.inventory))
    made = [
        f"{'Made' if is_made else 'Would make'}:",
        f"  {plan.directory}: the project, a git repository with everything committed",
        f"  {inventory}: its inventory, for the throwaway host; {plan.vault.name} in it holds new secrets, encrypted",
        f"  {plan.password}: the password of that vault, if it is not there yet; keep a copy",
    ]
    command = f"ansible-playbook site.yml -i {inventory}"
    return "\n".join(
        [
            *made,
            "For servers of your own fill in inventories/prod: README.md says how.",
            f"The next command deploys it, and then it is at https://{plan.app}.localhost:{port}/",
            command if has_host else f"make demo && {command}",
        ]
    )
