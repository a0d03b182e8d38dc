# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of a server with accounts, for the tests of ``openwebui_user`` and ``openwebui_user_info``."""

from __future__ import annotations

import math

PAGE = 30
ADMIN = {"id": "id-admin", "email": "admin@example.com", "name": "Automation", "role": "admin", "created_at": 100}
BOSS = {"id": "id-boss", "email": "boss@example.com", "name": "Boss", "role": "admin", "created_at": 200}
ALICE = {"id": "id-alice", "email": "alice@example.com", "name": "Alice", "role": "user", "created_at": 300}
BOB = {"id": "id-bob", "email": "bob@example.com", "name": "Bob", "role": "user", "created_at": 400}


class People:
    """Expectations in the words of the API. Rows are the recorded ones with some fields replaced.

    :arg recorded: the fixture file with what a real server answered
    """

    def __init__(self, server, run_module, recorded):
        self.server = server
        self.recorded = recorded
        self.run_module = run_module

    def run(self, module, params, **how):
        """The result of a module with a token."""
        return self.run_module(module, {"url": self.server.url, "token": "token-in-use", **params}, **how)

    def all(self, *people, **how):
        """The reading in one request."""
        template = self.recorded["users_all"]["users"][0]
        rows = [{**template, **{key: row[key] for key in template if key in row}} for row in people]
        self.server.expect("GET", "/api/v1/users/all", **(how or {"answer": {"users": rows, "total": len(rows)}}))

    def rows(self, *people):
        """What the paged list has of some people."""
        return [{**self.recorded["users_page"]["users"][0], **row} for row in people]

    def pages(self, *people):
        """The reading of everything, by address."""
        rows = self.rows(*sorted(people, key=lambda row: row["email"]))
        for page in range(1, math.ceil(len(rows) / PAGE) + 1):
            self.page(page, rows[(page - 1) * PAGE : page * PAGE], len(rows))

    def page(self, page, rows, total):
        path = f"/api/v1/users/?order_by=email&direction=asc&page={page}"
        self.server.expect("GET", path, answer={"users": rows, "total": total})

    def oldest(self, *people):
        """The reading of who is the primary administrator."""
        path = "/api/v1/users/?order_by=created_at&direction=asc&page=1"
        self.server.expect("GET", path, answer={"users": self.rows(*people), "total": len(people)})

    def whoami(self, person):
        """The question whose the token is."""
        self.server.expect("GET", "/api/v1/auths/", answer={**self.recorded["whoami"], **person})

    def owner_of_the_key(self, person=None):
        """The question whose the API key is, which a server with the switch for status texts off does not answer."""
        path = "/api/v1/users/user/status"
        how = {"answer": {**self.recorded["whoami"], **person}} if person else self.refusal("protected")
        self.server.expect("GET", path, **how)

    def config(self, **features):
        answer = {**self.recorded["config"], "features": {**self.recorded["config"]["features"], **features}}
        self.server.expect("GET", "/api/config", answer=answer)

    def add(self, email="alice@example.com", name="Alice", role="user", password="secret words", how=None, **more):
        body = {"name": name, "role": role, "password": password, "email": email, **more}
        self.server.expect("POST", "/api/v1/auths/add", body, **(how or {"answer": self.recorded["add"]}))

    def update(self, person, body, how=None):
        path = f"/api/v1/users/{person['id']}/update"
        self.server.expect("POST", path, body, **(how or {"answer": self.recorded["update"]}))

    def revoke(self, person, how=None):
        self.server.expect("POST", f"/api/v1/users/{person['id']}/sessions/revoke", **(how or {"answer": True}))

    def delete(self, person, how=None):
        self.server.expect("DELETE", f"/api/v1/users/{person['id']}", **(how or {"answer": True}))

    def sign_in(self, person, how, password="secret words"):
        """An attempt with a password, which must not carry the token in use."""
        body = {"email": person["email"], "password": password}
        self.server.expect("POST", "/api/v1/auths/signin", body, sent={"Authorization": None}, **how)

    def refusal(self, name):
        """A recorded refusal, as arguments for an expectation."""
        return self.recorded["refusals"][name]
