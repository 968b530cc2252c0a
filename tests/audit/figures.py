"""Read what auditors' tools print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

GRAVE = ("HIGH", "CRITICAL")


@dataclass(frozen=True)
class Figure:
    """What a tool says of a host.

    Attributes:
        host: which.
        measure: what was measured.
        value: what was found.
        goal: what was to be found, in words.
        is_met: whether that is so.
        findings: what the tool finds fault with, and nobody waived.
    """

    host: str
    measure: str
    value: str
    goal: str
    is_met: bool
    findings: Sequence[str] = ()


@dataclass(frozen=True)
class Waiver:
    """A finding that is accepted.

    Attributes:
        tool: whose.
        id: what the tool calls it.
        reason: why.
    """

    tool: str
    id: str
    reason: str


def unwaived(tool: str, findings: Mapping[str, str], waivers: Iterable[Waiver]) -> list[str]:
    """Return the findings of a tool, by what it calls them, that no waiver accepts."""
    waived = {waiver.id for waiver in waivers if waiver.tool == tool}
    return [f"{name}: {text}" for name, text in findings.items() if name not in waived]


def exposure(text: str) -> float:
    """Return what systemd-analyze security says at its end.

    Raises:
        ValueError: it says nothing.
    """
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
    if not found:
        raise ValueError(f"systemd-analyze: {text[-500:]}")
    return float(found[1])


def testssl(text: str) -> tuple[str, int, dict[str, str]]:
    """Return the grade, the score and what is grave in the JSON of testssl.sh.

    Raises:
        KeyError: it has no grade.
    """
    entries = {entry["id"]: entry for entry in json.loads(text)}
    grave = {name: entry["finding"] for name, entry in entries.items() if entry["severity"] in GRAVE}
    return entries["overall_grade"]["finding"], int(entries["final_score"]["finding"]), grave


def ssh_audit(text: str) -> dict[str, str]:
    """Return what ssh-audit fails and warns of."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in text.splitlines()]
    return {line.strip(): "" for line in lines if re.search(r"\[(fail|warn)\]", line)}


def gixy(text: str) -> dict[str, str]:
    """Return the issues in the JSON of gixy, by its check: each of those is waived as a whole."""
    found: dict[str, list[str]] = {}
    for entry in json.loads(text):
        found.setdefault(entry["plugin"], []).append(entry.get("reason") or entry["summary"])
    return {name: "; ".join(reasons) for name, reasons in found.items()}


def lynis(text: str) -> tuple[int, list[str]]:
    """Return the hardening index in lynis' report, and what it suggests.

    Raises:
        ValueError: it has no index.
    """
    found = re.search(r"^hardening_index=(\d+)$", text, re.MULTILINE)
    if not found:
        raise ValueError("lynis: the report has no hardening_index")
    said = re.findall(r"^(?:warning|suggestion)\[\]=([^|]+)\|([^|]*)", text, re.MULTILINE)
    return int(found[1]), [f"{name}: {what}" for name, what in said]


def open_ports(text: str) -> list[int]:
    """Return the ports of TCP that nmap found open, in its output for grep."""
    return [int(port) for port in re.findall(r"\b(\d+)/open/tcp", text)]


def security_updates(text: str) -> dict[str, str]:
    """Return the packages that apt-get -s upgrade would replace for reasons of security."""
    found = re.findall(r"^Inst (\S+) .*?\((.*?)[,\]]? ?(?:\[.*)?\)", text, re.MULTILINE)
    return {package: where for package, where in found if "security" in where.lower()}


def table(figures: Iterable[Figure]) -> list[str]:
    """Return figures as a table in Markdown: a row for a measure, a column for a host."""
    hosts = list(dict.fromkeys(figure.host for figure in figures))
    found: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        found.setdefault(figure.measure, {})[figure.host] = figure
    lines = [f"| measure | goal | {' | '.join(hosts)} |", f"| --- | --- |{' --- |' * len(hosts)}"]
    for measure, by_host in found.items():
        values = [_cell(by_host.get(host)) for host in hosts]
        goal = next(iter(by_host.values())).goal
        lines.append(f"| {measure} | {goal} | {' | '.join(values)} |")
    return lines


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return figure.value if figure.is_met else f"**{figure.value}, missed**"
