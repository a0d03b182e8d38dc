#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_prompt
short_description: Manage prompts of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Creates prompts of the workspace, brings them to what is wanted, and removes them. One task is enough for all of
    them, and prompts that are not listed stay as they are.
  - When everything is right, this costs one request. If a prompt in the list does not exist or is switched off, it is
    one more per 30 prompts of the server.
  - The whole list is checked before anything is sent. Afterwards as much of it is done as the server allows; a prompt
    that it refuses becomes a row with RV(prompts[].error), and the task fails at the end.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - A group or an account that does not exist yet is a warning in check mode, because an earlier task of the same
        run can be what creates it.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  prompts:
    description:
      - The prompts. What an element leaves out stays as it is on the server.
    type: list
    elements: dict
    required: true
    suboptions:
      command:
        description:
          - What people write after a slash to use the prompt. It identifies the prompt.
          - A leading slash has no meaning. Blanks, further slashes and control characters are refused.
        type: str
        required: true
      name:
        description:
          - The title. A new prompt has its command as title if nothing else is given.
        type: str
      content:
        description:
          - The text. Required for a prompt that does not exist yet.
          - Variables of Open WebUI like C({{CLIPBOARD}}) need C(!unsafe) before the text, or Ansible takes them for its
            own.
        type: str
      tags:
        description:
          - Tags, in their order. An empty list removes them all.
        type: list
        elements: str
      access:
        description:
          - Who may use the prompt besides its owner and administrators. V(public) is everybody, V(private) nobody.
          - Or a dictionary with C(read) and C(write). Each is a dictionary of C(groups), a list of names, and C(users),
            a list of e-mail addresses; or V(public). Who may write may read as well.
          - The list is the whole of it. Others lose what they had. A new prompt is private if nothing is given.
          - Names that the server does not have are refused before anything is written.
        type: raw
      is_active:
        description:
          - Whether the prompt is switched on. A new prompt is if nothing else is given.
        type: bool
      state:
        description:
          - V(absent) removes the prompt with its history.
        type: str
        choices: [present, absent]
        default: present
seealso:
  - module: selfhosted.llm.openwebui_session
  - module: selfhosted.llm.openwebui_group
"""

EXAMPLES = r"""
- name: Two prompts, one for everybody and one for a team
  selfhosted.llm.openwebui_prompt:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    prompts:
      - command: summarize
        name: Summarize
        content: !unsafe "Summarize in five sentences: {{CLIPBOARD}}"
        tags: [text]
        access: public
      - command: review
        content: Review this code as if your name were on it.
        access:
          read:
            groups: [developers]
          write:
            users: [lee@example.com]

- name: Switch a prompt off, and remove another one
  selfhosted.llm.openwebui_prompt:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    prompts:
      - command: review
        is_active: false
      - command: summarize
        state: absent
"""

RETURN = r"""
prompts:
  description: The prompts of the task in its order.
  returned: success, and failure after the list was found to be right
  type: list
  elements: dict
  contains:
    id:
      description: The server's identifier of the prompt. V(null) for one that does not exist.
      type: str
      sample: e4e40e47-fc38-4f2c-9a12-bbab20efc185
    command:
      description: The command, without a slash.
      type: str
      sample: summarize
    name:
      description: The title. V(null) for a prompt that does not exist.
      type: str
      sample: Summarize
    action:
      description:
        - What was done, V(none), V(created), V(updated) or V(deleted).
        - V(failed) for a prompt that is not as wanted, and V(skipped) for one that was not reached because the session
          or the connection ended before.
      type: str
      sample: created
    error:
      description: What failed with this prompt.
      returned: if RV(prompts[].action) is V(failed)
      type: str
      sample: "POST http://127.0.0.1:3001/api/v1/prompts/create was answered with 500: Internal Server Error."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.prompts import Prompts

PROMPT = {
    "command": {"type": "str", "required": True},
    "name": {"type": "str"},
    "content": {"type": "str"},
    "tags": {"type": "list", "elements": "str"},
    "access": {"type": "raw"},
    "is_active": {"type": "bool"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    prompts = {"type": "list", "elements": "dict", "required": True, "options": PROMPT}
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), "prompts": prompts},
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    try:
        result = Prompts(admin_client(module.params)).ensure(module.params["prompts"], module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
