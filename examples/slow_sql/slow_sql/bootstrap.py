"""What manage.py and wsgi.py call before anything else is imported."""

import os
from importlib.util import find_spec
from pathlib import Path

# `.env` may switch the patch off, so it is read first. What django-environ imports can still be patched.
from environ import Env, ImproperlyConfigured

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"


def bootstrap() -> None:
    """Read `.env`, make the standard library and the database driver cooperative, choose the settings."""
    read_env_file()
    env = Env()
    engine = env.db()["ENGINE"]
    if env.bool("GEVENT_PATCH", default=True):
        patch_gevent(engine)
    if engine.endswith(".mysql"):
        # It stands in for mysqlclient, patched or not.
        import pymysql

        pymysql.install_as_MySQLdb()
    environment = env("ENVIRONMENT")
    settings = environment if "." in environment else f"{__package__}.settings.{environment}"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)


def read_env_file() -> None:
    # Given a path, django-environ says nothing when the file is missing or unreadable.
    try:
        with ENV_FILE.open(encoding="utf-8") as env_file:
            Env.read_env(env_file)
    except FileNotFoundError:
        raise ImproperlyConfigured(
            f"There is no {ENV_FILE}. In that directory, type: cp .env.template .env   Then fill it in."
        ) from None
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{ENV_FILE} is not UTF-8. Save it in that encoding.") from None
    except OSError as error:
        raise ImproperlyConfigured(
            f"Cannot read {ENV_FILE}: {error.strerror}. In that directory, type: ls -la   "
            "Then run this as a user who may read it."
        ) from None


def patch_gevent(engine: str) -> None:
    from gevent import monkey

    monkey.patch_all()
    # psycopg2 waits in C, where the patch does not reach. psycopg 3 and PyMySQL need nothing more.
    if engine.endswith((".postgresql", ".postgis")) and find_spec("psycopg2"):
        from psycogreen.gevent import patch_psycopg

        patch_psycopg()
