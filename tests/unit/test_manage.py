"""What is decided around manage.py, and where what a project writes outlives a release."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import lasting, manage
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.dotenv import render
from ansible_collections.initech.django.plugins.module_utils.lasting import (
    COPY,
    inside,
    link_away,
    link_media,
    link_shared,
    link_sqlite,
    require_apart,
)
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.manage import (
    COLLECT,
    MARK,
    collect_static,
    environment,
    health_host,
    marked,
    run_commands,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

ID = "20261124T101500Z-1a2b3c4d"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return an app below a directory of its own: its name is absolute, so /srv is left."""
    made = App(str(tmp_path / "app"))
    made.media.mkdir(parents=True)
    return made


@pytest.fixture
def release(app: App) -> Release:
    """Return a release whose project is a directory of its source."""
    made = app.release(ID)
    (made.source / "src" / "shop").mkdir(parents=True)
    made.project.symlink_to(Path("source", "src"))
    (made.virtualenv / "bin").mkdir(parents=True)
    (made.virtualenv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    return made


def files(directory: Path) -> dict[str, str]:
    """Return the files below a directory, not through links, and what they hold."""
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def fill(directory: Path, **contents: str) -> None:
    """Write files; two underscores in a name stand for a slash."""
    for name, content in contents.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("allowed_hosts", "names", "host"),
    [
        (["shop.example.com", "www.example.com"], ["other.example.com"], "shop.example.com"),
        ([".example.com"], [], "www.example.com"),
        (["*", "shop.example.com"], ["other.example.com"], "shop.example.com"),
        (["[::1]"], [], "[::1]"),
        (["*"], ["_", "*.example.com", "~^a", ".example.com", "shop.example.com"], "shop.example.com"),
        (["*"], ["_"], "localhost"),
        (["*"], [], "localhost"),
        ([], ["shop.example.com"], "localhost"),
    ],
)
def test_a_release_is_asked_for_a_host_that_it_accepts(allowed_hosts: list[str], names: list[str], host: str) -> None:
    assert health_host(allowed_hosts, names) == host


def test_manage_py_gets_the_environment_of_the_unit_and_nothing_of_ours(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOTHER_SECRET", "S3cr3t")
    assert environment(release, env_as_environment=False) == {
        "PATH": f"{release.virtualenv}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(App(release.app).home),
        "LANG": "C.UTF-8",
        "RELEASE": ID,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def as_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have programs run as ourselves: here is no user of the app."""
    for module in (manage, lasting):
        monkeypatch.setattr(
            module, "run_or_fail", lambda *words, **options: run_or_fail(*words, **{**options, "user": None})
        )


@pytest.mark.usefixtures("as_ourselves")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program run build", r"no-such-program is not there\."),
        ("./readme.txt run build", r"\./readme\.txt cannot be run: Permission denied\."),
        ("sh -c 'echo no bundle; exit 3'", r"sh -c 'echo no bundle; exit 3' failed \(exit code 3\):\nno bundle"),
    ],
)
def test_a_command_of_the_teams_that_cannot_be_run_or_fails_is_told_with_where_it_stands(
    release: Release, command: str, said: str
) -> None:
    fill(release.project, **{".env": "", "readme.txt": ""})
    with pytest.raises(Problem, match=f"^release_before_static: {said}$"):
        run_commands(release, "release_before_static", [command])


@pytest.mark.parametrize("systemd", [True, False])
def test_a_project_that_reads_the_environment_finds_its_env_file_there(release: Release, systemd: bool) -> None:
    values = {"SECRET_KEY": 'it\'s "#1" \\n $x', "LIST": "a,b", "EMPTY": ""}
    # A release of before may have keys that are refused now.
    (release.project / ".env").write_text(f"{render(values, systemd)}RELEASE=other\nPATH=/\n", encoding="utf-8")
    found = environment(release, env_as_environment=True)
    assert {key: found[key] for key in ("SECRET_KEY", "LIST", "EMPTY")} == {
        key: values[key] for key in ("SECRET_KEY", "LIST", "EMPTY")
    }
    assert found["RELEASE"] == ID
    assert found["PATH"].startswith(str(release.virtualenv))


def test_a_directory_below_the_source_is_found_however_it_is_written(release: Release) -> None:
    source = release.source
    for directory in ("static", "./static/", "shop/../static", str(source / "src" / "static")):
        assert inside(release, directory) == source / "src" / "static"
    assert inside(release, "../static") == source / "static"


@pytest.mark.parametrize("directory", ["", "/var/www/static", "../../static", "../../../source-static", "/", "../.."])
def test_a_directory_that_is_not_below_the_source_is_left_alone(release: Release, directory: str) -> None:
    assert inside(release, directory) is None


@pytest.mark.parametrize("directory", [".", "..", "shop/../.."])
def test_the_project_itself_and_what_it_lies_in_are_never_moved_away(
    app: App, release: Release, directory: str
) -> None:
    release.project.unlink()
    release.project.symlink_to(Path("source", "src", "shop"))
    fill(release.project, manage="")
    assert inside(release, directory) is None
    link_media(release, {"media_root": directory})
    assert (release.source / "src" / "shop" / "manage").is_file()
    assert files(app.media) == {}


def test_what_a_directory_held_goes_where_it_now_leads_to(tmp_path: Path, release: Release) -> None:
    path, target = tmp_path / "a" / "media", tmp_path / "media"
    target.mkdir()
    fill(path, logo="logo", avatars__me="me")
    link_away(release, path, target)
    assert path.readlink() == target
    assert files(target) == {"logo": "logo", "avatars/me": "me"}


def test_what_was_uploaded_before_stays_as_it_is(tmp_path: Path, release: Release) -> None:
    path, target = tmp_path / "a" / "media", tmp_path / "media"
    fill(target, logo="uploaded", avatars__me="uploaded")
    (target / "gone").symlink_to("nowhere")
    fill(path, logo="new", new="new", gone="new")
    link_away(release, path, target)
    assert files(target) == {"logo": "uploaded", "avatars/me": "uploaded", "new": "new"}
    assert (target / "gone").is_symlink()


def test_a_name_may_be_as_long_as_the_file_system_takes_it(tmp_path: Path, release: Release) -> None:
    name = "vendors-node_modules_" + 234 * "x"
    fill(tmp_path / "a" / "media", **{name: "new"})
    link_away(release, tmp_path / "a" / "media", tmp_path / "media")
    assert files(tmp_path / "media") == {name: "new"}


def test_what_is_new_in_a_directory_that_is_there_goes_there(tmp_path: Path, release: Release) -> None:
    path, target = tmp_path / "a" / "media", tmp_path / "media"
    fill(target, avatars__me="uploaded", new="uploaded", logo__svg="uploaded")
    fill(path, avatars__me="me", avatars__old__you="you", new__file="file", logo="logo")
    link_away(release, path, target)
    uploaded = dict.fromkeys(("avatars/me", "new", "logo/svg"), "uploaded")
    assert files(target) == {**uploaded, "avatars/old/you": "you"}


def test_what_is_copied_goes_through_no_link(tmp_path: Path, release: Release) -> None:
    path, target, outside = tmp_path / "a" / "media", tmp_path / "media", tmp_path / "outside"
    fill(outside, there="there")
    target.mkdir()
    (target / "avatars").symlink_to(outside)
    fill(path, avatars__me="me")
    (path / "link").symlink_to(outside)
    link_away(release, path, target)
    assert files(outside) == {"there": "there"}
    assert (target / "link").readlink() == outside
    # But what an administrator made of the directory itself.
    (tmp_path / "volume").symlink_to(target)
    fill(tmp_path / "b", new="new")
    link_away(release, tmp_path / "b", tmp_path / "volume")
    assert files(target) == {"new": "new"}


def test_what_an_interrupted_run_had_half_copied_is_copied(tmp_path: Path, release: Release) -> None:
    path, target = tmp_path / "a" / "media", tmp_path / "media"
    draft = f"avatars__.{os.uname().nodename}.{zlib.crc32(b'you'):08x}.draft"
    fill(target, **{"avatars__me": "me", draft: "yo"})
    fill(path, avatars__me="me", avatars__you="you")
    link_away(release, path, target)
    assert files(target) == {"avatars/me": "me", "avatars/you": "you"}


def test_two_hosts_that_share_the_disk_copy_at_once(tmp_path: Path) -> None:
    content = {f"{number % 4}__{number}": str(number) for number in range(1000)}
    fill(tmp_path / "source", **content)
    begin = "import os, sys, types; os.uname = lambda: types.SimpleNamespace(nodename={!r}); exec(sys.stdin.read())"
    places = (tmp_path / "source", tmp_path / "target")
    hosts = [
        subprocess.Popen([sys.executable, "-c", begin.format(name), *places], stdin=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    for host in hosts:
        assert host.stdin
        host.stdin.write(COPY)
        host.stdin.close()
    assert [host.wait() for host in hosts] == [0, 0]
    assert files(tmp_path / "target") == {name.replace("__", "/"): text for name, text in content.items()}


def test_a_file_that_is_half_copied_does_not_have_its_name_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "source", logo="logo")

    def full(_: Path, draft: Path, **__: bool) -> None:
        draft.write_text("lo")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copy2", full)
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / "source"), str(tmp_path / "target")])
    with pytest.raises(SystemExit, match="No space left on device"):
        exec(COPY, {})
    assert files(tmp_path / "target") == {}


IS_ROOT = os.geteuid() == 0


@pytest.fixture
def elsewhere() -> Iterator[tuple[Release, Path]]:
    """Return a release and a directory of its app, which is on another file system; everybody may look into both."""
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory(dir="/dev/shm") as there:
        for directory in (here, there):
            Path(directory).chmod(0o755)
        made = App(f"{here}/app").release(ID)
        (made.virtualenv / "bin").mkdir(parents=True)
        (made.virtualenv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
        yield made, Path(there)


def test_what_is_copied_is_the_apps_though_uploads_are_on_another_file_system(elsewhere: tuple[Release, Path]) -> None:
    release, target = elsewhere
    path = release.source / "media"
    fill(path, uploads__keep="", avatars__old__me="me")
    (path / "link").symlink_to("avatars")
    if IS_ROOT:
        shutil.chown(target, "nobody", "nogroup")
    link_away(release, path, target, "nobody" if IS_ROOT else None)
    assert path.stat().st_dev != release.path.stat().st_dev
    assert files(target) == {"uploads/keep": "", "avatars/old/me": "me"}
    assert {each.lstat().st_uid for each in target.rglob("*")} == {target.stat().st_uid}
    assert len(list(target.rglob("*"))) == 6


def test_what_cannot_be_copied_is_told_and_stays(elsewhere: tuple[Release, Path]) -> None:
    release, target = elsewhere
    path = release.source / "media"
    fill(path, logo="logo")
    target.chmod(0o555)
    with pytest.raises(
        Problem, match=rf"^{path} cannot be copied to {target} as \w+.*\(exit code 1\):\n.*Permission denied"
    ):
        link_away(release, path, target, "nobody" if IS_ROOT else None)
    assert files(path) == {"logo": "logo"}


def test_a_directory_that_is_not_there_yet_becomes_a_link_all_the_same(tmp_path: Path, release: Release) -> None:
    target = tmp_path / "media"
    link_away(release, tmp_path / "a" / "b" / "media", target)
    assert (tmp_path / "a" / "b" / "media").readlink() == target


def modes(path: Path, root: Path) -> set[int]:
    """Return the modes of the directories that a path lies in, up to one."""
    return {stat.S_IMODE(each.stat().st_mode) for each in path.parents if root in each.parents}


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_what_leads_to_uploads_and_databases_can_be_gone_through_whatever_roots_own_umask_is(
    tmp_path: Path, app: App, release: Release, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    monkeypatch.setattr(App, "home", property(lambda _: tmp_path))
    for path in (release.source, *release.source.rglob("*")):
        path.chmod(0o755)
    before = os.umask(umask)
    try:
        link_media(release, {"media_root": "var/files/media"})
        link_sqlite(release, {"sqlite": ["data/now/db.sqlite3"]})
    finally:
        os.umask(before)
    media, database = (release.source / "src" / each for each in ("var/files/media", "data/now/db.sqlite3"))
    assert (media.readlink(), database.readlink()) == (app.media, tmp_path / "db.sqlite3")
    assert modes(media, release.path) | modes(database, release.path) == {0o755}


def test_what_is_a_link_already_is_left_alone(tmp_path: Path, release: Release) -> None:
    (tmp_path / "media").symlink_to("elsewhere")
    link_away(release, tmp_path / "media", tmp_path / "target")
    assert (tmp_path / "media").readlink() == Path("elsewhere")


def test_uploads_into_the_source_go_where_they_outlive_the_release(app: App, release: Release) -> None:
    link_media(release, {"media_root": str(release.source / "src" / "media")})
    fill(release.project / "media", photo="photo")
    assert files(app.media) == {"photo": "photo"}


@pytest.mark.parametrize("media_root", ["", "/var/lib/elsewhere"])
def test_uploads_to_anywhere_else_are_left_alone(release: Release, media_root: str) -> None:
    before = list(release.source.rglob("*"))
    link_media(release, {"media_root": media_root})
    assert list(release.source.rglob("*")) == before


@pytest.mark.usefixtures("as_ourselves")
def test_what_the_project_writes_beside_its_code_is_shared_by_all_releases(
    app: App, release: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(App, "home", property(lambda _: home))
    fill(release.project, **{"logs__.gitignore": "*", "index.json": "[]"})
    link_shared(release, ["logs", "data/cache"], ["index.json", "data/debug.log"])
    for name in ("logs", "data/cache", "index.json", "data/debug.log"):
        assert (release.source / "src" / name).readlink() == home / name
    assert files(home) == {"logs/.gitignore": "*", "index.json": "[]", "data/debug.log": ""}
    (home / "data" / "debug.log").write_text("said\n")
    (home / "index.json").write_text("[1]")

    other = app.release("20261125T101500Z-1a2b3c4d")
    (other.source / "src").mkdir(parents=True)
    other.project.symlink_to(Path("source", "src"))
    (other.virtualenv / "bin").mkdir(parents=True)
    (other.virtualenv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    fill(other.project, **{"logs__new": "new", "index.json": "[2]"})
    link_shared(other, ["logs", "data/cache/"], ["index.json", "data/debug.log"])
    assert (other.project / "data" / "debug.log").read_text() == "said\n"
    assert (other.project / "index.json").read_text() == "[1]"
    assert (other.project / "logs" / "new").read_text() == "new"
    assert (home / "data" / "cache").is_dir()


@pytest.mark.usefixtures("as_ourselves")
def test_what_the_app_may_not_write_beside_its_code_is_told_with_what_to_set(release: Release) -> None:
    fill(release.project, **{".env": "", "fail.sh": f"echo PermissionError: {release.path}/source/x; exit 1"})
    with pytest.raises(Problem, match=r"An app does not write into its release\..* release_shared_directories and "):
        run_commands(release, "release_before_switch", ["sh fail.sh"])


@pytest.mark.usefixtures("as_ourselves")
@pytest.mark.parametrize("content", [{}, {"media__logo": "theirs", "static__old": "theirs", "db.sqlite3": "live"}])
def test_what_a_link_of_the_source_leads_to_outside_of_the_release_is_never_moved(
    app: App,
    release: Release,
    answer: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: dict[str, str],
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "home").mkdir()
    fill(outside, **content)
    before = sorted(outside.rglob("*"))
    monkeypatch.setattr(App, "home", property(lambda _: tmp_path / "home"))
    (release.source / "src" / "data").symlink_to(outside)
    answer.update(media_root="data/media", static_root="data/static", sqlite=["data/db.sqlite3"])
    link_shared(release, ["data/static"], ["data/db.sqlite3"])
    settings = collect_static(release)
    link_sqlite(release, settings)
    link_media(release, settings)
    assert sorted(outside.rglob("*")) == before
    assert files(outside) == {name.replace("__", "/"): text for name, text in content.items()}
    assert files(app.media) == {}
    answer["looks_up"] = True
    with pytest.raises(Problem, match="STATIC_ROOT is data/static, and while"):
        collect_static(release)


@pytest.mark.parametrize(
    "setting",
    [{"media_root": "data/a/media"}, {"media_root": "data"}, {"sqlite": ["data/db.sqlite3"]}],
)
def test_a_link_that_leads_to_nothing_on_this_host_is_refused_with_what_to_type_where_something_is_behind_it(
    app: App, release: Release, answer: dict[str, Any], tmp_path: Path, setting: dict[str, Any]
) -> None:
    outside = tmp_path / "outside"
    (release.source / "src" / "data").symlink_to(outside)
    answer.update(setting)
    with pytest.raises(Problem) as failed:
        collect_static(release)
    assert str(failed.value) == (
        f"{release.source}/src/data leads to {outside}, which is not there, and the settings go that way. "
        f"Type on the host: sudo install -d -o {app.name} -g {app.name} {outside}"
    )
    outside.mkdir()
    assert collect_static(release) == answer


def test_a_link_of_media_that_leads_to_nothing_here_is_left_alone_where_uploads_go_elsewhere(
    release: Release, answer: dict[str, Any], tmp_path: Path
) -> None:
    (release.source / "src" / "media").symlink_to(tmp_path / "developers")
    answer.update(media_root="media", keeps_uploads=False)
    assert collect_static(release) == answer


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"static_root": "data"}, "STATIC_ROOT"),
        ({"media_root": "data/media"}, "MEDIA_ROOT"),
        ({"media_root": "{project}/data"}, "MEDIA_ROOT"),
        ({"sqlite": [":memory:", "data/a/db.sqlite3"]}, "DATABASES"),
    ],
)
def test_static_files_uploads_and_databases_of_sqlite_in_what_releases_share_are_refused_with_what_to_share(
    release: Release, settings: dict[str, Any], setting: str
) -> None:
    if "media_root" in settings:
        settings = {"media_root": settings["media_root"].format(project=release.project.resolve())}
    found = {**SETTINGS, **settings}
    with pytest.raises(Problem, match=rf"^{setting} names .*/src/data\S*, which lies in data of what releases share"):
        require_apart(release, found, ["logs", "data/"])
    require_apart(release, found, ["logs", "data/cache", "data/media2", "dat"])
    require_apart(release, SETTINGS, ["logs"])


def test_a_database_of_sqlite_that_releases_share_as_a_file_is_refused_too(release: Release) -> None:
    with pytest.raises(
        Problem, match=r"^DATABASES names .*/src/data/db\.sqlite3, which lies in data/db\.sqlite3 of what"
    ):
        require_apart(release, {**SETTINGS, "sqlite": ["data/db.sqlite3"]}, ["data/db.sqlite3"])


@pytest.mark.usefixtures("as_ourselves")
@pytest.mark.parametrize("name", ["media", "logs"])
def test_the_owner_of_what_is_there_is_told_to_be_changed_for_uploads_alone(
    app: App, release: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    # The app may make a link to whatever it likes in its home.
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(App, "home", property(lambda _: tmp_path / "home"))
    (tmp_path / "home" / "logs").symlink_to("/proc/1")
    fill(release.project, **{f"{name}__x": ""})
    failing = ["sh", "-c", "exit 1"]
    monkeypatch.setattr(lasting, "run_or_fail", lambda _, failure, **__: run_or_fail(failing, failure))
    with pytest.raises(Problem) as refused:
        link_media(release, {"media_root": "media"}) if name == "media" else link_shared(release, ["logs"], [])
    assert ("sudo chown" in str(refused.value)) == (name == "media")


@pytest.mark.usefixtures("as_ourselves")
@pytest.mark.parametrize("live", [{}, {"db.sqlite3": "live"}])
def test_a_database_of_sqlite_that_lies_among_uploads_is_in_the_home_all_the_same(
    app: App, release: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, live: dict[str, str]
) -> None:
    home, source = tmp_path / "home", release.source / "src"
    home.mkdir()
    fill(home, **live)
    monkeypatch.setattr(App, "home", property(lambda _: home))
    fill(source / "media", **{"db.sqlite3": "first", "logo": "logo"})
    settings = {"sqlite": ["media/db.sqlite3"], "media_root": "media"}
    link_sqlite(release, settings)
    link_media(release, settings)
    assert (source / "media").readlink() == app.media
    assert (app.media / "db.sqlite3").readlink() == home / "db.sqlite3"
    assert files(app.media) == {"logo": "logo"}
    assert files(home) == {"db.sqlite3": "first", **live}


OWN = """
from django.contrib.staticfiles.apps import StaticFilesConfig
class OwnStaticFiles(StaticFilesConfig):
    verbose_name = "own"
"""


def test_a_link_into_the_release_is_refused_among_what_goes_where_uploads_outlive_it(
    app: App, release: Release
) -> None:
    media = release.source / "src" / "media"
    fill(media, a__logo="logo")
    (media / "a" / "link").symlink_to(release.source / "src" / "shop")
    with pytest.raises(Problem, match=f"^{media}/a/link leads to {release.source}/src/shop, which goes with the rel"):
        link_media(release, {"media_root": "media"})
    assert files(media) == {"a/logo": "logo"}
    assert files(app.media) == {}


SETTINGS: dict[str, Any] = {
    "static_root": "",
    "media_root": "",
    "keeps_uploads": True,
    "sqlite": [],
    "looks_up": False,
    "problem": "",
}


COLLECTED = {"site.css": "collected", "css/admin.css": "collected"}


@pytest.fixture
def answer(release: Release, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the project's settings say; its collectstatic collects two files."""
    found = dict(SETTINGS)

    def asked(*_: object) -> dict[str, Any]:
        fill(release.static, **{"site.css": "collected", "css__admin.css": "collected"})
        return found

    monkeypatch.setattr(manage, "asked", asked)
    # Here is no such user.
    monkeypatch.setattr(manage, "give", lambda *_: None)
    monkeypatch.setattr(manage, "take_back", lambda *_, **__: None)
    return found


def test_what_an_interrupted_run_collected_is_gone(release: Release, answer: dict[str, Any]) -> None:
    fill(release.static, of="an interrupted run")
    assert collect_static(release) == answer
    assert files(release.static) == COLLECTED
    assert release.static.stat().st_mode & 0o777 == 0o755


def test_the_projects_own_directory_of_static_files_leads_to_what_was_collected(
    release: Release, answer: dict[str, Any]
) -> None:
    root = release.source / "src" / "static_root"
    fill(root, **{"site.css": "of the repository", "logo": "of the repository", "css__own.css": "of the repository"})
    answer["static_root"] = str(root)
    collect_static(release)
    assert root.readlink() == release.static
    own = dict.fromkeys(("logo", "css/own.css"), "of the repository")
    assert files(root) == {**own, **COLLECTED}


@pytest.mark.parametrize(("root", "said"), [("/var/www/static", "/var/www/static"), ("", "not set")])
def test_names_that_would_be_looked_up_where_no_release_is_are_refused(
    release: Release, answer: dict[str, Any], root: str, said: str
) -> None:
    answer["static_root"] = root
    assert collect_static(release) == answer
    answer["looks_up"] = True
    with pytest.raises(Problem, match=f"STATIC_ROOT is {said}, and while"):
        collect_static(release)


@pytest.mark.usefixtures("as_ourselves")
def test_the_first_content_of_a_database_of_sqlite_is_there_whole_or_not_at_all(
    app: App, release: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home, source = tmp_path / "home", release.source / "src"
    content = "first" * 500_000
    fill(source, **{"db.sqlite3": content, "other.sqlite3": "first"})
    fill(home, **{"other.sqlite3": "live"})
    monkeypatch.setattr(App, "home", property(lambda _: home))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(Problem, match=r"db\.sqlite3 cannot be copied"):
            link_sqlite(release, {"sqlite": ["db.sqlite3"]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(home) == {"other.sqlite3": "live"}
    link_sqlite(release, {"sqlite": ["db.sqlite3", "other.sqlite3"]})
    assert files(home) == {"db.sqlite3": content, "other.sqlite3": "live"}
    assert (source / "db.sqlite3").readlink() == home / "db.sqlite3"


@pytest.mark.parametrize(
    ("media_root", "static_root"),
    [("public", "public/static"), ("public", "public"), ("public", "../src/public/a/b"), ("public", "assets/static")],
)
def test_static_files_of_a_release_that_would_lie_among_uploads_which_outlive_it_are_refused(
    release: Release, answer: dict[str, Any], media_root: str, static_root: str
) -> None:
    source = release.source / "src"
    fill(source / "public" / "static", logo="of the repository")
    (source / "assets").symlink_to("public")
    answer.update(media_root=media_root, static_root=static_root)
    with pytest.raises(Problem, match=r"^STATIC_ROOT is .*, which is MEDIA_ROOT or lies in it: "):
        collect_static(release)
    assert files(source / "public") == {"static/logo": "of the repository"}


@pytest.mark.parametrize(
    ("media_root", "static_root"), [("public/media", "public"), ("public/media", "public/static"), ("a", "ab")]
)
def test_uploads_may_lie_beside_static_files_or_among_them(
    app: App, release: Release, answer: dict[str, Any], media_root: str, static_root: str
) -> None:
    source = release.source / "src"
    answer.update(media_root=media_root, static_root=static_root)
    link_media(release, collect_static(release))
    fill(source / media_root, photo="photo")
    assert (source / static_root).readlink() == release.static
    assert files(app.media) == {"photo": "photo"}
    assert files(release.static) == COLLECTED


def test_databases_of_sqlite_that_would_be_one_file_are_refused_before_anything_is_changed(
    app: App, release: Release, answer: dict[str, Any]
) -> None:
    source = release.source / "src"
    answer.update(
        static_root=str(source / "static"), sqlite=["data/main/db.sqlite3", f"{source}/data/audit/db.sqlite3"]
    )
    with pytest.raises(Problem) as problem:
        collect_static(release)
    first, second = (f"{source}/data/{name}/db.sqlite3" for name in ("main", "audit"))
    assert str(problem.value).startswith(f"{first} and {second} would both be {app.home}/db.sqlite3. ")
    assert list(source.iterdir()) == [source / "shop"]


def test_a_database_of_sqlite_that_two_names_lead_to_is_one(
    app: App, release: Release, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(App, "home", property(lambda _: tmp_path))
    source = release.source / "src"
    (source / "old").mkdir()
    (source / "old" / "db.sqlite3").symlink_to("../db.sqlite3")
    (source / "same").symlink_to(".")
    answer["sqlite"] = ["db.sqlite3", str(source / "db.sqlite3"), "old/db.sqlite3", "same/db.sqlite3", ":memory:", ""]
    link_sqlite(release, collect_static(release))
    assert (source / "db.sqlite3").readlink() == app.home / "db.sqlite3"
    assert (source / "old" / "db.sqlite3").readlink() == Path("../db.sqlite3")


def test_a_collectstatic_that_fails_stops_the_deploy_with_its_words(release: Release, answer: dict[str, Any]) -> None:
    answer["problem"] = "Traceback\nValueError: The file 'a.css' could not be found"
    with pytest.raises(Problem, match="collectstatic failed:\nTraceback\nValueError: The file"):
        collect_static(release)


def test_a_collectstatic_that_found_the_disk_full_is_one_that_found_no_room(
    release: Release, answer: dict[str, Any]
) -> None:
    answer["problem"] = "Traceback\n  File x\nOSError: [Errno 28] No space left on device\n"
    with pytest.raises(OSError, match="No space left on device") as error:
        collect_static(release)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("name", "collected"),
    [
        ("django.contrib.staticfiles", {"site.css": "body {}"}),
        ("django.contrib.staticfiles.apps.StaticFilesConfig", {"site.css": "body {}"}),
        ("shop.apps.OwnStaticFiles", {"site.css": "body {}"}),
        ("django.contrib.contenttypes", {}),
    ],
)
def test_static_files_are_collected_however_the_app_that_does_it_is_named(
    tmp_path: Path, name: str, collected: dict[str, str]
) -> None:
    static = tmp_path / "collected"
    static.mkdir()
    fill(tmp_path / "shop", **{"apps.py": OWN, "static__site.css": "body {}"})
    (tmp_path / "shop" / "__init__.py").touch()
    fill(tmp_path, **{"settings.py": f"INSTALLED_APPS = [{name!r}, 'shop']\nSECRET_KEY = 'x'\nSTATIC_URL = 's/'\n"})
    output = subprocess.run(
        [sys.executable, "-m", "django", "shell", "-c", COLLECT.format(static=str(static), mark=MARK)],
        cwd=tmp_path,
        env={"PATH": os.defpath, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert marked(output)["problem"] == ""
    assert files(static) == collected
