#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_connection
short_description: Manage the connections of Open WebUI to Ollama servers
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Brings the list of Ollama connections in the admin panel to what is wanted, and switches the use of Ollama on.
  - Connections that somebody made by hand keep their places and settings. Those of this module are in the order given.
  - Once the server has started for the first time, its database wins over the variable E(OLLAMA_BASE_URLS) of its
    environment, so that only this way works.
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
      - A key is never shown, only that it differs.
  idempotent:
    support: full
options:
  type:
    description:
      - The kind of server to connect.
    type: str
    choices: [ollama]
    default: ollama
  connections:
    description:
      - The connections. An element is a URL or a dictionary with C(url) and any of the following keys.
      - C(enable) (boolean, default V(true)), whether the connection is used.
      - C(prefix_id) (string), set before the names of the models with a dot.
      - C(model_ids) (list of strings), the models to offer; all if it is empty.
      - C(tags) (list of strings), added to the models.
      - C(key) (string), sent as a Bearer token to the Ollama server.
      - A key that is not given leaves what is there as it is. A trailing slash of a URL has no meaning.
      - Each connection gets a mark of this collection, also one that was made by hand before.
    type: list
    elements: raw
    required: true
  exclusive:
    description:
      - What happens to connections that are not listed.
      - V(none) keeps them all, V(owned) removes those with the mark of this collection, V(all) removes every one.
    type: str
    choices: [none, owned, all]
    default: none
  allow_empty:
    description:
      - Whether an empty list of O(connections) may remove connections.
    type: bool
    default: false
seealso:
  - module: selfhosted.llm.openwebui_session
  - module: selfhosted.llm.openwebui_probe_info
"""

EXAMPLES = r"""
- name: Connect all hosts of a group, and drop those that left it
  selfhosted.llm.openwebui_connection:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    connections: "{{ groups['ollama'] | map('regex_replace', '^(.*)$', 'http://\\1:11434') }}"
    exclusive: owned

- name: Offer two models of a server behind a proxy that wants a key
  selfhosted.llm.openwebui_connection:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    connections:
      - url: https://ollama.example.com
        key: "{{ ollama_key }}"
        prefix_id: big
        model_ids:
          - llama3.3:70b
          - qwen3:32b
"""

RETURN = r"""
connections:
  description: All connections of the server in its order, and then those that were removed. Keys are never returned.
  returned: success
  type: list
  elements: dict
  contains:
    index:
      description: The place in the server's list, from 0. V(null) for one that was removed.
      type: int
      sample: 0
    url:
      description: URL of the Ollama server.
      type: str
      sample: http://gpu1:11434
    enable:
      description: Whether the connection is used.
      type: bool
      sample: true
    owned:
      description: Whether it has the mark of this collection.
      type: bool
      sample: true
    action:
      description: What was done, V(none), V(added), V(updated) or V(removed). One that only moved has V(none).
      type: str
      sample: added
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connections import (
    ensure_connections,
    secrets_of,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import hide_input


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **openwebui_arguments(),
            "type": {"type": "str", "choices": ["ollama"], "default": "ollama"},
            "connections": {"type": "list", "elements": "raw", "required": True},
            "exclusive": {"type": "str", "choices": ["none", "owned", "all"], "default": "none"},
            "allow_empty": {"type": "bool", "default": False},
        },
        # The options would be written to the system log before anybody could tell the keys in them apart.
        no_log=True,
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    wanted = {name: module.params[name] for name in ("connections", "exclusive", "allow_empty")}
    hide_input(module, secrets_of(wanted["connections"]))
    try:
        result = ensure_connections(admin_client(module.params), **wanted, check_mode=module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
