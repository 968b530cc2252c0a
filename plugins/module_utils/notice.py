"""What others are told of a deploy or rollback that has ended, on the controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.history import LONGEST_MESSAGE

PREFIX = "initech.django."
NEW = frozenset([f"{PREFIX}unpack", f"{PREFIX}stage"])
"""What makes a release, and so is changed only where there is something new."""

MARKS = ("fatal:", "failed:", "[ERROR]", "ERROR")
"""How lines of Ansible's begin that say why it failed, the best first."""

COMPLAINT_LINES = 10


@dataclass
class Run:
    """What was seen of one run of a playbook.

    Attributes:
        tasks: the file of tasks that tells others; empty until the run has come to where it changes something.
        about: the app, its environment and its URL.
        kind: `deploy` or `rollback`.
        release: the id of what was to go live.
        version: what was asked for.
        called: how people call that, where it was promoted.
        commit: what it means.
        is_new: whether a release was made.
        switched: the hosts on which another release went live.
        step: where it failed.
        host: on which host.
        why: the first line of the message.
    """

    tasks: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    kind: str = "deploy"
    release: str = ""
    version: str = ""
    called: str = ""
    commit: str = ""
    is_new: bool = False
    switched: list[str] = field(default_factory=list)
    step: str = ""
    host: str = ""
    why: str = ""

    def saw(self, action: str, host: str, result: Mapping[str, Any]) -> None:
        """Take notice of a task that went well.

        Args:
            action: what it called.
            host: for which host.
            result: what that returned.
        """
        changed = bool(result.get("changed"))
        if action == f"{PREFIX}hooks":
            self.tasks, self.about = result.get("notify", ""), result.get("about") or {}
        elif action == f"{PREFIX}pack":
            self.release, self.version, self.commit = result["release"], result["version"], result["commit"]
        elif action == f"{PREFIX}promotion":
            self.called = result["called"]
        elif action == f"{PREFIX}rollback_target":
            self.kind, self.release = "rollback", result["target"]
        elif action in NEW:
            self.is_new = self.is_new or changed
        elif action == f"{PREFIX}switch" and changed:
            back = went_back(result)
            others = [each for each in self.switched if each not in (back or [host])]
            self.switched = others if back else [*others, host]

    def failed(self, task: str, host: str, result: Mapping[str, Any]) -> None:
        """Take notice of a task that failed. Whether somebody came to its rescue is seen in the end.

        Args:
            task: its name.
            host: for which host.
            result: what it returned.
        """
        back = went_back(result)
        self.switched = [each for each in self.switched if each not in back]
        said = str(result.get("msg") or "").strip().partition("\n")[0]
        self.step, self.host = task.rpartition(" : ")[2].partition(" | ")[0], host
        # Only its first line: what a project printed while it failed is not for everybody.
        self.why = said[:LONGEST_MESSAGE]

    def outcome(self, *, is_good: bool) -> str:
        """Return how it ended: deployed, rolled back, prepared, unchanged or failed."""
        if not is_good:
            return "failed"
        if self.switched:
            return "rolled back" if self.kind == "rollback" else "deployed"
        return "prepared" if self.is_new else "unchanged"

    def told(self, who: str, *, is_good: bool) -> dict[str, Any]:
        """Return what others are told.

        Args:
            who: deployed, and from where.
            is_good: whether every host came to the end.
        """
        outcome = self.outcome(is_good=is_good)
        version = self.called or self.version
        about = {name: self.about.get(name, "") for name in ("app", "environment", "url")}
        return {
            **about,
            "outcome": outcome,
            "kind": self.kind,
            "release": self.release,
            "version": version,
            "commit": self.commit,
            "who": who,
            "hosts": list(self.switched),
            "message": self.message(outcome, about, version),
        }

    def message(self, outcome: str, about: Mapping[str, str], version: str) -> str:
        """Return that as a sentence."""
        what = f"{about['app']} {version} ({self.commit[:8]})" if self.commit else about["app"]
        where = about["environment"]
        on = f" on {', '.join(self.switched)}" if self.switched else ""
        sentences = {
            "deployed": f"{what} is live in {where}, as release {self.release}{on}.",
            "rolled back": f"{what} went back in {where}, to release {self.release}{on}.",
            "prepared": f"{what} is prepared in {where}, and not live.",
            "unchanged": f"{what} was live in {where} already.",
        }
        if outcome in sentences:
            return sentences[outcome]
        doing = "The rollback" if self.kind == "rollback" else "The deploy"
        at = f" at {self.step} on {self.host}" if self.step else ""
        why = f": {self.why.rstrip('.')}" if self.why else ""
        look = f"What is live now: ansible-playbook releases.yml -l {where}"
        return f"{doing} of {what} in {where} failed{at}{why}. {look}"


def went_back(result: Mapping[str, Any]) -> list[str]:
    """Return the hosts that went back: whoever switches in the name of others, in a loop, has these do so."""
    # Of other tasks it may be anything.
    loop = [each for each in result.get("results") or () if isinstance(each, Mapping)]
    return [each["__release_host"] for each in loop if each.get("changed") and "__release_host" in each]


def command(playbook: str, options: Mapping[str, Any], facts: str) -> list[str]:
    """Return the arguments of Ansible by which others are told, with the inventory and the passwords of this run.

    Args:
        playbook: that tells them.
        options: of this run, as Ansible has them.
        facts: the path of a file with what they are told.
    """

    def each(flag: str, values: Sequence[str] | None) -> list[str]:
        return [part for value in values or () for part in (flag, str(value))]

    limit = ["-l", options["subset"]] if options.get("subset") else []
    # Nobody is there to be asked for another password.
    vaults = [value for value in options.get("vault_ids") or () if not str(value).endswith("@prompt")]
    return [
        playbook,
        *each("-i", options.get("inventory")),
        *limit,
        *each("--vault-id", vaults),
        *each("--vault-password-file", options.get("vault_password_files")),
        *each("-e", options.get("extra_vars")),
        "-e",
        f"@{facts}",
    ]


def complaint(output: str) -> str:
    """Return what a run of Ansible says of why it failed, in a few lines."""
    lines = output.splitlines()
    found = [number for mark in MARKS for number, line in enumerate(lines) if line.startswith(mark)]
    first = found[0] if found else max(len(lines) - COMPLAINT_LINES, 0)
    last = next((number for number, line in enumerate(lines) if line.startswith("PLAY RECAP")), len(lines))
    return "\n".join(line for line in lines[first : min(first + COMPLAINT_LINES, last)] if line.strip())
