# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at an installation from a compose file, on its host, and changes nothing.

Argument: a JSON object with ``project`` ("" for whichever there is), ``services`` and ``names`` (of the services and of
our containers, by role), ``given`` (names of the secret variables that the inventory has) and ``overridden`` (patterns
of the variables that the database of Open WebUI overrides, so that it has their values already).
Prints a JSON object: ``state`` (absent, stopped, running, adopted or adopted_stopped), ``problems``, ``notes``, ``old``
(its containers, by role), ``ours`` (names of containers), ``directory`` (of its file), ``data`` (where its Open WebUI
has it) and, of a running one, ``url``, ``images`` and ``variables``: what our roles need to run the same.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

LABEL = "com.docker.compose"
DATA = {"open_webui": "/app/backend/data", "ollama": "/root/.ollama"}
PORTS = {"open_webui": "8080", "ollama": "11434"}
# Written by the role open_webui when its service is ready; taken away before an installation is taken over.
RECORD = ".selfhosted-llm.json"
TAG_PREFIX = {"open_webui": "v", "ollama": ""}
SECRET = re.compile(r"(?!ENABLE_).*(KEYS?|SECRET|PASSWORD|TOKEN)$|.*(DATABASE|REDIS)_URL$")
# What the role says by a variable of its own, what only a first start reads, and the key, which is read out by itself.
REPLACED = {
    "open_webui": "OLLAMA_BASE_URLS?|OLLAMA_API_BASE_URL|ENABLE_SIGNUP|WEBUI_URL|WEBUI_ADMIN_.*|"
    "WEBUI_(JWT_)?SECRET_KEY|WEBUI_SECRET_KEY_FILE|BYPASS_MODEL_ACCESS_CONTROL",
    "ollama": "NVIDIA_VISIBLE_DEVICES",
}
UNKNOWN = {"open_webui": "PORT|HOST|DATA_DIR|DATABASE_.*|REDIS_.*|WEBSOCKET_REDIS_.*", "ollama": "OLLAMA_HOST"}
CDI_KIND = "nvidia.com/gpu="
VARIANT = re.compile(r"cuda|ollama|slim|rocm")


def docker(*command):
    done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"docker {command[0]}: {done.stderr.strip()}")
    return done.stdout


def inspect(kind, names):
    return json.loads(docker(kind, "inspect", *names)) if names else []


def containers(*filters):
    found = docker("ps", "--all", "--quiet", *(f"--filter={one}" for one in filters)).split()
    return inspect("container", found)


def labels(container):
    return container["Config"]["Labels"] or {}


def data_of(role, container):
    return next((mount for mount in container["Mounts"] if mount["Destination"] == DATA[role]), {})


def url_of(role, container):
    """How the host itself reaches it."""
    addresses = [network["IPAddress"] for network in container["NetworkSettings"]["Networks"].values()]
    return f"http://{next(filter(None, addresses), 'no-address')}:{PORTS[role]}"


def version(role, container):
    url = f"{url_of(role, container)}/api/version"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return json.load(answer)["version"], ""
    except (OSError, ValueError, KeyError) as exc:
        return "", f"does not tell its version at {url} ({exc}); wait until it is ready"


def environment(container, image):
    own = set(container["Config"]["Env"]) - set(image["Config"]["Env"] or [])
    return dict(sorted(entry.split("=", 1) for entry in own))


def published(role, container):
    bindings = container["NetworkSettings"]["Ports"].get(f"{PORTS[role]}/tcp") or []
    # Without an address in the file, the engine has one binding for each family.
    return [one for one in bindings if one["HostIp"] != "::" or {**one, "HostIp": "0.0.0.0"} not in bindings]


def differences(role, container, image, wish):
    """What our role would not run as the compose file did."""
    config, host = container["Config"], container["HostConfig"]
    mounts = [mount["Destination"] for mount in container["Mounts"] if mount["Destination"] != DATA[role]]
    if mounts:
        yield f"has more mounts than {DATA[role]}: {', '.join(sorted(mounts))}"
    if data_of(role, container).get("Type") not in ("volume", "bind"):
        yield f"has no volume on {DATA[role]}, so its data would go with the container"
    if host["Devices"] or gpus(container) is None or (role == "open_webui" and gpus(container) != "none"):
        yield "uses devices that our role does not hand to it"
    for key in ("Cmd", "Entrypoint", "User"):
        if (config[key] or None) != (image["Config"].get(key) or None):
            yield f"does not start as its image says ({key.lower()})"
    if host["Privileged"] or host["NetworkMode"] == "host" or host["NetworkMode"].startswith("container:"):
        yield "is privileged, or has no network of its own"
    if len(published(role, container)) > 1:
        yield f"publishes port {PORTS[role]} more than once"
    if VARIANT.search(config["Image"].rpartition("/")[2].partition(":")[2]):
        yield f"runs {config['Image']}, a variant whose releases have tags of their own"
    names = environment(container, image)
    unknown = [name for name in names if re.fullmatch(UNKNOWN[role], name)]
    if unknown:
        yield f"has settings that are not taken over: {', '.join(unknown)}"
    kept = taken(role, names, wish)
    secret = [name for name, value in kept.items() if is_secret(name, value) and name not in wish["given"]]
    if secret:
        place = {
            "open_webui": "put them into open_webui_secret_environment",
            "ollama": "our role has no place for them",
        }
        yield f"has secrets in its environment: {', '.join(secret)}; {place[role]}"


def is_secret(name, value):
    return bool((value and SECRET.fullmatch(name)) or re.search("//[^/]*@", value))


def taken(role, names, wish):
    left = "|".join([REPLACED[role], UNKNOWN[role], *(wish["overridden"] if role == "open_webui" else [])])
    return {name: value for name, value in names.items() if not re.fullmatch(left, name)}


def gpus(container):
    """What ollama_gpus has to be for the same GPUs; None when it cannot say that."""
    host = container["HostConfig"]
    requests = host["DeviceRequests"] or []
    if not requests:
        # The runtime goes by the environment, where the image may have a word too.
        names = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
        visible = names.get("NVIDIA_VISIBLE_DEVICES", "") if host["Runtime"] == "nvidia" else "none"
        return visible if visible in ("all", "none") else visible.split(",") if visible not in ("", "void") else "none"
    request, *others = requests
    identifiers = request["DeviceIDs"] or []
    if request["Driver"] == "cdi":
        names = [name[len(CDI_KIND) :] for name in identifiers if name.startswith(CDI_KIND)]
    elif request["Driver"] in ("", "nvidia") and any("gpu" in some for some in request["Capabilities"] or []):
        names = identifiers or (["all"] if request["Count"] == -1 else [])
    else:
        return None
    if others or len(names) < len(identifiers) or not (names or request["Count"] > 0):
        return None
    return "all" if names == ["all"] else names or request["Count"]


def in_transit(ollama):
    parts = glob.glob(f"{glob.escape(data_of('ollama', ollama)['Source'])}/models/blobs/*-partial*")
    return any(time.time() - os.path.getmtime(part) < 60 for part in parts)


def room(open_webui):
    """Whether a copy of the database fits beside it."""
    folder = data_of("open_webui", open_webui)["Source"]
    return shutil.disk_usage(folder).free > 2 * os.path.getsize(f"{folder}/webui.db")


def neighbours(old):
    """Other containers that reach these by their names."""
    networks = {name for container in old.values() for name in container["NetworkSettings"]["Networks"]} - {"bridge"}
    known = {container["Name"] for container in old.values()}
    found = {other["Name"] for network in networks for other in containers(f"network={network}", "status=running")}
    return sorted(name.lstrip("/") for name in found - known)


def describe(role, container, image, running, wish):
    """The role's variables."""
    names = environment(container, image)
    mount = data_of(role, container)
    repository = container["Config"]["Image"].partition("@")[0]
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    variables = {
        f"{role}_image": repository,
        f"{role}_version": running,
        f"{role}_volume": mount["Name"] if mount["Type"] == "volume" else mount["Source"],
        f"{role}_environment": {
            name: value for name, value in taken(role, names, wish).items() if not is_secret(name, value)
        },
    }
    if container["HostConfig"]["Memory"]:
        variables[f"{role}_memory"] = str(container["HostConfig"]["Memory"])
    for binding in published(role, container)[:1]:
        variables[f"{role}_port"] = int(binding["HostPort"])
        if role == "open_webui":
            variables["open_webui_listen_address"] = binding["HostIp"]
    if role == "ollama":
        variables["ollama_gpus"] = gpus(container)
        if variables["ollama_gpus"] != "none":
            # It works with what is there.
            variables["nvidia_driver_source"] = "preinstalled"
    if role == "open_webui":
        bypass = names.get("BYPASS_MODEL_ACCESS_CONTROL", "").lower() == "true"
        variables["open_webui_model_access"] = "public" if bypass else "managed"
    return variables


def examine(old, wish):
    """What a running installation is, and what speaks against taking it over."""
    problems, notes, variables, images = [], [], {}, {}
    for role, container in old.items():
        name = container["Name"].lstrip("/")
        (image,) = inspect("image", [container["Image"]])
        running, silence = version(role, container)
        found = [*differences(role, container, image, wish), *([silence] if silence else [])]
        problems += [f"{name} {problem}" for problem in found]
        if found:
            continue
        variables.update(describe(role, container, image, running, wish))
        images[role] = {"id": container["Image"], "tag": TAG_PREFIX[role] + running}
        if container["HostConfig"]["ExtraHosts"]:
            notes.append(f"extra_hosts of {name} is not taken over")
    others = neighbours(old)
    if others:
        problems.append(f"other containers reach it by its network: {', '.join(others)}")
    if not problems and in_transit(old["ollama"]):
        problems.append("Ollama is in the middle of a pull, which it would lose; wait until it has ended")
    if not problems and not room(old["open_webui"]):
        problems.append("there is no room for a copy of the database beside it")
    for binding in published("ollama", old["ollama"]):
        if not binding["HostIp"].startswith("127."):
            notes.append(f"Ollama was published on {binding['HostIp']}, without a password")
    return {
        "problems": problems,
        "notes": notes,
        "variables": variables,
        "images": images,
        "url": url_of("open_webui", old["open_webui"]),
    }


def find(wish):
    """The containers of the compose services and ours, each a list by role."""
    project = [f"label={LABEL}.project={wish['project']}"] if wish["project"] else []
    old, ours = {}, {}
    for role, service in wish["services"].items():
        old[role] = containers(f"label={LABEL}.service={service}", f"label={LABEL}.oneoff=False", *project)
        ours[role] = containers(f"name=^/?{re.escape(wish['names'][role])}$", f"label=selfhosted.llm.role={role}")
    return old, ours


def ours_has_served(open_webui):
    """On this data, since it was taken over: a run that was cut off leaves no record."""
    return os.path.exists(os.path.join(data_of("open_webui", open_webui).get("Source", ""), RECORD))


def summary(container):
    return {
        "id": container["Id"],
        "name": container["Name"].lstrip("/"),
        "policy": container["HostConfig"]["RestartPolicy"]["Name"],
    }


def main():
    wish = json.loads(sys.argv[1])
    found, ours = find(wish)
    old = {role: some[0] for role, some in found.items() if some}
    up = {role for role, container in old.items() if container["State"]["Running"]}
    result = {
        "state": "stopped" if old else "absent",
        "problems": [],
        "notes": [],
        "old": {role: summary(container) for role, container in old.items()},
        "ours": [wish["names"][role] for role, some in ours.items() if some],
        "data": data_of("open_webui", old["open_webui"]).get("Source") if "open_webui" in old else None,
        "directory": next((labels(one).get(f"{LABEL}.project.working_dir", "") for one in old.values()), ""),
    }
    if "open_webui" not in up and any(container["State"]["Running"] for container in ours["open_webui"]):
        result["state"] = "adopted"
    elif "open_webui" not in up and any(map(ours_has_served, ours["open_webui"] + found["open_webui"])):
        result["state"] = "adopted_stopped"
    elif any(len(some) > 1 for some in found.values()):
        names = sorted(f"{labels(one)[f'{LABEL}.project']}/{one['Name']}" for some in found.values() for one in some)
        result["problems"] = [f"there are several, {', '.join(names)}; set compose_project"]
    elif old and old.keys() != found.keys():
        result["problems"] = [f"it has no {wish['services'][role]}" for role in found.keys() - old.keys()]
    elif up == old.keys() and old:
        result.update(state="running", **examine(old, wish))
        for role, some in ours.items():
            if any(data_of(role, one).get("Source") != data_of(role, old[role]).get("Source") for one in some):
                result["problems"].append(f"{wish['names'][role]} of this collection is there already, with other data")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
