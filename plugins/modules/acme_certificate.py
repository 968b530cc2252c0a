"""Have a certificate for the site of an app, from an ACME authority."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.acme import Wanted, link
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: acme_certificate
short_description: Have a certificate for the site of an app, from an ACME authority
description:
  - By C(certbot), whose timer renews it. Needs the packages C(certbot) and C(python3-cryptography) on the host, and a
    web server there that answers the authority's questions from O(webroot) at port 80.
  - The certificate and its key are links in O(directory) to certbot's own, which it moves to each new one.
author: The initech.django team
options:
  directory:
    description: Where the links are.
    type: path
    required: true
  name:
    description: What they, and the certificate at certbot, are called.
    type: str
    required: true
  names:
    description: The names by which visitors come.
    type: list
    elements: str
    required: true
  email:
    description: Where the authority writes to. Nowhere, if empty.
    type: str
    default: ""
  server:
    description: The address of the authority's directory. That of certbot's default, if empty.
    type: str
    default: ""
  webroot:
    description: The directory with the answers to the authority's questions.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Tells whether it would ask for one.
  diff_mode:
    support: none
    description: A key is no text to show.
"""
EXAMPLES = """
- name: Have a certificate that all browsers trust
  initech.django.acme_certificate:
    directory: /etc/ssl/initech
    name: shop
    names: [shop.example.com]
    email: admin@example.com
    webroot: /var/lib/initech-acme
"""
RETURN = """
asked:
  description: Whether the authority was asked for a new one.
  type: bool
  returned: success
"""


def main() -> None:
    """Run the module."""
    text = {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "email": text,
            "server": text,
            "webroot": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options = module.params
    name, directory = options["name"], Path(options["directory"])
    wanted = Wanted(name, options["names"], options["email"], options["server"], Path(options["webroot"]))
    asked = wanted.is_due(datetime.now(timezone.utc))
    try:
        if asked and not module.check_mode:
            wanted.obtain()
    except Problem as problem:
        module.fail_json(msg=str(problem))
    links = {"crt": wanted.lineage / "fullchain.pem", "key": wanted.lineage / "privkey.pem"}
    moved = [
        link(directory / f"{name}.{suffix}", target, is_check=module.check_mode) for suffix, target in links.items()
    ]
    module.exit_json(changed=asked or any(moved), asked=asked)


if __name__ == "__main__":
    main()
