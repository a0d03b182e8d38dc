#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Set options in the configuration file of the Docker Engine
version_added: 0.1.0
description:
  - Merges options into C(daemon.json) and leaves all others as they are.
  - The new file is checked by C(dockerd --validate) before it takes the place of the old one, where the engine is there
    and has that option (from version 23 on).
  - The engine is neither reloaded nor restarted. The result says which of the two the change needs.
author:
  - selfhosted.llm contributors (@selfhosted-llm)
extends_documentation_fragment:
  - selfhosted.llm._attributes
attributes:
  check_mode:
    support: full
    details:
      - The new content is validated in check mode as well.
  diff_mode:
    support: full
    details:
      - Passwords in URLs and values of options that look like a secret are masked.
  idempotent:
    support: full
options:
  path:
    description:
      - The configuration file. A missing one is created with mode V(0644), and its directory with it.
    type: path
    default: /etc/docker/daemon.json
  options:
    description:
      - The options by the names that they have in the file.
      - Dictionaries are merged deeply, lists are replaced, and a null value removes an option.
    type: dict
    required: true
  backup:
    description:
      - Keep a copy of the old file beside the new one.
    type: bool
    default: true
seealso:
  - name: Options of dockerd
    description: Docker's documentation of the configuration file and of what a reload changes.
    link: https://docs.docker.com/reference/cli/dockerd/
"""

EXAMPLES = r"""
- name: Keep containers running while the engine restarts, and limit their logs
  selfhosted.llm.docker_daemon_config:
    options:
      live-restore: true
      log-driver: local
      log-opts:
        max-size: 50m
  register: docker_config

- name: Apply what a reload can apply
  ansible.builtin.systemd_service:
    name: docker
    state: "{{ 'restarted' if docker_config.restart_required else 'reloaded' }}"
  when: docker_config.restart_required or docker_config.reload_required

- name: Forget a registry mirror
  selfhosted.llm.docker_daemon_config:
    options:
      registry-mirrors:
"""

RETURN = r"""
restart_required:
  description:
    - Whether the change takes effect only after a restart of the engine.
    - A reload is not enough for most options, for most C(features), nor for most options that were removed.
  returned: success
  type: bool
  sample: true
reload_required:
  description: Whether the change takes effect after a reload of the engine, without a restart.
  returned: success
  type: bool
  sample: false
backup_file:
  description: The copy of the old file.
  returned: when a file was replaced and O(backup=true)
  type: str
  sample: /etc/docker/daemon.json.4711.2026-11-22@19:46:00~
"""

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._docker_daemon import (
    InvalidConfig,
    masked,
    merge,
    needs_restart,
    parse,
    render,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

ARGUMENTS = {
    "path": {"type": "path", "default": "/etc/docker/daemon.json"},
    "options": {"type": "dict", "required": True},
    "backup": {"type": "bool", "default": True},
}


def read(path: str) -> bytes | None:
    """The content of the file, or None when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def stage(module: AnsibleModule, content: bytes) -> str:
    """The path of a file with the new content that only its owner can read."""
    descriptor, path = tempfile.mkstemp(dir=module.tmpdir, suffix=".json")
    module.add_cleanup_file(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


def validate(module: AnsibleModule, candidate: str, path: str) -> None:
    """Let the engine judge the new file, where it can."""
    dockerd = module.get_bin_path("dockerd")
    if dockerd is None:
        return
    rc, out, err = module.run_command([dockerd, "--validate", "--config-file", candidate])
    # Engines before 23 do not know the option, and would start when called without it.
    if rc != 0 and "unknown flag: --validate" not in out + err:
        words = (err or out).replace(candidate, path).strip()
        module.fail_json(msg=f"{dockerd} refuses the new {path}: {words}. Nothing was changed: correct the options.")


def write(module: AnsibleModule, candidate: str, path: str, is_new: bool) -> None:
    """Put the new file in its place."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    module.atomic_move(candidate, path)
    if is_new:
        module.set_mode_if_different(path, "0644", False)


def configure(module: AnsibleModule) -> dict[str, object]:
    """Bring the options into the file."""
    # atomic_move would replace a link by a file.
    path = os.path.realpath(module.params["path"])
    content = read(path)
    before = parse(content or b"", path)
    after = merge(before, module.params["options"])
    changes = Changes()
    for key in sorted({**before, **after}):
        changes.compare(key, before.get(key), after.get(key))
    changed = bool(changes)
    restart = needs_restart(before, after)
    result = {
        "changed": changed,
        "diff": {"before": masked(changes.before), "after": masked(changes.after)},
        "restart_required": restart,
        "reload_required": changed and not restart,
    }
    if changed:
        candidate = stage(module, render(after))
        validate(module, candidate, path)
        if not module.check_mode:
            if content is not None and module.params["backup"]:
                result["backup_file"] = module.backup_local(path)
            write(module, candidate, path, content is None)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = configure(module)
    except InvalidConfig as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"{module.params['path']} cannot be read or written: {exc}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
