"""On the host, `<app>-manage` runs manage.py of what is live as the app's user, for whoever may use sudo."""

from __future__ import annotations

from demo import Demo

SCRIPT = """
import os
print("user", os.getuid() == os.stat("/var/lib/slow-sql").st_uid)
print("release", os.environ["RELEASE"], os.getcwd())
print("secret", len(__import__("django.conf").conf.settings.SECRET_KEY) > 20)
"""


def test_an_administrator_runs_it_without_a_word_of_sudo(demo: Demo) -> None:
    output = demo.host(f"su - admin -c 'slow-sql-manage shell' <<'END'\n{SCRIPT}\nEND")
    assert "user True" in output
    assert f"release {demo.live()} /srv/slow-sql/releases/{demo.live()}/source" in output
    assert "secret True" in output


def test_its_exit_code_is_that_of_the_command(demo: Demo) -> None:
    assert demo.host("slow-sql-manage check > /dev/null && echo good") == "good"
    assert demo.host("slow-sql-manage nonsense 2> /dev/null || echo bad") == "bad"


def test_no_secret_is_in_its_arguments(demo: Demo) -> None:
    secrets = demo.host("sed -n 's/^SECRET_KEY=//p' /srv/slow-sql/current/project/.env").strip("'\"")
    arguments = demo.host(
        "slow-sql-manage shell -c 'print(open(\"/proc/self/cmdline\").read())' | tr '\\0' ' '; ps -eo args"
    )
    assert secrets not in arguments


def test_where_nothing_is_live_it_says_what_to_type(demo: Demo) -> None:
    demo.host("sed s,/srv/slow-sql,/srv/nothing,g /usr/local/bin/slow-sql-manage > /root/manage")
    output = demo.host("sh /root/manage check 2>&1 || true; rm /root/manage")
    assert output.startswith(
        "Nothing of slow-sql is live on this host. On the controller, type: ansible-playbook deploy"
    )
