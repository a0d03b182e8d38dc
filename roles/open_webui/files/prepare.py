# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs in a short-lived container of the new image, on the data, without a network, before the service starts.

Copies the database of another version, and makes the primary admin where there is no account yet.
Arguments: the wanted version, the data's version ("" when unknown), the e-mail of the automation account.
Prints one JSON object: ``copy`` (path of the copy or null), ``admin`` (created, present, foreign or unchanged).
Exits with 1 and one line on stderr when the data must not be used with this image.
"""

from __future__ import annotations

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
START_SECONDS = 600


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


def make_admin(email):
    password = PASSWORD.read_text().strip()
    environment = {
        **os.environ,
        "WEBUI_ADMIN_EMAIL": email,
        "WEBUI_ADMIN_PASSWORD": password,
        "WEBUI_ADMIN_NAME": "Automation",
        "ENABLE_SIGNUP": "false",
        # There is no network here; without this, libraries would try and wait.
        "OFFLINE_MODE": "true",
    }
    server = subprocess.Popen(["bash", "start.sh"], env=environment, stdout=sys.stderr)
    try:
        deadline = time.monotonic() + START_SECONDS
        while ask("/ready") != (200, {"status": True}):
            if server.poll() is not None:
                sys.exit(f"the server ended with {server.returncode} while it was to make the primary admin")
            if time.monotonic() > deadline:
                sys.exit(f"the server was not ready within {START_SECONDS} seconds")
            time.sleep(0.5)
        status, answer = ask("/api/v1/auths/signin", {"email": email, "password": password})
        return "created" if status == 200 and answer.get("role") == "admin" else "foreign"
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()


def main():
    wanted, used, email = sys.argv[1:]
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
    database = DATA / "webui.db"
    copy = None
    if database.exists():
        refuse_newer_schema(database)
        if used != wanted:
            copy = copy_database(database, wanted)
    admin = "unchanged" if used else make_admin(email)
    print(json.dumps({"copy": copy, "admin": admin}))


main()
