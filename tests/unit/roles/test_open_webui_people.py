# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role makes of its variables about people, worked out by Ansible itself."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import pytest
from ansible.template import trust_as_template

SECRETS = ("session_key", "automation_password", "probe_password")


def secret_file(name: str) -> dict[str, str]:
    return {"item": name, "content": base64.b64encode(f"the {name}".encode()).decode()}


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """The value of a variable of the role: ``evaluated(name, **variables)``."""
    settings = {
        "__open_webui_secret_files": {"results": [secret_file(secret) for secret in SECRETS]},
        "open_webui_users_password_directory": "/srv/first passwords",
    }
    return lambda name, **variables: evaluate("open_webui", name, {**settings, **variables})


def test_an_admin_without_a_name_keeps_its_own(evaluated: t.Any) -> None:
    accounts = evaluated(
        "__open_webui_accounts_own", open_webui_admin={"email": "Ada@example.com", "password": "ada words"}
    )
    admin = {"email": "Ada@example.com", "role": "admin", "password": "ada words"}
    assert [account for account in accounts if account["email"] == "Ada@example.com"] == [admin]


def test_a_comparison_holds_no_password(evaluated: t.Any) -> None:
    users = [{"email": "test@example.com", "password": "test", "update_password": "always"}, "kim@test.org"]
    accounts = evaluated("__open_webui_accounts_compared", open_webui_users=users)
    assert {account["password"] for account in accounts} == {"never-sent"}
    assert {account["update_password"] for account in accounts} == {"on_create"}
    assert [account["email"] for account in accounts][2:] == ["test@example.com", "kim@test.org"]


def test_null_means_not_given(evaluated: t.Any) -> None:
    users = [{"email": "kim@example.com", "role": None, "password": None, "state": None}]
    assert evaluated("__open_webui_users", open_webui_users=users) == [{"email": "kim@example.com", "state": "present"}]
    assert evaluated("__open_webui_user_problems", open_webui_users=users) == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("kim", "entry 1 (kim): that is no e-mail address"),
        (None, "entry 1 (): that is no e-mail address"),
        (
            "Probe@localhost",
            "entry 1 (probe@localhost): that account is made by open_webui_admin or is the collection's own",
        ),
        ({"email": "a@b.c", "rolle": "x"}, "entry 1 (a@b.c): rolle is none of email, name, role, password"),
        ({"email": "a@b.c", "role": "root"}, "entry 1 (a@b.c): role root is none of user, admin, pending"),
    ],
)
def test_entries_that_make_no_sense(evaluated: t.Any, entry: t.Any, problem: str) -> None:
    (found,) = evaluated("__open_webui_user_problems", open_webui_users=[entry])
    assert found.startswith(problem)


def test_a_file_for_whoever_has_no_password(evaluated: t.Any, tmp_path: Path) -> None:
    names = {
        "kim@example.com": "kim@example.com",
        "müller+a@example.com": "müller+a@example.com",
        "o'neil=a@example.com": "o%27neil%3Da@example.com",
        "../../etc/x@localhost": "%2E.%2F..%2Fetc%2Fx@localhost",
        '50%"\\@example.com': "50%25%22%5C@example.com",
    }
    users = [{"email": email.upper(), "state": "present"} for email in names]
    users += [{"email": "gone@example.com", "state": "absent"}, {"email": "has@example.com", "password": "words"}]
    # What the module says would be created.
    everybody = [{"email": user["email"].lower(), "action": "created"} for user in users]
    compared = {"users": [*everybody, {"email": "there@example.com", "action": "none"}], "diff": {"before": {}}}
    files = evaluated(
        "__open_webui_password_files",
        open_webui_users=[*users, "there@example.com"],
        __open_webui_compared=compared,
    )
    assert files == {email: f"/srv/first passwords/{name}.txt" for email, name in names.items()}
    accounts = evaluated(
        "__open_webui_accounts",
        open_webui_users=["o'neil=a@example.com"],
        open_webui_users_password_directory=trust_as_template("{{ playbook_dir }}/first passwords"),
        playbook_dir=str(tmp_path),
        __open_webui_compared={**compared, "users": [{"email": "o'neil=a@example.com", "action": "created"}]},
    )
    assert len(accounts[-1]["password"]) == 20


def test_a_pending_account_gets_a_password_with_its_role(evaluated: t.Any) -> None:
    before = {"kim@example.com.role": "pending", "kim@example.com.password": "x", "oauth@example.com.role": "pending"}
    compared = {"users": [], "diff": {"before": before}}
    users = ["Kim@example.com", "oauth@example.com", {"email": "has@example.com", "password": "words"}]
    files = evaluated("__open_webui_password_files", open_webui_users=users, __open_webui_compared=compared)
    assert files == {"kim@example.com": "/srv/first passwords/kim@example.com.txt"}


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ENABLE_PERSISTENT_CONFIG": "False"}, "ENABLE_PERSISTENT_CONFIG=False: what this role"),
        ({"RESET_CONFIG_ON_START": "true"}, "RESET_CONFIG_ON_START=true: what this role"),
        ({"WEBUI_AUTH": "false"}, "WEBUI_AUTH=false: nobody would have to sign in"),
        ({"ENABLE_MFA": True}, "ENABLE_MFA=True: the automation account could not sign in"),
        ({"ENABLE_PERSISTENT_CONFIG": "true", "RESET_CONFIG_ON_START": "false", "WEBUI_AUTH": "TRUE"}, None),
    ],
)
def test_environment_that_opens_the_service_or_forgets_its_settings(
    evaluated: t.Any, environment: t.Any, words: t.Any
) -> None:
    for variable in ("open_webui_environment", "open_webui_secret_environment"):
        found = evaluated("__open_webui_env_refused", **{variable: environment})
        assert [problem.startswith(words) for problem in found] == ([True] if words else [])
