"""What is live in one environment goes to another as it is: this commit, these requirements, or not at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import App, example
from demo import Demo, Result

URL = "{{ lookup('initech.django.database_url') }}"
STRAY = "$(echo /srv/slow-sql/current/virtualenv/lib/python3*/site-packages)/stray.py"


@pytest.fixture
def app(demo: Demo, tmp_path: Path) -> Iterator[App]:
    """Return the example in an environment of its own, and have all afterwards as it was."""
    good = demo.checked("git", "rev-parse", "HEAD").strip()
    variables = example(demo, "promoted", URL, database_password=secrets.token_urlsafe(16))
    made = App(demo, tmp_path / "hosts.yml", "promoted", variables)
    yield made
    made.remove()
    demo.checked("git", "reset", "--quiet", "--hard", good)


def promote(app: App, *arguments: str) -> Result:
    return app.playbook("promote", "-i", "inventories/demo", "-e", "from=demo", *arguments)


def manifest(demo: Demo, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(demo.host(f"cat /srv/{name}/current/manifest.json"))
    return found


def test_what_is_live_elsewhere_is_deployed_if_it_is_proven_and_old_enough_though_the_branch_has_moved(
    demo: Demo, app: App
) -> None:
    before = demo.state()
    page = demo.path / "examples/slow_sql/pages/templates/pages/home.html"
    page.write_text(f"{page.read_text()}<!-- not yet tried -->\n")
    demo.commit("Move on")
    demo.host(f"touch {STRAY}")
    refused = promote(app, "-e", "release_promote_after=30d")
    demo.host(f"rm {STRAY}")
    assert refused.code != 0
    assert "site-packages/stray.py is in the virtualenv, and belongs to no package" in refused.text
    assert "release_promote_after is 30d" in refused.text
    assert "Nothing was changed" in refused.text
    assert "promoted" not in demo.host("ls /srv").split()
    assert demo.state() == before

    assert app.playbook("provision").code == 0
    promoted = promote(app)
    assert promoted.code == 0, promoted.output
    there, here = manifest(demo, "slow-sql"), manifest(demo, "promoted")
    assert here["commit"] == there["commit"]
    assert here["parts"]["requirements"] == there["parts"]["requirements"]
    assert "requirements.txt: the same, " in promoted.text
    assert "not yet tried" not in app.get("/")
