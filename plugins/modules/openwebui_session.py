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
  - Signs an administrator in and returns a token that all later tasks of the run can use.
  - Open WebUI allows 15 sign-ins per address in three minutes and counts the successful ones too. So there is never a
    second attempt, and a second task of the run with the same host, O(url), O(headers), O(admin_email) and
    O(admin_password) gives the same session as long as the server honours it.
  - With O(token) nobody signs in; it is only checked that the token is that of an administrator. That is the way where
    multi-factor authentication is on or signing in with a password is switched off.
  - The result of this module is not shown at any verbosity. The registered value can be used as it is. Until the run
    ends, the token also lies in the run's temporary directory on the controller, which only the user of Ansible can
    read.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
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
      - It never reports a change.
notes:
  - A server of a version that this collection was not tested with (RV(version)) is warned of once per run, by this
    module and by every other of its group that signs in, and the run goes on. Modules that only get a token do not ask.
  - C(async) is not supported.
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

- name: Use the session in all that follows, and renew it once if it ends meanwhile
  module_defaults:
    group/selfhosted.llm.openwebui:
      url: http://127.0.0.1:3001
      token: "{{ session.token }}"
      admin_email: automation@localhost
      admin_password: "{{ admin_password }}"
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

- name: Check an API key before it is used
  selfhosted.llm.openwebui_session:
    url: https://chat.example.com
    token: "{{ api_key }}"
"""

RETURN = r"""
token:
  description:
    - The token of the session, for O(selfhosted.llm.openwebui_user#module:token) and its like.
    - It is O(token) if that was given and its session lasts.
  returned: success
  type: str
  sample: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl
expires_at:
  description: When the session ends, in seconds since 1970. V(null) if it does not, as with an API key.
  returned: success
  type: int
  sample: 1797786916
version:
  description:
    - The version of Open WebUI. V(null) if the server does not tell it.
  returned: success
  type: str
  sample: 0.12.4
user:
  description:
    - The account that signed in, or whose token it is.
    - V(null) with an API key where the server does not tell whose it is, because the setting C(users.enable_status) is
      off, or API keys may not use C(/api/v1/users).
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

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import pass_on
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.session import open_session


def main() -> None:
    module = AnsibleModule(argument_spec=openwebui_arguments(), supports_check_mode=True, **OPENWEBUI_SIGN_IN)
    try:
        result = open_session(admin_client(module.params))
    except ServiceError as exc:
        module.fail_json(**exc.result())
    pass_on(module, result["token"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
