"""Bad input gets a clear error before anything was changed, and the live site is never touched."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import Demo

EXAMPLE = "examples/slow_sql"


@pytest.fixture(autouse=True)
def _untouched(demo: Demo) -> Iterator[None]:
    """Whatever was refused, nothing on the host differs afterwards, and the site answers."""
    before = demo.state()
    yield
    assert demo.state() == before
    assert demo.get("/healthz") == "ok\n"


class Project:
    """A git repository with a copy of the example, to be spoilt."""

    def __init__(self, path: Path, example: Path) -> None:
        """Copy the example."""
        self.path = path
        shutil.copytree(example, path, ignore=shutil.ignore_patterns("__pycache__"))
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        """Run git."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=self.path, check=True)

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a file."""
        text = (self.path / file).read_text()
        assert old in text
        (self.path / file).write_text(text.replace(old, new))

    def deploy(self, demo: Demo, *arguments: str) -> str:
        """Commit what there is, and return what the failed deploy of it printed."""
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", "Spoilt")
        variables = {"release_repository": str(self.path), "release_subdirectory": ""}
        result = demo.playbook("deploy", "-e", json.dumps(variables), *arguments)
        assert result.code != 0, result.output
        assert "Traceback" not in result.output.replace('Traceback (most recent call last):\n  File "/srv', "")
        return result.text


@pytest.fixture
def project(tmp_path: Path, demo: Demo) -> Project:
    """Return a good project."""
    return Project(tmp_path / "project", demo.path / EXAMPLE)


@pytest.mark.parametrize("playbook", ["provision", "deploy", "rollback", "site"])
def test_a_run_without_limit_would_touch_several_environments_and_is_refused(demo: Demo, playbook: str) -> None:
    result = demo.run("ansible-playbook", f"{playbook}.yml")
    assert result.code != 0
    assert "This run would touch hosts of 3 environments" in result.text
    assert "Type -l demo or -l prod or -l staging" in result.text
    assert "ok=1 changed=0" in result.text


def test_two_environments_are_refused_by_name(demo: Demo) -> None:
    result = demo.playbook("deploy", limit="demo,staging")
    assert result.code != 0
    assert "demo: demo-host staging: staging.example.com Type -l demo or -l staging" in result.text


def test_an_environment_that_does_not_exist_leaves_no_host(demo: Demo) -> None:
    result = demo.playbook("deploy", limit="prd")
    assert result.code != 0
    assert "no hosts to target" in result.text
    assert "prd" in result.text


@pytest.mark.parametrize(("environment", "playbook"), [("staging", "provision"), ("prod", "deploy")])
def test_an_example_that_was_not_filled_in_says_what_to_fill_in_and_where(
    demo: Demo, environment: str, playbook: str
) -> None:
    result = demo.playbook(playbook, limit=environment)
    assert result.code != 0
    files = f"inventories/{environment}/group_vars/{environment}"
    for line in (
        f"inventories/{environment}/hosts.yml: ",
        f"{files}/app.yml: app_name is not filled in: a short name",
        f"{files}/nginx.yml: nginx_server_names[0] is not filled in: the name that visitors type",
        f"{files}/release.yml: release_repository is not filled in: the URL",
        f"{files}/vault.yml: vault_secret_key is not set",
        f"{files}/vault.yml: vault_database_password is not set",
        f"Secrets: ansible-playbook secrets.yml -l {environment} makes what can be made up",
    ):
        assert line in result.text
    assert "unreachable=0" in result.text


def test_a_missing_vault_password_says_where_to_put_it(demo: Demo) -> None:
    password = demo.path / ".demo" / "vault-password"
    away = password.rename(password.with_name("away"))
    try:
        result = demo.playbook("deploy")
    finally:
        away.rename(password)
    assert result.code != 0
    assert "No vault password for demo. It lies outside git. Type: make demo" in result.text


@pytest.mark.parametrize(("value", "playbook"), [("", "provision"), ("   ", "deploy")])
def test_an_empty_secret_is_refused_by_name(demo: Demo, playbook: str, value: str) -> None:
    result = demo.playbook(playbook, "-e", json.dumps({"vault_secret_key": value}))
    assert result.code != 0
    assert "group_vars/demo/vault.yml: vault_secret_key is empty" in result.text


def test_an_unfilled_secret_is_refused_by_name(demo: Demo) -> None:
    result = demo.playbook("provision", "-e", json.dumps({"vault_database_password": "FILL IN: a long one"}))
    assert result.code != 0
    assert "vault_database_password is not filled in: a long one" in result.text


def test_a_value_of_the_wrong_type_is_refused_before_a_host_is_touched(demo: Demo) -> None:
    result = demo.playbook("deploy", "-e", "release_keep=many")
    assert result.code != 0
    assert "group_vars/demo/release.yml: argument 'release_keep'" in result.text


def test_a_version_that_does_not_exist_is_refused_with_the_branches_there_are(demo: Demo) -> None:
    result = demo.playbook("deploy", "-e", "release_version=v9.9")
    assert result.code != 0
    assert "has no version 'v9.9'. Its branches: " in result.text
    assert "-e release_version=NAME" in result.text


def test_a_repository_that_does_not_exist_is_refused(demo: Demo, tmp_path: Path) -> None:
    result = demo.playbook("deploy", "-e", f"release_repository={tmp_path}/nowhere")
    assert result.code != 0
    assert f"There is no directory {tmp_path}/nowhere. Correct release_repository." in result.text


def test_a_project_without_manage_py_is_refused(demo: Demo, project: Project) -> None:
    (project.path / "manage.py").unlink()
    assert "has no manage.py. Set release_subdirectory" in project.deploy(demo)


def test_a_project_without_wsgi_is_refused(demo: Demo, project: Project) -> None:
    (project.path / "slow_sql" / "wsgi.py").unlink()
    assert "has no module slow_sql.wsgi" in project.deploy(demo)


def test_a_project_without_requirements_txt_is_refused_with_how_to_make_it(demo: Demo, project: Project) -> None:
    (project.path / "requirements.txt").unlink()
    assert (
        "has no requirements.txt. Write what the project needs directly into requirements_to_freeze"
        in project.deploy(demo)
    )


def test_a_project_with_its_secrets_in_git_is_refused(demo: Demo, project: Project) -> None:
    (project.path / ".env").write_text("SECRET_KEY=known\n")
    assert "has .env in git, where no secret may be. Type: git rm --cached .env" in project.deploy(demo)


def test_a_requirement_that_is_not_pinned_is_refused(demo: Demo, project: Project) -> None:
    project.replace("requirements.txt", "requests==", "requests>=")
    message = "is not pinned to one version. Put it into requirements_to_freeze.txt"
    assert message in project.deploy(demo)


def test_all_that_requirements_lack_is_told_at_once_with_what_to_add(demo: Demo, project: Project) -> None:
    """Each by itself is in the tests of the guards."""
    for name in ("gunicorn", "gevent", "psycogreen"):
        project.replace("requirements.txt", f"{name}==", "#")
    output = project.deploy(demo)
    for message in (
        (
            "requirements.txt lacks gunicorn: it serves the app; write gunicorn[gevent]; "
            "add it to requirements_to_freeze.txt"
        ),
        "requirements.txt lacks gevent: gunicorn's workers are gevent's; add it to",
        "requirements.txt lacks psycogreen: without it psycopg2 blocks its worker",
    ):
        assert message in output


def test_a_driver_that_would_block_its_worker_is_refused(demo: Demo, project: Project) -> None:
    project.replace("requirements.txt", "psycopg2-binary==2.9.13", "psycopg==3.1.13")
    assert "psycopg 3.1.13 blocks its worker under gevent" in project.deploy(demo)


def test_a_mysql_project_without_pymysql_is_refused(demo: Demo, project: Project) -> None:
    project.replace("requirements.txt", "PyMySQL==", "#")
    environment = {"DATABASE_URL": "mysql://u:p@127.0.0.1/n", "SECRET_KEY": "s", "ENVIRONMENT": "demo", "DEBUG": False}
    message = project.deploy(demo, "-e", json.dumps({"release_env": environment}))
    assert "requirements.txt lacks PyMySQL: it is the driver for MySQL" in message


@pytest.mark.parametrize("playbook", ["provision", "deploy"])
def test_an_interpreter_that_the_host_does_not_have_is_refused_with_those_it_has(demo: Demo, playbook: str) -> None:
    result = demo.playbook(playbook, "-e", '{"python_version": "3.99"}')
    assert result.code != 0
    assert "python_version is '3.99', and this host has 3." in result.text
    assert "(/usr/bin/python3)" in result.text


def test_an_unsupported_distribution_is_refused_with_the_supported_ones(demo: Demo) -> None:
    demo.host("cp /etc/os-release /root/os-release && cp /etc/debian_version /root/debian_version")
    try:
        demo.host("sed -i 's/13/11/; s/trixie/bullseye/' /etc/os-release && echo 11.9 > /etc/debian_version")
        result = demo.playbook("provision")
    finally:
        demo.host("cat /root/os-release > /etc/os-release && cat /root/debian_version > /etc/debian_version")
    assert result.code != 0
    assert "demo-host runs Debian 11" in result.text
    assert "Supported are Debian 12, 13; Ubuntu 22.04, 24.04, 26.04." in result.text


def test_a_key_that_env_cannot_express_is_refused_by_name_without_its_value(demo: Demo) -> None:
    environment = {
        "ENVIRONMENT": "demo",
        "DEBUG": False,
        "SECRET_KEY": "$topsecret",
        "DATABASE_URL": "postgres://u:p@h/n",
    }
    result = demo.playbook("deploy", "-e", json.dumps({"release_env": environment}))
    assert result.code != 0
    assert "SECRET_KEY: its value begins with $" in result.text
    assert "topsecret" not in result.text.replace(json.dumps(environment), "")


def test_all_keys_that_env_template_asks_for_and_nobody_set_are_listed_at_once(demo: Demo) -> None:
    result = demo.playbook("deploy", "-e", json.dumps({"release_env": {"ENVIRONMENT": "demo", "SECRET_KEYS": "x"}}))
    assert result.code != 0
    for key in ("DEBUG", "SECRET_KEY", "DATABASE_URL"):
        assert f".env.template asks for {key}, and release_env does not have it." in result.text


@pytest.mark.parametrize("playbook", ["provision", "deploy", "site", "rollback", "verify", "lock", "secrets"])
def test_a_vault_that_is_not_encrypted_is_refused_by_every_playbook(demo: Demo, playbook: str) -> None:
    vault = demo.path / "inventories/demo/group_vars/demo/vault.yml"
    encrypted = vault.read_bytes()
    vault.write_text("vault_secret_key: S3cr3t\nvault_database_password: S3cr3t\n")
    try:
        result = demo.playbook(playbook)
    finally:
        vault.write_bytes(encrypted)
    assert result.code != 0
    assert "vault.yml is not encrypted. Type: ansible-vault encrypt --encrypt-vault-id demo " in result.text
    assert "S3cr3t" not in result.output
