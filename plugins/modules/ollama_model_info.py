#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model_info
short_description: Tell the version of an Ollama server and the models in its store
version_added: 0.1.0
description:
  - Lists the models with their digests, sizes and properties.
author:
  - selfhosted.llm contributors (@selfhosted-llm)
extends_documentation_fragment:
  - selfhosted.llm._ollama
  - selfhosted.llm._attributes.info
  - selfhosted.llm._attributes.action_group_ollama
options:
  name:
    description:
      - Only these models. One that the server does not have is left out of the result.
      - A name means what it means to the server. V(llama3.2) is V(llama3.2:latest), and upper and lower case are the
        same.
    type: list
    elements: str
seealso:
  - module: selfhosted.llm.ollama_model
"""

EXAMPLES = r"""
- name: See what the server holds
  selfhosted.llm.ollama_model_info:
  register: ollama

- name: Show the names of its models
  ansible.builtin.debug:
    msg: "Ollama {{ ollama.version }} has {{ ollama.models | map(attribute='name') | join(', ') }}"

- name: See whether a server elsewhere holds a model
  selfhosted.llm.ollama_model_info:
    url: http://gpu1.example.com:11434
    name: llama3.2:3b
"""

RETURN = r"""
version:
  description: The version of the server.
  returned: success
  type: str
  sample: 0.32.15
models:
  description: The models, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name, always with a tag.
      type: str
      sample: llama3.2:3b
    digest:
      description: The SHA-256 of the manifest, in hexadecimal digits without a prefix.
      type: str
      sample: a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72
    size:
      description: The sum of the sizes of its files in bytes.
      type: int
      sample: 2019393189
    modified_at:
      description: When the manifest was last written. Every pull writes it, also one that brings nothing new.
      type: str
      sample: "2026-08-20T10:00:00.1Z"
    family:
      description: The architecture of the model.
      type: str
      sample: llama
    parameter_size:
      description: The number of parameters, for human eyes.
      type: str
      sample: 3.2B
    quantization:
      description: The quantization of the weights.
      type: str
      sample: Q4_K_M
    capabilities:
      description: What the model can do. Null when the server does not say, as before version 0.30.
      type: list
      elements: str
      sample:
        - completion
        - tools
failure:
  description: Which request failed and how.
  returned: when the server was not reached or refused
  type: dict
  contains:
    url:
      description: The URL of the request.
      type: str
      sample: http://127.0.0.1:11434/api/version
    status:
      description: The HTTP status, null without an answer.
      type: int
      sample: null
    error:
      description: The error in the words of the server or of the system.
      type: str
      sample: "GET http://127.0.0.1:11434/api/version failed: [Errno 111] Connection refused."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import http_client, ollama_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.info import describe
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ollama_arguments(), "name": {"type": "list", "elements": "str"}},
        supports_check_mode=True,
    )
    try:
        result = describe(OllamaClient(http_client(module.params)), module.params["name"])
    except InvalidInput as exc:
        module.fail_json(msg=str(exc))
    except ServiceError as exc:
        module.fail_json(**exc.result())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
