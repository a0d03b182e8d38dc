# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which GPUs the container is given, whether it sees them, and the proof that its server uses them."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
import types
import typing as t
from pathlib import Path
from unittest.mock import ANY

import pytest
import yaml
from ansible.template import trust_as_template
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/ollama"
RECORDINGS = ROOT / "tests/unit/fixtures/nvidia"
TWO = (RECORDINGS / "a100-2.list.txt").read_text()
ERRORS = json.loads((RECORDINGS / "errors.json").read_text())
FIRST, SECOND = "GPU-12345678-1234-1234-1234-123456780000", "GPU-12345678-1234-1234-1234-123456780001"


def recorded(case: str, version: str = "550.163.01") -> str:
    """What nvidia-smi -L said in a case of failure."""
    runs = ERRORS[case]["runs"]
    return next(run["stdout"] for run in runs if "-L" in run["args"] and version in run["nvidia_smi"])


def load(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROLE / f"files/{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gpus = load("gpus")
drain = load("drain")

NVIDIA = {"usable": True}
HIDDEN = {"usable": False}
BARE = {"usable": True}
AMD = {"usable": False}


def cdi(*names: str) -> dict[str, t.Any]:
    ids = [f"nvidia.com/gpu={name}" for name in names]
    return {"driver": "cdi", "count": 0, "device_ids": ids, "capabilities": [], "options": {}}


def legacy(count: int, *names: str) -> dict[str, t.Any]:
    return {"driver": "nvidia", "count": count, "device_ids": [*names], "capabilities": [["gpu"]], "options": {}}


# What is asked for, the GPUs of the host, the version of its engine, and the request that becomes of it.
REQUESTS: dict[str, tuple[t.Any, list[dict[str, t.Any]], str | None, t.Any]] = {
    "auto": ("auto", [NVIDIA], "28.5.2", cdi("all")),
    "auto on a bare host": ("auto", [BARE], None, cdi("all")),
    "auto without a GPU": ("auto", [], "28.5.2", None),
    "auto with another vendor's": ("auto", [AMD], "28.5.2", None),
    "auto where a virtual machine has it": ("auto", [HIDDEN], "28.5.2", None),
    "auto with two vendors'": ("auto", [AMD, NVIDIA], "26.1.5+dfsg1", cdi("all")),
    "auto, old engine": ("auto", [NVIDIA], "20.10.24+dfsg1", legacy(-1)),
    "all": ("all", [NVIDIA], "25.0.0", cdi("all")),
    "all, last engine without CDI": ("all", [NVIDIA], "24.0.9", legacy(-1)),
    "none": ("none", [NVIDIA], "28.5.2", None),
    "number": (2, [NVIDIA] * 4, "28.5.2", cdi("0", "1")),
    "number of the command line": ("2", [NVIDIA] * 4, "28.5.2", cdi("0", "1")),
    "number, old engine": (2, [NVIDIA] * 4, "24.0.9", legacy(0, "0", "1")),
    "list": ([1, "0:1", FIRST, "MIG-5c89852c"], [NVIDIA], "29.0.0", cdi("1", "0:1", FIRST, "MIG-5c89852c")),
    "list, old engine": (["1", FIRST], [NVIDIA], "24.0.9", legacy(0, "1", FIRST)),
}
UNSOUND: list[t.Any] = [True, False, None, 0, -1, 1.5, "", "cuda", "2x", "0,1", FIRST, {"count": 2}, []] + [
    [entry] for entry in (True, None, "all", "", "-1", "0:", "GPU-", "0;1", ["0"])
]
UNSOUND += [["0", 0], [FIRST, FIRST]]


WISHES = {**REQUESTS, **{json.dumps(wish): (wish, [NVIDIA] * 8, "28.5.2", None) for wish in UNSOUND}}
WISHES["external"] = ("all", [NVIDIA], "28.5.2", None)


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """What the role makes of one of the wishes."""
    expressions = {
        "sound": "__ollama_gpus_sound",
        "indexes": "__ollama_gpus_indexes",
        "request": "__ollama_device_request if __ollama_gpus else none",
        "label": "__ollama_gpus_label",
        "hidden": "'NVIDIA_VISIBLE_DEVICES' in __ollama_env",
    }

    def evaluated(name: str, what: str) -> t.Any:
        wish, there, version, _request = WISHES[name]
        host = {
            "ollama_gpus": wish,
            "ollama_deploy": "external" if name == "external" else "container",
            "__nvidia_gpu_info": {"pci": {"gpus": there}, "stack": {"engine": version and {"version": version}}},
        }
        return evaluate("ollama", expressions[what], host)

    return evaluated


@pytest.mark.parametrize("name", REQUESTS)
def test_request(evaluated: t.Callable[..., t.Any], name: str) -> None:
    assert evaluated(name, "sound") is True
    assert evaluated(name, "request") == REQUESTS[name][3]


@pytest.mark.parametrize("wish", UNSOUND, ids=json.dumps)
def test_what_is_no_wish(evaluated: t.Callable[..., t.Any], wish: t.Any) -> None:
    assert evaluated(json.dumps(wish), "sound") is False
    assert evaluated(json.dumps(wish), "request") is None


def test_a_server_of_others_gets_none(evaluated: t.Callable[..., t.Any]) -> None:
    assert evaluated("external", "request") is None


def test_indexes_are_known_before_the_driver(evaluated: t.Callable[..., t.Any]) -> None:
    assert evaluated("list", "indexes") == [1, 0]
    assert evaluated("number", "indexes") == [0, 1]
    assert evaluated("all", "indexes") == []


def test_none_holds_where_the_runtime_would_go_by_the_image(evaluated: t.Callable[..., t.Any]) -> None:
    """The environment of all others stays as it was, so that no container is made anew by an upgrade."""
    assert [name for name in REQUESTS if evaluated(name, "hidden")] == ["none"]


# What is asked for, the GPUs on the bus, what the container has by its label and its requests, other variables, and
# whether the role refuses to go on.
GONE: dict[str, tuple[t.Any, int, dict[str, t.Any], dict[str, t.Any], bool]] = {
    "as before": ("auto", 8, {"gpus": "8", "devices": [cdi("all")]}, {}, False),
    "one gone": ("auto", 7, {"gpus": "8", "devices": [cdi("all")]}, {}, True),
    "one gone of all": ("all", 7, {"gpus": "8", "devices": [cdi("all")]}, {}, True),
    "one gone, and known": (7, 7, {"gpus": "8", "devices": [cdi("all")]}, {}, False),
    "one gone, and listed": (["0"], 7, {"gpus": "8", "devices": [cdi("all")]}, {}, False),
    "one more": ("auto", 9, {"gpus": "8", "devices": [cdi("all")]}, {}, False),
    "all gone": ("auto", 0, {"gpus": "", "devices": [cdi("0", "1")]}, {}, True),
    "all gone, and known": ("none", 0, {"gpus": "8", "devices": [cdi("all")]}, {}, False),
    "the first two before": ("auto", 1, {"gpus": "", "devices": [cdi("0", "1")]}, {}, False),
    "never any": ("auto", 0, {"gpus": "", "devices": None}, {}, False),
    "the CPU is good enough": ("auto", 7, {"gpus": "8", "devices": [cdi("all")]}, {"ollama_allow_cpu": True}, False),
    "somebody else's server": ("auto", 0, {}, {"ollama_deploy": "external", "__container_exists": False}, False),
    "no container yet": ("auto", 8, {}, {"__container_exists": False}, False),
}


@pytest.mark.parametrize("name", GONE)
def test_gpus_that_are_gone(evaluate: t.Callable[..., t.Any], name: str) -> None:
    wish, there, container, more, refused = GONE[name]
    host = {
        "ollama_gpus": wish,
        "__nvidia_gpu_info": {"pci": {"gpus": [NVIDIA] * there + [AMD]}},
        "__container_exists": True,
        "__container": container,
        **more,
    }
    assert evaluate("ollama", "__ollama_gpus_gone", host) is refused


def test_only_all_have_a_number_to_remember(evaluated: t.Callable[..., t.Any]) -> None:
    """A number or a list says itself what there has to be."""
    labels = {name: evaluated(name, "label") for name in REQUESTS}
    assert {name for name, label in labels.items() if label} == {
        name for name, (_wish, _there, _version, request) in REQUESTS.items() if request in (cdi("all"), legacy(-1))
    }
    assert labels["auto with two vendors'"] == {"selfhosted.llm.gpus": "1"}


# -- what the container sees


MIG = (RECORDINGS / "a100-1.mig3.list.txt").read_text()
ONLY_PART = "\n".join(MIG.splitlines()[:2])


@pytest.mark.parametrize("version", ["", ".smi470", ".smi525", ".smi535", ".smi555"])
def test_listed(version: str) -> None:
    listed = gpus.listed((RECORDINGS / f"a100-1.mig3{version}.list.txt").read_text())
    assert listed == {
        "0": FIRST,
        "0:0": "MIG-5c89852c-d268-5c8d-9cb5-000100abc000",
        "0:1": "MIG-5c89852c-d268-5c8d-9cb5-000500abc011",
        "0:2": "MIG-5c89852c-d268-5c8d-9cb5-000d00abc022",
    }


# The wanted GPUs, the words of nvidia-smi -L on the host and in the container, and what the container lacks.
SEEN: dict[str, tuple[list[str], str, str, list[str]]] = {
    "all": (["all"], TWO, TWO, []),
    "renumbered": ([SECOND], TWO, f"GPU 0: NVIDIA A100 (UUID: {SECOND})", []),
    "by index": (["1"], TWO, f"GPU 0: NVIDIA A100 (UUID: {SECOND})", []),
    "after a daemon-reload": (["all"], TWO, recorded("init_unknown_error"), ["0", "1"]),
    "after an upgrade": (["all"], TWO, recorded("driver_library_mismatch"), ["0", "1"]),
    "one taken away": (["all"], TWO, TWO.splitlines()[0], ["1"]),
    "the other one": (["0"], TWO, f"GPU 0: NVIDIA A100 (UUID: {SECOND})", ["0"]),
    "no program": (["0"], TWO, 'exec: "nvidia-smi": executable file not found in $PATH', ["0"]),
    "no devices": (["all"], TWO, recorded("no_devices"), ["0", "1"]),
    "lost by the host": (["all"], recorded("handle_gpu_is_lost_second_of_2"), TWO.splitlines()[0], []),
    "lost by the host, and wanted": ([SECOND], recorded("handle_gpu_is_lost_second_of_2"), "", []),
    "first lost, second taken away": (["all"], recorded("handle_gpu_is_lost_first_of_2"), "", ["1"]),
    "no driver on the host": (["all"], recorded("driver_not_loaded"), recorded("driver_not_loaded"), []),
    "mismatch on the host": (["all"], recorded("driver_library_mismatch"), recorded("driver_library_mismatch"), []),
    "part": (["0:0"], MIG, ONLY_PART, []),
    "other part": (["0:1"], MIG, ONLY_PART, ["0:1"]),
    "all parts": (["all"], MIG, ONLY_PART, ["0:1", "0:2"]),
}


@pytest.mark.parametrize("name", SEEN)
def test_missing(name: str) -> None:
    wanted, host, container, missing = SEEN[name]
    assert gpus.missing(wanted, host, container) == missing


class Host:
    """Answers the programs that the script calls."""

    def __init__(self) -> None:
        self.container: dict[str, t.Any] = {
            "State": {"Running": True},
            "HostConfig": {"DeviceRequests": [cdi("all")]},
        }
        self.host = TWO
        self.inside = TWO
        self.log = ""
        # What the label says of how many GPUs "all" were.
        self.given = "2"

    def ask(self, *command: str) -> tuple[int, str]:
        if command[:4] == ("docker", "container", "inspect", "--format"):
            return (0, f"{self.given}\n") if self.container else (1, "Error: No such container: ollama")
        if command[:3] == ("docker", "container", "inspect"):
            return (0, json.dumps([self.container])) if self.container else (1, "Error: No such container: ollama")
        answers = {
            ("nvidia-smi", "-L"): self.host,
            ("docker", "exec", "ollama", "nvidia-smi", "-L"): self.inside,
            ("docker", "logs", "--tail", "1000", "ollama"): self.log,
            ("nvidia-smi", "--query-gpu=index,memory.free,memory.total", "--format=csv,noheader"): "0, 8 MiB, 9 MiB",
        }
        return 0, answers[command]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(gpus, "ask", host.ask)
    return host


def test_a_container_that_sees_its_gpus(host: Host) -> None:
    assert gpus.look("ollama", ["all"], host.host) == {"recreate": False, "problems": []}


def test_a_container_that_lost_its_gpus(host: Host) -> None:
    host.inside = recorded("init_unknown_error")
    assert gpus.look("ollama", ["all"], host.host) == {
        "recreate": True,
        "problems": [
            "the container ollama does not see GPU 0, 1, which the host has "
            '(nvidia-smi in it says "Failed to initialize NVML: Unknown Error")'
        ],
    }


@pytest.mark.parametrize(
    ("container", "problem"),
    [
        ({}, "there is no container ollama: Error: No such container: ollama"),
        ({"State": {"Running": False}}, "the container ollama does not run; run site.yml"),
        (
            {"State": {"Running": True}, "HostConfig": {"DeviceRequests": None}},
            "the container ollama was given no GPU; run site.yml",
        ),
    ],
)
def test_what_a_new_run_changes_anyway(host: Host, container: dict[str, t.Any], problem: str) -> None:
    host.container = container
    assert gpus.look("ollama", ["all"], host.host) == {"recreate": False, "problems": [problem]}


def test_a_program_that_is_not_there() -> None:
    status, words = gpus.ask("no-such-program-anywhere")
    assert status == 127
    assert "no-such-program-anywhere" in words


def test_a_program_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        killed = False

        def __init__(self, *_arguments: t.Any, **_options: t.Any) -> None: ...

        def communicate(self, timeout: float) -> None:
            raise subprocess.TimeoutExpired("nvidia-smi", timeout)

        def kill(self) -> None:
            Hanging.killed = True

    monkeypatch.setattr(gpus.subprocess, "Popen", Hanging)
    assert gpus.ask("nvidia-smi", "-L") == (124, "nvidia-smi does not answer")
    assert Hanging.killed


# -- the host


INFO: dict[str, t.Any] = {
    "pci": {"gpus": [{**NVIDIA, "address": "0000:07:00.0"}, {**NVIDIA, "address": "0000:0f:00.0"}]},
    "driver": {
        "loaded": {"version": "580.95.05", "flavour": "open"},
        "kernels": [
            {"release": "6.12.107", "version": "590.44.01", "running": False},
            {"release": "6.12.94", "version": "580.95.05", "running": True},
        ],
        "userspace_version": "580.95.05",
        "reason": "the reason",
        "hint": "",
    },
    "stack": {"cdi": {"driver_version": "580.95.05"}},
}


@pytest.fixture
def info() -> dict[str, t.Any]:
    return copy.deepcopy(INFO)


def test_a_host_that_is_as_it_should_be(info: dict[str, t.Any]) -> None:
    assert gpus.lost(info, TWO) == []
    assert gpus.versions(info, True) == []


def test_gpus_of_others_are_not_counted(info: dict[str, t.Any]) -> None:
    info["pci"]["gpus"] += [{**AMD, "address": "0000:2b:00.0"}, {**HIDDEN, "address": "0000:2c:00.0"}]
    assert gpus.lost(info, TWO) == []


def test_parts_of_a_gpu_are_no_gpus(info: dict[str, t.Any]) -> None:
    assert gpus.lost(info, MIG)[0].startswith("1 of 2 GPUs do not answer")


@pytest.mark.parametrize(("given", "there"), [("", 2), ("2", 2), ("1", 2), ("3", 2), ("2", 0)])
def test_a_gpu_that_is_not_on_the_bus_any_more(host: Host, info: dict[str, t.Any], given: str, there: int) -> None:
    host.given = given
    info["pci"]["gpus"][there:] = [{**HIDDEN, "address": "0000:0f:00.0"}]
    words = f"the container ollama was given {given} GPUs, and only {there} can be used now (lspci -d 10de:)"
    assert gpus.gone(info, "ollama") == ([words] if int(given or 0) > there else [])


def test_no_container_was_given_any(host: Host, info: dict[str, t.Any]) -> None:
    host.container = {}
    info["pci"]["gpus"] = []
    assert gpus.gone(info, "ollama") == []


@pytest.mark.parametrize("case", ["handle_gpu_is_lost_second_of_2", "handle_gpu_is_lost_first_of_2"])
def test_a_lost_gpu_is_named(info: dict[str, t.Any], case: str) -> None:
    (problem,) = gpus.lost(info, recorded(case))
    number = 1 if "second" in case else 0
    assert problem.startswith(
        "1 of 2 GPUs do not answer (nvidia-smi says "
        f'"Unable to determine the device handle for gpu {number}: GPU is lost. Reboot the system to recover this '
        'GPU").'
    )


def test_a_driver_that_does_not_answer(info: dict[str, t.Any]) -> None:
    (problem,) = gpus.lost(info, recorded("driver_library_mismatch"))
    assert problem.startswith("2 of 2 GPUs do not answer")
    assert "Driver/library version mismatch" in problem


def change(info: dict[str, t.Any], place: str, version: str | None) -> None:
    if place == "on disk":
        info["driver"]["kernels"][1]["version"] = version
    elif place == "userspace":
        info["driver"]["userspace_version"] = version
    else:
        info["stack"]["cdi"]["driver_version"] = version


@pytest.mark.parametrize("place", ["on disk", "userspace", "CDI specification"])
def test_versions_that_differ(info: dict[str, t.Any], place: str) -> None:
    change(info, place, "580.65.06")
    (problem,) = gpus.versions(info, True)
    assert "loaded 580.95.05" in problem
    assert f"{place} 580.65.06" in problem
    assert problem.endswith("Run site.yml")


@pytest.mark.parametrize("place", ["on disk", "userspace", "CDI specification"])
def test_a_version_that_nobody_knows(info: dict[str, t.Any], place: str) -> None:
    change(info, place, None)
    assert gpus.versions(info, True) == []


def test_an_engine_before_cdi_reads_no_specification(info: dict[str, t.Any]) -> None:
    change(info, "CDI specification", "580.65.06")
    assert gpus.versions(info, False) == []


def test_the_hint_of_the_driver_comes_first(info: dict[str, t.Any]) -> None:
    change(info, "on disk", "590.44.01")
    info["driver"]["hint"] = "Reboot with playbooks/drivers.yml."
    assert gpus.versions(info, True)[0].endswith("Reboot with playbooks/drivers.yml.")


def test_no_driver(info: dict[str, t.Any]) -> None:
    info["driver"].update(loaded=None, reason="Nothing is loaded", hint="Load it.")
    words = recorded("driver_not_loaded")
    assert gpus.lost(info, words) + gpus.versions(info, True) == [
        "no NVIDIA driver is loaded: Nothing is loaded. Load it."
    ]


# -- the server


def tag(name: str, size: int, **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "size": size, "digest": f"digest of {name}", **more}


def entry(name: str, size: int, vram: int, **more: t.Any) -> dict[str, t.Any]:
    return {**tag(name, size), "size_vram": vram, "context_length": 4096, **more}


def models(server: t.Any, *tags: dict[str, t.Any]) -> None:
    server.expect("GET", "/api/tags", answer={"models": [*tags]})


def able(server: t.Any, name: str, *capabilities: str) -> None:
    server.expect("POST", "/api/show", {"model": name}, answer={"capabilities": [*capabilities]})


def in_memory(server: t.Any, *entries: dict[str, t.Any]) -> None:
    server.expect("GET", "/api/ps", answer={"models": [*entries]})


def answers(server: t.Any, name: str, **more: t.Any) -> None:
    body = {"model": name, "prompt": "Hello", "stream": False, "options": {"num_predict": 1}, "keep_alive": "1m"}
    server.expect("POST", "/api/generate", {**body, **more}, answer={"done": True})


def unloaded(server: t.Any, name: str) -> None:
    server.expect("POST", "/api/generate", {"model": name, "keep_alive": 0}, answer={"done_reason": "unload"})


def test_the_smallest_model_answers_and_leaves(server: t.Any) -> None:
    models(server, tag("large", 900), tag("small", 100))
    able(server, "small", "completion", "tools")
    in_memory(server)
    answers(server, "small")
    in_memory(server, entry("small", 200, 150))
    unloaded(server, "small")
    assert gpus.generate(server.url) == {"name": "small", "size": 200, "size_vram": 150}


def test_a_model_in_memory_stays_as_it_is(server: t.Any) -> None:
    models(server, tag("small", 100))
    able(server, "small", "completion")
    in_memory(server, entry("small", 200, 200))
    body = {"model": "small", "prompt": "Hello", "stream": False, "options": {"num_predict": 1, "num_ctx": 4096}}
    server.expect("POST", "/api/generate", body, answer={"done": True})
    in_memory(server, entry("small", 200, 200))
    assert gpus.generate(server.url)["size_vram"] == 200


def test_an_older_server_does_not_tell_the_context(server: t.Any) -> None:
    older = {key: value for key, value in entry("small", 200, 200).items() if key != "context_length"}
    models(server, tag("small", 100))
    able(server, "small", "completion")
    in_memory(server, older)
    body = {"model": "small", "prompt": "Hello", "stream": False, "options": {"num_predict": 1}}
    server.expect("POST", "/api/generate", body, answer={"done": True})
    in_memory(server, older)
    assert gpus.generate(server.url)["size_vram"] == 200


def test_a_model_for_embeddings(server: t.Any) -> None:
    models(server, tag("broken", 1), tag("picture", 2), tag("elsewhere", 3, remote_host="https://x"), tag("embed", 4))
    server.expect("POST", "/api/show", {"model": "broken"}, status=404, answer={"error": "model not found"})
    able(server, "picture", "image")
    able(server, "embed", "embedding")
    in_memory(server)
    body = {"model": "embed", "input": "Hello", "options": {}, "keep_alive": "1m"}
    server.expect("POST", "/api/embed", body, answer={"embeddings": [[1.0]]})
    in_memory(server, entry("embed", 4, 4))
    unloaded(server, "embed")
    assert gpus.generate(server.url) == {"name": "embed", "size": 4, "size_vram": 4}


def test_after_an_update_the_new_model_counts(server: t.Any) -> None:
    old = entry("small", 200, 200, digest="old")
    models(server, tag("small", 100))
    able(server, "small", "completion")
    in_memory(server, old)
    server.expect("POST", "/api/generate", answer={"done": True}, body=ANY)
    in_memory(server, old, entry("small", 200, 0))
    assert gpus.generate(server.url)["size_vram"] == 0


def test_no_model_at_all(server: t.Any) -> None:
    models(server)
    assert gpus.generate(server.url) is None


@pytest.mark.parametrize(
    ("model", "problems", "notes"),
    [
        (None, "", "no model that could answer, so it is not proved"),
        ({"name": "m", "size": 0, "size_vram": 0}, "", "m left the memory at once, so it is not proved"),
        ({"name": "m", "size": 2**30, "size_vram": 0}, "m has 0% of its 1024 MiB in the memory of the GPUs", ""),
        ({"name": "m", "size": 1000, "size_vram": 499}, "m has 50% of its 0 MiB", ""),
        ({"name": "m", "size": 1000, "size_vram": 500}, "", "m has 50% of its 0 MiB"),
        ({"name": "m", "size": 2**30, "size_vram": 2**30}, "", "m has 100% of its 1024 MiB in the memory of the GPUs"),
    ],
)
def test_judge(model: dict[str, t.Any] | None, problems: str, notes: str) -> None:
    found = gpus.judge(model)
    assert [bool(said) for said in found] == [bool(problems), bool(notes)]
    assert problems in "".join(found[0])
    assert notes in "".join(found[1])


def handed_over(info: dict[str, t.Any]) -> t.Any:
    """What the task gives to the script of all that nvidia_gpu_info found."""
    task, *_rest = yaml.safe_load((ROLE / "tasks/verify_gpus.yml").read_text(encoding="utf-8"))

    def filled(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        return NativeEnvironment(undefined=StrictUndefined).from_string(value).render(__nvidia_gpu_info=info)

    return filled(task["vars"]["__ollama_gpus_rest"]["info"])


def test_a_large_host_leaves_room_on_the_command_line(info: dict[str, t.Any]) -> None:
    much = "x" * 2**17
    info["gpus"] = [{"name": much}]
    info["driver"]["packages"] = {"libcuda1": much}
    info["driver"]["kernels"][0]["files"] = [much]
    info["stack"]["cdi"]["specs"] = [much]
    assert much not in json.dumps(handed_over(info))


@pytest.mark.parametrize("recreate", [True, False])
def test_the_failure_reads_as_sentences(evaluate: t.Callable[..., t.Any], recreate: bool) -> None:
    _task, prove = yaml.safe_load((ROLE / "tasks/verify_gpus.yml").read_text(encoding="utf-8"))
    message = trust_as_template(prove["ansible.builtin.assert"]["fail_msg"])
    said = {"problems": ["it does not"], "recreate": recreate}
    found: str = evaluate("ollama", "message", {"message": message, "__ollama_gpus_found": said})
    assert "  " not in found
    assert ("should: it does not. Run site.yml, which makes the container anew. Where" in found) is recreate
    assert ("should: it does not. Where" in found) is not recreate


def proof(server: t.Any, info: dict[str, t.Any]) -> dict[str, t.Any]:
    wish = {"container": "ollama", "gpus": ["all"], "url": server.url, "cdi": True, "info": handed_over(info)}
    found: dict[str, t.Any] = gpus.prove(wish, gpus.ask("nvidia-smi", "-L")[1])
    return found


def answered(server: t.Any, vram: int) -> None:
    models(server, tag("small", 100))
    able(server, "small", "completion")
    in_memory(server)
    answers(server, "small")
    in_memory(server, entry("small", 2**20, vram))
    unloaded(server, "small")


def test_proof(server: t.Any, host: Host, info: dict[str, t.Any]) -> None:
    answered(server, 2**20)
    note = "small has 100% of its 1 MiB in the memory of the GPUs"
    assert proof(server, info) == {"recreate": False, "problems": [], "notes": [note]}


def test_a_silent_fall_back_comes_with_its_cause(server: t.Any, host: Host, info: dict[str, t.Any]) -> None:
    answered(server, 0)
    host.inside = recorded("init_unknown_error")
    found = proof(server, info)
    assert found["recreate"] is True
    assert "Unknown Error" in found["problems"][0]
    assert found["problems"][1:] == ["small has 0% of its 1 MiB in the memory of the GPUs"]


def test_a_fall_back_without_a_cause_comes_with_what_is_known(
    server: t.Any, host: Host, info: dict[str, t.Any]
) -> None:
    answered(server, 0)
    host.log = 'level=INFO msg="inference compute" id=cpu library=cpu\nlevel=INFO msg="GET /api/ps"\n'
    assert proof(server, info)["problems"] == [
        "small has 0% of its 1 MiB in the memory of the GPUs; memory (GPU, free, total): 0, 8 MiB, 9 MiB; "
        'its log last said "level=INFO msg="inference compute" id=cpu library=cpu"'
    ]


def test_a_server_that_does_not_answer(server: t.Any, host: Host, info: dict[str, t.Any]) -> None:
    models(server, tag("small", 100))
    able(server, "small", "completion")
    in_memory(server)
    server.expect(
        "POST",
        "/api/generate",
        ANY,
        status=500,
        answer={"error": "llama runner process has terminated: CUDA error"},
    )
    (problem,) = proof(server, info)["problems"]
    assert problem.startswith("Ollama does not let a model answer: 500:")
    assert "CUDA error" in problem


# -- the end before a reboot


def test_models_leave_with_their_last_answer(server: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain.time, "sleep", lambda _seconds: None)
    in_memory(server, entry("a", 1, 1), entry("gone", 1, 1))
    unloaded(server, "a")
    server.expect("POST", "/api/generate", {"model": "gone", "keep_alive": 0}, status=404, answer={"error": "none"})
    in_memory(server, entry("a", 1, 1))
    unloaded(server, "a")
    in_memory(server)
    assert drain.unload(server.url, 60) == []


def test_the_time_of_the_drain_ends(server: t.Any) -> None:
    in_memory(server, entry("a", 1, 1))
    assert drain.unload(server.url, -1) == ["a"]


@pytest.mark.parametrize(
    ("running", "arguments", "said", "stopped"),
    [
        ("true", [], "Stopped ollama.\n", True),
        ("true", ["look"], "Would unload the models of ollama and stop it.\n", False),
        ("false", [], "", False),
        ("", [], "", False),
    ],
)
def test_drain(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    running: str,
    arguments: list[str],
    said: str,
    stopped: bool,
) -> None:
    calls = []

    def docker(*command: str) -> types.SimpleNamespace:
        calls.append(command[0])
        return types.SimpleNamespace(returncode=0, stdout=f"{running}\n")

    monkeypatch.setattr(drain, "docker", docker)
    monkeypatch.setattr(drain, "unload", lambda _url, _seconds: [])
    monkeypatch.setattr(sys, "argv", ["drain.py", "ollama", "http://unused", "120", *arguments])
    drain.main()
    assert capsys.readouterr().out == said
    assert ("stop" in calls) == stopped


def test_a_server_that_is_silent_is_stopped_too(
    server: t.Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.expect("GET", "/api/ps", drop=True)
    done = types.SimpleNamespace(returncode=0, stdout="true\n")
    monkeypatch.setattr(drain, "docker", lambda *_command: done)
    monkeypatch.setattr(sys, "argv", ["drain.py", "ollama", server.url, "120"])
    drain.main()
    assert capsys.readouterr().out.startswith("Stopped ollama; still in memory: unknown, ")
