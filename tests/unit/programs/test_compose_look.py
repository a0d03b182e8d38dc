# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a compose installation is taken over, and what is refused. Its containers are recordings of a real engine."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import types
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RECORDING = json.loads((ROOT / "tests/unit/fixtures/compose.json").read_text())
VERSIONS = {"open_webui": "0.12.4", "ollama": "0.32.15"}


class World:
    """The two containers, to be changed by a test, and what look.py says of them."""

    def __init__(self, look: types.ModuleType, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.look = look
        self.patch = patch
        self.old = copy.deepcopy(RECORDING["containers"])
        self.neighbours: list[dict[str, t.Any]] = []
        self.given: list[str] = []
        for role, container in self.old.items():
            container["Mounts"][0]["Source"] = str(folder / role)
        (folder / "open_webui").mkdir()
        (folder / "open_webui" / "webui.db").write_bytes(b"x" * 100)
        self.blobs = folder / "ollama" / "models" / "blobs"
        self.blobs.mkdir(parents=True)

    def environment(self, role: str, *entries: str) -> None:
        self.old[role]["Config"]["Env"] = [*entries, *self.old[role]["Config"]["Env"]]

    def examine(self) -> dict[str, t.Any]:
        return self.look.examine(
            self.old, {"given": self.given, "overridden": ["OPENAI_API_KEYS?", "USER_PERMISSIONS_.*"]}
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    spec = importlib.util.spec_from_file_location("look", ROOT / "roles/compose/files/look.py")
    assert spec and spec.loader
    look = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(look)
    world = World(look, tmp_path, monkeypatch)
    images = {image["Id"]: image for image in RECORDING["images"].values()}
    monkeypatch.setattr(look, "inspect", lambda _kind, names: [images[name] for name in names])
    monkeypatch.setattr(look, "containers", lambda *_filters: [*world.old.values(), *world.neighbours])
    monkeypatch.setattr(look, "version", lambda role, _container: (VERSIONS[role], ""))
    return world


def test_the_well_known_file(world: World) -> None:
    found = world.examine()
    assert found["problems"] == []
    assert found["notes"] == ["Ollama was published on 0.0.0.0, without a password"]
    assert found["variables"] == {
        "open_webui_image": "ghcr.io/open-webui/open-webui",
        "open_webui_version": "0.12.4",
        "open_webui_volume": "chat_open-webui",
        "open_webui_environment": {},
        "open_webui_listen_address": "0.0.0.0",
        "open_webui_port": 3001,
        "open_webui_model_access": "managed",
        "ollama_image": "ollama/ollama",
        "ollama_version": "0.32.15",
        "ollama_volume": "chat_ollama",
        "ollama_environment": {},
        "ollama_port": 11434,
        "ollama_gpus": "none",
    }
    assert {role: image["tag"] for role, image in found["images"].items()} == {
        "open_webui": "v0.12.4",
        "ollama": "0.32.15",
    }


def test_what_a_file_can_say_beside_that(world: World) -> None:
    webui, ollama = world.old["open_webui"], world.old["ollama"]
    world.environment(
        "open_webui",
        "WEBUI_NAME=Ours {{ here }}",
        "WEBUI_URL=https://chat.example.com",
        "WEBUI_SECRET_KEY=taken over by itself",
        "WEBUI_ADMIN_PASSWORD=of the first start",
        "ENABLE_SIGNUP=true",
        "BYPASS_MODEL_ACCESS_CONTROL=True",
        "OAUTH_CLIENT_SECRET=given",
        "OPENAI_API_KEY=in the database",
        "USER_PERMISSIONS_CHAT_DELETE=in the database",
    )
    world.given = ["OAUTH_CLIENT_SECRET"]
    world.environment("ollama", "OLLAMA_KEEP_ALIVE=24h")
    webui["HostConfig"]["Memory"] = 4 << 30
    webui["Config"]["Image"] = "registry.example.com:5000/open-webui@sha256:0123"
    webui["NetworkSettings"]["Ports"]["8080/tcp"] = [
        {"HostIp": "0.0.0.0", "HostPort": "80"},
        {"HostIp": "::", "HostPort": "80"},
    ]
    ollama["Mounts"][0].update(Type="bind", Source=ollama["Mounts"][0]["Source"])
    ollama["Mounts"][0].pop("Name")
    ollama["NetworkSettings"]["Ports"]["11434/tcp"] = None
    ollama["HostConfig"]["ExtraHosts"] = ["host.docker.internal:host-gateway"]
    found = world.examine()
    assert found["problems"] == []
    assert found["notes"] == ["extra_hosts of ollama is not taken over"]
    assert found["variables"] == {
        "open_webui_image": "registry.example.com:5000/open-webui",
        "open_webui_version": "0.12.4",
        "open_webui_volume": "chat_open-webui",
        "open_webui_environment": {"WEBUI_NAME": "Ours {{ here }}"},
        "open_webui_listen_address": "0.0.0.0",
        "open_webui_port": 80,
        "open_webui_model_access": "public",
        "open_webui_memory": "4294967296",
        "ollama_image": "ollama/ollama",
        "ollama_version": "0.32.15",
        "ollama_volume": ollama["Mounts"][0]["Source"],
        "ollama_environment": {"OLLAMA_KEEP_ALIVE": "24h"},
        "ollama_gpus": "none",
    }


def request(driver: str = "", count: int = 0, ids: list[str] | None = None, *capabilities: str) -> dict[str, t.Any]:
    """As the engine answers it."""
    needs = [list(capabilities)] if capabilities else []
    return {"Driver": driver, "Count": count, "DeviceIDs": ids, "Capabilities": needs, "Options": {}}


UUID = "GPU-12345678-1234-1234-1234-123456780000"
# What stands in the compose file, and what becomes of it.
GPUS: dict[str, tuple[dict[str, t.Any], t.Any]] = {
    "count: all": ({"DeviceRequests": [request("nvidia", -1, None, "gpu")]}, "all"),
    "gpus: all": ({"DeviceRequests": [request("", -1, None, "gpu")]}, "all"),
    "count: 2": ({"DeviceRequests": [request("nvidia", 2, None, "gpu", "utility")]}, 2),
    "device_ids": ({"DeviceRequests": [request("nvidia", 0, ["1", UUID], "gpu")]}, ["1", UUID]),
    "driver: cdi, all": ({"DeviceRequests": [request("cdi", 0, ["nvidia.com/gpu=all"])]}, "all"),
    "driver: cdi": ({"DeviceRequests": [request("cdi", 0, ["nvidia.com/gpu=0:1"])]}, ["0:1"]),
}


@pytest.mark.parametrize("name", GPUS)
def test_gpus(world: World, name: str) -> None:
    settings, gpus = GPUS[name]
    host("ollama", **settings)(world)
    found = world.examine()
    assert found["problems"] == []
    assert found["variables"]["ollama_gpus"] == gpus
    assert found["variables"]["nvidia_driver_source"] == "preinstalled"


@pytest.mark.parametrize(
    ("visible", "gpus"), [("all", "all"), ("0,1", ["0", "1"]), (UUID, [UUID]), ("none", "none"), ("void", "none")]
)
def test_gpus_of_the_nvidia_runtime(world: World, visible: str, gpus: t.Any) -> None:
    host("ollama", Runtime="nvidia")(world)
    world.environment("ollama", f"NVIDIA_VISIBLE_DEVICES={visible}", "NVIDIA_DRIVER_CAPABILITIES=compute,utility")
    found = world.examine()
    assert found["problems"] == []
    assert found["variables"]["ollama_gpus"] == gpus
    assert ("nvidia_driver_source" in found["variables"]) == (gpus != "none")
    assert found["variables"]["ollama_environment"] == {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}


def test_an_image_that_names_gpus_gets_none_without_the_runtime(world: World) -> None:
    world.environment("ollama", "NVIDIA_VISIBLE_DEVICES=all")
    assert world.examine()["variables"]["ollama_gpus"] == "none"


def mount(path: str) -> t.Callable[[World], None]:
    return lambda world: world.old["open_webui"]["Mounts"].append({"Type": "bind", "Destination": path})


def host(role: str, **settings: t.Any) -> t.Callable[[World], None]:
    return lambda world: world.old[role]["HostConfig"].update(settings)


def config(role: str, **settings: t.Any) -> t.Callable[[World], None]:
    return lambda world: world.old[role]["Config"].update(settings)


def environment(role: str, entry: str) -> t.Callable[[World], None]:
    return lambda world: world.environment(role, entry)


REFUSED: dict[str, tuple[t.Callable[[World], t.Any], str]] = {
    "more mounts": (
        mount("/app/backend/static"),
        "open-webui has more mounts than /app/backend/data: /app/backend/static",
    ),
    "no volume": (lambda world: world.old["ollama"]["Mounts"].clear(), "ollama has no volume on /root/.ollama"),
    "device": (host("ollama", Devices=[{"PathOnHost": "/dev/kfd"}]), "ollama uses devices that our role does not"),
    "TPU": (host("ollama", DeviceRequests=[request("", 1, None, "tpu")]), "ollama uses devices that our role"),
    "other vendor": (host("ollama", DeviceRequests=[request("cdi", 0, ["amd.com/gpu=0"])]), "ollama uses devices that"),
    "GPUs of two vendors": (
        host("ollama", DeviceRequests=[request("cdi", 0, ["nvidia.com/gpu=0", "amd.com/gpu=0"])]),
        "ollama uses devices that our role does not hand to it",
    ),
    "two requests": (
        host("ollama", DeviceRequests=[request("nvidia", 1, None, "gpu"), request("cdi", 0, ["nvidia.com/gpu=1"])]),
        "ollama uses devices that our role does not hand to it",
    ),
    "no GPU": (host("ollama", DeviceRequests=[request("nvidia", 0, None, "gpu")]), "ollama uses devices that our role"),
    "GPU of Open WebUI": (
        host("open_webui", DeviceRequests=[request("nvidia", -1, None, "gpu")]),
        "open-webui uses devices that our role does not hand to it",
    ),
    "privileged": (host("open_webui", Privileged=True), "open-webui is privileged"),
    "network of the host": (host("open_webui", NetworkMode="host"), "has no network of its own"),
    "command": (config("ollama", Cmd=["run", "tiny"]), "ollama does not start as its image says (cmd)"),
    "entrypoint": (config("ollama", Entrypoint=["/wrapper"]), "ollama does not start as its image says (entrypoint)"),
    "user": (config("open_webui", User="1000:1000"), "open-webui does not start as its image says (user)"),
    "variant": (config("open_webui", Image="ghcr.io/open-webui/open-webui:cuda"), "a variant"),
    "port": (environment("open_webui", "PORT=9090"), "settings that are not taken over: PORT"),
    "database": (environment("open_webui", "DATABASE_URL=postgresql://db/chat"), "not taken over: DATABASE_URL"),
    "address of Ollama": (environment("ollama", "OLLAMA_HOST=0.0.0.0:80"), "not taken over: OLLAMA_HOST"),
    "secret": (
        environment("open_webui", "OAUTH_CLIENT_SECRET=one"),
        "OAUTH_CLIENT_SECRET; put them into open_webui_secret_environ",
    ),
    "secret of Ollama": (environment("ollama", "HTTPS_PROXY=http://me:pw@proxy"), "HTTPS_PROXY; our role has no place"),
    "two addresses": (
        lambda world: world.old["open_webui"]["NetworkSettings"]["Ports"]["8080/tcp"].append(
            {"HostIp": "192.0.2.1", "HostPort": "80"}
        ),
        "open-webui publishes port 8080 more than once",
    ),
    "neighbours": (
        lambda world: world.neighbours.append({"Name": "/caddy"}),
        "other containers reach it by its network: caddy",
    ),
    "pull": (lambda world: (world.blobs / "sha256-12-partial-0").touch(), "Ollama is in the middle of a pull"),
    "full disk": (
        # The database has 100 bytes.
        lambda world: world.patch.setattr(
            world.look.shutil, "disk_usage", lambda _path: types.SimpleNamespace(free=200)
        ),
        "no room for a copy of the database",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(world: World, name: str) -> None:
    change, message = REFUSED[name]
    change(world)
    (problem,) = world.examine()["problems"]
    assert message in problem
    assert "sk-one" not in problem
    assert "me:pw" not in problem


def test_a_pull_that_was_given_up_is_none(world: World) -> None:
    part = world.blobs / "sha256-12-partial-0"
    part.touch()
    os.utime(part, (0, 0))
    assert world.examine()["problems"] == []


def test_a_server_that_is_not_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.look, "version", lambda role, _container: ("", "does not tell its version"))
    assert world.examine()["problems"] == ["open-webui does not tell its version", "ollama does not tell its version"]


# Whether the old containers run, and ours (None: there is none); whether ours has served; and what that is.
STATES = {
    "nothing there": (None, None, False, "absent"),
    "before": (True, None, False, "running"),
    "gone back": (True, False, True, "running"),
    "cut off": (False, False, False, "stopped"),
    "cut off before ours was made": (False, None, False, "stopped"),
    "taken over": (False, True, True, "adopted"),
    "taken over, not ready yet": (False, True, False, "adopted"),
    "taken over, old ones removed": (None, True, True, "adopted"),
    "taken over, and stopped": (False, False, True, "adopted_stopped"),
    "taken over, and removed": (False, None, True, "adopted_stopped"),
    "taken over, and stopped, old ones removed": (None, False, True, "adopted_stopped"),
}


@pytest.mark.parametrize("name", STATES)
def test_state(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    old_runs, ours_runs, served, state = STATES[name]
    mine = {**world.old["open_webui"], "State": {"Running": ours_runs}}
    data = Path(mine["Mounts"][0]["Source"])
    if served:
        (data / ".selfhosted-llm.json").touch()
    for container in world.old.values():
        container["State"] = {"Running": old_runs}
    old = {role: [] if old_runs is None else [container] for role, container in world.old.items()}
    ours = {"open_webui": [] if ours_runs is None else [mine], "ollama": []}
    monkeypatch.setattr(world.look, "find", lambda _wish: (old, ours))
    wish = {"names": {"open_webui": "open-webui", "ollama": "ollama"}, "given": [], "overridden": []}
    monkeypatch.setattr(world.look.sys, "argv", ["look.py", json.dumps(wish)])
    world.look.main()
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == state
    assert found["problems"] == []
    assert found["data"] == (None if old_runs is None else str(data))
