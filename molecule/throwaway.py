#!/usr/bin/env python3
"""Boot throwaway Debian and Ubuntu hosts: real systemd, real sshd, gone with one command.

The demo, Molecule and the benches all get their hosts here:

    python3 molecule/throwaway.py up demo --publish 8080:80
    ssh -F .throwaway/ssh_config demo
    python3 molecule/throwaway.py down demo

A host is a podman container whose process 1 is systemd, from an image that mmdebstrap builds out of the
distribution's own packages, so no container registry is involved. Ports are published on 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import resource
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / ".throwaway"
SSH_CONFIG = FILES / "ssh_config"
KEY = FILES / "id_ed25519"
LABEL = "initech-throwaway"

# Shared by every checkout on the machine: locks, and the lasting mount namespace where one is needed.
STATE = Path("/run/initech-throwaway")
NAMESPACE = STATE / "mnt"

SUITES = {
    "debian12": "bookworm",
    "debian13": "trixie",
    "ubuntu2204": "jammy",
    "ubuntu2404": "noble",
    "ubuntu2604": "resolute",
}
DEFAULT_DISTRIBUTION = "debian13"
TOOLS = {  # what the machine must have, and the package that brings it
    "podman": "podman",
    "crun": "crun",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
BROWSER = {  # and for tests that are a visitor
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "certutil": "libnss3-tools",
}
# What it warns of is not what a host prints.
PODMAN = ("podman", "--log-level=error")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
BOOT_SECONDS = 90

PACKAGES = "apt,systemd,systemd-sysv,dbus,python3,sudo,ca-certificates,iproute2,procps,openssh-server"
CUSTOMISATION = (
    # "*" and not the locked "!": sshd without PAM refuses locked accounts even with a key.
    """chroot "$1" useradd --create-home --shell /bin/bash --password '*' admin""",
    """echo 'admin ALL=(ALL:ALL) NOPASSWD: ALL' > "$1/etc/sudoers.d/admin" && chmod 0440 "$1/etc/sudoers.d/admin" """,
    # No host shares its keys or its machine id with another.
    """rm -f "$1"/etc/ssh/ssh_host_*_key* && : > "$1/etc/machine-id" """,
    # A container loads no kernel modules, and must not open login prompts on the machine's own terminals.
    """chroot "$1" systemctl mask systemd-modules-load.service getty.target""",
)
# Behind a company's proxy the host must trust what the machine trusts. Mounted here and not over the host's own bundle,
# which update-ca-certificates must be able to replace, and then it finds these again.
MACHINE_CA = "/usr/local/share/ca-certificates/throwaway-machine.crt"
# Every boot has an id of its own, as on a real machine; a container would show the kernel's, and whoever waits for a
# reboot (ansible.builtin.reboot does it by this id) would wait in vain. ssh-keygen makes only the keys not there yet.
# What a host set of the kernel would be set for the machine, so it sets nothing but its own network's.
INIT = """\
ssh-keygen -A
for kind in /proc/sys/*/; do
    test "$kind" = /proc/sys/net/ && continue
    mount --bind "$kind" "$kind"
    mount -o remount,bind,ro "$kind"
done
cat /proc/sys/kernel/random/uuid > /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
exec /sbin/init"""
NAMESPACE_SCRIPT = f"""
# The kernel keeps a mount namespace only on a mount that is private.
mountpoint -q {STATE} || {{ mount --bind {STATE} {STATE}; mount --make-private {STATE}; }}
touch {NAMESPACE}
umount {NAMESPACE} 2>/dev/null || :
# Where /run outlives a reboot, podman would take dead containers for running ones. This tells it of that.
pidof conmon >/dev/null || rm -rf /run/libpod/alive /run/crun /var/lib/cni/networks/podman
exec unshare --mount={NAMESPACE} --propagation=slave sh -euc '
    umount --recursive --lazy /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup'
"""


class HostError(Exception):
    """What went wrong and what to type next, in words for the person at the terminal."""


class Port(NamedTuple):
    """A port of the host (``guest``), published on 127.0.0.1 of this machine (``local``)."""

    local: int
    guest: int


@dataclass(frozen=True)
class Host:
    """A throwaway host of this checkout as podman knows it."""

    name: str
    distribution: str
    state: str
    ports: tuple[Port, ...]

    @property
    def ssh_port(self) -> int:
        """The port on 127.0.0.1 that leads to the host's sshd."""
        return next(port.local for port in self.ports if port.guest == 22)


# --- Pure parts -----------------------------------------------------------------------------------------------------


def recipe(distribution: str) -> tuple[str, ...]:
    """Return the command that builds the image, less the file it writes. No mirror: the tool's default decides."""
    hooks = (f"--customize-hook={hook.strip()}" for hook in CUSTOMISATION)
    # A server that Ubuntu installs has both.
    components = ("--components=main,universe",) if is_ubuntu(distribution) else ()
    include = f"--include={PACKAGES}"
    return ("mmdebstrap", "--quiet", "--variant=minbase", include, *components, *hooks, SUITES[distribution])


def is_ubuntu(distribution: str) -> bool:
    """Tell whether it is signed by Ubuntu's keys, which a Debian does not have."""
    return distribution.startswith("ubuntu")


def ubuntu_keyring(file: str) -> tuple[str, ...]:
    """Return the command that writes Ubuntu's keys to a file: of a package of Debian, which is signed by Debian's."""
    hook = f'--extract-hook=cp "$1/usr/share/keyrings/ubuntu-archive-keyring.gpg" {shlex.quote(file)}'
    include = "--include=ubuntu-archive-keyring"
    return ("mmdebstrap", "--quiet", "--variant=extract", include, hook, SUITES["debian13"], "/dev/null")


def image_name(distribution: str) -> str:
    """Name the image after its recipe, so that a changed recipe is a new image and an unchanged one is cached."""
    digest = hashlib.sha256(json.dumps(recipe(distribution)).encode()).hexdigest()[:12]
    return f"localhost/initech-throwaway:{distribution}-{digest}"


@functools.cache
def checkout() -> str:
    """Return what tells this checkout's hosts from all others, drawn once.

    Not its path: CI that is killed leaves hosts behind, begins again at the same path, and must not meet them.
    """
    path = FILES / "checkout"
    if not path.exists():
        FILES.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=FILES) as draft:
            draft.write(secrets.token_hex(4))
            draft.flush()
            # Of two processes that draw at once, one is the first, and both go by what that one drew.
            with contextlib.suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text()


def container_name(name: str) -> str:
    """Name the container after host and checkout: two checkouts on one machine can both have a ``demo``."""
    return f"initech-{checkout()}-{name}"


def ssh_file(name: str, kind: str) -> Path:
    """Return where a host's ``conf`` or ``known_hosts`` is. No two hosts share a file, so none disturbs another."""
    return FILES / "hosts" / f"{name}.{kind}"


def host_name(text: str) -> str:
    """Check a host's name: it becomes a hostname, a container's name and a ``Host`` pattern for ssh."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no host name: use a-z, 0-9 and -, a letter first, at most 31")
    return text


def port_pair(text: str) -> Port:
    """Read HOSTPORT:PORT."""
    numbers = [int(part) for part in text.split(":") if re.fullmatch(r"[0-9]{1,5}", part)]
    if text.count(":") != 1 or len(numbers) != 2 or not all(0 < number < 65536 for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOSTPORT:PORT, for example 8080:80")
    return Port(*numbers)


def ulimit(kind: int, ceiling: int) -> str:
    """Return podman's soft:hard for one limit. Podman's defaults may lie above what this process may give."""
    hard = resource.getrlimit(kind)[1]
    value = ceiling if hard == resource.RLIM_INFINITY else min(hard, ceiling)
    return f"{value}:{value}"


def parse_hosts(containers: Iterable[Mapping[str, Any]]) -> dict[str, Host]:
    """Read the hosts from what ``podman ps --format json`` printed."""
    hosts = {}
    for container in containers:
        ports = [
            Port(entry["host_port"] + offset, entry["container_port"] + offset)
            for entry in container.get("Ports") or ()
            for offset in range(entry.get("range") or 1)  # podman folds neighbouring ports into one entry
        ]
        name = container["Names"][0].removeprefix(container_name(""))
        hosts[name] = Host(name, container["Labels"][f"{LABEL}.distribution"], container["State"], tuple(ports))
    return hosts


def ssh_entry(host: Host) -> str:
    """Return the ssh_config entry of a host. The host's key is known in advance, so nothing is trusted blindly.

    Where a host agrees, keys are exchanged without the part that is proof against quantum computers: nobody records
    what a machine says to itself, and a connection takes half the time. Testinfra, which opens one for each command,
    shares that of Ansible.
    """
    return f"""\
Host {host.name}
    HostName 127.0.0.1
    Port {host.ssh_port}
    User admin
    IdentityFile "{KEY}"
    IdentitiesOnly yes
    HostKeyAlias {host.name}
    UserKnownHostsFile "{ssh_file(host.name, "known_hosts")}"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    KexAlgorithms curve25519-sha256,sntrup761x25519-sha512@openssh.com
    ControlPath ~/.ansible/cp/%C
"""


# --- The machine ----------------------------------------------------------------------------------------------------


def execute(*command: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed; with ``check``, its failure is ours."""
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}
    try:
        result = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=environment, umask=0o022
        )
    except FileNotFoundError as error:
        raise HostError(f"{command[0]} is not installed on this machine.") from error
    if check and result.returncode != 0:
        tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-12:])
        raise HostError(f"Exit code {result.returncode} from: {shlex.join(command)[:300]}\n{tail}")
    return result


def as_root(*command: str) -> tuple[str, ...]:
    """Prefix a command with sudo where we are not root."""
    return command if os.geteuid() == 0 else ("sudo", "-n", *command)


@contextlib.contextmanager
def machine_lock(name: str) -> Iterator[None]:
    """Let one process or thread of the whole machine at a time do this. The kernel frees it whatever happens."""
    path = STATE / f"{name}.lock"
    execute(*as_root("mkdir", "-p", str(path)))
    # A directory, since flock takes one opened for reading: users with sudo can share it with root.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lacking_packages(tools: Mapping[str, str]) -> list[str]:
    """Return the packages that this machine lacks, of what it must have and the package that brings it."""
    return [package for tool, package in tools.items() if not shutil.which(tool, mode=os.F_OK, path=PATH)]


def require_root() -> None:
    """Say what to type where neither root nor sudo without a password is at hand."""
    if os.geteuid() == 0:
        return
    if shutil.which("sudo", path=PATH) is None:
        again = f"cd {shlex.quote(str(ROOT))} && {shlex.join(['python3', *sys.argv])}"
        packages = lacking_packages(TOOLS)
        install = f"apt-get install {' '.join(packages)} && " if packages else ""
        raise HostError(f"Throwaway hosts need root, and this machine has no sudo. Type, as root: {install}{again}")
    if execute("sudo", "-n", "true", check=False).returncode != 0:
        raise HostError("Throwaway hosts need root, and sudo asks for a password. Type: sudo -v   Then try again.")


def install_tools(tools: Mapping[str, str]) -> None:
    """Install with apt-get what this machine lacks, and say so first."""
    with machine_lock("apt"):
        lacking = lacking_packages(tools)
        if not lacking:
            return
        if shutil.which("apt-get") is None:
            raise HostError(f"This machine has no apt-get. Install these yourself: {' '.join(lacking)}")
        print(f"installing {' '.join(lacking)} on this machine with apt-get", flush=True)
        apt = as_root("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600")
        # A failed update may still leave lists that will do; the install tells.
        execute(*apt, "update", check=False)
        execute(*apt, "install", "--yes", "--no-install-recommends", *lacking)


@functools.cache
def podman_prefix() -> tuple[str, ...]:
    """Return the command that podman's arguments follow, after making the machine ready for it.

    crun refuses machines that mix cgroup v1 and v2. There, podman lives in a mount namespace of its own in which
    /sys/fs/cgroup is plain v2, and the machine keeps what it has. It must be one for all and for good: podman keeps
    network namespaces as mounts, which a second namespace would not see.
    """
    require_root()
    install_tools(TOOLS)
    probe = ("stat", "--file-system", "--format=%T", "/sys/fs/cgroup")
    if execute(*probe).stdout.strip() == "cgroup2fs":
        return as_root(*PODMAN)
    enter = as_root("nsenter", f"--mount={NAMESPACE}", "--")
    with machine_lock("namespace"):
        if execute(*enter, *probe, check=False).stdout.strip() != "cgroup2fs":
            execute(*as_root("sh", "-eu"), stdin=NAMESPACE_SCRIPT)
    return (*enter, *PODMAN)


def podman(*arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman."""
    return execute(*podman_prefix(), *arguments, stdin=stdin, check=check)


def find_hosts() -> dict[str, Host]:
    """Return this checkout's hosts by name."""
    listing = podman("ps", "--all", "--filter", f"label={LABEL}={checkout()}", "--format=json").stdout
    return parse_hosts(json.loads(listing or "[]"))


def remove(container: str, *, check: bool = True) -> bool:
    """Remove a container, running or not, and say whether it is gone. One that is not there is no error."""
    return podman("rm", "--force", "--ignore", "--time=0", container, check=check).returncode == 0


def remove_strays() -> None:
    """Remove the hosts of a checkout that was at this path before, and is gone: nobody else would.

    One that cannot be removed is in nobody's way, since no host of this checkout has its name. Where a machine lost
    processes and kept mounts, podman does not know of these, and fails.
    """
    listing = podman("ps", "--all", "--filter", f"label={LABEL}.directory={ROOT}", "--format=json").stdout
    for container in json.loads(listing or "[]"):
        if container["Labels"][LABEL] != checkout():
            outcome = "removed" if remove(container["Id"], check=False) else "could not be removed"
            print(f"{container['Names'][0]}: left behind by an earlier checkout, {outcome}", flush=True)


def require_free(ports: Iterable[Port]) -> None:
    """Fail where a port is taken, before anything is made."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port.local))
            except OSError as error:
                raise HostError(
                    f"Port {port.local} on 127.0.0.1 cannot be had ({error.strerror}). "
                    f"Choose another: --publish OTHER:{port.guest}, for the demo DEMO_PORT=OTHER."
                ) from error


# --- Hosts ----------------------------------------------------------------------------------------------------------


def ensure_image(distribution: str) -> None:
    """Build the distribution's image if it is not there yet."""
    image = image_name(distribution)
    with machine_lock(image.rpartition(":")[2]):
        if podman("image", "exists", image, check=False).returncode != 0:
            print(f"building the {distribution} image (once, about 20 s)", flush=True)
            # Not piped into podman: an image must not come of half a build.
            with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="initech-throwaway-") as directory:
                archive, keyring = f"{directory}/image.tar", f"{directory}/ubuntu.gpg"
                command = recipe(distribution)
                if is_ubuntu(distribution):
                    # apt checks signatures as a user of its own.
                    Path(directory).chmod(0o755)
                    execute(*as_root(*ubuntu_keyring(keyring)))
                    command = (command[0], f"--keyring={keyring}", *command[1:])
                execute(*as_root(*command, archive))
                podman("import", "--quiet", archive, image)


def create(name: str, distribution: str, publish: Iterable[Port]) -> None:
    """Create and start a host."""
    bundle = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    limits = {
        "nofile": ulimit(resource.RLIMIT_NOFILE, 1048576),
        # Podman lowers its own limit to pid_max, and crun cannot go above that again.
        "nproc": ulimit(resource.RLIMIT_NPROC, int(Path("/proc/sys/kernel/pid_max").read_text())),
    }
    options = ["--detach", f"--name={container_name(name)}", f"--hostname={name}"]
    labels = {LABEL: checkout(), f"{LABEL}.directory": ROOT, f"{LABEL}.distribution": distribution}
    options += [f"--label={label}={value}" for label, value in labels.items()]
    options += ["--privileged", "--systemd=always", "--pids-limit=-1", "--shm-size=1g"]
    options += [f"--ulimit={limit}={value}" for limit, value in limits.items()]
    # A reboot from inside ends the container, and this brings it back, with the same ports and address.
    options += ["--restart=always"]
    options += ["--publish=127.0.0.1::22", *(f"--publish=127.0.0.1:{port.local}:{port.guest}" for port in publish)]
    if Path(bundle).is_file():
        options += [f"--volume={bundle}:{MACHINE_CA}:ro"]
    try:
        podman("run", *options, image_name(distribution), "sh", "-euc", INIT)
    except HostError:
        # Podman keeps a container that it could not start.
        remove(container_name(name), check=False)
        raise


def first_boot_script() -> str:
    """Return what makes a host ours: the checkout's key, the machine's CAs, and its pip's index where it names one."""
    pip = (sys.executable, "-m", "pip", "config", "get", "global.index-url")
    index = os.environ.get("PIP_INDEX_URL") or execute(*pip, check=False).stdout.strip()
    keys = "/home/admin/.ssh/authorized_keys"
    script = f"""
        install -d -o admin -g admin -m 0700 /home/admin/.ssh
        printf '%s' {shlex.quote(KEY.with_suffix(".pub").read_text())} > {keys}
        chown admin:admin {keys}
        chmod 0600 {keys}
        test ! -e {MACHINE_CA} || cat {MACHINE_CA} > /etc/ssl/certs/ca-certificates.crt
    """
    return script + (f"printf '[global]\\nindex-url = %s\\n' {shlex.quote(index)} > /etc/pip.conf\n" if index else "")


def write(path: Path, text: str) -> None:
    """Replace a file at once, so that no reader sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def ensure_ssh_files() -> None:
    """Make the checkout's key pair, and the ssh_config that gathers the hosts' entries."""
    with machine_lock(f"{checkout()}-ssh"):
        (FILES / "hosts").mkdir(exist_ok=True)
        if not KEY.exists():
            execute("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "initech-throwaway", "-f", str(KEY))
        write(SSH_CONFIG, f'Include "{FILES}/hosts/*.conf"\n')


def wait_until_booted(name: str, deadline: float, *, allow_degraded: bool) -> None:
    """Wait until systemd has started everything."""
    while True:
        command = ("exec", container_name(name), "systemctl")
        state = podman(*command, "is-system-running", check=False).stdout.strip()
        if state == "running" or (state == "degraded" and allow_degraded):
            return
        if state == "degraded":
            units = podman(*command, "list-units", "--failed", "--plain", "--no-legend").stdout.strip()
            raise HostError(f"{name}: booted, but units failed:\n{units}")
        if time.monotonic() > deadline:
            raise HostError(f"{name}: not booted after {BOOT_SECONDS} s; systemd says {state or 'nothing'!r}.")
        time.sleep(0.05)


def wait_for_ssh(host: Host, deadline: float) -> None:
    """Record the host's keys, and wait until it answers over SSH."""
    keys = podman("exec", container_name(host.name), "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub").stdout
    write(ssh_file(host.name, "known_hosts"), "".join(f"{host.name} {key}\n" for key in keys.splitlines()))
    write(ssh_file(host.name, "conf"), ssh_entry(host))
    ssh = ("ssh", "-F", str(SSH_CONFIG), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host.name, "true")
    while (result := execute(*ssh, check=False)).returncode != 0:
        if time.monotonic() > deadline:
            raise HostError(f"{host.name}: no answer over SSH after {BOOT_SECONDS} s: {result.stderr.strip()}")
        time.sleep(0.2)


def bring_up(name: str, distribution: str | None, publish: tuple[Port, ...]) -> None:
    """Bring one host to where SSH answers, from whatever state it is in."""
    with machine_lock(container_name(name)):
        host = find_hosts().get(name)
        if host is not None and not ssh_file(name, "conf").exists():
            # Half made by a run that was killed. Nobody gets in.
            print(f"{name}: was left half made, made anew", flush=True)
            remove(container_name(name))
            host = None
        was_running = host is not None and host.state == "running"
        if host is None:
            require_free(publish)
            ensure_image(distribution or DEFAULT_DISTRIBUTION)
        elif not set(publish) <= set(host.ports) or distribution not in (None, host.distribution):
            raise HostError(f"{name} is there with other settings. Type: python3 molecule/throwaway.py down {name}")
        started = time.monotonic()
        deadline = started + BOOT_SECONDS
        if host is None:
            create(name, distribution or DEFAULT_DISTRIBUTION, publish)
            podman("exec", "--interactive", container_name(name), "sh", "-eu", stdin=first_boot_script())
        elif not was_running:
            require_free(host.ports)
            podman("start", container_name(name))
        # What has run for a while may well have a failed unit: that is then its user's business, not ours.
        wait_until_booted(name, deadline, allow_degraded=was_running)
        wait_for_ssh(find_hosts()[name], deadline)
        did = "already running" if was_running else "booted"
        print(f"{name}: {did}, ssh ready ({time.monotonic() - started:.1f} s)", flush=True)


# --- Commands -------------------------------------------------------------------------------------------------------


def up(names: list[str], distribution: str | None, publish: tuple[Port, ...]) -> None:
    """Boot hosts, all at once, and report every failure."""
    if publish and len(names) > 1:
        raise HostError("--publish works for one host at a time: two cannot share a port.")
    remove_strays()
    ensure_ssh_files()
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        results = [pool.submit(bring_up, name, distribution, publish) for name in dict.fromkeys(names)]
    failures = [error for result in results if (error := result.exception()) is not None]
    if failures:
        raise HostError("\n".join(str(failure) for failure in failures))


def down(names: list[str]) -> None:
    """Remove hosts and what ssh knows of them. What is not there is no error."""
    # Without podman there is no host either, and nothing is to be installed only to find that out.
    there = shutil.which("podman", path=PATH)
    if there:
        remove_strays()
    for name in names:
        if there:
            with machine_lock(container_name(name)):
                remove(container_name(name))
        for kind in ("conf", "known_hosts"):
            ssh_file(name, kind).unlink(missing_ok=True)
        print(f"{name}: gone")


def show() -> None:
    """Print this checkout's hosts, one a line."""
    hosts = find_hosts() if shutil.which("podman", path=PATH) else {}
    for host in hosts.values():
        ports = ", ".join(f"127.0.0.1:{port.local} -> {port.guest}" for port in host.ports)
        print(f"{host.name}  {host.distribution}  {host.state}  {ports}")


def run(name: str, command: list[str]) -> None:
    """Become a command that runs inside a host, as root."""
    terminal = ("--tty",) if sys.stdin.isatty() else ()
    line = (*podman_prefix(), "exec", "--interactive", *terminal, container_name(name), *command)
    os.execvpe(line[0], line, {**os.environ, "PATH": PATH})


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description="Boot throwaway Debian and Ubuntu hosts on this machine.")
    commands = parser.add_subparsers(dest="action", required=True)
    for action, text in (("up", "boot hosts and wait until SSH answers"), ("down", "remove hosts")):
        command = commands.add_parser(action, help=text)
        command.add_argument("names", metavar="NAME", nargs="+", type=host_name)
        if action == "up":
            command.add_argument("--distribution", choices=sorted(SUITES), help=f"default: {DEFAULT_DISTRIBUTION}")
            command.add_argument(
                "--publish", metavar="HOSTPORT:PORT", nargs="+", action="extend", type=port_pair, default=[]
            )
    commands.add_parser("list", help="list the hosts of this checkout")
    commands.add_parser("browser", help="install a browser on this machine, for tests that are a visitor")
    command = commands.add_parser("run", help="run a command inside a host, as root")
    command.add_argument("name", metavar="NAME", type=host_name)
    command.add_argument("command", metavar="-- COMMAND", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        if options.action == "up":
            up(options.names, options.distribution, tuple(options.publish))
        elif options.action == "down":
            down(options.names)
        elif options.action == "list":
            show()
        elif options.action == "browser":
            require_root()
            install_tools(BROWSER)
        else:
            run(options.name, options.command[options.command[:1] == ["--"] :] or ["bash"])
    except (HostError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
