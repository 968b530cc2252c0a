"""What a restore does with uploads, without a database server and without restic."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import restic
from ansible_collections.initech.django.plugins.module_utils.backups import Request
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import restore as module
from ansible_collections.initech.django.plugins.modules.restore import restore

OPTIONS: dict[str, Any] = {"engine": "postgresql", "name": "restored", "time": "", "over_live": "", "media": True}


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Return what the database server was restored to, which is no server, and have restic below a directory."""
    requests: list[Request] = []

    def engine(request: Request, _keep: int) -> tuple[str, list[str]]:
        requests.append(request)
        return "20261124-115500F", ["Restored.", "What was there before is kept."]

    monkeypatch.setattr(module, "ENGINES", {"postgresql": (SimpleNamespace(restore=engine), tmp_path / "lock")})
    repository = restic.Repository(tmp_path / "restic", "what was uploaded to shop")
    monkeypatch.setattr(restic, "uploads", lambda _: repository)
    return requests


@pytest.mark.parametrize(("over_live", "is_to_be_backed_up"), [("shop", True), ("", False)])
def test_where_uploads_cannot_be_restored_it_is_said_what_was_restored_and_what_to_type(
    done: list[Request], tmp_path: Path, over_live: str, is_to_be_backed_up: bool
) -> None:
    with pytest.raises(Problem) as failed:
        restore({**OPTIONS, "app_name": str(tmp_path / "shop"), "over_live": over_live}, False)
    lines = str(failed.value).splitlines()
    assert lines[:2] == ["Restored.", "What was there before is kept."]
    assert lines[2].startswith("Uploads were not restored. Not backed up on this host: what was uploaded to shop")
    assert "Provision again." in lines[2]
    assert "without restore_over_live and with -e restore_name=again" in lines[3]
    assert ("ansible-playbook backup.yml with the same -l" in lines[-1]) == is_to_be_backed_up
    assert len(done) == 1
