"""The example on MariaDB, which for now somebody else provides: only DATABASE_URL differs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
from apps import App
from demo import Demo

PASSWORD = secrets.token_urlsafe(16)
SQL = f"""
CREATE DATABASE maria CHARACTER SET utf8mb4;
GRANT ALL ON maria.* TO maria@127.0.0.1 IDENTIFIED BY '{PASSWORD}';
"""


@pytest.fixture(scope="module")
def maria(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return the example as a second app, with a database on the host."""
    demo.host("DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes mariadb-server > /dev/null")
    demo.host(f'mariadb --execute "{SQL}"')
    # Where the site finds itself.
    demo.host("echo 127.0.0.1 maria.test >> /etc/hosts")
    variables = {
        "postgresql_password": PASSWORD,
        "release_repository": str(demo.path),
        "release_subdirectory": "examples/slow_sql",
        "release_health_path": "/healthz",
        "release_env": {
            "ENVIRONMENT": "demo",
            "DEBUG": False,
            "SECRET_KEY": PASSWORD,
            "DATABASE_URL": f"mysql://maria:{PASSWORD}@127.0.0.1:3306/maria",
            "ALLOWED_HOSTS": ["maria.test"],
        },
    }
    app = App(demo, tmp_path_factory.mktemp("maria") / "hosts.yml", "maria", variables)
    yield app
    app.remove()


def test_the_example_runs_on_mariadb(maria: App) -> None:
    site = maria.playbook("site")
    assert site.code == 0, site.output
    page = maria.get("/")
    assert "Ten slow queries, one short wait." in page
    assert "<dd>MariaDB 1" in page


def test_ten_slow_requests_take_one_wait_on_mariadb(maria: App) -> None:
    started = time.monotonic()
    squares = maria.get("/ten-slow-requests/").split()
    assert time.monotonic() - started < 5.5
    assert sorted(map(int, squares)) == [x * x for x in range(1, 11)]
