#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model
short_description: Keep models in the store of an Ollama server
version_added: 0.1.0
description:
  - Pulls the models that should be there and removes those that should not, a whole list at once.
  - Nothing is pulled, and one request is sent, when everything is as it should be.
  - A name means what it means to the server. V(llama3.2) is V(llama3.2:latest), and upper and lower case are the same.
  - A pull that was interrupted goes on where it was when the task runs again.
author:
  - selfhosted.llm contributors (@selfhosted-llm)
extends_documentation_fragment:
  - selfhosted.llm._ollama
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_ollama
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - One model or a list of models, all with the same O(state) and O(insecure).
      - Exactly one of O(name) and O(models) must be given.
    type: list
    elements: str
  models:
    description:
      - A list of models. An entry is a name, or a dictionary with C(name) and, where they differ from the
        options of the task, C(state) and C(insecure).
      - Exactly one of O(name) and O(models) must be given.
    type: list
    elements: raw
  state:
    description:
      - V(present) pulls a model that is not there. One that is there stays as it is, also when the registry has another
        one by that name.
      - V(absent) removes a model. Data that other models share stays.
      - With O(models) this is the state of the entries that have none of their own.
    type: str
    choices:
      - present
      - absent
    default: present
  insecure:
    description:
      - Pull over plain HTTP, for a registry without TLS. There is no way to use TLS without checking the certificate.
      - With O(models) this holds for the entries that do not say it themselves.
    type: bool
    default: false
  exclusive:
    description:
      - Remove every model of the server that the list does not name.
      - The list may not be empty, nor hold only absent models, unless O(allow_empty=true).
    type: bool
    default: false
  allow_empty:
    description:
      - Permit O(exclusive=true) to remove all models.
    type: bool
    default: false
  stall_timeout:
    description:
      - Seconds without progress after which a pull has failed. Its total duration is not limited.
      - The silence of the server while it verifies a download is no lack of progress.
      - O(timeout) is for all other requests.
    type: float
    default: 60.0
seealso:
  - module: selfhosted.llm.ollama_model_info
"""

EXAMPLES = r"""
- name: Have a model
  selfhosted.llm.ollama_model:
    name: llama3.2:3b

- name: Have several models
  selfhosted.llm.ollama_model:
    name:
      - llama3.2:3b
      - nomic-embed-text

- name: Have a model of a registry in the local network, and not the one from before
  selfhosted.llm.ollama_model:
    models:
      - name: registry.example.com:5000/library/qwen3:8b
        insecure: true
      - name: qwen2.5:7b
        state: absent

- name: Have exactly these models
  selfhosted.llm.ollama_model:
    url: http://gpu1.example.com:11434
    models: "{{ ollama_models }}"
    exclusive: true
  vars:
    ollama_models:
      - llama3.2:3b
      - qwen3:8b

- name: Give up on a slow registry only after five minutes without a byte
  selfhosted.llm.ollama_model:
    name: llama3.3:70b
    stall_timeout: 300
"""

RETURN = r"""
models:
  description:
    - The models of the list in its order, then those that O(exclusive) removes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name as the server lists it.
      type: str
      sample: llama3.2:3b
    digest:
      description:
        - The SHA-256 of the manifest as the server lists it, of a removed model the one that it had.
        - Null for a model that is not there, and in check mode for one that would be pulled.
      type: str
      sample: a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72
    size:
      description: The size of the model in bytes. Null where RV(models[].digest) is.
      type: int
      sample: 2019393189
    action:
      description: What was done, or would be done in check mode.
      type: str
      choices:
        - none
        - pulled
        - removed
      sample: pulled
failure:
  description: Which request failed and how. An HTTP status of 200 stands for an error inside the progress of a pull.
  returned: when the server was not reached or refused
  type: dict
  contains:
    url:
      description: The URL of the request.
      type: str
      sample: http://127.0.0.1:11434/api/pull
    status:
      description: The HTTP status, null without an answer.
      type: int
      sample: 200
    error:
      description: The error in the words of the server.
      type: str
      sample: "http://127.0.0.1:11434 could not pull nosuch:latest: pull model manifest: file does not exist."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import http_client, ollama_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.models import STATES, reconcile, wanted_models
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput

ARGUMENTS = {
    "name": {"type": "list", "elements": "str"},
    "models": {"type": "list", "elements": "raw"},
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
    "insecure": {"type": "bool", "default": False},
    "exclusive": {"type": "bool", "default": False},
    "allow_empty": {"type": "bool", "default": False},
    "stall_timeout": {"type": "float", "default": 60.0},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ollama_arguments(), **ARGUMENTS},
        required_one_of=[("name", "models")],
        mutually_exclusive=[("name", "models")],
        supports_check_mode=True,
    )
    try:
        result = reconcile(
            OllamaClient(http_client(module.params)),
            wanted_models(module.params),
            module.params["exclusive"],
            module.params["stall_timeout"],
            module.check_mode,
        )
    except InvalidInput as exc:
        module.fail_json(msg=str(exc))
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
