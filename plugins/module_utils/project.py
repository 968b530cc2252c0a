"""Find one's way in a Django project that nobody here wrote, on the controller."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

MANAGE_DEPTH = 3
DIRECTORIES = "release_shared_directories"
FILES = "release_shared_files"
WSGI = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Tree:
    """A packed source tree: the content of its files by path, and a name for messages."""

    files: Mapping[str, bytes]
    name: str

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None where there is none."""
        content = self.files.get(path)
        return None if content is None else content.decode("utf-8-sig", errors="replace")


def shared_problems(
    tree: Tree, directory: PurePosixPath, directories: Sequence[str], files: Sequence[str]
) -> list[str]:
    """Return what is wrong with the paths that all releases are to share, a line each.

    Args:
        tree: the source.
        directory: of manage.py in it.
        directories: as the inventory has them.
        files: too.
    """
    found = []
    paths = [(DIRECTORIES, path) for path in directories] + [(FILES, path) for path in files]
    known = [PurePosixPath(path) for _, path in paths]
    for (variable, text), path in zip(paths, known):
        inside = str(directory / path)
        is_directory = any(each.startswith(f"{inside}/") for each in tree.files)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            found.append(f"{variable}: {text!r} is no path below the directory of manage.py, such as logs")
        elif path.parts[0] in ("manage.py", ".env"):
            found.append(f"{variable}: {text} belongs to the release. Take it out")
        elif known.count(path) > 1 or any(other in path.parents for other in known):
            found.append(
                f"{variable}: {text} is shared already. Write each directory once, and nothing that lies in it"
            )
        elif any(each.endswith(".py") and (each == inside or each.startswith(f"{inside}/")) for each in tree.files):
            found.append(
                f"{variable}: {text} has code, which would stay that of the first release. Name what is written"
            )
        elif variable == DIRECTORIES and inside in tree.files:
            found.append(f"{variable}: {text} is a file of {tree.name}. Write it into {FILES}")
        elif variable == FILES and is_directory:
            found.append(f"{variable}: {text} is a directory of {tree.name}. Write it into {DIRECTORIES}")
    return found


def find_project(tree: Tree, directory: str = "") -> PurePosixPath:
    """Return the directory of manage.py inside the tree.

    Args:
        tree: the source.
        directory: where the user says that it is; empty: the one nearest to the root.

    Raises:
        Problem: there is none, or there are several as near.
    """
    if directory:
        chosen = PurePosixPath(directory)
        if str(chosen / "manage.py") not in tree.files:
            raise Problem(f"{tree.name} has no {chosen / 'manage.py'}. Correct release_project_directory.")
        return chosen
    found = [path for path in map(PurePosixPath, tree.files) if path.name == "manage.py"]
    depths = [len(path.parts) for path in found]
    if not found or min(depths) > MANAGE_DEPTH:
        raise Problem(
            f"{tree.name} has no manage.py. Set release_subdirectory to the directory of the Django project, "
            "or correct release_repository and release_version."
        )
    nearest = sorted(str(path.parent) for path, depth in zip(found, depths) if depth == min(depths))
    if len(nearest) > 1:
        raise Problem(
            f"{tree.name} has manage.py in {', '.join(nearest)}. Set release_project_directory to the one you mean."
        )
    return PurePosixPath(nearest[0])


def find_requirements(tree: Tree, project: PurePosixPath, file: str = "", environment: str = "") -> PurePosixPath:
    """Return the requirements file: the one named, or the one beside manage.py or above it.

    There, a file named after the environment comes before requirements.txt, to which it adds.

    Raises:
        Problem: there is none.
    """
    if file:
        chosen = PurePosixPath(file)
        if str(chosen) not in tree.files:
            raise Problem(f"{tree.name} has no {chosen}. Correct release_requirements_file.")
        return chosen
    for directory in (project, *project.parents):
        if str(directory / "requirements.txt") in tree.files:
            own = directory / f"{environment}.txt"
            return own if environment and str(own) in tree.files else directory / "requirements.txt"
    raise Problem(
        f"{tree.name} has no requirements.txt. Write what the project needs directly into requirements_to_freeze.txt, "
        "and type: ansible-playbook lock.yml with the same -l. If it has another name, set release_requirements_file."
    )


def find_wsgi(tree: Tree, project: PurePosixPath, wsgi: str = "", python_path: str = "") -> str:
    """Return the WSGI application as gunicorn names it, for example `shop.wsgi:application`.

    Args:
        tree: the source.
        project: the directory of manage.py.
        wsgi: what the user says; empty: WSGI_APPLICATION of the project's settings, or else its only wsgi.py.
        python_path: PYTHONPATH as gunicorn will have it, relative to the project.

    Raises:
        Problem: there is none, or it cannot be told which.
    """
    inside = [path for path in map(PurePosixPath, tree.files) if project in path.parents]
    if wsgi:
        if not WSGI.fullmatch(wsgi):
            raise Problem(f"release_wsgi is {wsgi!r}. Write it as module:name, for example shop.wsgi:application.")
        module = wsgi.partition(":")[0]
        if not _module_exists(tree, project, module, python_path):
            elsewhere = _elsewhere(tree, project, module)
            raise Problem(f"release_wsgi is {wsgi!r}, and {tree.name} has no such module.{elsewhere}")
        return wsgi
    sources = {str(path): tree.read(str(path)) or "" for path in inside if path.suffix == ".py"}
    named = {value: path for path, text in sorted(sources.items()) for value in _wsgi_settings(text)}
    if len(named) > 1:
        listing = ", ".join(f"{value} ({path})" for value, path in named.items())
        raise Problem(f"The settings name several WSGI applications: {listing}. Set release_wsgi to the one you mean.")
    if named:
        (value, path), module = next(iter(named.items())), next(iter(named)).rpartition(".")[0]
        if not _module_exists(tree, project, module, python_path):
            elsewhere = _elsewhere(tree, project, module)
            raise Problem(
                f"WSGI_APPLICATION in {path} is {value!r}, and {tree.name} has no module {module}.{elsewhere}"
            )
        return f"{module}:{value.rpartition('.')[2]}"
    modules = sorted(
        ".".join(path.relative_to(project).with_suffix("").parts) for path in inside if path.name == "wsgi.py"
    )
    if len(modules) != 1:
        what = f"has several: {', '.join(modules)}" if modules else "has no wsgi.py"
        raise Problem(
            f"No WSGI application found: the settings of {tree.name} have no WSGI_APPLICATION, and it {what}. "
            "Add one, or set release_wsgi, for example shop.wsgi:application."
        )
    return f"{modules[0]}:application"


def _module_files(module: str) -> tuple[str, str]:
    path = module.replace(".", "/")
    return f"{path}.py", f"{path}/__init__.py"


def _module_exists(tree: Tree, project: PurePosixPath, module: str, python_path: str) -> bool:
    places = [project, *(project / each for each in python_path.split(":"))]
    return any(posixpath.normpath(place / file) in tree.files for place in places for file in _module_files(module))


def _elsewhere(tree: Tree, project: PurePosixPath, module: str) -> str:
    """Return where below the project a module is all the same, and what to set, behind a blank; or nothing."""
    ends = [f"/{file}" for file in _module_files(module)]
    found = sorted(PurePosixPath(path[: -len(end)]) for path in tree.files for end in ends if path.endswith(end))
    # What lies in a package has that one's name too.
    places = [
        place.relative_to(project)
        for place in found
        if project in place.parents and f"{place}/__init__.py" not in tree.files
    ]
    if not places:
        return ""
    nearest = min(places, key=lambda place: len(place.parts))
    return (
        f" It is in {nearest}, where manage.py alone may have Python look. Set PYTHONPATH: {nearest} in release_env, "
        "and app_env_as_environment: true"
    )


def _wsgi_settings(text: str) -> list[str]:
    """Return what a Python file assigns to WSGI_APPLICATION."""
    if "WSGI_APPLICATION" not in text:
        return []
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):  # written for another Python, or not Python at all
        return []
    return [
        node.value.value
        for node in body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and any(
            isinstance(target, ast.Name) and target.id == "WSGI_APPLICATION"
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        )
    ]


def untranslated(tree: Tree) -> list[str]:
    """Return which translations were not compiled, in a line, or nothing. Hosts compile none by themselves."""
    sources = [path for path in tree.files if "/LC_MESSAGES/" in path and path.endswith(".po")]
    lacking = sorted(path for path in sources if f"{path[:-3]}.mo" not in tree.files)
    if not lacking:
        return []
    others = f" and {len(lacking) - 1} more are" if lacking[1:] else " is"
    advice = "commit what manage.py compilemessages makes beside it, or have hosts run that, with release_before_static"
    return [f"{lacking[0]}{others} not compiled: {advice}"]
