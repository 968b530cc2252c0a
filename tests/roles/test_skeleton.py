"""All roles have the same skeleton, and what they say of their variables is true; so do the modules."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.initech.django.tests.roles.readme import load_spec, render_table, with_table
from ansible_collections.initech.django.tests.templates.render import ROLES, ROOT, evaluate, load

PLAYBOOKS = ROOT / "playbooks"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))

IMPORTS = {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}
BLOCKS = ("block", "rescue", "always")
OPTION = re.compile(rf"(?<![\w.])(?:{'|'.join(NAMES)})_\w+")
"""A variable that carries a role's name; what a module, a file or an internal variable is called does not match."""

UNIT = re.compile(r"\.(service|timer)\.j2")
"""The name of a template of a unit."""

FACT = re.compile(r"ansible_facts\[\\?'([a-z]+)")
SUBSETS = {"distribution": "distribution", "processor": "hardware"}
"""The part of the facts that has those whose names begin so."""

OF_ONE_ROLE = pytest.mark.parametrize("role", NAMES)


@cache
def document(path: Path) -> Any:
    """Return the content of a YAML file. Nearly all tests look at all of them, so each is parsed once."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def documents(role: str, *patterns: str) -> Iterator[tuple[Path, Any]]:
    """Yield the path and the content of a role's YAML files."""
    for pattern in patterns:
        for path in sorted((ROLES / role).glob(pattern)):
            yield path, document(path)


def example(readme: str) -> Any:
    """Return the plays that a role's README shows as its example."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```", readme.partition("## Example")[2], re.MULTILINE | re.DOTALL)
    return yaml.safe_load(text)


def strings(value: Any) -> Iterator[str]:
    """Yield the strings in a value, but not the keys of its mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings in a value, and those in them."""
    if isinstance(value, Mapping):
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from mappings(item)


def flat(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield tasks and blocks, and what stands in the blocks."""
    for task in tasks:
        yield task
        for block in BLOCKS:
            yield from flat(task.get(block, []))


@cache
def read_in(role: str, *patterns: str) -> frozenset[str]:
    """Return the names of the variables that the values of a role's YAML files mention."""
    return frozenset(
        name for _, content in documents(role, *patterns) for text in strings(content) for name in OPTION.findall(text)
    )


def used(role: str) -> frozenset[str]:
    """Return the names of the variables that a role's tasks, handlers, internal variables and templates mention."""
    templates = [path.read_text(encoding="utf-8") for path in sorted((ROLES / role).glob("templates/**/*.j2"))]
    return read_in(role, "tasks/**/*.yml", "handlers/*.yml", "vars/*.yml").union(*map(OPTION.findall, templates))


def options(role: str) -> dict[str, dict[str, Any]]:
    """Return the options of a role by name."""
    found: dict[str, dict[str, Any]] = load_spec(ROLES / role)["options"]
    return found


def defaults(role: str) -> dict[str, Any]:
    """Return a role's defaults as written."""
    return load(ROLES / role / "defaults" / "main.yml")


def defaults_text(role: str) -> str:
    return (ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "file", ["README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml", "tasks/main.yml"]
)
@OF_ONE_ROLE
def test_a_role_has_every_part_of_the_skeleton(role: str, file: str) -> None:
    assert (ROLES / role / file).is_file()


@OF_ONE_ROLE
def test_the_main_tasks_are_a_table_of_contents(role: str) -> None:
    tasks = document(ROLES / role / "tasks" / "main.yml")
    assert tasks
    for task in tasks:
        action = set(task) - {"name", "when", "tags"}
        assert len(action) == 1, task
        assert action <= IMPORTS, task
        assert (ROLES / role / "tasks" / task[action.pop()]).is_file(), task


@OF_ONE_ROLE
def test_a_task_is_named_after_its_file(role: str) -> None:
    for path, tasks in documents(role, "tasks/**/*.yml"):
        if path.name != "main.yml":
            for task in flat(tasks):
                assert re.match(rf"{path.stem} \| [A-Z]", task.get("name", "")), (path, task)


@OF_ONE_ROLE
def test_a_role_names_the_oldest_ansible_that_it_was_written_for(role: str) -> None:
    meta = load(ROLES / role / "meta" / "main.yml")
    assert meta["galaxy_info"]["min_ansible_version"] == "2.19"


@OF_ONE_ROLE
def test_a_role_is_described_the_same_in_both_of_its_meta_files(role: str) -> None:
    meta = load(ROLES / role / "meta" / "main.yml")
    description = meta["galaxy_info"]["description"]
    assert description
    assert description == load_spec(ROLES / role)["short_description"]


@OF_ONE_ROLE
def test_an_option_has_a_type_a_description_and_either_a_default_or_the_duty_to_be_set(role: str) -> None:
    for name, option in options(role).items():
        assert option.get("type"), name
        assert option.get("description"), name
        assert ("default" in option) != option.get("required", False), name
        assert option["type"] != "list" or option.get("elements"), name


@OF_ONE_ROLE
def test_an_options_default_is_of_its_type_and_among_its_choices(role: str) -> None:
    for name, option in options(role).items():
        if "default" in option:
            rule = {key: option[key] for key in ("type", "elements", "choices") if key in option}
            result = ArgumentSpecValidator({name: rule}).validate({name: option["default"]})
            assert not result.error_messages, name
            assert result.validated_parameters[name] == option["default"], name


@OF_ONE_ROLE
def test_entry_points_share_the_options_and_have_a_file_of_tasks(role: str) -> None:
    specs = load(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]
    for name, spec in specs.items():
        assert spec["options"] == options(role), name
        assert (ROLES / role / "tasks" / f"{name}.yml").is_file(), name


@OF_ONE_ROLE
def test_defaults_and_specified_defaults_are_the_same(role: str) -> None:
    """A default that follows another role's variable is evaluated with no variables: what holds if nobody sets that.

    It stands as it is where that has to be set.
    """
    required = {f"{{{{ {name} }}}}" for other in NAMES for name, each in options(other).items() if each.get("required")}
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    written = {name: value if str(value) in required else evaluate(value, {}) for name, value in defaults(role).items()}
    # As text, since to Python false is 0.
    assert json.dumps(written, sort_keys=True) == json.dumps(specified, sort_keys=True)


@OF_ONE_ROLE
def test_a_default_follows_only_variables_that_another_role_specifies(role: str) -> None:
    others = {name for other in NAMES if other != role for name in options(other)}
    assert read_in(role, "defaults/main.yml") <= others


@OF_ONE_ROLE
def test_a_required_option_stands_in_the_defaults_as_a_comment_of_the_role_that_it_is_named_after(role: str) -> None:
    commented = set(re.findall(r"^# (\w+):", defaults_text(role), re.MULTILINE)) - set(defaults(role))
    required = {name for name, option in options(role).items() if option.get("required")}
    assert commented == {name for name in required if name.startswith(f"{role}_")}
    assert not required & set(defaults(role))


@OF_ONE_ROLE
def test_a_default_is_explained_in_the_line_above_and_an_empty_container_has_an_example_below(role: str) -> None:
    lines = defaults_text(role).splitlines()
    for name, value in defaults(role).items():
        (number,) = (number for number, line in enumerate(lines) if line.startswith(f"{name}:"))
        assert re.match(r"# \S+ \S+", lines[number - 1]), name
        if value in ([], {}):
            example = "\n".join(line[2:] for line in lines[number + 1 : number + 3] if line.startswith("# "))
            assert yaml.safe_load(example)[name], name


@OF_ONE_ROLE
def test_a_role_uses_no_variable_that_it_does_not_specify(role: str) -> None:
    assert used(role) <= set(options(role))


@OF_ONE_ROLE
def test_systemd_is_asked_of_every_unit_before_it_is_in_place(role: str) -> None:
    found = [each for _, value in documents(role, "vars/*.yml", "tasks/*.yml") for each in mappings(value)]
    units = [each for each in found if UNIT.search(str(each.get("content", "")))]
    assert [each["path"] for each in units if each.get("validate") != "unit"] == []


def test_every_specified_option_is_used() -> None:
    """In its own role or in a playbook; those of app and database, which roles share, in any."""
    playbooks = {
        name for path in sorted(PLAYBOOKS.glob("*.yml")) for name in OPTION.findall(path.read_text(encoding="utf-8"))
    }
    everywhere = set().union(*(used(role) | read_in(role, "defaults/main.yml") for role in NAMES))
    idle = {role: set(options(role)) - (everywhere if role in ("app", "database") else used(role)) for role in NAMES}
    idle = {role: names - playbooks for role, names in idle.items()}
    assert {role: names for role, names in idle.items() if names} == {}


@OF_ONE_ROLE
def test_the_table_of_variables_in_the_readme_is_not_stale(role: str) -> None:
    text = (ROLES / role / "README.md").read_text(encoding="utf-8")
    assert text == with_table(text, render_table(load_spec(ROLES / role))), "Type: python tests/roles/readme.py"


@OF_ONE_ROLE
def test_a_readme_says_what_to_know_and_shows_a_play_with_variables_that_exist(role: str) -> None:
    text = (ROLES / role / "README.md").read_text(encoding="utf-8")
    assert re.match(rf"# {role}\n\n[A-Z]", text)
    headings = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert [heading for heading in headings if heading in ("What to know", "Example", "Variables")] == [
        "What to know",
        "Example",
        "Variables",
    ]
    known = {name for each in NAMES for name in options(each)}
    plays = example(text)
    assert f"initech.django.{role}" in set(strings(plays))
    for play in plays:
        assert set(play.get("vars", {})) <= known
        if {"role": f"initech.django.{role}"} in play.get("roles", []):
            required = {name for name, option in options(role).items() if option.get("required")}
            assert required <= set(play.get("vars", {}))
    assert set(OPTION.findall(text)) <= known


@OF_ONE_ROLE
def test_an_example_gathers_the_facts_that_its_roles_read(role: str) -> None:
    for play in example((ROLES / role / "README.md").read_text(encoding="utf-8")):
        roles = {role, *(each["role"].rpartition(".")[2] for each in play.get("roles", []))}
        facts = {
            fact for each in roles for _, text in documents(each, "vars/*.yml") for fact in FACT.findall(str(text))
        }
        assert {SUBSETS[fact] for fact in facts} <= set(play.get("gather_subset", []))


# The script that writes the tables


def test_a_table_shows_types_choices_and_defaults_and_turns_ansibles_marks_into_markdown() -> None:
    spec = {
        "options": {
            "app_name": {"type": "str", "required": True, "description": ["One.", "Not V(a|b)."]},
            "app_tool": {"type": "str", "choices": ["uv", "pip"], "default": "uv", "description": "See O(app_name)."},
            "app_list": {"type": "list", "elements": "str", "default": [], "description": "In C(/srv)."},
            "app_text": {"type": "str", "default": "", "description": "SECV(x) is no mark."},
            "app_on": {"type": "bool", "default": False, "description": "A switch."},
        }
    }
    assert render_table(spec).splitlines() == [
        "| variable | type | default | description |",
        "| --- | --- | --- | --- |",
        r"| `app_name` | str | required | One. Not `a\|b`. |",
        "| `app_tool` | str: `uv` or `pip` | `uv` | See `app_name`. |",
        "| `app_list` | list of str | `[]` | In `/srv`. |",
        '| `app_text` | str | `""` | SECV(x) is no mark. |',
        "| `app_on` | bool | `false` | A switch. |",
    ]


def test_only_what_stands_between_the_marks_is_rewritten() -> None:
    text = "before\n<!-- variables -->\nstale\n<!-- end of variables -->\nafter\n"
    assert with_table(text, "table") == "before\n<!-- variables -->\n\ntable\n\n<!-- end of variables -->\nafter\n"


@pytest.mark.parametrize("text", ["", "<!-- variables -->", "<!-- end of variables --><!-- variables -->"])
def test_a_readme_without_the_marks_is_refused_and_not_rewritten(text: str) -> None:
    with pytest.raises(ValueError, match="<!-- variables -->"):
        with_table(text, "table")


# Modules


class Captured(Exception):
    """Ends a module where it would begin."""


def imported(module: str) -> ModuleType:
    return importlib.import_module(f"ansible_collections.initech.django.plugins.modules.{module}")


def documented(module: ModuleType) -> dict[str, Any]:
    """Return what a module documents, with its fragments: `<collection>.<name>`, or `<collection>.<name>.<part>`."""
    found: dict[str, Any] = yaml.safe_load(module.DOCUMENTATION)
    options: dict[str, Any] = {}
    for fragment in found.get("extends_documentation_fragment", ()):
        name, _, part = fragment.removeprefix("initech.django.").partition(".")
        plugin = importlib.import_module(f"ansible_collections.initech.django.plugins.doc_fragments.{name}")
        options |= yaml.safe_load(getattr(plugin.ModuleDocFragment, part.upper() or "DOCUMENTATION"))["options"]
    found["options"] = options | found.get("options", {})
    return found


def declared(module: ModuleType) -> dict[str, Any]:
    """Return what a module gives to AnsibleModule."""
    with patch.object(module, "AnsibleModule", side_effect=Captured) as ansible_module, pytest.raises(Captured):
        module.main()
    return dict(ansible_module.call_args.kwargs)


def comparable(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return options with what is left unsaid said, and without what only documentation or only code has."""
    unsaid = {"type": "str", "elements": None, "required": False, "default": None, "choices": None}
    return {name: {key: spec.get(key, value) for key, value in unsaid.items()} for name, spec in specs.items()}


OF_ONE_MODULE = pytest.mark.parametrize("name", MODULES)
WITH_CODE = [name for name in MODULES if hasattr(imported(name), "main")]


@OF_ONE_MODULE
def test_a_module_is_documented_with_examples_and_what_it_returns(name: str) -> None:
    module = imported(name)
    documentation = documented(module)
    assert documentation["module"] == name
    assert documentation["short_description"]
    assert documentation["description"]
    returned = yaml.safe_load(module.RETURN)
    assert all({"description", "type", "returned"} <= set(value) for value in (returned or {}).values())
    for each in documentation.get("options", {}).values():
        assert each["description"]


@OF_ONE_MODULE
def test_the_examples_of_a_module_would_be_accepted_by_it(name: str) -> None:
    module = imported(name)
    options = documented(module)["options"]
    examples = yaml.safe_load(module.EXAMPLES)
    assert examples
    for task in examples:
        arguments = set(task[f"initech.django.{name}"] or {})
        if name in WITH_CODE:
            assert arguments <= set(options)
            assert {option for option, spec in options.items() if spec.get("required")} <= arguments


@pytest.mark.parametrize("name", WITH_CODE)
def test_a_module_takes_the_options_that_it_documents_and_no_others(name: str) -> None:
    module = imported(name)
    assert comparable(declared(module)["argument_spec"]) == comparable(documented(module)["options"])


@pytest.mark.parametrize("name", WITH_CODE)
def test_a_module_documents_whether_it_has_a_check_mode(name: str) -> None:
    module = imported(name)
    support = yaml.safe_load(module.DOCUMENTATION)["attributes"]["check_mode"]["support"]
    assert (support != "none") == declared(module).get("supports_check_mode", False)


@OF_ONE_MODULE
def test_what_is_a_module_in_name_only_has_an_action_of_this_name(name: str) -> None:
    action = (ROOT / "plugins" / "action" / f"{name}.py").is_file()
    assert action == (name not in WITH_CODE)
