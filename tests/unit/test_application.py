"""What a process shows that has loaded a release's WSGI application is judged before anybody sees the release."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.application import (
    PATCHED,
    check_warnings,
    code,
    connection_warnings,
    gevent_problems,
    key_warnings,
    name_warnings,
    settings_problems,
    upload_warnings,
    url_warnings,
)
from ansible_collections.initech.django.plugins.module_utils.manage import COLLECT, MARK
from ansible_collections.initech.django.plugins.module_utils.migrations import PLAN
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

GOOD: dict[str, Any] = {
    "settings": "shop.settings.prod",
    "key": sha256(b"S3cr3t").hexdigest(),
    "has_server": True,
    "debug": False,
    "patched": list(PATCHED),
    "uses_environ": True,
    "said": [],
    "lacking": [],
    "driver": "psycopg2",
    "cooperative": True,
    "one": 0.21,
    "all": 0.25,
}
OTHER = (
    "Where they go by DJANGO_SETTINGS_MODULE, set that in release_env to the settings of this environment, and "
    "app_env_as_environment: true"
)


def judge(
    *, manage: str = "shop.settings.prod", wanted: str = "prod", env: Any = (), environment: str = "prod", **answer: Any
) -> list[str]:
    """Return what is wrong with the settings."""
    return list(
        settings_problems({**GOOD, **answer}, manage, {"ENVIRONMENT": wanted, **dict(env)}, environment, "shop.wsgi")
    )


def judge_gevent(**answer: Any) -> list[str]:
    """Return what would block."""
    return list(gevent_problems({**GOOD, **answer}, "shop.wsgi"))


def test_the_code_that_runs_in_the_release_is_python() -> None:
    compile(code(Path("/etc/shop/gunicorn.conf.py"), ["DEBUG"], PLAN), "probe", "exec")
    compile(COLLECT.format(static="/srv/shop/static", mark=MARK), "collect", "exec")


@pytest.mark.parametrize("wanted", ["prod", "shop.settings.prod", ""])
def test_environment_names_the_settings_in_full_or_by_their_last_part_or_not_at_all(wanted: str) -> None:
    assert judge(wanted=wanted) == []


def test_manage_and_wsgi_that_load_different_settings_are_told_apart() -> None:
    assert judge(manage="shop.settings.local") == [
        (
            "manage.py loads the settings shop.settings.local, and shop.wsgi loads shop.settings.prod: both are to go "
            f"by ENVIRONMENT in .env. {OTHER}"
        )
    ]


def test_other_settings_than_environment_says_are_told() -> None:
    assert judge(wanted="staging") == [
        (
            "ENVIRONMENT in .env is staging, and manage.py and shop.wsgi load the settings shop.settings.prod. "
            f"Set ENVIRONMENT: prod in release_env, or have both load what ENVIRONMENT names. {OTHER}"
        )
    ]


def test_a_project_that_goes_by_djangos_own_variable_does_not_go_by_environment() -> None:
    loaded = "config.settings.production"
    assert judge(manage=loaded, settings=loaded, env={"DJANGO_SETTINGS_MODULE": loaded}) == []


def test_settings_other_than_djangos_own_variable_names_are_told_with_how_they_would_find_it() -> None:
    for last in ("dev", "settings"):
        loaded = f"shop.{last}"
        assert judge(manage=loaded, settings=loaded, env={"DJANGO_SETTINGS_MODULE": "shop.prod"}) == [
            (
                f"DJANGO_SETTINGS_MODULE in .env is shop.prod, and manage.py and shop.wsgi load the settings {loaded}. "
                "Where that is what they are to load, set app_env_as_environment: true, and let nothing in them "
                "overwrite it; else take it out of release_env"
            )
        ]


def test_a_project_that_goes_by_environment_may_have_djangos_own_variable_for_others() -> None:
    env = {"DJANGO_SETTINGS_MODULE": "shop.settings"}
    assert judge(manage="shop.settings.prod", settings="shop.settings.prod", env=env) == []


def test_settings_of_all_environments_may_make_of_environment_what_they_like() -> None:
    assert judge(manage="shop.settings", settings="shop.settings", wanted="staging") == []


def test_connections_that_would_pile_up_or_race_are_warned_of() -> None:
    assert connection_warnings({"kept": [], "pooled": [], "encrypts": False}) == []
    kept, pooled, encrypted = connection_warnings({"kept": ["default"], "pooled": ["other"], "encrypts": True})
    assert kept.startswith("CONN_MAX_AGE of the database default is not 0")
    assert pooled.startswith("The database other has a pool of Django's own")
    assert encrypted.startswith("Connections to the database of this host are encrypted")


SERVED = {"STATIC_URL": "/static/", "MEDIA_URL": "/media/"}


@pytest.mark.parametrize("url", ["", "/", "/static/", "/static", "https://cdn.example.com/s/", "//cdn.example.com/s/"])
def test_files_that_nginx_has_where_pages_look_for_them_or_that_another_host_has_are_well(url: str) -> None:
    assert url_warnings({**GOOD, "urls": {"STATIC_URL": url, "MEDIA_URL": ""}}, SERVED) == []


def test_files_that_pages_look_for_where_nginx_does_not_have_them_are_warned_of() -> None:
    urls = {"STATIC_URL": "/assets/", "MEDIA_URL": "/static/uploads/"}
    static, media = url_warnings({**GOOD, "urls": urls}, SERVED)
    assert static.startswith("STATIC_URL of shop.settings.prod is /assets/, and nginx has these files at /static/: ")
    assert static.endswith("Set nginx_static_url: /assets/, and type: ansible-playbook provision.yml")
    assert media.endswith("Set nginx_media_url: /static/uploads/, and type: ansible-playbook provision.yml")
    assert url_warnings({**GOOD, "urls": urls}, dict.fromkeys(SERVED, "")) == []


UNIT = "[Service]\nReadWritePaths=/srv/shop/media /var/lib/shop\nReadWritePaths=-/mnt/files\nReadOnlyPaths=/opt\n"


MEDIA = Path("/srv/shop/media")


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("", "/media/"),
        ("/srv/shop/media", "/media/"),
        ("/srv/shop/media/public", "/media/"),
        ("/var/lib/shop/a/b", ""),
        ("/mnt/files", ""),
    ],
)
def test_uploads_that_go_where_the_app_may_write_and_nginx_looks_are_well(place: str, url: str) -> None:
    assert upload_warnings({"uploads": place, "may_upload": bool(place)}, UNIT, MEDIA, url) == []


@pytest.mark.parametrize("place", ["/var/lib/shop/a/b", "/mnt/files"])
def test_uploads_that_nginx_would_not_find_are_warned_of(place: str) -> None:
    (warning,) = upload_warnings({"uploads": place, "may_upload": True}, UNIT, MEDIA, "/media/")
    assert warning.startswith(f"MEDIA_ROOT is {place}, and nginx has /srv/shop/media at /media/: visitors get 404 for ")


@pytest.mark.parametrize(
    ("place", "may"), [("/var/www/media", False), ("/mnt/files", False), ("/mnt/filesystem", True), ("/opt", True)]
)
def test_uploads_that_would_fail_are_warned_of(place: str, may: bool) -> None:
    (warning,) = upload_warnings({"uploads": place, "may_upload": may}, UNIT, MEDIA, "/media/")
    assert warning.startswith(f"MEDIA_ROOT is {place}, where the app may not write")


def test_debug_is_for_the_demo_alone() -> None:
    assert judge(debug=True, environment="demo") == []
    assert judge(debug=True) == [
        (
            "DEBUG is on in shop.settings.prod: every visitor could read settings and source. "
            "Set DEBUG: false in release_env"
        )
    ]


@pytest.mark.parametrize("off", ["False", "0", "off"])
def test_settings_that_do_not_go_by_debug_are_told_apart(off: str) -> None:
    (problem,) = judge(debug=True, env={"DEBUG": off})
    assert problem.endswith(
        'They do not go by DEBUG in .env, which is off. Where they set it, write env.bool("DEBUG"), or False'
    )
    assert judge(debug=True, env={"DEBUG": "True"})[0].endswith("Set DEBUG: false in release_env")


def test_an_env_file_that_was_not_read_is_told_by_its_keys() -> None:
    assert judge(lacking=["SECRET_KEY", "DATABASE_URL"], said=["INFO"]) == [
        (
            "shop.wsgi does not read the .env beside manage.py, which holds SECRET_KEY, DATABASE_URL, and "
            "django-environ says nothing of a file that is missing: give read_env that path, "
            "whatever the current directory is; or set app_env_as_environment: true, where it reads os.environ alone"
        )
    ]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgis", "mysql"])
def test_a_project_that_does_not_use_the_database_server_that_it_was_given_is_refused(scheme: str) -> None:
    (problem,) = judge(uses_environ=False, has_server=False, env={"DATABASE_URL": f"{scheme}://shop:S3cr3t@db/shop"})
    assert problem.startswith(
        "DATABASE_URL in .env names a server, and DATABASES of shop.settings.prod has none. Where "
    )
    assert "S3cr3t" not in problem


@pytest.mark.parametrize("env", [{}, {"DATABASE_URL": "sqlite:///db.sqlite3"}, {"DB_NAME": "shop"}])
def test_a_project_that_was_given_no_database_server_may_have_none(env: dict[str, str]) -> None:
    assert judge(has_server=False, env=env) == []


@pytest.mark.parametrize("env", [{}, {"SECRET_KEY": "S3cr3t"}, {"SECRET_KEY": "other", "DJANGO_SECRET_KEY": "S3cr3t"}])
def test_a_key_that_env_has_under_whatever_name_is_good(env: dict[str, str]) -> None:
    assert key_warnings(GOOD, env) == []


def test_a_project_that_signs_with_another_key_than_it_was_given_is_warned_of() -> None:
    (warning,) = key_warnings(GOOD, {"SECRET_KEY": "given", "DEBUG": "False"})
    assert warning.startswith("SECRET_KEY of shop.settings.prod is not that of .env: whoever knows it can sign in as ")
    assert "given" not in warning
    assert key_warnings({**GOOD, "key": ""}, {"SECRET_KEY": "given"}) == []


def test_a_project_that_knows_nothing_of_django_environ_may_read_env_as_it_likes() -> None:
    assert judge(uses_environ=False, lacking=["SECRET_KEY"]) == []


def test_what_django_environ_complains_of_is_counted_and_not_shown() -> None:
    assert judge(said=["WARNING", "WARNING"]) == [
        "django-environ complained 2 times while shop.wsgi was loaded: not every line is KEY=value"
    ]


def test_what_is_patched_and_waits_together_is_good() -> None:
    assert judge_gevent() == []
    assert judge_gevent(driver="", one=0.0, all=0.0) == []


def test_parts_of_the_standard_library_that_would_block_are_named() -> None:
    assert judge_gevent(patched=["ssl", "select"]) == [
        (
            "socket, threading would block: shop.wsgi or what it imports took back gevent's patch. "
            "It has to be the first thing there: from gevent import monkey; monkey.patch_all()"
        )
    ]


def test_a_driver_that_would_block_is_told_with_what_to_change() -> None:
    assert judge_gevent(cooperative=False) == [
        (
            "psycopg2 would block its worker: psycogreen's callback is not in place: "
            "in requirements_to_freeze.txt add psycogreen"
        )
    ]
    assert judge_gevent(cooperative=False, driver="MySQLdb") == [
        (
            "MySQLdb would block its worker: it waits in C: in requirements_to_freeze.txt write PyMySQL, not "
            "mysqlclient, and in settings import pymysql; pymysql.install_as_MySQLdb()"
        )
    ]


def test_a_driver_that_nobody_here_knows_is_told_too() -> None:
    assert judge_gevent(cooperative=False, driver="fast_mysql") == [
        "fast_mysql would block its worker: set no other wait callback"
    ]


def test_ten_waits_that_take_ten_times_as_long_as_one_are_told_with_both_times() -> None:
    assert judge_gevent(one=0.2, all=2.0) == [
        "10 queries at once took 2.00 s, and one 0.20 s: the database driver psycopg2 blocks its worker"
    ]


# With Django, gunicorn and gevent


PATCH = "from gevent import monkey\nmonkey.patch_all()\n"
SETTINGS = """
from environ import Env
Env.read_env({env!r})
SECRET_KEY = "x"
ALLOWED_HOSTS = ["shop.test", ".shop.example.com"]
"""
WSGI = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


def loaded(
    directory: Path,
    *,
    patch: str = PATCH,
    env: str = ".env",
    line: str = "",
    more: str = "",
    plan: str = "",
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what is true of a process that has loaded a small project."""
    (directory / "gunicorn.conf.py").write_text(f'{patch}wsgi_app = "wsgi:application"\n')
    (directory / ".env").write_text(f"TOKEN=S3cr3t\n{line}")
    (directory / "settings.py").write_text(SETTINGS.format(env=str(directory / env)) + more)
    (directory / "wsgi.py").write_text(WSGI)
    command = [sys.executable, "-c", code(directory / "gunicorn.conf.py", ["TOKEN"], plan, names)]
    result = subprocess.run(command, cwd=directory, env={}, check=True, capture_output=True, text=True)
    assert "S3cr3t" not in result.stdout
    answer: dict[str, Any] = json.loads(result.stdout.rpartition(MARK)[2])
    return answer


def problems(answer: dict[str, Any]) -> list[str]:
    """Return what is wrong with it."""
    env = {"ENVIRONMENT": "settings"}
    return [*settings_problems(answer, "settings", env, "prod", "wsgi"), *gevent_problems(answer, "wsgi")]


def test_a_small_project_that_is_loaded_as_it_should_be_is_good(tmp_path: Path) -> None:
    assert problems(loaded(tmp_path)) == []


def test_of_the_key_the_databases_and_the_urls_it_is_seen_what_they_are(tmp_path: Path) -> None:
    answer = loaded(tmp_path)
    assert (answer["key"], answer["has_server"]) == (sha256(b"x").hexdigest(), False)
    assert answer["urls"] == {"STATIC_URL": "", "MEDIA_URL": ""}


def test_settings_that_look_at_their_arguments_find_some_and_do_not_take_it_for_gunicorn(tmp_path: Path) -> None:
    more = "import sys\nassert 'gunicorn' not in sys.argv[0] and sys.argv[1] == '--config'\n"
    assert problems(loaded(tmp_path, more=more)) == []


def test_a_thread_that_the_project_has_started_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    more = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    assert problems(loaded(tmp_path, more=more)) == []


def test_djangos_deployment_checks_are_run_in_the_same_process(tmp_path: Path) -> None:
    answer = loaded(tmp_path)
    assert any("(security.W009)" in warning for warning in check_warnings(answer))
    assert not answer["refused"]


def test_an_error_of_djangos_deployment_checks_is_told_with_what_to_write_where_that_is_known() -> None:
    said = "SystemCheckError: issues:\n\nERRORS:\n?: (mail.E001) Your MAILERS setting uses a development-only backend."
    with pytest.raises(Problem, match=r'check --deploy failed:\n(.|\n)*SILENCED_SYSTEM_CHECKS = \["mail\.E001"\]$'):
        check_warnings({"refused": True, "check": said})


def test_what_is_to_be_migrated_is_seen_in_it_too_or_why_that_cannot_be_seen(tmp_path: Path) -> None:
    assert loaded(tmp_path, plan="answer = ['a.0001']")["plan"] == ["a.0001"]
    assert "ZeroDivisionError" in loaded(tmp_path, plan="1 / 0")["unseen"]


def test_names_of_the_site_by_which_visitors_would_be_refused_are_warned_of(tmp_path: Path) -> None:
    good = ["shop.test", ".shop.example.com", "www.shop.example.com", "*.example.org", "~^www", "_"]
    assert name_warnings(loaded(tmp_path, names=good)) == []
    (warning,) = name_warnings(loaded(tmp_path, names=["www.shop.test", "shop.test", "192.0.2.1"]))
    assert warning.startswith(
        "ALLOWED_HOSTS of settings does not have www.shop.test, 192.0.2.1, which nginx answers to"
    )


def test_a_project_that_is_not_patched_and_does_not_find_its_env_file_is_told_both(tmp_path: Path) -> None:
    lacking, blocking = problems(loaded(tmp_path, patch="", env="elsewhere/.env"))
    assert lacking.startswith("wsgi does not read the .env beside manage.py, which holds TOKEN, and django-environ ")
    assert blocking.startswith("socket, ssl, select, threading would block: wsgi or what it imports took back")


def test_a_line_of_env_that_django_environ_drops_is_counted(tmp_path: Path) -> None:
    assert problems(loaded(tmp_path, line="NO ASSIGNMENT\n")) == [
        "django-environ complained 1 times while wsgi was loaded: not every line is KEY=value"
    ]
