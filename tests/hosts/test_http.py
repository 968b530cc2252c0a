"""What strangers send to the site: refused, believed of nobody, kept out of the log, and no burden to others."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Self

import pytest
from demo import AUTHORITY, Demo

NAME = "shop.test"
TIMEOUT = 3
NAMES = [NAME, "localhost"]
SETTINGS = {
    "nginx_server_names": NAMES,
    "nginx_trusted_proxies": ["127.0.0.1"],
    "nginx_client_timeout": TIMEOUT,
}
VIEWS = "examples/slow_sql/pages/views.py"
URLS = "examples/slow_sql/slow_sql/urls.py"
WHOAMI = """

def whoami(request: HttpRequest) -> HttpResponse:
    names = ("HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")
    return plain_text(" ".join(request.META.get(name, "-") for name in names))
"""
ASK = (
    "import json, ssl, sys; from urllib.request import *; u, h = sys.argv[1:]; "
    f'trusting = ssl.create_default_context(cafile="{AUTHORITY}"); '
    "print(urlopen(Request(u, headers=json.loads(h)), context=trusting).read().decode())"
)
PLAY = """---
- name: The server of the site alone, and its certificate
  hosts: all
  become: true
  gather_facts: true
  gather_subset: ["!all", "!min", distribution]
  roles:
    - role: initech.django.tls
    - role: initech.django.nginx
"""


class Visitor:
    """One connection to the site, over which all can be sent that a client library would not send."""

    def __init__(self, demo: Demo, name: str = "localhost") -> None:
        """Connect, and shake hands with the site of a name, if one is given."""
        plain = socket.create_connection(("127.0.0.1", demo.port), timeout=30)
        self.socket = demo.trusting.wrap_socket(plain, server_hostname=name) if name else plain

    def __enter__(self) -> Self:
        """Be used in a with statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.socket.close()

    def send(self, text: str) -> None:
        """Send this as it is."""
        self.socket.sendall(text.encode())

    def rest(self) -> str:
        """Return all that comes until the server hangs up."""
        parts = []
        with suppress(ConnectionResetError, ssl.SSLError):
            while part := self.socket.recv(65536):
                parts.append(part)
        return b"".join(parts).decode(errors="replace")


def answer(demo: Demo, text: str) -> str:
    """Return all that the site says to a text."""
    with Visitor(demo) as visitor:
        # The server may have said no before it has read all.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            visitor.send(text)
        return visitor.rest()


def get(demo: Demo, path: str, *lines: str, host: str = NAME) -> str:
    """Return what the site answers, whatever the path and the lines of the header are."""
    return answer(demo, "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""]))


def status(answered: str) -> str:
    """Return the status of the first answer, or nothing where there is none."""
    return answered[9:12]


@pytest.fixture(scope="module", autouse=True)
def _site(demo: Demo) -> Iterator[None]:
    """Give the demo a name, a proxy that is believed, little patience, and a page that says what it was told."""
    for file, old, new in (
        (VIEWS, "\n\n@require_safe\ndef healthz", f"{WHOAMI}\n\n@require_safe\ndef healthz"),
        (URLS, "urlpatterns = [\n", 'urlpatterns = [\n    path("whoami", views.whoami),\n'),
    ):
        path = demo.path / file
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    demo.commit("Say what it was told")
    deploy = demo.playbook("deploy")
    assert deploy.code == 0, deploy.output
    play = demo.path / "only-nginx.yml"
    play.write_text(PLAY)
    for changes in (True, False):
        provision = demo.playbook("only-nginx", "-e", json.dumps(SETTINGS))
        assert (provision.code, provision.changed > 0) == (0, changes), provision.output
    yield
    assert demo.playbook("only-nginx").code == 0
    play.unlink()
    demo.checked("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "revert", "--no-edit", "HEAD")


def test_a_name_that_is_not_the_sites_is_not_answered(demo: Demo) -> None:
    assert status(get(demo, "/healthz", host="localhost")) == "200"
    assert get(demo, "/healthz", host="evil.test") == ""
    assert get(demo, "/healthz", host=f"{NAME}.evil.test") == ""
    assert get(demo, "http://evil.test/healthz", host=NAME) == ""


def test_what_a_visitor_says_of_himself_is_believed_of_the_proxy_alone(demo: Demo) -> None:
    claims = ("X-Forwarded-For: 192.0.2.77", "X-Forwarded-Proto: http")
    told = get(demo, "/whoami", *claims, host="localhost").splitlines()[-1].split()
    assert told[2] == "https"
    assert told[1] != "192.0.2.77"
    for scheme, believed in (("https", "https"), ("http", "http"), ("http,https", "https")):
        headers = {"X-Forwarded-For": "192.0.2.77", "X-Forwarded-Proto": scheme}
        said = demo.host(f"python3 -c '{ASK}' https://localhost/whoami '{json.dumps(headers)}'")
        assert said == f"localhost 192.0.2.77 {believed}"


def test_what_is_too_large_is_refused(demo: Demo) -> None:
    large = 11 * 1024 * 1024
    head = f"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {large}\r\n\r\n"
    assert status(answer(demo, head + "x" * large)) == "413"
    assert status(get(demo, "/healthz", "X-Large: " + "x" * 9000, host="localhost")) == "400"
    assert status(get(demo, "/healthz", *(f"X-{i}: {'x' * 4000}" for i in range(20)), host="localhost")) == "400"
    assert status(get(demo, "/" + "x" * 9000, host="localhost")) == "414"


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: +5",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Host: other.test",),
    ],
    ids=str,
)
def test_one_request_is_not_smuggled_in_another(demo: Demo, lines: tuple[str, ...]) -> None:
    inner = "GET /slow-sql/?x=3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head = "\r\n".join(["POST /healthz HTTP/1.1", "Host: localhost", *lines, "", ""])
    answered = answer(demo, head + "0\r\n\r\n" + inner)
    assert status(answered) in ("400", "501"), answered
    assert answered.count("HTTP/1.1 ") == 1, answered


@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/.git/config",
        "/static/.env",
        "/static../project/.env",
        "/static/../project/.env",
        "/static/%2e%2e/project/.env",
        "/static/..%2fproject/.env",
        "/static/..%5cproject/.env",
        "//static/..//project/.env",
        "/media../current/project/.env",
        "/media/..%2fcurrent%2fproject%2f.env",
        "/media/%252e%252e/current/project/.env",
        "/static/../project/slow_sql/settings/base.py",
        "/../../../../etc/passwd",
    ],
)
def test_no_path_leads_to_what_is_not_to_be_seen(demo: Demo, path: str) -> None:
    answered = get(demo, path, host="localhost")
    assert status(answered) in ("400", "404"), answered
    assert "SECRET_KEY" not in answered


def test_what_was_uploaded_is_neither_run_nor_hidden_files_shown(demo: Demo) -> None:
    demo.host(
        "cd /srv/slow-sql/media && echo '<script>1</script>' | tee page.html > .hidden && chmod a+r page.html .hidden"
    )
    page = get(demo, "/media/page.html", host="localhost")
    assert status(page) == "200"
    assert "sandbox" in next(line for line in page.splitlines() if line.lower().startswith("content-security-policy:"))
    assert status(get(demo, "/media/.hidden", host="localhost")) == "404"
    demo.host("rm /srv/slow-sql/media/page.html /srv/slow-sql/media/.hidden")


@pytest.mark.parametrize(
    ("name", "kind", "rights"),
    [
        ("a.wav", "audio/wav", "allow-same-origin"),
        ("a.mjs", "text/javascript", ""),
        ("a.webmanifest", "application/manifest+json", ""),
    ],
)
def test_a_file_has_the_type_by_which_a_browser_knows_it_and_only_a_player_is_of_the_site(
    demo: Demo, name: str, kind: str, rights: str
) -> None:
    demo.host(f"cd /srv/slow-sql/media && echo 1 > {name} && chmod a+r {name}")
    page = get(demo, f"/media/{name}", host="localhost")
    assert f"Content-Type: {kind}\r\n" in page
    assert f"; sandbox {rights}".strip() + "\r\n" in page
    since = next(line.partition(": ")[2] for line in page.splitlines() if line.startswith("Last-Modified: "))
    again = get(demo, f"/media/{name}", f"If-Modified-Since: {since}", host="localhost")
    assert status(again) == "304"
    assert "content-security-policy" not in again.lower()
    demo.host(f"rm /srv/slow-sql/media/{name}")


def test_every_answer_has_the_headers_once_and_none_says_the_version(demo: Demo) -> None:
    for path in ("/", "/static/no-such", "/no-such"):
        head = get(demo, path, host="localhost").partition("\r\n\r\n")[0].lower().splitlines()
        for name in ("x-content-type-options: nosniff", "referrer-policy: same-origin", "server: nginx"):
            assert head.count(name) == 1, head


def test_what_stands_behind_a_question_mark_is_not_in_the_log(demo: Demo) -> None:
    secret = secrets.token_urlsafe(16)
    get(demo, f"/healthz?token={secret}", f"Referer: http://localhost/?token={secret}", host="localhost")
    log = demo.host("tail -n 5 /var/log/nginx/access.log")
    assert '"GET /healthz HTTP/1.1" 200' in log
    assert secret not in log


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("", ""),
        ("localhost", "GET / HTTP/1.1\r\nHost: localhost\r\nX-"),
        ("localhost", "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"),
    ],
    ids=["handshakes", "headers", "bodies"],
)
def test_the_slow_are_not_waited_for_and_others_do_not_notice_them(demo: Demo, name: str, begin: str) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Visitor(demo, name)) for _ in range(200)]
        for visitor in slow:
            visitor.send(begin)
        for _ in range(10):
            began = time.monotonic()
            assert status(get(demo, "/healthz", host="localhost")) == "200"
            assert time.monotonic() - began < 1
        began = time.monotonic()
        assert {status(visitor.rest()) for visitor in slow} <= {"", "408"}
        assert time.monotonic() - began < TIMEOUT + 5


def test_nginx_runs_in_its_sandbox(demo: Demo) -> None:
    demo.host("systemd-analyze security --threshold=30 --no-pager nginx.service")
    assert demo.host("grep -c '^NoNewPrivs:.1' /proc/$(systemctl show --property MainPID --value nginx)/status") == "1"


@pytest.mark.parametrize(
    ("listen", "names", "words"),
    [
        ("80 default_server", [], "a duplicate default server for 0.0.0.0:80"),
        (
            "80",
            [*NAMES, "other.test"],
            "other.test is a name of /etc/nginx/sites-enabled/other too",
        ),
    ],
    ids=["breaks", "hides"],
)
def test_a_site_that_would_break_or_hide_somebody_elses_is_not_put_in_place(
    demo: Demo, listen: str, names: list[str], words: str
) -> None:
    other = "/etc/nginx/sites-enabled/other"
    demo.host(f"echo 'server {{ listen {listen}; server_name other.test; }}' > {other}")
    before = demo.state()
    # The certificate stays the one of the others' tests.
    settings = {**SETTINGS, "tls_names": NAMES, "nginx_server_names": names}
    refused = demo.playbook("only-nginx", "-e", json.dumps(settings))
    after = demo.state()
    # It would start again.
    demo.host(f"nginx -t -q; code=$?; rm {other}; exit $code")
    assert refused.code != 0
    assert "conf.d/slow-sql.conf stays as it is" in refused.text
    assert words in refused.text
    assert after == before
