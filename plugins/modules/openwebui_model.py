#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_model
short_description: Manage models of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Creates models of the workspace, brings them to what is wanted, and removes them. Such a model is another one with a
    name, a system prompt, parameters and more of its own.
  - Also says who may use a model of a connection, which is administrators alone unless somebody says something else,
    and how it is shown.
  - One task is enough for all of them, and models that are not listed stay as they are. The server replaces a model as
    a whole, so this module sends what stands there along with what is wanted.
  - When everything is right, this costs one request, and one more for each kind of names in the list (groups, tools,
    30 accounts or collections of knowledge).
  - The whole list is checked before anything is sent. Afterwards as much of it is done as the server allows; a model
    that it refuses becomes a row with RV(models[].error), and the task fails at the end.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - A base model, a group, an account, a tool or a collection that does not exist yet is a warning in check mode,
        because an earlier task of the same run can be what creates it.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  models:
    description:
      - The models. What an element leaves out stays as it is on the server.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - The identifier, which programs use as the name of the model. Blanks are refused.
          - Without O(models[].base_model_id) it is that of a model that a connection offers, with the prefix of the
            connection and the tag.
        type: str
        required: true
      name:
        description:
          - What people see in the list. A new one has its identifier as name if nothing else is given.
        type: str
      base_model_id:
        description:
          - The model of a connection that answers, with its tag. A new model whose base the server does not list is
            refused.
          - People need access to the base model too.
        type: str
      system:
        description:
          - The system prompt. An empty text takes it away.
          - Variables of Open WebUI like C({{USER_NAME}}) need C(!unsafe) before the text, or Ansible takes them for its
            own.
        type: str
      params:
        description:
          - Other parameters by the server's own names, for example C(temperature), C(num_ctx) or C(function_calling).
          - Those that are not named stay. V(null) takes one away.
        type: dict
      description:
        description:
          - What people see about the model. An empty text takes it away.
        type: str
      profile_image_url:
        description:
          - The picture. Either a URL with V(http) or V(https), which the browsers of all users load, or a C(data:image)
            URI with PNG, JPEG, GIF or WebP in base64, or V(/static/favicon.png).
        type: str
      capabilities:
        description:
          - What the model can do, or is allowed to, by the server's own names with V(true) or V(false), for example
            C(vision), C(file_upload), C(web_search), C(image_generation), C(code_interpreter), C(citations) or
            C(builtin_tools).
          - Those that are not named stay. V(null) takes one away.
        type: dict
      tags:
        description:
          - Tags, in their order. An empty list removes them all.
        type: list
        elements: str
      suggestion_prompts:
        description:
          - What people are offered when they begin a chat. An empty list is nothing. A new model offers what is
            configured for all.
        type: list
        elements: dict
        suboptions:
          content:
            description:
              - The text that is sent.
            type: str
            required: true
          title:
            description:
              - The two lines that are shown instead.
            type: list
            elements: str
      knowledge:
        description:
          - Names of the collections of knowledge that the model uses. An empty list removes them all.
          - Single files that somebody has attached to the model stay.
        type: list
        elements: str
      tools:
        description:
          - Names or identifiers of the tools that the model uses, those of tool servers included. An empty list removes
            them all.
        type: list
        elements: str
      meta:
        description:
          - Other fields by the server's own names, for example C(filterIds), C(actionIds), C(defaultFeatureIds) or
            C(hidden).
          - Those that are not named stay. V(null) takes one away.
        type: dict
      access:
        description:
          - Who may use the model besides its owner and administrators. V(public) is everybody, V(private) nobody.
          - Or a dictionary with C(read) and C(write). Each is a dictionary of C(groups), a list of names, and C(users),
            a list of e-mail addresses; or V(public). Who may write may read as well.
          - The list is the whole of it. Others lose what they had. A new model is private if nothing is given.
          - Names that the server does not have are refused before anything is written.
        type: raw
      is_active:
        description:
          - Whether the model is switched on. A new one is if nothing else is given. Nobody is offered one that is not.
        type: bool
      state:
        description:
          - V(absent) removes the model of the workspace with its history. Of a model of a connection it removes what is
            said about it here, so that only administrators can use it.
        type: str
        choices: [present, absent]
        default: present
seealso:
  - module: selfhosted.llm.openwebui_connection
  - module: selfhosted.llm.openwebui_group
  - module: selfhosted.llm.openwebui_session
"""

EXAMPLES = r"""
- name: Offer one model to everybody, and a large one to a team
  selfhosted.llm.openwebui_model:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    models:
      - id: smollm2:135m
        access: public
      - id: tinyllama:latest
        name: Large
        access:
          read:
            groups: [developers]
          write:
            users: [lee@example.com]

- name: Make a model of the workspace
  selfhosted.llm.openwebui_model:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    models:
      - id: reviewer
        name: Reviewer
        base_model_id: tinyllama:latest
        system: !unsafe "You review what {{USER_NAME}} has written."
        params:
          temperature: 0.2
          num_ctx: 8192
        description: Reads code as if its name were on it.
        profile_image_url: /static/favicon.png
        capabilities:
          vision: false
          web_search: false
        tags: [code]
        suggestion_prompts:
          - content: Review the following function.
            title: [Review, a function]
        knowledge: [Style guides]
        tools: [linter]
        meta:
          defaultFeatureIds: [code_interpreter]
        access:
          read:
            groups: [developers]

- name: Switch a model off, and remove another one
  selfhosted.llm.openwebui_model:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    models:
      - id: smollm2:135m
        is_active: false
      - id: reviewer
        state: absent
"""

RETURN = r"""
models:
  description: The models of the task in its order.
  returned: success, and failure after the list was found to be right
  type: list
  elements: dict
  contains:
    id:
      description: The identifier.
      type: str
      sample: reviewer
    name:
      description: What people see. V(null) for a model that does not exist.
      type: str
      sample: Reviewer
    base_model_id:
      description: The model that answers. V(null) for a model of a connection.
      type: str
      sample: tinyllama:latest
    action:
      description:
        - What was done, V(none), V(created), V(updated) or V(deleted).
        - V(failed) for a model that is not as wanted, and V(skipped) for one that was not reached because the session
          or the connection ended before.
      type: str
      sample: created
    error:
      description: What failed with this model.
      returned: if RV(models[].action) is V(failed)
      type: str
      sample: "POST http://127.0.0.1:3001/api/v1/models/create was answered with 500: Internal Server Error."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.models import Models

SUGGESTION = {
    "content": {"type": "str", "required": True},
    "title": {"type": "list", "elements": "str"},
}
MODEL = {
    "id": {"type": "str", "required": True},
    "name": {"type": "str"},
    "base_model_id": {"type": "str"},
    "system": {"type": "str"},
    "params": {"type": "dict"},
    "description": {"type": "str"},
    "profile_image_url": {"type": "str"},
    "capabilities": {"type": "dict"},
    "tags": {"type": "list", "elements": "str"},
    "suggestion_prompts": {"type": "list", "elements": "dict", "options": SUGGESTION},
    "knowledge": {"type": "list", "elements": "str"},
    "tools": {"type": "list", "elements": "str"},
    "meta": {"type": "dict"},
    "access": {"type": "raw"},
    "is_active": {"type": "bool"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    models = {"type": "list", "elements": "dict", "required": True, "options": MODEL}
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), "models": models},
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    try:
        result = Models(admin_client(module.params)).ensure(module.params["models"], module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
