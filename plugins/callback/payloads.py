"""Keeps the modules that were packed in one run for the next."""

from __future__ import annotations

import base64
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import ansible
from ansible import constants
from ansible.executor import module_common
from ansible.plugins.callback import CallbackBase
from ansible_collections.initech.django.plugins.module_utils import payloads

DOCUMENTATION = """
name: payloads
type: aggregate
short_description: Keep the modules that were packed in one run for the next
description:
  - Ansible packs every module, with all that it imports, anew in each run. This keeps what it packs of
    C(initech.django) in C(ANSIBLE_HOME/payloads), by the digest of the sources, which makes a deploy a quarter faster.
  - Hosts keep it unpacked, in C(/var/cache/initech-django/modules), where root alone can write, so that Python compiles
    it once. That takes a third off the time of each module.
  - A source that changed, here or in Ansible, is another digest, and is packed anew. The last eight are kept.
  - A directory that others can write to is not used.
author: The initech.django team
requirements:
  - C(callbacks_enabled = initech.django.payloads) in C(ansible.cfg)
"""


def unpacking(content: bytes, version: str) -> bytes:
    """Return what Ansible has packed so that it unpacks itself; as it is, where this Ansible packs otherwise."""
    kind = getattr(module_common, "_CachedModule", None)
    packed = pickle.loads(content) if kind else None
    if kind is None or not isinstance(packed, kind):
        return content
    archive = payloads.unpacking(base64.b64decode(packed.zip_data), version)
    return pickle.dumps(replace(packed, zip_data=base64.b64encode(archive)))


class CallbackModule(CallbackBase):
    """Lends one run what was packed before, and keeps what that run packs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "initech.django.payloads"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Lend what is there. Without it the run is slower, and nothing else."""
        super().__init__()
        self._run = Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")
        ours = Path(__file__).resolve().parents[1]
        sources = (Path(ansible.__file__).parent / "module_utils", ours / "modules", ours / "module_utils")
        home = Path(constants.config.get_config_value("ANSIBLE_HOME"), "payloads")
        self._store: payloads.Store | None = None
        try:
            self._store = payloads.Store(home, sources)
            self._store.lend(self._run)
        except OSError as error:
            self._display.v(f"No modules of earlier runs are used: {error}")

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """Keep what was packed."""
        try:
            if self._store:
                self._store.keep(self._run, unpacking)
        except OSError as error:
            self._display.v(f"Modules are not kept for the next run: {error}")
