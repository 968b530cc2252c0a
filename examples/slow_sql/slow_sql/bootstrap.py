"""What manage.py and wsgi.py call before anything else is imported."""

import os
from importlib.util import find_spec
from pathlib import Path

from environ import Env, ImproperlyConfigured

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"


def bootstrap() -> None:
    """Read `.env`, make the standard library and the database driver cooperative, choose the settings."""
    env = Env()
    read_env_file()
    if env.bool("GEVENT_PATCH", default=True):
        patch_gevent()
    if env.db()["ENGINE"] == "django.db.backends.mysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    environment = env("ENVIRONMENT")
    settings = environment if "." in environment else f"slow_sql.settings.{environment}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)


def read_env_file() -> None:
    # Given a path, django-environ says nothing when the file is missing or unreadable.
    try:
        with ENV_FILE.open(encoding="utf-8") as env_file:
            Env.read_env(env_file)
    except OSError as error:
        raise ImproperlyConfigured(
            f"Cannot read {ENV_FILE}: {error.strerror}. Beside manage.py, type: cp .env.template .env"
        ) from None


def patch_gevent() -> None:
    from gevent import monkey

    monkey.patch_all()
    # psycopg2 waits in C, where the patch does not reach. PyMySQL is Python and needs nothing more.
    if find_spec("psycopg2"):
        from psycogreen.gevent import patch_psycopg

        patch_psycopg()
