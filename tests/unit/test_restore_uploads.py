"""What a restore does with uploads, without a database server and without restic."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import restic, servers
from ansible_collections.initech.django.plugins.module_utils.backups import Request
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import restore as module
from ansible_collections.initech.django.plugins.modules import restore_drill
from ansible_collections.initech.django.plugins.modules.restore_drill import drill_uploads

RESTIC = """\
#!/bin/sh
case "$*" in
*snapshots) echo '{snapshots}' ;;
*"stats --mode restore-size abc") echo '{{"total_size": {size}, "total_file_count": 2}}' ;;
"restore abc --target "*) mkdir -p "$4{path}" && {fill} ;;
esac
"""


class Host:
    """One on which a database server is restored by saying so."""

    def __init__(self, directory: Path) -> None:
        """Have an app below a directory: its name is absolute, so /srv is left."""
        self.app = App(str(directory / "shop"))
        self.app.media.mkdir(parents=True)
        self.repository = restic.Repository(directory / "restic", "what was uploaded to shop")
        self.requests: list[Request] = []

    def back_up(self, place: Path | None = None, fill: str = 'touch "$4{path}/a"', size: int = 12) -> None:
        """Have a backup of uploads, and restic for it.

        Args:
            place: from where; default: where they are.
            fill: what restic does to restore it.
            size: of what was uploaded.
        """
        path = place or self.app.media
        snapshots = json.dumps([{"id": "abc", "short_id": "abc", "time": "2026-11-24T11:00:00Z", "paths": [str(path)]}])
        text = RESTIC.format(snapshots=snapshots, path=path, fill=fill.format(path=path), size=size)
        self.repository.program.write_text(text)
        self.repository.program.chmod(0o700)

    def engine(self, request: Request, _keep: int) -> tuple[str, list[str]]:
        """Do nothing with the database server, and say what was done."""
        self.requests.append(request)
        return "20261124-115500F", ["Restored.", "What was there before is kept."]

    def restore(self, check_mode: bool = False, **options: Any) -> list[str]:
        """Restore, and return what is said."""
        given = {"engine": "postgresql", "name": "restored", "time": "", "over_live": "", "media": True, **options}
        return module.restore({"app_name": self.app.name, **given}, check_mode)[1]

    def uploads(self) -> dict[str, list[str]]:
        """Return the names of the files in each directory of uploads."""
        found = self.app.root.glob("media*")
        return {each.name: sorted(path.name for path in each.rglob("*") if path.is_file()) for each in found}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    server = SimpleNamespace(LOCK=tmp_path / "lock", UNIT="initech-backup@.service")
    monkeypatch.setattr(module, "ENGINES", {"postgresql": (SimpleNamespace(restore=made.engine), server)})
    # As on a host in the place of another one.
    monkeypatch.setattr(servers, "is_installed", lambda _: False)
    monkeypatch.setattr(restic, "uploads", lambda _: made.repository)
    monkeypatch.setattr(pwd, "getpwnam", lambda _: SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid()))
    return made


@pytest.mark.parametrize(("over_live", "is_to_be_backed_up"), [("shop", True), ("", False)])
def test_where_uploads_cannot_be_restored_it_is_said_what_was_restored_and_what_to_type(
    host: Host, over_live: str, is_to_be_backed_up: bool
) -> None:
    with pytest.raises(Problem) as failed:
        host.restore(over_live=over_live)
    lines = str(failed.value).splitlines()
    assert lines[:2] == ["Restored.", "What was there before is kept."]
    assert lines[2].startswith("Uploads were not restored. Not backed up on this host: what was uploaded to shop")
    assert "Provision again." in lines[2]
    assert "without restore_over_live and with -e restore_name=again" in lines[3]
    assert ("ansible-playbook backup.yml with the same -l" in lines[-1]) == is_to_be_backed_up
    assert len(host.requests) == 1


def test_a_host_without_a_database_says_of_uploads_what_is_wrong_and_nothing_else(host: Host) -> None:
    with pytest.raises(Problem, match=r"^Not backed up on this host: what was uploaded to shop.*Provision again\.$"):
        host.restore(engine="")


def test_uploads_are_restored_beside_those_that_are_served_and_what_a_killed_restore_left_goes(host: Host) -> None:
    host.back_up()
    (host.app.root / "media.restoring").mkdir()
    (host.app.root / "media.restoring" / "half").touch()
    said = host.restore()[-1]
    assert said.startswith(f"Uploads as of 2026-11-24T11:00:00+00 are in {host.app.root}/media.restored")
    assert host.uploads() == {"media": [], "media.restored": ["a"]}


def test_a_restore_that_is_refused_leaves_what_another_one_is_at(host: Host) -> None:
    left = host.app.root / "media.restoring"
    left.mkdir()
    with pytest.raises(Problem):
        host.restore(engine="")
    assert left.exists()


def test_uploads_that_were_restored_earlier_are_kept_and_it_is_said_where(host: Host) -> None:
    host.back_up()
    place = host.app.root / "media.restored"
    place.mkdir()
    (place / "edited").touch()
    said = host.restore()[-1]
    (kept,) = host.app.root.glob("media.restored.before-*")
    assert f"kept in {kept}. When it is not needed: sudo rm -r {kept}" in said
    assert host.uploads() == {"media": [], "media.restored": ["a"], kept.name: ["edited"]}


def test_uploads_that_cannot_be_restored_leave_those_that_were_restored_earlier(host: Host) -> None:
    host.back_up(fill="exit 1")
    place = host.app.root / "media.restored"
    place.mkdir()
    (place / "edited").touch()
    with pytest.raises(Problem, match="cannot be restored"):
        host.restore()
    assert host.uploads()["media.restored"] == ["edited"]
    assert host.restore(check_mode=True) == [
        "Restored.",
        "What was there before is kept.",
        "Would restore backup 20261124-115500F.",
    ]


def test_what_was_the_apps_on_the_host_that_was_backed_up_is_the_apps_on_this_one(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As anybody but root all files are ours, and stay so.
    is_root = os.geteuid() == 0
    others, now = ((n, n + 1) if is_root else (os.getuid(), os.getgid()) for n in (4720, 4730))
    monkeypatch.setattr(pwd, "getpwnam", lambda _: SimpleNamespace(pw_uid=now[0], pw_gid=now[1]))
    give = "chown -Rh 4710:4711 . && chown 4720:4721 theirs && chown 4710:4721 shared" if is_root else ":"
    host.back_up(fill=f'cd "$4{{path}}" && touch a theirs shared && mkdir d && ln -s /etc/hosts d/link && {give}')
    before = Path("/etc/hosts").stat()
    host.restore()
    place = host.app.root / "media.restored"
    found = {name: (place / name).lstat() for name in (".", "a", "d", "d/link", "theirs", "shared")}
    assert {name: (each.st_uid, each.st_gid) for name, each in found.items()} == {
        **dict.fromkeys((".", "a", "d", "d/link"), now),
        "theirs": others,
        "shared": (now[0], others[1]),
    }
    assert Path("/etc/hosts").stat().st_uid == before.st_uid


@pytest.mark.parametrize("check_mode", [False, True])
def test_uploads_for_which_there_is_no_space_are_refused_before_the_database_is_restored(
    host: Host, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000 << 20))
    host.back_up(size=744 << 20)
    said = (
        rf"^{host.app.root} has 1000 MB of free space, and a restore needs 1000 MB\. Make some there, or leave uploads "
        r"out: -e backup_media=false$"
    )
    with pytest.raises(Problem, match=said):
        host.restore(check_mode, over_live="shop")
    assert host.requests == []
    with pytest.raises(Problem, match="has 1000 MB of free space, and a restore needs 1000 MB"):
        drill_uploads(host.app.name)
    assert host.uploads() == {"media": []}
    assert host.restore(check_mode, media=False)[0] == "Restored."
    # Nothing is restored of uploads of which no backup is that old.
    assert host.restore(check_mode, time="2020-01-01T00:00:00+00")[0] == "Restored."
    host.back_up(size=(744 << 20) - 2 * 4096)
    assert host.restore(check_mode)[0] == "Restored."


def test_space_that_what_a_killed_restore_left_takes_refuses_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = host.app.root / "media.restoring"
    left.mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0 if left.exists() else 1 << 30))
    host.back_up()
    host.restore(check_mode=True)
    assert left.exists()
    host.restore()
    assert host.uploads() == {"media": [], "media.restored": ["a"]}


def test_uploads_that_were_backed_up_from_where_a_link_led_to_are_restored_and_drilled(host: Host) -> None:
    host.back_up(Path("/mnt/disk/shop"))
    assert drill_uploads(host.app.name).startswith("Uploads: 1 files restored from snapshot abc")
    host.restore()
    assert host.uploads() == {"media": [], "media.restored": ["a"]}


def test_a_backup_of_the_link_alone_is_none_of_uploads(host: Host) -> None:
    host.back_up(fill='rmdir "$4{path}" && ln -s /mnt/disk "$4{path}"')
    for restore in (host.restore, lambda: drill_uploads(host.app.name)):
        with pytest.raises(
            Problem, match=r"has the link .*/shop/media alone, and no upload. Provision again, and then"
        ):
            restore()
    assert not (host.app.root / "media.restored").is_symlink()


@pytest.mark.parametrize("is_good", [True, False])
def test_a_drill_tries_uploads_and_the_database_whatever_the_other_one_is_like(
    host: Host, monkeypatch: pytest.MonkeyPatch, is_good: bool
) -> None:
    def database(*_: Any) -> dict[str, Any]:
        if not is_good:
            raise Problem("The database is damaged.")
        return {"report": ["The database is good."]}

    monkeypatch.setattr(restore_drill, "drill_database", database)
    options = {"app_name": host.app.name, "engine": "postgresql", "media": True}
    with pytest.raises(
        Problem, match=r"^The database is (good|damaged)\.\nNot backed up on this host: what was uploaded"
    ):
        restore_drill.drill(options, False)
    host.back_up()
    if is_good:
        assert [line[:22] for line in restore_drill.drill(options, False)["report"]] == [
            "The database is good.",
            "Uploads: 1 files resto",
        ]
        return
    with pytest.raises(Problem, match=r"^Uploads: 1 files restored .*\nThe database is damaged\.$"):
        restore_drill.drill(options, False)
