"""pip and uv reach indexes that ask for a password, and nobody else sees it."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from ansible_collections.initech.django.plugins.module_utils import indexes
from ansible_collections.initech.django.plugins.module_utils.indexes import index_environment, split_password, uv_index
from ansible_collections.initech.django.plugins.module_utils.installer import Source, create
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import example, given
from hypothesis import strategies as st

UV = str(Path(sys.executable).with_name("uv"))
# All that is special and may be in a password.
PASSWORD = "S3cr3t!$%&()*+,-./:;<=>?@[]^_`{|}~"
NO_URL = (
    "python_indexes[1] is no URL of a package index. Write it as https://user:password@host/simple, what is special in "
    "user and password percent-encoded"
)
UNREADABLE = (
    "python_indexes[1]: user or password holds a blank, a quote, a backslash, # or what is not ASCII, and pip and uv "
    "read these differently. Choose another password"
)

Wheel = Callable[..., str]
pytestmark = pytest.mark.usefixtures("offline")


# What is read from a URL.


@pytest.mark.parametrize(
    "url", ["https://h/simple", "http://h:8080/simple/", "file:///srv/simple", "https://h/feed@Local/simple?a=b"]
)
def test_a_url_without_a_password_stays_as_it_is(url: str) -> None:
    assert split_password(url) == (url, "")


@pytest.mark.parametrize(
    ("url", "clean", "line"),
    [
        ("https://me:S3cr3t@h/simple", "https://h/simple", "machine h login me password S3cr3t\n"),
        ("https://me:S3cr3t@h:8443/simple", "https://h:8443/simple", "machine h login me password S3cr3t\n"),
        ("https://S3cr3t@h/simple", "https://h/simple", 'machine h login S3cr3t password ""\n'),
        ("https://S3cr3t:@h/simple", "https://h/simple", 'machine h login S3cr3t password ""\n'),
        ("https://me%40x:a%2Fb%3Ac@h/", "https://h/", "machine h login me@x password a/b:c\n"),
        ("https://me:a@b@h/simple", "https://h/simple", "machine h login me password a@b\n"),
    ],
)
def test_user_and_password_are_taken_out_of_a_url(url: str, clean: str, line: str) -> None:
    assert split_password(url) == (clean, line)


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\#"), min_size=1))
@example(PASSWORD)
def test_a_password_arrives_as_it_is_once_it_is_percent_encoded(password: str) -> None:
    assert split_password(f"https://me:{quote(password, safe='')}@h/simple") == (
        "https://h/simple",
        f"machine h login me password {password}\n",
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "S3cr3t",
        "h/S3cr3t",
        "/srv/S3cr3t",
        "https:///S3cr3t",
        "ftp://me:S3cr3t@h/simple",
        "git+https://me:S3cr3t@h/simple",
        "https://[h/S3cr3t",
        "https://h:S3cr3t/simple",
        # Not percent-encoded.
        "https://me:S3cr3t/x@h/simple",
        "https://me:S3cr3t#x@h/simple",
        "https://me:S3cr3t?x@h/simple",
        "https://me:S3cr3t x@h/simple",
        "https://h/simple https://me:S3cr3t@h/simple",
        "https://h/simple\nhttps://me:S3cr3t@h/simple",
        # A password and nobody who has it would stay in the URL.
        "https://:S3cr3t@h/simple",
    ],
)
def test_what_is_no_url_of_an_index_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Problem) as problem:
        split_password(url, 2)
    assert str(problem.value) == NO_URL


@pytest.mark.parametrize("special", [" ", "\t", "\n", '"', "'", "\\", "#", "\0", "ü", "€"])
@pytest.mark.parametrize("url", ["https://me:S3cr3t{}@h/simple", "https://S3cr3t{}:x@h/simple"])
def test_a_password_that_pip_and_uv_read_differently_is_refused_without_showing_it(url: str, special: str) -> None:
    with pytest.raises(Problem) as problem:
        split_password(url.format(quote(special)), 2)
    assert str(problem.value) == UNREADABLE


@pytest.mark.parametrize("url", ["http://me:S3cr3t@h/simple", "http://S3cr3t@h/simple", "http://me:S3cr3t@127.0.0.2/"])
def test_a_password_that_everybody_in_between_could_read_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Problem) as problem:
        split_password(url, 2)
    assert str(problem.value) == (
        "python_indexes[1]: its password would cross the network in the clear. Write https, not http"
    )


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_a_password_may_go_to_an_index_on_the_host_itself(host: str) -> None:
    assert split_password(f"http://me:S3cr3t@{host}/simple")[0] == f"http://{host}/simple"


# What pip and uv are told.


def told(*urls: str, uses_uv: bool = False) -> dict[str, str]:
    """Return what pip or uv are told of indexes, and where passwords are."""
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "NETRC")
    with index_environment(urls, uses_uv=uses_uv) as environment:
        return {name: environment[name] for name in names if name in environment}


def test_the_first_index_takes_the_place_of_pips_own_and_the_others_add_to_it() -> None:
    assert told("https://a/", "https://b/", "https://c/") == {
        "PIP_INDEX_URL": "https://a/",
        "PIP_EXTRA_INDEX_URL": "https://b/ https://c/",
    }


def test_the_first_index_takes_the_place_of_uvs_own_and_the_others_add_to_it() -> None:
    assert told("https://a/", "https://b/", "https://c/", uses_uv=True) == {
        "UV_DEFAULT_INDEX": "https://a/",
        "UV_INDEX": "https://b/ https://c/",
    }


@pytest.fixture
def pip_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what pip of this host is configured to."""
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nindex-url = https://packages.example.com/\n")
    monkeypatch.setattr(indexes, "PIP_CONFIGURATION", path)
    return path


def test_without_indexes_uv_uses_those_that_pip_is_configured_for(pip_configuration: Path) -> None:
    assert told(uses_uv=True) == {"UV_DEFAULT_INDEX": "https://packages.example.com/"}


def test_without_indexes_pip_reads_its_configuration_itself(pip_configuration: Path) -> None:
    assert told() == {}


def test_with_indexes_what_pip_is_configured_for_does_not_count(pip_configuration: Path) -> None:
    assert told("https://a/", uses_uv=True) == {"UV_DEFAULT_INDEX": "https://a/", "UV_INDEX": ""}


def test_passwords_can_be_read_as_long_as_they_are_needed_and_no_longer() -> None:
    with index_environment(["https://me:S3cr3t@a/", "https://you:0ther@b/"], uses_uv=False) as environment:
        path = Path(environment["NETRC"])
        assert path.read_text() == "machine a login me password S3cr3t\nmachine b login you password 0ther\n"
    assert not path.exists()


def test_two_indexes_of_a_host_may_have_the_same_password() -> None:
    with index_environment(["https://me:S3cr3t@h/a", "https://me:S3cr3t@h/b"], uses_uv=False) as environment:
        assert Path(environment["NETRC"]).read_text() == "machine h login me password S3cr3t\n"


def test_an_index_that_is_refused_is_told_by_its_number() -> None:
    with pytest.raises(Problem, match=r"^python_indexes\[1\] is no URL"):
        told("https://a/", "S3cr3t")


@pytest.mark.parametrize("other", ["https://me:0ther@h/b", "https://S3cr3t@h:8443/", "https://you:S3cr3t@H/"])
def test_two_passwords_for_a_host_are_refused_without_showing_them(other: str) -> None:
    with (
        pytest.raises(Problem) as problem,
        index_environment(["https://me:S3cr3t@h/a", other], uses_uv=False),
    ):
        pass
    assert str(problem.value) == "python_indexes has two passwords for h. One host takes one."


@pytest.mark.parametrize(
    ("configuration", "environment"),
    [
        ("", {}),
        ("[global]\n", {}),
        ("[global]\nindex-url = https://a/%40/simple\n", {"UV_DEFAULT_INDEX": "https://a/%40/simple"}),
        ("[global]\nindex_url=https://a/\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("[global]\nIndex-URL: https://a/\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("[global]\nextra-index-url =\n    https://a/\n    https://b/\n", {"UV_INDEX": "https://a/ https://b/"}),
        ("[global]\nfind-links = /a  /b\n", {"UV_FIND_LINKS": "/a,/b"}),
        ("[global]\ntimeout = 60\ntrusted-host = a\n", {}),
        ("[install]\nindex-url = https://a/\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("[install]\nindex-url = https://a/\n[global]\nindex-url = https://b/\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("[global]\nindex-url = https://a/\n[install]\nno-deps = yes\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        (
            "[global]\nindex-url = https://a/\n[install]\nextra-index-url = https://b/\n",
            {"UV_DEFAULT_INDEX": "https://a/", "UV_INDEX": "https://b/"},
        ),
        ("[download]\nindex-url = https://a/\n", {}),
        ("index-url = https://a/\n", {}),
        ("no configuration at all", {}),
    ],
)
def test_uv_uses_the_indexes_that_pip_is_configured_for(configuration: str, environment: dict[str, str]) -> None:
    assert uv_index(configuration) == environment


# A real index that asks for a password.


class Index(ThreadingHTTPServer):
    """Serves a directory to those who have the password, and notes what it could see of them in /proc."""

    def __init__(self, directory: Path, user: str, password: str) -> None:
        self.directory = directory
        self.login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.seen: set[bytes] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, login: str) -> str:
        """Return its URL with a login."""
        return f"http://{login}@127.0.0.1:{self.server_port}/simple"


class Handler(SimpleHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        for child in Path("/proc/self/task").glob("*/children"):
            for pid in child.read_text().split():
                self.server.seen.update(Path("/proc", pid, name).read_bytes() for name in ("cmdline", "environ"))
        if self.headers["Authorization"] == f"Basic {self.server.login}":
            self.directory = str(self.server.directory)
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="packages"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Be silent."""


@pytest.fixture
def serve(tmp_path: Path, wheel: Wheel) -> Iterator[Callable[[str, str], Index]]:
    """Return a function that starts an index which has the wheel of alpha, for a user and a password."""
    started: list[Index] = []
    project = tmp_path / "index" / "simple" / "alpha"
    wheel(project, "alpha")
    file = next(project.iterdir()).name
    (project / "index.html").write_text(f'<!DOCTYPE html><a href="{file}">{file}</a>')

    def start(user: str, password: str) -> Index:
        index = Index(tmp_path / "index", user, password)
        threading.Thread(target=index.serve_forever, args=(0.01,), daemon=True).start()
        started.append(index)
        return index

    yield start
    for index in started:
        index.shutdown()
        index.server_close()


LOGINS = [("me", PASSWORD), ("S3cr3t-token", "")]


@pytest.fixture(params=LOGINS, ids=["a user and a password", "a token"])
def login(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a user and a password, or a token and none."""
    user, password = request.param
    return user, password


@pytest.fixture(params=["uv", "pip"])
def download(request: pytest.FixtureRequest, tmp_path: Path, pip: Path) -> Callable[[str], Path]:
    """Return a function that has pip or uv fetch alpha from an index, and returns where it is then."""
    target = tmp_path / "target"
    commands: dict[str, list[str | Path]] = {
        "uv": [UV, "pip", "install", "--quiet", "--no-deps", "--python", pip, "--target", target, "alpha"],
        "pip": [pip, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", target, "alpha"],
    }

    def run(url: str) -> Path:
        with index_environment([url], uses_uv=request.param == "uv") as environment:
            subprocess.run(commands[request.param], env=environment, capture_output=True, check=True, timeout=60)
        return target

    return run


def secrets(user: str, password: str) -> list[bytes]:
    """Return all forms of what nobody may see."""
    secret = password or user
    return [secret.encode(), quote(secret, safe="").encode(), base64.b64encode(f"{user}:{password}".encode())]


def test_a_password_opens_an_index_and_is_in_no_argument_no_variable_and_no_file(
    serve: Callable[[str, str], Index], login: tuple[str, str], download: Callable[[str], Path], offline: Path
) -> None:
    index = serve(*login)
    target = download(index.url(":".join(quote(part, safe="") for part in login)))
    files = [path for directory in (target, offline) for path in directory.rglob("*") if path.is_file()]
    assert any(path.name.startswith("alpha") for path in files)
    assert any(str(index.server_port).encode() in each for each in index.seen)
    seen = [*index.seen, *(path.read_bytes() for path in files)]
    assert not [each for each in seen for secret in secrets(*login) if secret in each]


def test_a_wrong_password_is_told_without_showing_it(
    serve: Callable[[str, str], Index], tmp_path: Path, python: str
) -> None:
    url, file = serve("me", "another").url("me:S3cr3t"), tmp_path / "requirements.txt"
    file.write_text("alpha==1.0\n")
    with pytest.raises(Problem, match=r"^The packages of requirements\.txt cannot be installed") as problem:
        create(tmp_path / "x", python, file, Source(UV, [url]), pins=["alpha==1.0"])
    assert "401" in str(problem.value)
    assert "S3cr3t" not in str(problem.value)
