#!/usr/bin/env bash
# The floor of a deploy: the same work on the host, as a plain shell script over one SSH connection. It refuses nothing,
# proves nothing, and cannot be run again after it failed, so it is as fast as a deploy of that kind can be.
#
# Usage: bare.sh SSH_CONFIG HOST prepare|deploy|rollback|reset
#   prepare    once: the app bare beside slow-sql, with the same unit, configuration, user and database
#   deploy     the commit that is checked out here; nothing where that is live
#   rollback   to the release before
#   reset      to a host that was never deployed to
set -euo pipefail
config=$1 host=$2 action=$3
cd "$(dirname "$0")/.."
project=examples/slow_sql

read -rd '' script <<'REMOTE' || true
set -euo pipefail
action=$1 tree=$2 id=$3
app=bare user=slow-sql
cd "/srv/$app" 2>/dev/null || [ "$action" = prepare ]
live=$(readlink current || true)

as_user() { setpriv --reuid "$user" --regid "$user" --clear-groups env RELEASE="$id" PYTHONDONTWRITEBYTECODE=1 GEVENT_PATCH=off "$@"; }

# Start a release, ask it over its socket until it answers, move new requests to it, and end the other.
switch() {
    systemctl start "$app@$1"
    until python3 - "/run/$app/$1/gunicorn.sock" 2>/dev/null <<'ASK'
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n\r\n")
sys.exit(b" 200 " not in connection.recv(100))
ASK
    do
        [ "$SECONDS" -lt 60 ] || exit 1
        sleep 0.02
    done
    ln -s "releases/$1" next
    mv -T next current
    [ -z "$live" ] || systemctl stop "$app@${live#releases/}"
}

case $action in
prepare)
    mkdir -p "/srv/$app/releases" "/srv/$app/virtualenvs" "/srv/$app/media" "/etc/$app"
    sed 's#slow-sql\([@/]\)#bare\1#g' /etc/slow-sql/gunicorn.conf.py >"/etc/$app/gunicorn.conf.py"
    sed 's#slow-sql\([@/]\)#bare\1#g' /etc/systemd/system/slow-sql@.service >"/etc/systemd/system/$app@.service"
    systemctl daemon-reload
    ;;
deploy)
    if [ -n "$live" ] && [ "$(cat current/tree)" = "$tree" ]; then
        echo "already live"
        exit
    fi
    release=/srv/$app/releases/$id
    mkdir -p "$release/source" "$release/static"
    tar -xz --no-same-owner -C "$release/source"
    name=$( (python3 --version; cat "$release/source/requirements.txt") | sha256sum | cut -c1-16)
    virtualenv=/srv/$app/virtualenvs/$name
    if [ ! -e "$virtualenv/.complete" ]; then
        uv venv --quiet --python /usr/bin/python3 "$virtualenv"
        SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt UV_LINK_MODE=copy uv pip install --quiet --python "$virtualenv/bin/python" --compile-bytecode --no-deps \
            --requirement "$release/source/requirements.txt"
        touch "$virtualenv/.complete"
    fi
    ln -s "$virtualenv" "$release/virtualenv"
    ln -s source "$release/project"
    ln -s "/run/$app/$id" "$release/run"
    install -m 0640 -o root -g "$user" "/etc/$app/env" "$release/project/.env"
    cd "$release/project"
    python=$release/virtualenv/bin/python
    "$python" -m compileall -q .
    RELEASE=$id GEVENT_PATCH=off "$python" manage.py shell --verbosity 0 -c "
from django.conf import settings
settings.STATIC_ROOT = '$release/static'
from django.core.management import call_command
call_command('collectstatic', interactive=False, verbosity=0)"
    as_user "$python" manage.py check --deploy 2>/dev/null
    as_user "$python" manage.py migrate --check >/dev/null || as_user "$python" manage.py migrate --noinput >/dev/null
    echo '{"wsgi": "slow_sql.wsgi:application"}' >"$release/manifest.json"
    echo "$tree" >"$release/tree"
    cd "/srv/$app"
    switch "$id"
    # The five newest stay.
    ls releases | head --lines=-5 | sed 's#^#releases/#' | xargs --no-run-if-empty rm -rf
    ;;
rollback)
    switch "$(ls releases | grep --fixed-strings --before-context=1 "${live#releases/}" | head -1)"
    ;;
reset)
    systemctl stop "$app@*"
    rm -rf releases/* virtualenvs/* current
    ;;
esac
REMOTE

tree=$(git rev-parse "HEAD:$project")
id=$(date -u +%Y%m%dT%H%M%SZ)-$(git rev-parse --short=8 HEAD)
send() { if [ "$action" = deploy ]; then git archive --format=tar.gz "HEAD:$project" 2>/dev/null || true; fi; }
send | ssh -F "$config" -o ControlPath=none "$host" "sudo bash -c $(printf %q "$script") bare $action $tree $id"
