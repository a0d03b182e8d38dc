# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made from the table of settings: docs/settings.md, and the variables that the role refuses."""

from __future__ import annotations

import json
import runpy
import typing as t
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = "plugins/module_utils/_openwebui/settings.py"
# The one of this file.
LICENSE = Path(__file__).read_text(encoding="utf-8").splitlines()[:3]
INTRODUCTION = """\
# Settings of Open WebUI {version}

<!-- Made by `make docs` from {table}. -->

What the admin panel stores, by the server's own names: in `open_webui_settings` of the role, or `settings` of
[openwebui_config](reference/openwebui_config_module.rst). The parts of a name can be nested:

```yaml
open_webui_settings:
  rag:
    top_k: 5
    file.max_size: 20
  web.search.enable: true
```

- The names that count are those of the running server; another version can have more or fewer of them.
- The default is what a server starts with when its environment says nothing. `sha256` stands for a long text.
- The variable is read when the server starts for the first time. From then on the stored value counts, so put the
  setting here instead. Of several variables the first is the current one.
- *secret*: hidden in results and diffs, left out by
  [openwebui_config_info](reference/openwebui_config_info_module.rst).
- *environment*: stored, but the program reads only the variable, each time it starts. Refused here.
- All of `oauth` counts from here only with `ENABLE_OAUTH_PERSISTENT_CONFIG=true` in the environment. Else refused.
"""
REMARKS = {
    "connection": "belongs to [openwebui_connection](reference/openwebui_connection_module.rst)",
    "group": "belongs to [openwebui_group](reference/openwebui_group_module.rst)",
    "environment": "environment",
    "secret": "secret",
    "optional": "exists once it is set",
}
# What the role itself has for a setting or for all that begin with a word.
ROLE = {
    "auth.enable_api_keys": "open_webui_api_keys",
    "auth.jwt_expiry": "open_webui_session_lifetime",
    "ollama": "open_webui_ollama_urls",
    "openai": "open_webui_connections",
    "ui.default_user_role": "open_webui_signup_role",
    "ui.enable_signup": "open_webui_signup",
    "user": "open_webui_default_permissions",
    "webui.url": "open_webui_url",
}


def page(settings: dict[str, t.Any], version: str) -> str:
    """docs/settings.md."""
    lines = [INTRODUCTION.format(version=version, table=TABLE)]
    for section, names in groupby(settings, lambda name: name.split(".")[0]):
        lines += [f"## {section}", "", "| setting | type | default | variable | |", "|---|---|---|---|---|"]
        for name in names:
            setting = settings[name]
            remarks = ", ".join(REMARKS[mark] for mark in setting.marks)
            default = json.dumps(setting.default, ensure_ascii=False)
            variables = ", ".join(f"`{variable}`" for variable in setting.variables)
            lines.append(f"| `{name}` | {' or '.join(setting.types)} | `{default}` | {variables} | {remarks} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def overridden(settings: dict[str, t.Any]) -> str:
    """The variables that count only when a server starts for the first time, and what to use instead."""
    instead = {}
    for name, setting in settings.items():
        # The environment stays the place of all of oauth unless somebody says otherwise.
        if "environment" not in setting.marks and not name.startswith("oauth."):
            variable = ROLE.get(name) or ROLE.get(name.split(".")[0]) or f"open_webui_settings with {name}"
            instead.update(dict.fromkeys(setting.variables, variable))
    lines = ["---", *LICENSE, "", f"# Made by `make docs` from {TABLE}."]
    lines.append("# What the server reads when it starts for the first time, and its database overrides from then on.")
    lines.append("__open_webui_env_overridden:")
    lines += [f"  {json.dumps(name) if '*' in name else name}: {words}" for name, words in sorted(instead.items())]
    return "\n".join(lines) + "\n"


def generated() -> dict[Path, str]:
    """The files with their contents."""
    table = runpy.run_path(str(ROOT / TABLE))
    return {
        ROOT / "docs" / "settings.md": page(table["SETTINGS"], table["VERSION"]),
        ROOT / "roles" / "open_webui" / "vars" / "main" / "settings.yml": overridden(table["SETTINGS"]),
    }
