"""Run manage.py of a release as the app's user, with the release's own virtualenv and `.env`."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils import dotenv, hooks
from ansible_collections.initech.django.plugins.module_utils.advice import advised
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run_or_fail, tail
from ansible_collections.initech.django.plugins.module_utils.given import give, take_back
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

SWITCH = "GEVENT_PATCH"
"""What projects of our template read before they patch."""

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked for after the virtualenv's own, as the release's unit does it."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
"""A name of a site that is no pattern."""

MARK = "\x1e"
"""Stands before what a probe prints: a project may print whatever it likes before and after."""

COLLECT = """
import json, os, traceback
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
answer = {{
    "settings": os.environ.get("DJANGO_SETTINGS_MODULE", ""),
    "allowed_hosts": [str(host) for host in settings.ALLOWED_HOSTS],
    "static_root": str(settings.STATIC_ROOT or ""),
    "media_root": str(settings.MEDIA_ROOT or ""),
    "sqlite": [str(each["NAME"]) for each in connections.settings.values() if "lite" in each["ENGINE"]],
    "has_database": any(each["ENGINE"] != "django.db.backends.dummy" for each in connections.settings.values()),
    "looks_up": False,
    "problem": "",
}}
if apps.is_installed("django.contrib.staticfiles"):
    from django.contrib.staticfiles.storage import ManifestFilesMixin, StaticFilesStorage, staticfiles_storage
    from django.test import override_settings
    try:
        # A storage that the project has used already would keep the place that it found then.
        with override_settings(STATIC_ROOT={static!r}):
            is_here = isinstance(staticfiles_storage, ManifestFilesMixin) and isinstance(
                staticfiles_storage, StaticFilesStorage
            )
            place = getattr(staticfiles_storage, "manifest_storage", staticfiles_storage)
            answer["looks_up"] = is_here and getattr(place, "location", "") == staticfiles_storage.location
            call_command("collectstatic", interactive=False, verbosity=0)
    except (Exception, SystemExit):
        answer["problem"] = traceback.format_exc()
print()
print({mark!r} + json.dumps(answer))
"""
"""What manage.py shell runs to stage a release: Django is started once for all of it."""

UNKNOWN = """
import json
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
loader = MigrationLoader(None, load=False)
loader.load_disk()
known = set(loader.disk_migrations).union(*(each.replaces for each in loader.disk_migrations.values()))
unknown, squashes = set(), set()
for alias, settings in connections.settings.items():
    if settings["ENGINE"] != "django.db.backends.dummy":
        applied = set(MigrationRecorder(connections[alias]).applied_migrations())
        unknown |= applied - known
        squashes |= {{
            key for key in applied.intersection(loader.disk_migrations)
            if loader.disk_migrations[key].replaces and applied.issuperset(loader.disk_migrations[key].replaces)
        }}
print()
print({mark!r} + json.dumps([[".".join(key) for key in sorted(keys)] for keys in (unknown, squashes)]))
"""

COPY = """
import os, shutil, sys
from pathlib import Path

def copy(source, target):
    if source.is_dir() and not source.is_symlink():
        if not os.path.lexists(target):
            os.makedirs(target, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            for each in source.iterdir():
                copy(each, target / each.name)
    elif not os.path.lexists(target):
        os.makedirs(target.parent, exist_ok=True)
        # Hosts may share the disk. The name of the file may leave no room for more.
        draft = target.with_name(f".{os.uname().nodename}.draft")
        remove(draft)
        try:
            shutil.copy2(source, draft, follow_symlinks=False)
            draft.rename(target)
        finally:
            remove(draft)

def remove(draft):
    if os.path.lexists(draft):
        draft.unlink()

try:
    copy(Path(sys.argv[1]), Path(sys.argv[2]))
except OSError as error:
    sys.exit(str(error))
"""
"""What copies, as the app too: what is there already is not touched, and no link is followed.

A release's own Python runs it, which may be as old as 3.6.
"""


def environment(release: Release, env_as_environment: bool) -> dict[str, str]:
    """Return the environment that the release's unit gives to gunicorn.

    Args:
        release: whose.
        env_as_environment: the project reads os.environ and knows nothing of `.env`.
    """
    values = dotenv.parse((release.project / ".env").read_text(encoding="utf-8")) if env_as_environment else {}
    return {
        **values,
        "PATH": f"{release.virtualenv}/bin:{PATH}",
        "HOME": str(App(release.app).home),
        "LANG": "C.UTF-8",
        "RELEASE": release.id,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def unpatched(release: Release) -> dict[str, str]:
    """Return the variable by which projects of our template leave gevent's patch off, unless their `.env` has it."""
    has_switch = SWITCH in dotenv.parse((release.project / ".env").read_text(encoding="utf-8"))
    return {} if has_switch else {SWITCH: "off"}


def manage(
    release: Release,
    arguments: Sequence[str],
    failure: str,
    env_as_environment: bool = False,
    *,
    more: Mapping[str, str] | None = None,
    keep: int | None = None,
) -> str:
    """Run manage.py and return what it printed on standard output.

    It runs unpatched by gevent where the project's `.env` does not say otherwise: nothing waits for anything else here.

    Args:
        release: whose.
        arguments: of manage.py.
        failure: what a failure means, for the message.
        env_as_environment: see `environment`.
        more: what is added to its environment.
        keep: a descriptor that it inherits.

    Raises:
        Problem: it failed; the message shows the end of what it printed.
    """
    try:
        return run_or_fail(
            [release.virtualenv / "bin" / "python", "manage.py", *arguments],
            failure,
            user=release.app,
            cwd=release.project,
            environment={**unpatched(release), **(more or {}), **environment(release, env_as_environment)},
            timeout=DAY,
            keep=keep,
        )
    except Problem as problem:
        raise Problem(advised(str(problem))) from None


def run_commands(
    release: Release,
    name: str,
    commands: Sequence[str],
    env_as_environment: bool = False,
    *,
    writable: Path | None = None,
    keep: int | None = None,
) -> str:
    """Run commands of the team's as the app, in the project's directory, and return what they printed.

    They run unpatched by gevent, as `manage` does.

    Args:
        release: whose.
        name: the variable that they stand in.
        commands: as written; no shell reads them.
        env_as_environment: see `environment`.
        writable: a directory of the release that is the app's meanwhile, and root's in the end.
        keep: a descriptor that they inherit: one outlives us, should somebody kill us, and the lease lasts as long.

    Raises:
        Problem: one failed; those after it were not run.
    """
    # Read before anything is the app's to write.
    environ = {**unpatched(release), **environment(release, env_as_environment)}
    if writable:
        give(writable, release.app)
    try:
        printed = [
            run_or_fail(
                hooks.words(command),
                f"{command} failed",
                user=release.app,
                cwd=release.project,
                environment=environ,
                timeout=DAY,
                keep=keep,
            )
            for command in commands
        ]
    except Problem as problem:
        raise Problem(advised(f"{name}: {problem}")) from None
    if writable:
        take_back(writable, release.app, is_public=writable == release.static)
    return "".join(printed)


def marked(output: str) -> Any:
    """Return what was printed after the mark, as JSON, or None."""
    for line in output.split("\n"):  # splitlines() would split at the mark
        if line.startswith(MARK):
            return json.loads(line[len(MARK) :])
    return None


def asked(release: Release, code: str, wanted: str, failure: str, env_as_environment: bool) -> Any:
    """Return what code in the project's shell prints after the mark, as JSON.

    Raises:
        Problem: it failed, or printed none.
    """
    output = manage(release, ["shell", "-c", code], failure, env_as_environment)
    answer = marked(output)
    if answer is None:
        raise Problem(f"manage.py shell printed no {wanted}, but:\n{output[-2000:]}")
    return answer


def unknown_migrations(release: Release, env_as_environment: bool) -> tuple[list[str], list[str]]:
    """Return the migrations of its databases that a release does not have, as `app.0001_name`.

    And those that it has and that add nothing: squashes, where all that they replace is in the database too.

    Raises:
        Problem: a database cannot be asked.
    """
    failure = f"Release {release.id} cannot ask the database which migrations it has"
    code = UNKNOWN.format(mark=MARK)
    unknown, squashes = asked(release, code, "migrations", failure, env_as_environment)
    return unknown, squashes


def link_away(release: Release, path: Path, target: Path, user: str | None = None, keep: int | None = None) -> None:
    """Make a directory of the source a link to where its files may be written; what it held goes there, if new.

    Args:
        release: whose.
        path: of the directory.
        target: where it leads to.
        user: whose the target is, and what goes there; default: ours.
        keep: a descriptor that whoever copies inherits, so that nobody else does meanwhile.

    Raises:
        Problem: something cannot be copied there.
    """
    if path.is_symlink():
        return
    if path.is_dir():
        copy_new(release, path, target.resolve(), user, keep)
        shutil.rmtree(path)
    _link(path, target)


def copy_new(release: Release, source: Path, target: Path, user: str | None, keep: int | None) -> None:
    """Copy a file or a directory, but for what is there already, each file whole or not at all.

    Whose the target is does it: root must not trust what it finds where others may write, nor may it give files away on
    every file system.

    Args:
        release: whose interpreter does it.
        source: of the release.
        target: may be there, and is no link.
        user: see `link_away`.
        keep: see `link_away`.

    Raises:
        Problem: it cannot be copied.
    """
    hint = f". Where a directory there is not the app's, type on the host: sudo chown -R {user}: {target}"
    run_or_fail(
        [release.virtualenv / "bin" / "python", "-I", "-S", "-c", COPY, source, target],
        f"{source} cannot be copied to {target} as {user or 'root'}{hint if user and source.is_dir() else ''}",
        user=user,
        environment={},
        timeout=DAY,
        keep=keep,
    )


def _link(path: Path, target: Path) -> None:
    """Make a link, and the directories that it lies in, through which the app and nginx go whatever root's umask is."""
    _make(path.parent)
    path.symlink_to(target)


def _make(directory: Path) -> None:
    """Make a directory, and those that it lies in, through which everybody may go."""
    for each in reversed((directory, *directory.parents)):
        if not each.is_dir():
            each.mkdir()
            each.chmod(0o755)


def require_end(release: Release, link: Path) -> None:
    """Require that a path of the source, where it is a link out of the release, leads to something.

    Raises:
        Problem: it does not, and nothing can be made behind it.
    """
    end = link.resolve()
    if link.is_symlink() and not end.exists() and release.path.resolve() not in end.parents:
        raise Problem(
            f"{link} leads to {end}, which is not there, and the settings go that way. Type on the host: "
            f"sudo install -d -o {release.app} -g {release.app} {end}"
        )


def inside(release: Release, directory: str) -> Path | None:
    """Return the path of a directory below the release's source, or None if it is not below it.

    None too for the project itself and what it lies in: these are not for moving away and serving. And for what lies
    behind a link that leads out of the release, where others have their files.

    Raises:
        Problem: it lies behind a link that leads to nothing.
    """
    if not directory:
        return None
    project = release.project.resolve()
    path = Path(os.path.normpath(project / directory))
    source = release.source.resolve()
    if source not in path.parents or path in (project, *project.parents):
        return None
    for each in path.parents:
        if source in each.parents:
            require_end(release, each)
    return path if release.path.resolve() in path.parent.resolve().parents else None


def collect_static(release: Release, env_as_environment: bool = False) -> dict[str, Any]:
    """Collect static files where nginx serves them, whatever STATIC_ROOT says, and return what the settings say.

    Raises:
        OSError: the disk is full.
        Problem: the settings cannot be imported, collectstatic failed, names would be looked up where no release is,
            static files would lie among uploads, two databases of SQLite would be one file, or a link leads to nothing.
    """
    shutil.rmtree(release.static, ignore_errors=True)
    release.static.mkdir(mode=0o755)
    give(release.static, release.app)
    code = COLLECT.format(static=str(release.static), mark=MARK)
    failure = "The project's settings cannot be loaded"
    settings: dict[str, Any] = asked(release, code, "settings", failure, env_as_environment)
    if os.strerror(errno.ENOSPC) in settings["problem"]:
        # Where it failed says nothing then.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if settings["problem"]:
        raise Problem(f"collectstatic failed:\n{tail(settings['problem'])}")
    take_back(release.static, release.app, is_public=True)
    # What it refuses is known now, before uploads are moved.
    sqlite_files(release, settings)
    root, media = (inside(release, settings[name]) for name in ("static_root", "media_root"))
    if media:
        require_end(release, media)
    if root and media and media.resolve() in (root.resolve(), *root.resolve().parents):
        raise Problem(
            f"STATIC_ROOT is {root}, which is MEDIA_ROOT or lies in it: uploads outlive a release, and each release "
            'has static files of its own. Write a directory beside it, such as STATIC_ROOT = BASE_DIR / "staticfiles"'
        )
    # Where a manifest of hashed names is looked up while serving, STATIC_ROOT as the project knows it must lead there.
    if root:
        link_away(release, root, release.static)
    elif settings["looks_up"]:
        place = settings["static_root"] or "not set"
        raise Problem(
            f"STATIC_ROOT is {place}, and while the project serves it looks up the names of its static files there. "
            'Each release has its own: write STATIC_ROOT = BASE_DIR / "static"'
        )
    return settings


def link_shared(release: Release, directories: Sequence[str], files: Sequence[str], keep: int | None = None) -> None:
    """Let what the project writes beside its code be where all releases share it: in the app's home.

    What came with the source is the first content.

    Args:
        release: whose.
        directories: relative to the project.
        files: too.
        keep: see `link_away`.

    Raises:
        Problem: something cannot be copied there.
    """
    home = App(release.app).home
    for name in directories:
        path = inside(release, name)
        if path and not path.is_symlink():
            _make(path)
            link_away(release, path, home / name, release.app, keep)
    for name in files:
        path, target = inside(release, name), home / name
        if path and not path.is_symlink():
            if not path.exists():
                _make(path.parent)
                path.touch()
                path.chmod(0o644)
            copy_new(release, path, target.resolve(), release.app, keep)
            path.unlink()
            _link(path, target)


def require_apart(release: Release, settings: dict[str, Any], shared: Sequence[str]) -> None:
    """Refuse static files, uploads and databases of SQLite in what releases share: each has a place of its own.

    Args:
        release: whose.
        settings: from `collect_static`.
        shared: directories, relative to the project.

    Raises:
        Problem: one lies there.
    """
    project = release.project.resolve()
    roots = [("STATIC_ROOT", settings["static_root"]), ("MEDIA_ROOT", settings["media_root"])]
    for setting, name in [*roots, *(("DATABASES", each) for each in settings["sqlite"])]:
        path = Path(os.path.normpath(project / name))
        for directory in (Path(os.path.normpath(project / each)) for each in shared):
            if directory in (path, *path.parents):
                place = directory.relative_to(project)
                raise Problem(
                    f"{setting} names {path}, which lies in {place} of release_shared_directories, and has a place of "
                    f"its own. In place of {place} name what else is in it, or nothing"
                )


def link_media(release: Release, settings: dict[str, Any], keep: int | None = None) -> None:
    """Let uploads into the source go to where they outlive the release.

    Args:
        release: whose.
        settings: from `collect_static`.
        keep: see `link_away`.

    Raises:
        Problem: what git holds cannot be copied there, or has a link that would lead nowhere when the release is gone.
    """
    root = inside(release, settings["media_root"])
    if root and not root.is_symlink():
        for link in (each for each in root.rglob("*") if each.is_symlink()):
            if release.path in Path(os.readlink(link)).parents:
                raise Problem(f"{link} leads to {os.readlink(link)}, which goes with the release. Copy what is there")
        link_away(release, root, App(release.app).media, release.app, keep)


def sqlite_files(release: Release, settings: dict[str, Any]) -> dict[Path, Path]:
    """Return where databases of SQLite outlive the release, each with where the source has it or will have it.

    One that is a link already is left alone.

    Raises:
        Problem: two would be one file.
    """
    found: dict[Path, Path] = {}
    for name in settings["sqlite"]:
        path = None if name.startswith((":memory:", "file:")) else inside(release, name)
        if path is None or path.is_symlink():
            continue
        target = App(release.app).home / path.name
        other = found.setdefault(target, path)
        if other.resolve() != path.resolve():
            raise Problem(
                f"{other} and {path} would both be {target}. Give one of them a name of its own in DATABASES. Where "
                f"{target} is there already, it holds the tables of both: copy it to that name first"
            )
    return found


def link_sqlite(release: Release, settings: dict[str, Any], keep: int | None = None) -> None:
    """Let databases of SQLite in the source be where they outlive the release and the app may write: in its home.

    One that came with the source is the first content. SQLite follows links, and keeps its journal where they lead.

    Args:
        release: whose.
        settings: from `collect_static`.
        keep: see `link_away`.

    Raises:
        Problem: it cannot be copied there, or two would be one file.
    """
    for target, path in sqlite_files(release, settings).items():
        if path.is_file():
            copy_new(release, path, target, release.app, keep)
            path.unlink()
        _link(path, target)


def health_host(allowed_hosts: Sequence[str], names: Sequence[str] = ()) -> str:
    """Return a Host header that the project accepts.

    Source of the rule: Django's `validate_host`; with an empty list and DEBUG it accepts localhost.

    Args:
        allowed_hosts: ALLOWED_HOSTS of its settings. One that accepts any may still know sites by their names.
        names: by which visitors ask for the site, as nginx knows them; patterns are left out.
    """
    for host in allowed_hosts:
        if host != "*":
            return f"www{host}" if host.startswith(".") else host
    return next((name for name in names if "*" in allowed_hosts and NAME.fullmatch(name)), "localhost")
