# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a secret could show on a host, and the search for it."""

from __future__ import annotations

import base64
import re
import typing as t

# A command on the host, and what its output is.
PLACES = {
    "docker inspect": "docker ps -aq | xargs -r docker inspect; docker images -q | xargs -r docker history --no-trunc",
    "ps": "ps -eww -o args",
    "journal": "journalctl --no-pager -o cat; cat /var/log/* 2>/dev/null",
    "Ansible temp file": "cat $(find /root/.ansible /tmp /var/tmp -type f 2>/dev/null) /dev/null",
    "world-readable file": "find / -xdev -type f -perm -o+r -size -2M -newer /etc/machine-id -print0 | xargs -0 -r cat",
    "container log": "for id in $(docker ps -aq); do docker logs $id 2>&1; done",
}
TOKEN = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")


def in_text(text: str, secrets: dict[str, str]) -> set[str]:
    """The names of the secrets that the text holds, plain or in base64, and ``token`` for a session's token."""
    found = {"token"} if TOKEN.search(text) else set()
    for name, secret in secrets.items():
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
        if secret in text or encoded in text:
            found.add(name)
    return found


def on_host(execute: t.Callable[..., str], host: str, secrets: dict[str, str]) -> dict[str, set[str]]:
    """For each place on the host where secrets show, which."""
    shown = {place: in_text(execute(host, command, check=False), secrets) for place, command in PLACES.items()}
    return {place: names for place, names in shown.items() if names}
