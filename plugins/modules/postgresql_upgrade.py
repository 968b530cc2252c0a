"""Upgrade the data of a PostgreSQL server to another major version."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import versions
from ansible_collections.initech.django.plugins.module_utils.backups import duration
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: postgresql_upgrade
short_description: Copy the data of a PostgreSQL cluster to a new cluster of another version, with pg_upgradecluster
description:
  - The old cluster is kept, stopped. Where the upgrade fails, it is started again.
  - It runs under systemd, and ends whatever becomes of the connection. The next run waits for one that still runs.
  - What one that was killed left half-made is removed, and the upgrade begun again.
author: The initech.django team
options:
  old:
    description: The version whose cluster is to be upgraded. Empty where there is none, or it was done before.
    type: str
    required: true
  version:
    description: The version to upgrade to.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Upgrades nothing.
"""
EXAMPLES = """
- name: Upgrade
  initech.django.postgresql_upgrade:
    old: "15"
    version: "17"
"""
RETURN = """
took:
  description: How long it took.
  type: str
  returned: success
  sample: 1 min 5 s
"""

UNIT = "postgresql-upgrade.service"
CLUSTERS = "The clusters cannot be listed"


def is_running() -> bool:
    """Tell whether an upgrade runs."""
    state = run(["systemctl", "show", "--property=ActiveState", "--value", UNIT]).stdout.strip()
    return state not in ("inactive", "failed")


def wait() -> None:
    """Wait until no upgrade runs.

    Raises:
        Problem: that takes too long.
    """
    deadline = time.monotonic() + DAY
    while is_running():
        if time.monotonic() > deadline:
            raise Problem(f"{UNIT} still runs. Type the same again when it has ended.")
        time.sleep(0.5)


def begin_again(old: str, version: str) -> None:
    """Remove what an upgrade that failed or was killed left half-made, and make the old cluster the live one again.

    Raises:
        Problem: it cannot be removed, or the old one does not start.
    """
    if Path("/etc/postgresql", version, versions.NAME, "postgresql.conf").exists():
        command = ["pg_dropcluster", "--stop", version, versions.NAME]
        run_or_fail(command, f"What an upgrade left half-made of {version}/{versions.NAME} cannot be removed")
    shutil.rmtree(Path("/var/lib/postgresql", version, versions.NAME), ignore_errors=True)
    start = f"{old}/{versions.NAME} does not start again"
    run_or_fail(["pg_conftool", old, versions.NAME, "set", "port", str(versions.PORT)], start)
    Path("/etc/postgresql", old, versions.NAME, "start.conf").write_text("auto\n", encoding="ascii")
    run_or_fail(["systemctl", "daemon-reload"], start)
    run_or_fail(["systemctl", "restart", f"postgresql@{old}-{versions.NAME}.service"], start, timeout=DAY)


def go_on(old: str, version: str) -> str:
    """Have the old cluster go on after an upgrade that failed, and return what became of it.

    Not every version of Debian's tool does so: where the old one was stopped already, some stop at that.
    """
    try:
        wait()
        mine = versions.find(version, versions.parse(run_or_fail(["pg_lsclusters", "--json"], CLUSTERS)))
        # The port is the last that the new one gets.
        if mine and mine.port == versions.PORT:
            return f"The new cluster {mine} has taken over all the same. Type the same again, which does what is left."
        begin_again(old, version)
        versions.draft(version).unlink(missing_ok=True)
    except Problem as problem:
        return (
            f"The old cluster does not go on, though its data is as it was: {problem}\n"
            "What is half-made the next run removes. Type the same again."
        )
    return (
        f"The old cluster {old}/{versions.NAME} goes on, and its data is as it was. Mend what it says, and type the "
        "same again."
    )


def upgrade(old: str, version: str) -> str:
    """Upgrade, and return how long it took.

    Raises:
        Problem: it failed; with what the tool said.
    """
    started = time.time()
    draft = versions.draft(version)
    wait()
    clusters = versions.parse(run_or_fail(["pg_lsclusters", "--json"], CLUSTERS))
    mine = versions.find(version, clusters)
    if mine is None or versions.is_half_made(mine, draft.exists()):
        data = Path("/var/lib/postgresql", version, versions.NAME)
        if draft.exists():
            begin_again(old, version)
        elif data.exists():
            raise Problem(f"{data} is there, and belongs to no cluster. Move it away, then type the same again.")
        draft.touch()
        tool = f"pg_upgradecluster --method=upgrade --version={version} {old} {versions.NAME} && rm {draft}"
        command = ["systemd-run", f"--unit={UNIT}", "--collect", "--wait", "--quiet", "sh", "-c", tool]
        result = run(command, timeout=DAY)
        if result.returncode != 0:
            journal = ["journalctl", "--no-pager", "--output=cat", f"--unit={UNIT}", f"--since=@{started:.3f}"]
            said = run([*journal, "--lines=40"]).stdout.strip()
            raise Problem(
                f"The upgrade from {old} failed. journalctl --unit=postgresql-upgrade on the host says:\n{said}\n"
                f"{result.stderr.strip()}\n{go_on(old, version)}"
            )
    return duration(time.time() - started)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"old": {"type": "str", "required": True}, "version": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    old, version = module.params["old"], module.params["version"]
    took = "no time"
    try:
        if old and not module.check_mode:
            took = upgrade(old, version)
        # One that was killed in the instant after it had done all.
        elif versions.draft(version).exists() and not module.check_mode:
            wait()
            versions.draft(version).unlink(missing_ok=True)
        module.exit_json(changed=bool(old), took=took)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
