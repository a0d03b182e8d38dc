# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection.

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of the ``openwebui_*`` modules."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the Open WebUI server as the managed host reaches it, without a path of the API.
      - If it is not given, the environment variable E(OPENWEBUI_URL) of the managed host is used.
    type: str
    required: true
  headers:
    description:
      - Headers to send with every request, for example to pass a proxy in front of the server.
    type: dict
  validate_certs:
    description:
      - Whether to check the certificate of the server.
    type: bool
    default: true
  ca_path:
    description:
      - File on the managed host with certificates of authorities to trust beside those of the operating system, in PEM
        format.
    type: path
  timeout:
    description:
      - Seconds of silence after which a request has failed. The total duration of a request is not limited.
    type: float
    default: 30.0
"""

    SIGN_IN = r"""
options:
  token:
    description:
      - Token of an administrator's session, as M(selfhosted.llm.openwebui_session) returns it, or an API key of an
        administrator.
      - If it is not given, the environment variable E(OPENWEBUI_TOKEN) of the managed host is used.
      - One of O(token) and O(admin_email) is required. When both are given, O(token) is used, and O(admin_email) renews
        it when its session has ended.
    type: str
  admin_email:
    description:
      - E-mail address of an administrator. Upper and lower case are the same.
      - All tasks of one run of Ansible with the same host, O(url), O(headers), O(admin_email) and O(admin_password)
        share one session. Open WebUI allows 15 sign-ins per address in three minutes and counts the successful ones
        too.
      - When the server says that the session has ended, be it that of O(token) or the shared one, there is one sign-in.
        The task begins again with the new session, and all that follow in the run use it. A task with C(async) uses the
        session, but cannot renew it.
      - If it is not given, the environment variable E(OPENWEBUI_ADMIN_EMAIL) of the managed host is used. A session is
        shared and renewed only if O(url), O(admin_email) and O(admin_password) are options of the task.
    type: str
  admin_password:
    description:
      - Password of the account O(admin_email).
      - If it is not given, the environment variable E(OPENWEBUI_ADMIN_PASSWORD) of the managed host is used.
    type: str
"""
