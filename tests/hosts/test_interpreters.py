"""An interpreter that the host does not have is installed by uv from an archive, and a changed one makes a release.

The archive is made of Debian 12's own CPython, laid out as python-build-standalone lays out its archives, so that
nothing is fetched from anywhere but the host's Debian mirror.
"""

from __future__ import annotations

import pytest
from demo import Demo
from load import Load

ARCHIVE = """
set -eu
mkdir -p /root/standalone/lists/partial /root/standalone/debs
cd /root/standalone
sed s/trixie/bookworm/g /etc/apt/sources.list > sources.list
apt="apt-get -qq -o Dir::Etc::SourceList=$PWD/sources.list -o Dir::Etc::SourceParts=/dev/null"
apt="$apt -o Dir::State::Lists=$PWD/lists -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache="
apt="$apt -o APT::Sandbox::User=root"
$apt update
cd debs
$apt download python3.11-minimal libpython3.11-minimal libpython3.11-stdlib
for package in *.deb; do dpkg-deb -x "$package" ../root; done
cd ..
mkdir python
mv root/usr/bin root/usr/lib python/
# What leads out of the archive uv would refuse.
find python -lname '/*' -delete
tar -czf cpython.tar.gz python
version=$(python/bin/python3.11 -c 'import platform; print(platform.python_version())')
cat > downloads.json <<END
{"cpython-$version-linux-$(uname -m)-gnu": {
  "name": "cpython", "arch": {"family": "$(uname -m)", "variant": null}, "os": "linux", "libc": "gnu",
  "major": 3, "minor": 11, "patch": ${version##*.}, "prerelease": "", "variant": null, "build": "1",
  "url": "file://$PWD/cpython.tar.gz", "sha256": "$(sha256sum cpython.tar.gz | cut -d' ' -f1)"}}
END
rm -r debs lists python root
echo "$version"
"""
DOWNLOADS = ("-e", "python_downloads=/root/standalone/downloads.json")
PROCESS = "readlink /proc/$(systemctl show --value --property MainPID 'slow-sql@*')/exe"


@pytest.fixture(scope="module")
def version(demo: Demo) -> str:
    """Make the archive, and return the full version of what is in it."""
    return demo.host(ARCHIVE).splitlines()[-1]


def asking(version: str) -> tuple[str, ...]:
    """Return the arguments that ask for a version."""
    return ("-e", f'{{"python_version": "{version}"}}', *DOWNLOADS)


def test_what_neither_the_host_nor_uv_has_is_refused_with_what_the_host_has(demo: Demo, version: str) -> None:
    before = demo.state()
    refused = demo.playbook("provision", *asking("3.10"))
    assert refused.code != 0
    assert "this host has 3.13." in refused.text
    assert "(/usr/bin/python3)" in refused.text
    assert "uv knows no download of it" in refused.text
    assert demo.state() == before


def test_a_deploy_before_provisioning_says_what_installs_it(demo: Demo, version: str) -> None:
    before = demo.state()
    refused = demo.playbook("deploy", *asking(version))
    assert refused.code != 0
    assert "On a host, ansible-playbook provision.yml has uv install it." in refused.text
    assert demo.state() == before
    check = demo.playbook("site", "--check", "--diff", *asking(version))
    assert check.code == 0, check.output


def test_uv_installs_an_exact_version_and_the_deploy_makes_a_release_of_it(demo: Demo, version: str) -> None:
    before = demo.host(PROCESS)
    with Load(demo.connect, connections=2, pause=0.05) as load:
        site = demo.playbook("site", *asking(version))
    assert site.code == 0, site.output
    assert load.failures == {}
    assert "New: interpreter." in site.text
    after = demo.host(PROCESS)
    assert after != before
    assert after.startswith(f"/opt/initech-django/python/cpython-{version}-")
    again = demo.playbook("site", *asking("3.11"))
    assert (again.code, again.changed) == (0, 0), again.output
    verify = demo.playbook("verify", *asking(version))
    assert f"on Python {version}." in verify.text


def test_without_it_the_next_deploy_goes_back_to_the_distribution_s_own(demo: Demo, version: str) -> None:
    assert demo.playbook("verify", "-e", '{"python_version": "3.13"}').code != 0
    deploy = demo.playbook("deploy")
    assert deploy.code == 0, deploy.output
    assert demo.host(PROCESS).startswith("/usr/bin/python3.13")
    demo.host("rm -r /opt/initech-django/python")
