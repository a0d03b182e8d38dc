# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import docker_daemon_config

BEFORE = '{"log-opts": {"max-size": "10m", "max-file": "3"}, "hosts": ["unix://"]}'
OPTIONS = {"log-opts": {"max-size": "50m"}, "live-restore": True}
AFTER = {"log-opts": {"max-size": "50m", "max-file": "3"}, "hosts": ["unix://"], "live-restore": True}
DIFF = {
    "before": {"live-restore": None, "log-opts": {"max-size": "10m", "max-file": "3"}},
    "after": {"live-restore": True, "log-opts": {"max-size": "50m", "max-file": "3"}},
}

NEW_ENGINE = """\
[ "$1 $2" = "--validate --config-file" ] || exit 9
cp "$3" "$(dirname "$0")/validated.json"
echo "configuration OK" >&2
"""
# Seen: what dockerd 20.10 prints and returns.
OLD_ENGINE = """\
echo "unknown flag: --validate" >&2
echo "See 'dockerd --help'." >&2
exit 125
"""
REFUSING_ENGINE = """\
echo "unable to configure the Docker daemon with file $3: the following directives don't match any option: bogus" >&2
exit 1
"""


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Puts a dockerd with these lines of shell into PATH, or none."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for tool in ("cp", "dirname", "sh"):
        os.symlink(f"/bin/{tool}" if os.path.exists(f"/bin/{tool}") else f"/usr/bin/{tool}", bin_dir / tool)
    monkeypatch.setenv("PATH", str(bin_dir))

    def install(script):
        (bin_dir / "dockerd").write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        (bin_dir / "dockerd").chmod(0o755)
        return bin_dir

    install(NEW_ENGINE)
    return install


@pytest.fixture
def path(tmp_path, engine):
    file = tmp_path / "docker" / "daemon.json"
    file.parent.mkdir()
    file.write_text(BEFORE, encoding="utf-8")
    file.chmod(0o640)
    return file


@pytest.fixture
def run(run_module, path):
    return lambda params, **how: run_module(docker_daemon_config, {"path": str(path), **params}, **how)


def mode(file):
    return oct(stat.S_IMODE(file.stat().st_mode))


def files(path):
    return sorted(item.name for item in path.parent.iterdir())


def test_check_change_check_repeat(run, path):
    predicted = run({"options": OPTIONS}, check=True)
    assert (path.read_text(encoding="utf-8"), files(path)) == (BEFORE, ["daemon.json"])
    result = run({"options": OPTIONS})
    backup = result.pop("backup_file")
    assert {**result, "invocation": None} == {**predicted, "invocation": None}
    assert (result["changed"], result["diff"]) == (True, DIFF)
    assert (result["restart_required"], result["reload_required"]) == (True, False)
    assert json.loads(path.read_text(encoding="utf-8")) == AFTER
    assert mode(path) == "0o640"
    with open(backup, encoding="utf-8") as file:
        assert file.read() == BEFORE
    assert files(path) == sorted(["daemon.json", os.path.basename(backup)])
    for check in (True, False):
        result = run({"options": OPTIONS}, check=check)
        assert (result["changed"], result["diff"]) == (False, {"before": {}, "after": {}})
        assert (result["restart_required"], result["reload_required"]) == (False, False)
        assert "backup_file" not in result
    assert len(files(path)) == 2


def test_a_reload_is_enough(run):
    result = run({"options": {"live-restore": True}})
    assert (result["restart_required"], result["reload_required"]) == (False, True)


def test_without_backup(run, path):
    assert "backup_file" not in run({"options": OPTIONS, "backup": False})
    assert files(path) == ["daemon.json"]


def test_removing_an_option(run, path):
    result = run({"options": {"hosts": None, "log-opts": {"max-file": None}, "not-there": None}})
    assert json.loads(path.read_text(encoding="utf-8")) == {"log-opts": {"max-size": "10m"}}
    assert result["diff"]["after"] == {"hosts": None, "log-opts": {"max-size": "10m"}}
    assert run({"options": {"hosts": None, "log-opts": {"max-file": None}, "not-there": None}})["changed"] is False


@pytest.mark.parametrize("existing", ["file", "directory", "nothing"])
def test_a_new_file(run, path, existing):
    umask = os.umask(0o077)
    try:
        path.unlink()
        if existing == "nothing":
            path.parent.rmdir()
        if existing == "file":
            path.touch(mode=0o600)
        assert run({"options": {"debug": True}}, check=True)["changed"] is True
        assert path.exists() is (existing == "file")
        result = run({"options": {"debug": True}})
    finally:
        os.umask(umask)
    assert path.read_text(encoding="utf-8") == '{\n  "debug": true\n}\n'
    assert mode(path) == ("0o600" if existing == "file" else "0o644")
    assert ("backup_file" in result) is (existing == "file")


def test_no_options_make_no_file(run, path):
    path.unlink()
    assert run({"options": {}})["changed"] is False
    assert not path.exists()


def test_a_link_stays_a_link(run, path):
    target = path.parent / "real.json"
    path.rename(target)
    path.symlink_to(target)
    run({"options": OPTIONS})
    assert path.is_symlink()
    assert json.loads(target.read_text(encoding="utf-8")) == AFTER


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("content", ["{", "[]", "debug = true"])
def test_a_file_that_is_no_json_object_is_not_touched(run, path, content, check):
    path.write_text(content, encoding="utf-8")
    result = run({"options": OPTIONS}, check=check, fails=True)
    assert result["msg"].startswith(f"{path} is not ")
    assert (path.read_text(encoding="utf-8"), files(path)) == (content, ["daemon.json"])


def test_the_engine_sees_the_new_content_before_it_is_in_place(run, engine):
    run({"options": OPTIONS}, check=True)
    validated = engine(NEW_ENGINE) / "validated.json"
    assert json.loads(validated.read_text(encoding="utf-8")) == AFTER


@pytest.mark.parametrize("check", [False, True])
def test_what_the_engine_refuses_is_not_written(run, path, engine, check):
    engine(REFUSING_ENGINE)
    result = run({"options": {"bogus": 1}}, check=check, fails=True)
    assert f"refuses the new {path}: unable to configure the Docker daemon with file {path}: " in result["msg"]
    assert "bogus" in result["msg"]
    assert (path.read_text(encoding="utf-8"), files(path)) == (BEFORE, ["daemon.json"])


def test_an_engine_that_cannot_validate(run, path, engine):
    engine(OLD_ENGINE)
    assert run({"options": OPTIONS})["changed"] is True
    assert json.loads(path.read_text(encoding="utf-8")) == AFTER


def test_no_temporary_file_is_left_behind(run, path, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    run({"options": OPTIONS}, check=True)
    run({"options": OPTIONS})
    assert [item for item in (tmp_path / "tmp").rglob("*") if item.is_file()] == []


def test_a_path_that_is_a_directory(run, path):
    assert "cannot be read or written" in run({"path": str(path.parent), "options": OPTIONS}, fails=True)["msg"]


def test_secrets_stay_out_of_the_diff(run, path):
    path.write_text('{"log-opts": {"splunk-token": "s3cret", "tag": "a"}}', encoding="utf-8")
    result = run({"options": {"log-opts": {"tag": "b"}}})
    assert "s3cret" not in str(result)
    assert "s3cret" in path.read_text(encoding="utf-8")
