"""A project's requirements are judged as a deploy judges them: what is faulty, and what only looks like it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml
from ansible_collections.initech.django.plugins.module_utils.lock import compose, read_header
from ansible_collections.initech.django.plugins.module_utils.packing import judge
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.project import Tree, find_requirements
from ansible_collections.initech.django.tests.templates.render import ROOT
from hypothesis import given
from hypothesis import strategies as st

HASH = "0" * 64
LOCK = "ansible-playbook lock.yml with the same -l"
FREEZE = f"Put it into requirements_to_freeze.txt and type: {LOCK}"
FREEZE_AGAIN = f"add it to requirements_to_freeze.txt and type: {LOCK}"
WEB = "gevent==26.9.0\ngunicorn==23.0.0\n"
"""All that an app needs at least, on two lines."""


def judged(files: Mapping[str, str | bytes], **options: Any) -> list[str]:
    """Return what a deploy has against the requirements of a project that freezes them, a line each."""
    files = {"requirements_to_freeze.txt": "", "requirements.txt": "", **files}
    contents = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
    tree = Tree(contents, "shop at main")
    parameters = {
        **dict.fromkeys(("requirements_file", "environment", "database"), ""),
        "developer_packages": [],
        "cut_keys": [],
        **options,
    }
    path = find_requirements(tree, PurePosixPath(), parameters["requirements_file"], parameters["environment"])
    try:
        judge(tree, path, parameters)
    except Problem as problem:
        first, *lines = str(problem).splitlines()
        assert first == "shop at main cannot be deployed:"
        assert all(line.startswith("  ") for line in lines)
        return [line[2:] for line in lines]
    return []


def frozen(direct: str, pins: str, version: str = "3.12.3") -> dict[str, str | bytes]:
    """Return requirements_to_freeze.txt, and requirements.txt as lock.yml makes it: the pins begin in its line 5."""
    facts = {"interpreter": "CPython", "version": version, "platform": "Linux x86_64 (Ubuntu 24.04)"}
    text = compose(direct, pins, "", facts, when="2026-11-24T08:00:00Z", hashes=False)
    return {"requirements.txt": text, "requirements_to_freeze.txt": direct}


UNPINNED = f"{{line}} is not pinned to one version. {FREEZE}"
UNHASHED = f"{{line}} has no hash, so it may be another file tomorrow. {FREEZE}"
CHECKOUT = (
    "{line!r} is a checkout, which no hash holds still. Pin a version with ==, or name an archive of that commit: "
    "name @ https://…tar.gz"
)
EDITABLE = (
    "{line!r} is editable, and so not an exact version. Pin a version with ==, or take the line out where it is the "
    "project itself, which is deployed anyway."
)
PATH = "{line!r} is a path, which a host has not. Pin a version with ==."
SENSELESS = "{line!r} is not a requirement with a version. Write it as name==version."
VARIABLE = "{line!r} would take its meaning from the environment, which a host has not."
TO_VAULT = "ut the URL into the vault, refer to it in python_indexes, and take the line out."
PASSWORD = f"a password in git is none any more. P{TO_VAULT}"
ONE_FILE = "-r and -c take the name of one file, without blanks and quotes: -r base.txt"
LIKE_THIS = "is no condition. Write it like this: python_version < '3.12'"
NO_HASH = "is no hash. Write it as --hash=sha256: and 64 of 0-9 and a-f."
ELSEWHERE = "lies outside the project. Put that file into it, and name it here."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # A version that may be another one tomorrow.
        ("Django", UNPINNED),
        ("Django>=5.2", UNPINNED),
        ("Django~=5.2.0", UNPINNED),
        ("Django<6", UNPINNED),
        ("Django!=6", UNPINNED),
        ("Django==5.*", UNPINNED),
        ("Django<6,>=5.2", UNPINNED),
        ("Django<6,==5.2.19", UNPINNED),
        ("Django[argon2]", UNPINNED),
        ("Django===", UNPINNED),
        ('Django>=5; os_name == "posix"', UNPINNED),
        ("a @ https://files.example.com/a-1.0.tar.gz", UNHASHED),
        ("a @ https://files.example.com/a-1.0.tar.gz#md5=0", UNHASHED),
        ("a @ git+https://git.example.com/a.git@main", CHECKOUT),
        ("a @ git+ssh://git@git.example.com/a.git", CHECKOUT),
        (f"a @ git+https://git.example.com/a.git@main#sha256={HASH}", CHECKOUT),
        ("git+https://git.example.com/a.git@main#egg=a", CHECKOUT),
        ("a @ hg+https://hg.example.com/a", CHECKOUT),
        ("-e .", EDITABLE),
        ("-e.", EDITABLE),
        ("--editable ./shop", EDITABLE),
        ("--editable=shop", EDITABLE),
        ("-e git+https://git.example.com/a.git#egg=a", EDITABLE),
        ("-e git+ssh://git@git.example.com/a.git#egg=a", EDITABLE),
        # What only the developer's machine has.
        ("./vendor/a", PATH),
        ("../a", PATH),
        (".", PATH),
        ("~/src/a", PATH),
        ("/srv/a", PATH),
        ("file:///srv/a.whl", PATH),
        ("a @ file:///srv/a.whl", PATH),
        (f"a @ ./a.whl#sha256={HASH}", PATH),
        (f"a @ /srv/a.whl#sha256={HASH}", PATH),
        ("a-1.0-py3-none-any.whl", PATH),
        ("vendor/a-1.0.tar.gz", PATH),
        ("vendor/a.zip", PATH),
        ("Django==${DJANGO_VERSION}", VARIABLE),
        (f"a @ https://${{TOKEN}}@files.example.com/a.whl#sha256={HASH}", VARIABLE),
        # What is no requirement at all.
        ("Django=5.2", SENSELESS),
        ("Django==", SENSELESS),
        ("Django 5.2", SENSELESS),
        ("django@5.2", SENSELESS),
        ("Django==5.x", SENSELESS),
        ("Django==5.2 6.0", SENSELESS),
        ("Django==5.2, gunicorn==23", SENSELESS),
        ("Django=>5.2", SENSELESS),
        ("==5.2", SENSELESS),
        ('"Django==5.2"', SENSELESS),
        ("Django[argon2==5.2", SENSELESS),
        ("django=5.2=py312h06a4308_0", SENSELESS),
        ("https://files.example.com/a-1.0.tar.gz", SENSELESS),
        (f"a @ ftp://files.example.com/a-1.0.tar.gz#sha256={HASH}", SENSELESS),
        ("Collecting Django", SENSELESS),
        (f"Django=={'1' * 5000}", SENSELESS),
        (f"Django==5.2; {'(' * 5000}", f"'{'(' * 5000}' {LIKE_THIS}"),
        ("Django==5.2; python_versoin < '3'", f"\"python_versoin < '3'\" {LIKE_THIS}"),
        ("Django==5.2; os_name ~= 'posix'", f"\"os_name ~= 'posix'\" {LIKE_THIS}"),
        ("Django==5.2; 'x' in extras", f"\"'x' in extras\" {LIKE_THIS}"),
        ("Django==5.2;", f"'' {LIKE_THIS}"),
        # Hashes.
        ("a==1 --hash=sha256:0", f"'sha256:0' {NO_HASH}"),
        (f"a==1 --hash={HASH}", f"'{HASH}' {NO_HASH}"),
        (f"a==1 --hash=md5:{HASH}", f"'md5:{HASH}' {NO_HASH}"),
        (f"a==1 --hash=sha256:{HASH} --hash sha512:{HASH}", f"'sha512:{HASH}' {NO_HASH}"),
        ("a==1 --hash", f"'' {NO_HASH}"),
        # Options.
        ("--trusted-host h", "--trusted-host is no option for a deploy. Take the line out."),
        ("--use-feature=fast-deps", "--use-feature is no option for a deploy. Take the line out."),
        ("-U", "-U is no option for a deploy. Take the line out."),
        ("--requirements=base.txt", "--requirements is no option for a deploy. Take the line out."),
        ("a==1 --global-option=-v", "--global-option is no option for a deploy. Take it out."),
        ("a==1 --config-settings x=y", "--config-settings is no option for a deploy. Take it out."),
        ("--index-url https://shop:S3cr3t@pypi.example.com/simple", PASSWORD),
        ("--extra-index-url=https://t0k3n@pypi.example.com/simple", PASSWORD),
        ("-ihttps://shop:S3cr3t@pypi.example.com/simple", PASSWORD),
        ("--trusted-host //shop:S3cr3t@pypi.example.com", PASSWORD),
        ("-e git+https://t0k3n@git.example.com/a.git#egg=a", PASSWORD),
        (
            f"a @ https://shop:S3cr3t@files.example.com/a.whl#sha256={HASH}",
            "a password in git is none any more. Pin a version with ==, and see python_indexes.",
        ),
        (
            "a @ git+https://t0k3n@git.example.com/a.git",
            "a password in git is none any more. Pin a version with ==, and see python_indexes.",
        ),
        (
            "--extra-index-url https://${TOKEN}@pypi.example.com/simple",
            f"{VARIABLE} If that is a password, p{TO_VAULT}",
        ),
        ("-i https://pypi.example.com/${TOKEN}/simple", f"{VARIABLE} If that is a password, p{TO_VAULT}"),
        # Other files.
        ("-r base.txt", "the project has no base.txt."),
        ("-c constraints.txt", "the project has no constraints.txt."),
        ("--requirement=requirements/base.txt", "the project has no requirements/base.txt."),
        ("-r ${ENVIRONMENT}.txt", "the project has no ${{ENVIRONMENT}}.txt."),
        ("-r requirements.txt", "requirements.txt is being read already. Take out one of the lines that name it."),
        ("-c requirements.txt", "requirements.txt is being read already. Take out one of the lines that name it."),
        ("-r ../base.txt", f"../base.txt {ELSEWHERE}"),
        ("-r requirements/../../base.txt", f"requirements/../../base.txt {ELSEWHERE}"),
        ("-r /srv/base.txt", f"/srv/base.txt {ELSEWHERE}"),
        ("-r https://example.com/base.txt", f"https://example.com/base.txt {ELSEWHERE}"),
        ("-r", ONE_FILE),
        ("--constraint", ONE_FILE),
        ("-r 'base.txt'", ONE_FILE),
        ("-r a.txt b.txt", ONE_FILE),
        # Two lines that cannot both be true.
        ("Gunicorn==22.0.0", "{line} contradicts requirements.txt, line 2: gunicorn==23.0.0. Take one out."),
        (
            f"gunicorn @ https://files.example.com/gunicorn.tar.gz#sha256={HASH}",
            "{line} contradicts requirements.txt, line 2: gunicorn==23.0.0. Take one out.",
        ),
    ],
    ids=lambda value: value[:60],
)
def test_a_faulty_line_is_refused_with_its_place_and_with_what_to_do(line: str, message: str) -> None:
    told = judged({"requirements.txt": f"{WEB}{line}\n"})
    assert told == [f"requirements.txt, line 3: {message.format(line=line)}"]


NOT_UTF8 = "is not UTF-8 (PowerShell's > writes UTF-16). Save it as UTF-8."
FROZEN_PLACE = "requirements_to_freeze.txt, line"


def senseless(place: str, line: str) -> str:
    """Return what is said about a line that is no requirement."""
    return f"{place}: {SENSELESS.format(line=line)}"


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        pytest.param(
            {"requirements.txt": f"{WEB}<<<<<<< HEAD\na==1.0\n=======\na==1.1\n>>>>>>> 1a2b3c4\n"},
            [
                senseless("requirements.txt, line 3", "<<<<<<< HEAD"),
                senseless("requirements.txt, line 5", "======="),
                senseless("requirements.txt, line 7", ">>>>>>> 1a2b3c4"),
                "requirements.txt, line 6: a==1.1 contradicts requirements.txt, line 4: a==1.0. Take one out.",
            ],
            id="a merge that was not finished",
        ),
        pytest.param(
            {"requirements.txt": "Package Version\n------- -------\nDjango  5.2.19\n"},
            [
                senseless("requirements.txt, line 1", "Package Version"),
                "requirements.txt, line 2: ------- is no option for a deploy. Take the line out.",
                senseless("requirements.txt, line 3", "Django  5.2.19"),
            ],
            id="pip list instead of pip freeze",
        ),
        pytest.param({"requirements.txt": WEB.encode("utf-16")}, [f"requirements.txt {NOT_UTF8}"], id="UTF-16"),
        pytest.param({"requirements.txt": WEB.encode("utf-16-le")}, [f"requirements.txt {NOT_UTF8}"], id="no BOM"),
        pytest.param({"requirements.txt": b"# f\xfcr uns"}, [f"requirements.txt {NOT_UTF8}"], id="Latin-1"),
        pytest.param(
            {"requirements.txt": f"{WEB}-r base.txt\n", "base.txt": b"\xff\xfea"},
            [f"base.txt {NOT_UTF8}"],
            id="a file that is named is not UTF-8",
        ),
        pytest.param(
            {"requirements.txt": f"{WEB}-r a.txt\n", "a.txt": "-r b.txt\n", "b.txt": "\n-r ./a.txt\n"},
            ["b.txt, line 2: a.txt is being read already. Take out one of the lines that name it."],
            id="files that name each other",
        ),
        pytest.param(
            {"requirements.txt": f"{WEB}-r base.txt\n", "base.txt": "\nDjango\n"},
            [f"base.txt, line 2: Django is not pinned to one version. {FREEZE}"],
            id="a file that is named has a fault",
        ),
        pytest.param(
            {"requirements.txt": f"{WEB}-c limits.txt\n", "limits.txt": "gunicorn=23\n"},
            [senseless("limits.txt, line 1", "gunicorn=23")],
            id="a constraint has a fault",
        ),
        pytest.param(
            {"requirements.txt": f"{WEB}-c limits.txt\n", "limits.txt": "\nGunicorn<23\n"},
            [
                (
                    "requirements.txt, line 2: gunicorn==23.0.0 is pinned, and limits.txt, line 2 asks for "
                    "Gunicorn<23. Change one of them."
                )
            ],
            id="a pin is outside a constraint",
        ),
        pytest.param(
            {"requirements.txt": f"{WEB}Django==5.2.19 \\\n    --hash=sha256:{HASH}\n"},
            [
                "requirements.txt, line 1: gevent==26.9.0 has no hash, and other lines have: all, or none.",
                "requirements.txt, line 2: gunicorn==23.0.0 has no hash, and other lines have: all, or none.",
            ],
            id="some lines have hashes",
        ),
    ],
)
def test_faulty_requirements_are_refused_with_all_that_is_wrong(
    files: dict[str, str | bytes], messages: list[str]
) -> None:
    assert judged(files) == messages


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        pytest.param(
            {**frozen("gevent\ngunicorn\n", WEB), "requirements_to_freeze.txt": "gevent\ngunicorn\nDjango => 5\n"},
            [f"requirements_to_freeze.txt was changed after requirements.txt was made from it. Type: {LOCK}"],
            id="it was changed",
        ),
        pytest.param(
            frozen("gevent\ngunicorn\n\nDjango >= 5.2  # the LTS\n", WEB),
            [f"{FROZEN_PLACE} 4: Django>=5.2 is not in requirements.txt. Type: {LOCK}"],
            id="a line is not pinned",
        ),
        pytest.param(
            {"requirements.txt": WEB, "requirements_to_freeze.txt": "gevent\ngunicorn\nDjango\n"},
            [f"{FROZEN_PLACE} 3: Django is not in requirements.txt. Type: {LOCK}"],
            id="a line is not pinned in a file made by hand",
        ),
        pytest.param(
            frozen("gevent\ngunicorn\nDjango\n", f"{WEB}Django\n"),
            [f"requirements.txt, line 7: Django is not pinned to one version. {FREEZE}"],
            id="a faulty line is not called missing too",
        ),
        pytest.param(
            frozen("gevent\ngunicorn>=24\n", WEB),
            [
                (
                    f"requirements.txt, line 6: gunicorn==23.0.0 is pinned, and {FROZEN_PLACE} 2 asks for "
                    f"gunicorn>=24. Type: {LOCK}"
                )
            ],
            id="a line asks for another version",
        ),
        pytest.param(
            frozen("a @ https://h/a-2.whl\n", f"{WEB}a @ https://h/a-1.whl#sha256={HASH}\n"),
            [
                (
                    f"requirements.txt, line 7: a @ https://h/a-1.whl#sha256={HASH} is pinned, and {FROZEN_PLACE} 1 "
                    f"asks for a @ https://h/a-2.whl. Type: {LOCK}"
                )
            ],
            id="a line asks for another URL",
        ),
        pytest.param(
            frozen("a @ https://h/a-1.whl\n", f"{WEB}a==1\n"),
            [
                (
                    f"requirements.txt, line 7: a==1 is pinned, and {FROZEN_PLACE} 1 asks for "
                    f"a @ https://h/a-1.whl. Type: {LOCK}"
                )
            ],
            id="a line asks for a URL",
        ),
        pytest.param(
            frozen("gevent\nDjango => 5.2\n", WEB),
            [senseless(f"{FROZEN_PLACE} 2", "Django => 5.2")],
            id="no requirement",
        ),
        pytest.param(
            frozen("-r a.txt\ngevent\n--constraint=c\n", WEB),
            [
                f"{FROZEN_PLACE} 1: '-r a.txt' would stand in requirements.txt as it is. Put that file's lines here.",
                (
                    f"{FROZEN_PLACE} 3: '--constraint=c' would stand in requirements.txt as it is. "
                    "Put that file's lines here."
                ),
            ],
            id="other files are named",
        ),
        pytest.param(
            frozen("-e .\n./a\ngevent --hash=x\n--trusted-host h\na @ git+https://h/a\n", WEB),
            [
                f"{FROZEN_PLACE} 1: {EDITABLE.format(line='-e .')}",
                f"{FROZEN_PLACE} 2: {PATH.format(line='./a')}",
                f"{FROZEN_PLACE} 3: 'x' {NO_HASH}",
                f"{FROZEN_PLACE} 4: --trusted-host is no option for a deploy. Take the line out.",
                f"{FROZEN_PLACE} 5: {CHECKOUT.format(line='a @ git+https://h/a')}",
            ],
            id="what a host has not",
        ),
        pytest.param(
            {"requirements.txt": WEB, "requirements_to_freeze.txt": "gevent\n".encode("utf-16")},
            [f"requirements_to_freeze.txt {NOT_UTF8}"],
            id="UTF-16",
        ),
        pytest.param(
            frozen("# apt: libpq-dev Libxml2\ngevent\n", WEB),
            [
                (
                    f"{FROZEN_PLACE} 1: 'Libxml2' is no name of a Debian package. "
                    "Write names with blanks between them: # apt: libpq-dev gcc"
                )
            ],
            id="no name of a Debian package",
        ),
        pytest.param(
            frozen("gevent\nDjango  # apt:\n", f"{WEB}Django\n"),
            [
                f"requirements.txt, line 7: Django is not pinned to one version. {FREEZE}",
                f"{FROZEN_PLACE} 2: no package is named. Write names with blanks between them: # apt: libpq-dev gcc",
            ],
            id="no Debian package is named, and something else",
        ),
    ],
)
def test_requirements_that_their_input_does_not_bring_are_refused_with_all_that_is_wrong(
    files: dict[str, str | bytes], messages: list[str]
) -> None:
    assert judged(files) == messages


FIRST_LINE = (
    "prod.txt is named after the environment, and so its first line has to be: -r requirements.txt. "
    "If it is something else, set release_requirements_file to the file you mean"
)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (f"# all of it\n{WEB}", [FIRST_LINE]),
        ("a==1\n-r requirements.txt\n", [FIRST_LINE]),
        ("-c requirements.txt\na==1\n-r requirements.txt\n", [FIRST_LINE]),
        ("Dear customer\n", [senseless("prod.txt, line 1", "Dear customer"), FIRST_LINE]),
        (
            "",
            [
                FIRST_LINE,
                f"prod.txt lacks gunicorn: it serves the app; write gunicorn[gevent]; {FREEZE_AGAIN}",
                f"prod.txt lacks gevent: gunicorn's workers are gevent's; {FREEZE_AGAIN}",
            ],
        ),
        (
            "-r requirements.txt\n\nsentry-sdk\n",
            [f"prod.txt, line 3: sentry-sdk is not pinned to one version. {FREEZE}"],
        ),
        (
            "-r requirements.txt\ngunicorn==22\n",
            ["prod.txt, line 2: gunicorn==22 contradicts requirements.txt, line 2: gunicorn==23.0.0. Take one out."],
        ),
        (
            f"-r requirements.txt\na==1 --hash=sha256:{HASH}",
            [
                "requirements.txt, line 1: gevent==26.9.0 has no hash, and other lines have: all, or none.",
                "requirements.txt, line 2: gunicorn==23.0.0 has no hash, and other lines have: all, or none.",
            ],
        ),
    ],
)
def test_a_faulty_file_of_the_environment_is_refused_with_all_that_is_wrong(text: str, messages: list[str]) -> None:
    assert judged({"requirements.txt": WEB, "prod.txt": text}, environment="prod") == messages


@pytest.mark.parametrize(
    "first",
    ["-r requirements.txt", "# more\n\n-r requirements.txt  # less", "--requirement requirements.txt"],
)
def test_a_file_of_the_environment_adds_pins(first: str) -> None:
    files = {"requirements.txt": "gevent==26.9.0\n", "prod.txt": f"{first}\ngunicorn==23.0.0\n"}
    assert judged(files, environment="prod") == []


def test_a_file_of_the_environment_adds_to_what_was_frozen() -> None:
    files = {**frozen("gevent\ngunicorn>22\n", WEB), "prod.txt": "-r requirements.txt\nsentry-sdk==2.20.0\n"}
    assert judged(files, environment="prod") == []


def test_a_file_that_the_user_names_is_no_file_of_the_environment_and_was_frozen_by_nobody() -> None:
    files = {**frozen("gevent\ngunicorn\ndjango\n", ""), "prod.txt": WEB}
    assert judged(files, environment="prod", requirements_file="prod.txt") == []


@pytest.mark.parametrize(
    ("direct", "pins"),
    [
        pytest.param("gevent\ngunicorn[gevent]>=23\n", WEB, id="an extra"),
        pytest.param("GEvent\nGunicorn\n", WEB, id="another spelling"),
        pytest.param("Zope.Interface\n", f"{WEB}zope_interface==7.2\n", id="another separator"),
        pytest.param("gunicorn==23\n", WEB, id="an equal version"),
        pytest.param("a==1.0\n", f"{WEB}a==1.0.0\n", id="zeros at the end"),
        pytest.param("a==1.0rc1\n", f"{WEB}a==1.0.c1\n", id="another spelling of a version"),
        pytest.param("a==1.0\n", f"{WEB}a==1.0+local\n", id="a local version"),
        pytest.param("a>=1\n", f"{WEB}a==2.0b1\n", id="a version before the release"),
        pytest.param("a>=1\n", f"{WEB}a===as-you-like\n", id="a version that cannot be compared"),
        pytest.param("--pre\na\n", f"{WEB}a==2.0b1\n", id="an option"),
        pytest.param(
            "a @ https://h/a-1.whl\n", f"{WEB}a @ https://h/a-1.whl#sha256={HASH}\n", id="a URL whose hash was added"
        ),
        pytest.param("a>=1\n", f"{WEB}a @ https://h/a-1.whl#sha256={HASH}\n", id="a URL instead of a version"),
        pytest.param("a; python_version < '3.12'\n", WEB, id="not for this Python"),
        pytest.param("a; python_full_version < '3.12.3'\n", WEB, id="not for this patch of Python"),
        pytest.param("a; sys_platform == 'win32'\n", WEB, id="not for Linux"),
        pytest.param("a; platform_system != 'Linux' or os_name == 'nt'\n", WEB, id="not for Linux in other words"),
        pytest.param("a; extra == 'dev'\n", WEB, id="for an extra"),
        pytest.param(
            "a>=2\n",
            f"{WEB}a==2; python_version >= '3.12'\na==1; python_version < '3.12'\n",
            id="several lines for several interpreters",
        ),
    ],
)
def test_requirements_that_their_input_brings_are_not_refused(direct: str, pins: str) -> None:
    assert judged(frozen(direct, pins)) == []


@pytest.mark.parametrize(("version", "is_needed"), [("3.11.9", True), ("3.12.3", False), ("3.13.0rc1", False)])
def test_a_condition_is_judged_by_the_interpreter_that_froze(version: str, is_needed: bool) -> None:
    messages = [f'{FROZEN_PLACE} 1: a; python_version < "3.12" is not in requirements.txt. Type: {LOCK}']
    assert judged(frozen("a; python_version < '3.12'\n", WEB, version)) == (messages if is_needed else [])


def test_a_header_that_somebody_wrote_by_hand_does_no_harm() -> None:
    files = frozen("gevent\na; python_full_version < '3'\n", WEB, "3.12.0whatever")
    assert judged(files) == []


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": WEB},
        {"requirements.txt": f"\ufeff{WEB}"},
        {"requirements.txt": WEB.replace("\n", "\r\n")},
        {"requirements.txt": f"--index-url https://pypi.example.com/simple\n{WEB}"},
        {"requirements.txt": f"{WEB}a @ https://files.example.com/a-1.whl#sha256={HASH}\n"},
        {"requirements.txt": f"{WEB}Gunicorn==23.0\n"},
        {"requirements.txt": f"{WEB}-c limits.txt\n", "limits.txt": "--pre\ngunicorn>22\nurllib3<2\n"},
        {"requirements.txt": f"{WEB}-c limits.txt\n", "limits.txt": "gunicorn<22; sys_platform == 'win32'\n"},
        {"requirements.txt": f"{WEB}a==1; python_version < '3.12'\na==2; python_version >= '3.12'\n"},
    ],
)
def test_what_is_unusual_and_exact_is_not_refused(files: dict[str, str | bytes]) -> None:
    assert judged(files) == []


def tool(place: str, pin: str) -> str:
    """Return what is said about a developer's tool in production."""
    return (
        f"{place}: {pin} is a developer's tool, and has no place in prod. Take it, or what brings it, out of "
        f"requirements_to_freeze.txt and type: {LOCK}; a file named after another environment may add it there. If "
        "prod needs it, set release_developer_packages without it"
    )


@pytest.mark.parametrize(
    ("patterns", "pin"),
    [
        (["ruff"], "ruff==0.9"),
        (["black", "ruff"], "Ruff==0.9"),
        (["django-debug-toolbar"], "Django_Debug.Toolbar==5.0"),
        (["Django_Debug_Toolbar"], "django-debug-toolbar==5.0"),
        (["pytest*"], "pytest==8.4"),
        (["pytest*"], "pytest_django==4.9"),
        (["Django_stubs*"], "django-stubs-ext==5.2"),
    ],
)
def test_a_developers_tool_is_refused_with_its_place(patterns: list[str], pin: str) -> None:
    messages = [tool("requirements.txt, line 3", pin)]
    assert judged({"requirements.txt": f"{WEB}{pin}\n"}, environment="prod", developer_packages=patterns) == messages


@pytest.mark.parametrize("brought", ["django-stubs-ext", "mypy-extensions", "pytz"])
def test_what_packages_for_production_bring_is_no_developers_tool(brought: str) -> None:
    defaults = yaml.safe_load((ROOT / "roles" / "release" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    files = {"requirements.txt": f"{WEB}{brought}==1.0\n"}
    assert judged(files, environment="prod", developer_packages=defaults["release_developer_packages"]) == []


@pytest.mark.parametrize(
    ("patterns", "pin"),
    [([], "ruff==0.9"), (["ruff"], "ruff-lsp==0.1"), (["*stubs"], "types-x==1"), (["pytest*"], "py-pytest==1")],
)
def test_what_only_looks_like_a_developers_tool_is_not_refused(patterns: list[str], pin: str) -> None:
    assert judged({"requirements.txt": f"{WEB}{pin}\n"}, environment="prod", developer_packages=patterns) == []


def test_a_developers_tool_in_the_file_of_the_environment_is_refused_too() -> None:
    files = {"requirements.txt": WEB, "prod.txt": "-r requirements.txt\nruff==0.9\n"}
    messages = [tool("prod.txt, line 2", "ruff==0.9")]
    assert judged(files, environment="prod", developer_packages=["ruff"]) == messages


GUNICORN = f"requirements.txt lacks gunicorn: it serves the app; write gunicorn[gevent]; {FREEZE_AGAIN}"
GEVENT = f"requirements.txt lacks gevent: gunicorn's workers are gevent's; {FREEZE_AGAIN}"
ANCIENT = (
    "requirements.txt, line 1: gunicorn 20.0.4 does not know wsgi_app, which says what it is to serve. "
    f"In requirements_to_freeze.txt write gunicorn[gevent]>=20.1, and type: {LOCK}"
)
PACKAGING = (
    "requirements.txt lacks packaging: gunicorn 26.1 and newer needs it with gevent; write gunicorn[gevent]; "
    f"{FREEZE_AGAIN}"
)
DRIVERLESS = f"requirements.txt lacks a driver for PostgreSQL: psycopg, or psycopg2 with psycogreen; {FREEZE_AGAIN}"
BLOCKING = f"requirements.txt lacks psycogreen: without it psycopg2 blocks its worker under gevent; {FREEZE_AGAIN}"
OLD = (
    "requirements.txt, line 3: psycopg 3.1.13 blocks its worker under gevent. "
    f"In requirements_to_freeze.txt write psycopg>=3.1.14, and type: {LOCK}"
)
PYMYSQL = f"requirements.txt lacks PyMySQL: it is the driver for MySQL that works under gevent; {FREEZE_AGAIN}"
IN_C = (
    "requirements.txt, line 3: mysqlclient waits in C and blocks its worker under gevent. "
    f"In requirements_to_freeze.txt write PyMySQL instead, and type: {LOCK}"
)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", [GUNICORN, GEVENT]),
        ("gevent==26.9.0", [GUNICORN]),
        ("gunicorn==23.0.0", [GEVENT]),
        ("gunicorn==20.0.4\ngevent==26.9.0", [ANCIENT]),
        ("gunicorn==20.1.0\ngevent==26.9.0", []),
        ("gunicorn==26.1.0\ngevent==26.9.0", [PACKAGING]),
        ("gunicorn==26.0.9\ngevent==26.9.0", []),
        ("gunicorn==27.0.1\ngevent==26.9.0\npackaging==26.3", []),
        ("gunicorn===as-you-like\ngevent==26.9.0", []),
        (f"gunicorn @ https://h/gunicorn-27.0.1.whl#sha256={HASH}\ngevent==26.9.0", []),
        ("gunicorn==23.0.0 ; sys_platform != 'win32'\nGEvent==26.9.0", []),
    ],
)
def test_what_every_app_needs_is_missed(text: str, messages: list[str]) -> None:
    assert judged({"requirements.txt": text}) == messages


@pytest.mark.parametrize("database", ["postgres", "postgresql", "psql", "pgsql", "postgis"])
@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        ([], [DRIVERLESS]),
        (["PyMySQL==1.2.4"], [DRIVERLESS]),
        (["psycogreen==1.0.2"], [DRIVERLESS]),
        (["psycopg2==2.9.13"], [BLOCKING]),
        (["psycopg2-binary==2.9.13"], [BLOCKING]),
        (["psycopg2_binary==2.9.13", "psycogreen==1.0.2"], []),
        (["psycopg2==2.9.13", "psycogreen==1.0.2"], []),
        (["psycopg==3.1.13"], [OLD]),
        (["psycopg[binary]==3.1.14"], []),
        (["psycopg==3.3.9"], []),
        (["psycopg===as-you-like"], []),
    ],
)
def test_postgresql_needs_a_driver_that_does_not_block(database: str, lines: list[str], messages: list[str]) -> None:
    assert judged({"requirements.txt": WEB + "\n".join(lines)}, database=database) == messages


@pytest.mark.parametrize("database", ["mysql", "mysql2", "mysqlgis"])
@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        ([], [PYMYSQL]),
        (["psycopg==3.3.9"], [PYMYSQL]),
        (["mysqlclient==2.2.7"], [IN_C]),
        (["PyMySQL==1.2.4"], []),
        (["mysqlclient==2.2.7", "pymysql==1.2.4"], []),
    ],
)
def test_mysql_needs_a_driver_that_does_not_block(database: str, lines: list[str], messages: list[str]) -> None:
    assert judged({"requirements.txt": WEB + "\n".join(lines)}, database=database) == messages


@pytest.mark.parametrize("database", ["", "sqlite", "oracle"])
def test_other_databases_need_no_driver_that_is_known_here(database: str) -> None:
    assert judged({"requirements.txt": WEB}, database=database) == []


def test_packages_are_not_missed_where_a_line_could_not_be_read() -> None:
    messages = [f"requirements.txt, line 1: gunicorn is not pinned to one version. {FREEZE}"]
    assert judged({"requirements.txt": "gunicorn\n"}, database="postgres") == messages


TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
NUMBER = st.integers(0, 99)


@given(
    direct=TEXT,
    version=st.tuples(NUMBER, NUMBER, NUMBER).map(lambda parts: ".".join(map(str, parts))),
    stage=st.sampled_from(["", "a1", "b12", "rc3"]),
    interpreter=st.sampled_from(["CPython", "PyPy"]),
    system=st.sampled_from(["Linux x86_64 (Debian 13)", "Linux aarch64 (Ubuntu 24.04)", "Linux x86_64 (a on b)"]),
)
def test_the_header_that_lock_writes_is_read_back(
    direct: str, version: str, stage: str, interpreter: str, system: str
) -> None:
    facts = {"interpreter": interpreter, "version": version + stage, "platform": system}
    header = read_header(compose(direct, WEB, "", facts, when="2026-11-24T08:00:00Z", hashes=False))
    assert header is not None
    assert header.python == version + stage
    assert not header.is_stale(direct)


@given(frozen_from=TEXT, now=TEXT)
def test_the_header_tells_another_input_from_the_one_that_was_frozen(frozen_from: str, now: str) -> None:
    facts = {"interpreter": "CPython", "version": "3.12.3", "platform": "Linux x86_64 (Debian 13)"}
    header = read_header(compose(frozen_from, WEB, "", facts, when="2026-11-24T08:00:00Z", hashes=False))
    assert header is not None
    assert header.is_stale(now) == (now != frozen_from)


@pytest.mark.parametrize("text", ["", WEB, f"# made with care\n{WEB}", f"{WEB}{WEB}# sha256 of a: {HASH}\n"])
def test_what_somebody_else_made_has_no_header(text: str) -> None:
    assert read_header(text) is None


WORDS = "-r |-c |-e |--hash=sha256:|a|b.txt|==|1.0|*|https://|git+|python_version|extra| in |'3'| and |# apt: gcc"
PIECES = st.sampled_from([*"\n\r\\\t\x0c\u2028#;=<>~!@[](){}$,'\" 2", HASH, *WORDS.split("|")])


@given(st.lists(PIECES).map("".join), st.lists(PIECES).map("".join), st.lists(PIECES).map("".join))
def test_whatever_the_files_hold_the_answer_is_a_list_of_lines(text: str, other: str, to_freeze: str) -> None:
    files = {"requirements.txt": text, "b.txt": other, "prod.txt": other, "requirements_to_freeze.txt": to_freeze}
    for line in judged(files, environment="prod", developer_packages=["a*"], database="mysql"):
        assert line


CUT = (
    "{line}: django-environ {version} cuts the values of SECRET_KEY, API_TOKEN at the first #, where .env is written "
    f"as systemd reads it. In requirements_to_freeze.txt write django-environ>=0.12, and type: {LOCK}; or set "
    "app_env_as_environment: false, since django-environ reads .env itself"
)


@pytest.mark.parametrize("version", ["0.11", "0.11.0", "0.11.2", "0.11.3.post1"])
def test_a_django_environ_that_would_cut_values_is_refused_with_their_keys(version: str) -> None:
    files = {"requirements.txt": f"{WEB}Django_Environ=={version}\n"}
    line = CUT.format(line="requirements.txt, line 3", version=version)
    assert judged(files, cut_keys=["SECRET_KEY", "API_TOKEN"]) == [line]
    assert judged(files) == []


@pytest.mark.parametrize("version", ["0.10.0", "0.12.0", "0.13.0", "1.11.0", "0.110"])
def test_a_django_environ_that_cuts_only_where_it_is_told_to_may_read_any_value(version: str) -> None:
    assert judged({"requirements.txt": f"{WEB}django-environ=={version}\n"}, cut_keys=["SECRET_KEY"]) == []


def test_values_that_nobody_reads_with_django_environ_may_hold_anything() -> None:
    assert judged({"requirements.txt": WEB}, cut_keys=["SECRET_KEY"]) == []


def test_the_file_is_named_that_pins_the_django_environ_that_would_cut_values() -> None:
    files = {"requirements.txt": f"-r base.txt\n{WEB}", "base.txt": "django-environ==0.11.2\n"}
    (line,) = judged(files, cut_keys=["SECRET_KEY"])
    assert line.startswith("base.txt, line 1: django-environ 0.11.2 cuts the values of SECRET_KEY at the first #, ")
