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
  - Creates accounts, brings their name, role, picture and password to what is wanted, and removes them. One task is
    enough for all accounts.
  - When everything is right, this costs one request whatever the number of accounts. With O(exclusive),
    O(profile_image_url) or O(update_password=always) it is one request per 30 accounts of the server.
  - The whole list is checked before anything is sent. Afterwards as much of it is done as the server allows; an account
    that it refuses becomes a row with RV(users[].error), and the task fails at the end.
  - The primary administrator (the oldest account), the last administrator and the account in use are never demoted,
    disabled or deleted. A list that asks for it is refused as a whole.
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
    details:
      - A password is never shown, only that it differs. A picture inside a URL is shown as its SHA-256.
  idempotent:
    support: full
options:
  users:
    description:
      - The accounts. Instead of it, O(email) and the options named like the keys of an element describe a single one.
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
          - Role. If it is not given, the account has access in any case. A new account and one that is pending, because
            it was disabled or signed up by itself, get V(user), and every other account keeps its role.
          - An account that goes from another role to V(pending) is disabled. It can sign in, but it and its API key may
            do nothing, and its sessions are ended.
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
      profile_image_url:
        description:
          - Picture. Either a URL with V(http) or V(https), which the browsers of all users load, or a
            C(data:image) URI with PNG, JPEG, GIF or WebP in base64, or V(/user.png).
          - An empty string takes the picture away. If it is not given, the picture stays.
        type: str
      state:
        description:
          - V(present) is an account that exists, V(absent) one that does not.
          - V(absent) deletes the person's chats as well. Models, prompts and knowledge of the person stay.
          - An account of OAuth or SCIM that is deleted comes back when the person signs in the next time or the
            directory is synchronized.
        type: str
        choices: [present, absent]
        default: present
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
      - V(on_create) sets the password of new accounts, and of pending ones that get another role. Where sign-up is
        open, anybody can have made such an account, because Open WebUI does not prove addresses. Without O(password)
        such an account keeps the one that it has.
      - V(always) also sets the password of existing accounts that have another one. As the server does not give
        passwords away, this is found out by one attempt to sign in per account, which counts for the limit of
        15 attempts per address in three minutes and is a sign-in in the server's log. A new password ends the sessions
        of that person; one that fits is not written and ends none.
      - Where such an attempt tells nothing, the account fails and its password is left alone. This is so if its
        password is elsewhere (OAuth, SCIM, a trusted header), if the server takes no passwords, and if the limit of
        attempts is reached. The account in use does not get a new password either, which would end its session.
      - An account that LDAP has made has a password here that nobody knows. V(always) replaces it, and the person can
        sign in either way.
      - With multi-factor authentication the attempt stops before the second factor. It takes the place of a sign-in
        that the person has begun and not finished.
    type: str
    choices: [on_create, always]
    default: on_create
  profile_image_url:
    description:
      - Picture of the single account.
    type: str
  state:
    description:
      - Whether the single account exists. If it is not given, V(present) is meant.
    type: str
    choices: [present, absent]
  exclusive:
    description:
      - Whether accounts that are not in O(users) are taken away, see O(exclusive_action).
      - Accounts of OAuth and SCIM are never touched, and the primary administrator and the account in use are kept.
      - Accounts that LDAP or a trusted header has made look like any other. Where people can sign in in such a way, a
        list that does not name every account without a mark is refused.
    type: bool
    default: false
  exclusive_action:
    description:
      - V(disable) gives the accounts the role V(pending) and ends their sessions. Chats stay.
      - V(delete) removes them with their chats.
    type: str
    choices: [disable, delete]
    default: disable
  exclusive_max:
    description:
      - How many accounts O(exclusive) may take away in one run. If there are more, nothing is changed.
    type: int
    default: 10
  allow_empty:
    description:
      - Whether O(exclusive) may be used with a list in which nobody is V(present).
    type: bool
    default: false
seealso:
  - module: selfhosted.llm.openwebui_session
  - module: selfhosted.llm.openwebui_user_info
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

- name: Everybody who has access, and nobody else
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
    exclusive: true

- name: Delete an account with its chats
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    email: lee@example.com
    state: absent

- name: Give one person a picture, and delete another one
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    users:
      - email: kim@example.com
        profile_image_url: https://example.com/kim.png
      - email: pat@example.com
        state: absent

- name: Have an account with this password and picture, whatever somebody has made of them
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    email: alex@example.com
    password: "{{ alex_password }}"
    update_password: always
    profile_image_url: /user.png

- name: Close a server to everybody but its primary administrator and the account in use, and keep the chats
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    users: []
    exclusive: true
    exclusive_action: disable
    exclusive_max: 500
    allow_empty: true
"""

RETURN = r"""
users:
  description:
    - The accounts of the task in its order, then those that O(exclusive) takes away, by address.
  returned: success, and failure after the list was found to be right
  type: list
  elements: dict
  contains:
    id:
      description: The server's identifier of the account. V(null) for one that does not exist.
      type: str
      sample: a54a5bf3-4ee3-4bed-acfe-1e6482f80d9f
    email:
      description: E-mail address, in lower case.
      type: str
      sample: kim@example.com
    name:
      description: Display name. V(null) for an account that does not exist.
      type: str
      sample: Kim
    role:
      description: Role. V(null) for an account that does not exist.
      type: str
      sample: user
    source:
      description:
        - Where the account comes from, V(local), V(oauth) or V(scim). Accounts of LDAP and of a trusted header are
          V(local) as well, because the server does not tell them apart.
        - V(null) if nothing in the task asked for more than one request to the server.
      type: str
      sample: local
    action:
      description:
        - What was done, V(none), V(created), V(updated), V(disabled) or V(deleted).
        - V(failed) for an account that is not as wanted, and V(skipped) for one that was not reached because the
          session or the connection ended before.
      type: str
      sample: created
    error:
      description: What failed with this account.
      returned: if RV(users[].action) is V(failed)
      type: str
      sample: "POST http://127.0.0.1:3001/api/v1/auths/add was answered with 400: The password is too weak."
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_entries import Exclusive
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.users import ensure_users

ACCOUNT: dict[str, dict[str, t.Any]] = {
    "email": {"type": "str"},
    "name": {"type": "str"},
    "role": {"type": "str", "choices": ["admin", "user", "pending"]},
    "password": {"type": "str", "no_log": True},
    "profile_image_url": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"]},
}
UPDATE_PASSWORD = {"type": "str", "choices": ["on_create", "always"], "no_log": False}
ENTRY = {
    **ACCOUNT,
    "email": {"type": "str", "required": True},
    "state": {**ACCOUNT["state"], "default": "present"},
    "update_password": UPDATE_PASSWORD,
}
EXCLUSIVE = {
    "exclusive": {"type": "bool", "default": False},
    "exclusive_action": {"type": "str", "choices": ["disable", "delete"], "default": "disable"},
    "exclusive_max": {"type": "int", "default": 10},
    "allow_empty": {"type": "bool", "default": False},
}


def entries(params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The list of accounts, also for a single one, each with its own ``update_password``."""
    single = {**{name: params[name] for name in ACCOUNT}, "state": params["state"] or "present"}
    users = [single] if params["users"] is None else params["users"]
    return [{**user, "update_password": user.get("update_password") or params["update_password"]} for user in users]


def exclusive(params: dict[str, t.Any]) -> Exclusive | None:
    """What happens to accounts that are not listed, if anything."""
    if not params["exclusive"]:
        return None
    return Exclusive(params["exclusive_action"], params["exclusive_max"], params["allow_empty"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **openwebui_arguments(),
            **ACCOUNT,
            **EXCLUSIVE,
            "update_password": {**UPDATE_PASSWORD, "default": "on_create"},
            "users": {"type": "list", "elements": "dict", "options": ENTRY},
        },
        mutually_exclusive=[("users", name) for name in ACCOUNT],
        required_one_of=[*OPENWEBUI_SIGN_IN["required_one_of"], ("users", "email")],
        required_together=OPENWEBUI_SIGN_IN["required_together"],
        required_if=[("exclusive", True, ("users",))],
        supports_check_mode=True,
    )
    params = module.params
    try:
        result = ensure_users(admin_client(params), entries(params), exclusive(params), module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
