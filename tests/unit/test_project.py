"""Ways are found in Django projects of every shape."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.project import (
    Tree,
    find_project,
    find_requirements,
    find_wsgi,
    shared_problems,
    untranslated,
)

ROOT = PurePosixPath()
SETTING = "WSGI_APPLICATION = 'shop.wsgi.application'\n"


def tree(*paths: str, **contents: str) -> Tree:
    """Return a tree of empty files and of files with content; two underscores in a name stand for a slash."""
    files = dict.fromkeys(paths, b"")
    return Tree(
        {**files, **{f"{name.replace('__', '/')}.py": text.encode() for name, text in contents.items()}}, "shop"
    )


def test_a_file_is_read_as_text_whatever_bytes_it_holds() -> None:
    files = {"a": "ü".encode(), "b": b"\xff", "c": "\ufeffü".encode()}
    assert [Tree(files, "shop").read(path) for path in "abcd"] == ["ü", "\ufffd", "ü", None]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["manage.py"], "."),
        (["src/manage.py"], "src"),
        (["src/shop/manage.py"], "src/shop"),
        (["src/manage.py", "src/vendor/manage.py", "old/shop/manage.py"], "src"),
        (["src/manage.py", "manage.py"], "."),
        (["manage.py", "my_manage.py", "src/manage.pyc"], "."),
    ],
)
def test_the_project_is_where_manage_py_is_nearest_to_the_root(paths: list[str], expected: str) -> None:
    assert str(find_project(tree(*paths))) == expected


@pytest.mark.parametrize("paths", [[], ["shop/wsgi.py"], ["a/b/c/manage.py"], ["manage.py/x"]])
def test_a_tree_without_manage_py_is_refused_with_what_to_set(paths: list[str]) -> None:
    with pytest.raises(Problem, match=r"^shop has no manage\.py\. Set release_subdirectory to "):
        find_project(tree(*paths))


def test_two_as_near_are_refused_with_both_of_them() -> None:
    with pytest.raises(Problem, match=r"^shop has manage\.py in api, web\. Set release_project_directory to "):
        find_project(tree("web/manage.py", "api/manage.py"))


@pytest.mark.parametrize("directory", ["api", "api/", "./api"])
def test_the_directory_that_the_user_names_wins(directory: str) -> None:
    assert str(find_project(tree("manage.py", "api/manage.py"), directory)) == "api"


@pytest.mark.parametrize("directory", ["web", "/api", "../api"])
def test_a_directory_without_manage_py_is_refused_even_if_named(directory: str) -> None:
    with pytest.raises(Problem, match=r"^shop has no .*manage\.py\. Correct release_project_directory\.$"):
        find_project(tree("api/manage.py"), directory)


@pytest.mark.parametrize(
    ("paths", "project", "expected"),
    [
        (["requirements.txt"], ".", "requirements.txt"),
        (["requirements.txt"], "src/shop", "requirements.txt"),
        (["requirements.txt", "src/requirements.txt"], "src/shop", "src/requirements.txt"),
        (["requirements.txt", "src/shop/requirements.txt"], "src/shop", "src/shop/requirements.txt"),
    ],
)
def test_the_requirements_are_beside_manage_py_or_above_it(paths: list[str], project: str, expected: str) -> None:
    assert str(find_requirements(tree(*paths), PurePosixPath(project))) == expected


def test_requirements_beside_the_project_or_below_it_are_not_its_own() -> None:
    with pytest.raises(Problem) as problem:
        find_requirements(tree("other/requirements.txt", "src/docs/requirements.txt"), PurePosixPath("src"))
    assert str(problem.value) == (
        "shop has no requirements.txt. Write what the project needs directly into requirements_to_freeze.txt, "
        "and type: ansible-playbook lock.yml with the same -l. If it has another name, set release_requirements_file."
    )


@pytest.mark.parametrize(
    ("paths", "project", "expected"),
    [
        (["requirements.txt", "prod.txt"], ".", "prod.txt"),
        (["requirements.txt", "prod.txt"], "src/shop", "prod.txt"),
        (["requirements.txt", "src/requirements.txt", "src/prod.txt"], "src/shop", "src/prod.txt"),
        (["requirements.txt", "staging.txt", "prod.in", "prod", "prod.txt/x"], ".", "requirements.txt"),
        # It is the one beside the requirements, wherever another of that name is.
        (["requirements.txt", "prod.txt", "src/requirements.txt"], "src/shop", "src/requirements.txt"),
        (["requirements.txt", "src/prod.txt"], "src", "requirements.txt"),
        (["requirements.txt", "requirements/prod.txt"], ".", "requirements.txt"),
    ],
)
def test_a_file_beside_the_requirements_that_is_named_after_the_environment_comes_first(
    paths: list[str], project: str, expected: str
) -> None:
    assert str(find_requirements(tree(*paths), PurePosixPath(project), environment="prod")) == expected


def test_a_file_named_after_the_environment_does_not_replace_the_requirements() -> None:
    with pytest.raises(Problem, match=r"^shop has no requirements\.txt\. "):
        find_requirements(tree("prod.txt"), ROOT, environment="prod")


def test_without_an_environment_no_file_is_named_after_it() -> None:
    assert str(find_requirements(tree("requirements.txt", ".txt", "prod.txt"), ROOT)) == "requirements.txt"


def test_the_requirements_that_the_user_names_win() -> None:
    paths = tree("requirements.txt", "prod.txt", "requirements/prod.txt")
    for file in ("requirements/prod.txt", "./requirements/prod.txt"):
        assert str(find_requirements(paths, ROOT, file, "prod")) == "requirements/prod.txt"
    with pytest.raises(Problem, match=r"^shop has no requirements/dev\.txt\. Correct release_requirements_file\.$"):
        find_requirements(paths, ROOT, "requirements/dev.txt")


@pytest.mark.parametrize(
    "source",
    [
        SETTING,
        "from a import *\nDEBUG = WSGI_APPLICATION = 'shop.wsgi.application'\n",
        "WSGI_APPLICATION: str = 'shop.wsgi.application'\n",
        f"\ufeff{SETTING}",
        f"# coding: latin-1\n{SETTING}",
        f"{SETTING}{SETTING}",
    ],
)
@pytest.mark.parametrize("path", ["shop__settings", "shop__settings__base", "conf__deep__prod"])
def test_the_application_is_what_the_settings_say_wherever_they_are(source: str, path: str) -> None:
    found = find_wsgi(tree("shop/wsgi.py", "other/wsgi.py", **{path: source}), ROOT)
    assert found == "shop.wsgi:application"


@pytest.mark.parametrize("module", ["shop/wsgi.py", "shop/wsgi/__init__.py"])
def test_the_module_of_the_application_may_be_a_package(module: str) -> None:
    assert find_wsgi(tree(module, settings=SETTING), ROOT) == "shop.wsgi:application"


def test_the_application_may_have_another_name() -> None:
    assert find_wsgi(tree("a/b.py", settings="WSGI_APPLICATION = 'a.b.app'"), ROOT) == "a.b:app"


def test_modules_are_named_from_the_directory_of_manage_py() -> None:
    src = PurePosixPath("src")
    assert find_wsgi(tree("src/shop/wsgi.py", src__shop__settings=SETTING), src) == "shop.wsgi:application"
    assert find_wsgi(tree("src/shop/wsgi.py", "src/manage.py"), src) == "shop.wsgi:application"
    assert find_wsgi(tree("src/shop/wsgi.py"), src, "shop.wsgi:app") == "shop.wsgi:app"


@pytest.mark.parametrize("python_path", ["src", "./src/", "lib:src", ".:../web/src"])
@pytest.mark.parametrize("wsgi", ["", "shop.wsgi:application"])
def test_a_module_may_lie_where_the_environment_has_python_look(python_path: str, wsgi: str) -> None:
    files = tree("web/manage.py", "web/src/shop/wsgi.py", web__src__shop__settings=SETTING)
    assert find_wsgi(files, PurePosixPath("web"), wsgi, python_path) == "shop.wsgi:application"


@pytest.mark.parametrize("python_path", ["", "lib", "/src"])
@pytest.mark.parametrize(
    ("wsgi", "start"),
    [
        ("", "WSGI_APPLICATION in web/src/settings.py is 'shop.wsgi.application', and shop has no module shop.wsgi."),
        ("shop.wsgi:application", "release_wsgi is 'shop.wsgi:application', and shop has no such module."),
    ],
)
def test_a_module_that_manage_py_alone_finds_is_refused_with_what_to_set(
    python_path: str, wsgi: str, start: str
) -> None:
    others = ("shop/wsgi.py", "web/old/src/shop/wsgi.py")
    files = tree("web/manage.py", "web/src/shop/wsgi/__init__.py", *others, web__src__settings=SETTING)
    with pytest.raises(Problem) as problem:
        find_wsgi(files, PurePosixPath("web"), wsgi, python_path)
    assert str(problem.value) == (
        f"{start} It is in src, where manage.py alone may have Python look. Set PYTHONPATH: src in release_env, and "
        "app_env_as_environment: true"
    )


def test_a_module_without_the_name_of_its_package_is_not_taken_for_one_of_the_src_layout() -> None:
    files = tree("manage.py", "shop/__init__.py", "shop/wsgi.py")
    with pytest.raises(Problem, match=r"and .* has no such module\.$"):
        find_wsgi(files, PurePosixPath(), "wsgi:application")


def test_what_lies_outside_the_project_names_no_application() -> None:
    files = tree("src/shop/wsgi.py", "docs/wsgi.py", docs__settings="WSGI_APPLICATION = 'docs.wsgi.application'")
    assert find_wsgi(files, PurePosixPath("src")) == "shop.wsgi:application"


@pytest.mark.parametrize(
    "source",
    [
        "",
        "WSGI_APPLICATION = None\n",
        "WSGI_APPLICATION = env('WSGI_APPLICATION')\n",
        "settings.WSGI_APPLICATION = 'other.wsgi.application'\n",
        "# WSGI_APPLICATION = 'other.wsgi.application'\n",
        "WSGI_APPLICATION: str\n",
        "print 'WSGI_APPLICATION = for Python 2'\n",
        "WSGI_APPLICATION = '\0'\n",
    ],
)
def test_settings_that_name_none_leave_the_only_wsgi_py(source: str) -> None:
    assert find_wsgi(tree("shop/wsgi.py", shop__settings=source), ROOT) == "shop.wsgi:application"


def test_settings_that_name_two_applications_are_refused_with_both_of_them() -> None:
    files = tree("shop/wsgi.py", a=SETTING, b="WSGI_APPLICATION = 'api.wsgi.application'")
    with pytest.raises(Problem) as problem:
        find_wsgi(files, ROOT)
    assert str(problem.value) == (
        "The settings name several WSGI applications: shop.wsgi.application (a.py), api.wsgi.application (b.py). "
        "Set release_wsgi to the one you mean."
    )
    assert find_wsgi(files, ROOT, "shop.wsgi:application") == "shop.wsgi:application"


@pytest.mark.parametrize("value", ["shop.wsgi.application", "shop"])
def test_settings_that_name_a_module_that_is_not_there_are_refused(value: str) -> None:
    with pytest.raises(Problem, match=rf"^WSGI_APPLICATION in conf/prod\.py is '{value}', and shop has no module "):
        find_wsgi(tree("other/wsgi.py", conf__prod=f"WSGI_APPLICATION = '{value}'"), ROOT)


@pytest.mark.parametrize(
    ("paths", "what"),
    [(["shop/urls.py"], r"has no wsgi\.py"), (["b/wsgi.py", "a/wsgi.py"], r"has several: a\.wsgi, b\.wsgi")],
)
def test_where_no_application_is_found_it_is_said_why_and_what_to_set(paths: list[str], what: str) -> None:
    with pytest.raises(Problem, match=rf"and it {what}\. Add one, or set release_wsgi, for example shop\.wsgi:appl"):
        find_wsgi(tree(*paths), ROOT)


@pytest.mark.parametrize(
    "wsgi", ["shop.wsgi", "shop.wsgi.application", "shop/wsgi.py:app", "shop.wsgi:app()", ":app", "a:"]
)
def test_what_gunicorn_would_not_understand_is_refused_with_an_example(wsgi: str) -> None:
    with pytest.raises(Problem) as problem:
        find_wsgi(tree("shop/wsgi.py"), ROOT, wsgi)
    assert str(problem.value) == (
        f"release_wsgi is {wsgi!r}. Write it as module:name, for example shop.wsgi:application."
    )


def test_a_module_that_the_user_names_must_be_there() -> None:
    with pytest.raises(Problem, match=r"^release_wsgi is 'api\.wsgi:app', and shop has no such module\.$"):
        find_wsgi(tree("shop/wsgi.py"), ROOT, "api.wsgi:app")


def test_paths_that_all_releases_share_may_be_there_or_not() -> None:
    source = tree("src/manage.py", "src/logs/.gitignore", "src/debug.log")
    assert shared_problems(source, PurePosixPath("src"), ["logs", "data/cache/"], ["debug.log", "data/index"]) == []


@pytest.mark.parametrize(
    ("directories", "files", "said"),
    [
        (
            ["/var/log/shop"],
            [],
            "release_shared_directories: '/var/log/shop' is no path below the directory of manage.py",
        ),
        (["."], [], "release_shared_directories: '.' is no path below the directory of manage.py, such as logs"),
        ([""], [], "release_shared_directories: '' is no path below the directory of manage.py, such as logs"),
        ([], ["logs/../../x"], "release_shared_files: 'logs/../../x' is no path below the directory of manage.py"),
        ([], [".env"], "release_shared_files: .env belongs to the release. Take it out"),
        ([], ["manage.py"], "release_shared_files: manage.py belongs to the release. Take it out"),
        (
            ["debug.log"],
            [],
            "release_shared_directories: debug.log is a file of shop. Write it into release_shared_files",
        ),
        ([], ["logs/"], "release_shared_files: logs/ is a directory of shop. Write it into release_shared_directories"),
        (["data"], ["data/db"], "release_shared_files: data/db is shared already. Write each directory once"),
        (["data/", "data"], [], "release_shared_directories: data/ is shared already."),
        (["shop"], [], "release_shared_directories: shop has code, which would stay that of the first release."),
        ([], ["shop/a.py"], "release_shared_files: shop/a.py has code, which would stay that of the first release."),
    ],
)
def test_paths_that_releases_cannot_share_are_refused_with_what_to_write(
    directories: list[str], files: list[str], said: str
) -> None:
    source = tree("src/manage.py", "src/logs/.gitignore", "src/debug.log", "src/shop/a.py")
    assert shared_problems(source, PurePosixPath("src"), directories, files)[0].startswith(said)


def test_translations_that_were_not_compiled_are_told() -> None:
    german, french, script = (f"locale/{name}" for name in ("de/LC_MESSAGES/a", "fr/LC_MESSAGES/a", "fr/LC_MESSAGES/b"))
    assert untranslated(tree(f"{german}.po", f"{german}.mo", "notes.po")) == []
    advice = (
        "not compiled: commit what manage.py compilemessages makes beside it, "
        "or have hosts run that, with release_before_static"
    )
    assert untranslated(tree(f"{german}.po", f"{french}.po", f"{french}.mo")) == [f"{german}.po is {advice}"]
    assert untranslated(tree(f"{german}.po", f"{french}.po", f"{script}.po")) == [
        f"{german}.po and 2 more are {advice}"
    ]
