# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database in PostgreSQL: what its programs are told, and what becomes of their answers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from backup_service import Service

PASSWORD = "p@ss:w/rd%"
URL = "postgresql+psycopg://owui:p%40ss%3Aw%2Frd%25@db.example.com:5433/web%20ui?sslmode=require"
# Each notes how it was called; psql answers from a file that is named after the table.
PG_DUMP = """#!/bin/sh
here=$(dirname "$0")
echo "pg_dump $*" >> "$here/pg.log"
env | grep ^PG >> "$here/pg.env"
[ -e "$here/broken" ] && { echo 'pg_dump: error: server version: 17; pg_dump version: 15' >&2; exit 1; }
for argument; do case "$argument" in --file=*) echo dump > "${argument#--file=}";; esac; done
"""
PSQL = """#!/bin/sh
echo "psql $*" >> "$(dirname "$0")/pg.log"
case "$*" in
  *pg_tables*) printf 'user\\nchat\\nfile\\nalembic_version\\n';;
  *alembic_version*) echo c0ffee;;
  *'lower(email)'*) printf 'ada@example.com\\n';;
  *'SELECT path'*) printf '/app/backend/data/uploads/a.txt\\n/app/backend/data/uploads/gone.txt\\n';;
  *) echo 7;;
esac
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.settings["database_url"] = "DATABASE_URL"
    (service.config_directory / "environment").write_text(f"export WEBUI_SECRET_KEY=x\nexport DATABASE_URL='{URL}'\n")
    service.upload("a.txt", b"text")
    service.program("pg_dump", PG_DUMP)
    service.program("pg_restore", '#!/bin/sh\necho "pg_restore $*" >> "$(dirname "$0")/pg.log"\n')
    service.program("psql", PSQL)
    return service


def test_it_is_dumped_and_read_again(service: Service) -> None:
    answer = service.take().answer
    dump = service.latest() / "data/database.dump"
    assert dump.read_text() == "dump\n"
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert not (service.latest() / "data/webui.db").exists()
    assert answer["database"] == "postgresql"
    assert answer["schema"] == ["c0ffee"]
    assert answer["counts"]["chats"] == 7
    assert answer["counts"]["notes"] is None
    assert answer["missing"] == ["data/uploads/gone.txt"]
    commands = [line.split()[:2] for line in (service.programs / "pg.log").read_text().splitlines()]
    assert commands[:2] == [["pg_dump", "--format=custom"], ["pg_restore", "--list"]]


def test_the_password_is_no_argument(service: Service) -> None:
    run = service.take()
    environment = (service.programs / "pg.env").read_text().splitlines()
    assert sorted(line for line in environment if not line.startswith("PGCONNECT")) == [
        "PGDATABASE=web ui",
        "PGHOST=db.example.com",
        f"PGPASSWORD={PASSWORD}",
        "PGPORT=5433",
        "PGSSLMODE=require",
        "PGUSER=owui",
    ]
    for text in ((service.programs / "pg.log").read_text(), run.said, str(run.answer)):
        assert PASSWORD not in text
        assert "p%40ss" not in text


def test_what_the_program_says_is_passed_on(service: Service) -> None:
    (service.programs / "broken").touch()
    said = service.take(fails=True).said
    assert "A dump of the database web ui on db.example.com failed: pg_dump: error: server version: 17" in said
    assert service.ids() == []


@pytest.mark.parametrize("line", ["", "export DATABASE_URL=sqlite:////data/webui.db", "export OTHER=postgresql://x/y"])
def test_without_a_url_nothing_is_guessed(service: Service, line: str) -> None:
    (service.config_directory / "environment").write_text(line)
    assert "DATABASE_URL" in service.take(fails=True).said
    assert service.ids() == []


def test_the_chats_of_one_account_are_not_in_reach(service: Service) -> None:
    service.take()
    said = service.run("account", service.latest(), "ada@example.com", service.root / "out.json", fails=True).said
    assert "holds no SQLite database" in said
    assert service.run("contents", service.latest()).answer["counts"]["chats"] == 7
