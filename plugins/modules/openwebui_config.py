#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwebui_config
short_description: Manage settings of Open WebUI
version_added: 0.1.0
author: "selfhosted.llm contributors (@selfhosted-llm)"
description:
  - Brings some of the settings in the admin panel to the wanted values. All others stay as they are.
  - Open WebUI itself would store any name and any type, so names that the server does not have and values of another
    type are refused before anything is written.
  - When everything is right, this costs one request, one more for settings that begin with C(oauth), and one more when
    O(settings) names a default group.
  - Settings that the running program holds on to, such as those of the embedding model, the reranking model, tool
    servers and local speech recognition, are written where the program then follows. It may load a model before it
    answers, so O(timeout) has to be long enough for that. Of several processes or replicas only one follows; the
    others do when they start the next time.
  - Once the server has started for the first time, its database wins over its environment, so that only this way works.
    It has no effect that lasts on a server with E(ENABLE_PERSISTENT_CONFIG=false), which does not say so.
extends_documentation_fragment:
  - selfhosted.llm._openwebui
  - selfhosted.llm._openwebui.sign_in
  - selfhosted.llm._attributes
  - selfhosted.llm._attributes.action_group_openwebui
attributes:
  check_mode:
    support: full
    details:
      - A default group that does not exist yet is a warning in check mode, because an earlier task of the same run can
        be what creates it.
  diff_mode:
    support: full
    details:
      - Secrets are hidden.
  idempotent:
    support: full
options:
  settings:
    description:
      - Settings by the server's own names. The parts of a name may be nested dictionaries or stand together with dots,
        as in V(ui.enable_signup).
      - A setting whose value is a list or a dictionary is replaced as a whole.
      - V(ui.default_group_id) takes the name of a group as well as its identifier.
      - L(The list of settings,https://github.com/selfhosted-llm/selfhosted.llm/blob/main/docs/settings.md) has their
        types, defaults and environment variables. The names that count are those of the running server.
      - Refused are connections (M(selfhosted.llm.openwebui_connection)), default permissions
        (M(selfhosted.llm.openwebui_group)) and what the server takes from its environment alone.
    type: dict
    required: true
  allow_lockout:
    description:
      - Whether settings may be changed so that sessions end or nobody can sign in the usual way any more, for example
        V(auth.mfa.enable), V(ui.enable_login_form) or a very short V(auth.jwt_expiry).
      - After a change of V(auth.mfa) every session has ended, that of the task included.
    type: bool
    default: false
seealso:
  - module: selfhosted.llm.openwebui_config_info
  - module: selfhosted.llm.openwebui_session
  - module: selfhosted.llm.openwebui_connection
  - module: selfhosted.llm.openwebui_group
"""

EXAMPLES = r"""
- name: Keep sign-up closed, and let sessions last a day
  selfhosted.llm.openwebui_config:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    settings:
      ui:
        enable_signup: false
      auth.jwt_expiry: 1d

- name: Embed documents with a model of an Ollama server, and search the web with a private SearXNG
  selfhosted.llm.openwebui_config:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    settings:
      rag:
        embedding_engine: ollama
        embedding_model: all-minilm:latest
        ollama.base_url: http://gpu1:11434
      web.search:
        enable: true
        engine: searxng
        searxng_query_url: http://searxng.example.com/search?q=<query>

- name: Let people sign in by OAuth only
  selfhosted.llm.openwebui_config:
    url: http://127.0.0.1:3001
    token: "{{ session.token }}"
    settings:
      ui.enable_login_form: false
    allow_lockout: true
"""

RETURN = r"""
settings:
  description: The full names of the settings that were changed. Their values are in the diff.
  returned: success
  type: list
  elements: str
  sample: [ui.enable_signup]
"""

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import OPENWEBUI_SIGN_IN, openwebui_arguments
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import admin_client
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.config import ensure_settings
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.secrets import DiscreetModule


def main() -> None:
    module = DiscreetModule(
        argument_spec={
            **openwebui_arguments(),
            "settings": {"type": "dict", "required": True},
            "allow_lockout": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        **OPENWEBUI_SIGN_IN,
    )
    wanted = {name: module.params[name] for name in ("settings", "allow_lockout")}
    try:
        result = ensure_settings(admin_client(module.params), **wanted, check_mode=module.check_mode)
    except ServiceError as exc:
        module.fail_json(**exc.result())
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
