"""The project template: what Django itself makes of it, how that runs, and that the example does not drift from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest
from ansible_collections.initech.django.plugins.module_utils.guards import environment_file_problems, gevent_problems
from ansible_collections.initech.django.plugins.module_utils.lock import read_header
from ansible_collections.initech.django.plugins.module_utils.new_project import TEMPLATES, File, project_files, write
from ansible_collections.initech.django.plugins.module_utils.project import Tree, find_project, find_wsgi
from ansible_collections.initech.django.plugins.module_utils.requirements import read_requirements

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "slow_sql"

# How the example differs from a project called slow_sql.
GROWN = {
    ".env.template",
    ".gitignore",
    "pages/static/pages/style.css",
    "pages/views.py",
    "requirements_to_freeze.txt",
    "slow_sql/settings/base.py",
    "slow_sql/urls.py",
}
"""It adds lines, and changes none."""
CHANGED = {"README.md", "pages/templates/pages/home.html", "pages/tests.py", "requirements.txt"}
ADDED = {
    "pages/admin.py",
    "pages/forms.py",
    "pages/migrations/0001_initial.py",
    "pages/migrations/0002_first_greeting.py",
    "pages/migrations/0003_greeting_attachment.py",
    "pages/migrations/__init__.py",
    "pages/models.py",
}

DATABASES = {
    "sqlite": "sqlite:///db.sqlite3",
    "postgresql": "postgres://user:password@127.0.0.1:5432/name",
    "mysql": "mysql://user:password@127.0.0.1:3306/name",
}
SECRET_KEY = "Zm9yLXRlc3Rz-" * 5
STATE = """
import os, socket, sys
from gevent.monkey import is_module_patched, saved
print("settings", os.environ["DJANGO_SETTINGS_MODULE"])
print("patched", *(name for name in ("socket", "ssl", "select", "threading") if is_module_patched(name)))
print("callback", getattr(sys.modules.get("psycopg2.extensions"), "get_wait_callback", lambda: None)() is not None)
print("driver", sys.modules["MySQLdb"].__name__ if "MySQLdb" in sys.modules else None)
originals = {id(value) for values in saved.values() for value in values.values()}
late = (
    f"{module.__name__}.{name}"
    for module in list(sys.modules.values())
    if module.__name__.partition(".")[0] not in {*sys.stdlib_module_names, "gevent"}
    for name, value in vars(module).items()
    if id(value) in originals and callable(value)
)
print("late", *late)
"""


class Project:
    """A project made from the template, with a `.env`."""

    def __init__(self, directory: Path, files: Mapping[str, File]) -> None:
        """Write the files."""
        self.directory = directory
        directory.mkdir()
        write(directory, files)

    def env(self, **values: str) -> None:
        """Write `.env`."""
        every = {"ENVIRONMENT": "demo", "SECRET_KEY": SECRET_KEY, "DATABASE_URL": DATABASES["sqlite"], **values}
        (self.directory / ".env").write_text("".join(f"{key}={value}\n" for key, value in every.items()))

    def python(
        self, *arguments: str, cwd: str = "/", prefix: Sequence[str] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python, from somewhere else."""
        clean = {"PATH": os.defpath, "PYTHONPATH": str(self.directory), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        command = [*prefix, sys.executable, *arguments]
        return subprocess.run(command, cwd=cwd, env=clean, check=False, capture_output=True, text=True)

    def manage(self, *arguments: str, cwd: str = "/", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py, from somewhere else."""
        return self.python(str(self.directory / "manage.py"), *arguments, cwd=cwd, **environment)

    def state(self, **environment: str) -> dict[str, str]:
        """Return what is patched once wsgi.py is imported."""
        result = self.python("-c", f"import shop.wsgi\n{STATE}", **environment)
        assert result.returncode == 0, result.stderr
        lines = [line.partition(" ") for line in result.stdout.splitlines()]
        return {name: value for name, _, value in lines}


@pytest.fixture(scope="module")
def files() -> dict[str, File]:
    return project_files("shop")


@pytest.fixture
def shop(tmp_path: Path, files: dict[str, File]) -> Project:
    return Project(tmp_path / "shop", files)


def read(directory: Path, names: Iterable[str]) -> dict[str, File]:
    """Return files as they are."""
    return {
        name: File((directory / name).read_text(encoding="utf-8"), os.access(directory / name, os.X_OK))
        for name in names
    }


# The template


@pytest.mark.parametrize(
    "options", [[], ["--name", ".gitignore,.env.template,requirements.txt,requirements_to_freeze.txt"]]
)
def test_django_makes_the_same_of_it_as_we_do(tmp_path: Path, files: dict[str, File], options: list[str]) -> None:
    command = [sys.executable, "-m", "django", "startproject", "--template", str(TEMPLATES / "project")]
    command += ["--extension", "py,txt,template", *options, "shop"]
    # Without a PATH, on which Django would look for a formatter.
    made = subprocess.run(command, cwd=tmp_path, env={"PATH": ""}, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    paths = [str(path.relative_to(tmp_path / "shop")) for path in (tmp_path / "shop").rglob("*") if path.is_file()]
    assert read(tmp_path / "shop", paths) == files


def test_no_name_is_left_to_fill_in(files: dict[str, File]) -> None:
    assert [path for path, file in files.items() if "project_name" in path + file.text] == []


@pytest.mark.parametrize("directory", [TEMPLATES / "project", EXAMPLE])
def test_the_frozen_requirements_are_those_of_the_file_beside_them(directory: Path) -> None:
    header = read_header((directory / "requirements.txt").read_text())
    assert header is not None
    assert not header.is_stale((directory / "requirements_to_freeze.txt").read_text())


def test_a_new_project_would_be_deployed(files: dict[str, File]) -> None:
    tree = Tree({path: file.text.encode() for path, file in files.items()}, "the template")
    directory = find_project(tree)
    assert find_wsgi(tree, directory) == "shop.wsgi:application"
    for path in ("requirements.txt", "developer.txt"):
        requirements = read_requirements(PurePosixPath(path), tree.read)
        assert requirements.problems == []
        assert [gevent_problems(requirements.pins, path, scheme) for scheme in ("postgres", "mysql")] == [[], []]
    assert list(environment_file_problems(PurePosixPath("developer.txt"), files["developer.txt"].text)) == []


def test_git_ignores_secrets_and_what_is_made(tmp_path: Path, files: dict[str, File]) -> None:
    project = Project(tmp_path / "shop", files)
    project.env()
    for name in ("static_root/x", ".venv/x", "db.sqlite3", "pages/__pycache__/x"):
        (project.directory / name).parent.mkdir(exist_ok=True)
        (project.directory / name).touch()
    git = ["git", "-C", str(project.directory)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    listing = subprocess.run([*git, "ls-files", "--others", "--exclude-standard"], check=True, stdout=subprocess.PIPE)
    assert set(listing.stdout.decode().split()) == set(files)


# The example


def tracked(directory: Path) -> set[str]:
    """Return the files of a directory, but for those that tools and users leave there."""
    command = ["git", "-C", str(directory), "ls-files", "--cached", "--others", "--exclude-standard"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_the_example_has_the_files_of_the_template_and_those_listed_here() -> None:
    assert tracked(EXAMPLE) == project_files("slow_sql").keys() | ADDED


def test_the_example_shares_all_files_with_the_template_but_those_listed_here() -> None:
    files = project_files("slow_sql")
    mine = read(EXAMPLE, files)
    assert {path for path in files if files[path] != mine[path]} == GROWN | CHANGED


@pytest.mark.parametrize("path", sorted(GROWN))
def test_the_example_adds_lines_to_a_file_of_the_template_and_changes_none(path: str) -> None:
    lines = iter((EXAMPLE / path).read_text(encoding="utf-8").splitlines())
    # `in` takes lines from the iterator until it finds one: in the same order, then, or it finds none.
    lost = [line for line in project_files("slow_sql")[path].text.splitlines() if line not in lines]
    assert lost == []


def test_the_example_has_every_version_that_the_template_has() -> None:
    pins = [
        {pin.name: str(pin.requirement) for pin in read_requirements(PurePosixPath(name), text.get).pins}
        for name, text in (
            ("requirements.txt", {"requirements.txt": file.text})
            for file in (
                project_files("slow_sql")["requirements.txt"],
                *read(EXAMPLE, ["requirements.txt"]).values(),
            )
        )
    ]
    assert pins[0].items() <= pins[1].items()


# How it runs


def test_its_own_tests_pass_with_the_env_template_as_it_is(shop: Project) -> None:
    shutil.copy(shop.directory / ".env.template", shop.directory / ".env")
    result = shop.manage("test", cwd=str(shop.directory))
    assert result.returncode == 0, result.stderr
    assert "Ran 2 tests" in result.stderr


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
@pytest.mark.parametrize("environment", ["demo", "staging", "prod"])
def test_the_deployment_check_has_nothing_to_say(shop: Project, environment: str, database: str) -> None:
    shop.env(ENVIRONMENT=environment, DATABASE_URL=DATABASES[database], ALLOWED_HOSTS="shop.example.com")
    result = shop.manage("check", "--deploy", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


REQUEST = """
import shop.wsgi
from django.test import Client
for scheme in ("http", "https"):
    for path in ("/", "/healthz"):
        answer = Client(headers={"X-Forwarded-Proto": scheme, "Host": "shop.example.com"}).get(path)
        print(scheme, path, answer.status_code, answer.headers.get("Location", ""))
"""


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_behind_nginx_visitors_are_sent_to_https_and_the_health_check_is_answered_without(
    shop: Project, environment: str
) -> None:
    shop.env(ENVIRONMENT=environment, ALLOWED_HOSTS="shop.example.com")
    assert shop.manage("collectstatic", "--noinput").returncode == 0
    result = shop.python("-c", REQUEST, cwd=str(shop.directory))
    assert result.stdout.splitlines() == [
        "http / 301 https://shop.example.com/",
        "http /healthz 200 ",
        "https / 200 ",
        "https /healthz 200 ",
    ]


def test_production_never_shows_a_traceback_and_needs_a_host_name(shop: Project) -> None:
    shop.env(ENVIRONMENT="prod", DEBUG="True", ALLOWED_HOSTS="shop.example.com")
    result = shop.manage("shell", "-c", "from django.conf import settings; print('DEBUG', settings.DEBUG)")
    assert "DEBUG False" in result.stdout
    shop.env(ENVIRONMENT="prod")
    assert "Set the ALLOWED_HOSTS environment variable" in shop.manage("check").stderr


def test_a_developers_own_settings_show_every_statement(shop: Project) -> None:
    shop.env(ENVIRONMENT="developer")
    code = "from django.db import connection; connection.cursor().execute('SELECT 4711')"
    assert "SELECT 4711" in shop.manage("shell", "-c", code, cwd=str(shop.directory)).stderr


def test_the_environment_is_a_short_name_or_a_module(shop: Project) -> None:
    for environment in ("demo", "shop.settings.demo"):
        shop.env(ENVIRONMENT=environment)
        assert shop.state()["settings"] == "shop.settings.demo"


def test_everything_is_patched_before_anything_of_the_project_or_django_could_take_what_is_not(shop: Project) -> None:
    shop.env()
    state = shop.state()
    assert state["patched"] == "socket ssl select threading"
    assert state["late"] == ""


@pytest.mark.parametrize(
    ("database", "callback", "driver"),
    [("postgresql", "True", "None"), ("mysql", "False", "pymysql"), ("sqlite", "False", "None")],
)
def test_the_driver_is_patched_that_the_database_needs(
    shop: Project, database: str, callback: str, driver: str
) -> None:
    shop.env(DATABASE_URL=DATABASES[database])
    state = shop.state()
    assert (state["callback"], state["driver"]) == (callback, driver)


@pytest.mark.parametrize(("in_env", "in_unit"), [("off", None), (None, "off"), ("on", "off"), ("off", "on")])
def test_the_patch_is_left_out_where_env_says_so_and_a_unit_has_the_last_word(
    shop: Project, in_env: str | None, in_unit: str | None
) -> None:
    shop.env(DATABASE_URL=DATABASES["postgresql"], **({"GEVENT_PATCH": in_env} if in_env else {}))
    state = shop.state(**({"GEVENT_PATCH": in_unit} if in_unit else {}))
    is_patched = (in_unit or in_env) == "on"
    assert (state["patched"] != "", state["callback"] == "True") == (is_patched, is_patched)


def test_without_the_patch_mysql_has_its_driver_all_the_same(shop: Project) -> None:
    shop.env(DATABASE_URL=DATABASES["mysql"], GEVENT_PATCH="off")
    assert shop.state()["driver"] == "pymysql"


def test_a_missing_env_is_an_error_with_what_to_type(shop: Project) -> None:
    message = f"There is no {shop.directory}/.env. In that directory, type: cp .env.template .env   Then fill it in."
    for result in (shop.manage("check"), shop.python("-c", "import shop.wsgi")):
        assert result.returncode != 0
        assert result.stderr.endswith(f"ImproperlyConfigured: {message}\n")


def test_an_unreadable_env_is_an_error_with_what_to_type(shop: Project) -> None:
    env = shop.directory / ".env"
    env.mkdir()
    assert f"Cannot read {env}: Is a directory. In that directory, type: ls -la" in shop.manage("check").stderr
    env.rmdir()
    env.write_bytes(b"SECRET_KEY=\xff\n")
    assert f"{env} is not UTF-8." in shop.manage("check").stderr


def test_an_env_of_somebody_else_is_an_error_with_what_to_type(shop: Project) -> None:
    shop.env()
    (shop.directory / ".env").chmod(0)
    # Root may read everything, unless it gives that up.
    powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    result = shop.python(str(shop.directory / "manage.py"), "check", prefix=powerless)
    assert "Permission denied. In that directory, type: ls -la" in result.stderr
