"""Find everything that is wrong with the variables of an inventory, at once, before any host is touched."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible_collections.initech.django.plugins.module_utils.machines import Machine
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

UNFILLED = "FILL IN"
"""How the value of a variable begins that the user has still to fill in; what follows says with what."""

UNFILLED_PROBLEM = "is not filled in"

EXAMPLE_DOMAIN = ".example.com"
"""The domain that RFC 2606 keeps for examples: no server has such a name."""

APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,24}")
"""What is good as the name of a user, a directory, a unit and the part before @ of a template unit."""

RESERVED = frozenset(
    [
        *("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy"),
        *("www-data", "backup", "list", "irc", "nobody", "sshd", "postgres", "mysql", "redis", "nginx", "admin"),
        *("sudo", "adm", "shadow"),
    ]
)
"""Users and groups that Debian and its servers already have: an app of that name would take them over."""

IN_USE = frozenset(
    [
        # Groups of every Debian and Ubuntu, by base-passwd and systemd.
        *("audio", "cdrom", "clock", "crontab", "dialout", "dip", "disk", "fax", "floppy", "input", "kmem", "kvm"),
        *("messagebus", "netdev", "nogroup", "operator", "plugdev", "polkitd", "render", "sasl", "sgx", "src"),
        *("ssl-cert", "staff", "systemd-journal", "tape", "tty", "users", "utmp", "video", "voice"),
        # Those of servers and of Ubuntu's images. That of the first five is as good as root.
        *("docker", "incus", "incus-admin", "libvirt", "lxd", "bind", "caddy", "chrony", "clamav", "dovecot"),
        *("dnsmasq", "haproxy", "landscape", "libvirt-qemu", "memcache", "ntp", "opendkim", "pgbouncer", "pollinate"),
        *("postdrop", "postfix", "rabbitmq", "rsyslog", "syslog", "tcpdump", "ubuntu", "unbound", "uuidd", "varnish"),
        # Units, which an app's own would replace.
        *("apache2", "apparmor", "autovt", "blk-availability", "console-getty", "container-getty", "containerd"),
        *("cron", "cryptsetup", "dbus", "dbus-broker", "emergency", "exim4", "fail2ban", "getty"),
        *("hwclock", "initrd-cleanup", "kmod", "mariadb", "memcached", "modprobe", "named", "networkd-dispatcher"),
        *("networking", "nftables", "nmbd", "ntpd", "pgbackrest", "polkit", "postgresql", "procps", "quotaon"),
        *("rabbitmq-server", "rc-local", "redis-server", "rescue", "rpcbind", "rsync", "smbd", "snapd", "ssh"),
        *("sudo-rs", "supervisor", "udev", "ufw", "unattended-upgrades", "user", "user-runtime-dir", "uwsgi"),
        *("initech-backup", "initech-backup-check", "initech-backup-failed", "initech-firewall", "initech-guard"),
        *("initech-mariadb", "initech-mysql-backup", "initech-swap"),
    ]
)
"""Groups, users and units that a host has, or may have one day: an app of that name would get their rights or place."""

ADMINISTRATORS = frozenset(["postgres", "root", "mysql", "mariadb.sys"])
"""Users with which the database servers administer themselves."""

SITE_NAMES = re.compile(r"(nginx_server|tls)_names\b")
"""Where names stand by which visitors come."""

LABEL = re.compile(r"[A-Za-z0-9\x80-\U0010ffff-]+")

VAULTED = re.compile(r"'(vault_\w+)' is undefined")

SECRETS = ("SECRET_KEY", "DATABASE_URL")
"""Keys of `release_env` that are secrets, and so never empty."""

ENCRYPTED = b"$ANSIBLE_VAULT;"
"""How a file begins that ansible-vault encrypted."""

TYPED = ("lock_upgrade", "secrets_rotate")
"""Lists that are typed with -e, as text with commas; what takes them splits it."""

Templated = Callable[[Any], Any]

ROLES = Path(__file__).resolve().parents[2] / "roles"


def load_specs() -> dict[str, dict[str, Any]]:
    """Return the options of all entry points of all roles by name."""
    options: dict[str, dict[str, Any]] = {}
    for file in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry_point in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values():
            options.update(entry_point.get("options", {}))
    return options


def evaluator(templar: Any, raw: Mapping[str, Any]) -> Templated:
    """Return a function that evaluates an expression with the variables of one host.

    It raises a Problem where that fails.

    Args:
        templar: Ansible's own, of an action, which knows those of all hosts.
        raw: the variables as written.
    """
    # What is written may refer to other hosts, as ansible_host of a second app on one machine.
    others = templar.available_variables.get("hostvars", {})
    engine = templar.copy_with_new_env(available_variables={**raw, "hostvars": others})

    def templated(value: Any) -> Any:
        try:
            return engine.template(value)
        except AnsibleError as error:
            raise Problem(str(error)) from None

    return templated


def require_lockstep(strategy: str) -> None:
    """Require that hosts take each step together, and that one that fails stops the others.

    Args:
        strategy: the name of Ansible's, as it is configured.

    Raises:
        Problem: each host would go on by itself.
    """
    if strategy.endswith(("free", "host_pinned")):
        raise Problem(
            f"Ansible's strategy is {strategy}: one host would switch while another one fails. Write "
            "strategy = linear in ansible.cfg, or ANSIBLE_STRATEGY=linear. Nothing was changed."
        )


def require_one_environment(environments: Mapping[str, str]) -> str:
    """Return the environment that all hosts of the run belong to.

    Args:
        environments: the environment of every host.

    Raises:
        Problem: they belong to several.
    """
    hosts: dict[str, list[str]] = {}
    for host, environment in environments.items():
        hosts.setdefault(environment, []).append(host)
    if len(hosts) != 1:
        listing = "\n".join(f"  {name}: {', '.join(members)}" for name, members in sorted(hosts.items()))
        choice = " or ".join(f"-l {name}" for name in sorted(hosts))
        raise Problem(
            f"This run would touch hosts of {len(hosts)} environments, and one run touches exactly one:\n"
            f"{listing}\nType {choice}"
        )
    return next(iter(hosts))


def at_once(machines: Mapping[str, Machine]) -> int:
    """Return how many hosts of the run may take a step at once, as Ansible's `throttle` has it: 0 is all.

    Two apps on one machine are two names of it, and what they share there is written by one of them after the other.

    Args:
        machines: by host where it is.
    """
    return 1 if len(set(machines.values())) < len(machines) else 0


def database_host_problem(hosts: Mapping[str, str], members: Sequence[str], environment: str) -> str | None:
    """Return what is wrong with the host that is named for the database, or None.

    Args:
        hosts: what each host of the run says; empty where the database is on the app's own.
        members: the names of all hosts of the environment.
        environment: its name.
    """
    file = where(environment, "database_host")
    named = sorted(set(hosts.values()))
    if len(named) > 1:
        texts = ", ".join(repr(name) for name in named)
        return f"{file}: database_host is {texts}, by host; all hosts of an environment share one database"
    if not named or not named[0]:
        return None
    if named[0] not in members:
        return f"{file}: database_host is {named[0]!r}, and {environment} has {', '.join(members)}. Add it to hosts.yml"
    if len(members) == 1:
        return f"{file}: database_host is the only host of {environment}. Remove it, and the database is beside the app"
    return None


def roles_of(host: str, database_host: str) -> list[str]:
    """Return of which groups a host is, `apps`, `databases` or both.

    Args:
        host: its name in the inventory.
        database_host: the name of the one that has the database and nothing else; empty where each host has its own.
    """
    if not database_host:
        return ["apps", "databases"]
    return ["databases" if host == database_host else "apps"]


def where(environment: str, name: str) -> str:
    """Return the file in which a variable of an environment belongs."""
    file = re.split("[_.:]", name)[0]
    return f"inventories/{environment}/group_vars/{environment}/{file}.yml"


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is not a container, with its path, for example `release_env.SECRET_KEY`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(f"{path}.{key}", item)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for number, item in enumerate(value):
            yield from leaves(f"{path}[{number}]", item)
    else:
        yield path, value


def in_ascii(name: str) -> str:
    """Return the name of a site as browsers send it and certificates have it: with xn-- (RFC 5891)."""

    def label(match: re.Match[str]) -> str:
        text = unicodedata.normalize("NFC", match[0].lower())
        return match[0] if text.isascii() else f"xn--{text.encode('punycode').decode()}"

    return LABEL.sub(label, name)


def is_in_use(name: str) -> bool:
    """Tell whether something of the system or of a server may have this name."""
    return name in RESERVED | IN_USE or name.startswith("systemd-")


def name_problem(path: str, name: str, *, is_strict: bool = True) -> str | None:
    """Return what is wrong with a name that becomes a user's or a role's, or is the site's, or None.

    Args:
        path: of the variable.
        name: its value.
        is_strict: whether an app may not have a name that something of the system may have.
    """
    if path == "app_name" and not APP_NAME.fullmatch(name):
        return f"app_name is {name!r}; use a-z, 0-9 and -, a letter first, at most 25"
    if path == "app_name" and name in RESERVED:
        return f"app_name is {name!r}, a user or group that the system needs for itself; choose another name"
    if path == "app_name" and is_strict and is_in_use(name):
        return (
            f"app_name is {name!r}, a group, user or unit of the system or of a server; choose another name. "
            "An app that was called so before this was refused goes on with check_taken_names: false"
        )
    if path in ("database_user", "postgresql_user", "mysql_user") and name in ADMINISTRATORS:
        return f"{path} is {name!r}, the server's administrator; name a user of the app's own"
    if SITE_NAMES.match(path) and not name.isascii():
        return f"{path} is {name!r}, and neither browsers nor certificates have it so; write {in_ascii(name)}"
    return None


def number_problem(name: str, kind: str, value: Any) -> str | None:
    """Return what is wrong with a text that YAML has read as a number, or None: to YAML 1.10 is 1.1, and 0123 is 83.

    A whole number is left alone where it is no tag or commit: nobody writes a port or a major version with a 0 first.

    Args:
        name: of the variable.
        kind: the type that its role's argument_specs say.
        value: as evaluated.
    """
    numbers = (float, int) if name == "release_version" else float
    if kind != "str" or isinstance(value, bool) or not isinstance(value, numbers):
        return None
    # Of what may be a secret no value is shown.
    number = f"the number {value}" if name.endswith("_version") else "a number"
    return f"{name} is {number} to YAML, which may not be what is written there. Write it in quotes"


def list_problem(name: str, kind: str, value: Any) -> str | None:
    """Return what is wrong with a text where a list should be, or None: of its letters a role would make a list.

    Args:
        name: of the variable.
        kind: the type that its role's argument_specs say.
        value: as evaluated; an empty text is an empty list.
    """
    if kind != "list" or name in TYPED or not isinstance(value, str) or not value:
        return None
    return f"{name} is a text and no list. Write {name}: [FIRST, SECOND], or each in a line of its own behind a dash"


def leaf_problem(path: str, raw: Any, templated: Templated, *, is_strict: bool = True) -> str | None:
    """Return what is wrong with one value, without the value, or None.

    Args:
        path: of the variable.
        raw: as written.
        templated: evaluates an expression, and raises Problem where that fails.
        is_strict: whether an app may not have a name that something of the system may have.
    """
    try:
        value = templated(raw)
    except Problem as error:
        lacking = VAULTED.search(str(error))
        return f"{lacking[1]} is not set" if lacking else f"{path}: {error}"
    text = str(value).strip()
    if text.startswith(UNFILLED):
        return f"{path} {UNFILLED_PROBLEM}: {text[len(UNFILLED) :].lstrip(': ') or 'see the README of its role'}"
    problem = name_problem(path, str(value), is_strict=is_strict)
    if problem:
        return problem
    if path == "release_health_path" and value and not str(value).startswith("/"):
        return f"release_health_path is {value!r}. Begin it with /"
    secret = path.startswith("vault_") or path in {f"release_env.{key}" for key in SECRETS}
    if secret and not text:
        return f"{path} is empty"
    return None


def problems(
    host: str,
    environment: str,
    raw: Mapping[str, Any],
    specs: Mapping[str, Mapping[str, Any]],
    templated: Templated,
    *,
    is_strict: bool = True,
) -> list[str]:
    """Return everything that a host's variables lack, a line each, with the file to mend. No line holds a value.

    Args:
        host: its name in the inventory.
        environment: its environment.
        raw: its variables as written.
        specs: the options of all roles' argument_specs.
        templated: evaluates an expression with the host's variables, and raises Problem where that fails.
        is_strict: whether an app may not have a name that something of the system may have.
    """
    found: list[str] = []
    derived: list[str] = []
    if host.endswith(EXAMPLE_DOMAIN):
        found.append(f"inventories/{environment}/hosts.yml: {host} is an example; write your server's name there")
    for name, option in sorted(specs.items()):
        if option.get("required") and name not in raw:
            text = option.get("description", "")
            text = text if isinstance(text, str) else " ".join(text)
            found.append(f"{where(environment, name)}: {name} is not set: {text}")
    for name in sorted(name for name in raw if name in specs or name.startswith("vault_")):
        for path, value in leaves(name, raw[name]):
            problem = leaf_problem(path, value, templated, is_strict=is_strict)
            if problem is None and specs.get(name, {}).get("required") and value in ("", None):
                problem = f"{path} is empty"
            if problem:
                line = f"{where(environment, problem.partition(' ')[0])}: {problem}"
                is_derived = UNFILLED_PROBLEM in problem and UNFILLED not in str(value)
                (derived if is_derived else found).append(line)
    # What is only computed from an unfilled value is filled in with it.
    unfilled = any(UNFILLED_PROBLEM in line for line in found)
    return list(dict.fromkeys(found if unfilled else found + derived))


def clear_vaults(directory: Path, environment: str) -> list[str]:
    """Return which vault files of an inventory anybody can read, a line each.

    Args:
        directory: of the inventory.
        environment: its environment.
    """
    # Not all below it: an inventory may be the file hosts.yml of a directory that holds much else.
    places = ("", "group_vars/**/", "host_vars/**/")
    files = sorted(path for place in places for path in directory.glob(f"{place}vault.y*ml"))
    return [
        (
            f"{path} is not encrypted. Type: ansible-vault encrypt --encrypt-vault-id {environment} {path}   "
            "If it was ever committed, its secrets are none any more: make new ones"
        )
        for path in files
        if not path.read_bytes().startswith(ENCRYPTED)
    ]


def advice(environment: str, found: Sequence[str]) -> str:
    """Return what to type where a secret is lacking; empty if none is."""
    vault = where(environment, "vault_")
    if not any(line.startswith(vault) for line in found):
        return ""
    make = f"ansible-playbook secrets.yml -l {environment}"
    return f"\nSecrets: {make} makes what can be made up; for the others: ansible-vault edit {vault}"
