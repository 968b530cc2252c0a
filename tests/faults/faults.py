"""Break deploys on purpose, one after the other on one host, and see what is left of each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hosts"))

from demo import HOST, Demo, Result, cloned
from load import Load

__all__ = ["BAD", "FILL", "FILL_INODES", "FREE", "KILL_MODULE", "LARGE", "SMALL", "Ground", "Outcome", "Run", "cloned"]

EXAMPLE = "examples/slow_sql"
PAGE = f"{EXAMPLE}/pages/templates/pages/home.html"
VIEWS = f"{EXAMPLE}/pages/views.py"
HEALTHY = '    return plain_text("ok")'
MIGRATION = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pages", "0003_greeting_attachment")]
    operations = [migrations.RunSQL("CREATE TABLE half_way (id int)"), migrations.RunSQL("SELECT no_such_column")]
"""
BAD: dict[str, tuple[str, str, str, str]] = {
    "a syntax error": (VIEWS, HEALTHY, "    return (", "was never closed"),
    "an import error in wsgi": (f"{EXAMPLE}/slow_sql/wsgi.py", "bootstrap()\n", "import no_such\n", "no_such"),
    "a health page that hangs": (VIEWS, HEALTHY, "    __import__('time').sleep(60)", "does not answer"),
    "a health page that answers 500": (VIEWS, HEALTHY, "    raise RuntimeError('x')", "it answered 500"),
    "a release that dies after ten seconds": (
        VIEWS,
        "import os\n",
        "import os, threading\nthreading.Timer(10, os.kill, (os.getppid(), 9)).start()\n",
        "s after it had answered",
    ),
}
"""Releases that are no good: a file, what is replaced in it and by what, and what the message says."""

LEFT = """
cd /srv/slow-sql/releases
for each in * .[!.]*; do test -e "$each/manifest.json" || ! test -e "$each" || echo "half-made: $each"; done
cd ../virtualenvs
for each in * .[!.]*; do
    ! test -e "$each" || ls -l ../releases/*/virtualenv | grep -q "/$each$" || echo "a virtualenv of no release: $each"
done
units=$(systemctl list-units --plain --no-legend --all 'slow-sql@*' | wc -l)
test "$units" = 1 || echo "$units instances"
find /root/.ansible/tmp /home/*/.ansible/tmp -mindepth 1 2>/dev/null || true
ls /run/initech-django/slow-sql 2>/dev/null | sed 's/^/a claim: /'
"""
KILL_MODULE = """
import os, signal
from pathlib import Path
def command(process):
    return Path("/proc", process, "cmdline").read_bytes()
def children(process):
    return Path("/proc", process, "task", process, "children").read_text().split()
while True:
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            # What Ansible starts with: the module, as root, is below it.
            if b"BECOME-SUCCESS" in command(process) and command(process).startswith(b"/bin/sh"):
                for child in children(process):
                    if b"python" in command(child):
                        os.kill(int(child), signal.SIGKILL)
                        raise SystemExit
        except (FileNotFoundError, ProcessLookupError):
            continue
"""
# nginx is in a sandbox, and in a container it does not see what is mounted after its start.
SMALL = """
systemctl stop 'slow-sql@*'
cp -a /srv/slow-sql /srv/saved
mount -t tmpfs -o size=600M,mode=0755 tmpfs /srv/slow-sql
cp -a /srv/saved/. /srv/slow-sql/
systemctl start slow-sql.service
systemctl restart nginx.service
"""
LARGE = """
systemctl stop 'slow-sql@*'
umount /srv/slow-sql
rm -r /srv/saved
systemctl start slow-sql.service
systemctl restart nginx.service
"""
FILL = "dd if=/dev/zero of=/srv/slow-sql/fill bs=64K 2>/dev/null || true"
FILL_INODES = """
used=$(df --output=iused /srv/slow-sql | tail -1 | tr -d '[:blank:]')
mount -o remount,nr_inodes=$used /srv/slow-sql
"""
FREE = "rm -f /srv/slow-sql/fill; mount -o remount,nr_inodes=1000000 /srv/slow-sql"


@dataclass
class Outcome:
    """What came of a fault.

    Attributes:
        fault: what was done.
        at: when: a task, or a moment in seconds.
        code: of the run that it struck.
        ended: whether the old or the new release was live then.
        said: the last lines of that run that say why, where it was refused or stopped.
        problems: what should not be; empty where all is well.
        figures: what was measured.
    """

    fault: str
    at: str
    code: int = 0
    ended: str = ""
    said: str = ""
    problems: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)


@dataclass
class Run:
    """A deploy that is under way."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)

    def read_until(self, task: str) -> bool:
        """Read until a task's name is printed, which is when it has ended; tell whether that came to pass."""
        for line in self.process.stdout or ():
            self.output.append(line)
            if line.startswith("TASK") and task in line:
                return True
        return False

    def kill(self) -> None:
        """Kill the controller and all its children."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def finish(self, seconds: float = 300) -> str:
        """Wait for its end and return what it printed; one that has not ended then is killed."""
        try:
            self.output.append(self.process.communicate(timeout=seconds)[0])
        except subprocess.TimeoutExpired:
            self.kill()
            self.output.append(self.process.communicate()[0] + f"\nnot ended after {seconds} s\n")
        return "".join(self.output)


Harm = Callable[[Run], None]


class Ground:
    """A demo on which deploys are broken.

    Attributes:
        seconds: how long the newest deploy took that did it all. With other work beside it, it may take twice as long.
    """

    def __init__(self, demo: Demo) -> None:
        """Take the demo."""
        self.demo = demo
        self.number = 0
        self.seconds = 0.0

    def change(self) -> str:
        """Commit something new to deploy, and return what the page will have in it."""
        self.number += 1
        page = self.demo.path / PAGE
        text = f"<!-- fault {self.number} -->"
        page.write_text(page.read_text(encoding="utf-8") + text + "\n", encoding="utf-8")
        self.demo.commit(text)
        return text

    def begin(self, *arguments: str) -> Run:
        """Begin a deploy."""
        return Run(self.demo.begin("deploy", *arguments))

    def tasks(self) -> list[str]:
        """Deploy something, and return the tasks of the deploy on the host, in their order."""
        self.change()
        output = self.deploy().output
        names = [line.split("[", 1)[1].partition("]")[0] for line in output.splitlines() if line.startswith("TASK")]
        return [name.partition(" : ")[2] for name in names if ".release : " in name and "pack |" not in name]

    def deploy(self) -> Result:
        """Deploy, and see how long that takes."""
        began = time.monotonic()
        result = self.demo.playbook("deploy")
        self.seconds = time.monotonic() - began
        return result

    def left(self) -> list[str]:
        """Return what is left that should not be, a line each. A lease is given back a moment after the run."""
        deadline = time.monotonic() + 10
        while (lines := self.demo.host(LEFT).splitlines()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return lines

    def strike(
        self,
        fault: str,
        at: str,
        harm: Harm,
        *,
        mend: Callable[[], object] = lambda: None,
        refusal: Sequence[str] = (),
        may_go_well: bool = False,
        is_bad: bool = False,
        arguments: Sequence[str] = (),
        is_down: bool = False,
    ) -> Outcome:
        """Begin a deploy, do harm, mend it, and deploy twice more.

        Args:
            fault: what is done.
            at: when.
            harm: does it to the run.
            mend: ends what keeps a deploy from going well.
            refusal: what the run says then, one of them; empty where it may end as it likes.
            may_go_well: it need not be refused.
            is_bad: the release is no good, and its own traceback is shown.
            arguments: of the deploy.
            is_down: the host is down for a while: the site is not asked meanwhile.
        """
        outcome, old = Outcome(fault, at), self.demo.live()
        text = self.change()
        connections = 0 if is_down else 2
        with Load(self.demo.connect, connections=connections, pause=0.02) as load:
            run = self.begin(*arguments)
            harm(run)
            output = " ".join(run.finish().split())
            outcome.code = run.process.returncode
            mend()
            outcome.ended = "old" if self.demo.live() == old else "new"
            if is_down and "Ten slow queries" not in self.page():
                outcome.problems.append("the site does not answer by itself after the boot")
            again = self.deploy() if outcome.ended == "old" else self.demo.playbook("deploy")
            third = self.demo.playbook("deploy")
        if refusal and not (may_go_well and outcome.code == 0):
            found = [words for words in refusal if words in output]
            begin = max(output.rfind(found[0]) - 300, 0) if found else -800
            outcome.said = output[begin:][:800]
            outcome.problems += [] if found and outcome.code else [f"it does not say {' or '.join(refusal)}"]
            outcome.problems += ["the new release went live"] if outcome.ended == "new" else []
        outcome.problems += ["a traceback"] if "Traceback" in output and not is_bad else []
        outcome.problems += [f"{count} times {what}" for what, count in load.failures.items()]
        outcome.problems += [f"the next deploy failed: {again.text[-1500:]}"] if again.code else []
        is_well = (third.code, third.changed) == (0, 0)
        outcome.problems += [] if is_well else [f"the third one changed something: {third.text[-1500:]}"]
        outcome.problems += [] if text in self.demo.get("/") else ["the new release is not live in the end"]
        outcome.problems += self.left()
        return outcome

    def page(self) -> str:
        """Return the page as soon as it is there, or nothing after a minute."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return self.demo.get("/")
            except OSError:
                time.sleep(0.2)
        return ""

    def boot(self) -> None:
        """Start the host again, which has gone down."""
        self.demo.checked(sys.executable, "molecule/throwaway.py", "up", HOST)

    def spoil(self, name: str) -> Outcome:
        """Deploy a release that is no good, and then a good one."""
        file, old, new, words = BAD[name]
        path = self.demo.path / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        arguments = ("-e", "release_health_timeout=5", "-e", "release_health_seconds=12")

        def mend() -> None:
            path.write_text(text, encoding="utf-8")
            self.demo.commit("As it was")

        return self.strike(
            "bad release", name, lambda _: None, mend=mend, refusal=[words], is_bad=True, arguments=arguments
        )

    def half_migrated(self) -> Outcome:
        """Deploy a migration that fails half way, and then none."""
        path = self.demo.path / EXAMPLE / "pages/migrations/0004_half_way.py"
        path.write_text(MIGRATION, encoding="utf-8")
        self.demo.checked("git", "add", ".")

        def mend() -> None:
            path.unlink()
            self.demo.commit("Without it")

        name = "a migration that fails half way"
        words = "Failed: pages.0004_half_way. What it had done was rolled back."
        return self.strike("bad release", name, lambda _: None, mend=mend, refusal=[words], is_bad=True)

    def two_at_once(self, number: int) -> Outcome:
        """Begin two deploys in one moment."""
        outcome = Outcome("two deploys at once", str(number))
        text = self.change()
        with Load(self.demo.connect, connections=2, pause=0.02) as load:
            runs = [self.begin(), self.begin()]
            outputs = [" ".join(run.finish().split()) for run in runs]
        codes = [run.process.returncode for run in runs]
        outcome.code = max(codes)
        if sorted(code == 0 for code in codes) != [False, True]:
            outcome.problems.append(f"they ended with {codes}: {outputs[0][-800:]} | {outputs[1][-800:]}")
        elif "slow-sql is being deployed by" not in outputs[codes.index(0) - 1]:
            said = outputs[codes.index(0) - 1][-800:]
            outcome.problems.append(f"the other one was not told by whom it is being deployed: {said}")
        outcome.problems += [f"{count} times {what}" for what, count in load.failures.items()]
        outcome.problems += [] if text in self.demo.get("/") else ["the new release is not live in the end"]
        outcome.problems += self.left()
        return outcome
