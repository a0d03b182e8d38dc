# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection.

from __future__ import annotations


class ModuleDocFragment:
    """How the ``ollama_*`` modules reach the registries that models come from."""

    DOCUMENTATION = r"""
options:
  registry_ca_path:
    description:
      - A file with CA certificates to trust beside those of the system when a registry is asked, on the host that runs
        the module.
      - The Ollama server pulls by itself and needs the certificate of a private CA in its own system.
    type: path
"""
