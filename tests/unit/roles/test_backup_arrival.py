# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller takes from a host, which somebody may have broken into, and what the roles say to the host."""

from __future__ import annotations

import json
import stat
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from backup_service import Service

ROLES = Path(__file__).resolve().parents[3] / "roles"
Evaluate = t.Callable[..., t.Any]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.upload("a.txt", b"text")
    service.take()
    return service


def change(service: Service, **facts: t.Any) -> None:
    (service.latest() / "manifest.json").write_text(json.dumps({**service.manifest(), **facts}))


def unpacking(evaluate: Evaluate, service: Service, made: str) -> list[str]:
    """The last words of the command by which the controller takes a backup in."""
    task = DataLoader().load_from_file(str(ROLES / "backup/tasks/send.yml"), trusted_as_template=True)[-1]
    variables = {
        "inventory_hostname": "web1",
        "backup_name": "open-webui",
        "backup_controller_directory": str(service.root / "controller"),
        "ansible_playbook_python": "python3",
        "role_path": str(ROLES / "backup"),
        "__backup_inbox": str(service.root),
        "__backup_made": {"id": made},
        "argv": task["vars"]["__backup_argv"],
    }
    return evaluate("backup", "argv", variables)[2:]


@pytest.mark.parametrize("facts", [{}, {"id": "29990101T000000Z"}, {"host": "web2"}, {"name": "chat"}], ids=str)
def test_the_controller_takes_only_what_it_asked_for(
    service: Service, evaluate: Evaluate, facts: dict[str, str]
) -> None:
    made, away = service.latest().name, service.root / "controller/web1/open-webui"
    change(service, **facts)
    service.run("pack", service.store, made, service.root / "backup.tar")
    run = service.run(*unpacking(evaluate, service, made), fails=bool(facts))
    for key, value in facts.items():
        assert f"holds a backup whose {key} is '{value}'" in run.said
    assert [path.name for path in away.iterdir() if path.name != ".lock"] == [made] * (not facts)


def test_an_id_is_a_time(service: Service) -> None:
    change(service, id="20261399T999999Z")
    assert "is damaged" in service.run("verify", service.latest(), fails=True).said


def test_no_file_comes_back_with_the_rights_of_its_owner(service: Service) -> None:
    manifest = service.manifest()
    for entry in manifest["files"]:
        entry["mode"] = 0o4755
    change(service, files=manifest["files"])
    service.run("bring", service.store, "latest", service.root / "back")
    assert stat.S_IMODE((service.root / "back/data/uploads/a.txt").stat().st_mode) == 0o755


@pytest.mark.parametrize(("name", "refused"), [("backup", True), ("backups", False)])
def test_no_service_has_the_name_of_the_backups_directory(evaluate: Evaluate, name: str, refused: bool) -> None:
    path = ROLES / "container/tasks/preflight_host.yml"
    rule, *_rest = DataLoader().load_from_file(str(path), trusted_as_template=True)
    assert evaluate("container", rule["when"], {"container_name": name}) is refused
    said = evaluate("container", "said", {"container_label": "ollama", "said": rule["ansible.builtin.fail"]["msg"]})
    assert said.startswith("ollama_name of localhost is backup")


def test_a_backup_that_hangs_ends() -> None:
    """What is started once has no limit of systemd's own."""
    lines = (ROLES / "backup/templates/backup.service.j2").read_text().splitlines()
    limits = [line.partition("=")[2] for line in lines if line.startswith("TimeoutStartSec=")]
    assert limits == ["3d"]
