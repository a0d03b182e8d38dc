# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_session``: what it gives, what it hides, and how it fails."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from webui_server import ADMIN, Server

SESSION = "selfhosted.llm.openwebui_session"


def sign_in_and_keep(admin: dict[str, str], directory: Path) -> list[dict[str, t.Any]]:
    """Tasks that use sessions, one of them of a loop, and store the tokens where only the test looks."""
    tasks: list[dict[str, t.Any]] = [
        {SESSION: admin, "register": "session"},
        {SESSION: admin, "register": "sessions", "loop": [1]},
    ]
    for name, token in (("one", "{{ session.token }}"), ("loop", "{{ sessions.results[0].token }}")):
        user = {"url": admin["url"], "token": token, "email": ADMIN["email"]}
        copy = {"content": token, "dest": str(directory / name), "mode": "0600"}
        tasks += [
            {"selfhosted.llm.openwebui_user": user},
            {"ansible.builtin.copy": copy, "no_log": True, "check_mode": False},
        ]
    return tasks


def assert_hidden(output: t.Any, directory: Path) -> None:
    assert output.status == 0, output.text
    # Only the two files: the sessions themselves change nothing.
    assert "changed=2 " in output.text
    tokens = [(directory / name).read_text() for name in ("one", "loop")]
    assert [token.count(".") for token in tokens] == [2, 2]
    for secret in (*tokens, ADMIN["password"]):
        assert secret not in output.text.split("TASK [", 1)[1]


@pytest.mark.parametrize("arguments", [[], ["--check", "--diff"]], ids=["run", "check"])
def test_token_is_used_and_never_shown(
    playbook: t.Any, admin: dict[str, str], tmp_path: Path, arguments: list[str]
) -> None:
    assert_hidden(playbook(sign_in_and_keep(admin, tmp_path), "-vvvv", *arguments), tmp_path)


def test_token_is_not_shown_by_the_ssh_connection(
    playbook: t.Any, over_ssh: dict[str, str], admin: dict[str, str], tmp_path: Path
) -> None:
    output = playbook(sign_in_and_keep(admin, tmp_path), "-vvvv", "--connection", "ssh", **over_ssh)
    assert "SSH: EXEC" in output.text
    assert_hidden(output, tmp_path)


def test_what_a_session_holds(play: t.Any, admin: dict[str, str], webui: Server) -> None:
    names = "{{ session | dict2items | rejectattr('key', 'in', hidden) | items2dict }}"
    results = play(
        [
            {SESSION: {**admin, "admin_email": "Automation@LOCALHOST"}, "register": "session"},
            {
                "ansible.builtin.set_fact": {"seen": names},
                "vars": {"hidden": ["token", "invocation"]},
            },
        ]
    )
    assert "token" not in results[0]
    seen = results[1]["ansible_facts"]["seen"]
    user = webui.call("GET", "/api/v1/auths/")[1]
    assert seen["user"] == {"id": user["id"], "email": "automation@localhost", "name": "Automation", "role": "admin"}
    assert seen["changed"] is False
    assert seen["expires_at"] > 0


def test_failures(failures: t.Any, webui: Server, admin: dict[str, str], backends: t.Any) -> None:
    accounts = {}
    for role in ("user", "pending"):
        body = {"email": f"{role}@session.example.com", "password": "some words", "name": role, "role": role}
        assert webui.call("POST", "/api/v1/auths/add", body)[0] == 200
        accounts[role] = {**admin, "admin_email": body["email"], "admin_password": body["password"]}
    # The server counts attempts for unknown addresses too, so this blocks nobody else.
    blocked = {"email": "blocked@session.example.com", "password": "wrong words"}
    assert [webui.sign_in(**blocked)[0] for _attempt in range(16)] == [400] * 15 + [429]
    wrong, user, pending, limited, page, nobody = failures(
        "openwebui_session",
        {**admin, "admin_email": "nobody@localhost", "admin_password": "not the password"},
        accounts["user"],
        accounts["pending"],
        {**admin, "admin_email": blocked["email"]},
        {**admin, "url": f"{webui.url}/admin"},
        {**admin, "url": backends.dead},
    )
    assert "answered with 400: The email or password provided is incorrect" in wrong
    assert "This was the only attempt" in wrong
    assert "has the role user. Give the address or the API key of an administrator." in user
    assert "still pending. An administrator has to give it a role first." in pending
    assert "429: API rate limit exceeded" in limited
    assert "Wait four minutes" in limited
    assert "405: Method Not Allowed" in page
    assert "Connection refused" in nobody
    for message in (wrong, user, pending, limited, page, nobody):
        assert "words" not in message
        assert ADMIN["password"] not in message


def test_page_instead_of_the_api(failures: t.Any, webui: Server) -> None:
    message = failures("openwebui_probe_info", {"url": f"{webui.url}/admin"})[0]
    assert "answered with text/html instead of JSON" in message
    assert "not that of Open WebUI itself" in message


def test_environment_gives_the_options(playbook: t.Any, admin: dict[str, str]) -> None:
    output = playbook(
        [{SESSION: {}, "register": "session"}, {"ansible.builtin.assert": {"that": "session.token is truthy"}}],
        OPENWEBUI_URL=admin["url"],
        OPENWEBUI_ADMIN_EMAIL=admin["admin_email"],
        OPENWEBUI_ADMIN_PASSWORD=admin["admin_password"],
    )
    assert output.status == 0, output.text
