#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_group
short_description: Manage groups and permissions of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Creates groups, brings their members, their permissions and what else the admin panel has of them to what is wanted,
    and removes them. Also sets the permissions that everybody has. One task is enough for all groups, and groups that
    are not listed stay as they are.
  - When everything is right, this costs one request, one more if permissions are given, and if members are given, one
    more for the accounts and then one per group with members or one per 30 accounts of the server, whichever is less.
  - The whole list is checked before anything is sent. Afterwards as much of it is done as the server allows; a group
    that it refuses becomes a row with RV(groups[].error), and the task fails at the end.
  - Open WebUI allows two groups of the same name. A list that means one of them is refused.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - An account that does not exist yet is a warning in check mode, because an earlier task of the same run can be
        what creates it.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  groups:
    description:
      - The groups. What an element leaves out stays as it is on the server.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The name, which identifies the group. Upper and lower case differ.
        type: str
        required: true
      description:
        description:
          - What the group is for. A new group has an empty description if nothing is given.
        type: str
      parent:
        description:
          - Name of the group that this one is part of, whose permissions and shares its members have as well. A group
            that does not exist yet has to stand before this one in the list. An empty string makes it part of none.
        type: str
      share:
        description:
          - Who may share things with the group. V(members) is what a new group has if nothing is given.
        type: str
        choices: [anyone, members, nobody]
      default_models:
        description:
          - Identifiers of the models that a new chat of a member begins with, where nothing else says it. An empty list
            leaves that to the setting C(ui.default_models).
        type: list
        elements: str
      permissions:
        description:
          - What the members may do beyond what everybody may, as a dictionary of sections with a boolean per
            permission, such as C(workspace) with C(models). Names are those of the running server.
          - A member has a permission if it is V(true) for everybody or in one of the groups, so that V(false) takes
            nothing away.
          - Permissions that are not named stay as they are, see O(groups[].permissions_exclusive).
        type: dict
      permissions_exclusive:
        description:
          - Whether permissions that are not in O(groups[].permissions) are removed from the group.
        type: bool
        default: false
      members:
        description:
          - E-mail addresses of accounts that are members. Upper and lower case are the same.
          - If it is not given, the members stay as they are. Members that are not listed stay too, see
            O(groups[].members_exclusive).
          - Accounts that the server does not have are refused before anything is written.
          - Where OAuth or LDAP manages the groups of the people who sign in, it undoes what is done here.
        type: list
        elements: str
      members_exclusive:
        description:
          - Whether accounts that are not in O(groups[].members) are removed from the group.
        type: bool
        default: false
      state:
        description:
          - V(absent) removes the group, and with it what it may use. Its members keep their accounts.
        type: str
        choices: [present, absent]
        default: present
  default_permissions:
    description:
      - What everybody may do, in the form of O(groups[].permissions). Permissions that are not named stay as they are.
    type: dict
    default: {}
seealso:
  - module: selfhosted.llm.openwebui_session
  - module: selfhosted.llm.openwebui_user
"""

EXAMPLES = r"""
- name: Teams, of which two may make models, and nobody may export chats
  selfhosted.llm.openwebui_group:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    groups:
      - name: developers
        description: Those who build models
        permissions:
          workspace:
            models: true
            tools: true
        permissions_exclusive: true
        members: [kim@example.com, lee@example.com]
        members_exclusive: true
      - name: guests
        share: nobody
        default_models: [smollm2:135m]
        members: [pat@example.com]
      - name: reviewers
        parent: developers
    default_permissions:
      chat:
        export: false

- name: Remove a group
  selfhosted.llm.openwebui_group:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    groups:
      - name: guests
        state: absent
"""

RETURN = r"""
groups:
  description: The groups of the task in its order.
  returned: success, and failure after the list was found to be right
  type: list
  elements: dict
  contains:
    id:
      description: The server's identifier of the group. V(null) for one that does not exist.
      type: str
      sample: f956cf4a-ef7e-478b-b98e-40c9164cc23a
    name:
      description: The name.
      type: str
      sample: developers
    action:
      description:
        - What was done, V(none), V(created), V(updated) or V(deleted).
        - V(failed) for a group that is not as wanted, and V(skipped) for one that was not reached because the session
          or the connection ended before.
      type: str
      sample: created
    error:
      description: What failed with this group.
      returned: if RV(groups[].action) is V(failed)
      type: str
      sample: "POST http://127.0.0.1:3001/api/v1/groups/create was answered with 500: Internal Server Error."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.groups import ensure_groups

GROUP = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "parent": {"type": "str"},
    "share": {"type": "str", "choices": ["anyone", "members", "nobody"]},
    "default_models": {"type": "list", "elements": "str"},
    "permissions": {"type": "dict"},
    "permissions_exclusive": {"type": "bool", "default": False},
    "members": {"type": "list", "elements": "str"},
    "members_exclusive": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **openwebui_arguments(),
            "groups": {"type": "list", "elements": "dict", "default": [], "options": GROUP},
            "default_permissions": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    wanted = {name: module.params[name] for name in ("groups", "default_permissions")}
    try:
        result = ensure_groups(admin_client(module.params), **wanted, check_mode=module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
