"""Write the table of variables in every role's README.md, from its meta/argument_specs.yml.

After a change there type: python tests/roles/readme.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
BEGIN = "<!-- variables -->"
END = "<!-- end of variables -->"
MARKUP = re.compile(r"\b[CVO]\(([^()]*)\)")
"""Ansible's marks of code, values and options: C(x), V(x), O(x)."""


def marked_up(text: str) -> str:
    """Return a description of argument_specs as Markdown that fits into a table's cell."""
    return MARKUP.sub(r"`\1`", text).replace("|", r"\|")


def type_cell(option: Mapping[str, Any]) -> str:
    """Return what an option takes: its type, that of its items, and its choices."""
    text = f"{option['type']} of {option['elements']}" if "elements" in option else str(option["type"])
    if "choices" in option:
        text += ": " + " or ".join(f"`{choice}`" for choice in option["choices"])
    return text


def default_cell(option: Mapping[str, Any]) -> str:
    """Return an option's default as one would write it in YAML, or that it has none."""
    if option.get("required"):
        return "required"
    default = option["default"]
    return f"`{default}`" if isinstance(default, str) and default else f"`{json.dumps(default)}`"


def render_table(spec: Mapping[str, Any]) -> str:
    """Return the table of one entry point of argument_specs, without a line end after it."""
    options = spec["options"]
    if not options:
        return "This role has no variables."
    rows = [("variable", "type", "default", "description"), ("---",) * 4]
    for name, option in options.items():
        text = option["description"]
        description = text if isinstance(text, str) else " ".join(text)
        rows.append((f"`{name}`", type_cell(option), default_cell(option), marked_up(description)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@cache
def load_spec(role: Path) -> dict[str, Any]:
    """Return the entry point `main` of a role's argument_specs."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    main: dict[str, Any] = specs["argument_specs"]["main"]
    return main


def with_table(text: str, table: str) -> str:
    """Return a README with this table between the two marks.

    Raises:
        ValueError: it does not have each mark once, in this order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"A README needs one line {BEGIN} and below it one line {END}.")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> None:
    """Rewrite the tables that are stale."""
    for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
        readme = role / "README.md"
        old = readme.read_text(encoding="utf-8")
        new = with_table(old, render_table(load_spec(role)))
        if new != old:
            readme.write_text(new, encoding="utf-8")
            print(f"{role.name}: table rewritten")


if __name__ == "__main__":
    main()
