"""The maintenance page: on and off without a reload, and not for those who are named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo import AUTHORITY, Demo, Result

INSIDE = (
    'python3 -c "import http.client as c, ssl; '
    f"h = c.HTTPSConnection('127.0.0.1', context=ssl.create_default_context(cafile='{AUTHORITY}')); "
    "h.request('GET', '/healthz'); print(h.getresponse().status)\""
)
ALLOWED = '{"nginx_maintenance_allow": ["127.0.0.1"]}'


@pytest.fixture(autouse=True)
def _off(demo: Demo) -> Iterator[None]:
    """Afterwards the site is there, as it was provisioned."""
    yield
    assert demo.playbook("maintenance", "-e", "maintenance=off").code == 0
    assert demo.playbook("provision").code == 0
    assert demo.get("/healthz") == "ok\n"


def asked(demo: Demo, method: str = "GET", path: str = "/") -> tuple[int, str | None, str]:
    """Return the status, when to come again, and the page that a visitor gets."""
    connection = demo.connect()
    connection.request(method, path, None if method == "GET" else "name=x")
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    return response.status, response.getheader("Retry-After"), page


def switched(demo: Demo, state: str) -> Result:
    result = demo.playbook("maintenance", "-e", f"maintenance={state}")
    assert result.code == 0, result.output
    return result


def test_visitors_get_the_page_with_503_until_it_is_off_and_those_who_are_named_the_site(demo: Demo) -> None:
    refused = demo.playbook("maintenance")
    assert refused.code != 0
    assert "Type -e maintenance=on or -e maintenance=off" in refused.text
    assert switched(demo, "on").changed == 1
    status, again, page = asked(demo)
    assert (status, again) == (503, "300")
    assert "Back soon" in page
    # A form that somebody had open, and a webhook.
    assert asked(demo, "POST", "/pay/") == asked(demo, "DELETE", "/static/x.css") == (status, again, page)
    assert asked(demo, path="/.maintenance")[0] == 404
    assert demo.host(INSIDE) == "503"
    assert switched(demo, "on").changed == 0
    assert demo.playbook("provision", "-e", ALLOWED).code == 0
    assert (asked(demo)[0], demo.host(INSIDE)) == (503, "200")
    assert switched(demo, "off").changed == 1
    assert asked(demo)[0] == 200
