"""What the roles' templates render to, judged by behaviour, and by the programs that read it where they are here."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.initech.django.plugins.action.connections import PGBOUNCER_CLIENTS
from ansible_collections.initech.django.plugins.module_utils.files import wrong_with_unit
from ansible_collections.initech.django.plugins.module_utils.instance import FIRST
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.manage import environment
from ansible_collections.initech.django.tests.templates.render import (
    ROLES,
    evaluate,
    load,
    load_tasks,
    needs,
    render,
    variables,
)

TEMPLATES = sorted((path.parts[-3], path.name) for path in ROLES.glob("*/templates/*.j2"))
REQUIRED = {
    "database_name": "shop",
    "ansible_facts": {
        "distribution": "Debian",
        "distribution_version": "13",
        "distribution_release": "trixie",
        "processor_nproc": 4,
    },
    "inventory_hostname": "web1",
    "groups": {},
    "hostvars": {"web1": {}},
    "__base_login": {"stdout": "admin"},
    "__backup_restic": {"content": "MariaDB", "place": "/etc/place", "directory": "/mysql", "cache": "cache"},
}
OF_THE_SERVER = [
    (role, name)
    for role, name in TEMPLATES
    if role == "base" or (role == "backup" and name not in ("media.service.j2", "media.timer.j2"))
] + [("nginx", "nginx.conf.j2"), ("nginx", "https.conf.j2"), ("nginx", "sandbox.conf.j2")]
"""What is the same for all apps of a host."""
APP = App("shop")
RELEASE = APP.release("20261124T101500Z-1a2b3c4d")
HOST = {"memory": 7950, "cores": 4}
"""What the roles of databases look up on a host of 8 GB."""

LIVE_SOCKET = f"/run/{APP.name}/live.sock"


def executed(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it printed."""
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=20, env={**os.environ, **environment}
    )


@pytest.mark.parametrize(("role", "template"), TEMPLATES)
def test_a_template_renders_with_the_defaults_and_what_has_to_be_set(role: str, template: str) -> None:
    text = render(role, template, app_name="shop", **REQUIRED, __postgresql_info=HOST, __mysql_info=HOST)
    assert re.match(r"(#!/bin/(ba)?sh\n)?# Ansible managed\n", text)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not re.search(r"\{\{|\{%|\{#|[ \t]$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("role", "template"),
    [each for each in TEMPLATES if each[0] not in ("mysql", "postgresql") and each not in OF_THE_SERVER],
)
def test_a_template_is_not_rendered_while_a_variable_that_it_needs_is_not_set(role: str, template: str) -> None:
    with pytest.raises(AnsibleError, match="app_name"):
        render(role, template, **REQUIRED)


# gunicorn.conf.py


def configuration(**inputs: Any) -> str:
    return render("gunicorn", "gunicorn.conf.py.j2", app_name="shop", **inputs)


@dataclass
class Loaded:
    """What gunicorn would know after it has read its configuration, and what happened meanwhile."""

    settings: dict[str, Any]
    events: list[str]


def loaded(text: str, root: Path, virtualenv: tuple[str, ...] = ()) -> Loaded:
    """Execute gunicorn's configuration as gunicorn would, with a host's files below `root`.

    Args:
        text: the configuration.
        root: where a host's `/` is.
        virtualenv: the packages that can be imported, beside gevent.
    """
    events: list[str] = []
    stubs = {
        "gevent": SimpleNamespace(monkey=SimpleNamespace(patch_all=lambda: events.append("patch gevent"))),
        "psycogreen.gevent": SimpleNamespace(patch_psycopg=lambda: events.append("patch psycopg2")),
        "importlib.util": SimpleNamespace(find_spec=lambda name: name if name in virtualenv else None),
        "pathlib": SimpleNamespace(Path=lambda *parts: root.joinpath(*(part.lstrip("/") for part in parts))),
        "json": importlib.import_module("json"),
        "os": SimpleNamespace(environ={"RELEASE": RELEASE.id}, sched_getaffinity=lambda process: range(5)),
    }

    def imported(name: str, *_: Any) -> Any:
        events.append(f"import {name}")
        return stubs[name]

    scope: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": imported}}
    exec(compile(text, "gunicorn.conf.py", "exec"), scope)
    return Loaded({name: value for name, value in scope.items() if not name.startswith("__")}, events)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the `/` of a host with one complete release."""
    manifest = tmp_path / RELEASE.manifest.relative_to("/")
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"wsgi": "shop.wsgi:application"}')
    return tmp_path


def test_gunicorns_configuration_patches_gevent_in_its_very_first_lines() -> None:
    first, second, *_ = ast.parse(configuration()).body
    assert ast.unparse(first) == "from gevent import monkey"
    assert ast.unparse(second) == "monkey.patch_all()"


def test_nothing_is_imported_before_gevent_has_patched(root: Path) -> None:
    events = loaded(configuration(), root, ("psycopg2", "psycogreen")).events
    assert events[:2] == ["import gevent", "patch gevent"]
    assert len(events) > 2


@pytest.mark.parametrize(
    ("virtualenv", "expected"),
    [(("psycopg2", "psycogreen"), True), (("psycopg2",), False), (("psycogreen",), False), ((), False)],
)
def test_psycopg2_is_patched_where_it_and_psycogreen_are_there(
    root: Path, virtualenv: tuple[str, ...], expected: bool
) -> None:
    events = loaded(configuration(), root, virtualenv).events
    assert ("patch psycopg2" in events) == expected
    # The project's own modules come later still: gunicorn imports them when this file is read.
    assert events.count("patch gevent") == 1


@pytest.mark.parametrize(("workers", "expected"), [(0, 5), (3, 3), (1, 1), ("0", 5), ("3", 3)])
def test_workers_are_as_many_as_asked_for_and_0_is_one_for_each_core_that_the_unit_may_use(
    root: Path, workers: int | str, expected: int
) -> None:
    """As text, where it came from the command line."""
    assert loaded(configuration(gunicorn_workers=workers), root).settings["workers"] == expected


def test_an_instance_serves_its_own_release_on_its_own_socket(root: Path) -> None:
    settings = loaded(configuration(), root).settings
    assert settings["wsgi_app"] == "shop.wsgi:application"
    assert settings["bind"] == f"unix:{RELEASE.socket}"
    assert settings["worker_class"] == "gevent"
    assert settings["backlog"] == 4096


def test_gunicorn_writes_only_where_its_unit_lets_it(root: Path) -> None:
    settings = loaded(configuration(), root).settings
    assert settings["worker_tmp_dir"] == str(RELEASE.runtime)
    assert settings["control_socket_disable"] is True


def test_limits_of_the_inventory_reach_gunicorn(root: Path) -> None:
    text = configuration(
        gunicorn_timeout=61,
        gunicorn_graceful_timeout=62,
        gunicorn_worker_connections=63,
        gunicorn_max_requests="500",
    )
    settings = loaded(text, root).settings
    assert (settings["timeout"], settings["graceful_timeout"], settings["worker_connections"]) == (61, 62, 63)
    assert (settings["max_requests"], settings["max_requests_jitter"]) == (500, 50)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, 90),
        ({"gunicorn_workers": 64}, 2),
        ({"gunicorn_workers": 500}, 1),
        ({"database_connections": 50}, 25),
        ({"database_connections": 50000}, 1000),
        ({"database_pool": True}, 1000),
        ({"database_pool": True, "gunicorn_worker_connections": 63}, 63),
    ],
)
def test_the_workers_share_the_connections_that_the_host_may_open_unless_there_is_a_pool(
    inputs: dict[str, Any], expected: int, root: Path
) -> None:
    text = configuration(**{"gunicorn_workers": 2, **inputs})
    assert loaded(text, root).settings["worker_connections"] == expected


def checks() -> dict[str, str]:
    """Return the checks of the role's files by template, each of which is made before its file is written."""
    files = load(ROLES / "gunicorn" / "vars" / "main.yml")["__gunicorn_files"]
    return {file["content"].split("'")[3]: file["validate"] for file in files if "validate" in file}


def test_the_check_before_gunicorns_configuration_is_written_refuses_one_that_does_not_compile(tmp_path: Path) -> None:
    command = checks()["gunicorn.conf.py.j2"].removeprefix("/usr/bin/python3 ")
    file = tmp_path / "gunicorn.conf.py"
    for text, good in ((configuration(), True), (configuration(gunicorn_timeout="(("), False)):
        file.write_text(text)
        result = executed(sys.executable, *shlex.split(command % file))
        assert (result.returncode == 0) == good, result.stderr


# The units


def unit(template: str = "instance.service.j2", **inputs: Any) -> dict[str, list[str]]:
    """Return the settings of a unit by name, with the release's id for `%i`."""
    found: dict[str, list[str]] = {}
    for line in render("gunicorn", template, app_name="shop", **inputs).splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value.replace("%i", RELEASE.id))
    return found


def test_an_instance_runs_gunicorn_of_its_own_release_as_the_apps_user() -> None:
    settings = unit()
    program, *arguments = settings["ExecStart"][0].split()
    assert program == f"{RELEASE.virtualenv}/bin/gunicorn"
    assert arguments == ["--config", str(APP.configuration[0])]
    assert settings["WorkingDirectory"] == [str(RELEASE.project)]
    assert settings["User"] == settings["Group"] == ["shop"]
    assert f"/run/{settings['RuntimeDirectory'][0]}" == str(RELEASE.runtime)
    assert {f"RELEASE={RELEASE.id}", f"HOME={APP.home}"} <= set(settings["Environment"])


def test_a_deploy_finds_programs_where_the_app_and_its_command_find_them() -> None:
    path = f"PATH={environment(RELEASE, env_as_environment=False)['PATH']}"
    assert path in unit()["Environment"]
    command = render("app", "manage.sh.j2", app_name="shop").replace("$release", str(RELEASE.path))
    assert f"--setenv={path}" in shlex.split(command, comments=True)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"gunicorn_env_as_environment": True}, [f"{RELEASE.project}/.env"]),
        ({"gunicorn_env_as_environment": False}, []),
        ({"gunicorn_env_as_environment": "false"}, []),
        ({"gunicorn_env_as_environment": "true"}, [f"{RELEASE.project}/.env"]),
        ({"app_env_as_environment": True}, [f"{RELEASE.project}/.env"]),
        ({"app_env_as_environment": True, "gunicorn_env_as_environment": False}, []),
    ],
)
def test_systemd_reads_dotenv_where_the_project_does_not(inputs: dict[str, Any], expected: list[str]) -> None:
    assert unit(**inputs).get("EnvironmentFile", []) == expected


@pytest.mark.parametrize(("live", "is_given"), [(RELEASE.id, True), ("20261124T101600Z-1a2b3c4d", False)])
def test_only_what_is_live_is_given_precedence_when_it_starts(tmp_path: Path, live: str, is_given: bool) -> None:
    (tmp_path / "current").symlink_to(f"releases/{live}")
    command = (
        unit()["ExecStartPost"][0]
        .removeprefix("-+")
        .replace("$$", "$")
        .replace(str(APP.current), f"{tmp_path}/current")
    )
    assert command.count(f" {FIRST} ") == 2
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as main:
        # Whoever may not give precedence may always take it away.
        done = executed(*shlex.split(command.replace(f" {FIRST} ", " 7 ")), MAINPID=str(main.pid))
        found = os.getpriority(os.PRIO_PROCESS, main.pid)
        main.kill()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert found == (7 if is_given else os.getpriority(os.PRIO_PROCESS, 0))


@pytest.mark.parametrize("seconds", [0, 30, 600, "45"])
def test_systemd_kills_an_instance_only_after_its_requests_had_their_time(seconds: int | str) -> None:
    settings = unit(gunicorn_graceful_timeout=seconds)
    assert int(settings["TimeoutStopSec"][0]) > int(seconds)
    assert settings["KillMode"] == ["mixed"]


def test_an_instance_writes_only_to_media_its_home_and_what_the_inventory_adds() -> None:
    own = {str(APP.media), str(APP.home)}
    more = ["/srv/exchange", "/var/spool/shop"]
    for directories in ([], more):
        settings = unit(gunicorn_writable_directories=directories)
        assert settings["ProtectSystem"] == ["strict"]
        assert settings["ProtectHome"] == ["true"]
        added = {f"-{directory}" for directory in directories}  # not there is no reason not to start
    assert {path for line in settings["ReadWritePaths"] for path in line.split()} == own | added


def test_a_live_site_is_always_started_again() -> None:
    settings = unit()
    assert settings["Restart"] == ["always"]
    assert settings["StartLimitIntervalSec"] == ["0"]


def test_a_process_of_the_app_gains_no_rights() -> None:
    settings = unit()
    assert settings["NoNewPrivileges"] == settings["RestrictSUIDSGID"] == ["true"]
    assert settings["CapabilityBoundingSet"] == [""]


def test_what_a_project_needs_otherwise_replaces_or_adds_to_the_sandbox() -> None:
    own = unit(
        gunicorn_sandbox={"MemoryDenyWriteExecute": False, "MemoryMax": "2G", "IPAddressAllow": ["::1", "127.0.0.1"]}
    )
    assert own["MemoryDenyWriteExecute"] == ["false"]
    assert own["MemoryMax"] == ["2G"]
    assert own["IPAddressAllow"] == ["::1", "127.0.0.1"]
    usual = unit()
    for name in usual.keys() - {"MemoryDenyWriteExecute", "MemoryMax"}:
        assert own[name] == usual[name]


@pytest.mark.parametrize("off", [False, "false"])
def test_without_a_network_the_app_has_unix_sockets_alone(off: bool | str) -> None:
    settings = unit(gunicorn_network=off)
    assert settings["PrivateNetwork"] == ["true"]
    assert settings["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert unit()["PrivateNetwork"] == ["false"]


@needs("systemd-analyze")
@pytest.mark.parametrize(("inputs", "most"), [({}, 12), ({"gunicorn_network": False}, 5)])
def test_systemd_finds_hardly_anything_that_the_unit_may_do(inputs: dict[str, Any], most: int, tmp_path: Path) -> None:
    """The exposure is in tenths, of ten; a unit without a sandbox has 9.6."""
    file = tmp_path / "shop.service"
    file.write_text(render("gunicorn", "instance.service.j2", app_name="shop", **inputs))
    analysed = executed("systemd-analyze", "security", "--offline=true", f"--threshold={most}", "--no-pager", str(file))
    assert analysed.returncode == 0, analysed.stdout


def boot(live: Path | str, tmp_path: Path) -> tuple[list[str], int]:
    """Run what the unit for the boot runs, and return the arguments that systemctl got, and the exit code."""
    (command,) = unit("boot.service.j2")["ExecStart"]
    tools = tmp_path / "tools"
    tools.mkdir()
    systemctl = tools / "systemctl"
    systemctl.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    systemctl.chmod(0o755)
    # systemd itself turns $$ into $.
    arguments = shlex.split(command.replace("/srv/shop/current", str(live)).replace("$$", "$"))
    result = executed(*arguments, PATH=f"{tools}:{os.environ['PATH']}")
    return result.stdout.splitlines(), result.returncode


def test_at_boot_what_the_link_leads_to_is_started(tmp_path: Path) -> None:
    link = tmp_path / "current"
    # As the module switch makes it: relative, and it does not matter that nothing is there.
    link.symlink_to(Path("releases", RELEASE.id))
    assert boot(link, tmp_path) == (["start", "--no-block", RELEASE.unit], 0)


def test_at_boot_nothing_is_started_while_nothing_is_live() -> None:
    settings = unit("boot.service.j2")
    assert settings["ConditionPathExists"] == [str(APP.current)]
    assert settings["WantedBy"] == ["multi-user.target"]
    assert settings["Type"] == ["oneshot"]


@needs("systemd-analyze")
@pytest.mark.parametrize("template", ["boot.service.j2", "instance.service.j2"])
def test_systemd_accepts_a_unit_and_would_refuse_one_that_it_does_not_understand(template: str) -> None:
    assert checks()[template] == "unit"
    name = template.replace("instance.service.j2", "shop@.service").removesuffix(".j2")
    more = {"gunicorn_env_as_environment": True, "gunicorn_writable_directories": ["/srv/exchange"]}
    for inputs in ({}, more):
        text = render("gunicorn", template, app_name="shop", **inputs)
        assert wrong_with_unit(name, text) == ""
    assert "Restrt" in wrong_with_unit(name, text.replace("[Service]\n", "[Service]\nRestrt=always\n"))


# The link that nginx follows


def link_lines() -> list[list[str]]:
    text = render("gunicorn", "tmpfiles.conf.j2", app_name="shop")
    return [line.split() for line in text.splitlines() if not line.startswith("#")]


def test_the_link_that_nginx_follows_leads_to_whatever_is_live_and_is_roots() -> None:
    directory, link = link_lines()
    assert directory == ["d", "/run/shop", "0755", "root", "root", "-"]
    kind, path, *unused, target = link
    assert (kind, path) == ("L+", LIVE_SOCKET)
    assert set(unused) == {"-"}
    assert target == str(APP.current / RELEASE.run.name / RELEASE.socket.name)


@needs("systemd-tmpfiles")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to root")
def test_systemd_makes_the_link_and_mends_one_that_leads_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "shop.conf"
    file.write_text(render("gunicorn", "tmpfiles.conf.j2", app_name="shop"))
    link = tmp_path / "root" / LIVE_SOCKET.lstrip("/")
    link.parent.mkdir(parents=True, mode=0o700)
    link.symlink_to("/elsewhere")
    result = executed("systemd-tmpfiles", f"--root={tmp_path / 'root'}", "--create", str(file))
    assert result.returncode == 0, result.stderr
    assert str(link.readlink()) == "/srv/shop/current/run/gunicorn.sock"
    assert stat.S_IMODE(link.parent.stat().st_mode) == 0o755


# nginx


@dataclass(frozen=True)
class Directive:
    """One directive of nginx; `block` is None where it ends with a semicolon."""

    name: str
    arguments: tuple[str, ...]
    block: tuple[Directive, ...] | None = None


TOKEN = re.compile(r"""#.*|[{};]|"(?:\\.|[^"])*"|'(?:\\.|[^'])*'|[^\s{};"']+""")


def parse(tokens: Iterator[str], inner: bool) -> tuple[Directive, ...]:
    """Return the directives up to the end of this block, or of the file.

    Raises:
        ValueError: braces or semicolons are missing.
    """
    found: list[Directive] = []
    words: list[str] = []
    for token in tokens:
        if token == "}":
            if words or not inner:
                raise ValueError(f"a brace is closed after {words}")
            return tuple(found)
        if token in (";", "{"):
            name, *arguments = words
            found.append(Directive(name, tuple(arguments), parse(tokens, True) if token == "{" else None))
            words = []
        else:
            words.append(token.strip("\"'"))
    if words or inner:
        raise ValueError(f"it ends after {words}")
    return tuple(found)


class Site:
    """The one server that the role nginx configures."""

    def __init__(self, **inputs: Any) -> None:
        """Render it."""
        facts = inputs.pop("ansible_facts", REQUIRED["ansible_facts"])
        text = render("nginx", "site.conf.j2", app_name="shop", ansible_facts=facts, **inputs)
        # To nginx, what lacks its semicolon goes on in the next line.
        assert all(line[-1] in "{};" for line in text.splitlines() if line and "# " not in line)
        tokens = (token for token in TOKEN.findall(text) if not token.startswith("#"))
        *self.http, server = parse(tokens, False)
        assert server.name == "server"
        # Where visitors come by HTTPS another one sends them there.
        self.plain = next((each.block or () for each in self.http if each.name == "server"), ())
        self.directives = server.block or ()
        found = {each.arguments: each.block or () for each in self.directives if each.name == "location"}
        # Those with an @ are reached from inside alone, and so is the one of exactly one name.
        self.named = {arguments[-1]: block for arguments, block in found.items() if arguments[0][0] in "@="}
        self.locations = {arguments: block for arguments, block in found.items() if arguments[-1] not in self.named}

    def table(self, variable: str) -> dict[str, str]:
        """Return what a variable is made of, by `geo` or `map`: its value for each key."""
        (block,) = [each.block or () for each in self.http if each.arguments[-1:] == (f"$shop_{variable}",)]
        return {each.name.strip('"'): each.arguments[0] for each in block}

    def values(self, name: str, location: str | None = None) -> list[tuple[str, ...]]:
        """Return the arguments of all directives of this name, in a location or outside of all."""
        if location is None:
            directives = self.directives
        else:
            directives = self.named[location] if location in self.named else self.locations[(location,)]
        return [each.arguments for each in directives if each.name == name]


@pytest.mark.parametrize("text", ["a", "a {", "a; }", "a { b }", "a { b; } }"])
def test_the_reader_of_nginx_configurations_notices_what_is_left_open(text: str) -> None:
    with pytest.raises(ValueError, match="after"):
        parse(iter(TOKEN.findall(text)), False)


def test_without_names_the_site_answers_to_every_name() -> None:
    site = Site()
    assert site.values("listen") == [("80", "default_server"), ("[::]:80", "default_server")]
    assert site.values("server_name") == [("_",)]


def test_with_names_the_site_leaves_other_names_to_other_sites() -> None:
    site = Site(nginx_server_names=["shop.example.com", "www.shop.example.com"])
    assert site.values("listen") == [("80",), ("[::]:80",)]
    assert site.values("server_name") == [("shop.example.com", "www.shop.example.com")]


def test_visitors_come_by_https_and_only_an_authority_by_http() -> None:
    site = Site(nginx_https=True, nginx_server_names=["shop.example.com"])
    assert site.values("listen") == [("443", "ssl"), ("[::]:443", "ssl")]
    assert site.values("http2") == [("on",)]
    assert site.values("ssl_certificate") == [("/etc/ssl/initech/shop.crt",)]
    assert site.values("ssl_certificate_key") == [("/etc/ssl/initech/shop.key",)]
    assert ("Strict-Transport-Security", "$shop_header_3", "always") in site.values("add_header")
    assert site.table("header_3") == {"": "max-age=31536000"}
    plain = {each.arguments: each.block for each in site.plain if each.name == "location"}
    assert set(plain) == {("^~", "/.well-known/acme-challenge/"), ("/",)}
    assert plain[("/",)] == (Directive("return", ("301", "https://$host$request_uri")),)
    assert [each.arguments for each in site.plain if each.name == "listen"] == [("80",), ("[::]:80",)]


@pytest.mark.parametrize(
    ("names", "source", "warned_of"),
    [
        (["shop.example.com", "www.example.com", "a.example.com"], "acme", "shop.example.com, www.example.com"),
        (["a.example.com"], "acme", ""),
        (["shop.example.com"], "files", ""),
    ],
)
def test_hosts_that_would_each_ask_an_authority_for_the_same_name_are_warned_of_and_not_refused(
    names: list[str], source: str, warned_of: str
) -> None:
    others = ["www.example.com", "shop.example.com"]
    known = variables("tls", app_name="shop", tls_source=source, nginx_server_names=names, tls_names_of_others=others)
    (check,) = load_tasks("tls", "tasks/check.yml")
    told = evaluate({key: check["ansible.builtin.assert"][key] for key in ("quiet", "success_msg")}, known)
    assert told["quiet"] is (warned_of == "")
    assert told["success_msg"].startswith(f"Warning: other hosts have {warned_of} too")


def test_an_older_nginx_is_told_of_http2_as_it_knows_it() -> None:
    facts = {"distribution": "Ubuntu", "distribution_version": "22.04"}
    site = Site(nginx_https=True, ansible_facts=facts)
    assert site.values("listen") == [
        ("443", "ssl", "http2", "default_server"),
        ("[::]:443", "ssl", "http2", "default_server"),
    ]
    assert site.values("http2") == []
    assert "ssl_reject_handshake" not in render("nginx", "https.conf.j2", nginx_https=True, ansible_facts=facts)
    text = render("nginx", "https.conf.j2", nginx_https=True, ansible_facts=REQUIRED["ansible_facts"])
    assert "ssl_reject_handshake on;" in text


def test_browsers_are_told_of_https_only_where_it_is_there_and_as_long_as_wanted() -> None:
    assert "Strict-Transport-Security" not in str(Site().directives)
    assert "Strict-Transport-Security" not in str(Site(nginx_https=True, nginx_hsts_seconds=0).directives)
    assert Site(nginx_https=True, nginx_hsts_seconds=60).table("header_3") == {"": "max-age=60"}


@pytest.mark.parametrize("name", ["Strict-Transport-Security", "strict-transport-security"])
def test_what_the_inventory_tells_browsers_of_https_wins(name: str) -> None:
    value = "max-age=63072000; includeSubDomains; preload"
    site = Site(nginx_https=True, nginx_headers={name: value})
    assert site.values("add_header") == [(name, "$shop_header_1", "always")]
    assert site.table("header_1") == {"": value}


def test_what_a_place_adds_to_the_header_does_not_replace_that_of_the_site() -> None:
    site = Site(nginx_https=True, nginx_headers={"Referrer-Policy": "same-origin", "x-content-type-options": "nosniff"})
    media = [(arguments[0], arguments[1]) for arguments in site.values("add_header", "/media/")]
    assert media[:2] == [("Referrer-Policy", "same-origin"), ("Strict-Transport-Security", "max-age=31536000")]
    assert [name for name, _ in media].count("X-Content-Type-Options") == 1
    assert "x-content-type-options" not in dict(media)
    closed = [arguments[0] for arguments in site.values("add_header", "/.maintenance")]
    own = ["Referrer-Policy", "x-content-type-options", "Strict-Transport-Security"]
    assert closed == [*own, "Retry-After", "Cache-Control"]


def test_nginx_serves_static_and_uploaded_files_itself() -> None:
    site = Site(nginx_static_url="/assets/", nginx_media_url="/uploads/")
    assert set(site.locations) == {("/assets/",), ("/uploads/",), ("/",)}
    assert site.values("alias", "/assets/") == [(f"{APP.current}/{RELEASE.static.name}/",)]
    assert site.values("alias", "/uploads/") == [(f"{APP.media}/",)]


@pytest.mark.parametrize(("url", "pattern"), [("/static/", "^/static/(.*)$"), ("a.b/c", r"^/a\.b/c/(.*)$")])
def test_static_files_that_the_live_release_does_not_have_are_looked_for_among_those_that_are_kept(
    url: str, pattern: str
) -> None:
    site = Site(nginx_static_url=url)
    path = f"/{url.strip('/')}/"
    assert site.values("error_page", path) == [("404", "=", "@kept")]
    assert site.values("root", "@kept") == [(str(APP.static),)]
    assert site.values("rewrite", "@kept") == [(pattern, "/$1", "break")]
    assert site.values("gzip_static", path) == site.values("gzip_static", "@kept") == [("on",)]
    assert "@kept" not in Site(nginx_static_url="").named


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"nginx_static_url": ""}, {"/media/", "/"}),
        ({"nginx_media_url": ""}, {"/static/", "/"}),
        ({"nginx_static_url": "", "nginx_media_url": ""}, {"/"}),
    ],
)
def test_without_their_url_nginx_leaves_files_to_the_project(inputs: dict[str, str], expected: set[str]) -> None:
    assert set(Site(**inputs).locations) == {(path,) for path in expected}


@pytest.mark.parametrize("url", ["/files/", "/files", "files/", "files"])
@pytest.mark.parametrize("variable", ["nginx_static_url", "nginx_media_url"])
def test_nobody_climbs_out_of_a_directory_of_files_whose_url_lacks_a_slash(variable: str, url: str) -> None:
    """`location /files { alias /srv/…/static/; }` would answer to /files../ with what lies beside the directory."""
    site = Site(**{variable: url})
    assert ("/files/",) in site.locations
    ((directory,),) = site.values("alias", "/files/")
    assert directory.endswith("/")


def test_the_maintenance_page_is_not_for_those_who_are_named() -> None:
    site = Site(nginx_maintenance_allow=["192.0.2.0/24", "2001:db8::1"])
    assert site.table("shown") == {"default": "0", "192.0.2.0/24": "1", "2001:db8::1": "1"}


def test_the_maintenance_page_answers_whatever_a_visitor_asks_with_and_nobody_asks_for_it_by_its_name() -> None:
    """A name with a slash is asked for with GET, and one with an @ as the visitor did: for POST a file has 405."""
    site = Site()
    assert site.values("error_page") == [("503", "/.maintenance")]
    assert site.values("internal", "/.maintenance") == [()]


def upload_policy(status: int, type_: str) -> str:
    """Return which policy an answer with an upload has; nothing, where that header is left out."""
    table = Site().table("upload")
    default, told = table.pop("default"), f"{status}:{type_}"
    return next((policy for key, policy in table.items() if re.search(key.removeprefix("~"), told)), default)


def test_an_uploaded_page_is_not_run_as_a_page_of_the_site() -> None:
    site = Site()
    headers = {name: value for name, value, *_ in site.values("add_header", "/media/")}
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "$shop_upload"
    for type_ in ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/audio/", ""):
        assert upload_policy(200, type_) == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert upload_policy(404, "text/html").endswith("; sandbox")


def test_uploaded_audio_and_video_is_played_and_what_somebody_wrote_as_a_page_is_not_of_the_site() -> None:
    """A browser shows both in a page of its own, which reads the file as a script of the site would."""
    for status, type_ in ((200, "audio/wav"), (200, "video/mp4"), (206, "video/mp4")):
        policy = upload_policy(status, type_)
        assert {"default-src 'none'", "media-src 'self'", "sandbox allow-same-origin"} <= set(policy.split("; "))
        assert not re.search("script|forms|frame", policy)


def test_what_a_browser_has_already_keeps_the_rights_that_it_came_with() -> None:
    """Such an answer has no type, and what it says in its header replaces what came with the file."""
    assert upload_policy(304, "") == ""


def test_requests_go_to_the_link_without_keep_alive() -> None:
    site = Site()
    assert site.values("proxy_pass", "/") == [(f"http://unix:{LIVE_SOCKET}",)]
    assert ("Connection", "") in site.values("proxy_set_header", "/")


def test_what_a_visitor_claims_of_himself_is_replaced_and_never_passed_on() -> None:
    site = Site(nginx_server_names=["shop.example.com"])
    assert sorted(site.values("proxy_set_header", "/")) == [
        ("Connection", ""),
        ("Host", "$http_host"),
        ("X-Forwarded-For", "$remote_addr"),
        ("X-Forwarded-Proto", "$shop_proto"),
        ("X-Real-IP", "$remote_addr"),
    ]
    assert site.table("trusted") == {"default": "0"}
    assert site.table("proto")["default"] == "$scheme"
    assert site.values("set_real_ip_from") == []
    assert "proxy_add_x_forwarded_for" not in render("nginx", "site.conf.j2", app_name="shop")


def test_a_proxy_that_is_named_is_believed_and_no_other() -> None:
    site = Site(nginx_trusted_proxies=["192.0.2.10", "2001:db8::/64"])
    assert site.values("set_real_ip_from") == [("192.0.2.10",), ("2001:db8::/64",)]
    assert site.values("real_ip_recursive") == [("on",)]
    assert site.table("trusted") == {"default": "0", "192.0.2.10": "1", "2001:db8::/64": "1"}
    assert site.table("proto") == {"default": "$scheme", "1:http": "http", "1:https": "https"}
    assert Site(nginx_forwarded_proto="https").table("proto")["default"] == "https"


def test_a_header_is_ours_where_the_app_sends_none() -> None:
    site = Site(nginx_headers={"X-A": 'b "c"', "Permissions-Policy": "camera=()"})
    assert site.values("add_header") == [
        ("X-A", "$shop_header_1", "always"),
        ("Permissions-Policy", "$shop_header_2", "always"),
    ]
    assert site.table("header_2") == {"": "camera=()"}
    assert [each.arguments[0] for each in site.http if each.name == "map"][1:] == [
        "$upstream_http_x_a",
        "$upstream_http_permissions_policy",
        "$status:$sent_http_content_type",
    ]
    assert {name for name, *_ in Site().values("add_header")} == {"X-Content-Type-Options", "Referrer-Policy"}


def test_one_address_has_as_many_connections_as_it_likes_unless_that_is_limited() -> None:
    assert "limit_conn" not in render("nginx", "site.conf.j2", app_name="shop")
    # As -e hands it on.
    assert "limit_conn" not in render("nginx", "site.conf.j2", app_name="shop", nginx_connections_per_address="0")
    assert Site(nginx_connections_per_address=50).values("limit_conn") == [("shop", "50")]


def server_of_the_host(**inputs: Any) -> list[Directive]:
    """Return the directives of nginx's own http block."""
    tokens = (each for each in TOKEN.findall(render("nginx", "nginx.conf.j2", **inputs)) if not each.startswith("#"))
    (block,) = [each.block or () for each in parse(tokens, False) if each.name == "http"]
    return list(block)


def test_a_name_that_no_site_has_is_not_answered() -> None:
    """nginx takes the first server where none has the name, and none is called the default."""
    http = server_of_the_host()
    (server,) = [each for each in http if each.name == "server"]
    assert http.index(server) < http.index(Directive("include", ("/etc/nginx/conf.d/*.conf",)))
    assert Directive("return", ("444",)) in (server.block or ())
    assert not [each for each in server.block or () if "default_server" in each.arguments]


def test_the_log_has_no_query() -> None:
    (form,) = [each.arguments for each in server_of_the_host() if each.name == "log_format"]
    assert not re.search(r"\$(request|request_uri|args|query_string|http_referer)\b", " ".join(form))


def test_modules_and_manifests_have_the_types_that_browsers_want_and_are_compressed() -> None:
    """The distribution's list has neither, and a browser runs no module that comes as application/octet-stream."""
    http = server_of_the_host()
    (types,) = [each for each in http if each.name == "types"]
    assert http.index(Directive("include", ("/etc/nginx/mime.types",))) < http.index(types)
    found = {extension: each.name for each in types.block or () for extension in each.arguments}
    assert (found["mjs"], found["webmanifest"]) == ("text/javascript", "application/manifest+json")
    assert {found["mjs"], found["webmanifest"]} <= set(Site().values("gzip_types")[0])


def test_a_visitor_who_is_silent_is_not_waited_for() -> None:
    found = {each.name: each.arguments for each in server_of_the_host(nginx_client_timeout=7)}
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        assert found[name] == ("7s",)


@needs("systemd-analyze")
def test_systemd_finds_little_that_nginx_may_do(tmp_path: Path) -> None:
    file = tmp_path / "nginx.service"
    own = render("nginx", "sandbox.conf.j2", nginx_sandbox={"ProtectHome": "read-only"})
    assert "ProtectHome=read-only" in own
    file.write_text(own + "ExecStart=/usr/sbin/nginx\n")
    analysed = executed("systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", str(file))
    assert analysed.returncode == 0, analysed.stdout


def test_limits_of_the_inventory_reach_nginx() -> None:
    site = Site(nginx_client_max_body_size="50m", nginx_proxy_timeout=90)
    assert site.values("client_max_body_size") == [("50m",)]
    assert site.values("proxy_read_timeout", "/") == site.values("proxy_send_timeout", "/") == [("90s",)]


def test_nginx_waits_at_least_as_long_as_a_worker_may() -> None:
    ((timeout,),) = Site().values("proxy_read_timeout", "/")
    assert int(timeout.rstrip("s")) >= int(variables("gunicorn")["gunicorn_timeout"])


# PostgreSQL

VALUES = [
    ("log_line_prefix", "it's %m ", "it's %m "),
    ("log_line_prefix", "''", "''"),
    ("log_line_prefix", r"a\b\\c\'d", r"a\b\\c\'d"),
    ("application_name", "# no comment", "# no comment"),
    ("log_lock_waits", True, "on"),
    ("log_lock_waits", False, "off"),
    ("log_lock_waits", "on", "on"),
    ("max_connections", 123, "123"),
    ("max_connections", "123", "123"),
    ("checkpoint_completion_target", 0.5, "0.5"),
]
"""Settings as one writes them in the inventory, and as the server says that it understood them."""


def settings_text(**inputs: Any) -> str:
    return render("postgresql", "initech.conf.j2", __postgresql_info=HOST, **inputs)


def read_back(text: str) -> dict[str, str]:
    """Return the settings in a text by name, as postgresql.conf is read.

    Source of the rules: `guc-file.l` of PostgreSQL. A pair of apostrophes is one, and a backslash escapes what follows.
    """
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r"(\w+) = (?:'((?:[^'\\]|\\.|'')*)'|([\w.]+))", line)
            assert match, line
            name, quoted, bare = match.groups()
            found[name] = bare or re.sub(r"\\(.)|'(')", r"\1\2", quoted)
    return found


@pytest.mark.parametrize(("name", "value", "expected"), VALUES)
def test_a_setting_of_postgresql_is_quoted_so_that_it_means_what_was_written(
    name: str, value: Any, expected: str
) -> None:
    found = read_back(settings_text(postgresql_settings={name: value}))[name]
    assert {"True": "on", "False": "off"}.get(found, found) == expected


@needs("postgres")
@pytest.mark.parametrize(("name", "value", "expected"), VALUES)
def test_postgresql_itself_understands_a_setting_as_it_was_written(
    name: str, value: Any, expected: str, tmp_path: Path
) -> None:
    file = tmp_path / "postgresql.conf"
    places = [f"{place} = '{tmp_path}/none'" for place in ("data_directory", "hba_file", "ident_file")]
    file.write_text("\n".join([settings_text(postgresql_settings={name: value}), *places, ""]))
    result = executed("postgres", "-C", name, "-c", f"config_file={file}")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{expected}\n"


def test_postgresql_accepts_the_connections_that_gevent_makes_and_stores_no_weak_hash() -> None:
    found = read_back(settings_text())
    assert (found["max_connections"], found["password_encryption"]) == ("400", "scram-sha-256")
    assert read_back(settings_text(postgresql_max_connections=99))["max_connections"] == "99"


def test_postgresql_is_sized_by_its_host_and_by_its_part_of_it() -> None:
    assert read_back(settings_text())["shared_buffers"] == "1024MB"
    assert read_back(settings_text(postgresql_memory_share=1))["shared_buffers"] == "2048MB"
    # As text, where it came from the command line.
    assert read_back(settings_text(postgresql_memory_share="0.25"))["shared_buffers"] == "512MB"
    assert read_back(settings_text(postgresql_slow_query_seconds=0.25))["log_min_duration_statement"] == "250"


def test_only_a_database_that_others_reach_listens_to_them_and_shows_a_certificate() -> None:
    alone = render("postgresql", "initech.conf.j2", __postgresql_info=HOST, **REQUIRED)
    assert "listen_addresses" not in alone
    assert "ssl" not in alone
    shared = render(
        "postgresql", "initech.conf.j2", __postgresql_info=HOST, postgresql_clients=["10.0.0.11"], **REQUIRED
    )
    assert {"listen_addresses = '*'", "ssl_key_file = '/etc/ssl/initech/postgresql.key'"} <= set(shared.splitlines())
    assert "bind_address" not in "".join(mysql_text())
    assert {'bind_address = "*"', 'ssl_key = "/etc/ssl/initech/mysql.key"'} <= set(
        mysql_text(mysql_clients=["10.0.0.11"])
    )


@pytest.mark.parametrize("client", ["10.0.0.0/24", "web1.example.com", "10.0.0.%", ""])
@pytest.mark.parametrize("role", ["postgresql", "mysql"])
def test_a_client_that_is_no_single_address_is_refused_before_anything_is_changed(role: str, client: str) -> None:
    known = {**REQUIRED, **variables(role, **{f"{role}_clients": ["10.0.0.11", client]}), f"__{role}_info": HOST}
    (check,) = (each["ansible.builtin.assert"] for each in load_tasks(role, "tasks/check.yml")[1:])
    conditions = check["that"] if isinstance(check["that"], list) else [check["that"]]
    with pytest.raises(AnsibleError, match=r"is not the address of one host.* In database_clients list that"):
        [evaluate(f"{{{{ {condition} }}}}", known) for condition in conditions]


def test_a_client_of_mysql_is_named_as_the_server_names_it() -> None:
    known = variables("mysql", mysql_clients=["10.0.0.11", "FD00:0::12"])
    assert evaluate(known["__mysql_hosts"], known) == ["10.0.0.11", "fd00::12"]
    known = variables("mysql")
    assert evaluate(known["__mysql_hosts"], known) == ["127.0.0.1"]


def test_who_may_connect_is_named_by_address_and_role() -> None:
    names = {"postgresql_database": "shop", "postgresql_user": "owner"}
    known = variables("postgresql", **names)
    assert evaluate(known["__postgresql_rules"], known).strip() == "local shop +owner scram-sha-256"
    known = variables("postgresql", **names, postgresql_clients=["10.0.0.11", "fd00::12"])
    assert evaluate(known["__postgresql_rules"], known).strip().splitlines() == [
        "hostssl shop +owner 10.0.0.11/32 scram-sha-256",
        "hostssl shop +owner fd00::12/128 scram-sha-256",
    ]


@needs("postgres")
def test_postgresql_itself_accepts_what_is_computed(tmp_path: Path) -> None:
    file = tmp_path / "postgresql.conf"
    places = [f"{place} = '{tmp_path}/none'" for place in ("data_directory", "hba_file", "ident_file")]
    file.write_text("\n".join([settings_text(), *places, ""]))
    result = executed("postgres", "-C", "shared_buffers", "-c", f"config_file={file}")
    assert result.returncode == 0, result.stderr
    # Older ones count pages of 8 kB.
    assert result.stdout in ("1GB\n", "131072\n")


def test_what_the_inventory_sets_wins_over_what_the_role_sets() -> None:
    assert read_back(settings_text(postgresql_settings={"max_connections": 7}))["max_connections"] == "7"
    assert read_back(settings_text(postgresql_settings={"shared_buffers": "1GB"}))["shared_buffers"] == "1GB"
    assert "Max_Connections" not in settings_text(postgresql_settings={"Max_Connections": 7})
    assert read_back(settings_text(postgresql_settings={"Max_Connections": 7}))["max_connections"] == "7"


def test_the_second_role_of_a_rotation_is_cut_off_as_the_first_is() -> None:
    known = variables("postgresql", postgresql_user="shop", postgresql_statement_timeout=60)
    assert evaluate(known["__postgresql_timeouts"], known) == {
        "statement_timeout": "60s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "300s",
    }
    for tasks, expected in (
        ("database", "{{ __postgresql_timeouts }}"),
        ("second_user", "{{ __postgresql_timeouts | combine({'role': postgresql_user}) }}"),
    ):
        (block,) = yaml.safe_load((ROLES / "postgresql" / "tasks" / f"{tasks}.yml").read_text())
        role = block["block"][0]["community.postgresql.postgresql_user"]
        assert role["configuration"] == expected


# pgbouncer


def pgbouncer(template: str, release: str = "trixie", **inputs: Any) -> str:
    facts = {"processor_nproc": 4, "distribution_release": release}
    return render("pgbouncer", template, app_name="shop", database_name="it's", ansible_facts=facts, **inputs)


def test_the_pool_holds_no_password_and_listens_nowhere_but_on_its_socket() -> None:
    text = pgbouncer("pgbouncer.ini.j2", database_connections=80, pgbouncer_settings={"query_wait_timeout": 30})
    assert "it's = host=/run/postgresql port=5432 dbname='it''s'\n" in text
    settings = dict(line.split(" =", 1) for line in text.partition("[pgbouncer]\n")[2].splitlines())
    assert settings["listen_addr"].strip() == ""
    assert settings["unix_socket_dir"] == " /run/shop-pgbouncer"
    assert settings["max_db_connections"] == settings["default_pool_size"] == " 80"
    assert settings["max_client_conn"] == f" {4 * PGBOUNCER_CLIENTS}"
    assert settings["listen_backlog"] == " 4096"
    assert settings["query_wait_timeout"] == " 30"
    assert "auth_file" not in settings


@pytest.mark.parametrize(("release", "kind"), [("bookworm", "notify"), ("noble", "notify"), ("jammy", "exec")])
def test_a_pool_that_cannot_say_that_it_is_ready_is_not_waited_for(release: str, kind: str) -> None:
    assert f"\nType={kind}\n" in pgbouncer("pgbouncer.service.j2", release)


def test_the_app_finds_the_pool_where_all_others_find_the_server() -> None:
    assert unit(database_pool=True)["BindReadOnlyPaths"] == ["/run/shop-pgbouncer:/run/postgresql"]
    assert "shop-pgbouncer.service" in unit(database_pool=True)["After"][0]
    assert "pgbouncer" not in str(unit())
    assert "pgbouncer" not in str(unit(database_pool=True, database_engine="mysql"))


# initech.cnf of mysql


MYSQL_VALUES = [
    ("init_connect", 'SET @a = "b\\ # c"', 'SET @a = "b\\ # c"'),
    ("slow_query_log_file", "it's #1", "it's #1"),
    ("innodb_buffer_pool_size", "1G", "1G"),
    ("long_query_time", 0.5, "0.5"),
    ("slow_query_log", True, "True"),
]


@pytest.mark.parametrize(("name", "value", "expected"), MYSQL_VALUES)
def test_a_setting_of_mysql_is_quoted_so_that_it_means_what_was_written(name: str, value: Any, expected: str) -> None:
    text = render("mysql", "initech.cnf.j2", __mysql_info=HOST, mysql_settings={name: value})
    lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    # As MariaDB reads option files: what stands in quotes is whole, and a backslash escapes what follows.
    found = re.sub(r"\\(.)", r"\1", re.sub(r'^"(.*)"$', r"\1", lines[name]))
    assert found == expected


def mysql_text(**inputs: Any) -> list[str]:
    return render("mysql", "initech.cnf.j2", __mysql_info=HOST, **inputs).splitlines()


def test_mysql_accepts_the_connections_that_gevent_makes_and_stores_all_characters() -> None:
    lines = mysql_text()
    assert lines[1] == "[mariadbd]"
    assert {
        'character_set_server = "utf8mb4"',
        "max_connections = 400",
        'thread_handling = "one-thread-per-connection"',
    } <= set(lines)
    assert 'thread_handling = "pool-of-threads"' in mysql_text(database_pool=True)
    assert "max_connections = 7" in mysql_text(mysql_settings={"max_connections": 7})


def test_mysql_is_sized_by_its_host_and_by_its_part_of_it() -> None:
    assert 'innodb_buffer_pool_size = "2048M"' in mysql_text()
    assert 'innodb_buffer_pool_size = "1024M"' in mysql_text(mysql_memory_share="0.25")
    assert 'innodb_buffer_pool_size = "1G"' in mysql_text(mysql_settings={"innodb_buffer_pool_size": "1G"})


@pytest.mark.parametrize("packages", [["mariadb-server"], ["mysql-server"]])
def test_a_setting_of_mysql_wins_also_with_hyphens_as_my_cnf_has_them(packages: list[str]) -> None:
    given = {"innodb-buffer-pool-size": "1G", "max-connections": 7}
    lines = [line for line in mysql_text(mysql_settings=given, mysql_packages=packages) if "=" in line]
    found = {line.partition(" =")[0].replace("-", "_"): line for line in lines}
    assert len(found) == len(lines)
    assert found["max_connections"] == "max_connections = 7"
    assert found["innodb_buffer_pool_size"] == 'innodb_buffer_pool_size = "1G"'


def test_oracles_mysql_gets_its_own_section_and_nothing_that_only_mariadb_knows() -> None:
    packages = ["mysql-server"]
    lines = mysql_text(mysql_packages=packages)
    assert lines[1] == "[mysqld]"
    assert set(mysql_text()) - set(lines) == {
        "[mariadbd]",
        "idle_transaction_timeout = 300",
        'thread_handling = "one-thread-per-connection"',
    }
    known = variables("mysql", mysql_packages=packages)
    assert evaluate(known["__mysql_server"], known)["unit"] == "mysql.service"
    assert evaluate(known["__mysql_limits"], known) == {}


def test_in_the_grant_of_mysql_the_name_of_a_database_stands_for_no_other() -> None:
    known = variables("mysql", mysql_database="a_b%c")
    assert evaluate(known["__mysql_privileges"], known) == r"a\_b\%c.*:ALL"


# postgresql's place


@pytest.mark.parametrize(
    ("release", "asked", "version"),
    [
        ("bookworm", "", 15),
        ("trixie", "", 17),
        ("jammy", "", 14),
        ("noble", "", 16),
        ("resolute", "", 18),
        ("trixie", "18", 18),
        ("unknown", "16", 16),
    ],
)
def test_settings_go_to_the_cluster_of_the_distributions_own_version_or_the_one_asked_for(
    release: str, asked: str, version: int
) -> None:
    known = variables("postgresql", postgresql_version=asked, ansible_facts={"distribution_release": release})
    assert evaluate(known["__postgresql_configuration"], known) == f"/etc/postgresql/{version}/main"
    assert f"postgresql-{version}" in evaluate(known["__postgresql_packages"], known)
