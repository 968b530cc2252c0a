"""Secrets that can be recognised are found nowhere but in .env, whatever is run with whatever output.

A failing deploy is run too: errors are where secrets slip out. At the end the secrets are rotated.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import App
from demo import Demo, Result
from sampler import Sampler
from shop import IDENTITY

CANARIES = {name: f"canary-{name}-{secrets.token_hex(12)}" for name in ("key", "database", "next", "token")}
NEXT = "vault_database_password_next"
URL = "{{ lookup('initech.django.database_url') }}"
ENV = "/srv/canary/releases/*/source/.env"
ELSEWHERE = "/ --exclude-dir=proc --exclude-dir=sys"


class Canary(App):
    """The example with secrets of its own, in a repository of its own."""

    def __init__(self, demo: Demo, directory: Path) -> None:
        """Make the repository and the inventory."""
        self.checkout = directory / "canary"
        example = f"{demo.path}/examples/slow_sql"
        subprocess.run(["cp", "-r", example, self.checkout], check=True)
        subprocess.run(["git", "init", "--quiet"], cwd=self.checkout, check=True)
        self.commit("The example")
        variables: dict[str, Any] = {
            "database_password": "{{ vault_database_password }}",
            "release_repository": str(self.checkout),
            "release_health_path": "/healthz",
            "release_health_timeout": 5,
            "release_env": {
                "ENVIRONMENT": "demo",
                "DEBUG": False,
                "SECRET_KEY": "{{ vault_secret_key }}",
                "SECRET_KEY_FALLBACKS": "{{ vault_secret_key_fallbacks | default([]) }}",
                "DATABASE_URL": URL,
                "ALLOWED_HOSTS": ["canary.test"],
                "API_TOKEN": "{{ vault_token }}",
            },
        }
        vault = {"vault_secret_key": CANARIES["key"], "vault_token": CANARIES["token"]}
        # A rotation takes the value that it finds there, as one does that was stopped.
        vault |= {"vault_database_password": CANARIES["database"], NEXT: CANARIES["next"]}
        super().__init__(demo, directory / "hosts.yml", "canary", variables, vault)

    def commit(self, message: str) -> None:
        """Commit everything."""
        for command in (["add", "--all"], [*IDENTITY, "commit", "--quiet", "--message", message]):
            subprocess.run(["git", *command], cwd=self.checkout, check=True)

    def spoil(self) -> None:
        """Commit a health page that fails."""
        views = self.checkout / "pages/views.py"
        views.write_text(views.read_text().replace('    return plain_text("ok")', '    raise RuntimeError("spoilt")'))
        self.commit("Spoil it")


@pytest.fixture(scope="module")
def canary(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    """Return the app."""
    app = Canary(demo, tmp_path_factory.mktemp("canary"))
    yield app
    app.remove()


@pytest.fixture(scope="module")
def runs(demo: Demo, canary: Canary) -> dict[str, Result]:
    """Provision, deploy twice, fail to deploy, verify, roll back and rotate, each as loud as can be."""

    def run(name: str, *arguments: str) -> Result:
        return canary.playbook(name, "-vvv", "--diff", *arguments)

    results = {}
    with Sampler(demo, list(CANARIES.values())) as sampler:
        for name in ("provision", "deploy"):
            results[name] = run(name)
        (canary.checkout / "README.md").write_text("Another commit.\n")
        canary.commit("Another")
        results["second deploy"] = run("deploy")
        canary.spoil()
        results["failing deploy"] = run("deploy")
        results["rollback"] = run("rollback")
        results["verify"] = run("verify")
        assert int(demo.host(f"ls {ENV} | wc -l")) > 1
        results["rotation"] = run("secrets", "-e", '{"rotate": ["SECRET_KEY", "DATABASE_URL"]}')
        manage = "canary-manage shell -c 'print(1)'; su - admin -c 'canary-manage check'"
        demo.host(manage)
    results["processes"] = Result(0, sampler.seen)
    return results


def test_all_runs_did_what_they_should(runs: dict[str, Result]) -> None:
    codes = {name: result.code == 0 for name, result in runs.items()}
    assert codes == {name: name != "failing deploy" for name in runs}
    assert "RuntimeError: spoilt" in runs["failing deploy"].output


def test_no_output_holds_a_secret(runs: dict[str, Result]) -> None:
    for name, result in runs.items():
        assert [canary for canary, value in CANARIES.items() if value in result.output] == [], name


def test_no_process_ever_had_one_in_its_arguments_or_environment(runs: dict[str, Result]) -> None:
    assert runs["processes"].output == "nothing"


@pytest.mark.parametrize("name", CANARIES)
def test_on_the_host_it_is_in_env_files_alone_and_a_password_that_was_rotated_nowhere(
    demo: Demo, runs: dict[str, Result], name: str
) -> None:
    value = CANARIES[name]
    found = demo.host(f"grep -rIlF {value} {ELSEWHERE} 2>/dev/null | sort || true").split()
    assert found == ([] if name == "database" else demo.host(f"ls {ENV} | sort").split())
    assert value not in demo.host("journalctl --no-pager")


def test_what_the_rotation_made_up_is_in_no_output_either(canary: Canary, runs: dict[str, Result]) -> None:
    env = canary.env()
    assert env["SECRET_KEY_FALLBACKS"] == CANARIES["key"]
    assert env["SECRET_KEY"] not in (CANARIES["key"], "")
    assert env["SECRET_KEY"] not in runs["rotation"].output


def test_nobody_but_root_and_the_app_can_read_it(demo: Demo, runs: dict[str, Result]) -> None:
    assert demo.host(f"stat --format '%a %U %G' {ENV} | sort -u") == "640 root canary"


def test_ansible_leaves_none_behind_on_the_controller(runs: dict[str, Result]) -> None:
    places = [str(path) for path in Path.home().glob(".ansible*")] + [str(Path.home() / ".cache/initech-django")]
    for value in CANARIES.values():
        found = subprocess.run(["grep", "-rlF", value, *places], capture_output=True, text=True, check=False)
        assert found.stdout == ""
