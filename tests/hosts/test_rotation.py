"""A database's password gets another value while the site is asked all the time, whatever the run lives through."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from apps import App
from demo import Demo, Result
from load import Load

ENV = "/srv/slow-sql/current/project/.env"
ROTATE = ("ansible-playbook", "secrets.yml", "-l", "demo", "-e", "rotate=DATABASE_URL")
# Where the run is killed: its next task has begun then. Each step behind which host and vault say something else.
KILLS = ("second_user | Let it be the first", "switch | Start it beside the live one", "database | Make the database")
KILLS_LATER = (
    "rotate | Read the vault again, with the password in its place",
    "finish | Remove what no rollback needs",
)


def login(demo: Demo) -> tuple[str, str]:
    """Return the user and the password in the live release's DATABASE_URL."""
    found = re.search(r"postgres://(\w+):([^@]+)@", demo.host(f"cat {ENV}"))
    assert found
    return found[1], found[2]


def can_connect(demo: Demo, user: str, password: str) -> bool:
    """Tell whether the server lets somebody in."""
    place = f"host=127.0.0.1 dbname=slow_sql user={user}"
    check = f"PGPASSWORD={shlex.quote(password)} psql '{place}' --command 'SELECT 1' > /dev/null 2>&1; echo $?"
    return demo.host(check) == "0"


def killed_at(demo: Demo, task: str) -> bool:
    """Rotate until a task begins, kill the run then, and tell whether that came to pass."""
    with subprocess.Popen(
        [f"{demo.path}/.venv/bin/ansible-playbook", *ROTATE[1:]],
        cwd=demo.path,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as run:
        for line in run.stdout or ():
            if task in line:
                run.send_signal(signal.SIGKILL)
                return True
    return False


@pytest.fixture(scope="module")
def rotation(demo: Demo) -> tuple[tuple[str, str], Load, Result]:
    """Kill rotations at one step after the other, let the last one finish, and ask the site all the while."""
    before = login(demo)
    with Load(demo.connect, connections=8, pause=0.1) as load:
        missed = [task for task in KILLS + KILLS_LATER if not killed_at(demo, task)]
        finished = demo.run(*ROTATE)
    assert missed == []
    return before, load, finished


def test_no_request_failed(rotation: tuple[tuple[str, str], Load, Result]) -> None:
    _, load, finished = rotation
    assert finished.code == 0, finished.output
    assert load.answers["200"] > 1000
    assert load.failures == {}


def test_the_new_password_is_in_force_and_the_old_one_is_dead(
    demo: Demo, rotation: tuple[tuple[str, str], Load, Result]
) -> None:
    (user, old), _, finished = rotation
    assert login(demo)[0] == user
    new = login(demo)[1]
    assert new != old
    assert can_connect(demo, user, new)
    assert not can_connect(demo, user, old)
    assert not can_connect(demo, f"{user}_rotation", new)
    assert new not in finished.output


def test_nothing_is_left_of_it(demo: Demo, rotation: tuple[tuple[str, str], Load, Result]) -> None:
    roles = demo.host("cd /tmp; runuser -u postgres -- psql -Atc 'SELECT rolname FROM pg_roles' | grep ^slow_sql")
    assert roles == "slow_sql"
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = \\$\\$public\\$\\$"
    assert demo.host(f'cd /tmp; runuser -u postgres -- psql -d slow_sql -Atc "{owners}"') == "slow_sql"
    vault = demo.checked("ansible-vault", "view", "inventories/demo/group_vars/demo/vault.yml")
    assert re.findall(r"^vault_database_\w+", vault, re.MULTILINE) == ["vault_database_password"]
    # None of the others could reach the database.
    assert demo.host("ls /srv/slow-sql/releases") == demo.live()


def test_nothing_is_to_be_done_afterwards(demo: Demo, rotation: tuple[tuple[str, str], Load, Result]) -> None:
    for again in (demo.playbook("secrets"), demo.playbook("site")):
        assert again.code == 0, again.output
        assert again.changed == 0, again.output


def test_where_nothing_is_live_only_the_vault_changes(demo: Demo, tmp_path: Path) -> None:
    url = "{{ lookup('initech.django.database_url') }}"
    env = {"ENVIRONMENT": "demo", "DEBUG": False, "SECRET_KEY": "s", "DATABASE_URL": url}
    variables = {"database_password": "{{ vault_it }}", "release_repository": str(demo.path), "release_env": env}
    app = App(demo, tmp_path / "hosts.yml", "unborn", variables, {"vault_it": "old"})
    vault = tmp_path / "group_vars/unborn/vault.yml"
    before = vault.read_bytes()
    check = app.playbook("secrets", "-e", "rotate=vault_it", "--check")
    assert check.code == 0, check.output
    assert f"Would make another value in {vault}: vault_it." in check.text
    assert vault.read_bytes() == before
    rotated = app.playbook("secrets", "-e", "rotate=vault_it")
    assert rotated.code == 0, rotated.output
    assert "Nothing is live here yet, so the database gets it from site.yml." in rotated.text
    text = VaultLib([("unborn", VaultSecret(b"of-the-vault"))]).decrypt(vault.read_bytes()).decode()
    assert re.fullmatch(r'vault_it: "[\w-]{43}"\n', text)
