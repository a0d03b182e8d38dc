# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of the testbed that a run on one machine does not show."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

from tests.testbed import base, hosts, images
from tests.testbed.shell import BedError

STANZAS = """\
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib

# The next one is switched off in the way of this format.
Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm-security
Components: main

Types: deb
URIs: http://security.example/debian-security/
Suites: bookworm-security
Components: main
"""
LINES = """\
# deb http://cdrom.example bookworm main
deb [signed-by=/usr/share/keyrings/x.gpg arch=amd64] http://mirror.example/debian bookworm contrib main
deb http://mirror.example/other bookworm/ ./
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STANZAS, ("http://mirror.example/debian", "http://security.example/debian-security/")),
        (LINES, ("http://mirror.example/debian", None)),
    ],
)
def test_mirrors_are_the_machines_own(text: str, expected: tuple[str, str | None]) -> None:
    assert base.mirrors(text, "bookworm") == expected


@pytest.mark.parametrize("codename", ["", "noble"])
def test_a_machine_without_debian_sources_says_so(codename: str) -> None:
    with pytest.raises(BedError, match="no Debian package source"):
        base.mirrors(STANZAS, codename)


def test_a_host_on_cgroup_v2_is_privileged_in_a_namespace_of_its_own() -> None:
    options, command = hosts.flags("2")
    assert {"--privileged", "--cgroupns=private"} <= set(options)
    assert not [option for option in options if "/sys/fs/cgroup" in option or "cap-add" in option]
    assert command == ()


def test_a_host_on_cgroup_v1_knows_its_place_in_the_machines_tree() -> None:
    options, command = hosts.flags("1")
    assert {"--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", "--cap-add=SYS_ADMIN"} <= set(options)
    assert "--privileged" not in options
    assert command[0] == "/sbin/init"


@pytest.mark.parametrize("change", ["file", "mode", "new file", "argument"])
def test_each_input_of_an_image_makes_it_stale(
    change: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "inspect", lambda kind, name: {"Id": "sha256:parent"})
    image = images.CATALOGUE["open-webui-next"]
    context = tmp_path / "context"
    shutil.copytree(images.HERE / image.folder, context)
    before = images.digest(image, context)
    assert images.digest(image, context) == before
    if change == "file":
        (context / "Dockerfile").write_text("FROM scratch\n")
    elif change == "mode":
        (context / "Dockerfile").chmod(0o755)
    elif change == "new file":
        (context / "more").touch()
    else:
        image = images.next_open_webui("another:parent")
        image = images.Image(image.tag, image.parent, image.folder, arguments=("NEXT=9",))
    assert images.digest(image, context) != before


@pytest.mark.parametrize(
    ("environment", "key", "made"),
    [
        ({"WEBUI_SECRET_KEY": "given"}, "given", False),
        ({"WEBUI_JWT_SECRET_KEY": "old"}, "", False),
        ({"WEBUI_SECRET_KEY_FILE": "here"}, "from-file", False),
        ({"WEBUI_SECRET_KEY_FILE": "elsewhere"}, None, True),
        ({}, None, True),
    ],
)
def test_start_script_takes_the_key_from_the_environment_or_a_file(
    environment: dict[str, str], key: str | None, made: bool, tmp_path: pathlib.Path
) -> None:
    shutil.copy(images.HERE / "open-webui" / "start.sh", tmp_path)
    (tmp_path / "here").write_text("from-file\n")
    server = tmp_path / "bin" / "python3"
    server.parent.mkdir()
    server.write_text('#!/bin/sh\nprintf %s "$WEBUI_SECRET_KEY" > served\n')
    server.chmod(0o755)
    path = {"PATH": f"{server.parent}:/usr/bin:/bin"}
    subprocess.run(["bash", str(tmp_path / "start.sh")], env={**environment, **path}, check=True, capture_output=True)
    file = tmp_path / environment.get("WEBUI_SECRET_KEY_FILE", ".webui_secret_key")
    assert file.exists() == (made or key == "from-file")
    served = (tmp_path / "served").read_text()
    assert served == (file.read_text().strip() if made else key)
    assert len(served) == 16 or not made
