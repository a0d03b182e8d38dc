# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import record
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.record import Records

URL = "http://127.0.0.1:11434"
NAME = parse("mine")
DIGEST, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def reports():
    return []


@pytest.fixture
def records(tmp_path, reports):
    """A function that gives the records as the next run sees them."""
    return lambda url=URL: Records(str(tmp_path / "state" / "records"), url, lambda *line: reports.append(line))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF one")
    return path


def test_nothing_is_known_at_first(records, tmp_path):
    assert records().made_of(NAME, DIGEST) is None
    assert not (tmp_path / "state").exists()


def test_a_record_counts_while_its_digest_is_installed(records):
    records().write(NAME, [], DIGEST, {"files": "x"})
    assert records().made_of(NAME, DIGEST) == {"files": "x"}
    assert records().made_of(parse("MINE:latest"), DIGEST) == {"files": "x"}
    assert records().made_of(NAME, OTHER) is None
    assert records().made_of(parse("mine:other"), DIGEST) is None
    assert records("http://127.0.0.1:11435").made_of(NAME, DIGEST) is None


def test_a_record_is_replaced_and_private(records, tmp_path):
    records().write(NAME, [], DIGEST, {"files": "x"})
    records().write(NAME, [], OTHER, {"files": "y"})
    assert records().made_of(NAME, OTHER) == {"files": "y"}
    assert records().made_of(NAME, DIGEST) is None
    (path,) = (tmp_path / "state" / "records").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {
        "url": URL,
        "model": "mine:latest",
        "digest": OTHER,
        "made_of": {"files": "y"},
        "files": {},
    }


def test_a_file_is_read_once(records, reports, source, monkeypatch):
    monkeypatch.setattr(record, "BLOCK", 5)
    digest = "sha256:" + hashlib.sha256(b"GGUF one").hexdigest()
    first = records()
    assert first.sha256(NAME, str(source)) == digest
    assert reports == [("mine:latest", "reading m.gguf", 5, 8), ("mine:latest", "reading m.gguf", 8, 8)]
    assert first.sha256(NAME, str(source)) == digest
    first.write(NAME, [str(source)], None, {})
    assert records().sha256(NAME, str(source)) == digest
    assert len(reports) == 2


@pytest.mark.parametrize("content", [b"GGUF two", b"GGUF three"])
def test_a_file_that_changed_is_read_again(records, reports, source, content):
    first = records()
    first.sha256(NAME, str(source))
    first.write(NAME, [str(source)], None, {})
    source.write_bytes(content)
    os.utime(source, ns=(1, 1))
    assert records().sha256(NAME, str(source)) == "sha256:" + hashlib.sha256(content).hexdigest()
    assert len(reports) == 2


def test_before_the_model_is_made_the_old_record_stays(records, source):
    records().write(NAME, [], DIGEST, {"files": "x"})
    second = records()
    second.sha256(NAME, str(source))
    second.write(NAME, [str(source)], None, {})
    assert records().made_of(NAME, DIGEST) == {"files": "x"}


def test_digests_of_files_that_are_not_used_any_more_go(records, tmp_path, source):
    first = records()
    first.sha256(NAME, str(source))
    first.write(NAME, [str(source)], None, {})
    records().write(NAME, [], DIGEST, {})
    (path,) = (tmp_path / "state" / "records").iterdir()
    assert json.loads(path.read_text())["files"] == {}


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        json.dumps({"digest": DIGEST, "files": {}}),
        json.dumps({"digest": DIGEST, "made_of": [], "files": {}}),
        json.dumps({"digest": DIGEST, "made_of": {}, "files": {"/m.gguf": 1}}),
        json.dumps({"digest": DIGEST, "made_of": {}, "files": {"/m.gguf": [1, 2]}}),
        "\udcff",
    ],
)
def test_a_damaged_record_counts_as_none(records, tmp_path, source, damage):
    records().write(NAME, [], DIGEST, {"files": "x"})
    (path,) = (tmp_path / "state" / "records").iterdir()
    path.write_text(damage, encoding="utf-8", errors="surrogateescape")
    again = records()
    assert again.made_of(NAME, DIGEST) is None
    again.sha256(NAME, str(source))
    again.write(NAME, [str(source)], DIGEST, {"files": "x"})
    assert records().made_of(NAME, DIGEST) == {"files": "x"}


def test_a_file_that_cannot_be_read(records, tmp_path):
    with pytest.raises(ServiceError) as failure:
        records().sha256(NAME, str(tmp_path / "none.gguf"))
    assert failure.value.message == f"{tmp_path}/none.gguf cannot be read: No such file or directory."
    assert failure.value.url == URL


def test_a_directory_that_cannot_be_written(records, tmp_path):
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ServiceError) as failure:
        records().write(NAME, [], DIGEST, {})
    assert failure.value.message == (
        f"What mine:latest is made of cannot be recorded in {tmp_path}/state/records: Not a directory."
    )


def test_a_write_that_fails_leaves_the_old_record_and_nothing_else(records, tmp_path, monkeypatch):
    records().write(NAME, [], DIGEST, {"files": "x"})

    def full(*_paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ServiceError, match="No space left on device"):
        records().write(NAME, [], OTHER, {"files": "y"})
    assert records().made_of(NAME, DIGEST) == {"files": "x"}
    assert len(list((tmp_path / "state" / "records").iterdir())) == 1
