"""All paths of an app follow from its name, and what is live is read from one link."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.layout import (
    RELEASE_ID,
    App,
    Release,
    new_release_id,
    read_manifest,
    require_manifest,
    write_manifest,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
OLD, NEW = "20261124T101500Z-1a2b3c4d", "20261125T090000Z-00000000"

moments = st.datetimes(datetime(2020, 1, 1), datetime(2999, 1, 1), timezones=st.timezones())


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return an app below a directory of its own: its name is absolute, so /srv is left."""
    made = App(str(tmp_path))
    made.releases.mkdir()
    return made


def test_the_id_of_a_release_is_its_moment_in_utc_and_its_short_commit() -> None:
    moment = datetime(2026, 11, 24, 11, 15, tzinfo=timezone(timedelta(hours=1)))
    assert new_release_id(COMMIT, moment) == OLD


@given(moments=st.tuples(moments, moments), commits=st.tuples(*[st.text("0123456789abcdef", min_size=40)] * 2))
def test_ids_sort_by_age_whatever_the_time_zone_and_commit(
    moments: tuple[datetime, datetime], commits: tuple[str, str]
) -> None:
    first, second = map(new_release_id, commits, moments)
    assert RELEASE_ID.fullmatch(first)
    seconds = [int(moment.timestamp()) for moment in moments]
    if seconds[0] != seconds[1]:
        assert (first < second) == (seconds[0] < seconds[1])


def test_all_paths_follow_from_the_name_of_the_app() -> None:
    app = App("shop")
    release = app.release(OLD)
    assert str(release.socket) == f"/run/shop/{OLD}/gunicorn.sock"
    assert str(release.project) == f"/srv/shop/releases/{OLD}/project"
    assert release.unit == f"shop@{OLD}.service"
    assert app.configuration == (Path("/etc/shop/gunicorn.conf.py"), Path("/etc/systemd/system/shop@.service"))
    within = [release.source, release.project, release.virtualenv, release.static, release.run, release.manifest]
    assert {path.parent for path in within} == {app.releases / OLD}
    assert {path.parent for path in (app.releases, app.virtualenvs, app.media, app.current, app.history)} == {app.root}


def test_the_live_release_is_read_from_the_link(app: App) -> None:
    assert app.live() is None
    app.current.symlink_to(Path("releases", OLD))
    assert app.live() == Release(app.name, OLD)


def test_a_link_that_leads_nowhere_still_says_what_is_live(app: App) -> None:
    app.current.symlink_to(Path("releases", NEW))
    assert not app.current.exists()
    assert app.live() == app.release(NEW)


def test_a_directory_where_the_link_should_be_makes_nothing_live(app: App) -> None:
    app.current.mkdir()
    assert app.live() is None


def test_only_releases_with_a_manifest_are_complete_and_the_oldest_comes_first(app: App) -> None:
    half = "20261126T000000Z-ffffffff"
    for name in (NEW, OLD, half, "lost+found", f"{OLD}.old"):
        (app.releases / name).mkdir()
        if name != half:
            (app.releases / name / "manifest.json").write_text('{"wsgi": "shop.wsgi:application"}')
    (app.releases / "manifest.json").touch()
    assert app.complete() == [app.release(OLD), app.release(NEW)]


@pytest.mark.parametrize("text", ["", "\0\0\0\0", '{"wsgi": "sh', "[]", "\udcff"])
def test_a_release_whose_manifest_a_crash_of_the_host_left_empty_or_broken_is_half_made(app: App, text: str) -> None:
    for release in (app.release(OLD), app.release(NEW)):
        release.path.mkdir()
        write_manifest(release, {"wsgi": "shop.wsgi:application"})
    app.release(OLD).manifest.write_text(text, errors="surrogateescape")
    assert app.complete() == [app.release(NEW)]
    assert read_manifest(app.release(OLD)) == {}
    with pytest.raises(Problem, match=f"^Release {OLD} is not complete, and so never goes live"):
        require_manifest(app.release(OLD))
    assert require_manifest(app.release(NEW)) == {"wsgi": "shop.wsgi:application"}


def test_a_manifest_has_its_name_when_it_is_on_the_disk_and_its_name_is_there_too_before_anybody_goes_on(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, done = app.release(OLD), list[str]()
    release.path.mkdir()
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        done.append(f"{path.name} is on the disk" if path.is_dir() or path.read_text() else "it is empty")
        fsync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        done.append(f"{self.name} is {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "sync", lambda: done.append("all else is on the disk"))
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_manifest(release, {"wsgi": "shop.wsgi:application"})
    assert done == [
        "all else is on the disk",
        "manifest.json.draft is on the disk",
        "manifest.json.draft is manifest.json",
        f"{OLD} is on the disk",
    ]
    assert [path.name for path in release.path.iterdir()] == ["manifest.json"]


def test_an_app_that_was_never_provisioned_has_no_release(tmp_path: Path) -> None:
    app = App(str(tmp_path / "nowhere"))
    assert app.complete() == []
    assert app.live() is None
