# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks, on the host, at the GPUs that a container was given, and proves that its Ollama uses them.

Argument: a JSON object with ``container``, ``gpus`` (["all"], or indexes and UUIDs), and, for the proof, ``url`` of the
server, ``cdi`` (whether the GPUs were given by CDI) and ``info``, of the result of the module nvidia_gpu_info what the
task hands over.
Prints a JSON object: ``recreate`` (whether a new container would see GPUs that this one does not), ``problems`` and, of
the proof, ``notes``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request

GPU = re.compile(r"GPU (\d+):.*\(UUID: (GPU-[^)]+)\)")
MIG = re.compile(r"\s+MIG .*Device\s+(\d+):\s+\(UUID: (MIG-[^)]+)\)")
# What Ollama writes about where its models go.
LOG = re.compile(r"inference compute|no compatible GPU|offloaded|VRAM|CUDA error", re.IGNORECASE)
# Loading a model may take as long as the server allows; this only ends the wait for one that is stuck.
ANSWER_SECONDS = 900


def ask(*command):
    """Its exit status and words. Not waited for after a minute: what hangs in a driver cannot even be killed."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as exc:
        return 127, str(exc)
    try:
        words, _errors = process.communicate(timeout=60)
        return process.returncode, words
    except subprocess.TimeoutExpired:
        process.kill()
        return 124, f"{command[0]} does not answer"


def gist(words):
    return " ".join(words.split())[:300] or "nothing"


def listed(words):
    """The UUIDs in the output of nvidia-smi -L, by index."""
    found, index = {}, ""
    for line in words.splitlines():
        gpu, mig = GPU.match(line), MIG.match(line)
        if gpu:
            index = gpu[1]
            found[index] = gpu[2]
        elif mig:
            found[f"{index}:{mig[1]}"] = mig[2]
    return found


def missing(gpus, host, container):
    """The wanted GPUs that a container lacks although the host has them, by the words of nvidia-smi -L in both."""
    there, seen = listed(host), listed(container).values()
    wanted = there if gpus == ["all"] else {name: there.get(name, name) for name in gpus}
    return [name for name, uuid in wanted.items() if uuid in there.values() and uuid not in seen]


def look(container, gpus, host):
    """Whether the container sees its GPUs, of those that the host's nvidia-smi -L lists."""
    status, words = ask("docker", "container", "inspect", container)
    if status:
        return {"recreate": False, "problems": [f"there is no container {container}: {gist(words)}"]}
    (found,) = json.loads(words)
    if not found["State"]["Running"]:
        return {"recreate": False, "problems": [f"the container {container} does not run; run site.yml"]}
    if not found["HostConfig"]["DeviceRequests"]:
        return {"recreate": False, "problems": [f"the container {container} was given no GPU; run site.yml"]}
    _code, inside = ask("docker", "exec", container, "nvidia-smi", "-L")
    lacking = missing(gpus, host, inside)
    if not lacking:
        return {"recreate": False, "problems": []}
    problem = f"the container {container} does not see GPU {', '.join(lacking)}, which the host has"
    return {
        "recreate": True,
        "problems": [f'{problem} (nvidia-smi in it says "{gist(inside)}")'],
    }


def usable(info):
    return [gpu for gpu in info["pci"]["gpus"] if gpu["usable"]]


def gone(info, container):
    """GPUs that "all" were when the container was made, and that are not on the bus any more. The label tells."""
    label = '{{index .Config.Labels "selfhosted.llm.gpus"}}'
    status, words = ask("docker", "container", "inspect", "--format", label, container)
    given, there = int("0" if status else words.strip() or "0"), len(usable(info))
    if given <= there:
        return []
    return [f"the container {container} was given {given} GPUs, and only {there} can be used now (lspci -d 10de:)"]


def lost(info, host):
    """GPUs that are in the host and do not answer, by its nvidia-smi -L. No new container brings them back."""
    ours = usable(info)
    silent = len(ours) - sum(":" not in name for name in listed(host))
    if silent <= 0 or not info["driver"]["loaded"]:
        return []
    words = " ".join(line for line in host.splitlines() if not GPU.match(line) and not MIG.match(line))
    return [
        f'{silent} of {len(ours)} GPUs do not answer (nvidia-smi says "{gist(words)}"). '
        "A GPU that has fallen off the bus comes back with a reboot or a power cycle, if at all"
    ]


def versions(info, cdi):
    """What speaks of a driver that does not fit itself."""
    driver = info["driver"]
    if not driver["loaded"]:
        return [f"no NVIDIA driver is loaded: {driver['reason']}. {driver['hint']}"]
    found = {
        "loaded": driver["loaded"]["version"],
        "on disk": next((kernel["version"] for kernel in driver["kernels"] if kernel["running"]), None),
        "userspace": driver["userspace_version"],
        "CDI specification": info["stack"]["cdi"]["driver_version"] if cdi else None,
    }
    known = {name: version for name, version in found.items() if version}
    if len(set(known.values())) == 1:
        return []
    said = ", ".join(f"{name} {version}" for name, version in known.items())
    return [f"the versions of the driver differ: {said}. {driver['hint'] or 'Run site.yml'}"]


class Refused(Exception):
    """The server does not do what it was asked."""


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, data, ANSWER_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as exc:
        raise Refused(f"{exc.code}: {gist(exc.read().decode(errors='replace'))}") from exc
    except (OSError, ValueError) as exc:
        raise Refused(str(exc)) from exc


def abilities(url, name):
    """What a model can do. One that the server cannot even show is for the check of the models to report."""
    try:
        return call(f"{url}/api/show", {"model": name}).get("capabilities", [])
    except Refused:
        return []


def smallest(url):
    """The smallest model that can answer, which takes the least from those who use the server, and its request."""
    models = [model for model in call(f"{url}/api/tags")["models"] if not model.get("remote_host")]
    for model in sorted(models, key=lambda one: one["size"]):
        able = abilities(url, model["name"])
        if "completion" in able:
            return model, "generate", {"prompt": "Hello", "stream": False, "options": {"num_predict": 1}}
        if "embedding" in able:
            return model, "embed", {"input": "Hello", "options": {}}
    return None, "", {}


def loaded(url, model):
    """The entry of a model in the list of those in memory."""
    entries = [one for one in call(f"{url}/api/ps")["models"] if one["name"] == model["name"]]
    # After an update a name may be there twice.
    return max(entries, key=lambda one: one["digest"] == model["digest"], default=None)


def generate(url):
    """Let the smallest model answer, and see where it lies. It stays in memory, or not, as it was before."""
    model, path, request = smallest(url)
    if not model:
        return None
    before = loaded(url, model)
    if before:
        # Another context would load it anew, another keep_alive would stay. Older servers do not tell the context.
        if "context_length" in before:
            request["options"]["num_ctx"] = before["context_length"]
    else:
        request["keep_alive"] = "1m"
    call(f"{url}/api/{path}", {"model": model["name"], **request})
    after = loaded(url, model) or {"size": 0, "size_vram": 0}
    if not before:
        call(f"{url}/api/generate", {"model": model["name"], "keep_alive": 0})
    return {"name": model["name"], "size": after["size"], "size_vram": after["size_vram"]}


def judge(model):
    """The problems and the notes about where a model lies. A server parts a model that is too large for its GPUs."""
    if model is None:
        return [], ["there is no model that could answer, so it is not proved that models use the GPUs"]
    if not model["size"]:
        return [], [f"{model['name']} left the memory at once, so it is not proved that models use the GPUs"]
    share = model["size_vram"] / model["size"]
    where = f"{model['name']} has {share:.0%} of its {model['size'] / 2**20:.0f} MiB in the memory of the GPUs"
    return ([where], []) if share < 0.5 else ([], [where])


def evidence(container):
    """What is known about why a model is not on a GPU although everything else is as it should be."""
    _code, memory = ask("nvidia-smi", "--query-gpu=index,memory.free,memory.total", "--format=csv,noheader")
    _code, log = ask("docker", "logs", "--tail", "1000", container)
    lines = [line for line in log.splitlines() if LOG.search(line)]
    return f'memory (GPU, free, total): {gist(memory)}; its log last said "{gist(lines[-1] if lines else "")}"'


def prove(wish, host):
    found = look(wish["container"], wish["gpus"], host)
    problems = gone(wish["info"], wish["container"]) + lost(wish["info"], host)
    problems += versions(wish["info"], wish["cdi"]) + found["problems"]
    try:
        slow, notes = judge(generate(wish["url"]))
    except Refused as exc:
        slow, notes = [], []
        problems.append(f"Ollama does not let a model answer: {exc}")
    if slow and not problems:
        slow = [f"{slow[0]}; {evidence(wish['container'])}"]
    return {**found, "problems": problems + slow, "notes": notes}


def main():
    wish = json.loads(sys.argv[1])
    _code, host = ask("nvidia-smi", "-L")
    print(json.dumps(prove(wish, host) if "url" in wish else look(wish["container"], wish["gpus"], host)))


if __name__ == "__main__":
    main()
