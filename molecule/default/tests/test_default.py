# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody who signs in to the hosts sees."""

from __future__ import annotations

import json
import os
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

OLLAMA = {
    "trixie": {"name": "ollama", "port": 11434, "models": {"library/smollm2:135m", "library/all-minilm:latest"}},
    "bookworm": {"name": "ollama-two", "port": 11500, "models": {"library/tinyllama:latest"}},
}


def name_of(host: t.Any) -> str:
    return host.backend.get_pytest_id().removeprefix("ansible://")


def address_of(host: t.Any) -> str:
    return host.ansible.get_variables()["ansible_host"]


def ask(url: str, body: t.Any = None, token: str = "") -> tuple[int, t.Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, json.loads(exc.read() or "null")


def inspected(host: t.Any, name: str) -> dict[str, t.Any]:
    return json.loads(host.check_output("docker container inspect %s", name))[0]


@pytest.fixture
def open_webui(host: t.Any) -> t.Any:
    if name_of(host) != "bookworm":
        pytest.skip("Open WebUI runs on bookworm")
    return host


def test_engine_runs_now_and_at_boot(host: t.Any) -> None:
    service = host.service("docker")
    assert service.is_running
    assert service.is_enabled


def test_daemon_options_are_merged(host: t.Any) -> None:
    written = json.loads(host.file("/etc/docker/daemon.json").content_string)
    registry = host.ansible.get_variables()["testbed_registry"]
    foreign = {"log-opts": {"max-size": "11m"}} if name_of(host) == "bookworm" else {}
    assert written == {"insecure-registries": [registry], **foreign}


def test_ollama_has_its_models_and_no_others(host: t.Any) -> None:
    wanted = OLLAMA[name_of(host)]
    registry = host.ansible.get_variables()["testbed_model_registry"]
    status, answer = ask(f"http://{address_of(host)}:{wanted['port']}/api/tags")
    assert status == 200
    built = {"helpdesk:latest"} if name_of(host) == "trixie" else set()
    assert {model["name"] for model in answer["models"]} == {f"{registry}/{name}" for name in wanted["models"]} | built


def test_ollama_has_built_what_the_inventory_describes(host: t.Any) -> None:
    if name_of(host) != "trixie":
        pytest.skip("only trixie has a custom model")
    status, shown = ask(f"http://{address_of(host)}:11434/api/show", {"model": "helpdesk"})
    assert status == 200
    assert shown["system"] == "You are a patient member of the help desk."
    assert shown["template"] == "{{ .System }} {{ .Prompt }}"
    assert {tuple(line.split()) for line in shown["parameters"].splitlines()} == {
        ("temperature", "0.3"),
        ("stop", '"###"'),
    }


def test_ollama_listens_where_it_was_told(host: t.Any) -> None:
    port = OLLAMA[name_of(host)]["port"]
    assert host.socket(f"tcp://{address_of(host)}:{port}").is_listening
    assert not host.socket(f"tcp://127.0.0.1:{port}").is_listening
    assert not host.socket(f"tcp://0.0.0.0:{port}").is_listening


def test_ollama_container(host: t.Any) -> None:
    name = name_of(host)
    found = inspected(host, OLLAMA[name]["name"])
    assert found["State"]["Health"]["Status"] == "healthy"
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["Config"]["StopTimeout"] == 120
    assert found["HostConfig"]["Memory"] == (2 << 30 if name == "bookworm" else 0)
    assert ("OLLAMA_DEBUG=1" in found["Config"]["Env"]) == (name == "bookworm")
    assert f"OLLAMA_KEEP_ALIVE={'10m' if name == 'bookworm' else '5m'}" in found["Config"]["Env"]


def test_private_ca_is_in_the_containers(open_webui: t.Any) -> None:
    ca = open_webui.file("/etc/selfhosted-llm/open-webui/ca.pem").content_string
    inside = "/etc/ssl/certs/selfhosted-llm.pem"
    assert open_webui.check_output("docker exec ollama-two cat %s", inside) == ca.rstrip("\n")
    bundle = open_webui.check_output("docker exec open-webui cat /tmp/selfhosted-llm-ca.pem")
    assert ca.strip() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 100
    environment = open_webui.check_output("docker exec open-webui cat /proc/1/environ")
    assert "REQUESTS_CA_BUNDLE=/tmp/selfhosted-llm-ca.pem" in environment


def test_secrets_reach_the_container_by_file(open_webui: t.Any) -> None:
    secret = 'OAUTH_CLIENT_SECRET=it\'s "quoted" $HOME `id`'
    assert secret in open_webui.check_output("docker exec open-webui cat /proc/1/environ").split("\0")
    assert "quoted" not in json.dumps(inspected(open_webui, "open-webui"))


def test_files_are_for_root_only(open_webui: t.Any) -> None:
    directory = "/etc/selfhosted-llm/open-webui"
    assert open_webui.file(directory).mode == 0o700
    for name in ("environment", "session_key", "automation_password", "probe_password", "admin_password"):
        found = open_webui.file(f"{directory}/{name}")
        assert (found.mode, found.user) == (0o600, "root"), name


def test_open_webui_container(open_webui: t.Any) -> None:
    found = inspected(open_webui, "open-webui")
    assert found["State"]["Health"]["Status"] == "healthy"
    assert found["HostConfig"]["Memory"] == 3 << 30
    assert "WEBUI_NAME=Test" in found["Config"]["Env"]
    assert open_webui.socket("tcp://127.0.0.1:8443").is_listening
    assert not open_webui.socket(f"tcp://{address_of(open_webui)}:8443").is_listening
    assert json.loads(open_webui.file("/srv/open-webui/.selfhosted-llm.json").content_string) == {"version": "0.12.4"}


def api(host: t.Any, path: str, body: t.Any = None, token: str = "") -> tuple[int, t.Any]:
    """Open WebUI listens on the host's loopback, so it is asked by its address in the engine's network."""
    networks = inspected(host, "open-webui")["NetworkSettings"]["Networks"]
    command = (
        "python3 -c 'import json, sys, urllib.error, urllib.request as r\n"
        "path, body, token = json.load(sys.stdin)\n"
        'headers = {"Content-Type": "application/json", "Authorization": "Bearer " + token}\n'
        'request = r.Request("http://127.0.0.1:8443" + path, json.dumps(body).encode() if body else None, headers)\n'
        "try: answer = r.urlopen(request, timeout=60)\n"
        "except urllib.error.HTTPError as exc: answer = exc\n"
        "print(json.dumps([answer.status, json.load(answer)]))'"
    )
    assert list(networks) == ["selfhosted-llm"]
    arguments = json.dumps([path, body, token]).replace("'", "'\\''")
    return tuple(json.loads(host.check_output(f"printf %s '{arguments}' | {command}")))


def test_people_sign_in_and_strangers_do_not(open_webui: t.Any) -> None:
    password = open_webui.file("/etc/selfhosted-llm/open-webui/admin_password").content_string.strip()
    status, answer = api(open_webui, "/api/v1/auths/signin", {"email": "grace@example.com", "password": password})
    assert (status, answer["role"], answer["name"]) == (200, "admin", "Grace")
    status, users = api(open_webui, "/api/v1/users/?order_by=created_at&direction=asc&page=1", token=answer["token"])
    assert status == 200
    assert {user["email"]: user["role"] for user in users["users"]} == {
        "automation@localhost": "admin",
        "grace@example.com": "admin",
        "probe@localhost": "user",
        "kim@example.com": "user",
        "lee@example.com": "user",
    }
    # Whom somebody is told to ask who has to wait.
    assert api(open_webui, "/api/v1/auths/admin/details", token=answer["token"])[1]["name"] == "Grace"
    stranger = {"name": "x", "email": "x@example.com", "password": "x-4711-0815"}
    assert api(open_webui, "/api/v1/auths/signup", stranger)[0] == 403
    assert api(open_webui, "/api/v1/users/all")[0] == 401
    status, answer = api(open_webui, "/ollama/config", token=answer["token"])
    fleet = yaml.safe_load(Path(os.environ["ANSIBLE_INVENTORY"].split(",")[0]).read_text())
    trixie = fleet["all"]["hosts"]["trixie"]["ansible_host"]
    assert answer["OLLAMA_BASE_URLS"] == [f"http://{trixie}:11434", "http://ollama-two:11434"]


def test_a_person_given_by_e_mail_alone_has_a_first_password_on_the_controller(open_webui: t.Any) -> None:
    directory = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "first passwords"
    assert [path.name for path in directory.iterdir()] == ["kim@example.com.txt"]
    file = directory / "kim@example.com.txt"
    assert file.stat().st_mode & 0o777 == 0o600
    status, answer = api(
        open_webui, "/api/v1/auths/signin", {"email": "kim@example.com", "password": file.read_text().strip()}
    )
    assert (status, answer["role"], answer["name"]) == (200, "user", "kim")


def test_odd_text_of_the_inventory_arrives_as_it_is(open_webui: t.Any) -> None:
    status, answer = api(
        open_webui, "/api/v1/auths/signin", {"email": "lee@example.com", "password": 'it\'s "quoted" $HOME'}
    )
    assert (status, answer["name"]) == (200, "Lee {{ 7 * 7 }} <b>")


def test_session_policy_is_that_of_the_inventory(open_webui: t.Any) -> None:
    password = open_webui.file("/etc/selfhosted-llm/open-webui/admin_password").content_string.strip()
    status, answer = api(open_webui, "/api/v1/auths/signin", {"email": "grace@example.com", "password": password})
    assert status == 200
    assert 0 <= time.time() + 12 * 3600 - answer["expires_at"] < 60
    assert api(open_webui, "/api/v1/auths/api_key", {"unused": True}, answer["token"])[0] == 200
    status, settings = api(open_webui, "/api/v1/auths/admin/config", token=answer["token"])
    assert (settings["WEBUI_URL"], settings["DEFAULT_USER_ROLE"]) == ("https://chat.example.com", "pending")


def test_only_a_trusted_proxy_is_believed(open_webui: t.Any) -> None:
    """A program on the host is trusted here, and the container's neighbours are not."""
    networks = inspected(open_webui, "open-webui")["NetworkSettings"]["Networks"]
    address, gateway = (networks["selfhosted-llm"][key] for key in ("IPAddress", "Gateway"))
    assert (
        f"FORWARDED_ALLOW_IPS=127.0.0.1,192.0.2.0/24,{gateway}" in inspected(open_webui, "open-webui")["Config"]["Env"]
    )
    ask_as = "import urllib.request as r; r.urlopen(r.Request('%s/api/version', headers={'X-Forwarded-For': '%s'}))"
    open_webui.check_output("python3 -c %s", ask_as % ("http://127.0.0.1:8443", "198.51.100.1"))
    open_webui.check_output(
        "docker run --rm --network selfhosted-llm --entrypoint python3 %s -c %s",
        inspected(open_webui, "open-webui")["Image"],
        ask_as % (f"http://{address}:8080", "198.51.100.2"),
    )
    log = open_webui.check_output("docker logs open-webui 2>&1")
    assert '198.51.100.1:0 - "GET /api/version' in log
    assert "198.51.100.2" not in log
