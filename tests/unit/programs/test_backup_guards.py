# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup does on a host where something is wrong: its clock, its disk, its engine, or the service itself."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from backup_service import PROGRAM, Service, mounted

FUTURE = "29990101T000000Z"
# Runs the program after a preparation, which sees the audit events of Python.
PREPARED = "import sys\nsys.path.insert(0, sys.argv.pop(1))\n{}\nimport commands\ncommands.main()\n"
# It saves a copy of the tree, and has a repository when "there" exists.
RESTIC = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
  unlock) [ -e "$here/there" ] || { echo "no repository at $RESTIC_REPOSITORY" >&2; exit 1; };;
  init) touch "$here/there";;
  backup) cp -R . "$here/saved"; echo '{"message_type": "summary", "snapshot_id": "1", "data_added": 1}';;
  snapshots|forget) echo '[]';;
esac
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.upload("a.txt", b"text")
    return service


def prepared(service: Service, preparation: str, *arguments: t.Any) -> subprocess.CompletedProcess[str]:
    script = PREPARED.format(preparation)
    command = [sys.executable, "-c", script, str(PROGRAM), "take", service.config(), *map(str, arguments)]
    return subprocess.run(command, env=service.environment(), capture_output=True, text=True, check=False, timeout=60)


def to_the_future(service: Service) -> None:
    manifest = {**service.manifest(), "id": FUTURE, "finished": "2999-01-01T00:00:00Z"}
    (service.latest() / "manifest.json").write_text(json.dumps(manifest))
    service.latest().rename(service.store / FUTURE)


def test_a_backup_of_the_future_would_hide_new_ones(service: Service) -> None:
    service.take()
    to_the_future(service)
    said = service.take(fails=True).said
    assert f"The backup {FUTURE} in {service.store} is " in said
    assert "clock is wrong" in said
    assert service.ids() == [FUTURE]


def test_a_snapshot_of_the_future_would_hide_new_ones(service: Service) -> None:
    to_repository(service)
    (service.programs / "snapshots").write_text(json.dumps([{"id": "1", "tags": [f"id={FUTURE}"]}]))
    service.program("restic", RESTIC.replace("snapshots|forget) echo '[]'", 'snapshots) cat "$here/snapshots"'))
    said = service.take(fails=True).said
    assert f"The backup {FUTURE} in /repository is " in said
    assert not (service.programs / "saved").exists()


def test_a_new_one_stays_on_the_controller_whatever_the_clock_was(service: Service) -> None:
    away = service.root / "away"
    service.settings["directory"] = str(away)
    service.take()
    service.store, service.directory = away / "open-webui", away
    to_the_future(service)
    service.settings["directory"] = str(service.root / "backups")
    new = service.take().answer["id"]
    service.run("pack", service.root / "backups/open-webui", new, service.root / "out.tar")
    answer = service.run("unpack", service.root / "out.tar", service.store, "--keep", '{"last": 1}').answer
    assert answer["removed"] == []
    assert service.ids() == [new, FUTURE]


def test_a_directory_that_cannot_be_read_is_not_an_empty_one(service: Service) -> None:
    (service.data / "uploads/sub").mkdir()
    done = prepared(
        service,
        "import errno\n"
        "def hook(event, details):\n"
        "    if event == 'os.scandir' and str(details[0]).endswith('uploads/sub'):\n"
        "        raise OSError(errno.EIO, 'Input/output error', details[0])\n"
        "sys.addaudithook(hook)",
    )
    assert done.returncode == 1
    assert "Input/output error" in done.stderr
    assert service.ids() == []


def test_a_directory_that_is_exchanged_while_it_is_read_brings_nothing_from_elsewhere(service: Service) -> None:
    """The service's container writes to the data directory, and the program is root."""
    secret, folder = service.root / "secret", service.data / "uploads/sub"
    for place in (secret, folder):
        place.mkdir()
        (place / "key").write_text(place.name)
    done = prepared(
        service,
        f"import os\nsecret, folder = {str(secret)!r}, {str(folder)!r}\n"
        "def hook(event, details):\n"
        "    if event == 'open' and str(details[0]).endswith('key') and not os.path.islink(folder):\n"
        "        os.rename(folder, folder + '.old')\n"
        "        os.symlink(secret, folder)\n"
        "sys.addaudithook(hook)",
    )
    assert done.returncode == 0, done.stderr
    assert folder.is_symlink()
    assert (service.latest() / "data/uploads/sub/key").read_text() == "sub"


def damage(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(b"?" * facts.st_size)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_damage_that_shows_only_when_a_file_is_read_does_not_go_on_into_new_backups(service: Service) -> None:
    service.take()
    copy = service.set_back() / "data/uploads/a.txt"
    damage(copy)
    done = prepared(service, "import tree\ntree.DAYS = 1")
    (warning,) = json.loads(done.stdout)["warnings"]
    assert f"{copy} is damaged" in warning
    assert (service.latest() / "data/uploads/a.txt").read_bytes() == b"text"
    assert service.run("verify", service.latest()).answer["files"] == len(service.manifest()["files"])


def test_a_part_of_the_files_is_read_each_day(service: Service) -> None:
    uploads = service.data / "uploads"
    for number in range(150):
        (uploads / str(number)).write_text(str(number))
        os.utime(uploads / str(number), (1, 1))
    service.take()
    for copy in (service.set_back() / "data/uploads").iterdir():
        damage(copy)
    warnings = [line for line in service.take().answer["warnings"] if "is damaged" in line]
    # On each of 30 days five, if their digests were spread evenly.
    assert 2 <= len(warnings) <= 12


def test_an_engine_that_hangs_holds_up_no_backup(service: Service) -> None:
    (service.data / "vector_db").mkdir()
    (service.data / "vector_db/chroma.sqlite3").touch()
    service.program("docker", '#!/bin/sh\necho "$*" > "$(dirname "$0")/docker.log"\nexec sleep 100\n')
    done = prepared(service, "import config, vectors\nconfig.PATIENCE = vectors.PATIENCE = 0.5")
    vectors = json.loads(done.stdout)["vectors"]
    assert vectors["state"] == "reindex"
    assert "was given up after" in vectors["reason"]
    assert "--oom-score-adj 1000" in (service.programs / "docker.log").read_text()


def test_the_proof_ends_itself(tmp_path: Path) -> None:
    """Its container outlives a backup that was killed."""
    (tmp_path / "chromadb.py").write_text("import time\ntime.sleep(50)\n")
    script = (PROGRAM / "proof.py").read_text().replace("LIMIT_SECONDS = 3600", "LIMIT_SECONDS = 1")
    command = [sys.executable, "-c", script, "/from", "/to"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr


def to_repository(service: Service, url: str = "/repository") -> None:
    (service.root / "password").write_text("sesame")
    service.program("restic", RESTIC)
    service.settings["restic"] = {
        "repository": url,
        "password_file": str(service.root / "password"),
        "environment_file": "",
        "check": "",
    }


def test_a_repository_that_is_gone_is_not_made_again(service: Service) -> None:
    to_repository(service)
    service.take()
    (service.programs / "there").unlink()
    said = service.take(fails=True).said
    assert "which has earlier backups, cannot be opened (no repository at /repository)" in said
    assert not (service.programs / "there").exists()
    service.settings["restic"]["repository"] = "/another"
    service.take()


def test_a_password_that_restic_quotes_is_not_said(service: Service) -> None:
    """It does so when it cannot read the URL."""
    to_repository(service, "rest:http://kim:ses/a@me@backup.example.com/")
    service.program("restic", '#!/bin/sh\necho "Fatal: parse \\"$RESTIC_REPOSITORY\\": invalid port" >&2\nexit 1\n')
    said = service.take(fails=True).said
    assert "invalid port" in said
    assert "rest:http://backup.example.com/" in said
    assert not [part for part in ("kim", "ses", "a@me") if part in said]


def test_a_file_that_is_exchanged_before_it_is_borrowed_is_saved_as_it_was(service: Service) -> None:
    """The service's container writes to the data directory, and the program is root."""
    to_repository(service)
    secret, upload = service.root / "secret", service.data / "uploads/a.txt"
    secret.write_text("secret")
    done = prepared(
        service,
        f"import os\nsecret, upload = {str(secret)!r}, {str(upload)!r}\n"
        "def hook(event, details):\n"
        "    if event == 'os.link' and not os.path.islink(upload):\n"
        "        os.rename(upload, upload + '.old')\n"
        "        os.symlink(secret, upload)\n"
        "sys.addaudithook(hook)",
    )
    assert done.returncode == 0, done.stderr
    assert upload.is_symlink()
    saved = service.programs / "saved/data/uploads/a.txt"
    assert not saved.is_symlink()
    assert saved.read_text() == "text"


class Models(http.server.BaseHTTPRequestHandler):
    """A server of Ollama with one model."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(
            b'{"version": "1", "models": [{"name": "evil:latest", "digest": "", "size": 1, "details": {}}]}'
        )


def test_the_manifest_of_a_model_leads_nowhere_else(service: Service) -> None:
    """Ollama writes it, and the program is root. By a link the two paths with dots differ in their depth."""
    models = service.root / "volume/models"
    manifest = models / "manifests/registry.ollama.ai/library/evil"
    (models / "blobs/1/2/3/4/5/6/7/8").mkdir(parents=True)
    (models / "blobs/sha256-a").symlink_to("1/2/3/4/5/6/7/8")
    (models / "blobs/1/2/outside").write_text("anything")
    manifest.parent.mkdir(parents=True)
    # From models/blobs/sha256-a of the tree six up, which is beside the backups.
    layer = {"digest": "sha256:a/../../../../../../outside", "size": 8, "mediaType": "application/x"}
    manifest.mkdir()
    (manifest / "latest").write_text(json.dumps({"layers": [], "config": layer}))
    with http.server.HTTPServer(("127.0.0.1", 0), Models) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api = f"http://127.0.0.1:{server.server_port}"
        service.settings.update(service="ollama", name="ollama", api=api, data=str(models), config="")
        said = service.take(fails=True).said
        server.shutdown()
    assert "the manifest of the model evil:latest, is damaged" in said
    assert not (service.root / "outside").exists()


@pytest.fixture
def old_disk(service: Service) -> t.Iterator[None]:
    """The directory of backups is a file system of 4 MiB that can only be read after the first backup."""
    service.directory.mkdir()
    with mounted(service.directory, "4m"):
        service.take()
        subprocess.run(["mount", "-o", "remount,ro", str(service.directory)], check=True)
        yield


@pytest.mark.usefixtures("old_disk")
def test_a_disk_that_can_only_be_read_gives_its_backups(service: Service) -> None:
    answer = service.run("bring", service.store, "latest", service.root / "back").answer
    assert answer["id"] == service.latest().name


def test_a_packed_backup_that_would_fill_the_disk_is_not_begun(service: Service) -> None:
    service.take()
    manifest = service.manifest()
    manifest["files"][0]["size"] = 1 << 60
    (service.latest() / "manifest.json").write_text(json.dumps(manifest))
    said = service.run("pack", service.store, "latest", service.root / "out.tar", fails=True).said
    assert "make room" in said
    assert not list(service.root.glob("out.tar*"))


def test_some_of_the_disk_stays_free(service: Service) -> None:
    service.directory.mkdir()
    with mounted(service.directory, "10m"):
        upload = service.upload("large.bin", b"x")
        # It fits, and little else would.
        os.truncate(upload, (10 << 20) - 200_000)
        said = service.take(fails=True).said
        assert "524288 stay free" in said
        os.truncate(upload, 9 << 20)
        service.take()


def test_the_vectors_are_copied_once_more_when_they_are_opened(service: Service) -> None:
    def needed() -> int:
        return service.run("take", service.config(), "--check").answer["needed"]

    before = needed()
    (service.data / "vector_db").mkdir()
    (service.data / "vector_db/index.bin").write_bytes(b"x" * 5000)
    assert needed() - before == 2 * 5000


def test_a_repository_that_does_not_answer_holds_up_no_look(tmp_path: Path) -> None:
    (tmp_path / "chat.json").touch()
    program, look = tmp_path / "program.py", tmp_path / "look.py"
    program.write_text("import time\ntime.sleep(50)\n")
    look.write_text((PROGRAM.parent / "look.py").read_text().replace('"60"', '"1"'))
    command = [sys.executable, str(look), str(tmp_path), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert "did not answer within 1 seconds" in json.loads(done.stdout)["chat"]["problem"]
