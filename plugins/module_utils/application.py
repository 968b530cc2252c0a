"""Load a release's WSGI application as gunicorn does, and judge what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from ansible_collections.initech.django.plugins.module_utils import dotenv
from ansible_collections.initech.django.plugins.module_utils.advice import advised
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail, tail
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.manage import MARK, environment, marked
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

PATCHED = ("socket", "ssl", "select", "threading")
WAITS = 10
SLOWEST = 4.0
"""So many times one wait may ten waits at once take: one by one they would take ten times as long."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

ATTEMPTS = 3
"""How often it may be measured until it is well."""

WARNING = re.compile(r"^\S+: \(\S+\.W\d+\) .*", re.MULTILINE)
"""How Django's check framework prints a warning."""

SERVERS = ("postgres", "psql", "pgsql", "postgis", "mysql")
"""How a DATABASE_URL begins that names a server."""

PATTERN = re.compile(r"[*~]|^_$")
"""What makes of a name that nginx knows a pattern, which nobody can type."""

PROBE = """
import hashlib, io, json, logging, os, runpy, sys, time, traceback

said = []

class Listener(logging.Handler):
    def emit(self, record):
        said.append(record.levelname)

logging.getLogger("environ").addHandler(Listener())
logging.getLogger("environ").setLevel(logging.INFO)
configuration = runpy.run_path({configuration!r})
sys.path.insert(0, os.getcwd())
# Settings may ask for the first argument, which gunicorn always has. What starts under gunicorn alone is not to start.
sys.argv = ["-c", "--config", {configuration!r}]
from gunicorn.util import import_app
import_app(configuration["wsgi_app"])

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.http.request import validate_host
from gevent import monkey, pool

def uploads():
    from django.core.files.storage import FileSystemStorage, default_storage
    try:
        is_here = settings.MEDIA_ROOT and isinstance(default_storage, FileSystemStorage)
    except Exception:
        # The storage of another place may want what only an upload has.
        is_here = False
    return os.path.realpath(default_storage.location) if is_here else ""

def may_write(path):
    while path and not os.path.exists(path):
        path = os.path.dirname(path)
    return os.access(path, os.W_OK | os.X_OK)

def digest_of_key():
    try:
        key = settings.SECRET_KEY
    except Exception:
        # Django's own check says that there is none.
        return ""
    return hashlib.sha256(key if isinstance(key, bytes) else str(key).encode()).hexdigest()

def encrypts(database):
    values = database.settings_dict
    if values["HOST"] not in {loopback!r} or "sslmode" in values["OPTIONS"]:
        return False
    with database.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        row = cursor.fetchone()
        return bool(row and row[0])

answer = {{
    "settings": settings.SETTINGS_MODULE,
    "key": digest_of_key(),
    "has_server": any(
        "lite" not in each["ENGINE"] and not each["ENGINE"].endswith("dummy") for each in connections.settings.values()
    ),
    "debug": bool(settings.DEBUG),
    "patched": [name for name in {patched!r} if monkey.is_module_patched(name)],
    "uses_environ": "environ" in sys.modules,
    "said": said,
    "lacking": [key for key in {keys!r} if key not in os.environ],
    "kept": [
        alias for alias, each in connections.settings.items()
        if each.get("CONN_MAX_AGE", 0) != 0 and not each["ENGINE"].endswith(("sqlite3", "dummy"))
    ],
    "pooled": [alias for alias, each in connections.settings.items() if each.get("OPTIONS", {{}}).get("pool")],
    "urls": {{
        "STATIC_URL": str(settings.STATIC_URL or "") if apps.is_installed("django.contrib.staticfiles") else "",
        "MEDIA_URL": str(settings.MEDIA_URL or "") if uploads() else "",
    }},
    "strange": [
        name for name in {names!r}
        if not validate_host(name, settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1"] if settings.DEBUG else []))
    ],
    "uploads": uploads(),
    "may_upload": False,
    "encrypts": False,
    "driver": "",
    "cooperative": True,
    "one": 0.0,
    "all": 0.0,
    "check": "",
    "refused": False,
    "plan": [],
    "unseen": "",
}}
answer["may_upload"] = may_write(answer["uploads"])
words = io.StringIO()
try:
    call_command("check", deploy=True, no_color=True, stdout=words, stderr=words)
except Exception as error:
    # Django's own names the errors; any other is one of the project's.
    is_told = type(error).__name__ == "SystemCheckError"
    words.write(str(error) if is_told else traceback.format_exc())
    answer["refused"] = True
answer["check"] = words.getvalue()
vendor = connections["default"].vendor if "default" in connections.settings else ""
if vendor == "postgresql":
    try:
        from django.db.backends.postgresql.psycopg_any import is_psycopg3
    except ImportError:
        # Django before 4.2 knows psycopg2 alone.
        is_psycopg3 = False
    answer["driver"] = "psycopg" if is_psycopg3 else "psycopg2"
    if not is_psycopg3:
        from psycopg2.extensions import get_wait_callback
        callback = get_wait_callback()
        answer["cooperative"] = getattr(callback, "__module__", "") == "psycogreen.gevent"
elif vendor == "mysql":
    import MySQLdb
    answer["driver"] = MySQLdb.__name__
    answer["cooperative"] = MySQLdb.__name__ == "pymysql"

def wait():
    started = time.monotonic()
    connection = connections["default"].copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute({{"postgresql": "SELECT pg_sleep(0.2)", "mysql": "SELECT SLEEP(0.2)"}}[vendor])
    finally:
        connection.close()
    return time.monotonic() - started

# A busy host may slow down some of them. What blocks does so every time.
for _ in range({attempts} if vendor in ("postgresql", "mysql") and answer["cooperative"] else 0):
    started = time.monotonic()
    group = pool.Group()
    waits = [group.spawn(wait) for _ in range({waits})]
    group.join(raise_error=True)
    answer["all"] = time.monotonic() - started
    answer["one"] = min(each.value for each in waits)
    if answer["all"] <= {slowest} * answer["one"]:
        break
if vendor == "postgresql":
    answer["encrypts"] = encrypts(connections["default"])
if {plan!r}:
    scope = {{}}
    try:
        exec({plan!r}, scope)
        answer["plan"] = scope["answer"]
    except Exception:
        answer["unseen"] = traceback.format_exc()
print()
print({mark!r} + json.dumps(answer))
sys.stdout.flush()
try:
    connections.close_all()
finally:
    # Threads that the project has started would keep it from ending.
    os._exit(0)
"""


def code(configuration: Path, keys: Sequence[str], plan: str, names: Sequence[str] = ()) -> str:
    """Return what the release's interpreter runs. Django is started once for all that is asked.

    Args:
        configuration: of gunicorn.
        keys: of `.env`.
        plan: what finds out what is to be migrated; empty where nobody asks.
        names: by which visitors ask for the site, as nginx knows them; patterns are left out.
    """
    return PROBE.format(
        configuration=str(configuration),
        patched=PATCHED,
        keys=list(keys),
        waits=WAITS,
        attempts=ATTEMPTS,
        loopback=LOOPBACK,
        slowest=SLOWEST,
        mark=MARK,
        plan=plan,
        names=[name.lstrip(".") for name in names if not PATTERN.search(name)],
    )


def load(release: Release, env_as_environment: bool, plan: str = "", names: Sequence[str] = ()) -> dict[str, Any]:
    """Return what is true of a process after it has loaded the application under the configuration that will serve it.

    Args:
        release: whose.
        env_as_environment: see `manage.environment`.
        plan: see `code`.
        names: see `code`.

    Raises:
        Problem: it cannot be loaded, or the database does not answer.
    """
    keys = list(dotenv.parse((release.project / ".env").read_text(encoding="utf-8")))
    try:
        output = run_or_fail(
            [release.virtualenv / "bin" / "python", "-c", code(App(release.app).configuration[0], keys, plan, names)],
            "gunicorn cannot load the WSGI application",
            user=release.app,
            cwd=release.project,
            environment=environment(release, env_as_environment),
        )
    except Problem as problem:
        raise Problem(advised(str(problem))) from None
    answer: dict[str, Any] | None = marked(output)
    if answer is None:
        raise Problem(f"The WSGI application ended the process that loaded it, which printed:\n{output[-2000:]}")
    return answer


def check_warnings(answer: Mapping[str, Any]) -> list[str]:
    """Return the warnings of Django's deployment checks.

    Args:
        answer: from `load`.

    Raises:
        Problem: one of them is an error.
    """
    if answer["refused"]:
        raise Problem(advised(f"manage.py check --deploy failed:\n{tail(answer['check'])}"))
    return WARNING.findall(answer["check"])


def key_warnings(answer: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """Return that the project signs with another key than it was given, in a line, or nothing.

    Args:
        answer: from `load`, which has the digest of the key alone.
        env: what `.env` has.
    """
    digests = [sha256(value.encode()).hexdigest() for value in env.values()]
    if "SECRET_KEY" not in env or not answer["key"] or answer["key"] in digests:
        return []
    wrong = f"SECRET_KEY of {answer['settings']} is not that of .env: whoever knows it can sign in as anybody"
    remedy = "Have them read it; where they read os.environ and not .env, set app_env_as_environment: true"
    return [f"{wrong}. {remedy}"]


def connection_warnings(answer: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with how databases are connected to, a line each.

    Django keeps a connection for the thread that opened it. Under gevent that is a greenlet, and ends with its request.
    So every request connects, and where that is encrypted it takes more than twice the time.

    Args:
        answer: from `load`.
    """
    kept = [
        f"CONN_MAX_AGE of the database {alias} is not 0: under gevent what is kept open serves no other request, and "
        "piles up. Set it to 0"
        for alias in answer["kept"]
    ]
    pooled = [
        f"The database {alias} has a pool of Django's own in its OPTIONS, which has races under gevent. Leave it out"
        for alias in answer["pooled"]
    ]
    helps = "; where connecting takes too long, gunicorn_pgbouncer helps"
    encrypted = (
        "Connections to the database of this host are encrypted, which more than doubles what each costs, and each "
        "request makes one. Add ?sslmode=disable to DATABASE_URL, or sslmode to OPTIONS"
    )
    return [*(each + helps for each in kept + pooled), *([encrypted] if answer["encrypts"] else [])]


def name_warnings(answer: Mapping[str, Any]) -> list[str]:
    """Return by which names of the site visitors would be refused, in a line, or nothing.

    Args:
        answer: from `load`.
    """
    names = ", ".join(answer["strange"])
    wrong = (
        f"ALLOWED_HOSTS of {answer['settings']} does not have {names}, which nginx answers to: visitors would get 400"
    )
    return [f"{wrong}. Add what is lacking, or take it out of nginx_server_names"] if names else []


def url_warnings(answer: Mapping[str, Any], served: Mapping[str, str]) -> list[str]:
    """Return where nginx does not find the files that pages name, a line each.

    Args:
        answer: from `load`. A URL of another host is nobody's here, and `/` is none.
        served: by the name of the setting, the URL by which nginx has such files; empty where it has none.
    """
    other = "visitors get 404, if the project does not serve them itself"
    return [
        f"{name} of {answer['settings']} is {url}, and nginx has these files at {served[name]}: {other}. "
        f"Set nginx_{name.lower()}: {url}, and type: ansible-playbook provision.yml"
        for name, url in answer["urls"].items()
        if re.match("/[^/]", url) and served[name] and url.strip("/") != served[name].strip("/")
    ]


def upload_warnings(answer: Mapping[str, Any], unit: str, media: Path, url: str) -> list[str]:
    """Return that uploads would fail, or would not be found, in a line, or nothing.

    Args:
        answer: from `load`.
        unit: the text of the unit that runs the release, which says where the app may write.
        media: the directory that nginx shows.
        url: where it shows it; empty where it does not.
    """
    place = answer["uploads"]
    if not place:
        return []
    lines = (line.partition("=") for line in unit.splitlines())
    writable = [each.lstrip("-") for key, _, value in lines if key == "ReadWritePaths" for each in value.split()]
    remedy = 'Write MEDIA_ROOT = BASE_DIR / "media", which outlives the release and is served by nginx'
    if not answer["may_upload"] or not any(PurePath(place).is_relative_to(each) for each in writable):
        other = "or give the app that directory, and name it in gunicorn_writable_directories"
        return [f"MEDIA_ROOT is {place}, where the app may not write: uploads will fail. {remedy}; {other}"]
    if url and not PurePath(place).is_relative_to(media):
        wrong = f"MEDIA_ROOT is {place}, and nginx has {media} at {url}: visitors get 404 for uploads"
        return [f'{wrong}. {remedy}; or let the project serve them, with nginx_media_url: ""']
    return []


def settings_problems(
    answer: Mapping[str, Any], manage: str, env: Mapping[str, str], app_environment: str, wsgi: str
) -> Iterator[str]:
    """Yield what is wrong with the settings that were loaded, a line each.

    Args:
        answer: from `load`.
        manage: the settings module that manage.py loads.
        env: what `.env` has. ENVIRONMENT is the settings module, or its last part; a project that has none does not go
            by it, nor does one that has DJANGO_SETTINGS_MODULE. A module whose last part is `settings` is that of all
            environments, and makes of it what it likes.
        app_environment: the name of the environment.
        wsgi: the module of the WSGI application.
    """
    loaded = answer["settings"]
    last = loaded.rpartition(".")[2]
    wanted, named = env.get("ENVIRONMENT", ""), env.get("DJANGO_SETTINGS_MODULE", "")
    other = (
        "Where they go by DJANGO_SETTINGS_MODULE, set that in release_env to the settings of this environment, and "
        "app_env_as_environment: true"
    )
    if loaded != manage:
        wrong = f"manage.py loads the settings {manage}, and {wsgi} loads {loaded}"
        yield f"{wrong}: both are to go by ENVIRONMENT in .env. {other}"
    elif named and named != loaded and wanted not in (loaded, last):
        wrong = f"DJANGO_SETTINGS_MODULE in .env is {named}, and manage.py and {wsgi} load the settings {loaded}"
        yield (
            f"{wrong}. Where that is what they are to load, set app_env_as_environment: true, and let nothing in them "
            "overwrite it; else take it out of release_env"
        )
    elif not named and wanted not in ("", loaded, last) and last != "settings":
        wrong = f"ENVIRONMENT in .env is {wanted}, and manage.py and {wsgi} load the settings {loaded}"
        yield f"{wrong}. Set ENVIRONMENT: {last} in release_env, or have both load what ENVIRONMENT names. {other}"
    if answer["debug"] and app_environment != "demo":
        remedy = (
            'They do not go by DEBUG in .env, which is off. Where they set it, write env.bool("DEBUG"), or False'
            if env.get("DEBUG", "").lower() in ("false", "0", "no", "off")
            else "Set DEBUG: false in release_env"
        )
        yield f"DEBUG is on in {loaded}: every visitor could read settings and source. {remedy}"
    if env.get("DATABASE_URL", "").startswith(SERVERS) and not answer["has_server"]:
        yield (
            f"DATABASE_URL in .env names a server, and DATABASES of {loaded} has none. Where a file of SQLite is "
            "meant, or no database, take DATABASE_URL out of release_env. Where the server is, which has nothing of "
            "what is in such a file: where the settings read os.environ and not .env, set "
            "app_env_as_environment: true; where they read other keys, set these in release_env"
        )
    if answer["uses_environ"] and answer["lacking"]:
        keys = ", ".join(answer["lacking"])
        yield (
            f"{wsgi} does not read the .env beside manage.py, which holds {keys}, and django-environ says nothing of "
            "a file that is missing: give read_env that path, whatever the current directory is; or set "
            "app_env_as_environment: true, where it reads os.environ alone"
        )
    elif answer["uses_environ"] and answer["said"]:
        count = len(answer["said"])
        yield f"django-environ complained {count} times while {wsgi} was loaded: not every line is KEY=value"


def gevent_problems(answer: Mapping[str, Any], wsgi: str) -> Iterator[str]:
    """Yield why a worker would serve one request at a time, a line each.

    Args:
        answer: from `load`.
        wsgi: the module of the WSGI application.
    """
    unpatched = [name for name in PATCHED if name not in answer["patched"]]
    if unpatched:
        yield (
            f"{', '.join(unpatched)} would block: {wsgi} or what it imports took back "
            "gevent's patch. It has to be the first thing there: from gevent import monkey; monkey.patch_all()"
        )
    remedies = {
        "psycopg2": "psycogreen's callback is not in place: in requirements_to_freeze.txt add psycogreen",
        "MySQLdb": "it waits in C: in requirements_to_freeze.txt write PyMySQL, not mysqlclient, and in settings "
        "import pymysql; pymysql.install_as_MySQLdb()",
    }
    if not answer["cooperative"]:
        remedy = remedies.get(answer["driver"], "set no other wait callback")
        yield f"{answer['driver']} would block its worker: {remedy}"
    elif answer["all"] > SLOWEST * answer["one"]:
        times = f"{WAITS} queries at once took {answer['all']:.2f} s, and one {answer['one']:.2f} s"
        yield f"{times}: the database driver {answer['driver']} blocks its worker"
