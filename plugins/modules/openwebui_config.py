#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_config
short_description: Manage settings of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Brings some of the settings in the admin panel to the wanted values. All others stay as they are.
  - Open WebUI itself would store any key and any type, so keys that the server does not have and values of another
    type than the present one are refused before anything is written.
  - Once the server has started for the first time, its database wins over its environment, so that only this way works.
    It has no effect that lasts on a server with E(ENABLE_PERSISTENT_CONFIG=false), which does not say so.
  - Settings of embedding models, rerankers, tool servers and local speech recognition take effect when the server
    starts the next time.
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
      - Values whose names look like those of secrets are hidden.
  idempotent:
    support: full
options:
  settings:
    description:
      - Settings by the server's own names, such as V(ui.enable_signup).
      - A list or a dictionary replaces the present one.
      - C(GET /api/v1/configs/export) of the server has them all.
    type: dict
    required: true
seealso:
  - module: selfhosted.llm.openwebui_session
  - module: selfhosted.llm.openwebui_connection
"""

EXAMPLES = r"""
- name: Keep sign-up closed, and let sessions last a day
  selfhosted.llm.openwebui_config:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    settings:
      ui.enable_signup: false
      auth.jwt_expiry: 1d
"""

RETURN = r"""
settings:
  description: The names of the settings that were changed. Their values are in the diff.
  returned: success
  type: list
  elements: str
  sample: [ui.enable_signup]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.config import ensure_settings, secrets_in
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import hide_input


def main() -> None:
    module = AnsibleModule(
        argument_spec={**openwebui_arguments(), "settings": {"type": "dict", "required": True}},
        # The options would be written to the system log before anybody could tell the secrets in them apart.
        no_log=True,
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    settings = module.params["settings"]
    hide_input(module, secrets_in(settings))
    try:
        result = ensure_settings(admin_client(module.params), settings, module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
