# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection.

from __future__ import annotations


class ModuleDocFragment:
    """The options of a model that the server builds; ``module_utils/_ollama/wanted.py`` holds the same."""

    DOCUMENTATION = r"""
options:
  from:
    description:
      - Build the model from this one, which is pulled when it is not there.
      - With nothing else the model is a second name of the other one, with the same digest.
      - What is not given is taken over from the base, and an empty text as well.
    type: str
  files:
    description:
      - Build the model from these GGUF files, absolute paths on the host that runs the module.
      - The server stores other bytes than those of the files. So a record on that host, below
        C(~/.local/state/selfhosted-llm), says which files a model was made from. Without the record the model is built
        again, which is a change only when it brings another digest, and check mode cannot know that.
    type: list
    elements: path
  modelfile:
    description:
      - Build the model as this text of a Modelfile says. It excludes the other options of a build but O(quantize).
      - C(FROM) with a name is O(from), with an absolute path O(files). C(ADAPTER) wants an absolute path.
      - Take the text from a file with a lookup, as in the examples. Written into a playbook, the braces of a template
        are Jinja unless the text is marked with C(!unsafe).
    type: str
  template:
    description:
      - The Go template of the prompt.
      - Mark it with C(!unsafe) in a playbook or inventory, or read it with a lookup, as its braces are Jinja otherwise.
    type: str
  system:
    description:
      - The system message.
    type: str
  parameters:
    description:
      - Parameters such as C(temperature) or C(num_ctx) by name. A C(stop) may be a list.
      - Those of the base stay unless they are given. One that is taken out here is gone on the server as well.
    type: dict
  messages:
    description:
      - A conversation that precedes every other.
    type: list
    elements: dict
    suboptions:
      role:
        description:
          - Who says it.
        type: str
        choices:
          - system
          - user
          - assistant
          - tool
        required: true
      content:
        description:
          - What is said.
        type: str
        required: true
  license:
    description:
      - Licenses that are added to those of the base.
    type: list
    elements: str
  adapters:
    description:
      - LoRA adapters, GGUF files with absolute paths on the host that runs the module.
    type: list
    elements: path
  quantize:
    description:
      - Quantize the weights to one of the types V(q4_K_M), V(q4_K_S), V(q8_0), V(f16), V(bf16) and V(f32). The server
        takes F16 and BF16 weights only.
    type: str
"""
