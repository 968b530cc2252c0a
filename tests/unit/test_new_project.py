"""A new project: what is refused, what is made, and that no secret gets out; Ansible itself runs new.yml."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from ansible_collections.initech.django.plugins.module_utils.inputs import APP_NAME
from ansible_collections.initech.django.plugins.module_utils.new_project import (
    DATABASES,
    File,
    Plan,
    draft_of,
    make,
    name_problem,
    plan_project,
    render,
    report,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "Jane", "EMAIL": "jane@example.com"}.items()
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the user be one whose home is empty, and whom git does not know."""
    path = tmp_path / "home"
    path.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return path


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    """Return the directory of all inventories of a deploy project."""
    path = tmp_path / "deploy" / "inventories"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def plan(tmp_path: Path, inventories: Path) -> Plan:
    """Return the plan of a project where nothing is in the way."""
    return plan_project("shop_one", str(tmp_path / "src" / "shop"), "postgresql", inventories)


def encrypt(text: str, password: str) -> str:
    """Stand in for Ansible's vault, in a way that a test can read."""
    return json.dumps([text, password])


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-C", str(directory), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def contents(directory: Path) -> dict[str, bytes]:
    """Return everything below a directory, to compare it later."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in directory.rglob("*")}


def refusal(project: str, directory: Path | str, inventories: Path, database: str = "postgresql") -> str:
    with pytest.raises(Problem) as caught:
        plan_project(project, str(directory), database, inventories)
    return str(caught.value)


# Names


@pytest.mark.parametrize("name", ["shop", "a", "shop2", "my_shop", "a" * 25])
def test_a_good_name_is_good_for_a_package_an_app_and_a_group(name: str) -> None:
    assert name_problem(name) is None
    assert name.isidentifier()
    assert APP_NAME.fullmatch(name.replace("_", "-"))


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("", "shop"),
        ("Shop", "shop"),
        ("my-shop", "my_shop"),
        ("my shop.example.com", "my_shop_example_com"),
        ("2shop", "shop"),
        ("_shop", "shop"),
        ("shop_", "shop"),
        ("shöp", "sh_p"),
        ("../shop", "shop"),
        ("shop\n", "shop"),
        ("-l", "l"),
        ("class", "shop"),
        ("0", "shop"),
        ("a" * 26, "a" * 25),
        ("a" * 24 + "_b", "a" * 24),
        # Modules: of Python, of what the template installs, of the template itself.
        ("site", "site_site"),
        ("test", "test_site"),
        ("django", "django_site"),
        ("gunicorn", "gunicorn_site"),
        ("environ", "environ_site"),
        ("psycopg2", "psycopg2_site"),
        ("pages", "pages_site"),
        ("manage", "manage_site"),
        ("project_name", "project_name_site"),
        # Names that the host, its servers or Ansible have.
        ("backup", "backup_site"),
        ("www_data", "www_data_site"),
        ("docker", "docker_site"),
        ("ssl_cert", "ssl_cert_site"),
        ("postgres", "postgres_site"),
        ("pg_shop", "shop_site"),
        ("slow_sql", "slow_sql_site"),
        ("all", "all_site"),
        ("prod", "prod_site"),
        ("information_schema", "information_schema_site"),
    ],
)
def test_a_bad_name_is_refused_with_a_better_one_to_type(name: str, better: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert problem.endswith(f": -e project={better}")
    assert name_problem(better) is None


def test_a_name_that_can_be_imported_is_refused_wherever_it_comes_from() -> None:
    problem = name_problem("stripe", lambda name: name == "stripe")
    assert problem is not None
    assert problem.startswith("'stripe' is the name of a Python module")


# What else is refused


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_made(tmp_path: Path, inventories: Path) -> None:
    before = contents(tmp_path)
    lines = refusal("Shop", "", inventories, "oracle").splitlines()
    assert lines[0] == "Nothing was made:"
    assert [line.split("Type")[1].split()[-1] for line in lines[1:]] == [
        "project=shop",
        "directory=~/src/shop",
        "database=mysql",
    ]
    assert contents(tmp_path) == before


def test_a_directory_that_is_not_empty_is_refused(tmp_path: Path, inventories: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").touch()
    assert f"{tmp_path}/full is there already, and not empty." in refusal("shop", tmp_path / "full", inventories)


def test_a_file_is_refused_also_above(tmp_path: Path, inventories: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "shop"):
        assert f"{tmp_path}/file is there already, and no directory." in refusal("shop", place, inventories)


@pytest.mark.parametrize("place", [".", "shop", "inventories/shop", "../deploy/src/shop"])
def test_a_place_inside_the_deploy_project_is_refused_as_git_would_see_it_there(inventories: Path, place: str) -> None:
    message = refusal("shop", inventories.parent / place, inventories)
    assert f"lies inside {inventories.parent}, which has a git of its own. Choose another place" in message


@pytest.mark.parametrize("name", ["a{{b}}", "a\nb", "a\x1bb"])
def test_a_place_that_ansible_would_misread_is_refused(tmp_path: Path, inventories: Path, name: str) -> None:
    assert "holds characters that Ansible takes for something else" in refusal("shop", tmp_path / name, inventories)


def test_a_place_where_one_may_not_write_is_refused(
    tmp_path: Path, inventories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    assert f"You may not write to {tmp_path}." in refusal("shop", tmp_path / "src" / "shop", inventories)


def test_a_place_that_cannot_be_looked_at_is_refused(tmp_path: Path, inventories: Path) -> None:
    assert "File name too long. Choose another place" in refusal("shop", tmp_path / ("x" * 300), inventories)


def test_an_inventory_that_is_there_is_refused_with_how_to_remove_it(tmp_path: Path, inventories: Path) -> None:
    (inventories / "shop").mkdir()
    message = refusal("shop", tmp_path / "shop", inventories)
    assert message.endswith(f"if its project is gone, type: rm -r {inventories}/shop")


def test_a_place_without_inventories_is_refused(tmp_path: Path) -> None:
    message = refusal("shop", tmp_path / "shop", tmp_path / "nowhere" / "inventories")
    assert "nowhere/inventories. Type this where ansible.cfg and the inventories are." in message


def test_a_machine_without_git_is_told_how_to_get_it(
    tmp_path: Path, inventories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install git" in refusal("shop", tmp_path / "shop", inventories)


# The renderer


def test_only_names_that_have_a_value_are_filled_in_and_only_in_files_of_some_kinds(tmp_path: Path) -> None:
    text = "{{ project_name }} {{ other }} {{project_name}} {% if x %}"
    for name in ("project_name/a.py-tpl", "b.txt", ".env.template", "c.html", ".hidden/d.txt", "__pycache__/e.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "f.pyc").touch()
    (tmp_path / "b.txt").chmod(0o755)
    filled = text.replace("{{ project_name }}", "shop")
    assert render(tmp_path, {"project_name": "shop"}) == {
        "shop/a.py": File(filled),
        "b.txt": File(filled, is_executable=True),
        ".env.template": File(filled),
        "c.html": File(text),
    }


# What is made


def test_the_project_is_a_repository_with_everything_committed(plan: Plan) -> None:
    make(plan, encrypt)
    assert git(plan.directory, "status", "--porcelain", "--ignored") == ""
    assert git(plan.directory, "rev-list", "--count", "HEAD") == "1"
    assert git(plan.directory, "branch", "--show-current") == "main"
    tracked = git(plan.directory, "ls-files", "--stage").splitlines()
    assert {line.split("\t")[1] for line in tracked} >= {".env.template", ".gitignore", "shop_one/settings/base.py"}
    assert [line.split("\t")[1] for line in tracked if line.startswith("100755")] == ["manage.py"]


def test_the_project_knows_nothing_of_inventory_and_secrets(plan: Plan) -> None:
    make(plan, encrypt)
    text, password = json.loads(plan.vault.read_text())
    everything = b"".join(contents(plan.directory).values()).decode(errors="replace")
    for secret in (password, *yaml.safe_load(text).values()):
        assert secret not in everything


def test_an_empty_directory_gives_way_and_lacking_ones_above_are_made(tmp_path: Path, inventories: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, place in {"shop": tmp_path / "empty", "blog": tmp_path / "a" / "b" / "blog"}.items():
        make(plan_project(name, str(place), "postgresql", inventories), encrypt)
        assert (place / "manage.py").exists()


def test_a_link_to_an_empty_directory_is_followed(tmp_path: Path, inventories: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    make(plan_project("shop", str(tmp_path / "link"), "postgresql", inventories), encrypt)
    assert (tmp_path / "disk" / "manage.py").exists()
    assert (tmp_path / "link").is_symlink()


def test_others_may_read_the_project_as_the_umask_says_and_nobody_the_password(plan: Plan) -> None:
    before = os.umask(0o027)
    try:
        make(plan, encrypt)
    finally:
        os.umask(before)
    paths = (plan.directory, plan.directory / "manage.py", plan.directory / "README.md", plan.inventory, plan.vault)
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o750, 0o750, 0o640, 0o750, 0o640]
    assert stat.S_IMODE(plan.password.stat().st_mode) == 0o600
    assert stat.S_IMODE(plan.password.parent.stat().st_mode) == 0o700


def test_secrets_differ_from_run_to_run_and_need_no_escaping(tmp_path: Path, inventories: Path) -> None:
    found = []
    for name in ("shop", "blog"):
        plan = plan_project(name, str(tmp_path / name), "postgresql", inventories)
        make(plan, encrypt)
        text, password = json.loads(plan.vault.read_text())
        found += [password, *yaml.safe_load(text).values()]
    assert len(set(found)) == 6
    assert all(re.fullmatch(r"[\w-]{40,}", secret) for secret in found)


def test_git_ignores_the_inventory(plan: Plan) -> None:
    git(plan.inventory.parents[1], "init", "--quiet")
    make(plan, encrypt)
    assert git(plan.inventory.parents[1], "status", "--porcelain") == ""


@pytest.mark.parametrize("database", DATABASES)
def test_the_inventory_leads_ansible_to_an_app_beside_the_demo(
    tmp_path: Path, inventories: Path, database: str
) -> None:
    place = tmp_path / 'a "shop": #1'
    plan = plan_project("shop_one", str(place), database, inventories)
    make(plan, lambda _text, _password: "vault_secret_key: secret\nvault_database_password: s3:cr@t\n")
    template = "{{ [release_repository, release_env, ansible_ssh_common_args] | to_json }}"
    command = ["ansible", "shop_one", "-i", str(plan.inventory), "-m", "debug", "-a", f"msg={template}", "--one-line"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert output.startswith("shop-one-host | SUCCESS")
    message = json.loads(output.partition("=>")[2])["msg"]
    repository, env, ssh = json.loads(message) if isinstance(message, str) else message
    assert repository == str(place)
    start, end = {
        "postgresql": ("postgres", "5432/shop_one?sslmode=disable"),
        "mysql": ("mysql", "3306/shop_one?ssl_disabled=1"),
    }[database]
    assert env == {
        "ENVIRONMENT": "demo",
        "DEBUG": False,
        "SECRET_KEY": "secret",
        "SECRET_KEY_FALLBACKS": [],
        "DATABASE_URL": f"{start}://shop_one:s3%3Acr%40t@127.0.0.1:{end}",
        "ALLOWED_HOSTS": ["shop-one.localhost"],
    }
    assert os.path.normpath(ssh.split("'")[1]) == str(inventories.parent / ".throwaway" / "ssh_config")


def test_the_inventories_of_both_databases_differ_in_nothing_but_the_database(
    tmp_path: Path, inventories: Path
) -> None:
    found = []
    for database in DATABASES:
        make(plan_project("shop", str(tmp_path / "shop"), database, inventories), encrypt)
        files = (inventories / "shop").rglob("*.yml")
        found.append({path.name: path.read_text().splitlines() for path in files if path.name != "vault.yml"})
        for path in (tmp_path / "shop", inventories / "shop"):
            shutil.rmtree(path)
    one, other = found
    changes = [
        (name, line, new) for name in one for line, new in zip(one[name], other[name], strict=True) if line != new
    ]
    assert changes == [("database.yml", "database_engine: postgresql", "database_engine: mysql")]
    assert one.keys() == other.keys()


# git


def test_a_user_whom_git_knows_is_the_author(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    make(plan, encrypt)
    assert git(plan.directory, "log", "--format=%an <%ae>") == "Jane <jane@example.com>"


def test_a_user_whom_git_does_not_know_is_no_obstacle(plan: Plan, home: Path) -> None:
    (home / ".gitconfig").write_text("[user]\n    useConfigOnly = true\n")
    make(plan, encrypt)
    assert git(plan.directory, "log", "--format=%ae") == "initech.django@localhost"


def test_hooks_keys_and_lists_of_the_user_are_no_obstacle(plan: Plan, home: Path) -> None:
    (home / "hooks").mkdir()
    (home / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (home / "hooks" / "pre-commit").chmod(0o755)
    (home / "ignored").write_text(".env*\n*.txt\n")
    (home / ".gitconfig").write_text(
        f"[core]\n    hooksPath = {home}/hooks\n    excludesFile = {home}/ignored\n"
        "[commit]\n    gpgSign = true\n[gpg]\n    program = /bin/false\n"
    )
    make(plan, encrypt)
    assert {".env.template", "requirements.txt"} <= set(git(plan.directory, "ls-files").splitlines())


# A run that does not come to its end


@pytest.fixture
def failing_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a git before the real one that writes down its surroundings, and cannot commit."""
    path = tmp_path / "bin" / "git"
    path.parent.mkdir()
    seen = tmp_path / "seen"
    path.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {seen}; env >> {seen}\n'
        f'case "$*" in *message*) echo "disk is full" >&2; exit 1;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return seen


def test_a_run_that_fails_leaves_nothing_but_a_password_that_the_next_one_uses(
    plan: Plan, tmp_path: Path, failing_git: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Problem, match=r"^Nothing was made. git failed:\ndisk is full$"):
        make(plan, encrypt)
    assert list(plan.inventory.parent.iterdir()) == []
    assert list(plan.directory.parent.iterdir()) == []
    password = plan.password.read_text().strip()
    (failing_git.parent / "bin" / "git").unlink()
    make(plan, encrypt)
    assert json.loads(plan.vault.read_text())[1] == password


def test_no_program_is_given_a_secret(plan: Plan, failing_git: Path) -> None:
    given: list[str] = []

    def keep(text: str, password: str) -> str:
        given.extend([password, *yaml.safe_load(text).values()])
        return ""

    with pytest.raises(Problem):
        make(plan, keep)
    seen = failing_git.read_text()
    assert "--message" in seen
    assert len(given) == 3
    for secret in given:
        assert secret not in seen


def test_a_directory_that_somebody_fills_meanwhile_is_left_alone(plan: Plan) -> None:
    def meanwhile(_text: str, _password: str) -> str:
        plan.directory.mkdir()
        (plan.directory / "mine").touch()
        return ""

    with pytest.raises(Problem, match=r"^Nothing was made\. .*/src/shop: Directory not empty\.$"):
        make(plan, meanwhile)
    assert [path.name for path in plan.directory.iterdir()] == ["mine"]
    assert list(plan.inventory.parent.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_but_not_what_another_is_making(plan: Plan) -> None:
    dead = plan.directory.parent / ".shop.draft-dead"
    (dead / "shop").mkdir(parents=True)
    with draft_of(plan.directory) as alive:
        make(plan, encrypt)
        assert alive.is_dir()
    assert [path.name for path in plan.directory.parent.iterdir()] == ["shop"]


# The password of the vault


def test_a_password_that_is_there_is_used(plan: Plan) -> None:
    plan.password.parent.mkdir(parents=True)
    plan.password.write_text("s3cr3t\n")
    make(plan, encrypt)
    assert json.loads(plan.vault.read_text())[1] == "s3cr3t"
    assert plan.password.read_text() == "s3cr3t\n"


def test_a_password_managers_command_is_asked(plan: Plan) -> None:
    plan.password.parent.mkdir(parents=True)
    plan.password.write_text("#!/bin/sh\necho s3cr3t\n")
    plan.password.chmod(0o700)
    make(plan, encrypt)
    assert json.loads(plan.vault.read_text())[1] == "s3cr3t"


def test_a_password_managers_command_that_fails_ends_the_run(plan: Plan) -> None:
    plan.password.parent.mkdir(parents=True)
    plan.password.write_text("#!/bin/sh\nexit 3\n")
    plan.password.chmod(0o700)
    with pytest.raises(Problem, match=r"printed no password \(exit code 3\)"):
        make(plan, encrypt)
    assert list(plan.inventory.parent.iterdir()) == []


@pytest.fixture
def client(inventories: Path) -> Path:
    """Return the client script beside inventories of its own."""
    return Path(shutil.copy(ROOT / "inventories" / "vault-password-client", inventories))


def ask(client: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the client as Ansible does, with a parent that has these arguments."""
    # Two commands, so that the shell does not become the client.
    script = 'vault-password-client --vault-id "$ID"; exit "$?"'
    environment = {**os.environ, "ID": "other", "PATH": f"{client.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-c", script, "ansible-playbook", *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "inventory", ["inventories/shop_one", "./inventories/shop_one/hosts.yml", "/a/inventories/shop_one"]
)
def test_ansible_gets_the_password_of_the_inventory_that_it_is_run_with(
    plan: Plan, client: Path, inventory: str
) -> None:
    make(plan, encrypt)
    assert ask(client, "site.yml", "-i", inventory).stdout == plan.password.read_text()


def test_a_run_without_such_an_inventory_gets_none_of_these_passwords(plan: Plan, client: Path) -> None:
    make(plan, encrypt)
    for arguments in (["-l", "prod"], ["-i", "inventories/shop"], ["-i", "other/shop_one"], ["inventories/shop_one-2"]):
        answer = ask(client, "site.yml", *arguments)
        assert answer.returncode == 0
        assert answer.stdout != plan.password.read_text()


def test_a_password_that_is_gone_is_asked_for_by_name(plan: Plan, client: Path) -> None:
    make(plan, encrypt)
    plan.password.unlink()
    answer = ask(client, "site.yml", "-i", "inventories/shop_one")
    assert answer.returncode == 1
    assert answer.stderr.startswith("No vault password for shop_one. ")


def test_nothing_is_encrypted_with_a_password_that_nobody_knows(client: Path) -> None:
    assert ask(client, "--encrypt-vault-id", "other", "new.yml").returncode == 1


# What is said


def test_the_last_line_is_the_next_command(plan: Plan) -> None:
    lines = report(plan, plan.inventory.parents[1], is_made=True, has_host=True, port="8081").splitlines()
    assert lines[0] == "Made:"
    assert lines[-2:] == [
        "The next command deploys it, and then it is at https://shop-one.localhost:8081/",
        "ansible-playbook site.yml -i inventories/shop_one",
    ]


def test_where_there_is_no_host_yet_the_next_command_makes_it_first(plan: Plan) -> None:
    text = report(plan, Path("/elsewhere"), is_made=False, has_host=False, port="8080")
    assert text.startswith("Would make:\n")
    assert text.endswith(f"\nmake demo && ansible-playbook site.yml -i {plan.inventory}")


# With Ansible


def new(inventories: Path, *arguments: str, **values: object) -> subprocess.CompletedProcess[str]:
    """Type `ansible-playbook new.yml`."""
    values = {"new_inventories": str(inventories), **values}
    command = ["ansible-playbook", "new.yml", *arguments]
    for name, value in values.items():
        command += ["-e", f"{name}={value}"]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def decrypted(plan: Plan) -> Mapping[str, str]:
    """Return what ansible-vault finds in the vault."""
    command = ["ansible-vault", "view", "--vault-password-file", str(plan.password), str(plan.vault)]
    output = subprocess.run(command, cwd=plan.inventory, check=True, capture_output=True, text=True).stdout
    values: Mapping[str, str] = yaml.safe_load(output)
    return values


def test_the_playbook_makes_it_and_prints_no_secret_and_a_second_run_loses_nothing(
    plan: Plan, tmp_path: Path, inventories: Path
) -> None:
    values = {"project": plan.project, "directory": plan.directory}
    checked = new(inventories, "--check", "--diff", **values)
    assert checked.returncode == 0, checked.stdout
    assert "Would make:" in checked.stdout
    assert not plan.directory.parent.exists()
    assert not plan.password.exists()
    assert list(inventories.iterdir()) == []

    made = new(inventories, "-vvv", "--diff", **values)
    assert made.returncode == 0, made.stdout
    assert f"ansible-playbook site.yml -i {plan.inventory}\n" in made.stdout
    assert plan.vault.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;shop_one\n")
    secrets = [*decrypted(plan).values(), plan.password.read_text().strip()]
    assert len(secrets) == 3
    for secret in secrets:
        assert secret not in made.stdout + made.stderr

    before = contents(tmp_path / "src"), contents(inventories)
    again = new(inventories, **values)
    assert again.returncode != 0
    assert "is there already, and not empty" in again.stdout
    assert (contents(tmp_path / "src"), contents(inventories)) == before


def test_the_playbook_says_what_to_type_where_nothing_was_said(inventories: Path) -> None:
    asked = new(inventories)
    assert asked.returncode != 0
    assert "-e project=shop" in asked.stdout
    assert "-e directory=~/src/shop" in asked.stdout
