"""What auditors' tools print is read as it is meant."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

AUDIT = Path(__file__).resolve().parents[1] / "audit"


def load(name: str) -> ModuleType:
    """Import what is no part of the collection."""
    spec = importlib.util.spec_from_file_location(f"audit_{name}", AUDIT / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


figures = load("figures")


def test_the_exposure_is_the_last_word_of_systemd() -> None:
    assert figures.exposure("...\n→ Overall exposure level for shop@x.service: 1.2 OK :-)\n") == 1.2
    with pytest.raises(ValueError, match="Unit not found"):
        figures.exposure("Unit not found")


def test_of_testssl_the_grade_the_score_and_what_is_grave_count() -> None:
    entries = [
        {"id": "overall_grade", "severity": "OK", "finding": "A+"},
        {"id": "final_score", "severity": "INFO", "finding": "96"},
        {"id": "cert_chain", "severity": "HIGH", "finding": "not trusted"},
        {"id": "BREACH", "severity": "LOW", "finding": "gzip"},
    ]
    assert figures.testssl(json.dumps(entries)) == ("A+", 96, {"cert_chain": "not trusted"})


def test_of_ssh_audit_failures_and_warnings_count_whatever_their_colour() -> None:
    text = "(kex) a -- \x1b[31m[fail] weak\x1b[0m\n(mac) b -- [warn] old\n(enc) c -- [info] since 5\nexit 3\n"
    assert list(figures.ssh_audit(text)) == ["(kex) a -- [fail] weak", "(mac) b -- [warn] old"]


def test_the_issues_of_gixy_are_told_by_check() -> None:
    issues = [{"plugin": "a", "reason": "x"}, {"plugin": "a", "reason": "y"}, {"plugin": "b", "summary": "z"}]
    assert figures.gixy(json.dumps(issues)) == {"a": "x; y", "b": "z"}


def test_of_lynis_the_index_and_what_it_suggests_count() -> None:
    text = "hardening_index=78\nsuggestion[]=USB-1000|Disable it|-|-|\nwarning[]=X-1|Bad|\n"
    assert figures.lynis(text) == (78, ["USB-1000: Disable it", "X-1: Bad"])
    with pytest.raises(ValueError, match="no hardening_index"):
        figures.lynis("")


def test_only_open_ports_are_open() -> None:
    text = "Host: 192.0.2.1 ()\tPorts: 22/open/tcp//ssh///, 81/closed/tcp//x///, 443/open/tcp//https///"
    assert figures.open_ports(text) == [22, 443]


def test_of_updates_only_those_of_security_count() -> None:
    text = (
        "Inst libc6 [2.36-9] (2.36-10 Debian:12.5/stable [amd64])\n"
        "Inst libzstd1 [1.5.7+dfsg-1] (1.5.7+dfsg-1+deb13u1 Debian-Security:13/stable-security [amd64])\n"
        "Conf libzstd1 (1.5.7+dfsg-1+deb13u1 Debian-Security:13/stable-security [amd64])\n"
    )
    assert list(figures.security_updates(text)) == ["libzstd1"]


def test_what_is_waived_is_waived_for_one_tool() -> None:
    waivers = [figures.Waiver("gixy-ng", "a", "since")]
    assert figures.unwaived("gixy-ng", {"a": "x", "b": "y"}, waivers) == ["b: y"]
    assert figures.unwaived("lynis", {"a": "x"}, waivers) == ["a: x"]


def test_a_table_has_a_row_for_a_measure_and_shows_what_is_missed() -> None:
    found = [
        figures.Figure("12", "ports", "22", "22", True),
        figures.Figure("13", "ports", "22, 25", "22", False),
        figures.Figure("13", "lynis", "80", "at least 78", True),
    ]
    assert figures.table(found) == [
        "| measure | goal | 12 | 13 |",
        "| --- | --- | --- | --- |",
        "| ports | 22 | 22 | **22, 25, missed** |",
        "| lynis | at least 78 |  | 80 |",
    ]


def test_every_waiver_has_its_reason() -> None:
    for each in yaml.safe_load((AUDIT / "waivers.yml").read_text(encoding="utf-8")):
        assert figures.Waiver(**each).reason.strip()
