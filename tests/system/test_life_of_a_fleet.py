# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import leaks
import pytest
import yaml
from conftest import FILES, FOLDER, NAME, ROOT, Fleet, Run

URL = "http://{{ ansible_host }}:3001"
CHANGED_PASSWORD = "another-one-4711"
DATA = "/var/lib/docker/volumes/open-webui/_data"


def nothing_changed(run: Run) -> None:
    assert run.code == 0, run.output
    assert set(run.changed.values()) == {0}, run.output


def test_dry_run_on_bare_hosts_announces_and_changes_nothing(fleet: Fleet) -> None:
    run = fleet.play("site.yml", "--check", "--diff")
    assert run.code == 0, run.output
    # One line per service: the engine, Ollama, and on gpu1 Open WebUI.
    assert run.changed == {"gpu1": 3, "gpu2": 2}
    for host in ("gpu1", "gpu2"):
        assert fleet.execute(host, "command -v dockerd; ls -d /etc/docker /etc/selfhosted-llm 2>/dev/null; true") == ""


REFUSED = {
    "taken port": (
        "nohup python3 -m http.server --bind 127.0.0.1 3001 >/dev/null 2>&1 & echo $! > /run/taken",
        "kill $(cat /run/taken)",
        {"open_webui_listen_address": "127.0.0.1"},
        "gpu1 cannot listen on 127.0.0.1:3001 (OSError: [Errno 98] Address already in use)",
    ),
    "foreign address": (
        "true",
        "true",
        {"open_webui_listen_address": "192.0.2.1"},
        "correct open_webui_listen_address",
    ),
    "full disk": ("true", "true", {"ollama_min_free_disk": "9000T"}, "ollama_min_free_disk wants 9000T"),
    "loopback": (
        "true",
        "true",
        {"ollama_listen_address": "127.0.0.1"},
        "cannot reach Ollama on gpu2, which listens on loopback only. Set ollama_listen_address there",
    ),
    "secret in the environment": (
        "true",
        "true",
        {"open_webui_environment": {"OAUTH_CLIENT_SECRET": "x"}},
        "Move them to open_webui_secret_environment",
    ),
    "settings that last until a restart": (
        "true",
        "true",
        {"open_webui_environment": {"ENABLE_PERSISTENT_CONFIG": "false"}},
        "ENABLE_PERSISTENT_CONFIG=false: what this role and the admin panel set would be gone after a restart",
    ),
    "no session possible": ("true", "true", {"open_webui_session_lifetime": "12 hours"}, "12h or 4w for example"),
    "address of a directory": (
        "true",
        "true",
        {"open_webui_automation_email": "automation@example.com"},
        "open_webui_automation_email of gpu1 does not end in @localhost",
    ),
    "wrong users": (
        "true",
        "true",
        {"open_webui_users": ["kim", {"email": "lee@example.com", "role": "root"}]},
        "entry 1 (kim): that is no e-mail address; entry 2 (lee@example.com): role root is none of user, admin",
    ),
    "missing password": (
        "true",
        "true",
        {"open_webui_users_password_directory": ""},
        "lee@example.com of open_webui_users would get an account on gpu1",
    ),
    "wrong type": ("true", "true", {"docker_source": "snap"}, "value of docker_source must be one of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_preflight_refuses_before_anything_changes(fleet: Fleet, name: str) -> None:
    before, after, variables, message = REFUSED[name]
    fleet.execute("gpu1", before)
    run = fleet.play("site.yml", "--limit", "gpu1", "-e", json.dumps(variables))
    fleet.execute("gpu1", after)
    assert run.code != 0
    assert message in " ".join(run.output.split())
    assert run.changed == {"gpu1": 0}


def test_demo_ends_with_two_chats_and_shows_no_secret(fleet: Fleet) -> None:
    stop = threading.Event()
    watcher = threading.Thread(target=fleet.watch_processes, args=(("gpu1", "gpu2"), stop))
    watcher.start()
    try:
        demo = subprocess.run(
            ["tests/demo/run", "-vvvv", "--diff", "-e", f"@{fleet.variables}"],
            cwd=ROOT,
            env={**os.environ, "DEMO_FLEET": NAME},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        stop.set()
        watcher.join()
    assert demo.returncode == 0, demo.stdout[-5000:]
    summary = (FOLDER / "summary.txt").read_text()
    assert summary in demo.stdout
    assert summary.count('smollm2:135m\n    "') == 2, summary
    second = (FOLDER / "second.log").read_text()
    assert "changed=0" in second and "failed=0" in second
    output = demo.stdout + "".join(path.read_text() for path in FOLDER.glob("*.log"))
    assert leaks.in_text(output, fleet.secrets()) == set()
    assert leaks.in_text("\n".join(fleet.seen_processes), fleet.secrets()) == set()
    assert any("ollama" in line for line in fleet.seen_processes)


@pytest.mark.parametrize("host", ["gpu1", "gpu2"])
def test_hosts_show_no_secret(fleet: Fleet, host: str) -> None:
    assert leaks.on_host(fleet.execute, host, fleet.secrets()) == {}


IMAGE = "$(docker ps -q | head -n1 | xargs docker inspect -f '{{{{.Image}}}}')"
TEMP = "/root/.ansible/tmp"
PLANTED = {
    "docker inspect": ("docker create --name planted -e KEY={secret} " + IMAGE, "docker rm planted"),
    "ps": (
        "nohup sh -c ': {secret}; sleep 60; :' >/dev/null 2>&1 & echo $! > /run/planted",
        "kill $(cat /run/planted)",
    ),
    "journal": ("logger {secret}; journalctl --sync", "journalctl --rotate && journalctl --vacuum-time=1s"),
    "Ansible temp file": (
        f"mkdir -m 700 -p {TEMP} && (umask 077; echo {{secret}} > {TEMP}/planted)",
        f"rm {TEMP}/planted",
    ),
    "world-readable file": ("echo {secret} > /srv/planted", "rm /srv/planted"),
    "container log": (
        f"docker run --name planted --entrypoint /bin/bash {IMAGE} -c 'echo {{secret}}'",
        "docker rm planted",
    ),
}


@pytest.mark.parametrize("place", leaks.PLACES)
def test_planted_secret_is_found(fleet: Fleet, place: str) -> None:
    planted = {"planted": "planted-secret-4711-0815"}
    plant, remove = PLANTED[place]
    fleet.execute("gpu2", plant.format(secret=planted["planted"]))
    try:
        assert leaks.on_host(fleet.execute, "gpu2", planted).get(place) == {"planted"}
    finally:
        fleet.execute("gpu2", remove, check=False)


def test_planted_secret_in_the_output_is_found(fleet: Fleet) -> None:
    playbook = FOLDER / "planted.yml"
    task = {"name": "Show it", "ansible.builtin.debug": {"msg": "{{ open_webui_admin.password }}"}}
    playbook.write_text(yaml.safe_dump([{"name": "Plant", "hosts": "gpu1", "gather_facts": False, "tasks": [task]}]))
    assert leaks.in_text(fleet.play(str(playbook)).output, fleet.secrets()) == {"admin"}


def test_dry_run_afterwards_predicts_nothing(fleet: Fleet) -> None:
    nothing_changed(fleet.play("site.yml", "--check", "--diff"))


def by_hand(fleet: Fleet, host: str, *tasks: dict) -> None:
    """Do what somebody could do by hand."""
    play = {"name": "Do it by hand", "hosts": host, "gather_facts": False, "tasks": list(tasks)}
    playbook = FOLDER / "by-hand.yml"
    playbook.write_text(yaml.safe_dump([play]))
    run = fleet.play(str(playbook))
    assert run.code == 0, run.output


def as_admin(fleet: Fleet, task: dict) -> None:
    """Do what an admin could do in the interface."""
    sign_in = {
        "name": "Sign in",
        "selfhosted.llm.openwebui_session": {
            "url": URL,
            "admin_email": "{{ open_webui_admin.email }}",
            "admin_password": "{{ open_webui_admin.password }}",
        },
        "register": "session",
    }
    by_hand(fleet, "gpu1", sign_in, {"name": "Do it", "no_log": True, **task})


def refused_by_verify(fleet: Fleet, message: str) -> None:
    run = fleet.play("playbooks/verify.yml")
    assert run.code != 0
    assert message in " ".join(run.output.split())


def test_verify_notices_a_stopped_engine(fleet: Fleet) -> None:
    fleet.execute("gpu2", "systemctl stop docker.socket docker")
    refused_by_verify(fleet, "The container ollama on gpu2 is not healthy")
    fleet.execute("gpu2", "systemctl start docker")


def test_verify_notices_a_stopped_container(fleet: Fleet) -> None:
    fleet.execute("gpu2", "docker stop ollama")
    refused_by_verify(fleet, "The container ollama on gpu2 is not healthy")
    mended = fleet.play("site.yml", "--limit", "gpu2")
    assert mended.code == 0, mended.output
    assert mended.changed == {"gpu2": 1}


def test_verify_notices_a_removed_model(fleet: Fleet) -> None:
    absent = {"url": "http://{{ ansible_host }}:11434", "name": "{{ ollama_models[0].name }}", "state": "absent"}
    by_hand(fleet, "gpu2", {"name": "Remove it", "selfhosted.llm.ollama_model": absent})
    refused_by_verify(fleet, "Ollama on gpu2 does not have the models as ollama_models wants them")
    mended = fleet.play("playbooks/models.yml")
    assert mended.code == 0, mended.output
    assert mended.changed == {"gpu1": 0, "gpu2": 1}


def test_verify_notices_an_open_sign_up(fleet: Fleet) -> None:
    settings = {"url": URL, "token": "{{ session.token }}", "settings": {"ui.enable_signup": True}}
    as_admin(fleet, {"selfhosted.llm.openwebui_config": settings})
    refused_by_verify(fleet, "Sign-up is open on Open WebUI of gpu1")
    mended = fleet.play("site.yml")
    assert mended.code == 0, mended.output
    assert mended.changed == {"gpu1": 1, "gpu2": 0}


def test_verify_notices_a_demoted_account(fleet: Fleet) -> None:
    account = {"url": URL, "token": "{{ session.token }}", "email": "kim@example.com", "role": "pending"}
    as_admin(fleet, {"selfhosted.llm.openwebui_user": account})
    refused_by_verify(fleet, "Open WebUI on gpu1 does not have the accounts as the inventory says")
    mended = fleet.play("playbooks/users.yml")
    assert mended.code == 0, mended.output
    assert mended.changed == {"gpu1": 1}


def sessions_and_sign_up(fleet: Fleet, stranger: str) -> tuple[float, int, int, str | None]:
    """Hours that a session lasts, the status of making an API key, and the status and role of a stranger's sign-up."""
    url = f"http://{yaml.safe_load(fleet.inventories[0].read_text())['all']['hosts']['gpu1']['ansible_host']}:3001"

    def post(path: str, body: dict[str, str], token: str = "") -> tuple[int, dict]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{url}/api/v1/auths/{path}", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as exc:
            return exc.code, {}

    status, session = post("signin", {"email": "admin@example.com", "password": fleet.sentinels["admin"]})
    assert status == 200
    key = post("api_key", {}, session["token"])[0]
    sign_up, account = post("signup", {"name": "x", "email": stranger, "password": "x-4711-0815"})
    return (session["expires_at"] - time.time()) / 3600, key, sign_up, account.get("role")


def test_the_session_policy_applies_after_the_first_start(fleet: Fleet) -> None:
    lifetime, *others = sessions_and_sign_up(fleet, "one@example.com")
    assert lifetime == pytest.approx(4 * 7 * 24, abs=0.1)
    assert others == [403, 403, None]
    policy = {
        "open_webui_session_lifetime": "90m",
        "open_webui_api_keys": True,
        "open_webui_signup": True,
        "open_webui_signup_role": "user",
    }
    only = ("--tags", "open_webui", "-e")
    # One task that changes something: the container stays, and with it what people are doing.
    assert fleet.play("site.yml", *only, json.dumps(policy)).changed == {"gpu1": 1, "gpu2": 0}
    lifetime, *others = sessions_and_sign_up(fleet, "two@example.com")
    assert lifetime == pytest.approx(1.5, abs=0.1)
    assert others == [200, 200, "user"]
    closed = {"open_webui_session_lifetime": "4w", "open_webui_api_keys": False}
    assert fleet.play("site.yml", *only, json.dumps(closed)).changed == {"gpu1": 1, "gpu2": 0}
    lifetime, *others = sessions_and_sign_up(fleet, "three@example.com")
    assert lifetime == pytest.approx(4 * 7 * 24, abs=0.1)
    assert others == [403, 403, None]


def test_verify_notices_a_hidden_model(fleet: Fleet) -> None:
    toggle = f"{URL}/api/v1/models/model/toggle?id={{{{ ollama_models[0].name | urlencode }}}}"
    headers = {"Authorization": "Bearer {{ session.token }}"}
    switch = {"ansible.builtin.uri": {"method": "POST", "headers": headers, "url": toggle}}
    as_admin(fleet, switch)
    # Of a server on which everybody is to see all models.
    fleet.extra = ["-e", json.dumps({"open_webui_model_access": "public", "open_webui_models": []})]
    refused_by_verify(fleet, "An ordinary user of Open WebUI on gpu1 does not see")
    fleet.extra = []
    as_admin(fleet, switch)
    assert fleet.play("playbooks/verify.yml").code == 0


@pytest.mark.thorough
def test_a_person_who_changes_their_password_locks_nobody_out(fleet: Fleet) -> None:
    body = {"password": fleet.sentinels["admin"], "new_password": CHANGED_PASSWORD}
    request = {
        "url": f"{URL}/api/v1/auths/update/password",
        "method": "POST",
        "headers": {"Authorization": "Bearer {{ session.token }}"},
        "body_format": "json",
        "body": body,
    }
    as_admin(fleet, {"ansible.builtin.uri": request})
    nothing_changed(fleet.play("site.yml"))


@pytest.mark.parametrize("variable", ["open_webui_volume", "ollama_volume"])
def test_another_volume_than_the_running_one_is_refused(fleet: Fleet, variable: str) -> None:
    run = fleet.play("site.yml", "--limit", "gpu1", "-e", f"{variable}=another")
    assert run.code != 0
    assert f"{variable} says another. Set it to what the container has" in " ".join(run.output.split())
    assert run.changed == {"gpu1": 0}


def test_another_version_keeps_the_data_of_before(fleet: Fleet) -> None:
    ollama = fleet.execute("gpu1", "docker inspect --format '{{.Id}} {{.State.StartedAt}}' ollama")
    run = fleet.play("site.yml", "-e", "open_webui_version=0.12.5")
    assert run.code == 0, run.output
    assert run.changed["gpu2"] == 0
    assert fleet.execute("gpu1", "docker inspect --format '{{.Id}} {{.State.StartedAt}}' ollama") == ollama
    kept = f"ls -d {DATA}/.selfhosted-llm/before-0.12.4-* /var/backups/selfhosted-llm/open-webui/2*"
    backup, snapshot = fleet.execute("gpu1", kept).split()
    query = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM user').fetchone()[0])"
    )
    for database in (f"{snapshot}/webui.db", f"{backup}/data/webui.db"):
        assert fleet.execute("gpu1", f'python3 -c "{query}" {database}').strip() == "7"


def test_a_version_older_than_the_data_is_refused(fleet: Fleet) -> None:
    run = fleet.play("site.yml")
    assert run.code != 0
    assert "was used with Open WebUI 0.12.5" in " ".join(run.output.split())
    assert run.changed["gpu1"] == 0
    fleet.extra = ["-e", "open_webui_version=0.12.5"]


@pytest.mark.thorough
def test_an_added_host_changes_itself_and_the_connections(fleet: Fleet) -> None:
    fleet.up(gpu1="debian13", gpu2="debian13", gpu3="debian12-docker")
    added = FOLDER / "added.yml"
    hosts = {"gpu3": {"ollama_listen_address": "{{ ansible_host }}"}}
    added.write_text(yaml.safe_dump({"all": {"children": {"ollama": {"hosts": hosts}}}}))
    fleet.inventories.append(added)
    run = fleet.play("site.yml")
    assert run.code == 0, run.output
    assert run.changed["gpu1"] == 1, run.output
    assert run.changed["gpu2"] == 0, run.output
    assert run.changed["gpu3"] > 0, run.output
    nothing_changed(fleet.play("site.yml", "--limit", "gpu1"))


@pytest.mark.thorough
def test_a_host_that_left_is_disconnected(fleet: Fleet) -> None:
    fleet.inventories.pop()
    run = fleet.play("site.yml")
    assert run.code == 0, run.output
    assert run.changed == {"gpu1": 1, "gpu2": 0}


@pytest.mark.thorough
def test_removed_service_comes_back_with_its_data(fleet: Fleet) -> None:
    before = fleet.execute("gpu1", f"sha256sum {FILES}/*")
    run = fleet.play("playbooks/remove.yml")
    assert run.code == 0, run.output
    assert fleet.execute("gpu1", "docker ps -aq") == ""
    run = fleet.play("site.yml")
    assert run.code == 0, run.output
    assert fleet.execute("gpu1", f"sha256sum {FILES}/*") == before
    # The account that the person changed is still there: the data was not made anew.
    assert "webui.db" in fleet.execute("gpu1", f"ls {DATA}")


def adopted(fleet: Fleet, name: str, password: str) -> dict[str, Path]:
    """The files that say what gpu1 has, read with the admin's password."""
    address = yaml.safe_load(fleet.inventories[0].read_text())["all"]["hosts"]["gpu1"]["ansible_host"]
    variables = {
        "adopt_url": f"http://{address}:3001",
        "adopt_admin_email": "admin@example.com",
        "adopt_admin_password": password,
        "adopt_directory": str(FOLDER / name),
    }
    run = fleet.play("playbooks/adopt.yml", "-vvvv", "--diff", "-e", json.dumps(variables))
    assert run.code == 0, run.output
    assert leaks.in_text(run.output.partition("TASK [")[2], fleet.secrets()) == set()
    return {path.stem: path for path in (FOLDER / name).iterdir()}


@pytest.mark.thorough
def test_what_was_adopted_makes_the_demo_again(fleet: Fleet) -> None:
    before = adopted(fleet, "adopted", CHANGED_PASSWORD)
    run = fleet.play("playbooks/remove.yml", "-e", "purge=true")
    assert run.code == 0, run.output
    # They win over the inventory.
    fleet.extra += ["-e", f"@{before['open_webui']}", "-e", f"@{before['open_webui_secrets']}"]
    run = fleet.play("site.yml")
    assert run.code != 0
    assert "open_webui_secret_connections_0_key has no value in open_webui_secrets.yml" in run.words
    # The host without Open WebUI goes on.
    assert run.changed["gpu1"] == 0
    values = {
        "open_webui_secret_connections_0_key": fleet.sentinels["connection"],
        "open_webui_secret_settings_web_search_kagi_search_api_key": fleet.sentinels["search"],
    }
    before["open_webui_secrets"].write_text(yaml.safe_dump(values))
    run = fleet.play("site.yml")
    assert run.code == 0, run.output
    nothing_changed(fleet.play("site.yml"))
    after = adopted(fleet, "adopted-anew", fleet.sentinels["admin"])
    assert after["open_webui"].read_text() == before["open_webui"].read_text()
    assert set(yaml.safe_load(after["open_webui_secrets"].read_text())) == set(values)
    del fleet.extra[-4:]


@pytest.mark.thorough
def test_purge_leaves_nothing_but_backups(fleet: Fleet) -> None:
    run = fleet.play("playbooks/backup.yml", "-e", "backup_schedule=daily")
    assert run.code == 0, run.output
    timers = (
        "cd /etc/systemd/system; ls selfhosted-llm-backup@*.timer timers.target.wants 2>/dev/null | grep selfhosted"
    )
    assert len(fleet.execute("gpu1", timers).split()) == 4
    run = fleet.play("playbooks/remove.yml", "-e", "purge=true")
    assert run.code == 0, run.output
    left = "docker ps -aq; docker volume ls -q; ls -d /etc/selfhosted-llm/* 2>/dev/null; true"
    assert fleet.execute("gpu1", f"{left}; {timers}", check=False) == ""
    assert "open-webui" in fleet.execute("gpu1", "ls /var/backups/selfhosted-llm").split()


@pytest.mark.thorough
def test_a_service_without_models_is_proven_as_far_as_possible(fleet: Fleet) -> None:
    run = fleet.play("site.yml", "-e", json.dumps({"ollama_models": [], "open_webui_models": []}))
    assert run.code == 0, run.output
    assert run.output.count("(no chat model): not asked") == 2
