"""Secrets are made and rotated in a vault file, and all else in it stays; Ansible itself runs secrets.yml."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.vault import (
    NOBODY_KNOWS,
    Plan,
    Unfit,
    Variables,
    by_hand,
    choose_secret,
    ended,
    label_of,
    names_in,
    no_password,
    plan,
    read,
    report,
    swapped,
    with_value,
    without_value,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
FILE = "inventories/prod/group_vars/prod/vault.yml"
PASSWORD = "of-the-vault"
CANARY = "canary-"
"""How the values begin that no output may hold."""

INVENTORY: dict[str, Any] = {
    "database_user": "shop",
    "database_password": "{{ vault_database_password }}",
    "release_env": {
        "DEBUG": False,
        "SECRET_KEY": "{{ vault_secret_key }}",
        "SECRET_KEY_FALLBACKS": "{{ vault_secret_key_fallbacks | default([]) }}",
        "DATABASE_URL": "{{ lookup('initech.django.database_url') }}",
    },
}
BOTH = {"vault_secret_key": f"{CANARY}key", "vault_database_password": f"{CANARY}database"}
TEXT = f"""---
# Of the shop.
vault_secret_key: '{CANARY}key'   # first made in 2024

vault_database_password: {CANARY}database
vault_certificate: |
  line
  another

# The end.
"""


# The text: what is written there by hand stays


names = st.from_regex(r"vault_[a-z]{1,8}", fullmatch=True)
values = st.text(st.characters(codec="utf-8"), max_size=20)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return a vault file as people write them: with comments, empty lines, and values in every style."""
    lines = [draw(st.sampled_from(["", "---", "# Of the shop.", "---\n# Of the shop."]))]
    for name in draw(st.lists(names, unique=True, max_size=5)):
        comment = draw(st.sampled_from(["", "  # why: it 'is'", " #"]))
        plain, quoted = f"x{draw(st.integers(0, 99))}", yaml.safe_dump(draw(values), default_style='"', width=1e9)
        lines += draw(
            st.sampled_from(
                [
                    [f"{name}: {plain}{comment}"],
                    [f"{name}: {quoted.strip()}{comment}"],
                    [f"{name}: 'it''s {plain}'{comment}"],
                    [f"'{name}'  : !unsafe '{{{{ {plain} }}}}'{comment}"],
                    [f"{name}:{comment}"],
                    [f"{name}: |{comment}", f"  {plain}", "  # not a comment", ""],
                    [f"{name}: >-{comment}", f"   {plain}", "", f"   {plain}"],
                    [f"{name}: {plain}", f"  {plain}{comment}"],
                    [f"{name}: [{plain}, {plain}]{comment}"],
                    [f"{name}:", f"  - {plain}{comment}", f"  - key: {plain}", "    other:"],
                    [f"{name}:", f"- {plain}{comment}"],
                ]
            )
        )
        lines += draw(st.sampled_from([[], [""], [f"# vault_x: {plain}"], ["", "# further down"]]))
    return draw(st.sampled_from(["\n", "\r\n"])).join([*lines, ""])


def difference(old: str, new: str) -> tuple[str, str]:
    """Return what stands only in the one text, and what only in the other, in one place."""
    start = common(old, new)
    end = common(old[start:][::-1], new[start:][::-1])
    return old[start : len(old) - end], new[start : len(new) - end]


def comments(text: str) -> list[str]:
    """Return the comments that have lines of their own."""
    return [line for line in text.splitlines() if line.startswith("#")]


def common(one: str, other: str) -> int:
    """Return how many characters are the same at the beginning of both."""
    return next(
        (number for number, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other))
    )


@given(text=texts(), name=names, value=st.one_of(values, st.lists(values, max_size=3)))
def test_a_new_name_is_put_behind_the_text_which_stays_as_it_is(text: str, name: str, value: str | list[str]) -> None:
    before = read(text)
    if name in before:
        return
    new = with_value(text, name, value)
    assert read(new) == {**before, name: value}
    assert new.startswith(text) or not text.strip()
    assert new.count("\n") == text.count("\n") + 1 or not text.strip()


@given(text=texts(), value=st.one_of(values, st.lists(values, max_size=3)), data=st.data())
def test_a_value_is_replaced_in_its_place_and_nothing_else(
    text: str, value: str | list[str], data: st.DataObject
) -> None:
    before = read(text)
    if not before:
        return
    name = data.draw(st.sampled_from(list(before)))
    new = with_value(text, name, value)
    assert read(new) == {**before, name: value}
    # All that differs is in one place, and no comment is among it.
    _, came = difference(text, new)
    assert "\n" not in came
    assert comments(new) == comments(text)
    assert with_value(new, name, value) == new


@given(text=texts(), data=st.data())
def test_a_name_is_removed_with_its_lines_and_no_other(text: str, data: st.DataObject) -> None:
    before = read(text)
    if not before:
        return
    name = data.draw(st.sampled_from(list(before)))
    new = without_value(text, name)
    assert read(new) == {key: value for key, value in before.items() if key != name}
    assert comments(new) == comments(text)


@given(text=texts(), name=names, value=st.text("abcXYZ-_09", min_size=1))
def test_what_was_added_and_removed_leaves_the_text_as_it_was(text: str, name: str, value: str) -> None:
    if name not in read(text) and text.strip():
        assert without_value(with_value(text, name, [value]), name) == text


def test_an_empty_file_becomes_a_document() -> None:
    assert with_value("", "vault_a", "x") == '---\nvault_a: "x"\n'
    assert with_value(" \n", "vault_a", "x") == '---\nvault_a: "x"\n'


def test_a_text_without_an_end_of_line_gets_one() -> None:
    assert with_value("a: 1", "b", "x") == 'a: 1\nb: "x"\n'
    assert without_value("a: 1\nb: 2", "b") == "a: 1\n"


def test_what_is_not_there_need_not_be_removed() -> None:
    assert without_value(TEXT, "vault_x") == TEXT


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a: 'secret", "is no valid YAML, at line 1"),
        ("a: 1\nb: 'secret\n", "is no valid YAML, at line 3"),
        ("a: \x00secret", "is no valid YAML"),
        ("a: 2001-99-99", "is no valid YAML"),
        ("- secret", "does not hold names and their values"),
        ("secret", "does not hold names and their values"),
        ("vault_a: secret\nvault_a: secret\n", "has vault_a twice"),
        ("{b: secret}", "is written in a way in which vault_a cannot be changed without touching something else"),
        ("b: secret\n...\n", "is written in a way in which vault_a cannot be changed without touching something else"),
        ("vault_a: &x secret\nb: *x\n", "is written in a way in which vault_a cannot be changed"),
        # A line end would become a part of it.
        ("b: |\n  secret", "is written in a way in which vault_a cannot be changed"),
    ],
)
def test_a_text_that_cannot_be_changed_is_refused_without_showing_it(text: str, wrong: str) -> None:
    with pytest.raises(Unfit) as caught:
        with_value(text, "vault_a", "y")
    assert str(caught.value).startswith(wrong)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_name_can_be_changed_and_removed_in_braces_only_where_that_is_safe() -> None:
    assert with_value("{vault_a: 1, b: 2}\n", "vault_a", "x") == '{vault_a: "x", b: 2}\n'
    with pytest.raises(Unfit):
        without_value("{vault_a: 1, b: 2}\n", "vault_a")


# What the inventory refers to


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("vault_a", {}),
        ("{{ vault_a }}", {"vault_a": True}),
        ("{% if vault_a %}{{ vault_b }}{% endif %}", {"vault_a": True, "vault_b": True}),
        ("https://shop:{{ vault_a | urlencode }}@x", {"vault_a": True}),
        ("{{ x | urlencode(password=vault_a) }}", {"x": True, "vault_a": True}),
        (
            "{{ lookup('initech.django.database_url') }}",
            {"lookup": True, "database_user": True, "database_password": True},
        ),
        ("{{ vault_a | default('') }}", {"vault_a": False}),
        ("{{ vault_a | default('') | upper }}", {"vault_a": False}),
        ("{{ vault_a.b[0] | d(vault_c) }}", {"vault_a": False, "vault_c": True}),
        ("{{ vault_a if vault_a is defined else '' }}", {"vault_a": False}),
        ("{{ '' if vault_a is undefined else vault_a }}", {"vault_a": False}),
        ("{{ vault_a | default('') }}{{ vault_a }}", {"vault_a": True}),
        ("{{ 'vault_a' }}", {}),
        ("{# {{ vault_a }} #}", {}),
        ("{{ vault_a", {}),
    ],
)
def test_a_template_tells_which_variables_have_to_be_there(template: str, found: dict[str, bool]) -> None:
    assert names_in(template) == found


def changed(
    text: str, rotate: Sequence[str] = (), *others: Mapping[str, Any], inventory: Mapping[str, Any] = INVENTORY
) -> Plan:
    """Return the plan for hosts that all have the values of the file, and each its own variables."""
    given = {key: value for key, value in read(text).items() if isinstance(value, str)}
    hosts = {f"web{i}": Variables({**inventory, **given, **other}) for i, other in enumerate(others or ({},), 1)}
    return plan(hosts, hosts, text, rotate, FILE, make=lambda size: f"new-{size}")


def refusal(text: str, rotate: Sequence[str] = (), inventory: Mapping[str, Any] = INVENTORY) -> str:
    with pytest.raises(Problem) as caught, by_hand(FILE):
        changed(text, rotate, inventory=inventory)
    assert CANARY not in str(caught.value)
    return str(caught.value)


def test_what_is_lacking_is_made() -> None:
    result = changed("")
    assert result.text == '---\nvault_database_password: "new-32"\nvault_secret_key: "new-50"\n'
    assert (result.made, result.lacking) == (["vault_database_password", "vault_secret_key"], {})
    assert result.needs_provision


def test_only_what_is_lacking_is_made() -> None:
    result = changed("# Mine.\nvault_database_password: x\n")
    assert result.text == '# Mine.\nvault_database_password: x\nvault_secret_key: "new-50"\n'
    assert not result.needs_provision


def test_where_nothing_is_lacking_nothing_changes() -> None:
    result = changed(TEXT)
    assert not result.changes
    assert result.text == TEXT


@pytest.mark.parametrize("value", ["", " ''", " '  '", " null", ' "FILL IN: fifty letters"'])
def test_a_name_that_has_still_to_be_filled_in_is_lacking(value: str) -> None:
    result = changed(f"vault_secret_key:{value} # why\nvault_database_password: x\n")
    assert result.made == ["vault_secret_key"]
    assert result.text == 'vault_secret_key: "new-50" # why\nvault_database_password: x\n'


def test_a_value_from_elsewhere_counts() -> None:
    assert changed("", [], BOTH).changes is False


def test_what_one_host_lacks_is_made() -> None:
    assert changed("", [], BOTH, {"vault_secret_key": "x"}).made == ["vault_database_password"]


def test_secrets_are_long_differ_and_need_no_escaping() -> None:
    hosts = {"web1": Variables(INVENTORY)}
    found = [value for _ in range(20) for value in read(plan(hosts, hosts, "", [], FILE).text).items()]
    assert len({value for _, value in found}) == 40
    for name, value in found:
        assert re.fullmatch(r"[\w-]+", value)
        assert len(value) == {"vault_secret_key": 67, "vault_database_password": 43}[name]


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({"python_indexes": ["https://shop:{{ vault_index_password }}@x/simple"]}, "python_indexes[0]"),
        ({"release_env": {"MAIL": {"A": "{{ vault_index_password }}"}}}, "release_env.MAIL.A"),
        ({"vault_index_password": None, "x": "{{ vault_index_password }}"}, "x"),
    ],
)
def test_what_somebody_else_gives_out_is_never_made_up(variables: Mapping[str, Any], path: str) -> None:
    result = changed(TEXT, [], variables)
    assert result.lacking == {"vault_index_password": path}
    assert result.made == []
    assert result.text == TEXT


@pytest.mark.parametrize(
    ("name", "env", "others"),
    [
        ("vault_blog_key", {"SECRET_KEY": "{{ vault_blog_key }}"}, {}),
        ("vault_blog_key", {"SECRET_KEY": "{{ blog_key }}"}, {"blog_key": "{{ vault_blog_key }}"}),
        ("vault_secret_key", {"DJANGO_KEY": "{{ vault_secret_key }}"}, {}),
        ("vault_blog_pass", {}, {"database_password": "{{ vault_blog_pass }}"}),
    ],
)
def test_what_is_made_is_told_by_its_use(name: str, env: dict[str, str], others: dict[str, str]) -> None:
    assert changed("", inventory={"release_env": env, **others}).made == [name]


def test_names_that_look_like_ours_and_are_somebody_elses_are_left_to_the_user() -> None:
    env = {"STRIPE": "{{ vault_stripe_secret_key }}", "EMAIL_HOST_PASSWORD": "{{ vault_mail_password }}"}
    result = changed("", inventory={"release_env": env})
    assert not result.changes
    assert sorted(result.lacking) == ["vault_mail_password", "vault_stripe_secret_key"]


def test_a_file_that_cannot_be_changed_is_left_alone_with_what_to_type() -> None:
    assert refusal("{vault_a: 1}") == (
        f"{FILE} is written in a way in which vault_database_password cannot be changed without touching something "
        f"else, so nothing was changed. To do it by hand type: ansible-vault edit {FILE}"
    )


# Rotation


@pytest.mark.parametrize("wanted", ["SECRET_KEY", "vault_secret_key", " SECRET_KEY "])
def test_a_key_gets_another_value_and_the_former_one_is_kept(wanted: str) -> None:
    result = changed(TEXT, [wanted])
    assert result.text == (
        TEXT.replace(f"'{CANARY}key'", '"new-50"') + f'vault_secret_key_fallbacks: ["{CANARY}key"]\n'
    )
    assert (result.made, result.rotated, result.removed) == ([], ["vault_secret_key"], [])
    assert not result.needs_provision


def test_a_key_that_is_named_twice_is_rotated_once() -> None:
    once = changed(TEXT, ["SECRET_KEY"])
    assert changed(TEXT, ["SECRET_KEY", "vault_secret_key", "SECRET_KEY"]) == once


def test_the_next_run_removes_the_former_value_and_the_one_after_that_changes_nothing() -> None:
    rotated = changed(TEXT, ["SECRET_KEY"]).text
    result = changed(rotated)
    assert result.removed == ["vault_secret_key_fallbacks"]
    assert result.text == TEXT.replace(f"'{CANARY}key'", '"new-50"')
    assert not changed(result.text).changes


def test_a_second_rotation_keeps_both_former_values_the_newer_first() -> None:
    result = changed(changed(TEXT, ["SECRET_KEY"]).text, ["SECRET_KEY"])
    assert read(result.text)["vault_secret_key_fallbacks"] == ["new-50", f"{CANARY}key"]


def test_a_key_that_is_only_made_leaves_nothing_behind() -> None:
    result = changed("vault_database_password: x\n", ["SECRET_KEY"])
    assert (result.made, result.rotated) == (["vault_secret_key"], [])
    assert "vault_secret_key_fallbacks" not in read(result.text)


def test_each_key_has_its_own_former_values() -> None:
    env = {
        "SECRET_KEY": "{{ vault_blog_key }}",
        "SECRET_KEY_FALLBACKS": "{{ vault_blog_key_fallbacks | default([]) }}",
    }
    text = f"{TEXT}vault_blog_key: blog\n"
    result = changed(text, ["vault_blog_key"], {}, {"release_env": env})
    assert result.rotated == ["vault_blog_key"]
    both = changed(result.text, ["SECRET_KEY"], {}, {"release_env": env})
    assert sorted(both.rotated) == ["vault_blog_key", "vault_secret_key"]
    assert read(both.text)["vault_secret_key_fallbacks"] == [f"{CANARY}key"]
    assert changed(both.text, [], {}, {"release_env": env}).removed == [
        "vault_blog_key_fallbacks",
        "vault_secret_key_fallbacks",
    ]


@given(old=st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1).filter(str.strip))
def test_any_former_value_is_kept_exactly(old: str) -> None:
    text = with_value("vault_database_password: x\n", "vault_secret_key", old)
    if not old.startswith("FILL IN"):
        assert read(changed(text, ["SECRET_KEY"]).text)["vault_secret_key_fallbacks"] == [old]


@pytest.mark.parametrize("wanted", ["DATABASE_URL", "database_password", "vault_database_password"])
def test_a_password_gets_a_next_value_and_keeps_its_own_until_database_and_hosts_know_it(wanted: str) -> None:
    result = changed(TEXT, [wanted])
    assert difference(TEXT, result.text) == ("", 'vault_database_password_next: "new-32"\n')
    assert (result.begun, result.rotating, result.rotated) == (["vault_database_password"],) * 2 + ([],)


def test_a_rotation_that_was_stopped_goes_on_with_the_value_that_it_had() -> None:
    begun = changed(TEXT, ["DATABASE_URL"])
    for rotate in ([], ["DATABASE_URL"]):
        again = changed(begun.text, rotate)
        assert (again.changes, again.text, again.rotating) == (False, begun.text, ["vault_database_password"])


def test_at_its_end_the_password_has_that_value_and_nothing_else_is_left() -> None:
    begun = changed(TEXT, ["DATABASE_URL"]).text
    both = swapped(begun, "vault_database_password")
    assert read(both)["vault_database_password"] == read(both)["vault_database_password_next"] == "new-32"
    assert swapped(both, "vault_database_password") == both
    done = ended(both, "vault_database_password")
    assert done == TEXT.replace(f"{CANARY}database", '"new-32"')
    assert ended(done, "vault_database_password") == done


def test_what_backups_are_encrypted_with_is_made_once_and_never_rotated() -> None:
    inventory = {**INVENTORY, "backup_passphrase": "{{ vault_backup_passphrase }}"}
    made = changed(TEXT, inventory=inventory)
    assert difference(TEXT, made.text) == ("", 'vault_backup_passphrase: "new-32"\n')
    assert made.needs_provision
    assert not changed(made.text, inventory=inventory).changes
    for wanted in ("vault_backup_passphrase", "backup_passphrase"):
        message = refusal(made.text, [wanted], inventory)
        assert f"  {wanted}: what was encrypted with it could not be read any more, so it stays as it is" in message


def test_a_key_and_a_password_are_rotated_by_one_command() -> None:
    result = changed(TEXT, ["SECRET_KEY", "DATABASE_URL"])
    assert (result.rotated, result.rotating) == (["vault_secret_key"], ["vault_database_password"])


def test_a_password_is_changed_on_all_of_its_hosts_or_not_at_all() -> None:
    hosts = {name: Variables({**INVENTORY, **BOTH}) for name in ("web1", "web2")}
    with pytest.raises(Problem) as caught:
        plan(hosts, ["web1"], TEXT, ["DATABASE_URL"], FILE)
    assert str(caught.value).splitlines()[1:] == [
        "  vault_database_password: it has to change on all of its hosts and no others. Type: -l web1,web2"
    ]


def test_two_databases_are_rotated_one_after_the_other() -> None:
    blog = {"database_password": "{{ vault_blog_password }}"}
    message = ""
    with pytest.raises(Problem) as caught:
        changed("vault_database_password: x\nvault_blog_password: y\n", ["database_password"], {}, blog)
    message = str(caught.value)
    assert "  vault_blog_password: it has to change on all of its hosts and no others. Type: -l web2" in message
    assert "vault_blog_password and vault_database_password are of several databases: rotate one after" in message


FOLLOWS = "release_env does not follow from database_user and database_password. Write: DATABASE_URL: "


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        (
            "postgres://shop:{{ vault_database_password }}@db/shop",
            "release_env refers to vault_database_password. Write",
        ),
        ("postgres://shop:{{ database_password }}@db/shop", FOLLOWS),
    ],
)
def test_an_inventory_whose_url_would_not_follow_is_told_what_to_write(url: str, wrong: str) -> None:
    message = refusal(TEXT, ["DATABASE_URL"], {**INVENTORY, "release_env": {"DATABASE_URL": url}})
    assert f"  inventories/prod/group_vars/prod/release.yml: {wrong}" in message


NEITHER = "it is neither a key of Django's nor a database's password: whoever gave it out has to change it"


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        ("DEBUG", "DEBUG: release_env does not take it from the vault"),
        (
            "secret_key",
            "secret_key: release_env does not have it. Type: -e rotate=SECRET_KEY or -e rotate=DATABASE_URL",
        ),
        ("API_TOKEN", f"API_TOKEN: {NEITHER}"),
        ("vault_certificate", f"vault_certificate: {NEITHER}"),
        ("", "rotate names nothing. Type: -e rotate=SECRET_KEY or -e rotate=DATABASE_URL"),
    ],
)
def test_what_cannot_be_rotated_is_refused_before_anything_is_changed(wanted: str, wrong: str) -> None:
    env = {**INVENTORY["release_env"], "API_TOKEN": "{{ vault_certificate }}"}
    message = refusal("vault_certificate: x\n", [wanted, "SECRET_KEY"], {**INVENTORY, "release_env": env})
    assert message.startswith(f"Nothing was changed:\n  {wrong}")
    assert message.count("\n") == 1


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("wanted", ["SECRET_KEY", "DATABASE_URL"])
def test_nothing_is_rotated_while_a_value_is_lacking_that_somebody_else_gives_out(wanted: str, begun: bool) -> None:
    text = changed(TEXT, ["DATABASE_URL"]).text if begun else TEXT
    inventory = {**INVENTORY, "python_indexes": ["{{ vault_index }}"], "backup_passphrase": "{{ vault_backup }}"}
    for rotate in [[wanted], []] if begun else [[wanted]]:
        assert refusal(text, rotate, inventory) == (
            "Nothing was changed:\n  vault_index, for python_indexes[0]: it comes from somebody else and cannot be "
            f"made up. Write it into the file first: ansible-vault edit {FILE}"
        )
    assert changed(text, [wanted], inventory={**inventory, "vault_index": "x"}).made == ["vault_backup"]


def test_an_inventory_that_hands_no_former_value_on_is_told_what_to_write() -> None:
    env = {"SECRET_KEY": "{{ vault_secret_key }}"}
    assert refusal(TEXT, ["SECRET_KEY"], {"release_env": env}).splitlines()[1] == (
        "  vault_secret_key: release_env does not hand on its former value, so all sessions would end. Write into "
        "inventories/prod/group_vars/prod/release.yml, below SECRET_KEY: "
        'SECRET_KEY_FALLBACKS: "{{ vault_secret_key_fallbacks | default([]) }}"'
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f"vault_secret_key: '{CANARY},'\n", "has a vault_secret_key that is no text or holds a comma, which "),
        ("vault_secret_key: 12345\n", "has a vault_secret_key that is no text or holds a comma, which "),
        (f"vault_secret_key: !unsafe '{CANARY}'\n", "has a vault_secret_key that is no text"),
        (f"vault_secret_key: x\nvault_secret_key_fallbacks: {CANARY}\n", "has a vault_secret_key_fallbacks that is no"),
        ("vault_x: 1\n", "does not hold vault_secret_key, which is to be rotated"),
    ],
)
def test_a_key_whose_former_value_cannot_be_kept_is_not_rotated(text: str, wrong: str) -> None:
    message = refusal(text, ["SECRET_KEY"], {**INVENTORY, **BOTH})
    assert message.startswith(f"{FILE} {wrong}")
    assert "ansible-vault edit" in message


# The file and its password


def test_a_new_file_can_be_read_by_nobody_else_and_one_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "vault.yml"
    for mode in (0o600, 0o640):
        write(file, b"x")
        assert stat.S_IMODE(file.stat().st_mode) == mode
        file.chmod(0o640)
    assert file.read_bytes() == b"x"


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "vault.yml"
    file.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(file, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["vault.yml"]
    assert file.read_text() == "old"


def test_what_a_killed_run_left_is_not_in_the_way_and_not_loaded_by_ansible(tmp_path: Path) -> None:
    (tmp_path / ".vault.yml.draft").symlink_to(tmp_path / "elsewhere")
    write(tmp_path / "vault.yml", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["vault.yml"]


def test_the_vault_id_is_read_from_the_first_line() -> None:
    secret = VaultSecret(b"x")
    assert label_of(VaultLib().encrypt("a: 1", secret, "prod")) == "prod"
    assert label_of(VaultLib().encrypt("a: 1", secret)) is None


@pytest.mark.parametrize(
    ("secrets", "chosen"),
    [
        ([("demo", "a"), ("prod", "b"), ("other", "c")], 1),
        ([("demo", "a"), ("other", "c")], 1),
        ([("demo", "a"), ("other", f"{NOBODY_KNOWS}c")], None),
        ([("prod", f"{NOBODY_KNOWS}a"), ("prod", "b")], 1),
        ([("demo", "a")], None),
        ([("default", "a")], 0),
        ([("default", "a"), ("demo", "b")], None),
        ([], None),
    ],
)
def test_a_new_vault_gets_the_password_of_its_environment_or_none(
    secrets: list[tuple[str, str]], chosen: int | None
) -> None:
    assert choose_secret("prod", [(name, password.encode()) for name, password in secrets]) == chosen


def test_a_password_that_is_lacking_is_told_with_what_to_type(tmp_path: Path) -> None:
    file = tmp_path / "a b" / "shop.vault-password"
    start = "No vault password for shop, so nothing was made. It lies outside git. "
    assert no_password("shop", file, "inventories/shop") == (
        f"{start}Type: mkdir -p -m 0700 '{file.parent}' && (umask 077; openssl rand -base64 32 > '{file}')"
    )
    file.parent.mkdir()
    file.write_text("x")
    assert no_password("shop", file, "inventories/shop") == (
        f"{start}{file} is there, and Ansible got none from it. If it holds one, type: "
        "ansible-playbook secrets.yml -i inventories/shop"
    )
    assert no_password("demo", file, "inventories/demo").endswith("Type: make demo")


# What is said


def said(result: Plan, *sources: str, is_done: bool = True, is_ignored: bool = False) -> list[str]:
    return report(result, FILE, "prod", sources, is_done=is_done, is_ignored=is_ignored).splitlines()


def test_what_was_made_is_said_by_name_with_the_next_command() -> None:
    assert said(changed("")) == [
        f"Made in {FILE}: vault_database_password, vault_secret_key.",
        "Commit the file. The next command: ansible-playbook site.yml -l prod",
    ]
    assert said(changed(""), "inventories/a b", is_ignored=True)[1:] == [
        "The next command: ansible-playbook site.yml -i 'inventories/a b' -l prod",
    ]
    assert said(changed(""), is_done=False) == [
        f"Would make in {FILE}: vault_database_password, vault_secret_key.",
        "Nothing was changed yet. To do it type the same without --check.",
    ]
    assert said(changed(TEXT)) == [
        f"{FILE} has all that is needed.",
        "The next command: ansible-playbook deploy.yml -l prod",
    ]


def test_a_rotation_says_how_long_the_former_value_is_valid() -> None:
    rotated = changed(TEXT, ["SECRET_KEY"])
    assert said(rotated)[:2] == [
        f"Rotated in {FILE}: vault_secret_key. What the former value signed stays valid",
        "until secrets.yml is run again without rotate, and that is deployed.",
    ]
    assert said(changed(rotated.text), is_done=False)[:2] == [
        f"Would remove from {FILE}: vault_secret_key_fallbacks.",
        "With the next deploy what the former value signed is no longer valid.",
    ]


def test_a_rotated_password_says_what_is_done_now_and_that_it_can_be_stopped() -> None:
    begun = changed(TEXT, ["DATABASE_URL"])
    assert said(begun) == [
        f"Made another value in {FILE}: vault_database_password.",
        "Now vault_database_password is changed in the database and on the hosts, while the app goes on.",
        "Should this be stopped, type the same again. Commit the file when it is done.",
    ]
    assert said(changed(begun.text), is_ignored=True)[-1] == "Should this be stopped, type the same again."
    assert said(begun, is_done=False) == [
        f"Would make another value in {FILE}: vault_database_password.",
        "Nothing was changed yet. To do it type the same without --check.",
    ]


def test_what_cannot_be_made_is_listed_with_where_it_is_used_and_what_to_type() -> None:
    variables = {"python_indexes": ["{{ vault_index }}"]}
    assert said(changed(TEXT, [], variables)) == [
        "These come from somebody else and cannot be made up:",
        "  vault_index, for python_indexes[0]",
        f"Write them into the file yourself: ansible-vault edit {FILE}",
        "The next command: ansible-playbook deploy.yml -l prod",
    ]
    assert said(changed("", inventory=variables))[2].endswith(f"ansible-vault create --encrypt-vault-id prod {FILE}")


# With Ansible


class Project:
    """A deploy project with one environment, whose host nothing can reach."""

    def __init__(self, path: Path) -> None:
        """Make it."""
        self.path = path
        self.vault = path / FILE
        self.vault.parent.mkdir(parents=True)
        self.configuration = path / "configuration" / "initech-django"
        self.configuration.mkdir(parents=True)
        (self.configuration / "prod.vault-password").write_text(f"{PASSWORD}\n")
        for name in ("ansible.cfg", "secrets.yml", "inventories/vault-password-client"):
            shutil.copy(ROOT / name, path / name)
        for name in ("release.yml", "database.yml", "app.yml"):
            shutil.copy(ROOT / "inventories/prod/group_vars/prod" / name, self.vault.parent)
        (path / "inventories/prod/hosts.yml").write_text("prod:\n  hosts:\n    web1.invalid:\n")

    def run(self, *arguments: str, program: str = "ansible-playbook") -> tuple[int, str]:
        """Run Ansible, and return its exit code and all that it printed; no line is broken."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment |= {
            "XDG_CONFIG_HOME": str(self.configuration.parent),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        }
        command = [program, *arguments]
        result = subprocess.run(
            command, cwd=self.path, env=environment, check=False, capture_output=True, text=True, errors="replace"
        )
        return result.returncode, result.stdout + result.stderr

    def secrets(self, *arguments: str) -> tuple[int, str]:
        """Run secrets.yml as loud as can be; none of the secrets before and after are in its output."""
        before = self.text()
        code, output = self.run("secrets.yml", "-l", "prod", "-vvv", "--diff", *arguments)
        for value in self.secret_values(before, self.text()):
            assert value not in output
        return code, output

    def text(self) -> str:
        """Return what the vault holds."""
        if not self.vault.exists() or not self.vault.read_bytes().startswith(b"$ANSIBLE_VAULT"):
            return ""
        return str(VaultLib([("prod", VaultSecret(PASSWORD.encode()))]).decrypt(self.vault.read_bytes()).decode())

    @staticmethod
    def secret_values(*texts: str) -> Iterator[str]:
        """Yield the secrets in vaults, and their password."""
        yield PASSWORD
        for text in texts:
            for value in read(text).values():
                yield from [value] if isinstance(value, str) else value

    def encrypt(self, text: str) -> None:
        """Make the vault."""
        self.vault.write_bytes(VaultLib().encrypt(text, VaultSecret(PASSWORD.encode()), "prod"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a new project."""
    return Project(tmp_path)


def test_ansible_makes_rotates_and_removes_and_shows_no_value(project: Project) -> None:
    code, output = project.secrets("--check")
    assert code == 0, output
    assert f"Would make in {FILE}: vault_database_password, vault_secret_key." in output
    assert not project.vault.exists()

    code, output = project.secrets()
    assert code == 0, output
    assert f"Made in {FILE}: vault_database_password, vault_secret_key." in output
    assert "changed=1 " in output
    assert project.vault.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;prod\n")
    made = read(project.text())

    content = project.vault.read_bytes()
    code, output = project.secrets()
    assert (code, "changed=0 " in output) == (0, True), output
    code, output = project.secrets("--check", "-e", "rotate=SECRET_KEY")
    assert f"Would rotate in {FILE}: vault_secret_key." in output
    assert project.vault.read_bytes() == content

    code, output = project.secrets("-e", "rotate=SECRET_KEY")
    assert code == 0, output
    rotated = read(project.text())
    assert rotated["vault_secret_key_fallbacks"] == [made["vault_secret_key"]]
    template = "msg={{ release_env.SECRET_KEY == vault_secret_key and release_env.SECRET_KEY_FALLBACKS | length }}"
    assert '"msg": 1' in project.run("prod", "-m", "debug", "-a", template, program="ansible")[1]

    code, output = project.secrets()
    assert "Removed from" in output
    assert read(project.text()) == {**made, "vault_secret_key": rotated["vault_secret_key"]}
    assert [path.name for path in project.vault.parent.iterdir() if path.name.startswith(".")] == []


def test_ansible_fails_with_what_it_cannot_make_after_it_has_made_the_rest(project: Project) -> None:
    project.encrypt(f"# Of the shop.\nvault_secret_key: {CANARY}key # kept\n")
    (project.vault.parent / "python.yml").write_text('python_indexes: ["https://x:{{ vault_index }}@example.com"]\n')
    code, output = project.secrets()
    assert code != 0
    assert "  vault_index, for python_indexes[0]" in output
    assert f"ansible-vault edit {FILE}" in output
    assert project.text().startswith(f"# Of the shop.\nvault_secret_key: {CANARY}key # kept\nvault_database_password: ")


def test_ansible_rotates_nothing_while_something_is_lacking_and_says_what(project: Project) -> None:
    project.encrypt(TEXT)
    (project.vault.parent / "python.yml").write_text('python_indexes: ["https://x:{{ vault_index }}@example.com"]\n')
    for check in ([], ["--check"]):
        code, output = project.secrets("-e", "rotate=DATABASE_URL", *check)
        assert code != 0
        assert "vault_index, for python_indexes[0]: it comes from somebody else" in output
        assert project.text() == TEXT


def test_ansible_takes_a_name_that_is_empty_for_a_mistake_and_keeps_the_former_value(project: Project) -> None:
    project.encrypt(f"{TEXT}vault_secret_key_fallbacks: [{CANARY}old]\n")
    code, output = project.secrets("-e", "rotate=")
    assert code != 0
    assert "rotate names nothing. Type: -e rotate=SECRET_KEY" in output
    assert f"{CANARY}old" in project.text()


def test_ansible_without_a_password_makes_nothing_and_says_what_to_type(project: Project) -> None:
    (project.configuration / "prod.vault-password").unlink()
    code, output = project.secrets()
    assert code != 0
    assert "No vault password for prod, so nothing was made." in output
    assert f"openssl rand -base64 32 > {project.configuration}/prod.vault-password" in output
    assert "No vault password for staging" not in output
    assert not project.vault.exists()


def test_ansible_with_a_wrong_password_changes_nothing(project: Project) -> None:
    project.encrypt(TEXT)
    (project.configuration / "prod.vault-password").write_text("wrong\n")
    before = project.vault.read_bytes()
    code, output = project.secrets("-e", "rotate=SECRET_KEY")
    assert code != 0
    assert "Decryption failed" in output
    assert project.vault.read_bytes() == before


def test_ansible_refuses_a_vault_that_is_not_encrypted(project: Project) -> None:
    project.vault.write_text(TEXT)
    code, output = project.secrets()
    assert code != 0
    assert "is not encrypted" in output
    assert "Type: ansible-vault encrypt --encrypt-vault-id prod " in output
    # The role refuses it too, where a play does not check first.
    play = {"hosts": "prod", "gather_facts": False, "roles": ["initech.django.secrets"]}
    (project.path / "secrets.yml").write_text(yaml.safe_dump([play]))
    code, alone = project.secrets()
    assert code != 0
    assert (
        f"{FILE} is not encrypted, so anybody can read it. Type: ansible-vault encrypt --encrypt-vault-id prod" in alone
    )
    assert CANARY not in output + alone
    assert project.vault.read_text() == TEXT


def test_ansible_finds_the_password_of_an_inventory_that_ansible_cfg_does_not_list(project: Project) -> None:
    shop = project.path / "inventories" / "shop"
    (project.path / "inventories" / "prod").rename(shop)
    (shop / "group_vars" / "prod").rename(shop / "group_vars" / "shop")
    (shop / "group_vars/shop/app.yml").write_text("app_environment: shop\napp_name: shop\n")
    (shop / "hosts.yml").write_text("shop:\n  hosts:\n    web1.invalid:\n")
    (project.configuration / "prod.vault-password").rename(project.configuration / "shop.vault-password")
    vault = shop / "group_vars/shop/vault.yml"

    # Listed as an inventory alone, its password is one that nobody knows.
    config = project.path / "ansible.cfg"
    text = config.read_text()
    config.write_text(re.sub("^inventory = .*", "inventory = inventories/shop", text, flags=re.MULTILINE))
    code, output = project.run("secrets.yml", "-l", "shop")
    assert code != 0
    assert "type: ansible-playbook secrets.yml -i inventories/shop" in output
    assert not vault.exists()

    config.write_text(text)
    code, output = project.run("secrets.yml", "-i", "inventories/shop")
    assert code == 0, output
    assert "The next command: ansible-playbook site.yml -i inventories/shop -l shop" in output
    assert vault.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;shop\n")
    assert VaultLib([("x", VaultSecret(PASSWORD.encode()))]).decrypt(vault.read_bytes())
