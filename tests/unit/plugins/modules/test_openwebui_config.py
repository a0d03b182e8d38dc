# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_config

READ = ("GET", "/api/v1/configs/export")
WRITE = ("POST", "/api/v1/configs/import")
GROUPS = ("GET", "/api/v1/groups/")
OAUTH = ("GET", "/api/v1/auths/admin/config/oauth")


@pytest.fixture
def export(recording):
    return recording("openwebui")["export"]


@pytest.fixture
def run(server, run_module):
    common = {"url": server.url, "token": "token-in-use"}
    return lambda settings, **how: run_module(openwebui_config, {**common, "settings": settings}, **how)


@pytest.mark.parametrize(
    "settings",
    [
        {"ui.enable_signup": True, "ui.default_user_role": "user", "auth.jwt_expiry": "4w"},
        {"ui": {"enable_signup": True, "default_user_role": "user"}, "auth": {"jwt_expiry": "4w"}},
        {"ui": {"enable_signup": True}, "ui.default_user_role": "user", "auth.jwt_expiry": "4w"},
    ],
    ids=["flat", "nested", "both"],
)
def test_only_the_differences_are_written_and_read_back(run, server, export, settings):
    changed = {"ui.enable_signup": True, "ui.default_user_role": "user"}
    after = {**export, **changed}
    server.expect(*READ, answer=export)
    predicted = run(settings, check=True)
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": changed}, answer=after)
    server.expect(*READ, answer=after)
    result = run(settings)
    assert (result["changed"], result["settings"]) == (True, ["ui.default_user_role", "ui.enable_signup"])
    assert result["diff"] == {
        "before": {"ui.enable_signup": False, "ui.default_user_role": "pending"},
        "after": changed,
    }
    assert predicted["diff"] == result["diff"]
    for check in (False, True):
        server.expect(*READ, answer=after)
        again = run(settings, check=check)
        assert (again["changed"], again["settings"], again["diff"]) == (False, [], {"before": {}, "after": {}})


def test_300_settings_that_are_right_cost_one_request(run, server, export):
    many = {f"new.section{number % 7}.setting{number}": number for number in range(300)}
    server.expect(*READ, answer={**export, **many})
    assert run(many)["changed"] is False


def test_what_somebody_changed_by_hand_is_shown_and_cured(run, server, export):
    by_hand = {**export, "ui.default_user_role": "admin"}
    server.expect(*READ, answer=by_hand)
    server.expect(*WRITE, {"config": {"ui.default_user_role": "pending"}}, answer=export)
    server.expect(*READ, answer=export)
    result = run({"ui": {"default_user_role": "pending", "enable_signup": False}})
    assert result["diff"] == {"before": {"ui.default_user_role": "admin"}, "after": {"ui.default_user_role": "pending"}}


def test_a_dictionary_is_one_value(run, server, export):
    before = {**export, "models.default_params": {"temperature": 0.2, "top_k": 5}}
    wanted = {"models": {"default_params": {"temperature": 0.7}}}
    after = {**before, "models.default_params": {"temperature": 0.7}}
    server.expect(*READ, answer=before)
    server.expect(*WRITE, {"config": {"models.default_params": {"temperature": 0.7}}}, answer=after)
    server.expect(*READ, answer=after)
    assert run(wanted)["settings"] == ["models.default_params"]


def test_a_setting_that_exists_only_once_it_is_set(run, server, export):
    webhook = {"id": "w", "url": "https://hooks.example.com/sentinel", "enabled": True, "events": ["*"]}
    server.expect(*READ, answer=export)
    assert run({"events.webhooks": []})["changed"] is False
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": {"events.webhooks": [webhook]}}, answer={})
    server.expect(*READ, answer={**export, "events.webhooks": [webhook]})
    result = run({"events": {"webhooks": [webhook]}})
    assert result["diff"]["before"] == {"events.webhooks": []}
    assert "sentinel" not in str(result)


def test_secrets_are_written_and_never_shown(run, server, export):
    before = {**export, "web.search.kagi_search_api_key": "sentinel-old", "models.default_params": {}}
    settings = {
        "web.search.kagi_search_api_key": "sentinel-new",
        "models.default_params": {"custom": {"api_key": "sentinel-2", "mode": "x"}},
    }
    server.expect(*READ, answer=before)
    server.expect(*WRITE, {"config": settings}, answer={})
    server.expect(*READ, answer={**before, **settings})
    result = run(settings)
    # Newer versions of ansible-core leave an empty one out.
    assert result.get("invocation", {}) == {}
    assert result["diff"] == {
        "before": {"web.search.kagi_search_api_key": "(hidden) another value", "models.default_params": {}},
        "after": {
            "web.search.kagi_search_api_key": "(hidden) as given",
            "models.default_params": {"custom": {"api_key": "(hidden)", "mode": "x"}},
        },
    }
    assert "sentinel" not in str(result)


def test_a_server_that_keeps_something_else(run, server, export):
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": {"ui.enable_signup": True, "auth.jwt_expiry": "1d"}}, answer=export)
    server.expect(*READ, answer={**export, "auth.jwt_expiry": "1d"})
    message = run({"ui.enable_signup": True, "auth.jwt_expiry": "1d"}, fails=True)["msg"]
    assert "does not have ui.enable_signup as sent." in message
    assert "run this again" in message


NO_SETTING = "there is no setting"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ui.enable_sign_up": True}, f"{NO_SETTING} 'ui.enable_sign_up' (did you mean 'ui.enable_signup'?)"),
        ({"ui": {"enable_sign_up": True}}, f"{NO_SETTING} 'ui.enable_sign_up' (did you mean 'ui.enable_signup'?)"),
        ({"zz": True}, f"{NO_SETTING} 'zz'."),
        ({"zz": {"enable_signup": True}}, f"{NO_SETTING} 'zz'"),
        # The server knows it under the dotted name only, and would store this beside it.
        ({"ui": True}, "ui is no setting, but what the names of several begin with"),
        ({"ui": None}, "ui is no setting, but what the names of several begin with"),
        ({"ui": {"enable_signup": True}, "ui.enable_signup": False}, "ui.enable_signup is given more than once"),
        ({"ui.enable_signup": "yes"}, "ui.enable_signup is of type boolean, not string"),
        ({"ui.enable_signup": 0}, "ui.enable_signup is of type boolean, not integer"),
        ({"ui.enable_signup": None}, "ui.enable_signup is of type boolean, not null"),
        ({"skills.content_max_chars": "5"}, "skills.content_max_chars is of type integer or null, not string"),
        ({"rag": {"embedding_model": ["m"]}}, "rag.embedding_model is of type string, not list"),
        ({"ui.default_user_role": True}, "ui.default_user_role is of type string, not boolean"),
        # The server would take it with 200, and the admin panel would drop it with 200.
        ({"ui.default_user_role": "emperor"}, "ui.default_user_role is pending, user or admin, not 'emperor'"),
        ({"auth.jwt_expiry": "10 parsecs"}, "auth.jwt_expiry is a number with ms, s, m, h, d or w, such as 12h, or -1"),
        ({"ollama": {"base_urls": []}}, "ollama.base_urls belongs to selfhosted.llm.openwebui_connection"),
        ({"openai.api_keys": ["x"]}, "openai.api_keys belongs to selfhosted.llm.openwebui_connection"),
        ({"user.permissions": {}}, "user.permissions belongs to default_permissions of selfhosted.llm.openwebui_group"),
        ({"ui.default_locale": "de-DE"}, "ui.default_locale is read from the environment (DEFAULT_LOCALE)"),
    ],
)
def test_bad_input_writes_nothing(run, server, export, settings, words):
    known = {"user.permissions": {}, "ui.default_locale": "", "channels.model_response_mode": "thread"}
    server.expect(*READ, answer={**export, **known})
    message = run({"webui.url": "x", "ui.enable_signups": 1, **settings}, fails=True)["msg"]
    assert message.startswith(f"Nothing was changed on {server.url}: ")
    assert words in message
    # All that is wrong is told at once.
    assert f"{NO_SETTING} 'webui.url'" in message
    assert f"{NO_SETTING} 'ui.enable_signups'" in message


def test_settings_that_the_environment_keeps(run, server, export):
    before = {**export, "oauth.enable_signup": False, "oauth.client_id": ""}
    server.expect(*READ, answer=before)
    server.expect(*OAUTH, answer={"ENABLE_OAUTH_PERSISTENT_CONFIG": False})
    message = run({"oauth": {"enable_signup": True, "client_id": "x"}}, fails=True)["msg"]
    assert (
        "oauth.enable_signup comes from the environment (ENABLE_OAUTH_SIGNUP) unless ENABLE_OAUTH_PERSISTENT_CONFIG is "
        "true there" in message
    )
    assert "oauth.client_id is read from the environment (OAUTH_CLIENT_ID) when the server starts" in message
    server.expect(*READ, answer=before)
    server.expect(*OAUTH, answer={"ENABLE_OAUTH_PERSISTENT_CONFIG": True})
    assert run({"oauth": {"enable_signup": True}}, check=True)["settings"] == ["oauth.enable_signup"]


class TestDefaultGroup:
    """The server has its identifier, and people know its name."""

    groups = ({"id": "id-1", "name": "Staff"}, {"id": "id-2", "name": "Twin"}, {"id": "id-3", "name": "Twin"})

    @pytest.fixture(autouse=True)
    def read(self, server, export):
        self.before = {**export, "ui.default_group_id": ""}
        server.expect(*READ, answer=self.before)

    def test_name_or_identifier(self, run, server):
        server.expect(*GROUPS, answer=self.groups)
        after = {**self.before, "ui.default_group_id": "id-1"}
        server.expect(*WRITE, {"config": {"ui.default_group_id": "id-1"}}, answer=after)
        server.expect(*READ, answer=after)
        assert run({"ui": {"default_group_id": "Staff"}})["changed"] is True
        for same in ("Staff", "id-1"):
            server.expect(*READ, answer=after)
            server.expect(*GROUPS, answer=self.groups)
            assert run({"ui.default_group_id": same})["changed"] is False

    def test_none(self, run):
        assert run({"ui.default_group_id": ""})["changed"] is False

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("Stuff", "there is no group 'Stuff' (did you mean 'Staff'?)"),
            ("Twin", "2 of the groups are called 'Twin': id-2, id-3"),
        ],
    )
    def test_unknown_or_ambiguous(self, run, server, name, words):
        server.expect(*GROUPS, answer=self.groups)
        assert words in run({"ui.default_group_id": name}, fails=True)["msg"]

    def test_one_that_an_earlier_task_would_create(self, run, server):
        server.expect(*GROUPS, answer=[])
        result = run({"ui.default_group_id": "Staff"}, check=True)
        assert result["changed"] is True
        assert "there is no group 'Staff'" in str(result["warnings"])


def test_not_an_administrator(run, server, recording):
    server.expect(*READ, **recording("openwebui")["refusals"]["not_admin"])
    assert "The account needs the role admin." in run({"ui.enable_signup": True}, fails=True)["msg"]


def test_another_server(run, server):
    server.expect(*READ, answer={"something": "else"})
    assert "answered without ui.enable_signup" in run({"ui.enable_signup": True}, fails=True)["msg"]
