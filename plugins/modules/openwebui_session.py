#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_session
short_description: Sign an administrator in to Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Signs an administrator in and returns a token that all later tasks of the play can use.
  - Open WebUI allows 15 sign-ins per address in three minutes and counts the successful ones too. So one session per
    play is enough, and there is never a second attempt.
  - The result of this module is not shown at any verbosity. The registered value can be used as it is.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - A sign-in changes nothing, so it is also done in check mode.
  diff_mode:
    support: N/A
    details:
      - There is nothing that could differ.
  idempotent:
    support: full
    details:
      - Each run returns a new token and reports no change.
options:
  admin_email:
    description:
      - E-mail address of the administrator. Upper and lower case are the same.
      - If it is not given, the environment variable E(OPENWEBUI_ADMIN_EMAIL) of the managed host is used.
    type: str
    required: true
  admin_password:
    description:
      - Password of the account O(admin_email).
      - If it is not given, the environment variable E(OPENWEBUI_ADMIN_PASSWORD) of the managed host is used.
    type: str
    required: true
seealso:
  - module: selfhosted.llm.openwebui_user
"""

EXAMPLES = r"""
- name: Sign in once
  selfhosted.llm.openwebui_session:
    url: http://127.0.0.1:3001
    admin_email: automation@localhost
    admin_password: "{{ admin_password }}"
  register: session

- name: Use the session in all that follows
  module_defaults:
    group/selfhosted.llm.openwebui:
      url: http://127.0.0.1:3001
      token: "{{ session.token }}"
  block:
    - name: Connect two Ollama servers
      selfhosted.llm.openwebui_connection:
        connections:
          - http://gpu1:11434
          - http://gpu2:11434

    - name: Keep sign-up closed
      selfhosted.llm.openwebui_config:
        settings:
          ui.enable_signup: false
"""

RETURN = r"""
token:
  description: The token of the session, for O(selfhosted.llm.openwebui_user#module:token) and its like.
  returned: success
  type: str
  sample: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl
expires_at:
  description: When the session ends, in seconds since 1970. V(null) if it does not.
  returned: success
  type: int
  sample: 1797786916
user:
  description: The account that signed in.
  returned: success
  type: dict
  contains:
    id:
      description: The server's identifier of the account.
      type: str
      sample: cb8c85a4-c065-4e17-a4dd-f086e7242a18
    email:
      description: E-mail address, in lower case.
      type: str
      sample: automation@localhost
    name:
      description: Display name.
      type: str
      sample: Automation
    role:
      description: Always V(admin).
      type: str
      sample: admin
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import (
    http_client,
    openwebui_admin_arguments,
    openwebui_transport_arguments,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import hide_result
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.session import open_session


def main() -> None:
    module = AnsibleModule(
        argument_spec={**openwebui_transport_arguments(), **openwebui_admin_arguments(required=True)},
        supports_check_mode=True,
    )
    try:
        result = open_session(
            OpenWebUI(http_client(module.params)), module.params["admin_email"], module.params["admin_password"]
        )
    except ServiceError as exc:
        module.fail_json(**exc.result())
    hide_result(result["token"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
