# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that the testbed builds, each made again when what it is made of has changed."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import shutil
import tempfile
import typing as t

from tests.testbed import base, open_webui
from tests.testbed.shell import CACHE, ROOT, docker, inspect, only_one, say, step

HERE = pathlib.Path(__file__).parent
INPUTS = "selfhosted-llm.inputs"
OLLAMA_VERSION = "0.32.15"
OPEN_WEBUI_VERSION = "0.12.4"
OPEN_WEBUI_NEXT = "0.12.5"
# Two migrations of the database lie between this version and OPEN_WEBUI_VERSION.
OPEN_WEBUI_PREVIOUS = "0.12.0"
# Versions that fail, and how; open-webui-next/Dockerfile has the words for each.
OPEN_WEBUI_BROKEN = {"0.12.6": "start", "0.12.7": "migration", "0.12.8": "data"}
# Of stub packages that are made for the kernel on which the hosts run.
KERNEL = (f"KERNEL={os.uname().release}",)


@dataclasses.dataclass(frozen=True)
class Image:
    tag: str
    parent: str
    folder: str
    copies: tuple[pathlib.Path, ...] = ()
    arguments: tuple[str, ...] = ()
    finish: t.Callable[[str, str, pathlib.Path], None] | None = None


def _host(name: str, parent: str, folder: str) -> Image:
    return Image(f"selfhosted-llm/host:{name}", parent, folder)


def _gpu_host(name: str, parent: str) -> Image:
    """A host whose GPUs the folder host-gpu pretends; they answer with recordings."""
    recordings = ROOT / "tests" / "unit" / "fixtures" / "nvidia"
    tag, parent = f"selfhosted-llm/host:{name}", f"selfhosted-llm/host:{parent}"
    return Image(tag, parent, "host-gpu", (HERE / "packages", recordings), KERNEL)


def next_open_webui(parent: str, version: str = OPEN_WEBUI_NEXT, fault: str = "none") -> Image:
    values = (f"VERSION={OPEN_WEBUI_VERSION}", f"NEXT={version}", f"FAULT={fault}")
    return Image(f"selfhosted-llm/open-webui:v{version}", parent, "open-webui-next", arguments=values)


def broken_open_webui(parent: str) -> dict[str, Image]:
    return {version: next_open_webui(parent, version, fault) for version, fault in OPEN_WEBUI_BROKEN.items()}


OPEN_WEBUI = f"selfhosted-llm/open-webui:v{OPEN_WEBUI_VERSION}"
OLLAMA = f"selfhosted-llm/ollama-standin:{OLLAMA_VERSION}"

# In the order of building: what takes longest comes first, and a parent before its children.
CATALOGUE = {
    "open-webui": Image(OPEN_WEBUI, "debian:12", "open-webui", finish=open_webui.install),
    "host:debian13": _host("debian13", "debian:13", "host"),
    "registry": Image("selfhosted-llm/registry:1", "debian:13", "registry"),
    "ollama-standin": Image(OLLAMA, "debian:13", "ollama-standin", (ROOT / "tests" / "standins",)),
    "host:debian12": _host("debian12", "debian:12", "host"),
    "host:debian13-docker": _host("debian13-docker", "selfhosted-llm/host:debian13", "host-docker"),
    "host:debian12-docker": _host("debian12-docker", "selfhosted-llm/host:debian12", "host-docker"),
    "host:debian13-gpu": _gpu_host("debian13-gpu", "debian13"),
    "host:debian13-gpu-docker": _gpu_host("debian13-gpu-docker", "debian13-docker"),
    "model-registry": Image("selfhosted-llm/model-registry:1", OLLAMA, "model-registry"),
    "packages": Image("selfhosted-llm/packages:1", "debian:13", "packages", arguments=KERNEL),
    "browser": Image("selfhosted-llm/browser:1", "debian:13", "browser"),
    "open-webui-next": next_open_webui(OPEN_WEBUI),
    "open-webui-previous": Image(
        f"selfhosted-llm/open-webui:v{OPEN_WEBUI_PREVIOUS}",
        OPEN_WEBUI,
        "open-webui-previous",
        finish=open_webui.install,
    ),
}


def build(names: t.Iterable[str]) -> None:
    """Leave with these images and all that they are made from."""
    make([CATALOGUE[name] for name in names])


def make(images: t.Iterable[Image]) -> None:
    known = {image.tag: image for image in CATALOGUE.values()}
    wanted = {image.tag: image for image in images}
    parents = {image.parent for image in wanted.values()}
    while missing := {tag for tag in parents if tag in known and tag not in wanted}:
        wanted.update({tag: known[tag] for tag in missing})
        parents |= {known[tag].parent for tag in missing}
    order = sorted(wanted, key=lambda tag: list(known).index(tag) if tag in known else len(known))
    with only_one(CACHE / "images.lock", "building images"), concurrent.futures.ThreadPoolExecutor(3) as pool:
        jobs: dict[str, concurrent.futures.Future[None]] = {}
        for tag in sorted(tag for tag in parents if tag.startswith("debian:")):
            jobs[tag] = pool.submit(base.debian, tag.removeprefix("debian:"))
        for tag in order:
            jobs[tag] = pool.submit(_one, wanted[tag], jobs.get(wanted[tag].parent))
        try:
            for job in concurrent.futures.as_completed(jobs.values()):
                job.result()
        finally:
            pool.shutdown(cancel_futures=True)
        # Images that have lost their names to newer ones. Not earlier: a build that still runs has nameless ones too.
        docker("image", "prune", "--force", f"--filter=label={INPUTS}", doing="Removing replaced images", timeout=120)


def _one(image: Image, parent: concurrent.futures.Future[None] | None) -> None:
    if parent:
        parent.result()
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        context = pathlib.Path(folder, image.folder)
        leavings = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE / image.folder, context, ignore=leavings)
        for source in image.copies:
            shutil.copytree(source, context / source.name, ignore=leavings)
        inputs = digest(image, context)
        there = inspect("image", image.tag)
        if there and there["Config"]["Labels"].get(INPUTS) == inputs:
            say(f"{image.tag}: up to date")
            return
        with step(f"{image.tag}: {'building it again, its inputs changed' if there else 'building it'}"):
            _build(image, context, f"{INPUTS}={inputs}")


def _build(image: Image, context: pathlib.Path, label: str) -> None:
    tag = f"{image.tag}-base" if image.finish else image.tag
    values = [f"--build-arg={value}" for value in (f"BASE={image.parent}", *image.arguments)]
    docker(
        *("build", "--force-rm", "--tag", tag, "--label", label, *values, str(context)),
        doing=f"Building {tag}",
        timeout=600,
        next_step="Check that the machine's package mirror is reachable.",
    )
    if image.finish:
        image.finish(tag, image.tag, context)


def digest(image: Image, context: pathlib.Path) -> str:
    """Of all that the image is made of: its parent, its Dockerfile and every file beside it."""
    parent = inspect("image", image.parent) or {"Id": ""}
    summary = hashlib.sha256("\n".join([parent["Id"], *image.arguments]).encode())
    for path in sorted(path for path in context.rglob("*") if path.is_file()):
        summary.update(f"\n{path.relative_to(context)} {path.stat().st_mode:o}\n".encode() + path.read_bytes())
    if image.finish:
        summary.update(open_webui.INSTALL.encode())
    return summary.hexdigest()[:16]
