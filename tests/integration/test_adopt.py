# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that was configured by hand, and an empty one that gets what was written of it: nothing differs."""

from __future__ import annotations

import contextlib
import copy
import re
import typing as t
from pathlib import Path

import pytest
from webui_server import ADMIN, Server, running

KEY = "sk-of-the-cloud {{ 7 * 7 }}"
SECRETS = {
    "open_webui_secret_connections_0_key": KEY,
    "open_webui_secret_connections_0_headers_x_team": "team secret",
    "open_webui_secret_settings_web_search_kagi_search_api_key": "kagi secret",
}
HOSTILE = "{{ 7 * 7 }} {% raw %} <b>'\"\\ Ünï 你好 🦙: # - |\n  second line\n"
LISTS = ("settings", "connections", "ollama_connections", "default_permissions", "groups", "models", "prompts")


def call(webui: Server, method: str, path: str, body: t.Any = None) -> t.Any:
    status, answer = webui.call(method, path, body)
    assert status == 200, (path, answer)
    return answer


def configure_by_hand(webui: Server, backends: t.Any) -> None:
    """What an admin clicks together."""
    kim = call(webui, "POST", "/api/v1/auths/add", person("kim@example.com", "user"))["id"]
    call(webui, "POST", "/api/v1/auths/add", person("Lee@Example.com", "pending"))
    group = call(webui, "POST", "/api/v1/groups/create", {"name": HOSTILE.partition("\n")[0], "description": HOSTILE})
    permissions = {"workspace": {"models": True, "tools": False}, "chat": {"delete": False}}
    call(webui, "POST", f"/api/v1/groups/id/{group['id']}/update", {**group, "permissions": permissions})
    call(webui, "POST", f"/api/v1/groups/id/{group['id']}/users/add", {"user_ids": [kim]})
    defaults = call(webui, "GET", "/api/v1/users/default/permissions")
    call(webui, "POST", "/api/v1/users/default/permissions", {**defaults, "chat": {**defaults["chat"], "stt": False}})
    ollama = {"ENABLE_OLLAMA_API": True, "OLLAMA_BASE_URLS": [f"{backends.small}/"], "OLLAMA_API_CONFIGS": {}}
    call(webui, "POST", "/ollama/config/update", ollama)
    cloud = {
        "ENABLE_OPENAI_API": True,
        "OPENAI_API_BASE_URLS": [f"{backends.large}/v1"],
        "OPENAI_API_KEYS": [KEY],
        "OPENAI_API_CONFIGS": {"0": {"prefix_id": "cloud", "headers": {"X-Team": "team secret"}, "tags": []}},
    }
    call(webui, "POST", "/openai/config/update", cloud)
    settings = {
        "ui.watermark": "{{ ours }}",
        "ui.default_user_role": "user",
        "ui.enable_signup": True,
        "auth.jwt_expiry": "12h",
        "ui.default_group_id": group["id"],
        "task.title.prompt_template": HOSTILE,
        "web.search.kagi_search_api_key": "kagi secret",
        "ui.banners": [
            {"id": "1", "type": "info", "title": "", "content": HOSTILE, "dismissible": True, "timestamp": 1}
        ],
    }
    known = call(webui, "GET", "/api/v1/configs/export")
    call(webui, "POST", "/api/v1/configs/import", {"config": {key: settings[key] for key in settings if key in known}})
    grants = [
        {"principal_type": "group", "principal_id": group["id"], "permission": "read"},
        {"principal_type": "user", "principal_id": "of nobody any more", "permission": "read"},
    ]
    model = {
        "id": "tutor",
        "name": HOSTILE.partition("\n")[0],
        "base_model_id": "smollm2:135m",
        "params": {"system": HOSTILE, "temperature": 0.5},
        "meta": {"description": "Teaches", "tags": [{"name": "school"}], "capabilities": {"vision": False}},
        "access_grants": grants,
        "is_active": True,
    }
    call(webui, "GET", "/api/models?refresh=true")
    call(webui, "POST", "/api/v1/models/create", model)
    public = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]
    body = {"id": "smollm2:135m", "name": "smollm2:135m", "access_grants": public}
    call(webui, "POST", "/api/v1/models/model/access/update", body)
    prompt = {"command": "/hostile", "name": HOSTILE.partition("\n")[0], "content": HOSTILE, "tags": ["a"]}
    call(webui, "POST", "/api/v1/prompts/create", {**prompt, "access_grants": grants[:1]})


def person(email: str, role: str) -> dict[str, str]:
    return {"email": email, "name": "By hand", "password": "made by hand", "role": role}


def comparable(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """By the definition of equal: no ids, times, chats and passwords; but secrets are."""
    return copy.deepcopy({name: found[name] for name in LISTS})


@pytest.fixture
def servers(tmp_path: Path) -> t.Iterator[list[Server]]:
    """Two of its own, because nobody takes back what is made by hand."""
    with contextlib.ExitStack() as stack:
        started = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            started.append(stack.enter_context(running(tmp_path / name)))
        yield started


def test_nothing_differs(servers: list[Server], backends: t.Any, play: t.Any, playbook: t.Any, tmp_path: Path) -> None:
    webui, second = servers
    configure_by_hand(webui, backends)
    directory = tmp_path / "inventory" / "group_vars" / "open_webui"
    adopt = {
        "include_role": {"name": "selfhosted.llm.open_webui", "tasks_from": "adopt_variables"},
        "vars": {
            "adopt_url": webui.url,
            "adopt_admin_email": ADMIN["email"],
            "adopt_admin_password": ADMIN["password"],
            "adopt_directory": str(directory),
        },
    }
    before = call(webui, "GET", "/api/v1/configs/export")
    output = playbook([adopt], "-vvvv", "--diff", "--check")
    assert output.status == 0 and not directory.exists(), output.text
    output = playbook([adopt], "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert call(webui, "GET", "/api/v1/configs/export") == before
    files = {path.name: path for path in directory.iterdir()}
    assert set(files) == {"open_webui.yml", "open_webui_secrets.yml"}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    text = files["open_webui.yml"].read_text(encoding="utf-8")
    empty = files["open_webui_secrets.yml"].read_text()
    assert sorted(line.partition(":")[0] for line in empty.splitlines()[2:]) == sorted(SECRETS)
    for secret in SECRETS.values():
        assert secret not in text and secret not in output.text
    for expected in ("open_webui_signup: true", "open_webui_signup_role: user", "open_webui_session_lifetime: 12h"):
        assert expected in text
    assert "'of nobody any more'" not in text

    output = playbook([adopt])
    assert output.status == 2 and "adopt_force=true" in " ".join(output.text.split())
    files["open_webui_secrets.yml"].write_text("by hand")
    output = playbook([{**adopt, "vars": {**adopt["vars"], "adopt_force": True}}])
    assert output.status == 0 and files["open_webui_secrets.yml"].read_text() == "by hand"
    assert " changed=0 " in output.text and files["open_webui.yml"].read_text(encoding="utf-8") == text

    apply = [
        *({"include_vars": {"file": str(path)}} for path in files.values()),
        {"include_role": {"name": "selfhosted.llm.open_webui", "tasks_from": "preflight_configuration"}},
        {
            "selfhosted.llm.openwebui_user": {
                "users": "{{ open_webui_users | map('combine', {'password': 'given by hand'}) }}"
            }
        },
        {"include_role": {"name": "selfhosted.llm.open_webui", "tasks_from": "configuration"}},
    ]
    connection = {"url": second.url, "token": second.token}
    block = {
        "block": apply,
        "module_defaults": {"group/selfhosted.llm.openwebui": connection},
        # The server begins with a connection of its own.
        "vars": {"open_webui_connections_exclusive": True},
    }
    files["open_webui_secrets.yml"].write_text(empty)
    asked = len(second.requests())
    output = playbook([block])
    assert output.status == 2, output.text
    missing = r"open_webui_secret_\w+ has no value in open_webui_secrets.yml"
    assert re.search(missing, " ".join(output.text.split())), output.text
    assert len(second.requests()) == asked

    values = [f"{name}: !unsafe '{value}'" for name, value in SECRETS.items()]
    files["open_webui_secrets.yml"].write_text("\n".join(values))
    for changed in (True, False):
        output = playbook([block])
        assert output.status == 0, output.text
        assert (" changed=0 " not in output.text) is changed, output.text

    read = [{"selfhosted.llm.openwebui_info": {"url": server.url, "token": server.token}} for server in (webui, second)]
    first, other = (comparable(result) for result in play(read))
    assert other == first
    for server in (webui, second):
        stored = call(server, "GET", "/openai/config")
        assert stored["OPENAI_API_KEYS"] == [KEY]
        assert stored["OPENAI_API_CONFIGS"]["0"]["headers"] == {"X-Team": "team secret"}
        assert call(server, "GET", "/api/v1/configs/export")["web.search.kagi_search_api_key"] == "kagi secret"
    assert first["models"][1]["system"] == HOSTILE and first["prompts"][0]["content"] == HOSTILE
    assert first["groups"][0]["members"] == ["kim@example.com"]
