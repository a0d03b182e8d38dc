#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_config_info
short_description: Read the settings of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Gives the settings in the admin panel as M(selfhosted.llm.openwebui_config) takes them.
  - What that module refuses is left out, because it belongs to another module or comes from the server's environment.
  - Costs two requests, and one more where new accounts join a group.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes.info
  - selfhosted.llm._attributes.action_group_openwebui
options:
  changed_only:
    description:
      - Whether to leave out settings that have the default of the program.
      - The defaults are those of Open WebUI 0.12.4. Of a server of another version, settings whose default that does
        not tell are all given.
    type: bool
    default: false
seealso:
  - module: selfhosted.llm.openwebui_config
"""

EXAMPLES = r"""
- name: Read what somebody has set by hand
  selfhosted.llm.openwebui_config_info:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    changed_only: true
  register: by_hand

- name: Give another server the same settings, with the secrets from a vault
  selfhosted.llm.openwebui_config:
    url: http://127.0.0.1:3002
    token: "{{ other_session.token }}"
    settings: "{{ by_hand.settings | combine(secret_settings, recursive=true) }}"
"""

RETURN = r"""
settings:
  description:
    - The settings, nested by the parts of their names.
    - The group of new accounts (V(ui.default_group_id)) is given by its name.
    - Secrets are left out.
  returned: success
  type: dict
  sample: {"ui": {"default_user_role": "user", "enable_signup": false}}
secrets:
  description:
    - The names of what was left out. One inside a list or a dictionary is named by its place there.
  returned: success
  type: list
  elements: str
  sample: [tool_server.connections.0.key, web.search.kagi_search_api_key]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.config import describe_settings


def main() -> None:
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), "changed_only": {"type": "bool", "default": False}},
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    try:
        result = describe_settings(admin_client(module.params), module.params["changed_only"])
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
