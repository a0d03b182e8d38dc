#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_user_info
short_description: List the accounts of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Who has an account, with which role, in which groups, where it comes from, and when the person was last there.
  - Costs one request per 30 accounts of the server, and one for the names of groups if anybody is in one.
  - The filters are applied together. Without any of them all accounts are listed.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes.info
  - selfhosted.llm._attributes.action_group_openwebui
options:
  emails:
    description:
      - Only accounts with one of these e-mail addresses. Upper and lower case are the same.
    type: list
    elements: str
  roles:
    description:
      - Only accounts with one of these roles, V(admin), V(user), V(pending) or one that somebody has stored by hand.
    type: list
    elements: str
  groups:
    description:
      - Only accounts that are members of a group with one of these names.
    type: list
    elements: str
  inactive_days:
    description:
      - Only accounts that have not been used for this many days or longer. An account that was never used counts from
        its creation.
      - The clock of the managed host is compared with that of the server.
    type: int
seealso:
  - module: selfhosted.llm.openwebui_user
"""

EXAMPLES = r"""
- name: See which users have not been here for 90 days
  selfhosted.llm.openwebui_user_info:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    roles: [user]
    inactive_days: 90
  register: away

- name: Disable them
  selfhosted.llm.openwebui_user:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    users: >-
      {{ dict(away.users | map(attribute="email") | product(["pending"]))
         | dict2items(key_name="email", value_name="role") }}

- name: See two people, if they are in a group
  selfhosted.llm.openwebui_user_info:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    emails: [kim@example.com, lee@example.com]
    groups: [developers]
"""

RETURN = r"""
users:
  description: The accounts, by e-mail address.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The server's identifier of the account.
      type: str
      sample: a54a5bf3-4ee3-4bed-acfe-1e6482f80d9f
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
    groups:
      description: Names of the groups that the account is a member of, without the groups above these.
      type: list
      elements: str
      sample: [Physics]
    source:
      description:
        - Where the account comes from, V(local), V(oauth) or V(scim). Accounts of LDAP and of a trusted header are
          V(local) as well, because the server does not tell them apart.
      type: str
      sample: local
    last_active_at:
      description: When the account was last used, or created if it never was, in seconds since 1970.
      type: int
      sample: 1795367895
    created_at:
      description: When the account was created, in seconds since 1970.
      type: int
      sample: 1795367895
    profile_image_url:
      description:
        - URL of the picture. Of a picture inside its own URL (V(data:)), which can be large, the type, the length and
          the beginning of the SHA-256 are shown.
      type: str
      sample: /user.png
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_info import describe_users

FILTERS = {name: {"type": "list", "elements": "str"} for name in ("emails", "roles", "groups")}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), **FILTERS, "inactive_days": {"type": "int"}},
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    filters = {name: module.params[name] for name in (*FILTERS, "inactive_days")}
    try:
        users = describe_users(admin_client(module.params), **filters)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(changed=False, users=users)


if __name__ == "__main__":
    main()
