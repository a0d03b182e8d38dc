# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Argument specifications shared by the modules of a service. ``doc_fragments`` of the same names mirror them."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.selfhosted.llm.plugins.module_utils._http import HttpClient

# Modules that act as an administrator of Open WebUI accept either of the two ways to sign in, and both together.
OPENWEBUI_SIGN_IN: dict[str, t.Any] = {
    "required_one_of": [("token", "admin_email")],
    "required_together": [("admin_email", "admin_password")],
}


def _transport() -> dict[str, t.Any]:
    return {
        "headers": {"type": "dict", "no_log": True},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "timeout": {"type": "float", "default": 30.0},
    }


def _token(service: str) -> dict[str, t.Any]:
    return {"token": {"type": "str", "no_log": True, "fallback": (env_fallback, [f"{service}_TOKEN"])}}


def ollama_arguments() -> dict[str, t.Any]:
    """The connection options of every ``ollama_*`` module."""
    return {
        "url": {
            "type": "str",
            "default": "http://127.0.0.1:11434",
            "fallback": (env_fallback, ["OLLAMA_URL"]),
        },
        **_token("OLLAMA"),
        **_transport(),
    }


def registry_arguments() -> dict[str, t.Any]:
    """The options of the ``ollama_*`` modules that ask registries themselves."""
    return {"registry_ca_path": {"type": "path"}}


def openwebui_transport_arguments() -> dict[str, t.Any]:
    """The options of every ``openwebui_*`` module that say where the server is."""
    return {
        "url": {"type": "str", "required": True, "fallback": (env_fallback, ["OPENWEBUI_URL"])},
        **_transport(),
    }


def openwebui_arguments() -> dict[str, t.Any]:
    """The connection options of ``openwebui_*`` modules that act as an administrator; with ``OPENWEBUI_SIGN_IN``."""
    return {
        **openwebui_transport_arguments(),
        "admin_email": {"type": "str", "fallback": (env_fallback, ["OPENWEBUI_ADMIN_EMAIL"])},
        "admin_password": {
            "type": "str",
            "no_log": True,
            "fallback": (env_fallback, ["OPENWEBUI_ADMIN_PASSWORD"]),
        },
        **_token("OPENWEBUI"),
    }


def http_client(params: dict[str, t.Any]) -> HttpClient:
    """The transport that a module's connection options describe."""
    return HttpClient(
        params["url"],
        headers=params["headers"],
        token=params.get("token"),
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        timeout=params["timeout"],
    )
