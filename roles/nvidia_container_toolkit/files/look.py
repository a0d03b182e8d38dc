# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at what a host with GPUs has of the container toolkit beside its packages, and changes nothing.

Argument: a JSON object with ``url`` (of the repository), ``ours`` (the file that holds our entry for it) and
``install`` (whether our entry is about to be written).
Prints a JSON object: ``stale`` (files with entries for the toolkit that are dead or stand in the way of ours: ``path``,
and ``rest``, the content without them, null when nothing is left), ``contested`` (whether apt gives up because entries
for the same repository name different keys), ``hooks`` ("missing", "new" since the engine's start, or "known" to it)
and ``mig`` (whether the CDI specifications have the MIG instances that exist).
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import sys

SOURCES = ("etc/apt/sources.list", "etc/apt/sources.list.d/*.list", "etc/apt/sources.list.d/*.sources")
REPOSITORIES = ("etc/yum.repos.d/*.repo",)
PAGES = r"https?://nvidia\.github\.io"
# Repositories that were given up, and the directories per distribution of the one that was not.
DEAD = re.compile(
    rf"{PAGES}/(nvidia-docker|nvidia-container-runtime|libnvidia-container/((stable|experimental)/)?[a-z-]+\d)"
)
HOOK = "nvidia-container-runtime-hook"
# Devices of the driver as a whole; the others belong to instances.
MIG_CONFIG_AND_MONITOR = {1, 2}


def read(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def parts(path, text):
    """The text in pieces of one entry each, or of what stands between entries."""
    if path.endswith(".repo"):
        return re.split(r"(?m)^(?=\[)", text)
    if path.endswith(".sources"):
        return re.findall(r"(?:.+\n?)+|\n+", text)
    return text.splitlines(keepends=True)


def addresses(path, part):
    """Where the entry leads to; none for a comment."""
    if path.endswith(".repo"):
        found = re.search(r"(?m)^(?:baseurl|metalink|mirrorlist)\s*=(.*(?:\n[ \t]+.*)*)", part)
    elif path.endswith(".sources"):
        found = re.search(r"(?mi)^URIs:(.*(?:\n[ \t]+.*)*)", part)
    else:
        found = re.match(r"\s*deb(?:-src)?\s+(?:\[[^]]*\]\s+)?(\S+)", part)
    return found[1].split() if found else []


def key(part):
    found = re.search(r"(?i)signed-by\s*[=:]\s*([^]\s]+)", part)
    return found[1] if found else None


def without(path, part, unwanted):
    """The entry without these addresses."""
    if set(addresses(path, part)) <= set(unwanted):
        return ""
    for address in unwanted:
        part = re.sub(rf"[ \t]*(?<!\S){re.escape(address)}(?!\S)", "", part)
    return part


def repositories(root, wish):
    """What is stale, and whether keys contradict each other."""
    same = re.compile(rf"({re.escape(wish['url'].rstrip('/'))}|{PAGES}/libnvidia-container/stable)/(deb|rpm)/")
    paths = [path for pattern in SOURCES + REPOSITORIES for path in sorted(glob.glob(os.path.join(root, pattern)))]
    ours = os.path.join(root, wish["ours"].lstrip("/"))
    texts = {path: read(path) for path in paths if path != ours}
    entries = [(path, part) for path, text in texts.items() for part in parts(path, text) if addresses(path, part)]
    keys = {
        key(part)
        for path, part in entries
        if not path.endswith(".repo") and any(map(same.match, addresses(path, part)))
    }
    replaced = wish["install"] or os.path.exists(ours) or len(keys) > 1
    stale = []
    for path, text in texts.items():
        rest = ""
        for part in parts(path, text):
            unwanted = [one for one in addresses(path, part) if DEAD.match(one) or (replaced and same.match(one))]
            rest += without(path, part, unwanted) if unwanted else part
        if rest != text:
            useful = path.endswith("/sources.list") or any(addresses(path, part) for part in parts(path, rest))
            stale.append({"path": path, "rest": rest if useful else None})
    return {"stale": stale, "contested": len(keys) > 1}


def hooks(root):
    """The engine looks for them once, when it starts and writes its process number."""
    path = shutil.which(
        HOOK, path=os.pathsep.join(os.path.join(root, folder) for folder in ("usr/local/bin", "usr/bin"))
    )
    if path is None:
        return "missing"
    started = os.path.join(root, "run/docker.pid")
    return "new" if os.path.exists(started) and os.stat(path).st_ctime > os.stat(started).st_mtime else "known"


def mig(root):
    """Instances have devices of their own, whose numbers tell them apart."""
    specs = [path for folder in ("etc/cdi", "var/run/cdi") for path in glob.glob(os.path.join(root, folder, "*"))]
    texts = [read(path) for path in specs if path.endswith((".yaml", ".json"))]
    named = {int(one) for text in texts if "nvidia.com/gpu" in text for one in re.findall(r"/nvidia-cap(\d+)\b", text)}
    instances = glob.glob(os.path.join(root, "proc/driver/nvidia/capabilities/gpu*/mig/gi*/access"))
    instances += glob.glob(os.path.join(root, "proc/driver/nvidia/capabilities/gpu*/mig/gi*/ci*/access"))
    there = {int(one) for path in instances for one in re.findall(r"DeviceFileMinor:\s*(\d+)", read(path))}
    return named - MIG_CONFIG_AND_MONITOR == there


def look(root, wish):
    return {
        **repositories(root, wish),
        "hooks": hooks(root),
        "mig": mig(root),
    }


if __name__ == "__main__":
    print(json.dumps(look("/", json.loads(sys.argv[1]))))
