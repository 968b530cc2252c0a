"""Look up what the settings and the version of a database server follow from."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.sizing import reported_memory
from ansible_collections.initech.django.plugins.module_utils.versions import (
    draft,
    find,
    parse,
    require_fit,
    upgraded_from,
)

DOCUMENTATION = """
module: database_info
short_description: Look up memory and cores of a host, and whether its PostgreSQL is of the version that is asked for
description:
  - Reads one file and runs at most one command, where facts of hardware would look at every disk and mount as well.
author: The initech.django team
options:
  postgresql_version:
    description: The major version that is asked for. Empty where the database is another one.
    type: str
    default: ""
  limit:
    description: What stands behind C(-l) in what is to be typed.
    type: str
    default: <environment>
  upgrade:
    description: Whether data of an older version is to be upgraded. Else it is refused.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing in any case.
"""
EXAMPLES = """
- name: Look at the host, and refuse the data of another version
  initech.django.database_info:
    postgresql_version: "17"
    limit: prod
"""
RETURN = """
memory:
  description: In MiB, as the kernel reports it.
  type: int
  returned: success
  sample: 3912
cores:
  description: Those that processes of the host may use.
  type: int
  returned: success
  sample: 2
upgrade_from:
  description: The version whose data is to be upgraded. Empty where there is none.
  type: str
  returned: success
  sample: "15"
is_there:
  description: Whether there is a cluster of the version that is asked for.
  type: bool
  returned: success
is_begun:
  description: Whether an upgrade was killed, or still runs, and nothing can have been written since it began.
  type: bool
  returned: success
"""

LISTING = "/usr/bin/pg_lsclusters"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "postgresql_version": {"type": "str", "default": ""},
            "limit": {"type": "str", "default": "<environment>"},
            "upgrade": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    version = module.params["postgresql_version"]
    old, is_there, is_begun = None, False, False
    try:
        if version:
            has_tools = os.path.exists(LISTING)
            clusters = parse(module.run_command([LISTING, "--json"], check_rc=True)[1] if has_tools else "")
            is_there = find(version, clusters) is not None
            is_draft = draft(version).exists()
            if module.params["upgrade"]:
                old = upgraded_from(version, clusters, is_draft)
                is_begun = old is not None and is_draft and not old.is_running
            else:
                require_fit(version, clusters, module.params["limit"], is_draft)
        result = {
            "memory": reported_memory(Path("/proc/meminfo").read_text(encoding="ascii")),
            "cores": len(os.sched_getaffinity(0)),
        }
    except Problem as problem:
        module.fail_json(msg=str(problem))
    upgrade_from = old.version if old else ""
    module.exit_json(changed=False, upgrade_from=upgrade_from, is_there=is_there, is_begun=is_begun, **result)


if __name__ == "__main__":
    main()
