# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection.

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of every ``ollama_*`` module; ``module_utils/_arguments.py`` holds the same."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Where the host that runs the module reaches the Ollama server.
      - The environment variable E(OLLAMA_URL) is used when the option is not set.
    type: str
    default: http://127.0.0.1:11434
  token:
    description:
      - A Bearer token for a proxy before the server. Ollama itself knows no authentication.
      - The environment variable E(OLLAMA_TOKEN) is used when the option is not set.
    type: str
  headers:
    description:
      - Headers that are sent with every request, for a proxy before the server.
    type: dict
  validate_certs:
    description:
      - Whether to check the certificate of the server or proxy.
    type: bool
    default: true
  ca_path:
    description:
      - A file with CA certificates to trust beside those of the system, on the host that runs the module.
    type: path
  timeout:
    description:
      - Seconds of silence after which a request has failed, at most a day. The total duration is not limited.
    type: float
    default: 30.0
"""
