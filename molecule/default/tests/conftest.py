"""The hosts are looked at side by side, and each by one process: its tests do not disturb each other."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(str(item.callspec.params["_testinfra_host"])))
