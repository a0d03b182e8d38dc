# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What strangers and an ordinary user of a server really get. Reads, and asks models; never writes or registers."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, Response, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI

PRIVATE_PATHS = (
    "/api/models",
    "/api/v1/chats/",
    "/api/v1/users/",
    "/api/v1/files/",
    "/api/v1/configs/export",
    "/ollama/config",
    "/ollama/api/tags",
)
# Enough for a sentence; a model that would talk on keeps others waiting.
LONGEST_REPLY = 64


def probe(client: OpenWebUI, backends: list[int], models: list[str], prompt: str) -> dict[str, t.Any]:
    """What a stranger gets, and what the client's account gets if it has one.

    :arg client: signs in as an ordinary user, or has no address
    :arg backends: places in the server's list of Ollama connections; each is asked for a chat
    :arg models: by their ids as users see them; each is asked for a chat
    """
    stranger = OpenWebUI(client.http)
    settings = stranger.get("/api/config", needs=("features",))
    features = settings["features"]
    onboarding = settings.get("onboarding", False)
    result = {
        "changed": False,
        "version": stranger.get("/api/version", needs=("version",))["version"],
        "onboarding": onboarding,
        # The first visitor of a server without accounts becomes its administrator, whatever the switch says.
        "signup_open": onboarding or bool(features.get("enable_signup") and features.get("enable_login_form", True)),
        "anonymous": [_as_stranger(stranger, path) for path in PRIVATE_PATHS],
        "user": None,
        "models": [],
        "without_tools": [],
        "chats": [],
    }
    if client.email:
        result.update(_as_user(client, backends, models, prompt))
    return result


def _as_stranger(stranger: OpenWebUI, path: str) -> dict[str, t.Any]:
    status = stranger.http.request("GET", path).status
    return {"path": path, "status": status, "refused": status in (401, 403)}


def _as_user(client: OpenWebUI, backends: list[int], models: list[str], prompt: str) -> dict[str, t.Any]:
    answer = client.sign_in(client.email, client.password)
    client.http.token = answer["token"]
    visible = client.get("/api/models", needs=("data",))["data"]
    # Only administrators may ask for the list of one backend; this one says for each model which backends have it.
    served = client.get("/ollama/api/tags", needs=("models",))["models"] if backends else []
    return {
        "user": {"email": answer["email"], "role": answer["role"]},
        "models": sorted(model["id"] for model in visible),
        "without_tools": sorted(_without_tools(visible)),
        "chats": [
            *(_chat(client, index, served, prompt) for index in backends),
            *(_chat_with(client, model, prompt) for model in models),
        ],
    }


def _without_tools(visible: list[dict[str, t.Any]]) -> t.Iterator[str]:
    """Models that cannot use tools, and to which the page of Open WebUI 0.12 sends some with each message."""
    able = {model["id"]: (model.get("ollama") or {}).get("capabilities") or [] for model in visible}
    for model in visible:
        info = model.get("info") or {}
        switches = (info.get("meta") or {}).get("capabilities") or {}
        base = able.get(info.get("base_model_id") or model["id"], [])
        if "completion" in base and "tools" not in base and switches.get("builtin_tools", True):
            yield model["id"]


def _chat_with(client: OpenWebUI, model: str, prompt: str) -> dict[str, t.Any]:
    """A chat as the interface has it: through what the workspace adds to a model."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": False,
        "max_tokens": LONGEST_REPLY,
    }
    row: dict[str, t.Any] = {"index": None, "model": model, "reply": None, "error": None}
    try:
        answer = client.post("/api/chat/completions", body)
        row["reply"] = answer["choices"][0]["message"]["content"].strip()
    except ServiceError as exc:
        row["error"] = exc.message
    except (KeyError, IndexError, TypeError, AttributeError):
        row["error"] = f"{model} of {client.http.base_url} answered without a message."
    return row


def _chat(client: OpenWebUI, index: int, served: list[dict[str, t.Any]], prompt: str) -> dict[str, t.Any]:
    row: dict[str, t.Any] = {"index": index, "model": None, "reply": None, "error": None}
    # A model with a remote host is answered elsewhere, and proves nothing about this backend.
    models = [model for model in served if index in model.get("urls", []) and not model.get("remote_host")]
    if not models:
        row["error"] = (
            f"Backend {index} of {client.http.base_url} has no model for {client.email}: it is not there, down, "
            "switched off or empty, or none of its models is open to this user."
        )
    for model in sorted(models, key=lambda model: (model.get("size", 0), model["model"])):
        row["model"] = model["model"]
        try:
            row["reply"] = _ask(client, index, model["model"], prompt)
            row["error"] = None
            break
        except ServiceError as exc:
            row["error"] = exc.message
            if "does not support chat" not in exc.message:
                break
    return row


def _ask(client: OpenWebUI, index: int, model: str, prompt: str) -> str:
    path = f"/ollama/api/chat/{index}"
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        "options": {"num_predict": LONGEST_REPLY},
    }
    said = {"content": "", "thinking": ""}
    error = "the answer ended in the middle"
    # Streamed, so that the timeout means silence and not the length of the answer.
    with client.http.stream("POST", path, body) as answer:
        for line in client.checked("POST", answer) if isinstance(answer, Response) else answer:
            if "error" in line:
                error = line["error"]
                break
            for key in said:
                said[key] += line.get("message", {}).get(key) or ""
            if line.get("done"):
                return (said["content"] or said["thinking"]).strip()
    raise ApiError(f"{model} on backend {index} of {client.http.base_url} failed: {error}.", client.http.url(path))
