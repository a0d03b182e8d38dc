# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ansible inventory of a fleet."""

from __future__ import annotations

import json
import pathlib

from tests.testbed.hosts import ssh_options


def write(folder: pathlib.Path, addresses: dict[str, str], variables: dict[str, str]) -> pathlib.Path:
    common = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
        "ansible_ssh_common_args": " ".join(ssh_options(folder)),
        "ansible_python_interpreter": "/usr/bin/python3",
        **variables,
    }
    lines = ["---", "all:", "  vars:", *(f"    {name}: {json.dumps(value)}" for name, value in common.items())]
    lines.append("  hosts:")
    for name, address in sorted(addresses.items()):
        lines += [f"    {name}:", f"      ansible_host: {json.dumps(address)}"]
    path = folder / "hosts.yml"
    path.write_text("\n".join([*lines, ""]))
    return path
