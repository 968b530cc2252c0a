#!/usr/bin/env bash
# Make the controller's virtualenv in .venv: with the distribution's own Python, or else with the newest that works here.
set -euo pipefail
cd "$(dirname "$0")/.."

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 20))'

find_python() {
    # The distribution's first: what a version manager compiled is seldom optimised, and Ansible takes half as long again.
    local minor python pythons=(/usr/bin/python3)
    for minor in {19..11}; do
        pythons+=("python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python3)
    done
    for python in "${pythons[@]}" python3; do
        if "$python" -c "$supported" 2>/dev/null; then
            # The one that it was made from, where it is of a virtualenv: ours is about to be made anew.
            "$python" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
    echo "No Python 3.11 or newer on this machine. Type: apt-get install python3 python3-venv" >&2
    return 1
}

require_venv() {
    if "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        return
    fi
    local package apt=(apt-get -qq -o DPkg::Lock::Timeout=600)
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            echo "$1 cannot make virtualenvs. Type, as root: apt-get install $package" >&2
            return 1
        fi
        apt=(sudo -n "${apt[@]}")
    fi
    echo "installing $package on this machine with apt-get"
    # A failed update may still leave lists that will do; the install tells.
    "${apt[@]}" update || true
    "${apt[@]}" install --yes --no-install-recommends "$package" >/dev/null
}

python=$(find_python)
require_venv "$python"
echo "making .venv with $("$python" --version) (once, about half a minute)"
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --requirement requirements.txt
# Where PYTHONDONTWRITEBYTECODE is set nothing compiles itself, and Ansible would take twice as long to start, every time. The
# collections that come with it are three quarters of the files, and hardly any is ever run.
.venv/bin/python -m compileall -q -j 0 -x /ansible_collections/ .venv/lib
touch .venv/ready
