# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory says is what people get, and what somebody changes by hand is shown and cured."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from conftest import ADA, KIM, LEE

from tests.testbed.browser import Window, chromedriver
from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet, Run

KITCHEN = "Küche & Keller {{ 7 * 7 }} <b>"
Ask = t.Callable[..., t.Any]


@pytest.fixture(scope="session")
def ask(server: Server, tokens: dict[Person, str]) -> Ask:
    """The answer to a request of somebody: ``ask(KIM, "GET", path, body)``."""

    def answer(person: Person, method: str, path: str, body: t.Any = None) -> t.Any:
        status, found = server.call(method, path, body, tokens[person])
        assert status == 200, found
        return found

    return answer


def usable(ask: Ask, person: Person) -> set[str]:
    return {model["id"] for model in ask(person, "GET", "/api/models")["data"]}


def group(ask: Ask, name: str) -> dict[str, t.Any]:
    (found,) = (row for row in ask(ADA, "GET", "/api/v1/groups/") if row["name"] == name)
    return found


def members(ask: Ask, name: str) -> set[str]:
    ids = ask(ADA, "GET", f"/api/v1/groups/id/{group(ask, name)['id']}/export")["user_ids"]
    return {row["email"] for row in ask(ADA, "GET", "/api/v1/users/all")["users"] if row["id"] in ids}


def test_each_sees_the_models_that_are_meant_for_them(ask: Ask, smollm: str) -> None:
    assert usable(ask, KIM) == {smollm, "helpdesk"}
    assert usable(ask, LEE) == {smollm, f"cloud.{smollm}"}
    assert usable(ask, ADA) == {smollm, f"cloud.{smollm}", "helpdesk"}


@pytest.mark.parametrize(("person", "model"), [(KIM, "helpdesk"), (LEE, "cloud")])
def test_a_model_answers_those_who_may_use_it_and_nobody_else(
    ask: Ask, server: Server, tokens: dict[Person, str], smollm: str, person: Person, model: str
) -> None:
    name = f"cloud.{smollm}" if model == "cloud" else model
    body = {"model": name, "messages": [{"role": "user", "content": "My screen is dark."}], "stream": False}
    reply = ask(person, "POST", "/api/chat/completions", body)["choices"][0]["message"]["content"]
    assert smollm in reply and "My screen is dark." in reply
    other = LEE if person == KIM else KIM
    refused = server.call("POST", "/api/chat/completions", body, tokens[other])
    assert refused == (400, '{"detail":"Model not found"}')


def test_people_find_groups_permissions_prompts_and_settings(
    ask: Ask, server: Server, tokens: dict[Person, str]
) -> None:
    assert members(ask, "Help desk") == {KIM.email}
    assert members(ask, KITCHEN) == {LEE.email}
    allowed = {person: ask(person, "GET", "/api/v1/auths/")["permissions"]["chat"]["delete"] for person in (KIM, LEE)}
    assert allowed == {KIM: False, LEE: True}
    commands = {person: {row["command"] for row in ask(person, "GET", "/api/v1/prompts/")} for person in (KIM, LEE)}
    assert commands == {KIM: {"summary"}, LEE: {"summary", "menu"}}
    assert server.call("GET", "/api/config", token=tokens[KIM])[1]["ui"]["response_watermark"] == "Written by a machine"
    exported = ask(ADA, "GET", "/api/v1/configs/export")
    assert exported["task.autocomplete.enable"] is False
    assert exported["ui.prompt_suggestions"][0]["content"] == "My screen is dark."


def test_in_a_browser_a_user_finds_the_model_of_their_group_and_it_answers(server: Server, smollm: str) -> None:
    with chromedriver() as driver:
        window = Window(driver, server.url)
        window.sign_in(KIM.email, KIM.password)
        assert window.usable_models() == [smollm, "The patient one"]
        window.choose_model("The patient one")
        window.keep("configured-models")
        window.ask("My screen is dark.")
        window.text(f'"{smollm}" was asked: My screen is dark.')
        window.keep("configured-chat")


def configure(fleet: Fleet, *arguments: str) -> Run:
    return fleet.play("playbooks/configure.yml", *arguments)


def changes(fleet: Fleet, *arguments: str) -> int:
    run = configure(fleet, *arguments)
    assert run.code == 0, run.output
    return run.changed["chat"]


def meddle(ask: Ask) -> None:
    """What an admin may change by hand, one thing of each kind."""
    ask(ADA, "POST", "/api/v1/configs/import", {"config": {"ui.watermark": "Trust me."}})
    kitchen, lee = group(ask, KITCHEN), ask(LEE, "GET", "/api/v1/auths/")["id"]
    ask(ADA, "POST", f"/api/v1/groups/id/{kitchen['id']}/users/remove", {"user_ids": [lee]})
    connections = ask(ADA, "GET", "/openai/config")
    ask(ADA, "POST", "/openai/config/update", {**connections, "OPENAI_API_KEYS": ["another key"]})
    model = ask(ADA, "GET", "/api/v1/models/model?id=helpdesk")
    model["params"]["system"] = "Be rude."
    ask(ADA, "POST", "/api/v1/models/model/update", model)
    ask(ADA, "POST", "/api/v1/models/model/access/update", {"id": "helpdesk", "access_grants": []})
    (prompt,) = (row for row in ask(ADA, "GET", "/api/v1/prompts/") if row["command"] == "menu")
    ask(ADA, "POST", f"/api/v1/prompts/id/{prompt['id']}/update", {**prompt, "content": "Nothing."})


def test_what_was_changed_by_hand_is_shown_and_cured(fleet: Fleet, ask: Ask, smollm: str) -> None:
    meddle(ask)
    proof = fleet.play("playbooks/verify.yml")
    assert proof.code != 0
    assert "does not have its settings as the inventory says" in proof.words
    dry = configure(fleet, "--check", "--diff", "-vvvv")
    for shown in ("Trust me.", LEE.email, "Be rude.", "Nothing."):
        assert shown in dry.words, shown
    assert "the key of the cloud" not in dry.output and "another key" not in dry.output
    assert usable(ask, KIM) == {smollm}
    assert dry.changed["chat"] == changes(fleet) == 5
    assert usable(ask, KIM) == {smollm, "helpdesk"}
    assert members(ask, KITCHEN) == {LEE.email}
    assert changes(fleet) == 0
    assert fleet.play("playbooks/verify.yml").code == 0


def test_two_runs_at_once_and_a_restart(fleet: Fleet, ask: Ask, server: Server, smollm: str) -> None:
    meddle(ask)
    runs = [fleet.started("playbooks/configure.yml") for _run in range(2)]
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)
    fleet.execute("chat", "docker restart open-webui")
    server.wait()
    assert usable(ask, LEE) == {smollm, f"cloud.{smollm}"}
    assert changes(fleet) == 0


def test_a_program_gets_a_key_that_works_until_it_is_revoked(
    fleet: Fleet, server: Server, smollm: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "ci"
    variables = {
        "service_account_email": "ci@localhost",
        "service_account_file": str(file),
        "service_account_groups": ["Programs"],
    }
    body = {"model": "helpdesk", "messages": [{"role": "user", "content": "My screen is dark."}], "stream": False}
    arguments = ["playbooks/service_account.yml", "-vvvv", "--diff", "-e", json.dumps(variables)]
    runs = [fleet.play(*arguments, *more) for more in (["--check"], [], [])]
    assert [(run.code, run.changed) for run in runs] == [(0, {"chat": 1}), (0, {"chat": 3}), (0, {"chat": 0})]
    key = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(key in run.output for run in runs)
    assert server.call("POST", "/api/chat/completions", body, key)[0] == 200

    revoke = [*arguments, "-e", "service_account_state=absent"]
    runs = [fleet.play(*revoke, *more) for more in (["--check"], [], [])]
    assert [(run.code, run.changed) for run in runs] == [(0, {"chat": 2}), (0, {"chat": 2}), (0, {"chat": 0})]
    assert server.call("POST", "/api/chat/completions", body, key)[0] == 401
    assert not file.exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"open_webui_settings": {"ui": {"enable_signup": True}}}, "ui.enable_signup (use open_webui_signup)"),
        ({"open_webui_model_access": "public"}, "Set it to managed"),
        ({"open_webui_settings": {"ui": {"watermarc": "x"}}}, "did you mean 'ui.watermark'"),
        (
            {"open_webui_prompts": [{"command": "x", "content": "x", "access": {"read": {"groups": ["Helpdesk"]}}}]},
            "did you mean 'Help desk'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(fleet: Fleet, variables: dict[str, t.Any], words: str) -> None:
    run = configure(fleet, "-e", json.dumps(variables))
    assert run.code != 0
    assert run.changed["chat"] == 0
    assert words in run.words, run.output
