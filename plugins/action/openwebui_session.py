# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules of the group ``openwebui``, so that one sign-in per server and account serves a whole run."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.session import remark
from ansible_collections.selfhosted.llm.plugins.plugin_utils._openwebui_sessions import Sessions

SESSION = "selfhosted.llm.openwebui_session"
# Modules whose results hold a secret, and where.
SECRETS = {SESSION: "token", "selfhosted.llm.openwebui_api_key": "key"}
CONNECTION = ("url", "headers", "validate_certs", "ca_path", "timeout", "admin_email", "admin_password")

Result = dict[str, t.Any]
display = Display()


class ActionModule(ActionBase):
    """Gives modules the token of a session, renews it when it has ended, and hides results that hold a secret."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        self._secret = SECRETS.get(str(self._task.resolved_action))
        self._supports_async = not self._secret
        super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        arguments = self._task.args
        self._account = self._named_account()
        self._sessions = self._of_server()
        token = self._sessions.current(str(arguments.get("token") or ""))
        if self._task.resolved_action == SESSION:
            return self._hidden(self._session(arguments, token))
        connection = {name: arguments[name] for name in CONNECTION if name in arguments}
        token = token or self._sessions.token(self._account)
        if not token and self._account:
            session = self._session(connection)
            if session.get("failed"):
                return session
            token = session["token"]
        result = self._module(token)
        if self._account and (result.get("failure") or {}).get("session_ended"):
            result = self._after_renewal(connection, token, result)
        return self._hidden(result)

    def _named_account(self) -> tuple[str, ...]:
        """Empty where the environment of the target completes the options: only the module sees it."""
        values = [str(self._task.args.get(name) or "") for name in ("url", "admin_email", "admin_password")]
        return (values[1].lower(), values[2]) if all(values) else ()

    def _of_server(self) -> Sessions:
        host = self._task.delegate_to or self._task_vars.get("inventory_hostname", "")
        url = str(self._task.args.get("url") or "").rstrip("/")
        # Behind one proxy the headers may say which server is meant.
        headers = self._task.args.get("headers")
        # Made by Ansible when the run begins, for its user alone, and removed when the run ends.
        run = Path(constants.DEFAULT_LOCAL_TMP)  # type: ignore[attr-defined]
        return Sessions(run / "selfhosted.llm", [host, url, headers])

    def _session(self, arguments: Result, token: str = "") -> Result:
        """The session of a token, else that of the run, else a new one. Whichever it is, the server honours it."""
        with self._sessions.locked(self._account):
            token = token or self._sessions.token(self._account)
            with self._unlogged():
                session = self._execute_module(SESSION, _with(arguments, token), task_vars=self._task_vars)
            if self._account and not session.get("failed") and session["token"] != token:
                self._sessions.keep(self._account, session["token"])
        warning = remark(session.get("version"), str(arguments.get("url") or ""))
        if warning:
            # Ansible shows the same words once in a run, and nothing of a result that is hidden.
            display.warning(warning)
        return session

    def _module(self, token: str) -> Result:
        wrap_async = self._task.async_val and not self._connection.has_native_async
        arguments = _with(self._task.args, token)
        with self._unlogged() if self._secret else contextlib.nullcontext():
            return self._execute_module(module_args=arguments, task_vars=self._task_vars, wrap_async=wrap_async)

    @contextlib.contextmanager
    def _unlogged(self) -> t.Iterator[None]:
        """Before ansible-core 2.22 the ssh connection shows a module's whole output at -vvv."""
        play_context = self._connection._play_context
        no_log = play_context.no_log
        play_context.no_log = True
        try:
            yield
        finally:
            play_context.no_log = no_log

    def _after_renewal(self, connection: Result, token: str, result: Result) -> Result:
        session = self._session(connection)
        if session.get("failed"):
            message = f"{result['failure']['error']} {session.get('msg', '')}"
            return {**result, **session, "changed": result.get("changed", False), "msg": message}
        self._sessions.replace(token, self._account)
        return _together(result, self._module(session["token"]))

    def _hidden(self, result: Result) -> Result:
        """What ``no_log`` of a module's options cannot hide: its result. A failure is shown, it holds no secret."""
        return {**result, "_ansible_no_log": True} if self._secret and result.get(self._secret) else result


def _with(arguments: Result, token: str) -> Result:
    # A copy in any case: running a module adds to its arguments.
    return {**arguments, "token": token} if token else {**arguments}


def _together(first: Result, second: Result) -> Result:
    """The second result, with what the first run of the module had changed before the session ended."""
    together = {**second, "changed": first.get("changed", False) or second.get("changed", False)}
    if "diff" in first and "diff" in second:
        together["diff"] = {part: {**first["diff"][part], **second["diff"][part]} for part in ("before", "after")}
    return together
