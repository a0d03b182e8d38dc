# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_api_key`` and the role's tasks around it, on the real server."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from webui_server import Server, running

CI = "ci@localhost"
MODULE = "selfhosted.llm.openwebui_api_key"
OWNER = "/api/v1/users/user/status"
KEY = re.compile("sk-[0-9a-f]{32}")


@pytest.fixture(scope="module")
def webui(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """A server of these tests, which would meet the account of others on a shared one."""
    with running(tmp_path_factory.mktemp("webui-api-key")) as server:
        yield server


@pytest.fixture(autouse=True)
def programs(webui: Server) -> t.Iterator[str]:
    """A group whose members may have keys. No test leaves an account or a group."""
    group = webui.call("POST", "/api/v1/groups/create", {"name": "programs", "description": ""})[1]
    permissions = {"permissions": {"features": {"api_keys": True}}}
    webui.call("POST", f"/api/v1/groups/id/{group['id']}/update", {**group, **permissions})
    yield group["id"]
    assert webui.call("DELETE", f"/api/v1/groups/id/{group['id']}/delete")[0] == 200
    if row := account(webui):
        webui.call("DELETE", f"/api/v1/users/{row['id']}")


def account(webui: Server) -> dict[str, t.Any] | None:
    users = webui.call("GET", "/api/v1/users/all")[1]["users"]
    return next((user for user in users if user["email"] == CI), None)


def groups_of(webui: Server, row: dict[str, t.Any]) -> list[str]:
    return sorted(group["name"] for group in webui.call("GET", f"/api/v1/users/{row['id']}/groups")[1])


class Program:
    """Runs the role's tasks as the playbook does, on one host."""

    def __init__(self, playbook: t.Any, webui: Server, directory: Path) -> None:
        self.playbook = playbook
        self.webui = webui
        self.file = directory / "keys" / "ci"
        self.variables: dict[str, t.Any] = {
            "service_account_email": CI,
            "service_account_file": str(self.file),
            "service_account_groups": ["programs"],
        }

    def block(self, **variables: t.Any) -> dict[str, t.Any]:
        steps = ("service_account_preflight", "service_account_key")
        connection = {"url": self.webui.url, "token": self.webui.token}
        return {
            "block": [{"include_role": {"name": "selfhosted.llm.open_webui", "tasks_from": step}} for step in steps],
            "module_defaults": {"group/selfhosted.llm.openwebui": connection},
            "vars": {**self.variables, **variables},
        }

    def run(self, *arguments: str, **variables: t.Any) -> bool:
        """Whether it changed something. Neither the key before nor the one after may be shown."""
        before = self.key
        output = self.playbook([self.block(**variables)], "-vvvv", "--diff", *arguments)
        assert output.status == 0, output.text
        for key in filter(None, (before, self.key)):
            assert key not in output.text
        return not re.search(r"changed=0 ", output.text)

    def refused(self, *variables: dict[str, t.Any]) -> str:
        """Runs that all fail and change nothing, and what they say."""
        before = self.state
        rescue = [{"debug": {"msg": "It failed."}}]
        output = self.playbook([{**self.block(**each), "rescue": rescue} for each in variables])
        assert re.search(rf" changed=0 .* failed=0 .* rescued={len(variables)} ", output.text), output.text
        assert self.state == before
        return " ".join(output.text.split())

    @property
    def state(self) -> t.Any:
        users = self.webui.call("GET", "/api/v1/users/all")[1]["users"]
        return self.key, [(user["email"], user["role"]) for user in users]

    @property
    def key(self) -> str:
        return self.file.read_text().strip() if self.file.is_file() else ""

    @property
    def owner(self) -> tuple[int, str]:
        """What the server answers to the key, and whose it is."""
        status, answer = self.webui.call("GET", OWNER, token=self.key)
        return status, answer.get("email", "")


@pytest.fixture
def program(playbook: t.Any, webui: Server, tmp_path: Path) -> Program:
    return Program(playbook, webui, tmp_path)


def test_life_of_a_key(program: Program, webui: Server) -> None:
    assert program.run("--check")
    assert not program.file.parent.exists() and not account(webui)
    assert program.run(service_account_name="CI of 'R&D' 🦙 <b>")
    row = account(webui)
    assert row and (row["role"], row["name"]) == ("user", "CI of 'R&D' 🦙 <b>")
    assert groups_of(webui, row) == ["programs"]
    assert KEY.fullmatch(program.key)
    assert program.owner == (200, CI)
    assert (program.file.stat().st_mode & 0o777, program.file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    first = program.key
    assert not program.run("--check")
    asked = len(webui.requests())
    assert not program.run()
    assert [request.split("?")[0] for request in webui.requests()[asked:]] == [
        "GET /api/v1/users/all 200",
        f"GET /api/v1/users/{row['id']}/groups 200",
        f"GET {OWNER} 200",
    ]
    assert program.key == first
    assert program.run("--check", service_account_state="absent")
    assert program.owner == (200, CI)
    assert program.run(service_account_state="absent")
    assert not program.file.exists()
    assert webui.call("GET", OWNER, token=first)[0] == 401
    gone = account(webui)
    assert gone and gone["role"] == "pending"
    assert not program.run(service_account_state="absent")
    assert program.run()
    assert program.owner == (200, CI) and program.key != first
    again = account(webui)
    assert again and again == {**row, "last_active_at": again["last_active_at"]}
    # The old key was deleted, not only locked: it does not come back with the role.
    assert webui.call("GET", OWNER, token=first)[0] == 401


def test_what_was_changed_by_hand_is_cured(program: Program, webui: Server, programs: str) -> None:
    program.run()
    row = account(webui)
    assert row
    first = program.key
    # Somebody signed in as the program and made a key.
    webui.call("POST", f"/api/v1/users/{row['id']}/update", {"password": "changed by hand"})
    token = webui.sign_in(CI, "changed by hand")[1]["token"]
    assert webui.call("POST", "/api/v1/auths/api_key", token=token)[0] == 200
    assert program.owner[0] == 401
    assert program.run("--check") and program.run()
    assert program.owner == (200, CI) and program.key != first
    assert webui.sign_in(CI, "changed by hand")[0] == 400
    # Somebody took the membership away.
    webui.call("POST", f"/api/v1/groups/id/{programs}/users/remove", {"user_ids": [row["id"]]})
    assert program.run()
    assert groups_of(webui, row) == ["programs"] and program.owner == (200, CI)
    # Somebody made the file readable.
    program.file.chmod(0o644)
    second = program.key
    assert program.run()
    assert (program.key, program.file.stat().st_mode & 0o777) == (second, 0o600)
    program.file.write_text("")
    assert program.run()
    assert program.owner == (200, CI) and program.key != second
    assert not program.run()


def test_what_is_refused_changes_nothing(program: Program, webui: Server, tmp_path: Path) -> None:
    mine = webui.call("POST", "/api/v1/auths/api_key")[1]["api_key"]
    files = {"private": "-----BEGIN PRIVATE KEY-----", "mine": mine}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    text = program.refused(
        {"service_account_email": "kim@example.com"},
        {"service_account_email": "Probe@localhost"},
        {"service_account_file": "keys/ci"},
        {"service_account_groups": ["programms"]},
        {"service_account_groups": []},
        {"service_account_file": str(tmp_path / "private")},
        {"service_account_file": str(tmp_path / "private"), "service_account_state": "absent"},
        {"service_account_file": str(tmp_path / "mine")},
        {"open_webui_users_exclusive": True},
        {"service_account_state": "absent", "open_webui_users": [CI]},
    )
    for email in ("kim@example.com", "Probe@localhost"):
        assert (
            f"service_account_email is {email}. Give the program an address of its own that ends in @localhost" in text
        )
    assert "service_account_file is keys/ci. Give the absolute path of a file on the controller" in text
    assert "there is no group 'programms' (did you mean 'programs'?)" in text
    assert "ci@localhost may not have an API key: give a group the permission features.api_keys" in text
    assert "private on the controller holds something that is no API key" in text
    assert "the key given is not that of ci@localhost, but of automation@localhost" in text
    assert "open_webui_users_exclusive would disable ci@localhost again" in text
    assert "ci@localhost is in open_webui_users, which would give it access again" in text
    assert {name: (tmp_path / name).read_text() for name in files} == files
    webui.call("POST", "/api/v1/configs/import", {"config": {"auth.enable_api_keys": False}})
    try:
        assert "API keys are switched off: set auth.enable_api_keys" in program.refused({})
    finally:
        webui.call("POST", "/api/v1/configs/import", {"config": {"auth.enable_api_keys": True}})
        webui.call("DELETE", "/api/v1/auths/api_key")


def test_a_server_that_does_not_tell_whose_a_key_is(program: Program, webui: Server) -> None:
    program.run()
    for setting, before, closed in (
        ("users.enable_status", True, False),
        ("auth.api_key.endpoint_restrictions", False, True),
    ):
        webui.call("POST", "/api/v1/configs/import", {"config": {setting: closed}})
        try:
            assert program.owner[0] == 403
            assert not program.run()
        finally:
            webui.call("POST", "/api/v1/configs/import", {"config": {setting: before}})
    key = program.key
    program.run(service_account_state="absent")
    program.file.write_text(key)
    assert program.run()
    assert program.owner == (200, CI)


def test_an_administrator_is_no_program(failures: t.Any, webui: Server) -> None:
    options = {"url": webui.url, "token": webui.token, "email": "Automation@localhost"}
    for message in failures(MODULE.rpartition(".")[2], options, {**options, "state": "absent"}):
        assert "automation@localhost is an administrator" in message


def test_the_key_is_not_shown_by_the_ssh_connection(
    program: Program, over_ssh: dict[str, str], playbook: t.Any
) -> None:
    program.playbook = lambda tasks, *arguments: playbook(tasks, *arguments, "--connection", "ssh", **over_ssh)
    assert program.run()
    assert program.owner == (200, CI)
    assert not program.run()
