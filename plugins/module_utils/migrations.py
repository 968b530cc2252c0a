"""Ask Django what is to be migrated, and judge what the code that is live does not survive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.layout import Release
from ansible_collections.initech.django.plugins.module_utils.manage import MARK, asked

UNSEEN = "It cannot be seen what is to be migrated, and nothing was"

PLAN = """
from django.db import connection, migrations
from django.db.migrations.executor import MigrationExecutor
from django.db.models import NOT_PROVIDED


def is_filled(field):
    # By the database itself, for whoever does not know the column.
    if field.null or field.many_to_many or field.primary_key or getattr(field, "generated", False):
        return True
    return getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED


def danger(operation, models, app):
    def old(name):
        return models[app, operation.model_name_lower].fields[name]

    if isinstance(operation, migrations.DeleteModel):
        return "removes the table of " + operation.name
    if isinstance(operation, migrations.RenameModel):
        fixed = models[app, operation.old_name_lower].options.get("db_table")
        return "" if fixed else "renames the table of " + operation.old_name
    if isinstance(operation, migrations.AlterModelTable):
        fixed = models[app, operation.name_lower].options.get("db_table") == operation.table
        return "" if fixed else "renames the table of " + operation.name
    if isinstance(operation, migrations.RemoveField):
        return "removes " + operation.model_name + "." + operation.name
    if isinstance(operation, migrations.RenameField):
        fixed = old(operation.old_name).db_column
        return "" if fixed else "renames " + operation.model_name + "." + operation.old_name
    if isinstance(operation, migrations.AddField) and not is_filled(operation.field):
        return "adds " + operation.model_name + "." + operation.name + ", NOT NULL without a default in the database"
    if isinstance(operation, migrations.AlterField):
        before = old(operation.name)
        if before.null and not is_filled(operation.field):
            return "makes " + operation.model_name + "." + operation.name + " NOT NULL"
        if before.db_column != operation.field.db_column:
            return "renames the column of " + operation.model_name + "." + operation.name
    return ""


def dangers(operation, state, app):
    # What a split one does in the database is judged by itself: what else it does only changes what Django believes.
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        in_database = state.clone()
        for each in operation.database_operations:
            yield from dangers(each, in_database, app)
    else:
        model = getattr(operation, "model_name_lower", "") or getattr(operation, "name_lower", "")
        # What nobody knows yet, nobody misses.
        if isinstance(operation, migrations.CreateModel):
            made.add((app, model))
        elif (app, model) in made:
            if isinstance(operation, migrations.RenameModel):
                made.add((app, operation.new_name_lower))
        elif found := danger(operation, state.models, app):
            yield found
    operation.state_forwards(app, state)


answer, made = [], set()
# Where the project has no default database, but others, the command migrate is not for it.
if connection.settings_dict["ENGINE"] != "django.db.backends.dummy":
    executor = MigrationExecutor(connection)
    loader = executor.loader
    for migration, _ in executor.migration_plan(loader.graph.leaf_nodes()):
        app = migration.app_label
        state = loader.project_state((app, migration.name), at_end=False)
        answer.append({
            "name": app + "." + migration.name,
            "steps": [str(operation.describe()) for operation in migration.operations],
            # In a database that nobody has used yet, nobody misses anything.
            "dangers": [
                found
                for operation in (migration.operations if loader.applied_migrations else ())
                for found in dangers(operation, state, app)
            ],
            "atomic": bool(migration.atomic and connection.features.can_rollback_ddl),
        })
    # A squash of what is applied counts as applied, and Django records that at the end of migrate alone.
    recorded = executor.recorder.applied_migrations()
    for app, name in loader.replacements:
        if (app, name) in loader.applied_migrations and (app, name) not in recorded:
            steps = ["Record it as applied: all that it replaces is"]
            answer.append({"name": app + "." + name, "steps": steps, "dangers": [], "atomic": True, "is_applied": True})
"""
"""What runs in the project: it reads the table of migrations, changes nothing, and leaves the plan in `answer`."""

TOLD = """
import json
print()
print({mark!r} + json.dumps(answer))
"""


@dataclass(frozen=True)
class Migration:
    """One that is to be applied, or recorded as applied.

    Attributes:
        name: with its app, for example shop.0002_price.
        steps: its operations, as Django describes them.
        dangers: what code that does not know it does not survive.
        atomic: whether all of it is rolled back where a part of it fails.
        is_applied: whether only its record is lacking, since what it replaces is applied.
    """

    name: str
    steps: Sequence[str]
    dangers: Sequence[str]
    atomic: bool
    is_applied: bool = False


def plan(release: Release, env_as_environment: bool) -> list[Migration]:
    """Return what a release has to migrate, in its order.

    Raises:
        Problem: Django cannot say, for example because the database is not reached.
    """
    code = PLAN + TOLD.format(mark=MARK)
    return of(asked(release, code, "plan", UNSEEN, env_as_environment))


def of(answer: Sequence[Mapping[str, Any]]) -> list[Migration]:
    """Return what `PLAN` left in `answer`."""
    return [Migration(**each) for each in answer]


def lines(pending: Sequence[Migration]) -> list[str]:
    """Return what is to be migrated, a line for each migration and each of its steps."""
    return [line for each in pending for line in (each.name, *(f"    {step}" for step in each.steps))]


def warnings(pending: Sequence[Migration]) -> list[str]:
    """Return what the code that is live does not survive, a line each."""
    return [f"{each.name} {danger}" for each in pending for danger in each.dangers]


def failed(before: Sequence[Migration], after: Sequence[Migration]) -> str:
    """Say in what state a migration that failed has left the database.

    Args:
        before: what there was to migrate.
        after: what there still is.
    """
    # Of a squash that was applied its record may be left, which has its name.
    left = {(each.name, each.is_applied) for each in after}
    applied = [each.name for each in before if (each.name, each.is_applied) not in left]
    rest = [each for each in before if (each.name, each.is_applied) in left]
    if not rest:
        return "All migrations are applied; what failed came after them."
    said = [f"Applied: {', '.join(applied) or 'none'}. Failed: {rest[0].name}"]
    if rest[1:]:
        said.append(f"not begun: {', '.join(each.name for each in rest[1:])}")
    if rest[0].atomic:
        return f"{'; '.join(said)}. What it had done was rolled back."
    return (
        f"{'; '.join(said)}. It is not rolled back: what it did before it failed is done, and doing it again may fail. "
        "Look at the tables that it changes, and undo that by hand or finish it."
    )
