#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_connection
short_description: Manage the connections of Open WebUI to Ollama and to services with the OpenAI API
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Brings the list of connections in the admin panel to what is wanted, and switches the use of their type on.
  - Connections that somebody made by hand keep their places and settings. Those of this module are in the order given.
  - Once the server has started for the first time, its database wins over the variables of its environment such as
    E(OLLAMA_BASE_URLS) and E(OPENAI_API_BASE_URLS), so that only this way works.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - With O(verify) the connections are tried in check mode too.
  diff_mode:
    support: full
    details:
      - A key and the headers are never shown, only that they differ.
  idempotent:
    support: full
options:
  type:
    description:
      - The kind of server to connect, V(ollama) or everything that speaks the API of OpenAI (V(openai)).
    type: str
    choices: [ollama, openai]
    default: ollama
  connections:
    description:
      - The connections. An element is a URL or a dictionary with C(url) and any of the following keys. A URL of
        O(type=openai) is what stands before C(/models), such as V(https://api.example.com/v1).
      - C(enable) (boolean, default V(true)), whether the connection is used.
      - C(key) (string), sent as a Bearer token. With the provider V(azure) it is sent as C(api-key).
      - C(auth_type) (string), how the server signs in there. V(bearer) is with the key, V(none) without, V(session)
        with the token of the person who chats, V(system_oauth) with what the person got from the OAuth provider, and
        V(microsoft_entra_id) with the identity of the host of Open WebUI.
      - C(headers) (dictionary of strings), sent with every request. They may hold placeholders of Open WebUI, such as
        C({{USER_EMAIL}}).
      - C(prefix_id) (string), set before the names of the models with a dot. It also tells connections with the same
        URL apart.
      - C(model_ids) (list of strings), the models to offer, without the prefix; all if it is empty.
      - C(tags) (list of strings), added to the models.
      - C(connection_type) (string), whether the list of models calls them V(local) or V(external).
      - C(provider) (string, only for O(type=openai)), a service that differs from OpenAI in some things. One of
        V(default), V(azure), V(llama.cpp), V(lmstudio) and V(litellm). V(azure) needs C(model_ids), unless the URL ends
        in C(/openai/v1).
      - C(api_version) (string, only for O(type=openai)), the version of the API for the provider V(azure).
      - C(api_type) (string, only for O(type=openai)), the part of the API that is used, V(chat_completions) or
        V(responses).
      - C(forward_cookies) (boolean, only for O(type=openai)), whether to send the cookies of the person who chats.
      - C(passthrough_params) (list of strings, only for O(type=openai)), parameters of requests to the Anthropic API of
        Open WebUI that are passed on as they are; V(*) means all.
      - What is not given stays as it is. A trailing slash of a URL has no meaning.
      - Each connection gets a mark of this collection, also one that was made by hand before.
    type: list
    elements: raw
    required: true
  verify:
    description:
      - Whether Open WebUI has to reach the connections that are new or different before anything is written.
      - Connections that are not enabled are not tried, nor are those that sign in as the person who chats by
        V(system_oauth).
    type: bool
    default: true
  exclusive:
    description:
      - What happens to connections that are not listed.
      - V(none) keeps them all, V(owned) removes those with the mark of this collection, V(all) removes every one.
      - As long as nobody has given it a key or settings, the connection to OpenAI that the program begins with counts
        as one with the mark.
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
  - module: selfhosted.llm.openwebui_model
  - module: selfhosted.llm.openwebui_probe_info
"""

EXAMPLES = r"""
- name: Connect all hosts of a group, also those that are down just now, and drop those that left it
  selfhosted.llm.openwebui_connection:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    connections: "{{ groups['ollama'] | map('regex_replace', '^(.*)$', 'http://\\1:11434') }}"
    exclusive: owned
    allow_empty: true
    verify: false

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

- name: Connect a vLLM server of our own and two cloud services, one of them not yet
  selfhosted.llm.openwebui_connection:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    type: openai
    exclusive: owned
    connections:
      - url: http://gpu3:8000/v1
        auth_type: none
        connection_type: local
        headers:
          X-Person: !unsafe "{{USER_EMAIL}}"
        passthrough_params: [thinking]
      - url: https://api.example.com/v1
        key: "{{ cloud_key }}"
        prefix_id: cloud
        tags: [cloud]
        provider: litellm
        api_type: responses
        forward_cookies: false
      - url: https://example.openai.azure.com
        enable: false
        key: "{{ azure_key }}"
        provider: azure
        api_version: 2024-10-21
        model_ids: [gpt-4o]
"""

RETURN = r"""
connections:
  description:
    - All connections of the type in the server's order, and then those that were removed. Keys are never returned.
  returned: success
  type: list
  elements: dict
  contains:
    index:
      description: The place in the server's list, from 0. V(null) for one that was removed.
      type: int
      sample: 0
    url:
      description: URL of the other server.
      type: str
      sample: http://gpu1:11434
    prefix_id:
      description: What stands before the names of its models. Empty if nothing does.
      type: str
      sample: big
    enable:
      description: Whether the connection is used.
      type: bool
      sample: true
    owned:
      description: Whether it has the mark of this collection, or counts as one with it.
      type: bool
      sample: true
    action:
      description: What was done, V(none), V(added), V(updated) or V(removed). One that only moved has V(none).
      type: str
      sample: added
"""

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connection_kinds import KINDS
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connections import ensure_connections
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import DiscreetModule

WANTED = {
    "connections": {"type": "list", "elements": "raw", "required": True},
    "exclusive": {"type": "str", "choices": ["none", "owned", "all"], "default": "none"},
    "allow_empty": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": True},
}


def main() -> None:
    module = DiscreetModule(
        argument_spec={
            **openwebui_arguments(),
            **WANTED,
            "type": {"type": "str", "choices": list(KINDS), "default": "ollama"},
        },
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    wanted = {name: module.params[name] for name in WANTED}
    kind = KINDS[module.params["type"]]
    try:
        result = ensure_connections(admin_client(module.params), kind, **wanted, check_mode=module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
