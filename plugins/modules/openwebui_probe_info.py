#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_probe_info
short_description: See what strangers and ordinary users get from Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Finds out what a stranger can read, whether sign-up is open, which models an ordinary user sees, and whether that
    user gets an answer from the models of each Ollama server.
  - Nothing is written, and it is never tried to register. The chats are not kept by the server.
  - Nothing that is found fails the task, only what cannot be found out. Judge the result with
    M(ansible.builtin.assert).
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._attributes.info
options:
  email:
    description:
      - E-mail address of an ordinary user. Without it only a stranger's view is returned.
    type: str
  password:
    description:
      - Password of the account O(email).
    type: str
  backends:
    description:
      - Places of Ollama servers in the list of connections, from 0, as M(selfhosted.llm.openwebui_connection) returns
        them. Each is asked for one short chat with its smallest model that can chat.
      - Without O(email) none is asked.
    type: list
    elements: int
    default: []
  models:
    description:
      - Models as the user finds them, those of the workspace for example, by their ids. Each is asked for a short chat.
      - Without O(email) none is asked.
    type: list
    elements: str
    default: []
  prompt:
    description:
      - What to say in the chats.
    type: str
    default: Say hello in one short sentence.
notes:
  - A model that has to be loaded first is silent meanwhile. O(timeout) has to be longer than that.
seealso:
  - module: selfhosted.llm.openwebui_connection
"""

EXAMPLES = r"""
- name: Look at the service as a stranger and as an ordinary user
  selfhosted.llm.openwebui_probe_info:
    url: http://127.0.0.1:3001
    email: probe@localhost
    password: "{{ probe_password }}"
    backends: [0, 1]
    models: [helpdesk]
    prompt: Say hello in one short sentence.
    timeout: 300
  register: probe

- name: Check that strangers stay out and every server answers
  ansible.builtin.assert:
    that:
      - not probe.signup_open
      - probe.anonymous | rejectattr('refused') | length == 0
      - probe.chats | selectattr('error') | length == 0
"""

RETURN = r"""
version:
  description: Version of Open WebUI.
  returned: success
  type: str
  sample: 0.12.4
onboarding:
  description: Whether the server has no account yet and waits for its first administrator.
  returned: success
  type: bool
  sample: false
signup_open:
  description: Whether anybody could register.
  returned: success
  type: bool
  sample: false
anonymous:
  description: Paths that must not be open, asked for without an account.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The path.
      type: str
      sample: /api/models
    status:
      description: The HTTP status of the answer.
      type: int
      sample: 401
    refused:
      description: Whether the server wants an account for it.
      type: bool
      sample: true
user:
  description: The account that signed in. V(null) without O(email).
  returned: success
  type: dict
  contains:
    email:
      description: E-mail address, in lower case.
      type: str
      sample: probe@localhost
    role:
      description: Role of the account.
      type: str
      sample: user
models:
  description: The names of all models that the user sees. Empty without O(email).
  returned: success
  type: list
  elements: str
  sample: ["llama3.2:1b"]
without_tools:
  description:
    - Models that do not answer in the browser, although they do through the API. Open WebUI 0.12 sends tools of its own
      with each message that somebody writes there, and Ollama refuses them for a model that cannot use tools.
    - The capability C(builtin_tools) of O(selfhosted.llm.openwebui_model#module:models[].capabilities) set to V(false)
      mends it, or C(models.default_metadata) of M(selfhosted.llm.openwebui_config) for all models at once. A model
      whose parameter C(function_calling) is V(legacy) answers all the same, and is listed here too.
    - Only of models of Ollama that the user sees. Empty without O(email).
  returned: success
  type: list
  elements: str
  sample: ["tinyllama:latest"]
chats:
  description: One chat per element of O(backends), then one per element of O(models). Empty without O(email).
  returned: success
  type: list
  elements: dict
  contains:
    index:
      description: The place in the list of connections. V(null) for a model of O(models).
      type: int
      sample: 0
    model:
      description: The model that was asked. V(null) if there was none.
      type: str
      sample: llama3.2:1b
    reply:
      description: The beginning of what it said. V(null) if it did not answer.
      type: str
      sample: Hello there!
    error:
      description: Why there is no reply. V(null) if there is one.
      type: str
      sample: null
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import (
    http_client,
    openwebui_transport_arguments,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.probe import probe


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **openwebui_transport_arguments(),
            "email": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "backends": {"type": "list", "elements": "int", "default": []},
            "models": {"type": "list", "elements": "str", "default": []},
            "prompt": {"type": "str", "default": "Say hello in one short sentence."},
        },
        required_together=[("email", "password")],
        supports_check_mode=True,
    )
    client = OpenWebUI(http_client(module.params), module.params["email"], module.params["password"])
    try:
        result = probe(client, module.params["backends"], module.params["models"], module.params["prompt"])
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
