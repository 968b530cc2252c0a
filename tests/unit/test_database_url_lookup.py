"""DATABASE_URL follows from the variables of the database, as they are written in an inventory."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.initech.django.plugins.module_utils.vault import URL_LOOKUP

SHOP = {
    "app_name": "shop",
    "database_engine": "postgresql",
    "database_name": "{{ app_name }}",
    "database_user": "{{ app_name }}",
    "database_password": "{{ vault_database_password }}",
    "vault_database_password": "p@",
}
TLS = "?sslmode=verify-full&sslrootcert=/etc/shop/database.crt"


def looked_up(options: str = "", **variables: Any) -> str:
    """Return what Ansible makes of the lookup with these variables."""
    every = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in variables.items()}
    text = f"{{{{ lookup({URL_LOOKUP!r}{options}) }}}}"
    return str(Templar(loader=DataLoader(), variables=every).template(trust_as_template(text)))


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "postgres://shop:p%40@127.0.0.1:5432/shop?sslmode=disable"),
        ({"database_engine": "mysql"}, "mysql://shop:p%40@127.0.0.1:3306/shop?ssl_disabled=1"),
        ({"database_host": "db1"}, f"postgres://shop:p%40@db1:5432/shop{TLS}"),
        (
            {"database_host": "db1", "database_address": "{{ '10.0.0.7' }}"},
            f"postgres://shop:p%40@10.0.0.7:5432/shop{TLS}",
        ),
        ({"database_address": "10.0.0.7"}, "postgres://shop:p%40@127.0.0.1:5432/shop?sslmode=disable"),
    ],
)
def test_the_url_follows_from_the_variables(variables: dict[str, str], url: str) -> None:
    assert looked_up(**{**SHOP, **variables}) == url


@pytest.mark.parametrize(("pool", "is_pooled"), [("true", True), ("false", False), ("{{ 'no' }}", False), (True, True)])
def test_a_switch_from_the_command_line_is_text_and_means_what_it_says(pool: Any, is_pooled: bool) -> None:
    assert ("/run/postgresql" in looked_up(**SHOP, database_pool=pool)) == is_pooled


def test_an_option_wins_over_its_variable() -> None:
    assert looked_up(", user='other'", **SHOP) == "postgres://other:p%40@127.0.0.1:5432/shop?sslmode=disable"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"database_user": ""}, "user must be text and not empty"),
        ({"database_engine": "oracle"}, "oracle"),
        ({"database_password": "{{ vault_other }}"}, "'vault_other' is undefined"),
        ({"database_host": "db1", "app_name": "", "database_name": "n", "database_user": "u"}, "app must be text"),
        ({"database_host": "db1", "database_pool": True}, "Set database_pool to false"),
        ({"database_host": "d b"}, "host is 'd b'; write a name or an address there"),
    ],
)
def test_what_gives_no_url_is_refused_without_the_password(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleError, match=message) as error:
        looked_up(**{**SHOP, "vault_database_password": "S3cr3t", **variables})
    assert "S3cr3t" not in str(error.value)


def test_what_is_lacking_is_named() -> None:
    with pytest.raises(AnsibleError, match="name must be text"):
        looked_up(**{name: value for name, value in SHOP.items() if name != "database_name"})
