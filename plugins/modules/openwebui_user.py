#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_user
short_description: Manage accounts of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Creates accounts and brings their name, role and password to what is wanted. One task is enough for all accounts.
  - When everything is right, this costs one request whatever the number of accounts.
  - The whole list is checked before anything is sent. Accounts that are not listed are left alone.
  - The primary administrator (the oldest account) and the account in use never lose the role V(admin).
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - With O(update_password=always) the passwords are tried in check mode too.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  users:
    description:
      - The accounts. Instead of it, O(email), O(name), O(role) and O(password) describe a single one.
    type: list
    elements: dict
    suboptions:
      email:
        description:
          - E-mail address. Upper and lower case are the same; Open WebUI stores it in lower case.
          - Addresses like V(automation@localhost) are allowed.
        type: str
        required: true
      name:
        description:
          - Display name. If it is not given, an existing account keeps its name, and a new one gets the part of the
            address before the V(@).
        type: str
      role:
        description:
          - Role. If it is not given, an existing account keeps its role, and a new one gets V(user).
          - An account with the role V(pending) can sign in, but may do nothing.
        type: str
        choices: [admin, user, pending]
      password:
        description:
          - Password, of 72 bytes at most. Required for an account that does not exist yet.
        type: str
      update_password:
        description:
          - When to set the password of this account, if it differs from O(update_password) of the task.
        type: str
        choices: [on_create, always]
  email:
    description:
      - E-mail address of a single account.
    type: str
  name:
    description:
      - Display name of the single account.
    type: str
  role:
    description:
      - Role of the single account.
    type: str
    choices: [admin, user, pending]
  password:
    description:
      - Password of the single account.
    type: str
  update_password:
    description:
      - V(on_create) sets the password of new accounts only.
      - V(always) also sets the password of existing accounts that have another one. As the server does not give
        passwords away, this is found out by one attempt to sign in per account, which counts for the limit of
        15 attempts per address in three minutes and can be seen in the audit log. A new password ends the sessions of
        that person.
    type: str
    choices: [on_create, always]
    default: on_create
seealso:
  - module: selfhosted.llm.openwebui_session
"""

EXAMPLES = r"""
- name: Create an administrator who can change the password later
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    email: admin@example.com
    name: Alex Admin
    role: admin
    password: "{{ alex_password }}"

- name: Manage several accounts in one task
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    users:
      - email: kim@example.com
        name: Kim
        password: "{{ kim_password }}"
      - email: probe@localhost
        name: Probe
        role: user
        password: "{{ probe_password }}"
        update_password: always
"""

RETURN = r"""
users:
  description: The accounts of the task, in its order.
  returned: success
  type: list
  elements: dict
  contains:
    email:
      description: E-mail address, in lower case.
      type: str
      sample: kim@example.com
    name:
      description: Display name.
      type: str
      sample: Kim
    role:
      description: Role.
      type: str
      sample: user
    id:
      description: The server's identifier of the account. V(null) in check mode for an account that would be created.
      type: str
      sample: a54a5bf3-4ee3-4bed-acfe-1e6482f80d9f
    action:
      description: What was done, V(none), V(created) or V(updated).
      type: str
      sample: created
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.users import ensure_users

ACCOUNT = {
    "email": {"type": "str"},
    "name": {"type": "str"},
    "role": {"type": "str", "choices": ["admin", "user", "pending"]},
    "password": {"type": "str", "no_log": True},
}
UPDATE_PASSWORD = {"type": "str", "choices": ["on_create", "always"], "no_log": False}
ENTRY = {**ACCOUNT, "email": {"type": "str", "required": True}, "update_password": UPDATE_PASSWORD}


def entries(params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The list of accounts, also for a single one, each with its own ``update_password``."""
    users = [{name: params[name] for name in ACCOUNT}] if params["users"] is None else params["users"]
    return [{**user, "update_password": user.get("update_password") or params["update_password"]} for user in users]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **openwebui_arguments(),
            **ACCOUNT,
            "update_password": {**UPDATE_PASSWORD, "default": "on_create"},
            "users": {"type": "list", "elements": "dict", "options": ENTRY},
        },
        mutually_exclusive=[("users", name) for name in ACCOUNT],
        required_one_of=[*OPENWEBUI_SIGN_IN["required_one_of"], ("users", "email")],
        required_together=OPENWEBUI_SIGN_IN["required_together"],
        supports_check_mode=True,
    )
    try:
        result = ensure_users(admin_client(module.params), entries(module.params), module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
