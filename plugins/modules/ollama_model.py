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
  - Pulls the models that should be there, builds custom ones and removes those that should go, a whole list at once.
  - Nothing is pulled, and one request is sent, when everything is as it should be. O(state=latest) adds one request to
    the registry and one to the server for each model.
  - A name means what it means to the server. V(llama3.2) is V(llama3.2:latest), and upper and lower case are the same.
  - A pull that broke off is taken up again where it was, in the same task and when the task runs again.
  - One model that fails does not stop the others. The task then fails with the outcome of each.
  - A model that is in memory while it is replaced or removed leaves no old runner behind.
author:
  - selfhosted.llm contributors (@selfhosted-llm)
extends_documentation_fragment:
  - selfhosted.llm._ollama
  - selfhosted.llm._ollama_registry
  - selfhosted.llm._ollama_build
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
      - One model or a list of models, all with the same options.
      - Exactly one of O(name) and O(models) must be given.
    type: list
    elements: str
  models:
    description:
      - A list of models. An entry is a name, or a dictionary with C(name) and any of O(state), O(insecure), O(digest)
        and the options of a build, such as O(from) and O(files).
      - An entry without O(state) or O(insecure) has those of the task.
      - Exactly one of O(name) and O(models) must be given.
    type: list
    elements: raw
  state:
    description:
      - V(present) pulls or builds a model that is not there. A pulled one that is there stays as it is, also when the
        registry has another one by that name. A built one is built again when it differs from what the options say.
      - V(latest) pulls a model as well when the registry has another content by that name. For a built one this is said
        of its base.
      - V(absent) removes a model. Data that other models share stays. Other options of the model are not looked at.
    type: str
    choices:
      - present
      - latest
      - absent
    default: present
  insecure:
    description:
      - Pull over plain HTTP, for a registry without TLS. There is no way to use TLS without checking the certificate.
    type: bool
    default: false
  digest:
    description:
      - The SHA-256 of the manifest that the model must have, 64 hexadecimal digits, as RV(models[].digest) shows it.
      - An installed model with another one is pulled. A pull that brings another one fails and leaves what was there.
    type: str
  exclusive:
    description:
      - Remove every model of the server that is neither listed, nor the base of a listed one, nor in O(keep).
      - Nothing is removed when a listed model fails.
      - The list may not be empty, nor hold only absent models, unless O(allow_empty=true).
    type: bool
    default: false
  keep:
    description:
      - Models that O(exclusive) leaves alone. They need not be there.
    type: list
    elements: str
    default: []
  allow_empty:
    description:
      - Permit O(exclusive=true) to remove all models.
    type: bool
    default: false
  check_blobs:
    description:
      - Look whether the files of installed models are still there, and pull or build again a model that misses some.
        The server itself goes on listing a model whose weights are gone.
      - One more request for each model. With O(models_dir) this costs no request, finds files of a wrong size as well
        and is always done.
    type: bool
    default: false
  models_dir:
    description:
      - The directory in which the server keeps its models, where the host that runs the module can reach it.
      - With it, free space is checked before a pull, and files that a stopped server has left unusable are removed.
        Without it, an error names them.
    type: path
  stall_timeout:
    description:
      - Seconds without progress after which a pull is taken up again, at most a day. Its total duration is not limited.
      - The server itself does that after 30 seconds, and throws away what the lost connection has brought.
      - The silence of the server while it verifies a download is no lack of progress.
      - O(timeout) is for all other requests.
    type: float
    default: 20.0
  retries:
    description:
      - How often in a row a pull that broke off is taken up again without a new byte. Only errors that may pass count.
    type: int
    default: 5
  on_registry_error:
    description:
      - What O(state=latest) does about an installed model when the registry cannot be asked. V(fail) fails, V(keep)
        keeps the model and warns.
    type: str
    choices:
      - fail
      - keep
    default: fail
notes:
  - The host that runs the module asks registries itself, for O(state=latest), and for the size of what is to be pulled.
    It sends them neither O(token) nor O(headers), and uses the proxies of its own environment. Where it cannot reach
    the registry, a missing model is pulled all the same, with a warning. Check mode fails when the registry says that
    it has no such model.
  - One run at a time changes the models of a server, as far as the runs come from the same user of the same host.
  - The progress of long work is shown on stderr, a line in ten seconds at most for each host. An asynchronous task
    shows none, nor does one with C(no_log).
seealso:
  - module: selfhosted.llm.ollama_model_info
"""

EXAMPLES = r"""
- name: Have a model
  selfhosted.llm.ollama_model:
    name: llama3.2:3b

- name: Have several models as the registry has them now
  selfhosted.llm.ollama_model:
    name:
      - llama3.2:3b
      - nomic-embed-text
    state: latest
    on_registry_error: keep

- name: Have a model of a registry in the local network, and not the one from before
  selfhosted.llm.ollama_model:
    models:
      - name: registry.example.com:5000/library/qwen3:8b
        insecure: true
      - name: qwen2.5:7b
        state: absent

- name: Have exactly these models, and leave alone the one that somebody else manages
  selfhosted.llm.ollama_model:
    url: http://gpu1.example.com:11434
    models: "{{ ollama_models }}"
    exclusive: true
    keep:
      - nomic-embed-text
  vars:
    ollama_models:
      - llama3.2:3b
      - qwen3:8b

- name: Remove all models
  selfhosted.llm.ollama_model:
    models: []
    exclusive: true
    allow_empty: true

- name: Have a model whose content is pinned
  selfhosted.llm.ollama_model:
    name: llama3.2:3b
    digest: "{{ llama_digest }}"

- name: Have a registry with a private CA, a server behind a proxy with a token, and little patience
  selfhosted.llm.ollama_model:
    url: https://gpu1.example.com
    token: "{{ proxy_token }}"
    headers:
      X-Team: research
    ca_path: /etc/ssl/certs/private-ca.pem
    validate_certs: true
    timeout: 60
    registry_ca_path: /etc/ssl/certs/private-ca.pem
    name: registry.example.com/library/qwen3:8b
    stall_timeout: 10
    retries: 20

- name: Mend models whose files were lost
  selfhosted.llm.ollama_model:
    name: llama3.2:3b
    check_blobs: true
    models_dir: /var/lib/docker/volumes/ollama/_data/models

- name: Have a custom model
  selfhosted.llm.ollama_model:
    name: helpdesk
    from: llama3.2:3b
    system: You are a patient member of the help desk.
    template: !unsafe "{{ .System }} {{ .Prompt }}"
    parameters:
      temperature: 0.3
      num_ctx: 8192
      stop:
        - "###"
    messages:
      - role: user
        content: Hello
      - role: assistant
        content: Hello, how can I help?
    license:
      - For internal use.

- name: Have a model as its Modelfile says
  selfhosted.llm.ollama_model:
    name: reviewer
    modelfile: "{{ lookup('ansible.builtin.file', 'reviewer.Modelfile') }}"

- name: Have models from files on the host, one quantized, one with an adapter
  selfhosted.llm.ollama_model:
    models:
      - name: ours:q8
        files:
          - /srv/models/ours-f16.gguf
        quantize: q8_0
      - name: ours:support
        files:
          - /srv/models/ours-f16.gguf
        adapters:
          - /srv/models/support-lora.gguf
"""

RETURN = r"""
models:
  description:
    - The models of the list in its order, then the bases that no entry names, then those that O(exclusive) removes.
  returned: always, unless the server could not be asked for its models
  type: list
  elements: dict
  contains:
    name:
      description: The name as the server lists it.
      type: str
      sample: llama3.2:3b
    action:
      description: What was done, or would be done in check mode.
      type: str
      choices:
        - none
        - pulled
        - updated
        - created
        - copied
        - removed
        - failed
      sample: updated
    before:
      description: The digest that the model had, null for one that was not there.
      type: str
      sample: 633fc5be925f9a484b61d6f9b9a78021eeb462100bd557309f01ba84cac26adf
    digest:
      description:
        - The SHA-256 of the manifest as the server lists it, in hexadecimal digits without a prefix.
        - Null for a model that is not there, and in check mode for one whose digest cannot be known before.
      type: str
      sample: a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72
    size:
      description: The size of the model in bytes. Null where RV(models[].digest) is.
      type: int
      sample: 2019393189
    bytes_transferred:
      description:
        - The bytes of the files that the store lacked, which came from the registry, or for a built model from the
          host. In check mode those that would come from the registry. Null when that cannot be known, and for a model
          that failed.
        - What an interrupted pull has brought before is subtracted with O(models_dir) only.
      type: int
      sample: 2019377376
    duration:
      description: How long the model took, in seconds.
      type: float
      sample: 41.7
    error:
      description: Why the model failed, null for one that did not.
      type: str
      sample: null
failure:
  description:
    - Which request failed and how, of the first model that failed. An HTTP status of 200 stands for an error inside the
      progress of a pull.
  returned: when a request failed
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

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import (
    http_client,
    ollama_arguments,
    registry_arguments,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.models import reconcile
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.progress import ControllerGone
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import ONE

ARGUMENTS = {
    "name": {"type": "list", "elements": "str"},
    "models": {"type": "list", "elements": "raw"},
    **ONE,
    "exclusive": {"type": "bool", "default": False},
    "keep": {"type": "list", "elements": "str", "default": []},
    "allow_empty": {"type": "bool", "default": False},
    "check_blobs": {"type": "bool", "default": False},
    "models_dir": {"type": "path"},
    "stall_timeout": {"type": "float", "default": 20.0},
    "retries": {"type": "int", "default": 5},
    "on_registry_error": {"type": "str", "choices": ["fail", "keep"], "default": "fail"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ollama_arguments(), **registry_arguments(), **ARGUMENTS},
        required_one_of=[("name", "models")],
        mutually_exclusive=[("name", "models")],
        supports_check_mode=True,
    )
    try:
        result = reconcile(OllamaClient(http_client(module.params)), module.params, module.check_mode)
    except (InvalidInput, ControllerGone) as exc:
        module.fail_json(msg=str(exc))
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings"):
        module.warn(warning)
    if "failure" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
