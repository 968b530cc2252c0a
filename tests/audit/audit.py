"""Have hosts that were provisioned and deployed to audited by tools that others wrote.

`make audit` boots a Debian 12 and a Debian 13, deploys the example to them, and an auditor, another host, that looks at
them from outside. It writes build/audit.json and the table in docs/security.md, and fails where a goal is missed.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import figures
import yaml
from figures import Figure, Waiver

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "audit"
DOCUMENT = ROOT / "docs" / "security.md"
MARKS = ("<!-- audit -->", "<!-- end of audit -->")
AUDITED = {"audited-12": "debian12", "audited-13": "debian13"}
AUDITOR = "auditor"
NAME = "audit.test"
TOOLS = "nmap ssh-audit testssl.sh"
CURRENT = "/srv/slow-sql/current"

UNITS = {
    "web": (f"slow-sql@$(basename $(readlink {CURRENT})).service", 1.2),
    "worker": (f"slow-sql.idle.1@$(basename $(readlink {CURRENT})).service", 1.2),
    "timer": ("slow-sql.check.service", 1.2),
    "command of a timer": (f"slow-sql.check@$(basename $(readlink {CURRENT})).service", 1.2),
    "nginx": ("nginx.service", 3.0),
    "PgBouncer": ("slow-sql-pgbouncer.service", 3.0),
    "backup of the database": ("initech-backup@diff.service", 3.0),
    "backup of uploads": ("slow-sql-media-backup.service", 3.0),
}
"""The units by what they are called in the table, and the most that their exposure may be."""


def throwaway(*arguments: str, check: bool = True) -> str:
    """Run the script that has the hosts, and return what it printed."""
    command = [sys.executable, str(ROOT / "molecule" / "throwaway.py"), *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and result.returncode != 0:
        raise RuntimeError(f"{shlex.join(arguments)}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result.stdout


def on(host: str, command: str, *, check: bool = True) -> str:
    """Run a shell command on a host as root, and return what it printed."""
    return throwaway("run", host, "--", "sh", "-c", command, check=check)


def deploy() -> None:
    """Provision the hosts and deploy the example to them, with all that has a unit."""
    variables = {
        "ansible_ssh_common_args": f"-F '{ROOT}/.throwaway/ssh_config'",
        "app_environment": "audit",
        "app_name": "slow-sql",
        "database_engine": "postgresql",
        "database_name": "slow_sql",
        "database_user": "slow_sql",
        "database_password": "only-of-a-host-that-lives-for-an-hour",
        "database_pool": True,
        "backup_enabled": True,
        "backup_passphrase": "only-of-a-host-that-lives-for-an-hour",
        "nginx_server_names": [NAME],
        "tls_source": "selfsigned",
        "release_repository": str(ROOT),
        "release_subdirectory": "examples/slow_sql",
        "release_health_path": "/healthz",
        "release_env": {
            "ENVIRONMENT": "demo",
            "DEBUG": False,
            "SECRET_KEY": "only-of-a-host-that-lives-for-an-hour",
            "DATABASE_URL": "{{ lookup('initech.django.database_url') }}",
            "ALLOWED_HOSTS": [NAME],
        },
        "processes_workers": [{"name": "idle", "command": "/bin/sleep infinity"}],
        "processes_timers": [{"name": "check", "command": "manage.py check", "calendar": "daily"}],
    }
    inventory = BUILD / "inventory.json"
    inventory.write_text(json.dumps({"audit": {"hosts": dict.fromkeys(AUDITED), "vars": variables}}))
    command = ["ansible-playbook", "site.yml", "-i", str(inventory), "-l", "audit"]
    with (BUILD / "site.log").open("w") as log:
        if subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode != 0:
            raise RuntimeError(f"site.yml failed: {BUILD}/site.log")


def prepare(auditor: str, host: str) -> str:
    """Let the auditor know a host by its name and its authority, and return its address."""
    address = on(host, "hostname --all-ip-addresses").split()[0]
    authority = on(host, "cat /etc/ssl/initech/authority.crt")
    on(auditor, f"sed -i '/ {NAME}$/d' /etc/hosts; echo '{address} {NAME}' >> /etc/hosts")
    on(auditor, f"cat > /root/authority.crt <<'END'\n{authority}END")
    return address


def audit(host: str, waivers: list[Waiver]) -> Iterator[Figure]:
    """Yield the figures of a host."""
    address = prepare(AUDITOR, host)

    for what, (unit, most) in UNITS.items():
        found = figures.exposure(on(host, f"systemd-analyze security --no-pager {unit}"))
        yield Figure(host, f"exposure, {what}", f"{found}", f"at most {most}", found <= most)

    on(
        AUDITOR,
        f"rm -f /root/tls.json; testssl --quiet --color 0 --ip {address} --add-ca /root/authority.crt "
        f"--jsonfile /root/tls.json https://{NAME} >/dev/null",
        check=False,
    )
    grade, score, grave = figures.testssl(on(AUDITOR, "cat /root/tls.json"))
    left = figures.unwaived("testssl.sh", grave, waivers)
    yield Figure(
        host, "testssl.sh", f"{grade}, {score}", "A+, at least 96", grade == "A+" and score >= 96 and not left, left
    )

    faults = figures.ssh_audit(on(AUDITOR, f"ssh-audit {address}; echo exit $?"))
    left = figures.unwaived("ssh-audit", faults, waivers)
    yield Figure(host, "ssh-audit", f"{len(left)} failures and warnings", "none", not left, left)

    on(AUDITOR, "mkdir -p /root/nginx")
    configuration = on(host, "nginx -T 2>/dev/null")
    on(AUDITOR, f"cat > /root/nginx/nginx.conf <<'END'\n{configuration}\nEND")
    left = figures.unwaived(
        "gixy-ng", figures.gixy(on(AUDITOR, "/root/gixy/bin/gixy -f json /root/nginx/nginx.conf", check=False)), waivers
    )
    yield Figure(host, "gixy-ng", f"{len(left)} issues", "none", not left, left)

    on(host, "rm -f /var/log/lynis-report.dat; lynis audit system --quick --no-colors >/dev/null", check=False)
    index, said = figures.lynis(on(host, "cat /var/log/lynis-report.dat"))
    yield Figure(host, "lynis, in a container", f"{index}", "at least 78", index >= 78, said)

    updates = figures.security_updates(on(host, "apt-get -qq update && apt-get --simulate upgrade"))
    yield Figure(host, "security updates not installed", f"{len(updates)}", "none", not updates, list(updates))

    ports = figures.open_ports(on(AUDITOR, f"nmap -Pn -p- -oG - {address}"))
    yield Figure(host, "open ports", ", ".join(map(str, ports)), "22, 80, 443", ports == [22, 80, 443])


def write(found: list[Figure]) -> None:
    """Write what was found to the file and the document."""
    file = ROOT / "build" / "audit.json"
    file.write_text(json.dumps([vars(figure) for figure in found], indent=2) + "\n")
    before, _, rest = DOCUMENT.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    lines = [MARKS[0], "", *figures.table(found), "", f"Seen on {datetime.now(timezone.utc):%Y-%m-%d}.", "", MARKS[1]]
    DOCUMENT.write_text(before + "\n".join(lines) + after)


def main() -> int:
    """Run the audit."""
    BUILD.mkdir(parents=True, exist_ok=True)
    waivers = [Waiver(**each) for each in yaml.safe_load((ROOT / "tests" / "audit" / "waivers.yml").read_text())]
    for host, distribution in {**AUDITED, AUDITOR: "debian13"}.items():
        throwaway("up", host, "--distribution", distribution)
    print("deploying", flush=True)
    deploy()
    on(
        AUDITOR,
        f"apt-get -qq update && apt-get -qq install --yes --no-install-recommends {TOOLS} python3-venv >/dev/null",
    )
    on(
        AUDITOR,
        "test -e /root/gixy/bin/gixy || { python3 -m venv /root/gixy && /root/gixy/bin/pip -q install gixy-ng; }",
    )
    found: list[Figure] = []
    for host in AUDITED:
        # Afterwards, and it alone: what lynis itself brings is not counted.
        on(host, "apt-get -qq install --yes --no-install-recommends lynis >/dev/null")
        for figure in audit(host, waivers):
            print(f"{figure.host}: {figure.measure}: {figure.value} ({figure.goal})", flush=True)
            for finding in () if figure.is_met else figure.findings:
                print(f"    {finding}")
            found.append(figure)
    write(found)
    if all(figure.is_met for figure in found):
        throwaway("down", *AUDITED, AUDITOR)
        return 0
    print(f"The hosts are left for a look: python3 molecule/throwaway.py down {' '.join(AUDITED)} {AUDITOR}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
