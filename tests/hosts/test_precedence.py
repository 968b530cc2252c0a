"""What is live has the processors before all else on its host, and the next release not before it is live."""

from __future__ import annotations

from demo import Demo
from restores import until

README = "examples/slow_sql/README.md"
FIRST, AS_OTHERS = {("-10", "-10")}, {("0", "0")}
ASK = """for process in $(pgrep --session "$(systemctl show --property MainPID --value '{unit}')"); do
  echo "$(ps --no-headers --format nice $process) $(cut -d ' ' -f 3 /proc/$process/autogroup)"
done"""


def precedence(demo: Demo, release: str) -> set[tuple[str, ...]]:
    """Return what the processes of a release have, and what their session has."""
    return {tuple(line.split()) for line in demo.host(ASK.format(unit=f"slow-sql@{release}.service")).splitlines()}


def beside(demo: Demo, live: str) -> str:
    """Return the release that runs beside the live one, if there is one."""
    units = demo.host("systemctl list-units --plain --no-legend --state=active 'slow-sql@*'").split()
    found = [unit[len("slow-sql@") : -len(".service")] for unit in units if unit.startswith("slow-sql@")]
    return next((release for release in found if release != live), "")


def test_a_release_that_is_started_to_be_asked_has_what_all_have_until_it_is_live(demo: Demo) -> None:
    live = demo.live()
    assert precedence(demo, live) == FIRST
    readme = demo.path / README
    readme.write_text(f"{readme.read_text()}\nOne after the other\n")
    demo.commit("One after the other")
    with demo.begin("deploy", "-e", "release_health_seconds=8") as deploy:
        until(lambda: beside(demo, live) != "")
        new = beside(demo, live)
        assert precedence(demo, new) == AS_OTHERS
        assert precedence(demo, live) == FIRST
        assert demo.live() == live
        output = deploy.communicate()[0]
    assert deploy.returncode == 0, output
    assert demo.live() == new
    assert precedence(demo, new) == FIRST


def test_it_is_first_again_after_a_crash(demo: Demo) -> None:
    live = demo.live()
    unit = f"slow-sql@{live}.service"
    crashed = demo.host(f"systemctl show --property MainPID --value {unit}")
    demo.host(f"kill -9 {crashed}")
    until(lambda: demo.host(f"systemctl show --property MainPID --value {unit}") not in ("0", crashed))
    until(lambda: demo.host(f"systemctl is-active {unit} || true") == "active")
    assert precedence(demo, live) == FIRST
