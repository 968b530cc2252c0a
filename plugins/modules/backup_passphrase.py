"""Refuse to change what encrypts a repository of backups."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: backup_passphrase
short_description: Refuse another passphrase than a repository of backups was made with
description:
  - With another one nothing in the repository could be read, and nothing more be added.
author: The initech.django team
options:
  path:
    description: The file on the host that holds the passphrase. Where it is not there yet, every passphrase is good.
    type: path
    required: true
  key:
    description: The name before C(=) in the line that holds it. Empty where it is all that the file holds.
    type: str
    default: ""
  passphrase:
    description: The passphrase that is to be there.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Refuse another passphrase
  initech.django.backup_passphrase:
    path: /etc/pgbackrest/pgbackrest.conf
    key: repo1-cipher-pass
    passphrase: "{{ backup_passphrase }}"
"""
RETURN = ""

OTHER = (
    "{path} has another passphrase than backup_passphrase. The repository can be read with the one that it was made "
    "with alone, and apps of one host share that of the database server: give backup_passphrase the former value. To "
    "begin a new repository: set backup_directory to another place, and move {path} away on the host."
)
SHAPE = "backup_passphrase must be at least 20 characters, in one line and without blanks at its ends."


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "key": {"type": "str", "default": "", "no_log": False},
            "passphrase": {"type": "str", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    path, passphrase = Path(module.params["path"]), module.params["passphrase"]
    if len(passphrase) < 20 or passphrase.splitlines() != [passphrase.strip()]:
        module.fail_json(msg=SHAPE)
    prefix = f"{module.params['key']}=" if module.params["key"] else ""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    there = [line[len(prefix) :] for line in lines if line.startswith(prefix)]
    if there and there != [passphrase]:
        module.fail_json(msg=OTHER.format(path=path))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
