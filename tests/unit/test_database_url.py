"""What `database_url` computes, the real django-environ reads back exactly."""

from __future__ import annotations

import io
from typing import Any

import environ
import pytest
from ansible_collections.initech.django.plugins.module_utils.database_url import (
    PORTS,
    SCHEMES,
    database_server,
    database_url,
)
from ansible_collections.initech.django.plugins.module_utils.dotenv import render
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

PARTS: dict[str, Any] = {"user": "shop", "name": "shop"}
ENGINES = {"postgresql": "django.db.backends.postgresql", "mysql": "django.db.backends.mysql"}

texts = st.one_of(st.text(min_size=1), st.text(":/@?#[]%+& =;,.~\\'\"$ä", min_size=1))
names = texts.filter(lambda text: not text.startswith("/"))
engines = st.sampled_from(list(PORTS))


def read(url: str) -> dict[str, Any]:
    """Return what django-environ hands to Django."""
    config: dict[str, Any] = environ.Env.db_url_config(url)
    return config


@given(password=texts, user=texts, name=names, engine=engines)
def test_password_user_and_name_may_hold_any_character(password: str, user: str, name: str, engine: str) -> None:
    assert read(database_url(password, user=user, name=name, engine=engine)) == {
        "ENGINE": ENGINES[engine],
        "NAME": name,
        "USER": user,
        "PASSWORD": password,
        "HOST": "127.0.0.1",
        "PORT": PORTS[engine],
        "OPTIONS": {"postgresql": {"sslmode": "disable"}, "mysql": {"ssl_disabled": 1}}[engine],
    }


def test_the_port_is_the_one_that_the_server_listens_on_by_default() -> None:
    assert database_url("p", **PARTS) == "postgres://shop:p@127.0.0.1:5432/shop?sslmode=disable"
    assert database_url("p", **PARTS, engine="mysql") == "mysql://shop:p@127.0.0.1:3306/shop?ssl_disabled=1"


@pytest.mark.parametrize("host", ["db.example.com", "10.0.0.7", "fe80::1"])
@given(engine=engines)
def test_a_server_elsewhere_is_never_reached_without_tls_unless_the_driver_says_so(host: str, engine: str) -> None:
    assert "OPTIONS" not in read(database_url("p", **PARTS, host=host, engine=engine))


@given(password=texts, user=texts, name=texts.filter(lambda text: "/" not in text))
def test_with_a_pool_the_url_leads_to_the_socket_and_django_keeps_nothing_in_a_connection(
    password: str, user: str, name: str
) -> None:
    assert read(database_url(password, user=user, name=name, pool=True)) == {
        "ENGINE": ENGINES["postgresql"],
        "NAME": name,
        "USER": user,
        "PASSWORD": password,
        "HOST": "/run/postgresql",
        "PORT": "",
        "CONN_MAX_AGE": 0,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {},
    }


def test_the_pool_of_mysql_is_in_the_server_and_its_url_the_same() -> None:
    assert database_url("p", **PARTS, engine="mysql", pool=True) == database_url("p", **PARTS, engine="mysql")


@given(password=texts)
def test_a_password_survives_the_way_through_the_env_file(password: str) -> None:
    reader: Any = type("Fresh", (environ.Env,), {"ENVIRON": {}})
    reader.read_env(io.StringIO(render({"DATABASE_URL": database_url(password, **PARTS)})))
    assert reader().db()["PASSWORD"] == password


@pytest.mark.parametrize(
    "host", ["db.example.com", "localhost", "db_1", "10.0.0.7", "a,b", "::1", "fe80::1", "2001:db8::2:1"]
)
@given(engine=engines, port=st.integers(1, 65535))
def test_host_and_port_are_read_back(host: str, engine: str, port: int) -> None:
    config = read(database_url("secret", **PARTS, host=host, port=port, engine=engine))
    assert (config["HOST"], config["PORT"]) == (host, port)


@pytest.mark.parametrize("host", ["/var/run/postgresql", "/tmp/a b", "/tmp/50%?#@+"])
@given(password=texts, user=texts, name=texts.filter(lambda text: "/" not in text))
def test_the_directory_of_a_unix_socket_is_read_back(host: str, password: str, user: str, name: str) -> None:
    config = read(database_url(password, user=user, name=name, host=host))
    assert config["HOST"] == host
    assert (config["NAME"], config["USER"], config["PASSWORD"]) == (name, user, password)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"user": ""}, "user must be text and not empty"),
        ({"user": None, "name": 5}, "user and name must be text"),
        ({"host": ""}, "host must be text and not empty"),
        ({"engine": "sqlite"}, "engine is 'sqlite', and not one of postgresql, mysql"),
        # Each of these would be read back as something else.
        ({"name": "/shop"}, "name begins with /"),
        ({"name": "a/b", "host": "/run/postgresql"}, "name holds a /"),
        ({"host": "/run/mysqld/mysqld.sock", "engine": "mysql"}, "mysql has no form for a unix socket"),
        ({"host": "db:5433"}, "host is 'db:5433'; write a name or an address there, and the port as port."),
        ({"host": "[::1]"}, "host is '[::1]'"),
        ({"host": "postgres://db"}, "host is 'postgres://db'"),
        ({"host": "a@b"}, "host is 'a@b'"),
        ({"host": "db/x"}, "host is 'db/x'"),
        ({"host": "db\n"}, r"host is 'db\n'"),
    ],
)
def test_what_no_url_says_is_refused_without_the_password(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(Problem) as problem:
        database_url("S3cr3t", **{**PARTS, **parts})
    assert str(problem.value).startswith(f"database_url: {message}")
    assert "S3cr3t" not in str(problem.value)


@pytest.mark.parametrize("password", ["", None, 5, b"secret"])
def test_a_password_that_is_no_text_is_refused(password: Any) -> None:
    with pytest.raises(Problem, match="password must be text and not empty"):
        database_url(password, **PARTS)


@pytest.mark.parametrize(
    ("url", "scheme", "is_local"),
    [
        ("", "", True),
        ("no url", "", True),
        ("sqlite:///db.sqlite3", "sqlite", True),
        ("postgres://u:p@127.0.0.1:5432/n", "postgres", True),
        ("postgres://u:p@LocalHost/n", "postgres", True),
        ("postgres://u:p@[::1]:5432/n", "postgres", True),
        ("postgres://u:p@//var/run/postgresql/n", "postgres", True),
        ("postgres://u:p@db.example.com:5432/n", "postgres", False),
        ("postgres://u:p@[fd00::7]:5432/n", "postgres", False),
        ("mysql://db/n", "mysql", False),
        ("mysql://u:p[@:@10.0.0.7/n", "mysql", False),
        ("postgres://u:p@localhost/n?options=a@db.example.com", "postgres", True),
    ],
)
def test_where_a_url_leads_to_is_read_however_it_was_written(url: str, scheme: str, is_local: bool) -> None:
    assert database_server(url) == {"scheme": scheme, "is_local": is_local}


@given(password=texts, user=texts, name=names, engine=engines)
def test_where_a_computed_url_leads_to_is_read_back(password: str, user: str, name: str, engine: str) -> None:
    for host, is_local in (("127.0.0.1", True), ("db.example.com", False)):
        url = database_url(password, user=user, name=name, host=host, engine=engine)
        assert database_server(url) == {"scheme": SCHEMES[engine], "is_local": is_local}
