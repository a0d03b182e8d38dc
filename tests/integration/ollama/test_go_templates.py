# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go templates on their way through Ansible: Jinja, which has the same braces, leaves them as they are."""

from __future__ import annotations

import pathlib
import textwrap

from module_process import Ollama
from plays import results
from shelf import Shelf

TEMPLATE = (
    "{{ range .Messages }}{{ .Role }}: {{ .Content }}\n{{ end }}{# #}{% x %}{{ if .System }}{{ .System }}{{ end }}"
)
ONE_LINE = TEMPLATE.replace("\n", "\\n")
MODELFILE = f'FROM BASE\nTEMPLATE """{TEMPLATE}"""\n'
GROUP_VARS = f"""\
helpdesk_models:
  - name: of-inventory
    from: BASE
    insecure: true
    template: !unsafe "{ONE_LINE}"
ollama_deploy: external
ollama_url: URL
ollama_models:
  - name: of-role
    from: BASE
    insecure: true
    template: !unsafe "{ONE_LINE}"
  - name: of-role-modelfile
    insecure: true
    modelfile: !unsafe |
{textwrap.indent(MODELFILE, "      ")}
"""
TASKS = f"""\
- selfhosted.llm.ollama_model:
    name: of-playbook
    from: BASE
    insecure: true
    template: !unsafe "{ONE_LINE}"

- selfhosted.llm.ollama_model:
    models: "{{{{ helpdesk_models }}}}"

- selfhosted.llm.ollama_model:
    name: of-file
    from: BASE
    insecure: true
    template: "{{{{ lookup('ansible.builtin.file', 'chat.tmpl', rstrip=false) }}}}"

- selfhosted.llm.ollama_model:
    name: of-modelfile
    insecure: true
    modelfile: "{{{{ lookup('ansible.builtin.file', 'Modelfile') }}}}"

- ansible.builtin.include_role:
    name: selfhosted.llm.ollama
    tasks_from: models
"""


def test_they_arrive_as_they_were_written(ollama: Ollama, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    base = shelf.add()
    for folder, name, text in (
        ("group_vars", "all.yml", GROUP_VARS),
        ("files", "chat.tmpl", TEMPLATE),
        ("files", "Modelfile", MODELFILE),
    ):
        (tmp_path / "plays" / folder).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "plays" / folder / name
        path.write_text(text.replace("BASE", base).replace("URL", ollama.url), encoding="utf-8")
    tasks = TASKS.replace("BASE", base)
    run = [result for result in results(tmp_path / "plays", tasks * 2, OLLAMA_URL=ollama.url) if "models" in result]
    made = {row["name"]: row["action"] for result in run[:5] for row in result["models"] if row["name"] != base}
    names = ("of-playbook", "of-inventory", "of-file", "of-modelfile", "of-role", "of-role-modelfile")
    assert made == {f"{name}:latest": "created" for name in names}
    assert [result["changed"] for result in run] == [True] * 5 + [False] * 5
    for name in names:
        shown = ollama.server.call("POST", "/api/show", {"model": name}).json()
        assert shown["template"] == TEMPLATE, name
