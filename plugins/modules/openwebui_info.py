#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_info
short_description: Read what was configured in Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Gives settings, connections, accounts, groups, models and prompts as the other modules take them, so that they can
    be made again on another server.
  - Secrets are V(null) and never part of the result. RV(secrets) says where they were.
  - What no module could make again is left out, with a warning that names it.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes.info
  - selfhosted.llm._attributes.action_group_openwebui
options:
  gather_subset:
    description:
      - What to read.
    type: list
    elements: str
    choices: [settings, connections, users, groups, models, prompts]
    default: [settings, connections, users, groups, models, prompts]
  changed_only:
    description:
      - Whether to leave out settings that have the default of the program, as
        O(selfhosted.llm.openwebui_config_info#module:changed_only) does.
    type: bool
    default: false
seealso:
  - module: selfhosted.llm.openwebui_config_info
  - module: selfhosted.llm.openwebui_user_info
"""

EXAMPLES = r"""
- name: Read the groups and prompts of one server, and the settings that somebody has changed there
  selfhosted.llm.openwebui_info:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    gather_subset: [settings, groups, prompts]
    changed_only: true
  register: found

- name: Give another server the same prompts
  selfhosted.llm.openwebui_prompt:
    url: http://127.0.0.1:3002
    token: "{{ other_session.token }}"
    prompts: "{{ found.prompts }}"
"""

RETURN = r"""
settings:
  description:
    - The settings by their full names, for O(selfhosted.llm.openwebui_config#module:settings).
    - Those that other modules manage, or that come from the server's environment, are left out.
  returned: if settings are in O(gather_subset)
  type: dict
  sample: {"ui.watermark": "Ours"}
connections:
  description: The connections of the type V(openai), for O(selfhosted.llm.openwebui_connection#module:connections).
  returned: if connections are in O(gather_subset)
  type: list
  elements: dict
  sample: [{"url": "https://api.example.com/v1", "key": null, "prefix_id": "cloud"}]
ollama_connections:
  description: Those of the type V(ollama).
  returned: if connections are in O(gather_subset)
  type: list
  elements: dict
  sample: [{"url": "http://gpu1:11434"}]
users:
  description: The accounts by e-mail address, for O(selfhosted.llm.openwebui_user#module:users).
  returned: if users are in O(gather_subset)
  type: list
  elements: dict
  sample: [{"email": "kim@example.com", "name": "Kim", "role": "user"}]
default_permissions:
  description: What everybody may do, for O(selfhosted.llm.openwebui_group#module:default_permissions).
  returned: if groups are in O(gather_subset)
  type: dict
  sample: {"chat": {"delete": true}}
groups:
  description: The groups by name, for O(selfhosted.llm.openwebui_group#module:groups).
  returned: if groups are in O(gather_subset)
  type: list
  elements: dict
  sample: [{"name": "developers", "description": "", "permissions": {}, "members": ["kim@example.com"]}]
models:
  description:
    - The models by identifier, for O(selfhosted.llm.openwebui_model#module:models).
    - Without the collections of knowledge and the tools that they use.
  returned: if models are in O(gather_subset)
  type: list
  elements: dict
  sample: [{"id": "tutor", "name": "Tutor", "base_model_id": "smollm2:135m", "access": "public"}]
prompts:
  description: The prompts by command, for O(selfhosted.llm.openwebui_prompt#module:prompts).
  returned: if prompts are in O(gather_subset)
  type: list
  elements: dict
  sample: [{"command": "summarize", "name": "Summarize", "content": "Summarize this.", "access": "public"}]
secrets:
  description: What is V(null) because it is a secret.
  returned: success
  type: list
  elements: dict
  contains:
    place:
      description: The return value, and the keys and indexes that lead to the secret from there.
      type: list
      elements: raw
      sample: [connections, 0, key]
    name:
      description: A name for it, made of letters, digits and underscores, which no other secret has.
      type: str
      sample: connections_0_key
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.info import SUBSETS, Description


def main() -> None:
    subset = {"type": "list", "elements": "str", "choices": list(SUBSETS), "default": list(SUBSETS)}
    changed_only = {"type": "bool", "default": False}
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), "gather_subset": subset, "changed_only": changed_only},
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    try:
        description = Description(admin_client(module.params), module.params["changed_only"])
        result = description.read(module.params["gather_subset"])
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
