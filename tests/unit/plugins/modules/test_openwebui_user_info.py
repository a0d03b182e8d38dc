# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from openwebui_people import ADMIN, ALICE, BOB

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user_info

NOW = 2000000000
SECRETS = {
    "oauth": {"oidc": {"sub": "secret-sub"}},
    "settings": {"ui": {"key": "secret-setting"}},
    "info": {"note": "secret-info"},
}
EVERYBODY = [
    {**ADMIN, "last_active_at": NOW - 5, "group_ids": ["g1", "g2"]},
    {**ALICE, "last_active_at": NOW - 90 * 86400, "group_ids": ["g2", "unknown"], **SECRETS},
    {**BOB, "last_active_at": NOW - 90 * 86400 + 1, "role": "superuser", "scim": {"okta": {"external_id": "1"}}},
]
GROUPS = [{"id": "g1", "name": "Physics"}, {"id": "g2", "name": "Everybody"}]


@pytest.fixture
def run(people, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW)
    return lambda **params: people.run(openwebui_user_info, params)["users"]


def test_everything_that_is_told(run, people):
    people.pages(*EVERYBODY)
    people.server.expect("GET", "/api/v1/groups/", answer=GROUPS)
    users = run()
    assert [user["email"] for user in users] == ["admin@example.com", "alice@example.com", "bob@example.com"]
    assert users[1] == {
        "id": "id-alice",
        "email": "alice@example.com",
        "name": "Alice",
        "role": "user",
        "groups": ["Everybody"],
        "source": "oauth",
        "last_active_at": NOW - 90 * 86400,
        "created_at": 300,
        "profile_image_url": "/user.png",
    }
    assert users[0]["groups"] == ["Everybody", "Physics"]
    assert (users[2]["source"], users[2]["groups"]) == ("scim", [])
    assert "secret" not in str(users)


def test_the_names_of_groups_are_read_only_if_somebody_is_in_one(run, people):
    people.pages(ADMIN)
    assert run()[0]["groups"] == []


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"emails": ["ALICE@example.com", "nobody@example.com"]}, ["alice"]),
        ({"emails": ["a%"]}, []),
        ({"emails": []}, []),
        ({"roles": ["superuser", "admin"]}, ["admin", "bob"]),
        ({"groups": ["Everybody"]}, ["admin", "alice"]),
        ({"groups": ["everybody"]}, []),
        ({"inactive_days": 90}, ["alice"]),
        ({"inactive_days": 0}, ["admin", "alice", "bob"]),
        ({"groups": ["Everybody"], "roles": ["admin"]}, ["admin"]),
    ],
)
def test_filters(run, people, filters, found):
    people.pages(*EVERYBODY)
    people.server.expect("GET", "/api/v1/groups/", answer=GROUPS)
    assert [user["email"].partition("@")[0] for user in run(**filters)] == found


def test_one_request_per_thirty_accounts(run, people):
    people.pages(*({**ALICE, "id": str(n), "email": f"user{n}@example.com"} for n in range(206)))
    assert len(run()) == 206
    assert len(people.server.requests) == 7


def test_a_picture_inside_its_url_is_not_returned(run, people):
    people.pages({**ALICE, "profile_image_url": "data:image/png;base64," + "A" * 100000})
    shown = run()[0]["profile_image_url"]
    assert shown.startswith("data:image/png;base64,... (100022 characters, SHA-256 ")
    assert len(shown) < 100
