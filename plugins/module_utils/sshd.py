"""See that what a file says of sshd is what sshd does: of an option said more than once the first counts."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.commands import run
from ansible_collections.initech.django.plugins.module_utils.files import refusal
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

CONFIG = Path("/etc/ssh/sshd_config")
DEPENDENT = "listenaddress"
"""It is told with the port, which may well be said elsewhere."""
NO_PORT = ("-C", "lport=65535")
"""What counts for some connections alone is not meant. Where that is said of a port, sshd tells nothing without one."""


def not_in_force(written: str, alone: str, whole: str) -> list[str]:
    """Return the lines of a file that are not in force.

    What sshd tells is compared with what it tells, since it has words of its own: `without-password`, 120 for 2m. Of
    options that add up, such as HostKey, others may have more.

    Args:
        written: the file.
        alone: what `sshd -T` tells where that file is the whole configuration.
        whole: what it tells of the configuration that is in force.
    """
    told = set(whole.splitlines())
    lacking = {line.partition(" ")[0] for line in alone.splitlines() if line not in told} - {DEPENDENT}
    return [line for line in written.splitlines() if line.partition(" ")[0].lower() in lacking]


def require_in_force(file: Path) -> None:
    """Require that sshd does what a file below sshd_config.d says.

    Args:
        file: which.

    Raises:
        Problem: it does not, and what is to be changed for it.
    """
    if lines := not_in_force(file.read_text(encoding="utf-8"), _told("-f", str(file)), _told()):
        raise Problem(
            f"sshd does not do what {file} says, since {CONFIG} says otherwise before, or does not have it read. "
            f"Not in force: {'; '.join(lines)}. On the host, let this be the first line of {CONFIG}, and stand there "
            f"only once: Include {file.parent}/*.conf. Where it is, rename the files there that come before "
            f"{file.name}. Then type on the host: systemctl reload ssh, and here the same again"
        )


def _told(*options: str) -> str:
    result = run(["/usr/sbin/sshd", "-T", *options, *NO_PORT])
    if wrong := refusal(result):
        raise Problem(f"sshd does not tell what it does:\n{wrong}")
    return result.stdout
