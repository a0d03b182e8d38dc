# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs in a short-lived container of the new image, without a network, before the service starts.

    first WANTED EMAIL   on data that our program has not used yet: copies the database that is there, and makes the
                         primary admin (the automation account) where there is no account
    rehearse EMAIL       on a copy of the database: starts this version, which migrates it, and looks whether everything
                         is still there. Signs that account in; "" for none

Prints one JSON object: ``copy`` (path of the copy or null) and ``admin`` (created or foreign); or ``counts``.
Exits with 1 and one line on stderr when the data must not be used with this image.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request

DATA = pathlib.Path(os.environ.get("DATA_DIR", "/app/backend/data"))
PASSWORD = pathlib.Path("/run/selfhosted-llm/automation_password")
SERVER = "http://127.0.0.1:8080"
LOG = DATA / "server.log"
# Migrations may take their time; one that is under way writes to the log or to the database.
SILENT_SECONDS = 300
# What connects to other servers, which cannot be reached from here.
OUTSIDE = ("REDIS_URL", "REDIS_SENTINEL_HOSTS", "WEBSOCKET_MANAGER", "WEBSOCKET_REDIS_URL", "VECTOR_DB")
COUNTED = ("user", "chat", "file", "knowledge")


def read_only(path):
    # An ordinary connection that closes can remove the log of a running server, and what it writes then is lost.
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def refuse_newer_schema(database):
    package = pathlib.Path(importlib.util.find_spec("open_webui").submodule_search_locations[0])
    known = set()
    for script in (package / "migrations" / "versions").glob("*.py"):
        known.update(re.findall(r"""^revision[^=\n]*=\s*["'](\w+)""", script.read_text(), re.MULTILINE))
    source = read_only(database)
    tables = {row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    used = []
    if "alembic_version" in tables:
        used = [row[0] for row in source.execute("SELECT version_num FROM alembic_version")]
    source.close()
    unknown = sorted(set(used) - known)
    if known and unknown:
        sys.exit(
            f"the database has the schema {unknown[0]}, which this version does not know: it is too old for the data"
        )


def copy_database(database, wanted):
    source = read_only(database)
    size = database.stat().st_size
    if shutil.disk_usage(DATA).free < 2 * size:
        sys.exit(f"no room for a copy of the database ({size} bytes) beside it")
    target = DATA / f"webui.db.before-{wanted}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    copy = sqlite3.connect(partial)
    source.backup(copy)
    verdict = copy.execute("PRAGMA quick_check").fetchone()[0]
    copy.close()
    source.close()
    if verdict != "ok":
        sys.exit(f"the copy of the database is not sound: {verdict}")
    partial.chmod(0o600)
    partial.rename(target)
    return str(target)


def ask(path, body=None):
    request = urllib.request.Request(
        SERVER + path, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, {}
    except (OSError, ValueError):
        return 0, {}


def stamps():
    found = []
    for path in sorted([LOG, *DATA.glob("webui.db*")]):
        # The journal of the database comes and goes.
        with contextlib.suppress(FileNotFoundError):
            found.append(path.stat().st_mtime_ns)
    return found


def wait_until_ready(server):
    seen, deadline = [], 0.0
    while ask("/ready") != (200, {"status": True}):
        if server.poll() is not None:
            sys.exit(f"{end_of_log()}\nThe server ended with {server.returncode}.")
        if stamps() != seen:
            seen, deadline = stamps(), time.monotonic() + SILENT_SECONDS
        elif time.monotonic() > deadline:
            sys.exit(f"{end_of_log()}\nThe server was not ready, and wrote nothing for {SILENT_SECONDS} seconds.")
        time.sleep(0.5)


def end_of_log():
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-15:])


@contextlib.contextmanager
def served(environment):
    inherited = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    # There is no network here; when not told so, libraries would try and wait.
    environment = {**inherited, "OFFLINE_MODE": "true", **environment}
    with LOG.open("w") as log:
        server = subprocess.Popen(["bash", "start.sh"], env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_ready(server)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()


def sign_in(email):
    return ask("/api/v1/auths/signin", {"email": email, "password": PASSWORD.read_text().strip()})


def first(wanted, email):
    database = DATA / "webui.db"
    copy = None
    if database.exists():
        refuse_newer_schema(database)
        copy = copy_database(database, wanted)
    account = {
        "WEBUI_ADMIN_EMAIL": email,
        "WEBUI_ADMIN_PASSWORD": PASSWORD.read_text().strip(),
        "WEBUI_ADMIN_NAME": "Automation",
        "ENABLE_SIGNUP": "false",
    }
    with served(account):
        status, answer = sign_in(email)
    LOG.unlink()
    return {"copy": copy, "admin": "created" if status == 200 and answer.get("role") == "admin" else "foreign"}


def counts(database):
    with contextlib.closing(read_only(database)) as source:
        return {table: source.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in COUNTED}


def rehearse(email):
    database = DATA / "webui.db"
    refuse_newer_schema(database)
    before = counts(database)
    with served({}):
        status, _answer = sign_in(email) if email else (200, {})
    after = counts(database)
    lost = [f"{before[table] - after[table]} of {table}" for table in COUNTED if after[table] < before[table]]
    if lost:
        sys.exit(f"after the migration these rows are missing: {', '.join(lost)}")
    if status != 200:
        sys.exit(f"{end_of_log()}\nAfter the migration {email} cannot sign in: {status}.")
    return {"counts": after}


def main():
    command, *rest = sys.argv[1:]
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    print(json.dumps({"first": first, "rehearse": rehearse}[command](*rest)))


if __name__ == "__main__":
    main()
