# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that come from elsewhere: pulled from a public registry, or debian made from the machine's own mirror."""

from __future__ import annotations

import os
import pathlib
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time

from tests.testbed import engine
from tests.testbed.shell import CACHE, BedError, docker, inspect, run, say, step

RELEASES = {"12": "bookworm", "13": "trixie"}
FIRST_ANSWER = 10
WHOLE_PULL = 1800

_one_pull = threading.Lock()
_one_install = threading.Lock()
_no_registry = threading.Event()


def forced() -> str | None:
    """What DEMO_OLLAMA asks for: the real images, the ones built here, or (None) whatever is possible."""
    wish = os.environ.get("DEMO_OLLAMA") or None
    if wish not in (None, "image", "standin"):
        raise BedError(f"DEMO_OLLAMA={wish} is not known.", "Use image or standin, or leave it unset.")
    return wish


def pull(reference: str, insist: bool = False) -> bool:
    """Pull an image. After one registry that did not answer no other is tried, unless the user insists."""
    if inspect("image", reference):
        return True
    with _one_pull:
        if _no_registry.is_set() and not insist:
            return False
        started = time.monotonic()
        words = _pull(reference)
        if words is None:
            say(f"{reference}: pulled in {time.monotonic() - started:.0f} s")
            return True
    if insist:
        raise BedError(f"Pulling {reference} failed.", "Check the network, or use DEMO_OLLAMA=standin.", words)
    _no_registry.set()
    say(f"{reference}: not pulled, and no other image is tried ({words.splitlines()[-1].strip()})")
    return False


def _pull(reference: str) -> str | None:
    """None after success, otherwise the engine's words."""
    client = subprocess.Popen(
        ["docker", "pull", reference], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in client.stdout or ():
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    words = ""
    deadline = time.monotonic() + FIRST_ANSWER
    try:
        while (line := lines.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
            words += line
            if "Pulling from" in line:
                deadline = time.monotonic() + WHOLE_PULL
        return words or "no word from the engine" if client.wait(timeout=30) else None
    except queue.Empty:
        return f"{words}no answer in time"
    finally:
        client.kill()


def debian(version: str) -> None:
    """Leave with the image debian:<version>, under this tag wherever it comes from."""
    tag = f"debian:{version}"
    if inspect("image", tag) or pull(tag):
        return
    with _one_install:
        if not shutil.which("mmdebstrap"):
            engine.install("mmdebstrap")
    with step(f"{tag}: making it with mmdebstrap"), tempfile.TemporaryDirectory(dir=_cache()) as folder:
        archive = f"{folder}/root.tar"
        # Like the "slim" images: no manual pages and translations, which nothing here reads.
        options = ["--variant=minbase", '--aptopt=Acquire::Languages "none"']
        options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
        run(
            ["mmdebstrap", *options, RELEASES[version], archive, *sources(version)],
            f"Making {tag}",
            "Check that the machine's own Debian mirror is reachable.",
            timeout=600,
        )
        docker("import", archive, tag, doing=f"Importing {tag}", timeout=300)


def _cache() -> pathlib.Path:
    CACHE.mkdir(exist_ok=True)
    return CACHE


def sources(version: str, etc: pathlib.Path = pathlib.Path("/etc/apt")) -> list[str]:
    """Package sources of a release, on the mirrors of this machine."""
    own = re.search(r"VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text())
    codename = own.group(1) if own else ""
    text = "\n".join(
        path.read_text()
        for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
        if path.suffix in (".list", ".sources") and path.exists()
    )
    mirror, security = mirrors(text, codename)
    release = RELEASES[version]
    lines = [f"deb {mirror} {release} main", f"deb {mirror} {release}-updates main"]
    return lines + ([f"deb {security} {release}-security main"] if security else [])


def mirrors(text: str, codename: str) -> tuple[str, str | None]:
    """Addresses of the archive and of its security updates in the machine's apt sources, in either format."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+.*\bmain\b", line):
            found.setdefault(match.group(2), match.group(1))
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\w+):\s*(.+)$", stanza, re.MULTILINE))
        if "deb" in fields.get("Types", "").split() and "URIs" in fields:
            for suite in fields.get("Suites", "").split():
                found.setdefault(suite, fields["URIs"].split()[0])
    if not codename or codename not in found:
        raise BedError(
            "No image registry answers, and this machine has no Debian package source to make a base image from.",
            "Give the engine a registry, or load debian:12 and debian:13 into it (docker load).",
        )
    return found[codename], found.get(f"{codename}-security")
