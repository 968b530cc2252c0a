"""What a release has to migrate, asked of a real Django, and what is said of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.manage import MARK, marked
from ansible_collections.initech.django.plugins.module_utils.migrations import (
    PLAN,
    TOLD,
    Migration,
    failed,
    lines,
    of,
    warnings,
)

HEAD = "from django.db import migrations, models\nfrom django.db.models.functions import Now\n"
FIRST = """
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Tag", [("id", models.AutoField(primary_key=True))]),
        migrations.CreateModel("Fixed", [("id", models.AutoField(primary_key=True))], options={"db_table": "fixed"}),
        migrations.CreateModel("Book", [
            ("id", models.AutoField(primary_key=True)),
            ("title", models.CharField(max_length=20, null=True)),
            ("price", models.IntegerField()),
            ("placed", models.IntegerField(db_column="place")),
            ("old", models.IntegerField()),
            ("hidden", models.IntegerField()),
        ]),
    ]
"""
CASES = {
    'migrations.AddField("Book", "note", models.TextField(null=True))': "",
    'migrations.AddField("Book", "count", models.IntegerField(default=0))': (
        "adds Book.count, NOT NULL without a default in the database"
    ),
    'migrations.AddField("Book", "since", models.DateTimeField(db_default=Now()))': "",
    'migrations.AddField("Book", "tags", models.ManyToManyField("shop.Tag"))': "",
    'migrations.AddField("Book", "tag", models.ForeignKey("shop.Tag", models.CASCADE, null=True))': "",
    'migrations.AlterField("Book", "price", models.BigIntegerField())': "",
    'migrations.AlterField("Book", "title", models.CharField(max_length=20, default=""))': "makes Book.title NOT NULL",
    'migrations.AlterField("Book", "price", models.BigIntegerField(db_column="cost"))': (
        "renames the column of Book.price"
    ),
    'migrations.RenameField("Book", "old", "older")': "renames Book.old",
    'migrations.RenameField("Book", "placed", "position")': "",
    'migrations.RemoveField("Book", "older")': "removes Book.older",
    'migrations.SeparateDatabaseAndState([], [migrations.RemoveField("Book", "hidden")])': "",
    'migrations.SeparateDatabaseAndState([migrations.RemoveField("Book", "position")])': "removes Book.position",
    'migrations.AddIndex("Book", models.Index(fields=["price"], name="by_price"))': "",
    'migrations.RenameModel("Fixed", "Repaired")': "",
    'migrations.AlterModelTable("Repaired", "fixed")': "",
    'migrations.AlterModelTable("Repaired", "other")': "renames the table of Repaired",
    'migrations.RenameModel("Book", "Volume")': "renames the table of Book",
    'migrations.DeleteModel("Volume")': "removes the table of Volume",
    'migrations.RunSQL("SELECT 1")': "",
}
"""Operations, each a migration after the one before, and what code that does not know it does not survive of it."""

NEW = """
class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "{before}")]
    operations = [
        migrations.CreateModel("Shelf", [("id", models.AutoField(primary_key=True)), ("x", models.IntegerField())]),
        migrations.AddField("Shelf", "y", models.IntegerField(default=0)),
        migrations.RemoveField("Shelf", "x"),
    ]
"""


FILE = "{'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'shop.sqlite3'}"


def write(project: Path, migrations: Mapping[str, str], databases: str = f"{{'default': {FILE}}}") -> Path:
    """Make a project whose app has these migrations and no others."""
    directory = project / "shop" / "migrations"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (project / "settings.py").write_text(
        f"DATABASES = {databases}\nINSTALLED_APPS = ['shop']\nSECRET_KEY = 'x'\nUSE_TZ = True\n"
    )
    for file in (project / "shop" / "__init__.py", directory / "__init__.py"):
        file.touch()
    for name, text in migrations.items():
        (directory / f"{name}.py").write_text(HEAD + text)
    return project


def after(before: str, operation: str) -> str:
    """Return a migration of one operation that comes after another."""
    return (
        "\nclass Migration(migrations.Migration):\n"
        f'    dependencies = [("shop", "{before}")]\n    operations = [{operation}]\n'
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with all those migrations, and a database that has none."""
    names = ["m0001", *(f"m{number:04}" for number in range(2, len(CASES) + 2))]
    cases = {name: after(before, operation) for before, name, operation in zip(names, names[1:], CASES)}
    last = {"m9999": NEW.format(before=names[-1])}
    return write(tmp_path_factory.mktemp("project"), {names[0]: FIRST, **cases, **last})


def manage(project: Path, *command: str) -> str:
    """Run a command of Django in the project, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "django", *command],
        cwd=project,
        env={"PATH": os.defpath, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def plan(project: Path) -> list[Migration]:
    """Return what Django says is to be migrated."""
    return of(marked(manage(project, "shell", "-c", PLAN + TOLD.format(mark=MARK))))


@pytest.fixture(scope="module")
def all_of_them(project: Path) -> list[Migration]:
    """Return what is to be migrated in an empty database."""
    return plan(project)


@pytest.fixture(scope="module")
def pending(project: Path, all_of_them: list[Migration]) -> list[Migration]:
    """Return what is to be migrated where the live code knows the first migration."""
    manage(project, "migrate", "shop", "m0001")
    return plan(project)


def test_in_an_empty_database_there_is_nothing_that_anybody_could_miss(all_of_them: list[Migration]) -> None:
    assert len(all_of_them) == len(CASES) + 2
    assert {each.name: each.dangers for each in all_of_them if each.dangers} == {}


def test_what_another_app_made_and_handed_on_nobody_misses_in_an_empty_database(tmp_path: Path) -> None:
    handed_on = (
        'migrations.SeparateDatabaseAndState([], [migrations.CreateModel("Email", [("id", models.AutoField('
        'primary_key=True))], options={"db_table": "customer_email"})]), migrations.AlterModelTable("Email", None)'
    )
    project = write(tmp_path, {"m0001": FIRST, "m0002": after("m0001", handed_on)})
    assert [each.dangers for each in plan(project)] == [[], []]
    manage(project, "migrate", "shop", "m0001")
    assert [each.dangers for each in plan(project)] == [["renames the table of Email"]]


def test_only_what_the_live_code_does_not_survive_is_a_danger(pending: list[Migration]) -> None:
    found = {operation: each.dangers for operation, each in zip(CASES, pending)}
    assert found == {operation: [danger] if danger else [] for operation, danger in CASES.items()}


def test_what_is_made_and_changed_in_one_migration_nobody_misses(pending: list[Migration]) -> None:
    assert pending[-1].name == "shop.m9999"
    assert pending[-1].dangers == []
    assert len(pending) == len(CASES) + 1


def test_a_migration_says_whether_it_is_rolled_back(pending: list[Migration]) -> None:
    assert [each.atomic for each in (pending[0], pending[-1])] == [True, False]


def test_what_is_to_be_migrated_is_shown_with_its_steps(pending: list[Migration]) -> None:
    assert lines(pending)[:2] == ["shop.m0002", "    Add field note to Book"]
    assert "shop.m0010 renames Book.old" in warnings(pending)


ADDED = 'migrations.AddField("Book", "note", models.TextField(null=True))'
SQUASH = FIRST.removesuffix("    ]\n") + f"        {ADDED},\n    ]\n"
REPLACES = '    replaces = [("shop", "m0001"), ("shop", "m0002")]\n'
STEP = "Record it as applied: all that it replaces is"
RECORD = Migration("shop.m0001_squashed", [STEP], [], atomic=True, is_applied=True)


def test_a_squash_of_what_is_applied_is_recorded_before_the_old_ones_are_deleted(tmp_path: Path) -> None:
    old = {"m0001": FIRST, "m0002": after("m0001", ADDED)}
    manage(write(tmp_path, old), "migrate")
    assert plan(write(tmp_path, {**old, "m0001_squashed": SQUASH + REPLACES})) == [RECORD]
    manage(tmp_path, "migrate")
    assert plan(tmp_path) == []
    assert plan(write(tmp_path, {"m0001_squashed": SQUASH})) == []


def test_a_squash_is_recorded_after_all_else(tmp_path: Path) -> None:
    old = {"m0001": FIRST, "m0002": after("m0001", ADDED)}
    manage(write(tmp_path, old), "migrate")
    more = {"m0001_squashed": SQUASH + REPLACES, "m0003": after("m0001_squashed", 'migrations.RunSQL("SELECT 1")')}
    assert [each.name for each in plan(write(tmp_path, {**old, **more}))] == ["shop.m0003", RECORD.name]


def test_a_squash_that_was_applied_as_a_whole_is_not_what_failed(tmp_path: Path) -> None:
    more = {"m0001_squashed": SQUASH + REPLACES, "m0003": after("m0001_squashed", 'migrations.RunSQL("broken")')}
    before = plan(write(tmp_path, {"m0001": FIRST, "m0002": after("m0001", ADDED), **more}))
    with pytest.raises(subprocess.CalledProcessError):
        manage(tmp_path, "migrate")
    assert failed(before, plan(tmp_path)) == (
        "Applied: shop.m0001_squashed. Failed: shop.m0003. What it had done was rolled back."
    )


SPLIT = """
        migrations.SeparateDatabaseAndState(
            [
                migrations.RenameField("Book", "price", "cost"),
                migrations.AlterField("Book", "cost", models.IntegerField(db_column="costs")),
                migrations.SeparateDatabaseAndState(
                    [migrations.RunSQL("ALTER TABLE shop_book ADD y integer")],
                    [migrations.AddField("Book", "y", models.IntegerField(null=True))],
                ),
                migrations.RenameField("Book", "y", "z"),
            ],
            [
                migrations.CreateModel("BookTag", [
                    ("id", models.AutoField(primary_key=True)),
                    ("book", models.ForeignKey("shop.Book", models.CASCADE)),
                ]),
                migrations.RenameField("Book", "old", "older"),
            ],
        ),
        migrations.AddField("BookTag", "is_primary", models.BooleanField(default=False)),
        migrations.RemoveField("Book", "older"),
"""
"""Django's documentation, "Changing a ManyToManyField to use a through model", has its like."""


def test_what_follows_sees_of_a_split_operation_what_django_believes(tmp_path: Path) -> None:
    manage(write(tmp_path, {"m0001": FIRST}), "migrate")
    (found,) = plan(write(tmp_path, {"m0001": FIRST, "m0002": after("m0001", SPLIT)}))
    assert found.dangers == [
        "renames Book.price",
        "renames the column of Book.cost",
        "renames Book.y",
        "adds BookTag.is_primary, NOT NULL without a default in the database",
        "removes Book.older",
    ]


def test_where_no_database_is_the_default_nothing_is_to_be_migrated(tmp_path: Path) -> None:
    assert plan(write(tmp_path, {"m0001": FIRST}, f"{{'default': {{}}, 'users': {FILE}}}")) == []


A, B, C = (Migration(f"shop.{name}", [], [], atomic=name != "b") for name in "abc")


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ([A, B, C], "Applied: none. Failed: shop.a; not begun: shop.b, shop.c. What it had done was rolled back."),
        ([B, C], "Applied: shop.a. Failed: shop.b; not begun: shop.c. It is not rolled back:"),
        ([C], "Applied: shop.a, shop.b. Failed: shop.c. What it had done was rolled back."),
        ([], "All migrations are applied; what failed came after them."),
    ],
)
def test_after_a_failure_it_is_said_in_what_state_the_database_is(after: list[Migration], said: str) -> None:
    assert failed([A, B, C], after).startswith(said)
