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
from ansible_collections.initech.django.plugins.module_utils.lasting import (
    inside,
    link_away,
    require_end,
    sqlite_files,
)
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
    "keeps_uploads": True,
    "sqlite": [str(each["NAME"]) for each in connections.settings.values() if "lite" in each["ENGINE"]],
    "has_database": any(each["ENGINE"] != "django.db.backends.dummy" for each in connections.settings.values()),
    "looks_up": False,
    "problem": "",
}}
try:
    from django.core.files.storage import FileSystemStorage, default_storage
    answer["keeps_uploads"] = isinstance(default_storage, FileSystemStorage)
except Exception:
    # The storage of another place may want what only an upload has.
    answer["keeps_uploads"] = False
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
    if media and settings["keeps_uploads"]:
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
