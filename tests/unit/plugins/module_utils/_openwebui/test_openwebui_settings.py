# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of settings: nesting, types and secrets."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings import SECTIONS, SETTINGS, digest
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_values import (
    fits,
    flattened,
    hidden,
    nested,
    secrets,
    types_of,
    without_secrets,
)

KNOWN = ["a", "b.c", "b.d.e", "b.d.f"]


@pytest.mark.parametrize(
    ("settings", "flat"),
    [
        ({"a": 1, "b.c": 2}, [("a", 1), ("b.c", 2)]),
        ({"b": {"c": 2, "d": {"e": 3, "f": 4}}}, [("b.c", 2), ("b.d.e", 3), ("b.d.f", 4)]),
        ({"b": {"d.e": 3}, "b.d": {"f": 4}}, [("b.d.e", 3), ("b.d.f", 4)]),
        # The value of a known name is its value, whatever that is.
        ({"b": {"c": {"c": 1}, "d": {"e": {}}}}, [("b.c", {"c": 1}), ("b.d.e", {})]),
        # What does not lead to a known name is not looked into.
        ({"x": {"c": 1}, "b": {"x": {"y": 1}, "d": None}}, [("x", {"c": 1}), ("b.x", {"y": 1}), ("b.d", None)]),
        ({"b": {}}, []),
        ({"b": {"c": 1}, "b.c": 2}, [("b.c", 1), ("b.c", 2)]),
    ],
)
def test_nesting_ends_at_a_known_name(settings, flat):
    assert flattened(settings, KNOWN) == flat


def test_nested_is_the_way_back():
    flat = {"b.d.f": {"x.y": 1}, "a": [], "b.c": None, "b.d.e": 3}
    assert nested(flat) == {"a": [], "b": {"c": None, "d": {"e": 3, "f": {"x.y": 1}}}}
    assert dict(flattened(nested(flat), KNOWN)) == flat


def test_every_name_of_the_table_can_be_nested():
    assert not set(SETTINGS) & SECTIONS
    everything = {name: setting.default for name, setting in SETTINGS.items()}
    assert dict(flattened(nested(everything), SETTINGS)) == everything


@pytest.mark.parametrize(
    ("name", "current", "good", "bad"),
    [
        ("ui.enable_signup", False, [True], [0, "yes", None, []]),
        ("rag.top_k", 3, [5], [5.5, "5", None, True]),
        ("rag.hybrid_bm25_weight", 0.5, [1, 0.25], ["0.5", None, True]),
        ("rag.file.max_size", None, [5, None], ["5", 5.5]),
        # An empty text is how the admin panel stores no limit.
        ("folders.max_file_count", "", [5, ""], [[], 5.5]),
        ("ui.default_locale", "", ["de-DE", None], [5, {}]),
        ("ui.default_models", None, ["a,b", None], [["a", "b"]]),
        ("ui.banners", [], [[{}], None], [{}, "x"]),
        ("models.default_params", {}, [{"a": 1}, None], [[]]),
        ("oauth.group_default_share", True, [False, "members"], [5]),
        # Of what the table does not know, the present value tells.
        ("new.number", 5, [6, 6.5], ["6", None]),
        ("new.text", "a", ["b", None], [1]),
        ("new.unset", None, [1, "a", [], None, True], []),
        # The running program may be of another version than the table.
        ("ui.banners", {}, [{}, []], ["x"]),
    ],
)
def test_types(name, current, good, bad):
    types = types_of(name, current)
    assert [value for value in good if not fits(value, types)] == []
    assert [value for value in bad if fits(value, types)] == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"openai.api_keys": ["a", "b", ""]}, ["a", "b"]),
        ({"openai": {"api_keys": ["a"], "api_base_urls": ["b"]}}, ["a"]),
        ({"ldap": {"server": {"app_password": "p", "app_dn": "cn=x"}}}, ["p"]),
        ({"tool_server.connections": [{"url": "u", "key": "k", "headers": {"X-Any": "h"}}]}, ["k", "h"]),
        ({"image_generation": {"automatic1111": {"api_auth": "user:p"}}}, ["user:p"]),
        ({"rag.external_document_loader_headers": {"X-Any": "h"}}, ["h"]),
        ({"rag.youtube_loader_proxy_url": "http://u:p@proxy:3128"}, ["http://u:p@proxy:3128"]),
        ({"rag.youtube_loader_proxy_url": "http://proxy:3128"}, []),
        # The names sound like secrets, and are none.
        ({"auth": {"api_key": {"allowed_endpoints": "/api/v1/configs"}, "enable_api_keys": True}}, []),
        ({"rag.tokenizer_model": "m", "rag": {"tiktoken_encoding_name": "cl100k_base"}}, []),
        ({"chat.context_compaction.token_cap": 5}, []),
        # What the table does not know goes by its name.
        ({"new": {"api_key": "k", "name": "n"}, "new.secret": {"any": {"name": "s"}}}, ["k", "s"]),
    ],
)
def test_secrets(settings, found):
    assert [text for _path, text in secrets(settings)] == found


def test_secrets_are_hidden_where_they_are():
    servers = [{"url": "http://a", "key": "k"}, {"url": "http://b", "key": ""}]
    assert hidden("tool_server.connections", servers) == [{"url": "http://a", "key": "(hidden)"}, servers[1]]
    assert hidden("web.search.kagi_search_api_key", "k") == "(hidden)"
    assert hidden("web.search.kagi_search_api_key", "") == ""
    assert servers[0]["key"] == "k"


@pytest.mark.parametrize(
    ("name", "value", "rest", "names"),
    [
        ("ui.banners", [{"id": "b"}], {"ui.banners": [{"id": "b"}]}, []),
        ("webui.url", "", {"webui.url": ""}, []),
        ("ldap.server.app_password", "", {"ldap.server.app_password": ""}, []),
        ("ldap.server.app_password", "p", {}, ["ldap.server.app_password"]),
        # The whole setting is the secret.
        ("rag.external_document_loader_headers", {"A": "1", "B": "2"}, {}, ["rag.external_document_loader_headers"]),
        (
            "tool_server.connections",
            [{"url": "a", "key": "k"}, {"url": "b", "key": "l"}],
            {"tool_server.connections": [{"url": "a"}, {"url": "b"}]},
            ["tool_server.connections.0.key", "tool_server.connections.1.key"],
        ),
        ("new.tokens", ["a", "b"], {"new.tokens": []}, ["new.tokens.0", "new.tokens.1"]),
        ("new.token", "a", {}, ["new.token"]),
    ],
)
def test_without_secrets(name, value, rest, names):
    assert without_secrets(name, value) == (rest, names)


def test_defaults():
    assert SETTINGS["rag.top_k"].is_default(3)
    assert not SETTINGS["rag.top_k"].is_default(4)
    # SHA-256 of the JSON text "a".
    assert digest("a") == "sha256:ac8d8342bbb2362d"
    assert SETTINGS["rag.template"]._replace(default=digest("long")).is_default("long")
    assert not SETTINGS["rag.template"].is_default("short")
