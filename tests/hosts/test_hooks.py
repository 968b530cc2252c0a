"""What a team has run around the switch fails the deploy when it fails, and others are told how that ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from demo import Demo, Result

PAGE = "examples/slow_sql/pages/templates/pages/home.html"
SEEN = "/var/lib/slow-sql/hook"
BEFORE = f"sh -c 'echo $(id -un) $(pwd -P) $(command -v python) > {SEEN}; python manage.py check'"
TASKS = """
- name: Say which release is to go live
  ansible.builtin.copy:
    dest: /root/hook.json
    content: "{{ deployment | to_json }}"
    mode: "0600"
"""


class Webhook(ThreadingHTTPServer):
    """A chat's, with what was written there. At /broken it fails."""

    def __init__(self) -> None:
        """Listen."""
        self.texts: list[str] = []
        texts = self.texts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                is_good = self.path == "/good"
                if is_good:
                    texts.append(body["text"])
                self.send_response(204 if is_good else 500)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        """Return where to write."""
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """Return a webhook that listens."""
    server = Webhook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def deploy(demo: Demo, url: str, **variables: Any) -> Result:
    """Deploy with hooks, and tell a webhook."""
    given = {
        "release_notify": f"{demo.path}/examples/notify/webhook.yml",
        "release_url": "https://shop.example.com",
        "vault_webhook_url": url,
        **variables,
    }
    return demo.playbook("deploy", "-e", json.dumps(given))


def test_hooks_run_around_the_switch_and_fail_the_deploy_and_others_are_told(
    demo: Demo, webhook: Webhook, tmp_path: Path
) -> None:
    tasks = tmp_path / "before.yml"
    tasks.write_text(TASKS)
    old = demo.live()
    page = demo.path / PAGE
    page.write_text(f"{page.read_text()}<!-- hooks -->\n")
    demo.commit("Hooks")

    refused = deploy(demo, webhook.url("good"), release_before_switch=[{"command": "sh -c 'echo no warmth; exit 3'"}])
    assert refused.code != 0
    assert "no warmth" in refused.text
    assert demo.live() == old
    (told,) = webhook.texts
    assert "failed at switch on demo-host: release_before_switch: sh -c 'echo no warmth; exit 3' failed" in told
    assert "no warmth\n" not in told

    hooks = {
        "release_before_switch": [{"command": BEFORE}, {"tasks": str(tasks)}],
        "release_after_switch": [{"command": "sh -c 'exit 4'"}],
    }
    live = deploy(demo, webhook.url("broken"), **hooks)
    new = demo.live()
    assert live.code != 0
    assert new != old
    assert f"Release {new} is live, and what was to run after the switch failed" in live.text
    assert "Nobody was told how this ended" in live.text
    assert demo.host(f"cat {SEEN}").split() == [
        "slow-sql",
        f"/srv/slow-sql/releases/{new}/source",
        f"/srv/slow-sql/releases/{new}/virtualenv/bin/python",
    ]
    deployment = json.loads(demo.host("cat /root/hook.json"))
    assert (deployment["release"], deployment["environment"]) == (new, "demo")

    # Nothing is new, so nothing runs; and who is told of that, is left alone by this file of tasks.
    again = deploy(demo, webhook.url("good"), **hooks)
    assert again.code == 0, again.output
    assert len(webhook.texts) == 1
