"""The module `pack` against real repositories: what it makes of a good project, and how it refuses any other."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.git import read_files
from ansible_collections.initech.django.plugins.module_utils.layout import RELEASE_ID
from ansible_collections.initech.django.plugins.module_utils.packing import pack, require_one_app
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

Git = Callable[..., str]
Commit = Callable[[Path, Mapping[str, str]], str]

HASH = "0" * 64
PINS = ["Django==5.2.19", "gevent==26.9.0", "gunicorn==27.0.1", "packaging==26.3"]
REQUIREMENTS = "\n".join([*PINS, ""])
PROJECT = {
    ".gitignore": ".env\n",
    "manage.py": "",
    "requirements.txt": REQUIREMENTS,
    "shop/__init__.py": "",
    "shop/settings.py": "WSGI_APPLICATION = 'shop.wsgi.application'\n",
    "shop/wsgi.py": "",
}
OPTIONS = ("subdirectory", "project_directory", "requirements_file", "environment", "wsgi", "python_path", "database")
LISTS = ("developer_packages", "env_keys", "cut_keys", "misread_keys", "shared_directories", "shared_files")
DEFAULTS: dict[str, Any] = {**dict.fromkeys(OPTIONS, ""), **{name: [] for name in LISTS}, "wheels": None}
DEFAULTS["compiles_messages"] = False


def without(*paths: str, **changes: str) -> dict[str, str]:
    """Return the files of the project without some of them, and with a settings.py or requirements.txt changed."""
    files = {path: content for path, content in PROJECT.items() if path not in paths}
    places = {"settings": "shop/settings.py", "requirements": "requirements.txt"}
    return {**files, **{places[name]: content for name, content in changes.items()}}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return where the project's repository may be made."""
    return tmp_path / "shop"


@pytest.fixture
def packed(repository: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that packs the project, all of it and its branch main unless told otherwise."""

    def run(**given: Any) -> dict[str, Any]:
        where = {"repository": str(repository), "version": "main", "cache": str(tmp_path / "cache")}
        return pack({**DEFAULTS, **where, **given})

    return run


@pytest.fixture
def refusal(repository: Path, packed: Callable[..., dict[str, Any]], commit: Commit) -> Callable[..., str]:
    """Return a function that says why a project is refused."""

    def run(files: Mapping[str, str], **given: Any) -> str:
        commit(repository, files)
        with pytest.raises(Problem) as problem:
            packed(**given)
        return str(problem.value)

    return run


Packed = Callable[..., dict[str, Any]]
Refusal = Callable[..., str]


def test_what_git_only_refers_to_is_warned_of(repository: Path, packed: Packed, git: Git, commit: Commit) -> None:
    # A directory of which nothing is exported is none of these, though the archive has it, empty.
    others = {".gitattributes": "docs/* export-ignore\n", "docs/index.md": ""}
    first = commit(repository, {**PROJECT, **others})
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{first},libs/prices")
    git(repository, "commit", "--quiet", "--message", "A submodule")
    (submodule,) = packed()["advice"]
    assert submodule.startswith("libs/prices is a git submodule, and what is in it is not deployed")


def test_what_git_has_something_else_in_place_of_is_refused_unless_it_is_left_out(
    repository: Path, packed: Packed, refusal: Refusal, commit: Commit
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    files = {**PROJECT, "logo.png": pointer, "photo.png": pointer, "keys.py": "\0GITCRYPT\0abc"}
    large, secret = refusal(files).splitlines()[1:]
    assert large.startswith("  logo.png and 1 more lies in Git LFS, ")
    assert large.endswith("by a line in .gitattributes at the top of what is deployed: logo.png export-ignore")
    assert secret.startswith(
        "  keys.py is encrypted by git-crypt, and what is committed is what hosts get. Put what is "
    )
    ignored = "".join(f"{name} export-ignore\n" for name in ("*.png", "keys.py", ".gitattributes"))
    commit(repository, {".gitattributes": ignored})
    assert packed()["advice"] == []


def test_the_line_that_leaves_out_a_file_with_a_blank_in_its_name_is_one_that_does(
    repository: Path, packed: Packed, refusal: Refusal, commit: Commit
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    line = refusal({**PROJECT, "docs/my logo.png": pointer}).rpartition("what is deployed: ")[2]
    commit(repository, {".gitattributes": f"{line}\n.gitattributes export-ignore\n"})
    assert packed()["advice"] == []


def test_a_filter_that_is_not_run_is_warned_of(repository: Path, packed: Packed, commit: Commit) -> None:
    attributes = "# x filter=old\nkeys.json  filter=crypt diff=crypt\n*.ipynb filter=crypt\n*.psd filter=lfs -text\n"
    commit(repository, {**PROJECT, ".gitattributes": attributes})
    assert packed()["advice"] == [
        "No filter of git is run: what .gitattributes gives filter=crypt is deployed as it is committed"
    ]


def test_what_git_tells_of_its_own_work_is_taken_for_nothing_else(
    repository: Path, packed: Packed, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, PROJECT)
    monkeypatch.setenv("GIT_TRACE", "1")
    assert packed()["advice"] == []


def test_what_git_only_refers_to_is_seen_beside_files_of_any_name(
    repository: Path, packed: Packed, git: Git, commit: Commit
) -> None:
    # What Python takes for the end of a line git prints as it is, where it is told to.
    first = commit(repository, {**PROJECT, "templates/a\u2028b.html": "", "templates/a\tb\nc.html": ""})
    git(repository, "config", "core.quotePath", "false")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{first},libs/prices\u0085eu")
    git(repository, "commit", "--quiet", "--message", "A submodule")
    (advice,) = packed()["advice"]
    assert advice.startswith("libs/prices\u0085eu is a git submodule, and what is in it is not deployed")


def test_translations_that_hosts_compile_are_not_warned_of(repository: Path, packed: Packed, commit: Commit) -> None:
    commit(repository, {**PROJECT, "locale/de/LC_MESSAGES/django.po": ""})
    (advice,) = packed()["advice"]
    assert advice.startswith("locale/de/LC_MESSAGES/django.po is not compiled")
    assert packed(compiles_messages=True)["advice"] == []


def test_a_good_project_is_packed_with_all_that_the_hosts_need_to_know(
    repository: Path, packed: Packed, git: Git, commit: Commit
) -> None:
    first = commit(repository, PROJECT)
    result = packed()
    assert RELEASE_ID.fullmatch(result.pop("release"))
    assert re.fullmatch("[0-9a-f]{64}", result.pop("requirements_sha256"))
    assert read_files(Path(result.pop("archive"))) == {path: text.encode() for path, text in PROJECT.items()}
    assert result == {
        "version": "main",
        "commit": first,
        "tree": git(repository, "rev-parse", "HEAD^{tree}"),
        "project": ".",
        "requirements": ["requirements.txt"],
        "requirements_hashes": {"requirements.txt": sha256(REQUIREMENTS.encode()).hexdigest()},
        "pins": PINS,
        "native": {},
        "wheels": "",
        "wsgi": "shop.wsgi:application",
        "advice": [],
    }


def test_a_branch_a_tag_and_a_commit_are_packed_as_what_they_mean(
    repository: Path, packed: Packed, git: Git, commit: Commit
) -> None:
    first = commit(repository, PROJECT)
    git(repository, "tag", "--annotate", "--message=x", "v1")
    second = commit(repository, {"new": ""})
    for version, meaning in {"main": second, "v1": first, first: first, first[:10]: first}.items():
        result = packed(version=version)
        assert (result["version"], result["commit"]) == (version, meaning)
        assert result["release"].endswith(f"Z-{meaning[:8]}")
        assert ("new" in read_files(Path(result["archive"]))) == (meaning == second)


def test_a_remote_repository_is_packed_like_a_local_one(repository: Path, packed: Packed, commit: Commit) -> None:
    commit(repository, PROJECT)
    local, remote = packed(), packed(repository=f"file://{repository}")
    assert {**local, "release": ""} == {**remote, "release": ""}


def test_a_subdirectory_is_packed_as_a_project_of_its_own(repository: Path, packed: Packed, commit: Commit) -> None:
    commit(repository, {f"apps/shop/{path}": text for path, text in PROJECT.items()} | {"manage.py": ""})
    result = packed(subdirectory="apps/shop")
    assert (result["project"], result["requirements"]) == (".", ["requirements.txt"])
    assert read_files(Path(result["archive"])).keys() == PROJECT.keys()


def test_a_project_may_lie_below_its_requirements(repository: Path, packed: Packed, commit: Commit) -> None:
    files = {f"src/{path}": text for path, text in without("requirements.txt").items()}
    commit(repository, {**files, "requirements.txt": REQUIREMENTS})
    result = packed()
    assert (result["project"], result["requirements"]) == ("src", ["requirements.txt"])
    assert result["wsgi"] == "shop.wsgi:application"


def test_what_the_user_names_wins_over_what_is_found(repository: Path, packed: Packed, commit: Commit) -> None:
    other = {"api/manage.py": "", "api/core/app.py": "", "api/prod.txt": REQUIREMENTS}
    commit(repository, {**PROJECT, **other})
    result = packed(project_directory="api", requirements_file="api/prod.txt", wsgi="core.app:app")
    assert (result["project"], result["requirements"], result["wsgi"]) == ("api", ["api/prod.txt"], "core.app:app")


def test_the_settings_may_be_a_package(repository: Path, packed: Packed, commit: Commit) -> None:
    settings = {
        "shop/settings/__init__.py": "",
        "shop/settings/base.py": "WSGI_APPLICATION = 'shop.server.app'\n",
        "shop/settings/prod.py": "from .base import *\n",
        "shop/server.py": "",
    }
    commit(repository, {**without("shop/settings.py"), **settings})
    assert packed()["wsgi"] == "shop.server:app"


def test_the_hash_of_the_requirements_follows_them_and_all_that_they_name(
    repository: Path, packed: Packed, commit: Commit
) -> None:
    def hashed(**files: str) -> object:
        commit(repository, {**PROJECT, **{f"{name}.txt": text for name, text in files.items()}})
        return packed()["requirements_sha256"]

    base = f"-r base.txt\n{REQUIREMENTS}"
    hashes = [
        hashed(),
        hashed(requirements=f"{REQUIREMENTS}# new\n"),
        hashed(requirements=base, base="a==1\n"),
        hashed(requirements=base, base="a==2\n"),
    ]
    assert len(set(hashes)) == len(hashes)
    commit(repository, {"unrelated": "x", **PROJECT})
    assert packed()["requirements_sha256"] == hashes[0]


def test_an_env_file_in_git_is_refused_with_what_to_type(refusal: Refusal, repository: Path) -> None:
    assert refusal({**without(".gitignore"), ".env": "SECRET_KEY=S3cr3t\n"}) == (
        f"{repository} at main has .env in git, where no secret may be. Type: git rm --cached .env && git commit"
    )
    files = {f"src/{path}": text for path, text in without(".gitignore").items()}
    message = refusal({**files, "src/.env": "SECRET_KEY=S3cr3t\n"}, project_directory="src")
    assert message.endswith("has src/.env in git, where no secret may be. Type: git rm --cached src/.env && git commit")


def test_what_the_template_of_the_env_file_asks_for_has_to_be_there(
    repository: Path, packed: Packed, refusal: Callable[..., str], commit: Commit
) -> None:
    files = {**PROJECT, ".env.template": "SECRET_KEY=\nDEBUG=False\n#SENTRY_DSN=\n"}
    assert refusal(files, env_keys=["DEBUG"]).endswith(
        "cannot be deployed:\n  .env.template asks for SECRET_KEY, and release_env does not have it. "
        "Set it there, or mark it as optional: #SECRET_KEY=…"
    )
    assert packed(env_keys=["DEBUG", "SECRET_KEY"])["advice"] == []
    assert packed(env_keys=["DEBUG", "SECRET_KEY", "SENTRY_DNS"])["advice"] == [
        "release_env has SENTRY_DNS, which .env.template does not know. Did you mean SENTRY_DSN?"
    ]


def test_a_project_whose_gitignore_lacks_the_env_file_is_warned_of(
    repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, without(".gitignore"))
    (warning,) = packed()["advice"]
    assert warning == (
        f"No .gitignore of {repository} at main has .env: a developer's secrets are one git add away from git"
    )


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        (without("manage.py"), {}, "has no manage.py. Set release_subdirectory to"),
        (PROJECT, {"project_directory": "src"}, "has no src/manage.py. Correct release_project_directory."),
        (without("shop/wsgi.py", settings=""), {}, "have no WSGI_APPLICATION, and it has no wsgi.py. Add one, or"),
        (without("shop/wsgi.py"), {}, "WSGI_APPLICATION in shop/settings.py is 'shop.wsgi.application', and "),
        (
            {**without(settings=""), "api/wsgi.py": ""},
            {},
            "have no WSGI_APPLICATION, and it has several: api.wsgi, shop.wsgi. Add one, or set release_wsgi",
        ),
        (
            {**PROJECT, "api/settings.py": "WSGI_APPLICATION = 'api.wsgi.application'\n"},
            {},
            "The settings name several WSGI applications: api.wsgi.application (api/settings.py), shop.wsgi.",
        ),
        (PROJECT, {"wsgi": "api.wsgi:app"}, "release_wsgi is 'api.wsgi:app', and "),
        (without("requirements.txt"), {}, "has no requirements.txt. Write what the project needs directly into "),
        (PROJECT, {"requirements_file": "prod.txt"}, "has no prod.txt. Correct release_requirements_file."),
        (without(requirements="-e .\n"), {}, "requirements.txt, line 1: '-e .' is editable"),
        (PROJECT, {"version": "v9"}, "has no version 'v9'. Its branches: main. Name a branch"),
        (PROJECT, {"subdirectory": "src"}, "has no directory 'src' at main. Correct release_subdirectory."),
    ],
)
def test_a_project_that_could_not_run_is_refused_with_what_to_do(
    files: dict[str, str], given: dict[str, str], message: str, refusal: Refusal
) -> None:
    assert message in refusal(files, **given)


@pytest.mark.parametrize(
    ("pins", "database", "problems"),
    [
        (["Django", *PINS[1:]], "", ["requirements.txt, line 1: Django is not pinned to one version."]),
        ([PINS[0], PINS[2], PINS[3]], "", ["requirements.txt lacks gevent:"]),
        (PINS[:2], "", ["requirements.txt lacks gunicorn:"]),
        (PINS[:3], "", ["requirements.txt lacks packaging:"]),
        (PINS, "postgres", ["requirements.txt lacks a driver for PostgreSQL:"]),
        ([*PINS, "psycopg2==2.9.13"], "postgres", ["requirements.txt lacks psycogreen:"]),
        ([*PINS, "mysqlclient==2.2.7"], "mysql", ["requirements.txt, line 5: mysqlclient waits in C"]),
        (
            [PINS[0]],
            "mysql",
            [
                "requirements.txt lacks gunicorn:",
                "requirements.txt lacks gevent:",
                "requirements.txt lacks PyMySQL:",
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_the_requirements_is_told_at_once(
    pins: list[str], database: str, problems: list[str], refusal: Refusal, repository: Path
) -> None:
    files = {**without(requirements="\n".join(pins)), "requirements_to_freeze.txt": ""}
    first, *lines = refusal(files, database=database).splitlines()
    assert first == f"{repository} at main cannot be deployed:"
    assert len(lines) == len(problems)
    assert all(line.startswith(f"  {problem}") for line, problem in zip(lines, problems, strict=True))


def test_requirements_that_nobody_froze_here_are_told_what_freezing_them_takes(refusal: Refusal) -> None:
    advice = (
        "  {0} does not come from a requirements_to_freeze.txt yet. List there all that the project needs directly, "
        "and not only this: ansible-playbook lock.yml with the same -l makes {1} of nothing else{2}. Or pin it in {0} "
        "by hand, with all that it needs"
    )
    pins = "\n".join([PINS[0], *PINS[2:]])
    *_, last = refusal(without(requirements=pins)).splitlines()
    assert last == advice.format("requirements.txt", "requirements.txt", "")
    file, setting = "requirements/production.txt", ", and set release_requirements_file: requirements/requirements.txt"
    files = {**PROJECT, file: pins, "requirements/requirements_to_freeze.txt": "# apt: gettext\n"}
    *_, last = refusal(files, requirements_file=file).splitlines()
    assert last == advice.format(file, "requirements/requirements.txt", setting)


def test_what_no_freezing_would_mend_is_told_without_it(refusal: Refusal) -> None:
    assert len(refusal(without(requirements="\n".join([*PINS, "a @ git+https://git.example.com/a"]))).splitlines()) == 2


@pytest.mark.parametrize(
    ("database", "driver"),
    [
        ("postgres", ["psycopg==3.3.9"]),
        ("postgres", ["psycopg2==2.9.13", "psycogreen==1.0.2"]),
        ("mysql", ["PyMySQL==1.2.4"]),
        ("sqlite", []),
    ],
)
def test_a_project_with_a_driver_that_does_not_block_is_packed(
    database: str, driver: list[str], repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, without(requirements="\n".join([*PINS, *driver])))
    assert packed(database=database)["requirements"] == ["requirements.txt"]


def test_a_value_that_the_pinned_django_environ_would_cut_is_refused_by_the_name_of_its_key(
    refusal: Refusal, repository: Path, packed: Packed, commit: Commit
) -> None:
    pins = "\n".join([*PINS, "django-environ==0.11.2"])
    message = refusal(without(requirements=pins), cut_keys=["SECRET_KEY"])
    problem = "requirements.txt, line 5: django-environ 0.11.2 cuts the values of SECRET_KEY at the first #, "
    assert message.startswith(f"{repository} at main cannot be deployed:\n  {problem}")
    assert packed()["pins"] == [*PINS, "django-environ==0.11.2"]


@pytest.mark.parametrize(
    ("pins", "readers"),
    [
        (["environs==14.3.0", "python-dotenv==1.1.1"], "python-dotenv, environs"),
        (["python_decouple==3.8"], "python-decouple"),
        (["django-environ==0.12.0", "python-dotenv==1.1.1"], ""),
        ([], ""),
    ],
)
def test_a_project_whose_reader_would_misread_values_is_warned_of_with_their_keys(
    pins: list[str], readers: str, repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, without(requirements="\n".join([*PINS, *pins])))
    assert packed()["advice"] == []
    warning = (
        f"{readers} would misread A, B in .env, where these are quoted as django-environ alone reads them. "
        "Set app_env_as_environment: true, and the project finds all values in os.environ"
    )
    assert packed(misread_keys=["A", "B"])["advice"] == ([warning] if readers else [])


def test_what_only_an_asgi_application_would_answer_is_warned_of(
    repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, without(requirements="\n".join([*PINS, "channels==4.3.2", "channels-redis==4.3.0"])))
    (warning,) = packed()["advice"]
    assert warning.startswith("requirements.txt, line 5: what channels serves is not served here, but the WSGI ")


def test_a_refused_project_is_packed_once_it_is_mended(
    refusal: Refusal, repository: Path, packed: Packed, commit: Commit
) -> None:
    assert "lacks gevent" in refusal(without(requirements="gunicorn==23.0.0\n"))
    commit(repository, PROJECT)
    assert packed()["wsgi"] == "shop.wsgi:application"


def test_a_file_named_after_the_environment_adds_to_the_requirements(
    repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, {**PROJECT, "prod.txt": "-r requirements.txt\nsentry-sdk==2.20.0\n"})
    result = packed(environment="prod")
    assert result["requirements"] == ["prod.txt", "requirements.txt"]
    assert result["pins"] == [*PINS, "sentry-sdk==2.20.0"]


def test_a_file_named_after_another_environment_adds_nothing(repository: Path, packed: Packed, commit: Commit) -> None:
    commit(repository, {**PROJECT, "prod.txt": "-r requirements.txt\nsentry-sdk==2.20.0\n"})
    result = packed(environment="staging")
    assert (result["requirements"], result["pins"]) == (["requirements.txt"], PINS)


@pytest.mark.parametrize("file", ["requirements.txt", "prod.txt"])
def test_the_file_that_the_user_names_is_taken_as_it_is(
    file: str, repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, {**PROJECT, "prod.txt": REQUIREMENTS})
    assert packed(environment="prod", requirements_file=file)["requirements"] == [file]


def test_pins_are_told_with_their_conditions_and_hashes(repository: Path, packed: Packed, commit: Commit) -> None:
    hashed = [f"{pin} \\\n    --hash=sha256:{HASH}" for pin in [*PINS, "uvloop==0.22.1 ; python_version<'3.14'"]]
    commit(repository, without(requirements="\n".join(hashed)))
    expected = [*PINS, 'uvloop==0.22.1; python_version < "3.14"']
    assert packed()["pins"] == [f"{pin} --hash=sha256:{HASH}" for pin in expected]


def test_the_debian_packages_that_the_requirements_need_are_told_with_their_lines(
    repository: Path, packed: Packed, commit: Commit
) -> None:
    commit(repository, {**PROJECT, "requirements_to_freeze.txt": "# apt: libpq-dev gcc\ndjango  # apt: gettext\n"})
    assert packed()["native"] == {
        "libpq-dev": "requirements_to_freeze.txt, line 1",
        "gcc": "requirements_to_freeze.txt, line 1",
        "gettext": "requirements_to_freeze.txt, line 2",
    }


def test_the_files_of_a_directory_that_the_requirements_need_are_packed(
    repository: Path, packed: Packed, commit: Commit, tmp_path: Path
) -> None:
    names = [
        "django-5.2.19-py3-none-any.whl",
        "gevent-26.9.0.tar.gz",
        "gunicorn-27.0.1-py3-none-any.whl",
        "packaging-26.3-py3-none-any.whl",
    ]
    for name in [*names, "django-5.2.20-py3-none-any.whl", "README"]:
        (tmp_path / "wheels").mkdir(exist_ok=True)
        (tmp_path / "wheels" / name).write_text(name)
    commit(repository, PROJECT)
    with tarfile.open(packed(wheels=str(tmp_path / "wheels"))["wheels"]) as archive:
        assert archive.getnames() == names


def test_a_directory_that_lacks_a_file_is_refused_with_what_to_type(refusal: Refusal, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("gevent-26.9.0.tar.gz", "gunicorn-27.0.1-py3-none-any.whl", "packaging-26.3-py3-none-any.whl"):
        (wheels / name).touch()
    assert refusal(PROJECT, wheels=str(wheels)) == (
        f"release_wheels is {wheels}, which has no file for Django==5.2.19. Type: pip wheel --no-deps "
        f"-r requirements.txt -w {wheels} (with the interpreter and platform of the hosts)"
    )


def test_a_run_with_the_hosts_of_two_apps_is_refused() -> None:
    require_one_app({"web1": "shop", "web2": "shop"})
    with pytest.raises(Problem) as refused:
        require_one_app({"web1": "shop", "blog1": "blog", "web2": "shop"})
    assert str(refused.value) == (
        "A run is of one app, and this one has shop and blog. "
        "Type the same for each of them, with -l web1,web2 and with -l blog1"
    )
