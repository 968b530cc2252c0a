"""A release is asked over a real unix socket."""

from __future__ import annotations

import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.health import (
    Question,
    send,
    state_of,
    wait_until_healthy,
    wrong_with_each,
)

HOST = "shop.example.com"


class Release:
    """Answers every connection with the next of its answers, and the last of them for ever."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.requests: list[list[str]] = []
        self._server: socketserver.ThreadingUnixStreamServer | None = None
        self._ended = threading.Event()

    def start(self, *answers: int | bytes | None, delay: float = 0) -> None:
        """Begin to listen; an answer is a status, or raw bytes, or None for none at all, each after so many seconds."""
        release = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines = iter(lambda: self.rfile.readline().decode().strip(), "")
                release.requests.append(list(lines))
                release._ended.wait(delay)
                answer = answers[min(len(release.requests), len(answers)) - 1]
                if answer is None:
                    release._ended.wait()
                elif isinstance(answer, bytes):
                    self.wfile.write(answer)
                else:
                    self.wfile.write(f"HTTP/1.1 {answer} X\r\nContent-Length: 2\r\n\r\nhi".encode())

        self._server = socketserver.ThreadingUnixStreamServer(str(self.socket), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    """Return a release that does not listen yet."""
    made = Release(tmp_path / "gunicorn.sock")
    yield made
    made.stop()


def wait(release: Release, url: str = "/healthz", timeout: float = 30, runs: Callable[[], bool] = lambda: True) -> str:
    """Wait until a release is healthy; where it is told to give up early, the long time is never waited for."""
    return wait_until_healthy(Question(release.socket, HOST, url), timeout, runs)


def is_good(status: int, path: str, expected: int = 0) -> bool:
    """Judge a status."""
    return not Question(Path(), HOST, path, status=expected).wrong(status, "")


def test_a_release_is_asked_as_nginx_would_ask_it(release: Release) -> None:
    release.start(204)
    assert Question(release.socket, HOST, "/healthz?full=1").ask(5) == (204, "")
    request, *headers = release.requests[0]
    assert request == "GET /healthz?full=1 HTTP/1.1"
    assert {f"Host: {HOST}", "X-Forwarded-Proto: https", "Connection: close"} <= set(headers)
    assert sum(header.lower().startswith("host:") for header in headers) == 1


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/größe/日本?q=ä b", "/gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC?q=%C3%A4%20b"),
        ("/a%20b/~me/?a=1&b=x+y;c=(d),[e]#f", "/a%20b/~me/?a=1&b=x+y;c=(d),[e]#f"),
        ("/a\r\nb", "/a%0D%0Ab"),
    ],
)
def test_a_path_is_asked_for_as_a_browser_would_ask_for_it(release: Release, path: str, sent: str) -> None:
    release.start(200)
    assert wait(release, url=path, timeout=0) == ""
    assert release.requests[0][0] == f"GET {sent} HTTP/1.1"


def test_a_host_that_no_header_can_hold_is_told_in_words(release: Release) -> None:
    release.start(200)
    wrong = wait_until_healthy(Question(release.socket, "магазин.example"), 0, lambda: True)
    assert wrong.startswith("it does not answer GET / ('latin-1' codec can't encode")


@pytest.mark.parametrize("status", [200, 204, 301, 302, 399])
@pytest.mark.parametrize("url", ["", "/healthz"])
def test_an_answer_below_400_is_good(status: int, url: str) -> None:
    assert is_good(status, url)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 429])
def test_an_answer_that_the_project_gives_on_purpose_is_good_where_nobody_named_a_path(status: int) -> None:
    assert is_good(status, "")
    assert not is_good(status, "/")


@pytest.mark.parametrize("status", [400, 500, 502, 503])
@pytest.mark.parametrize("url", ["", "/healthz"])
def test_an_answer_that_something_is_broken_is_never_good(status: int, url: str) -> None:
    assert not is_good(status, url)


def test_only_the_status_that_was_named_is_good() -> None:
    assert is_good(418, "/tea", 418)
    assert not is_good(200, "/tea", 418)


def test_a_page_without_the_text_that_was_named_is_not_good_and_is_believed_after_so_many_attempts(
    release: Release,
) -> None:
    release.start(200)
    question = Question(release.socket, HOST, "/healthz", text="hi")
    assert wait_until_healthy(question, 30, lambda: True) == ""
    question = Question(release.socket, HOST, "/healthz", text="well", attempts=5)
    assert wait_until_healthy(question, 30, lambda: True) == "its answer to GET /healthz does not have 'well' in it"
    assert len(release.requests) == 6


def test_a_good_answer_ends_the_wait_at_once(release: Release) -> None:
    release.start(200)
    assert wait(release) == ""
    assert [request for request, *_ in release.requests] == ["GET /healthz HTTP/1.1"]


def test_without_a_path_the_first_page_is_asked_for(release: Release) -> None:
    release.start(404)
    assert wait(release, url="") == ""
    assert release.requests[0][0] == "GET / HTTP/1.1"


def test_a_bad_answer_is_believed_when_it_was_given_often_enough(release: Release) -> None:
    release.start(503)
    assert wait(release) == f"it answered 503 to GET /healthz with Host: {HOST}"
    assert len(release.requests) == 3


def test_a_release_may_be_bad_while_it_warms_up(release: Release) -> None:
    release.start(*[500] * 2, 200)
    assert wait(release) == ""


def test_a_refused_host_is_told_with_the_variable_to_set(release: Release) -> None:
    release.start(400)
    assert wait(release).endswith(
        f"with Host: {HOST}; if that name is not in ALLOWED_HOSTS, add it there, "
        "or set release_health_host to one that is"
    )


def test_a_release_that_begins_to_listen_later_is_found(release: Release) -> None:
    def runs() -> bool:
        if not release.socket.exists():
            release.start(200)
        return True

    assert wait(release, runs=runs) == ""
    assert len(release.requests) == 1


def test_the_wait_is_over_when_the_release_has_ended(release: Release) -> None:
    assert wait(release, runs=lambda: False) == "it ended"
    release.start(500)
    assert wait(release, runs=lambda: False) == "it ended"
    assert len(release.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(None, "timed out"), (b"", "Remote end closed connection without response"), (b"SSH-2.0\r\n", "SSH-2.0")],
)
def test_a_release_that_does_not_answer_in_time_is_told_with_the_reason(
    release: Release, answer: bytes | None, reason: str
) -> None:
    release.start(answer)
    begun = time.monotonic()
    wrong = wait(release, timeout=0.2)
    assert wrong.startswith(f"it does not answer GET /healthz ({reason}")
    assert 0.2 <= time.monotonic() - begun < 10


def test_whoever_is_asked_at_the_last_moment_has_time_to_answer(release: Release) -> None:
    release.start(200, delay=0.3)
    assert wait(release, timeout=0) == ""


def test_a_socket_that_is_not_there_in_time_is_told_so(release: Release) -> None:
    assert wait(release, timeout=0) == "it does not answer GET /healthz ([Errno 2] No such file or directory)"


def test_a_socket_that_nobody_listens_on_any_more_is_told_so(release: Release) -> None:
    release.start(200)
    release.stop()
    assert "Connection refused" in wait(release, timeout=0)


WORKER = """
import socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 %s X\\r\\nContent-Length: 2\\r\\n\\r\\nhi" % sys.argv[2].encode())
    connection.close()
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[Path, list[int]]]:
    """Return a socket from which three processes accept, and those: two are well, and the last answers 500."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(16)
        number = listener.fileno()
        commands = [[sys.executable, "-c", WORKER, str(number), status] for status in ("200", "200", "500")]
        processes = [subprocess.Popen(command, pass_fds=(number,)) for command in commands]
        yield tmp_path / "socket", [process.pid for process in processes]
        for process in processes:
            process.kill()
            process.wait()


def test_every_worker_is_asked_and_the_one_that_is_not_well_is_found(workers: tuple[Path, list[int]]) -> None:
    path, processes = workers

    def ask_one() -> str:
        return wait_until_healthy(Question(path, HOST, "/healthz"), 60, lambda: True)

    for _ in range(3):
        wrong = wrong_with_each(processes, ask_one)
        assert wrong == f"of its 3 workers, number 3 is not well: it answered 500 to GET /healthz with Host: {HOST}"
    # None of them stands still afterwards.
    for process in processes:
        assert state_of(process) in "RS"


def test_a_worker_that_has_just_ended_does_not_matter() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    send([process.pid], signal.SIGCONT)
