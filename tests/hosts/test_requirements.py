"""What is live is what was frozen, on the interpreter that was asked for, and anyone can see that it is.

A project with 60 direct requirements, from its first lock on. The tests build on each other in this order.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from platform import machine

import pytest
from demo import Demo, Result
from private_index import NAME, PrivateIndex
from sampler import Sampler
from shop import DIRECT, Shop

NETWORK = "ip route get 198.51.100.1"
"""An address that RFC 5737 keeps for examples: asking for the way to it sends nothing."""


@pytest.fixture(scope="module")
def shop(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return the project as a second app."""
    app = Shop(demo, tmp_path_factory.mktemp("shop"))
    yield app
    app.remove()


@contextmanager
def no_network(demo: Demo) -> Iterator[None]:
    """Cut the host off from everything but the controller."""
    route = demo.host("ip route show default")
    assert route.startswith("default via")
    demo.host("ip route del default")
    try:
        assert demo.host(f"{NETWORK} 2>&1 || true").endswith("Network is unreachable")
        yield
    finally:
        demo.host(f"ip route add {route}")
        demo.host(NETWORK)


def install(shop: Shop, *arguments: str) -> None:
    """Do by hand to the live virtualenv what nobody should."""
    command = f"uv pip {' '.join(arguments)} --quiet --python {shop.virtualenv()}/bin/python"
    shop.demo.host(f"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt {command}")


def pins(shop: Shop) -> dict[str, str]:
    """Return what requirements.txt pins."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", shop.frozen.read_text(), re.MULTILINE))


def test_a_project_is_provisioned_locked_on_its_host_deployed_and_verified(shop: Shop) -> None:
    assert len(DIRECT.split()) == 60
    provision = shop.playbook("provision")
    assert provision.code == 0, provision.output
    lock = shop.playbook("lock")
    assert lock.code == 0, lock.output
    assert "written. Commit it, and deploy. Added: " in lock.text
    header = shop.frozen.read_text().splitlines()[:3]
    assert header[0] == "# Not edited by hand: ansible-playbook lock.yml makes it from requirements_to_freeze.txt,"
    assert re.fullmatch(r"# frozen \S+Z with CPython 3\.13\.\d+ on Linux \S+ \(Debian 13\) in a new, .+", header[1])
    assert len(pins(shop)) > 60
    shop.commit("Freeze")
    deploy = shop.playbook("deploy")
    assert deploy.code == 0, deploy.output
    verify = shop.playbook("verify")
    assert (verify.code, verify.changed) == (0, 0), verify.output
    assert f"is what its requirements say, {len(pins(shop))} packages on Python 3.13." in verify.text


def test_a_second_lock_changes_nothing(shop: Shop) -> None:
    before = shop.frozen.read_bytes()
    again = shop.playbook("lock")
    assert (again.code, again.changed) == (0, 0), again.output
    assert shop.frozen.read_bytes() == before


def test_the_deploy_of_another_commit_takes_the_same_virtualenv(shop: Shop) -> None:
    # Its time of birth tells it from another of that name.
    look = "stat --dereference --format='%N %W' /srv/shop/current/virtualenv"
    before = shop.virtualenv(), shop.demo.host(look)
    (shop.checkout / "README.md").write_text("Another commit.\n")
    shop.commit("Change nothing of the requirements")
    deploy = shop.playbook("deploy")
    assert deploy.code == 0, deploy.output
    assert (shop.virtualenv(), shop.demo.host(look)) == before


def test_check_mode_shows_which_packages_would_change(shop: Shop) -> None:
    old = pins(shop)
    shop.to_freeze.write_text(shop.to_freeze.read_text().replace("six\n", "six<1.17\n").replace("tabulate\n", ""))
    lock = shop.playbook("lock")
    assert lock.code == 0, lock.output
    new = pins(shop)
    assert f"Removed: tabulate=={old['tabulate']}. Moved: six {old['six']} -> {new['six']}." in lock.text
    assert {name for name in old if new.get(name) != old[name]} == {"six", "tabulate"}
    shop.commit("An older six, and no tabulate")
    before = shop.virtualenv()
    check = shop.playbook("deploy", "--check", "--diff")
    assert check.code == 0, check.output
    for line in (f"-six=={old['six']}", f"+six=={new['six']}", f"-tabulate=={old['tabulate']}"):
        assert f"\n{line}\n" in check.output
    assert shop.virtualenv() == before


def test_rollback_needs_no_index(demo: Demo, shop: Shop) -> None:
    before = shop.virtualenv()
    deploy = shop.playbook("deploy")
    assert deploy.code == 0, deploy.output
    assert shop.virtualenv() != before
    with no_network(demo):
        rollback = shop.playbook("rollback")
    assert rollback.code == 0, rollback.output
    assert shop.virtualenv() == before
    assert "Ten slow queries" in shop.get("/")


def test_a_package_added_removed_or_changed_by_hand_is_named(demo: Demo, shop: Shop) -> None:
    install(shop, "install", "'toolz==1.0.0'", "'zipp==3.21.0'")
    install(shop, "uninstall", "xmltodict")
    site = f"{shop.virtualenv()}/lib/python3.13/site-packages"
    demo.host(f"echo '# changed' >> {site}/tabulate/__init__.py; touch {site}/stray.py")
    verify = shop.playbook("verify")
    assert verify.code != 0
    old = pins(shop)
    for line in (
        "extra: toolz 1.0.0 is installed, and requirements.txt does not have it",
        "is not installed",
        "different: zipp is 3.21.0, and requirements.txt, line ",
        "changed: lib/python3.13/site-packages/tabulate/__init__.py of tabulate",
        "extra: lib/python3.13/site-packages/stray.py is in the virtualenv, and belongs to no package",
    ):
        assert line in verify.text
    assert f"missing: xmltodict=={old['xmltodict']} (requirements.txt, line " in verify.text


def test_an_interpreter_swapped_below_the_virtualenv_is_named(demo: Demo, shop: Shop) -> None:
    demo.host(
        f"cp /usr/bin/python3.13 /usr/local/bin/other && ln -sf /usr/local/bin/other {shop.virtualenv()}/bin/python"
    )
    verify = shop.playbook("verify")
    assert verify.code != 0
    wish = "interpreter: it is /usr/local/bin/other, and the virtualenv was made with /usr/bin/python3.13"
    assert wish in verify.text
    wrong = shop.playbook("verify", "-e", '{"python_version": "3.12"}')
    assert "and python_version is 3.12" in wrong.text


def test_a_deploy_leaves_a_changed_virtualenv_alone_and_makes_another(demo: Demo, shop: Shop) -> None:
    changed = shop.virtualenv()
    deploy = shop.playbook("deploy", "-e", "release_version=HEAD~1")
    assert deploy.code == 0, deploy.output
    assert shop.virtualenv() == f"{changed}.2"
    assert demo.host(f"test -e {changed}/lib/python3.13/site-packages/stray.py && echo there") == "there"
    verify = shop.playbook("verify")
    assert verify.code == 0, verify.output


def test_native_packages_are_installed_and_a_wrong_name_is_told_with_its_line(demo: Demo, shop: Shop) -> None:
    text = shop.to_freeze.read_text()
    shop.to_freeze.write_text(f"# apt: libyamll-dev\n{text}")
    lock = shop.playbook("lock")
    assert lock.code != 0
    assert "requirements_to_freeze.txt, line 1: apt knows no package" in lock.text
    assert "libyamll-dev" in lock.text
    shop.to_freeze.write_text(f"# apt: libyaml-dev\n{text}")
    lock = shop.playbook("lock", "-e", "lock_on=controller")
    assert lock.code == 0, lock.output
    shop.commit("A native package")
    assert "libyaml-dev" not in demo.host("dpkg --get-selections")
    deploy = shop.playbook("deploy")
    assert deploy.code == 0, deploy.output
    assert "libyaml-dev" in demo.host("dpkg --get-selections")


def test_a_file_named_after_the_environment_adds_to_the_requirements(demo: Demo, shop: Shop) -> None:
    (shop.checkout / "shop.txt").write_text("-r requirements.txt\ntoolz==1.0.0\n")
    shop.commit("A tool for this environment alone")
    deploy = shop.playbook("deploy")
    assert deploy.code == 0, deploy.output
    assert demo.host(f"{shop.virtualenv()}/bin/python -c 'import toolz; print(toolz.__version__)'") == "1.0.0"
    assert shop.playbook("verify").code == 0


@pytest.fixture(scope="module")
def wheels(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a wheel for every requirement, for the host's interpreter and platform."""
    directory = tmp_path_factory.mktemp("wheels")
    kinds = (f"manylinux_2_28_{machine()}", f"manylinux2014_{machine()}")
    lines = [line for line in shop.frozen.read_text().splitlines() if "==" in line]
    source = [line for line in lines if line.startswith("psycogreen")]  # there is no wheel of it
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, *source], check=True)
    pip += ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.13"]
    pip += [f"--platform={kind}" for kind in kinds]
    subprocess.run([*pip, "--dest", directory, *(line for line in lines if line not in source)], check=True)
    return directory


def test_a_host_without_any_index_installs_from_a_directory_of_wheels(
    demo: Demo, shop: Shop, wheels: Path, tmp_path: Path
) -> None:
    (shop.checkout / "shop.txt").unlink()
    shop.frozen.write_text(f"{shop.frozen.read_text()}# Another virtualenv.\n")
    shop.commit("Without that tool")
    lacking = shop.playbook("deploy", "-e", f"release_wheels={tmp_path}")
    assert lacking.code != 0
    assert f"release_wheels is {tmp_path}, where no files are. Fill it: pip wheel " in lacking.text
    demo.host("rm -rf /root/.cache/uv")
    with no_network(demo):
        deploy = shop.playbook("deploy", "-e", f"release_wheels={wheels}")
    assert deploy.code == 0, deploy.output
    assert demo.host("ls -d /srv/shop/releases/*/wheels 2>/dev/null || true") == ""
    assert shop.playbook("verify").code == 0


def test_the_password_of_a_private_index_is_seen_nowhere(demo: Demo, shop: Shop, wheels: Path, tmp_path: Path) -> None:
    gateway = demo.host("ip route show default").split()[2]
    demo.host(f"echo {gateway} {NAME} >> /etc/hosts")
    with PrivateIndex(wheels, gateway) as index:
        variables = tmp_path / "indexes.json"
        variables.write_text(json.dumps({"python_indexes": [index.url]}))
        trust = json.dumps({"base_ca_certificates": [str(index.authority)]})
        assert shop.playbook("provision", "-e", trust).code == 0
        demo.host("rm -rf /root/.cache/uv")

        def run(name: str, *arguments: str) -> Result:
            return shop.playbook(name, "-vvv", "--diff", "-e", f"@{variables}", *arguments)

        with Sampler(demo, [index.password]) as sampler:
            runs = [run("lock"), run("verify")]
            for installer in ("uv", "pip"):
                shop.frozen.write_text(f"{shop.frozen.read_text()}# For {installer}.\n")
                shop.commit(f"Another virtualenv, by {installer}")
                runs.append(run("deploy", "-e", f"python_installer={installer}"))
            variables.write_text(json.dumps({"python_indexes": [f"{index.url}-that-is-not-there"]}))
            spoilt = run("lock")
    for each in runs:
        assert each.code == 0, each.output
        assert index.password not in each.output
    assert index.served > 120
    assert spoilt.code != 0
    assert index.password not in spoilt.output
    assert sampler.seen == "nothing"
    places = "/srv/shop /root/.cache /root/.ansible /home /tmp /var/tmp /etc /opt /var/log"
    assert demo.host(f"grep -rl --fixed-strings {index.password} {places} 2>/dev/null || true") == ""
    assert index.password not in demo.host("journalctl --no-pager")
