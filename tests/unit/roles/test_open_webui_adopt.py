# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role writes of a server that was read, and which files of keys it shares among hosts."""

from __future__ import annotations

import typing as t

import pytest

OWNED = {
    "ui": {"enable_signup": True, "default_user_role": "user"},
    "auth": {"jwt_expiry": "4w", "enable_api_keys": False},
    "webui": {"url": "https://chat.example.com"},
}
FOUND: dict[str, t.Any] = {
    "settings": {"ui.enable_signup": True, "ui.watermark": "{{ ours }}", "web.key": None},
    "default_permissions": {"chat": {"delete": False}},
    "users": [
        {"email": "automation@localhost", "name": "Automation", "role": "admin"},
        {"email": "kim@example.com", "name": "Kim", "role": "user"},
    ],
    "groups": [{"name": "staff"}],
    "connections": [{"url": "https://a/v1", "key": None}],
    "ollama_connections": [{"url": "http://gpu1:11434"}, {"url": "http://gpu2:11434", "prefix_id": "big"}],
    "models": [],
    "prompts": [],
    "secrets": [
        {"place": ["connections", 0, "key"], "name": "connections_0_key"},
        {"place": ["settings", "web.key"], "name": "settings_web_key"},
    ],
}


@pytest.fixture
def adopted(evaluate: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """The value of a variable of the role after a server was read: ``adopted(name, **variables)``."""
    read = {
        "adopt_url": "https://chat.example.com",
        "adopt_directory": "/srv/group_vars/open_webui",
        "__open_webui_adopted_settings": {"settings": OWNED},
        "__open_webui_adopted": FOUND,
        "groups": {},
    }
    return lambda name, **variables: evaluate("open_webui", name, {**read, **variables})


def test_variables_of_a_server(adopted: t.Any) -> None:
    assert adopted("__open_webui_adopted_variables") == {
        "open_webui_model_access": "managed",
        "open_webui_signup": True,
        "open_webui_signup_role": "user",
        "open_webui_session_lifetime": "4w",
        "open_webui_api_keys": False,
        "open_webui_url": "https://chat.example.com",
        "open_webui_settings": {"ui.watermark": "{{ ours }}", "web.key": None},
        "open_webui_default_permissions": {"chat": {"delete": False}},
        "open_webui_users": [
            {"email": "kim@example.com", "name": "Kim", "role": "user", "update_password": "on_create"}
        ],
        "open_webui_groups": [{"name": "staff"}],
        "open_webui_connections": [{"url": "https://a/v1", "key": None}],
        "open_webui_models": [],
        "open_webui_prompts": [],
        "open_webui_ollama_urls": ["http://gpu1:11434", {"url": "http://gpu2:11434", "prefix_id": "big"}],
    }


def test_every_variable_of_a_setting_is_written(adopted: t.Any) -> None:
    owned = adopted("__open_webui_adopted_settings_owned")
    assert sorted(owned) == sorted(adopted("__open_webui_settings_variables").values())


def test_a_role_that_is_no_option_is_left_to_its_setting(adopted: t.Any) -> None:
    settings = {"settings": {**OWNED, "ui": {"enable_signup": False, "default_user_role": "admin"}}}
    assert "open_webui_signup_role" not in adopted(
        "__open_webui_adopted_variables", __open_webui_adopted_settings=settings
    )


def test_the_hosts_of_the_inventory_are_not_listed_again(adopted: t.Any) -> None:
    hosts = {"gpu1": {"ansible_host": "10.0.0.1"}, "gpu2": {}}
    urls = ["http://10.0.0.1:11434", "http://gpu2:11434"]
    variables = adopted(
        "__open_webui_adopted_variables",
        groups={"ollama": list(hosts)},
        hostvars=hosts,
        __open_webui_adopted={**FOUND, "ollama_connections": [{"url": url} for url in urls]},
    )
    assert "open_webui_ollama_urls" not in variables


def test_secrets_are_named(adopted: t.Any) -> None:
    references = adopted("__open_webui_adopted_references")
    assert references == [
        {"place": ["open_webui_connections", 0, "key"], "name": "open_webui_secret_connections_0_key"},
        {"place": ["open_webui_settings", "web.key"], "name": "open_webui_secret_settings_web_key"},
    ]
    lines = adopted("__open_webui_adopted_secrets_text").splitlines()
    assert lines[0] == "---"
    for reference, line in zip(references, lines[2:]):
        hint = f"{reference['name']} has no value in open_webui_secrets.yml"
        assert line == f"{reference['name']}: \"{{{{ undef(hint='{hint}') }}}}\""


def test_hosts_that_share_a_file_for_keys(adopted: t.Any) -> None:
    hosts = {
        "web2": {"service_account_file": "/srv/keys/ci"},
        "web3": {"service_account_file": "/srv/keys/ci-web3"},
        "web4": {},
    }
    settings = {"service_account_file": "/srv/keys/ci", "groups": {"open_webui": ["localhost", *hosts]}}
    assert adopted("__open_webui_key_sharers", hostvars=hosts, **settings) == ["web2"]
