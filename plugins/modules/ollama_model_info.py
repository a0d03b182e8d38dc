#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model_info
short_description: Tell what an Ollama server holds and runs, and what its registries have
version_added: 0.1.0
description:
  - Lists the models in the store with their digests, sizes and properties, and the models in memory.
  - With O(check_remote) it also tells what O(selfhosted.llm.ollama_model#module:state=latest) would bring.
author:
  - selfhosted.llm contributors (@selfhosted-llm)
extends_documentation_fragment:
  - selfhosted.llm._ollama
  - selfhosted.llm._ollama_registry
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
  check_remote:
    description:
      - Whether to ask the registries of the models for their manifests. This host asks them, not the server.
      - A registry gets the names of its models and no credentials. A model that was made on the server has no host in
        its name, so that the public registry is asked for it; O(name) limits the question to others.
      - A registry that cannot be asked is no failure. It is told in RV(models[].remote.error) and in a warning.
    type: bool
    default: false
  insecure:
    description:
      - Whether to ask registries by plain HTTP, as those in a local network may need it. The public registry of
        Ollama is always asked by HTTPS.
    type: bool
    default: false
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

- name: See what a server behind a proxy with a token holds
  selfhosted.llm.ollama_model_info:
    url: https://ollama.example.com
    token: "{{ ollama_token }}"
    ca_path: /etc/ssl/private-ca.pem

- name: See what a server behind a proxy with a key and a certificate of its own holds
  selfhosted.llm.ollama_model_info:
    url: https://ollama.example.com
    headers:
      X-Api-Key: "{{ ollama_key }}"
    validate_certs: false

- name: See what an update would bring
  selfhosted.llm.ollama_model_info:
    check_remote: true
  register: ollama

- name: Show how much an update would fetch
  ansible.builtin.debug:
    msg: "{{ ollama.models | map(attribute='remote.missing') | select('number') | sum }} bytes"

- name: Ask a registry of plain HTTP in the local network
  selfhosted.llm.ollama_model_info:
    name: mirror.example.com:5000/library/llama3.2
    check_remote: true
    insecure: true

- name: Ask a registry whose certificate a private CA signed
  selfhosted.llm.ollama_model_info:
    name: registry.example.com/team/assistant
    check_remote: true
    registry_ca_path: /etc/ssl/private-ca.pem
    timeout: 10

- name: Refuse to go on while old weights are in memory
  ansible.builtin.assert:
    that: ollama.running | selectattr('outdated') | length == 0
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
    remote:
      description: What the registry has of the model.
      returned: when O(check_remote) is true
      type: dict
      contains:
        digest:
          description: The SHA-256 of the manifest there. Null when it is not known.
          type: str
          sample: a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72
        size:
          description: The sum of the sizes of its files in bytes. Null when it is not known.
          type: int
          sample: 2019393189
        missing:
          description:
            - The bytes of these files that the server does not have and would fetch. Null when it is not known.
            - A file that several models need counts with each of them.
          type: int
          sample: 0
        action:
          description:
            - What an update would do, V(none) or V(updated). Null when it is not known.
            - It is V(none) for a manifest that is written differently and means the same files, too.
          type: str
          sample: none
        error:
          description: Why the registry told nothing. Null when it did.
          type: str
          sample: null
running:
  description:
    - The models in memory, sorted by name. One name can be there twice, with its old and its new weights.
    - Of models that have the same weights the server lists only the one that loaded them.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name, always with a tag.
      type: str
      sample: llama3.2:3b
    digest:
      description: The SHA-256 of the manifest from which the model was loaded.
      type: str
      sample: a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72
    size:
      description: The memory that it takes in bytes.
      type: int
      sample: 3377987584
    size_vram:
      description: How much of that is in the memory of GPUs, in bytes.
      type: int
      sample: 3377987584
    context_length:
      description: The number of tokens that its context holds.
      type: int
      sample: 4096
    expires_at:
      description: When the server drops it if nobody asks. Centuries away when it is to stay.
      type: str
      sample: "2026-08-20T10:05:00.1Z"
    outdated:
      description:
        - Whether it was loaded from another manifest than the one in the store, or is not in the store any more.
        - Mostly it is the old weights then, which stay until they are unloaded. When only the template or the
          parameters have changed, the server uses the new ones with the weights in memory, and this is true as well
          until the next load.
      type: bool
      sample: false
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

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import (
    http_client,
    ollama_arguments,
    registry_arguments,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.info import describe
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Registry
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import check_transport


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ollama_arguments(),
            **registry_arguments(),
            "name": {"type": "list", "elements": "str"},
            "check_remote": {"type": "bool", "default": False},
            "insecure": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    registry = Registry(params["registry_ca_path"], params["timeout"]) if params["check_remote"] else None
    try:
        check_transport(params)
        result = describe(OllamaClient(http_client(params)), params["name"], registry, params["insecure"])
    except InvalidInput as exc:
        module.fail_json(msg=str(exc))
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
