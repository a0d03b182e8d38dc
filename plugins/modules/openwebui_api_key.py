#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_api_key
short_description: Give a program an account and an API key of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Makes an account for a program, such as a CI job, lets it join groups, and makes its API key; or takes its access
    away.
  - Open WebUI keeps one key per account and tells it to nobody but that account. So the program's key is given to this
    module, which tries it. If it works, nothing changes. If it does not, the account gets a new password that nobody
    keeps, and a new key, which replaces the one before.
  - When everything is right, this costs two requests, and one more with O(groups).
  - A result that holds a key is not shown at any verbosity. The registered value can be used as it is.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - It is part of the result, and not shown either where that holds a key.
  idempotent:
    support: full
options:
  email:
    description:
      - The address of the account. It has to end in C(@localhost), such as C(ci@localhost), so that it can be no
        person's, who would lose access.
      - An administrator's account is refused.
    type: str
    required: true
  name:
    description:
      - As what the account is shown. A new one is named by the part of O(email) before the C(@) if nothing is given.
    type: str
  groups:
    description:
      - Names of groups that the account joins. It stays in those that are not named.
      - Unless the default permissions allow it to everybody, one of its groups has to have the permission
        C(features.api_keys).
    type: list
    elements: str
    default: []
  key:
    description:
      - The key that the program has. Left out or empty if it has none.
      - A key that works, but is another account's, is refused.
      - Where the setting C(users.enable_status) is off, or API keys may not use C(/api/v1/users), the server does not
        tell whose a key is. Then one that works counts as that of the account.
    type: str
  state:
    description:
      - V(absent) deletes the key, ends the sessions of the account and takes its role away. What it has made, such as
        chats, stays, and V(present) gives the access back with a new key. To delete all of it, use O(state=absent)
        of M(selfhosted.llm.openwebui_user).
    type: str
    choices: [present, absent]
    default: present
notes:
  - C(async) is not supported.
  - API keys have to be switched on, and multi-factor authentication has to be off. Otherwise the task fails before it
    changes anything.
seealso:
  - module: selfhosted.llm.openwebui_group
  - module: selfhosted.llm.openwebui_user
"""

EXAMPLES = r"""
- name: Let the CI use the models of a group
  selfhosted.llm.openwebui_api_key:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    email: ci@localhost
    name: CI
    groups: [programs]
    key: "{{ lookup('ansible.builtin.file', key_file) if key_file is exists else '' }}"
  register: ci

- name: Keep its key
  ansible.builtin.copy:
    content: "{{ ci.key }}"
    dest: "{{ key_file }}"
    mode: "0600"
  delegate_to: localhost
  no_log: true
  when: not ansible_check_mode

- name: Take its access away
  selfhosted.llm.openwebui_api_key:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    email: ci@localhost
    state: absent
"""

RETURN = r"""
id:
  description: The server's identifier of the account. V(null) if it does not exist.
  returned: success
  type: str
  sample: 7d1f58c2-8c43-4b79-a2dd-6a0cbea2b0e8
key:
  description: The API key that works now. V(null) if there is none, as in check mode before the first one is made.
  returned: success
  type: str
  sample: sk-d2b1a1f4dcf34eb4a1a7f3aa9a5cbd0c
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.api_key import Program
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import pass_on

ACCOUNT = {
    "email": {"type": "str", "required": True},
    "name": {"type": "str"},
    "groups": {"type": "list", "elements": "str", "default": []},
    "key": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), **ACCOUNT}, supports_check_mode=True, **OPENWEBUI_SIGN_IN
    )
    params = module.params
    try:
        program = Program(admin_client(params), params["email"])
        if params["state"] == "absent":
            result = program.revoke(module.check_mode)
        else:
            result = program.ensure(params["name"], params["groups"], params["key"] or "", module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    if result["key"]:
        pass_on(module, result["key"])
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
