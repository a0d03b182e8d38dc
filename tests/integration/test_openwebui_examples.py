# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the ``openwebui_*`` modules, each twice in a row: the first run does it, the second does nothing."""

from __future__ import annotations

import importlib
import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from webui_server import ADMIN, ROOT, Server, running

sys.path.insert(0, str(ROOT / "tests/standins"))

from openai_backend import OpenAiBackend

MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/openwebui_*.py"))
WORDS = "words of somebody"
VARIABLES = {
    **{f"{name}_password": WORDS for name in ("alex", "kim", "probe")},
    **{f"{name}_key": "a key" for name in ("ollama", "cloud", "azure", "proxy")},
    "admin_password": ADMIN["password"],
    "secret_settings": {},
}
PUBLIC = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]
# Whether the two runs of an example change something, where that is not: yes, no.
CHANGES = {
    # Signs in, or looks.
    "Sign in once": [False, False],
    "Check an API key before it is used": [False, False],
    "Check an API key before it is used, behind a proxy with a header and a certificate of its own": [False, False],
    "See which users have not been here for 90 days": [False, False],
    "See two people, if they are in a group": [False, False],
    "Look at the service as a stranger and as an ordinary user": [False, False],
    "Check that strangers stay out and every server answers": [False, False],
    "Read what somebody has set by hand": [False, False],
    "Read the groups and prompts of one server, and the settings that somebody has changed there": [False, False],
    # Everything is so already, or nobody is concerned.
    "Keep sign-up closed": [False, False],
    "Disable them": [False, False],
    "Give another server the same settings, with the secrets from a vault": [False, False],
    "Give another server the same prompts": [False, False],
    # The key is not kept before the next example.
    "Let the CI use the models of a group": [True, True],
}


class Loader(yaml.SafeLoader):
    """Reads what only Ansible knows."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def documented(module: str) -> tuple[dict[str, t.Any], str]:
    """The options that are the module's own, and the text of its examples."""
    plugin = importlib.import_module(f"ansible_collections.selfhosted.llm.plugins.modules.{module}")
    return yaml.safe_load(plugin.DOCUMENTATION).get("options", {}), plugin.EXAMPLES.strip()


def flat(tasks: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    for task in tasks:
        yield from flat(task["block"]) if "block" in task else [task]


def paths(options: dict[str, t.Any], given: t.Any) -> t.Iterator[str]:
    """The options that some arguments use, also those of the elements of lists."""
    for name, option in options.items():
        if name in given:
            yield name
            for entry in given[name] if "suboptions" in option and isinstance(given[name], list) else []:
                yield from (f"{name}.{path}" for path in paths(option["suboptions"], entry))


def all_paths(options: dict[str, t.Any]) -> t.Iterator[str]:
    for name, option in options.items():
        yield name
        yield from (f"{name}.{path}" for path in all_paths(option.get("suboptions", {})))


@pytest.mark.parametrize("module", MODULES)
def test_each_option_has_an_example(module: str) -> None:
    options, examples = documented(module)
    used: set[str] = set()
    for task in flat(yaml.load(examples, Loader)):
        used.update(paths(options, task.get(f"selfhosted.llm.{module}", {})))
    assert sorted(set(all_paths(options)) - used) == []


@pytest.fixture(scope="module")
def webui(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """A server that the examples of one module after another change."""
    with running(tmp_path_factory.mktemp("webui-examples")) as server:
        yield server


class World:
    """What the examples take for granted."""

    def __init__(self, webui: Server, backends: t.Any) -> None:
        self.webui = webui
        self.backends = backends

    def post(self, path: str, body: t.Any) -> t.Any:
        status, answer = self.webui.call("POST", path, body)
        assert status == 200, (path, answer)
        return answer

    def prepare(self, module: str) -> None:
        """Accounts, connections and models for every module, and groups for those that use them."""
        present = {user["email"] for user in self.webui.call("GET", "/api/v1/users/all")[1]["users"]}
        for email in {"kim@example.com", "lee@example.com", "pat@example.com"} - present:
            self.post("/api/v1/auths/add", {"email": email, "name": email, "password": "old words", "role": "user"})
        if module != "openwebui_connection":
            urls = [self.backends.small, self.backends.large]
            body = {"ENABLE_OLLAMA_API": True, "OLLAMA_BASE_URLS": urls, "OLLAMA_API_CONFIGS": {}}
            self.post("/ollama/config/update", body)
            assert self.webui.call("GET", "/api/models?refresh=true")[0] == 200
        if module == "openwebui_group":
            for group in self.webui.call("GET", "/api/v1/groups/")[1]:
                assert self.webui.call("DELETE", f"/api/v1/groups/id/{group['id']}/delete")[0] == 200
        else:
            present = {group["name"] for group in self.webui.call("GET", "/api/v1/groups/")[1]}
            for name in {"developers", "programs"} - present:
                body = {"name": name, "description": "", "permissions": {"features": {"api_keys": True}}}
                self.post("/api/v1/groups/create", body)
        getattr(self, f"_prepare_{module[len('openwebui_'):]}", lambda: None)()

    def _prepare_model(self) -> None:
        self.post("/api/v1/knowledge/create", {"name": "Style guides", "description": "x"})
        tool = {"id": "linter", "name": "Linter", "content": "class Tools:\n    pass\n", "meta": {"description": "x"}}
        self.post("/api/v1/tools/create", tool)

    def _prepare_probe_info(self) -> None:
        account = {"email": "probe@localhost", "name": "Probe", "password": WORDS, "role": "user"}
        if self.webui.sign_in("probe@localhost", WORDS)[0] != 200:
            self.post("/api/v1/auths/add", account)
        for name in ("all-minilm:latest", "smollm2:135m", "tinyllama:latest"):
            # An example of another module has switched one off.
            assert self.webui.call("POST", "/api/v1/models/model/delete", {"id": name})[0] in (200, 401)
            body = {"id": name, "name": name, "access_grants": PUBLIC}
            self.post("/api/v1/models/model/access/update", body)
        model = {"id": "helpdesk", "name": "Helpdesk", "base_model_id": "smollm2:135m", "meta": {}, "params": {}}
        self.post("/api/v1/models/create", {**model, "access_grants": PUBLIC})


@pytest.fixture
def world(webui: Server, backends: t.Any) -> t.Iterator[World]:
    before = webui.call("GET", "/api/v1/configs/export")[1]
    yield World(webui, backends)
    assert webui.call("POST", "/api/v1/configs/import", {"config": before})[0] == 200


@pytest.mark.parametrize("module", MODULES)
def test_each_example_runs(module: str, world: World, playbook: t.Any, tmp_path: Path) -> None:
    world.prepare(module)
    examples = documented(module)[1]
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[ollama]\ngpu1\ngpu2\n", encoding="utf-8")
    key = world.webui.call("POST", "/api/v1/auths/api_key")[1]["api_key"]
    session = {"token": world.webui.token}
    variables = {
        **VARIABLES,
        "session": session,
        "other_session": session,
        "api_key": key,
        "key_file": str(tmp_path / "key"),
    }
    backend = OpenAiBackend(("127.0.0.1", 0), "", ["gpt-4o"])
    hosts = {
        **dict.fromkeys(
            ("http://127.0.0.1:3001", "http://127.0.0.1:3002", "https://chat.example.com"), world.webui.url
        ),
        **dict.fromkeys(("http://gpu1:11434", "https://ollama.example.com"), world.backends.small),
        "http://gpu2:11434": world.backends.large,
        "http://gpu3:8000/v1": backend.url,
        # Another spelling, because it is another connection.
        "https://api.example.com/v1": backend.url.replace("/v1", "/cloud/v1"),
    }
    text = re.sub("|".join(map(re.escape, hosts)), lambda found: hosts[found[0]], examples)
    tasks = tmp_path / "examples.yml"
    tasks.write_text("".join(f"{task.rstrip()}\n" * 2 for task in re.split(r"(?m)^(?=- name: )", text)), "utf-8")
    with backend.running():
        output = playbook(
            [{"ansible.builtin.import_tasks": str(tasks), "vars": variables}],
            *("--inventory", str(inventory)),
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
        )
    assert output.status == 0, output.text
    document = json.JSONDecoder().raw_decode(output.text[output.text.index("{\n") :])[0]
    changes: dict[str, list[bool]] = {}
    for task in document["plays"][0]["tasks"]:
        changes.setdefault(task["task"]["name"], []).append(task["hosts"]["localhost"]["changed"])
    names = [task["name"] for task in flat(yaml.load(examples, Loader))]
    assert changes == {name: CHANGES.get(name, [True, False]) for name in names}
