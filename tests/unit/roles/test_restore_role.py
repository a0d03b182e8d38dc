# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role backup decides about a restore, worked out by Ansible itself."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from stage import Stage

ROLE = Path(__file__).resolve().parents[3] / "roles/backup"


def tasks(name: str) -> list[dict[str, t.Any]]:
    return DataLoader().load_from_file(str(ROLE / f"tasks/{name}.yml"), trusted_as_template=True)


def backup(identity: str, host: str = "web1") -> dict[str, t.Any]:
    return {"id": identity, "host": host, "path": f"/backups/{identity}", "program": {"version": "0.12.4"}}


def listed(*backups: dict[str, t.Any]) -> dict[str, str]:
    return {"stdout": json.dumps({"backups": list(backups)})}


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """The value of an expression in the role, on the host web1: ``evaluated(expression, **variables)``."""
    settings = {
        "inventory_hostname": "web1",
        "restore_host": "web1",
        "restore_id": "latest",
        "backup_service": "open_webui",
        "backup_name": "open-webui",
        "backup_volume": "/srv/open-webui",
        "backup_controller_directory": "/backups",
        "group_names": ["open_webui"],
        "role_path": "/collection/roles/backup",
    }
    return lambda expression, **variables: evaluate("backup", expression, {**settings, **variables})


def test_the_controller_comes_before_the_host(evaluated: t.Any) -> None:
    variables = {
        "__backup_restore_on_controller": listed(backup("20261101T000000Z")),
        "__backup_restore_on_host": listed(),
    }
    assert evaluated("__backup_restore_source", **variables) == "controller"
    variables["__backup_restore_on_controller"] = listed()
    assert evaluated("__backup_restore_source", **variables) == "host"
    assert evaluated("__backup_restore_source") == "host"


def test_a_repository_comes_before_all(evaluated: t.Any) -> None:
    variables = {
        "__backup_restore_on_controller": listed(backup("20261101T000000Z")),
        "backup_restic_repository": "/srv/restic",
    }
    assert evaluated("__backup_restore_source", **variables) == "restic"


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("latest", "20261102T000000Z"), ("20261101T000000Z", "20261101T000000Z"), ("20261103T000000Z", None)],
)
def test_the_backup_that_is_chosen(evaluated: t.Any, wanted: str, chosen: str | None) -> None:
    found = listed(backup("20261101T000000Z"), backup("20261102T000000Z"))
    assert (
        evaluated("__backup_restore_chosen", __backup_restore_on_controller=found, restore_id=wanted).get("id")
        == chosen
    )


def test_backups_of_another_host_in_the_same_directory_do_not_count(evaluated: t.Any) -> None:
    found = listed(backup("20261101T000000Z", "web1"), backup("20261102T000000Z", "web2"))
    assert evaluated("__backup_restore_chosen", __backup_restore_on_host=found)["id"] == "20261101T000000Z"
    assert (
        evaluated("__backup_restore_chosen", __backup_restore_on_host=found, restore_host="web2")["id"]
        == "20261102T000000Z"
    )
    assert evaluated("__backup_restore_chosen", __backup_restore_on_host=found, restore_host="web3") == {}


@pytest.mark.parametrize(
    ("journal", "resumed"), [(None, False), ({"id": "x"}, True), ({"id": "x", "undo": "/srv/aside"}, False)]
)
def test_a_restore_that_was_cut_off_goes_on_unless_it_was_on_its_way_back(
    evaluated: t.Any, journal: t.Any, resumed: bool
) -> None:
    assert (
        evaluated("__backup_restore_resumed", __backup_restore_look={"stdout": json.dumps({"restore": journal})})
        is resumed
    )


def test_what_people_have(evaluated: t.Any) -> None:
    people = {"total": 3, "accounts": 1, "chats": 2, "removed": 0, "newest": {"email": "kim@x.org", "time": "today"}}
    text = evaluated("__backup_restore_people_text", __backup_restore_open_webui={"people": people})
    assert text == "1 account, 2 chats, the last of it at today by kim@x.org"


MODELS = [
    {"name": "reg:5001/a/one:1b", "digest": "d1", "weights": {"from": "registry", "name": "reg:5001/a/one:1b"}},
    {
        "name": "two:latest",
        "digest": "d2",
        "weights": {"from": "registry", "name": "registry.ollama.ai/library/two:latest"},
    },
    {
        "name": "desk:latest",
        "digest": "d3",
        "weights": {"from": "base", "name": "registry.ollama.ai/library/two:latest"},
    },
    {"name": "help:latest", "digest": "d4", "weights": {"from": "base", "name": "reg:5001/a/Base"}},
    {"name": "own:latest", "digest": "d5", "weights": {"from": "nowhere", "name": None}},
]


def test_models_are_pulled_by_digest_and_bases_by_name(evaluated: t.Any) -> None:
    inventory = [
        "two",
        {"name": "reg:5001/a/one:1b", "insecure": True},
        {"name": "help", "from": "reg:5001/a/Base", "insecure": True},
    ]
    pulls = evaluated(
        "__backup_restore_pulls",
        backup_service="ollama",
        backup_models=inventory,
        __backup_restore_ollama={"backup": {"models": MODELS}},
    )
    assert pulls == [
        {"name": "reg:5001/a/one:1b", "digest": "d1", "insecure": True},
        {"name": "two:latest", "digest": "d2", "insecure": False},
        {"name": "reg:5001/a/Base:latest", "insecure": True},
    ]


def test_a_model_without_a_tag_in_the_inventory_is_the_same_model(evaluated: t.Any) -> None:
    models = [{"name": "reg:5001/a/mini", "insecure": True}]
    assert evaluated("__backup_restore_insecure", backup_models=models) == ["reg:5001/a/mini:latest"]


@pytest.mark.parametrize(("groups", "chosen"), [(["ollama", "open_webui"], "20261102T000000Z"), (["ollama"], None)])
def test_models_beside_open_webui_need_not_have_its_backup(
    evaluated: t.Any, groups: list[str], chosen: str | None
) -> None:
    found = listed(backup("20261101T000000Z"), backup("20261102T000000Z"))
    variables = {"backup_service": "ollama", "group_names": groups, "restore_id": "20261101T120000Z"}
    assert evaluated("__backup_restore_chosen", __backup_restore_on_controller=found, **variables).get("id") == chosen


def refusals(evaluated: t.Any, **variables: t.Any) -> list[str]:
    (task,) = tasks("restore_refuse")
    rules = evaluated("rules", rules=task["loop"], **variables)
    return [rule["msg"] for rule in rules if not rule["that"]]


def of(database: str = "sqlite", people: t.Any = None, **backup_facts: t.Any) -> dict[str, t.Any]:
    facts = {**backup("20261101T000000Z"), "database": database, **backup_facts}
    return {"backup": facts, "people": people or {"total": 0}, "resumed": False}


@pytest.mark.parametrize(
    ("wanted", "refused"), [("0.12.3", True), ("0.12.4", False), ("0.13.0", False), ("0.9.9", True), ("0.12.10", False)]
)
def test_a_backup_of_a_newer_version_is_refused(evaluated: t.Any, wanted: str, refused: bool) -> None:
    said = refusals(evaluated, __backup_restore_open_webui=of(), backup_version=wanted)
    assert len(said) == refused
    assert all("is of Open WebUI 0.12.4" in words and f"is {wanted}" in words for words in said)


@pytest.mark.parametrize("force", [False, True])
def test_what_people_made_is_overwritten_only_on_request(evaluated: t.Any, force: bool) -> None:
    people = {"total": 1, "chats": 1, "removed": 0, "newest": None}
    unknown = evaluated(
        "__backup_restore_people",
        __backup_restore_written={"rc": 1, "stdout": "since /srv: database disk image is malformed\r\n", "stderr": ""},
    )
    for found, words in ((people, "1 chat"), (unknown, "(since /srv: database disk image is malformed)")):
        restore = of(people=found)
        said = refusals(evaluated, __backup_restore_open_webui=restore, backup_version="0.12.4", restore_force=force)
        assert [words in one and "restore_force=true" in one for one in said] == [] if force else [True]


RUN = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: selfhosted.llm.backup
        tasks_from: run
        rolespec_validate: false
      vars:
        __backup_argv: [sh, -c, "{{ script }}"]
        __backup_answer: answer
    - ansible.builtin.debug:
        msg: "It said {{ answer.word }}"
"""


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("echo Warning: one. >&2; echo The disk is full. >&2; exit 1", 2, "msg: The disk is full."),
        ('echo Warning: one. >&2; echo \'{"word": "hello"}\'', 0, "It said hello"),
    ],
)
def test_the_last_words_of_a_program_are_the_message(tmp_path: Path, script: str, status: int, words: str) -> None:
    played = Stage(tmp_path).play(RUN, {"web": {"hosts": {"web1": {"script": script}}}})
    assert played.status == status, played.output
    assert words in (played.failures[-1] if status else played.output)
