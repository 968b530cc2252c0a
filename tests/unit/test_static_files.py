"""A page that is still open finds the files that it names, as long as its release stays, and nothing else is kept."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.static_files import gather, hashed_files, is_hashed
from hypothesis import given
from hypothesis import strategies as st

FIRST, SECOND, THIRD = "20261101T000000Z-aaaaaaaa", "20261102T000000Z-bbbbbbbb", "20261103T000000Z-cccccccc"
OLD, NEW = "pages/style.0123456789ab.css", "pages/style.ba9876543210.css"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return an app below a directory of its own: its name is absolute, so /srv is left."""
    made = App(str(tmp_path / "app"))
    made.root.mkdir()
    return made


def write(made: Release, path: str, text: str) -> None:
    file = made.static / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def kept(app: App) -> dict[str, str]:
    """Return what is kept, by path."""
    return {str(path.relative_to(app.static)): path.read_text() for path in app.static.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["style.0123456789ab.css", "style.min.0123456789ab.css.gz", "a.0123456789ab", "a.0123456789ab.js.br"]
)
def test_a_name_that_carries_a_hash_is_known_by_it(name: str) -> None:
    assert is_hashed(name)


@pytest.mark.parametrize(
    "name",
    ["style.css", "style.css.gz", "staticfiles.json", "a.0123456789AB.js", "a0123456789ab.js", "a.0123456789abc.js"],
)
def test_a_name_without_one_is_served_from_the_live_release_alone(name: str) -> None:
    assert not is_hashed(name)


@given(st.from_regex(r"[a-z.-]{0,9}", fullmatch=True), st.from_regex(r"(\.[a-z0-9]{1,5})?", fullmatch=True))
def test_what_django_makes_of_a_name_is_known(root: str, extension: str) -> None:
    """As `HashedFilesMixin.hashed_name` puts them together."""
    assert is_hashed(f"{root}.0123456789ab{extension}")


def test_files_that_a_manifest_names_are_kept_too_with_their_compressed_variants(app: App) -> None:
    made = app.release(FIRST)
    for name in ("js/app.js", "js/app-Xy12.js", "js/app-Xy12.js.gz", "logo.svg"):
        write(made, name, name)
    write(made, "staticfiles.json", json.dumps({"paths": {"js/app.js": "js/app-Xy12.js", "logo.svg": "logo.svg"}}))
    assert {str(path) for path in hashed_files(made.static)} == {"js/app-Xy12.js", "js/app-Xy12.js.gz"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"paths": []}', '{"paths": {"a": []}}', "\0"])
def test_a_manifest_that_is_none_names_nothing(app: App, text: str) -> None:
    made = app.release(FIRST)
    write(made, "staticfiles.json", text)
    write(made, OLD, "old")
    assert {str(path) for path in hashed_files(made.static)} == {OLD}


def test_the_files_of_all_releases_are_kept_and_take_no_space(app: App) -> None:
    first, second = app.release(FIRST), app.release(SECOND)
    for made, name in ((first, OLD), (second, NEW)):
        write(made, name, made.id)
        write(made, "pages/style.css", made.id)
    gather(app, [first, second])
    assert kept(app) == {OLD: FIRST, NEW: SECOND}
    assert (app.static / OLD).samefile(first.static / OLD)


def test_of_two_files_of_one_name_the_newer_ones_is_kept_in_whichever_order_they_come(app: App) -> None:
    first, second = app.release(FIRST), app.release(SECOND)
    for made in (first, second):
        write(made, OLD, made.id)
    for order in ([first], [second, first], [first, second]):
        gather(app, order)
    assert kept(app) == {OLD: SECOND}


def test_what_only_a_release_had_that_is_gone_goes_with_it(app: App) -> None:
    first, second, third = (app.release(name) for name in (FIRST, SECOND, THIRD))
    write(first, "deep/er/style.0123456789ab.css", "first")
    write(second, OLD, "second")
    write(third, OLD, "third")
    gather(app, [first, second, third])
    shutil.rmtree(third.path)
    gather(app, [second])
    # The link to the newest was taken down with its release, and the older one has that name too.
    assert kept(app) == {OLD: "second"}
    assert not (app.static / "deep").exists()


def test_a_second_time_changes_nothing(app: App) -> None:
    made = app.release(FIRST)
    write(made, OLD, "old")
    gather(app, [made])
    before = [(path, path.stat().st_ctime_ns) for path in sorted(app.static.rglob("*"))]
    gather(app, [made])
    assert [(path, path.stat().st_ctime_ns) for path in sorted(app.static.rglob("*"))] == before


def test_a_link_leads_nobody_outside(app: App, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("S3cr3t")
    made = app.release(FIRST)
    write(made, OLD, "old")
    (made.static / "link.0123456789ab.css").symlink_to(tmp_path / "secret")
    (made.static / "directory.0123456789ab").symlink_to(tmp_path)
    gather(app, [made])
    assert kept(app) == {OLD: "old"}


def test_what_an_interrupted_run_or_somebody_else_left_is_cleared_away(app: App, tmp_path: Path) -> None:
    made = app.release(FIRST)
    write(made, OLD, "old")
    gather(app, [made])
    (app.static / "pages" / ".style.0123456789ab.css.draft").write_text("half")
    (app.static / "outside").symlink_to(tmp_path)
    (app.static / "own.css").write_text("own")
    gather(app, [made])
    assert {path.name for path in app.static.rglob("*")} == {"pages", Path(OLD).name}
    assert tmp_path.is_dir()


def test_a_file_where_a_directory_is_to_be_makes_room(app: App) -> None:
    made = app.release(FIRST)
    write(made, OLD, "old")
    app.static.mkdir()
    (app.static / "pages").write_text("in the way")
    gather(app, [made])
    assert kept(app) == {OLD: "old"}


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_nginx_reads_what_is_kept_whatever_roots_own_umask_is_and_was(app: App, umask: int, is_there: bool) -> None:
    made = app.release(FIRST)
    write(made, OLD, "old")
    before = os.umask(umask)
    try:
        if is_there:
            app.static.mkdir()
        gather(app, [made])
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (app.static, app.static / "pages")} == {0o755}


def test_a_release_without_static_files_keeps_nothing(app: App) -> None:
    gather(app, [app.release(FIRST)])
    assert kept(app) == {}


def test_compressed_variants_are_kept_beside_their_files(app: App) -> None:
    made = app.release(FIRST)
    write(made, OLD, "old")
    (made.static / f"{OLD}.gz").write_bytes(gzip.compress(b"old"))
    gather(app, [made])
    assert (app.static / f"{OLD}.gz").samefile(made.static / f"{OLD}.gz")


def test_what_is_in_the_way_for_good_is_said(app: App) -> None:
    made = app.release(FIRST)
    write(made, OLD, "old")
    app.static.write_text("a file")
    with pytest.raises(Problem, match=r"static-kept cannot be written"):
        gather(app, [made])
