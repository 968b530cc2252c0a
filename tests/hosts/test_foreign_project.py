"""A project that knows nothing of this collection, .env or gevent is deployed by inventory variables alone.

It lies beside the demo on the same host, as a second app: its own user, database, unit and site.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from apps import App
from demo import Demo

SETTINGS = """
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split()
SECURE_SSL_REDIRECT = True
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles", "shop"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "foreign",
        "USER": "foreign",
        "PASSWORD": os.environ["DB_PASSWORD"],
        "HOST": "127.0.0.1",
        "CONN_MAX_AGE": 60,
    },
    "local": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "local.sqlite3"},
}
STATIC_URL = "assets/"
STATIC_ROOT = BASE_DIR / "collected"
MEDIA_URL = "uploads/"
MEDIA_ROOT = BASE_DIR / "uploads"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "debug": {"class": "logging.FileHandler", "filename": BASE_DIR / "debug.log"},
        "rotated": {"class": "logging.handlers.RotatingFileHandler", "filename": BASE_DIR / "logs" / "shop.log"},
    },
    "loggers": {"shop": {"handlers": ["debug", "rotated"]}},
}
"""
URLS = """
import logging
import os
import threading
import time

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections
from django.http import JsonResponse
from django.templatetags.static import static
from django.urls import path


def wait():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(1)")
    connection.close()


def home(request):
    logging.getLogger("shop").warning("visited")
    threads = [threading.Thread(target=wait) for _ in range(10)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connections["local"].cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS visit (number integer PRIMARY KEY)")
        cursor.execute("INSERT INTO visit DEFAULT VALUES")
        cursor.execute("SELECT count(*) FROM visit")
        (visits,) = cursor.fetchone()
    default_storage.delete("note.txt")
    default_storage.save("note.txt", ContentFile(b"uploaded"))
    return JsonResponse(
        {
            "seconds": time.monotonic() - started,
            "visits": visits,
            "users": User.objects.count(),
            "static": static("shop/site.css"),
            "settings": os.environ["DJANGO_SETTINGS_MODULE"],
            "secure": request.is_secure(),
            "address": request.META["REMOTE_ADDR"],
        }
    )


urlpatterns = [path("", home)]
"""
# As Wagtail does it: by this the storage has its place before collectstatic is called.
MODELS = """
from django.contrib.staticfiles.storage import HashedFilesMixin, staticfiles_storage

IS_HASHED = isinstance(staticfiles_storage, HashedFilesMixin)
"""
MANAGE = """
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.local")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
"""
WSGI = """
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.local")
application = get_wsgi_application()
"""
# The password holds what shells, systemd, URLs and .env files trip over.
PASSWORD = """a'b"c\\d e#f%g:h/i@j"""
BUILT = "p { color: red; }"
VARIABLES = {
    # The demo has uv, so here is where pip shows that it serves too.
    "python_installer": "pip",
    "app_env_as_environment": True,
    "database_password": PASSWORD,
    "nginx_server_names": ["foreign.test", "strange.test"],
    "nginx_static_url": "/assets/",
    "nginx_media_url": "/uploads/",
    "release_requirements_file": "requirements/production.txt",
    "release_shared_directories": ["logs"],
    "release_shared_files": ["debug.log"],
    # nginx serves the compressed variant of a file, which the second one makes.
    "release_before_static": [
        {"command": f"sh -c 'echo \"{BUILT}\" > shop/static/shop/built.css; echo EVIL=1 >> .env'"},
    ],
    "release_after_static": [{"command": "sh -c 'echo p | gzip > collected/shop/site.css.gz'"}],
    "release_env": {
        "DJANGO_SETTINGS_MODULE": "shop.settings.production",
        "DJANGO_SECRET_KEY": 'x"y\\z',
        "DJANGO_ALLOWED_HOSTS": "foreign.test www.foreign.test",
        "DB_PASSWORD": PASSWORD,
    },
}


def make_project(path: Path, pins: list[str]) -> None:
    """Make the repository: manage.py in a sub-directory, requirements in another."""
    files = {
        "README.md": "A shop.\n",
        "requirements/base.txt": "\n".join(pins),
        "requirements/production.txt": "-r base.txt\n",
        "src/manage.py": MANAGE,
        "src/shop/__init__.py": "",
        "src/shop/models.py": MODELS,
        "src/shop/urls.py": URLS,
        "src/shop/wsgi.py": WSGI,
        "src/shop/settings/__init__.py": "",
        "src/shop/settings/base.py": SETTINGS.replace("parent.parent", "parent.parent.parent"),
        "src/shop/settings/local.py": "from .base import *\n\nDEBUG = True\n",
        "src/shop/settings/production.py": "from .base import *\n",
        "src/shop/static/shop/site.css": "body { color: green; }\n",
    }
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    for command in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "A shop"]):
        subprocess.run(["git", *command], cwd=path, check=True)


@pytest.fixture(scope="module")
def foreign(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return the foreign project as a second app."""
    path = tmp_path_factory.mktemp("foreign")
    example = (demo.path / "examples/slow_sql/requirements.txt").read_text().splitlines()
    unused = ("PyMySQL", "django-environ", "requests")
    make_project(path / "shop", [line for line in example if "==" in line and not line.startswith(unused)])
    app = App(demo, path / "hosts.yml", "foreign", {**VARIABLES, "release_repository": str(path / "shop")})
    yield app
    app.remove()


def test_it_is_deployed_and_the_demo_beside_it_goes_on(demo: Demo, foreign: App) -> None:
    before = demo.live()
    site = foreign.playbook("site")
    assert site.code == 0, site.output
    assert "CONN_MAX_AGE of the database default is not 0" in site.text
    assert "Connections to the database of this host are encrypted" in site.text
    assert "does not have strange.test, which nginx answers to" in site.text
    answer = json.loads(foreign.get("/"))
    assert answer["users"] == 0
    assert answer["settings"] == "shop.settings.production"
    assert answer["secure"] is True
    assert demo.live() == before
    assert demo.get("/healthz") == "ok\n"


def test_it_knows_the_address_of_its_visitor_whatever_that_one_says(demo: Demo, foreign: App) -> None:
    command = (
        "import http.client as h, ssl; c = h.HTTPSConnection('127.0.0.1', context=ssl._create_unverified_context()); "
        "c.request('GET', '/', headers={'Host': 'foreign.test', 'X-Forwarded-For': '192.0.2.1'}); "
        "print(c.getresponse().read().decode())"
    )
    assert json.loads(demo.host(f'python3 -c "{command}"'))["address"] == "127.0.0.1"


def test_its_workers_are_patched_though_it_does_nothing_for_that(foreign: App) -> None:
    assert json.loads(foreign.get("/"))["seconds"] < 3


def test_its_static_and_uploaded_files_are_served_by_nginx(foreign: App) -> None:
    assert "color: green" in foreign.get(json.loads(foreign.get("/"))["static"])
    assert foreign.get("/uploads/note.txt") == "uploaded"


def test_what_its_team_has_made_in_the_release_is_served_and_is_roots_in_the_end(demo: Demo, foreign: App) -> None:
    assert foreign.get("/assets/shop/built.css").strip() == BUILT
    with closing(demo.connect("foreign.test")) as connection:
        connection.request("GET", "/assets/shop/site.css", headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(connection.getresponse().read()) == b"p\n"
    assert demo.host("find /srv/foreign/current/source /srv/foreign/current/static ! -type l ! -user root") == ""
    dotenv = "/srv/foreign/current/project/.env"
    assert demo.host(f"stat --format '%U %G %a' {dotenv}; grep --count EVIL {dotenv} || true") == "root foreign 640\n0"


def test_its_sqlite_database_is_where_the_app_may_write_and_outlives_the_release(demo: Demo, foreign: App) -> None:
    first, second = (json.loads(foreign.get("/"))["visits"] for _ in range(2))
    assert second == first + 1
    assert demo.host("stat --format '%U %F' /var/lib/foreign/local.sqlite3") == "foreign regular file"


def test_what_it_logs_beside_its_code_is_where_the_app_may_write(demo: Demo, foreign: App) -> None:
    foreign.get("/")
    for name in ("debug.log", "logs/shop.log"):
        assert demo.host(f"stat --format '%U %F' /var/lib/foreign/{name}") == "foreign regular file"
        assert demo.host(f"tail -n 1 /srv/foreign/current/project/{name}") == "visited"


def test_neither_app_can_read_the_secrets_of_the_other(demo: Demo) -> None:
    for reader, owner in (("foreign", "slow-sql"), ("slow-sql", "foreign")):
        path = f"/srv/{owner}/current/project/.env"
        assert demo.host(f"runuser -u {reader} -- test -r {path} && echo readable || echo closed") == "closed"
        sql = f"SELECT has_database_privilege('{reader.replace('-', '_')}', '{owner.replace('-', '_')}', 'CONNECT')"
        assert demo.host(f'runuser -u postgres -- psql --tuples-only --no-align --command "{sql}"') == "f"


def test_a_second_run_changes_nothing(foreign: App) -> None:
    again = foreign.playbook("site")
    assert (again.code, again.changed) == (0, 0), again.output
    assert "already live" in again.text


def test_a_command_that_cannot_complete_a_release_stops_it_while_the_old_one_goes_on(foreign: App) -> None:
    before = foreign.get("/assets/shop/built.css")
    commands = [{"command": "sh -c 'echo no bundle; exit 3'"}]
    refused = foreign.playbook("deploy", "-e", json.dumps({"release_before_static": commands}))
    assert refused.code != 0
    assert "release_before_static: sh -c 'echo no bundle; exit 3' failed (exit code 3): no bundle" in refused.text
    assert foreign.get("/assets/shop/built.css") == before
    unread = foreign.playbook("deploy", "-e", json.dumps({"release_after_static": [{"command": "say 'a"}]}))
    assert 'release_after_static: the command "say \'a" cannot be read: no closing quotation' in unread.text
