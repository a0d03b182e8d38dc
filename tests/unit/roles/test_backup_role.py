# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role backup refuses, writes for its program and tells people. Worked out by Ansible itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

ROLE = Path(__file__).resolve().parents[3] / "roles/backup"
(REFUSALS,) = DataLoader().load_from_file(str(ROLE / "tasks/preflight_variables.yml"), trusted_as_template=True)
RESTIC = {"backup_restic_repository": "rest:https://kim:sesame@backup.example.com/gpu1/", "backup_restic_password": "p"}
LOST = ["deleted or lost, so not in it"]
Evaluated = t.Callable[..., t.Any]


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> Evaluated:
    """The value of an expression in the role, for Open WebUI unless another service is given."""

    def evaluated(expression: str, **variables: t.Any) -> t.Any:
        service = {
            "role_path": str(ROLE),
            "backup_service": "open_webui",
            "backup_name": "open-webui",
            "backup_version": "0.12.4",
            "backup_image": "example.com/open-webui:v0.12.4",
            "backup_volume": "/srv/open-webui",
            "group_names": ["open_webui"],
        }
        return evaluate("backup", expression, {**service, **variables})

    return evaluated


def refusals(evaluated: Evaluated, **variables: t.Any) -> list[str]:
    """The first words of what is refused: the variable, or the service."""
    rules = evaluated("rules", rules=REFUSALS["loop"], **variables)
    return [rule["msg"].split()[0] for rule in rules if not rule["that"]]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"backup_directory": "/srv/backups", "backup_controller_directory": "~/backups"},
        {"backup_keep": {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}},
        {"backup_keep": {"monthly": "12"}},
        {"backup_max_age": "90m"},
        RESTIC,
        {**RESTIC, "backup_restic_repository": "/mnt/nas/restic"},
        {**RESTIC, "backup_restic_repository": "s3:https://s3.example.com/bucket"},
        {**RESTIC, "backup_restic_environment": {"AWS_ACCESS_KEY_ID": "x", "RESTIC_COMPRESSION": "max"}},
        {"backup_restic_check": ""},
        {"backup_restic_check": "2.5%"},
        {"backup_restic_check": "1/30"},
        {"backup_restic_check": "2G"},
        {"backup_environment": {"DATABASE_URL": "postgresql://chat:sesame@db/chat"}},
        {"backup_environment": {"DATABASE_URL": "postgres://chat@db/chat", "WEBUI_NAME": "Chat"}},
        {"backup_environment": {"DATABASE_URL": "sqlite:////app/backend/data/webui.db"}},
    ],
)
def test_what_makes_sense_is_accepted(evaluated: Evaluated, variables: dict[str, t.Any]) -> None:
    assert refusals(evaluated, **variables) == []


@pytest.mark.parametrize(
    ("variables", "refused"),
    [
        ({"backup_directory": "backups"}, "backup_directory"),
        ({"backup_directory": "~/backups"}, "backup_directory"),
        ({"backup_directory": "/"}, "backup_directory"),
        ({"backup_directory": "/srv/../etc"}, "backup_directory"),
        ({"backup_controller_directory": "backups"}, "backup_controller_directory"),
        ({"backup_keep": {"last": 0, "daily": 0, "weekly": 0, "monthly": 0}}, "backup_keep"),
        ({"backup_keep": {"daily": -1}}, "backup_keep"),
        ({"backup_max_age": "2 days"}, "backup_max_age"),
        ({"backup_max_age": 2}, "backup_max_age"),
        ({"backup_max_age": "0d"}, "backup_max_age"),
        ({**RESTIC, "backup_restic_password": ""}, "backup_restic_repository"),
        ({**RESTIC, "backup_restic_repository": "backups/restic"}, "backup_restic_repository"),
        ({**RESTIC, "backup_controller_directory": "~/backups"}, "backup_restic_repository"),
        ({**RESTIC, "backup_restic_environment": {"RESTIC_PASSWORD": "x"}}, "backup_restic_environment"),
        ({**RESTIC, "backup_restic_environment": {"RESTIC_REPOSITORY_FILE": "x"}}, "backup_restic_environment"),
        ({**RESTIC, "backup_restic_environment": {"AWS KEY": "x"}}, "backup_restic_environment"),
        ({"backup_restic_check": "all"}, "backup_restic_check"),
        ({"backup_environment": {"DATABASE_URL": "mysql://chat:sesame@db/chat"}}, "Open"),
        ({"backup_environment": {"DATABASE_URL": "sqlite:////srv/other.db"}}, "Open"),
        ({"backup_environment": {"DATABASE_TYPE": "sqlite+sqlcipher"}}, "Open"),
    ],
)
def test_what_makes_no_sense_is_refused(evaluated: Evaluated, variables: dict[str, t.Any], refused: str) -> None:
    assert refusals(evaluated, **variables) == [refused]


def test_no_refusal_shows_a_secret(evaluated: Evaluated) -> None:
    secrets = {
        **RESTIC,
        "backup_restic_password": "sesame",
        "backup_restic_environment": {"AWS_SECRET_ACCESS_KEY": "sesame"},
        "backup_environment": {"DATABASE_URL": "mysql://chat:sesame@db/chat"},
    }
    rules = evaluated("rules", rules=REFUSALS["loop"], **secrets)
    assert [rule["that"] for rule in rules].count(False) == 1
    assert "sesame" not in json.dumps(rules)


def test_what_is_not_named_in_backup_keep_keeps_its_default(evaluated: Evaluated) -> None:
    documented = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())
    numbers = documented["argument_specs"]["main"]["options"]["backup_keep"]["options"]
    defaults = {name: option["default"] for name, option in numbers.items()}
    assert evaluated("__backup_keep_numbers") == evaluated("backup_keep") == defaults
    assert evaluated("__backup_keep_numbers", backup_keep={"monthly": "12"}) == {**defaults, "monthly": 12}


def test_the_program_gets_the_options_without_secrets(evaluated: Evaluated) -> None:
    said = evaluated(
        "__backup_variables",
        open_webui_version="0.12.4",
        open_webui_token="sesame",
        open_webui_secret_environment={"OPENAI_API_KEY": "sesame"},
        open_webui_environment={"WEBUI_NAME": "Chat", "SOME_API_KEY": 'ses"ame', "OPENAI_API_KEYS": "sesame;sesame"},
        open_webui_admin={"email": "a@example.com", "password": 'se"sa\\me'},
        open_webui_users=["kim@example.com", {"email": "lee@example.com", "password": "sesame"}],
        open_webui_users_password_directory="~/first-passwords",
        open_webui_ollama_urls=["http://kim:sesame@gpu1:11434"],
        open_webui_connections=[{"url": "http://vllm:8000/v1", "key": "sesame", "prefix_id": "key"}],
        unrelated="sesame",
    )
    assert said == {
        "open_webui_version": "0.12.4",
        "open_webui_token": None,
        "open_webui_environment": {"WEBUI_NAME": "Chat", "SOME_API_KEY": None, "OPENAI_API_KEYS": None},
        "open_webui_admin": {"email": "a@example.com", "password": None},
        "open_webui_users": ["kim@example.com", {"email": "lee@example.com", "password": None}],
        "open_webui_users_password_directory": "~/first-passwords",
        "open_webui_ollama_urls": ["http://gpu1:11434"],
        "open_webui_connections": [{"url": "http://vllm:8000/v1", "key": None, "prefix_id": "key"}],
    }


def test_a_repository_takes_the_place_of_the_directory(evaluated: Evaluated) -> None:
    assert evaluated("__backup_settings.restic") is None
    assert evaluated("__backup_target") == "/var/backups/selfhosted-llm/open-webui"
    assert evaluated("__backup_needed") == []
    assert evaluated("__backup_settings.restic", **RESTIC) == {
        "repository": RESTIC["backup_restic_repository"],
        "password_file": "/etc/selfhosted-llm/backup/open-webui.restic_password",
        "environment_file": "/etc/selfhosted-llm/backup/open-webui.restic_environment",
        "check": "5%",
    }
    assert evaluated("__backup_target", **RESTIC) == "rest:https://backup.example.com/gpu1/"
    assert evaluated("__backup_needed", **RESTIC) == ["restic"]
    assert json.loads(evaluated("__backup_secrets.restic_environment", backup_restic_environment={"N": 1})) == {
        "N": "1"
    }


def test_postgresql_is_dumped_by_its_own_client(evaluated: Evaluated) -> None:
    environment = {"DATABASE_URL": "postgresql://chat:sesame@db/chat"}
    assert evaluated("[__backup_settings.database_url, __backup_needed]") == [None, []]
    found = evaluated("[__backup_settings.database_url, __backup_needed]", backup_environment=environment)
    assert found == ["DATABASE_URL", ["pg_dump"]]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, []),
        ({"STORAGE_PROVIDER": "local", "VECTOR_DB": "chroma", "CHROMA_HTTP_HOST": ""}, []),
        ({"STORAGE_PROVIDER": "s3"}, ["STORAGE_PROVIDER"]),
        ({"VECTOR_DB": "qdrant", "STORAGE_PROVIDER": "gcs"}, ["STORAGE_PROVIDER", "VECTOR_DB"]),
        ({"CHROMA_HTTP_HOST": "chroma"}, ["VECTOR_DB"]),
    ],
)
def test_what_lies_elsewhere_is_said(evaluated: Evaluated, environment: dict[str, str], words: list[str]) -> None:
    said = evaluated("__backup_elsewhere", backup_environment=environment)
    assert [word for line in said for word in ("STORAGE_PROVIDER", "VECTOR_DB") if word in line] == words


def test_lost_files_are_reported(evaluated: Evaluated) -> None:
    made = {
        "id": "20261123T101500Z",
        "seconds": 1.0,
        "size": 1,
        "new_bytes": 1,
        "path": "/p",
        "program": {"version": "1"},
        "counts": {"files": 5},
        "removed": [],
        "warnings": [],
        "missing": [f"data/uploads/{n}" for n in range(5)],
    }
    (said,) = (evaluated("__backup_noted.lines", __backup_run={"stdout": json.dumps(made)})[key] for key in LOST)
    assert said.startswith("5 files")
    assert "data/uploads/2" in said
    made["missing"] = []
    assert LOST[0] not in evaluated("__backup_noted.lines", __backup_run={"stdout": json.dumps(made)})


def last(age: int) -> dict[str, t.Any]:
    backup = {"id": "20261123T101500Z", "age": age, "size": 2048}
    return {"last": backup, "number": 3, "scheduled": True, "failed": ""}


GOOD = last(3 * 3600)
NONE: dict[str, t.Any] = {"last": None, "number": 0, "scheduled": True, "failed": ""}


@pytest.mark.parametrize(
    ("found", "schedule", "warnings"),
    [
        ({}, "", []),
        ({}, "daily", ["no good backup", "does not run"]),
        ({"open-webui": GOOD}, "daily", []),
        ({"open-webui": NONE}, "daily", ["no good backup"]),
        ({"open-webui": {**NONE, "scheduled": False}}, "", []),
        ({"open-webui": last(3 * 86400)}, "daily", ["older than backup_max_age"]),
        ({"open-webui": {**last(3 * 86400), "scheduled": False}}, "", []),
        ({"open-webui": {**GOOD, "scheduled": False}}, "daily", ["does not run"]),
        ({"open-webui": GOOD}, "", ["still runs"]),
        ({"open-webui": {**GOOD, "failed": "No space left."}}, "daily", ["failed"]),
        ({"open-webui": {**NONE, "problem": "No route."}}, "daily", ["cannot be read, No route."]),
        ({"open-webui": GOOD, "ollama-two": NONE}, "daily", ["no good backup of ollama-two"]),
    ],
)
def test_verify_warns(evaluated: Evaluated, found: dict[str, t.Any], schedule: str, warnings: list[str]) -> None:
    said = evaluated("__backup_warnings", __backup_found=found, backup_schedule=schedule)
    assert len(said) == len(warnings)
    assert all(words in line for words, line in zip(warnings, said))


@pytest.mark.parametrize(("age", "words"), [(119, "1 min"), (3 * 3600, "3 h"), (47 * 3600, "47 h"), (3 * 86400, "3 d")])
def test_verify_shows_the_age(evaluated: Evaluated, age: int, words: str) -> None:
    said = evaluated("__backup_ages", __backup_found={"open-webui": last(age), "ollama": NONE})
    assert said == {"open-webui": f"20261123T101500Z, {words} old, 2.00 KB, one of 3"}


def install(directory: Path, files: dict[str, str], *options: str) -> str:
    script = ROLE / "files/install.py"
    done = subprocess.run(
        [sys.executable, script, directory, *options],
        input=json.dumps(files),
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_program_is_installed_as_it_is_now(tmp_path: Path) -> None:
    target = tmp_path / "lib/backup"
    assert install(target, {"a.py": "1", "b.py": "ü"}, "--check") == "a.py b.py"
    assert not target.exists()
    assert install(target, {"a.py": "1", "b.py": "ü"}) == "a.py b.py"
    assert install(target, {"a.py": "1", "b.py": "ü"}) == ""
    assert install(target, {"a.py": "2"}) == "a.py b.py"
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a.py": "2"}
    assert target.stat().st_mode & 0o777 == 0o755
    assert (target / "a.py").stat().st_mode & 0o777 == 0o644


def place(top: Path) -> Path:
    done = subprocess.run([sys.executable, ROLE / "files/place.py", top], text=True, capture_output=True, check=True)
    return Path(done.stdout.strip())


def test_a_place_for_the_transport_is_private_and_what_is_left_of_old_ones_goes(tmp_path: Path) -> None:
    top = tmp_path / "backups"
    first, second = place(top), place(top)
    assert first != second
    assert {path.stat().st_mode & 0o777 for path in (top, first, second)} == {0o700}
    (top / "open-webui").mkdir()
    for path in (first, top / "open-webui"):
        os.utime(path, (0, time.time() - 3 * 86400))
    place(top)
    assert not first.exists()
    assert second.exists()
    assert (top / "open-webui").exists()


def test_a_look_at_the_host_tells_of_every_service(tmp_path: Path) -> None:
    etc, programs = tmp_path / "etc", tmp_path / "bin"
    etc.mkdir()
    programs.mkdir()
    for name in ("chat", "ollama"):
        (etc / f"{name}.json").touch()
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "if sys.argv[2].endswith('ollama.json'): sys.exit('Two\\nThe repository is locked.')\n"
        'print(\'{"last": {"id": "x"}, "number": 2, "running": false}\')\n'
    )
    # The timer of chat runs, and the service of ollama has failed.
    systemctl = programs / "systemctl"
    systemctl.write_text('#!/bin/sh\n[ "$1 $3" = "is-active selfhosted-llm-backup@chat.timer" ] || ')
    with systemctl.open("a") as file:
        file.write('[ "$1 $3" = "is-failed selfhosted-llm-backup@ollama.service" ]\n')
    (programs / "journalctl").write_text(
        "#!/bin/sh\n[ $1 = _SYSTEMD_UNIT=selfhosted-llm-backup@ollama.service ] && echo Locked.\n"
    )
    for path in programs.iterdir():
        path.chmod(0o755)
    command = [sys.executable, str(ROLE / "files/look.py"), str(etc), str(program)]
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        "chat": {"last": {"id": "x"}, "number": 2, "scheduled": True, "failed": ""},
        "ollama": {"last": None, "problem": "The repository is locked.", "scheduled": False, "failed": "Locked."},
    }
