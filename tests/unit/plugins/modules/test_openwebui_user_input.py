# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused for the whole list, before anything is sent or before anything is written."""

from __future__ import annotations

import pytest
from openwebui_people import ADMIN

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

GOOD = {"email": "good@example.com", "password": "secret words"}


@pytest.fixture
def refused(people):
    return lambda params: people.run(openwebui_user, params, fails=True)["msg"]


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([{"email": "no-at-sign"}], "'no-at-sign' is no e-mail address"),
        ([{"email": "two@@example.com"}], "'two@@example.com' is no e-mail address"),
        ([{"email": "a b@example.com"}], "'a b@example.com' is no e-mail address"),
        ([{"email": "a@example.com\n"}], "'a@example.com\\n' is no e-mail address"),
        ([{"email": "a\0@example.com"}], "'a\\x00@example.com' is no e-mail address"),
        ([{"email": "x@host"}], "'x@host' is no e-mail address"),
        ([{"email": "x@.com"}], "'x@.com' is no e-mail address"),
        ([GOOD, {"email": "GOOD@example.com"}], "'good@example.com' is given more than once"),
        ([{**GOOD, "state": "absent"}], "'good@example.com' is given more than once"),
        ([{"email": "a@b.c", "password": ""}], "'a@b.c' has a password that is empty or longer than 72 bytes"),
        ([{"email": "a@b.c", "password": "é" * 37}], "'a@b.c' has a password that is empty or longer than 72 bytes"),
        ([{"email": "a@b.c", "name": " "}], "'a@b.c' has a name that is empty"),
        ([{"email": "a@b.c", "name": "A\nB"}], "'a@b.c' has a name that is empty or holds control characters"),
        ([{"email": "a@b.c", "name": "A\0"}], "'a@b.c' has a name that is empty or holds control characters"),
        ([{"email": "a@b.c", "update_password": "always"}], "'a@b.c' has update_password always, and no password"),
        ([{"email": "a@b.c", "role": "superuser"}], "value of role must be one of"),
        ([{"email": "a@b.c", "state": "gone"}], "value of state must be one of"),
    ],
)
def test_bad_entries(refused, people, users, words):
    assert words in refused({"users": [GOOD, *users]})
    assert people.server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "/api/v1/users/all",
        "/api/v1/users/x/profile/image?a=b",
        "//example.com/a.png",
        "http:///a.png",
        "http://[",
        "data:image/svg+xml;base64,AAAA",
        "data:image/png,AAAA",
        "user.png",
    ],
)
def test_bad_pictures(refused, people, url):
    assert "'a@b.c' has a profile_image_url that is no URL" in refused({"email": "a@b.c", "profile_image_url": url})
    assert people.server.requests == []


def test_every_problem_is_named(refused, people):
    users = [{"email": "nobody", "name": ""}, GOOD, {"email": "a@b.c", "password": ""}, {**GOOD, "name": "x\ty"}]
    message = refused({"users": users})
    for words in ("'nobody' is no e-mail", "'nobody' has a name", "'a@b.c' has a password", "more than once"):
        assert words in message
    assert "holds control characters; 'good@example.com' is given" in message
    assert people.server.requests == []


def test_a_new_account_without_password_is_refused_before_any_write(refused, people):
    people.all(ADMIN)
    users = [GOOD, {"email": "Bob@example.com"}, {"email": "carol@example.com", "role": "admin"}]
    assert "have no password: bob@example.com, carol@example.com." in refused({"users": users})


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "one of the following is required: users, email"),
        ({"email": "a@b.c", "users": []}, "mutually exclusive: users|email"),
        ({"users": [], "role": "user"}, "mutually exclusive: users|role"),
        ({"users": [], "state": "absent"}, "mutually exclusive: users|state"),
        ({"email": "a@b.c", "exclusive": True}, "exclusive is True but all of the following are missing: users"),
        ({"email": "a@b.c", "admin_email": "x"}, "required together: admin_email, admin_password"),
    ],
)
def test_options_that_do_not_go_together(refused, people, params, words):
    assert words in refused(params)
    assert people.server.requests == []
