# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This doc fragment is PRIVATE to the collection.

from __future__ import annotations


class ModuleDocFragment:
    """What a module can do, in the words of Ansible's documentation."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in C(check_mode)) when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode with the same arguments, the second run reports no change.
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    details:
      - This module only reads.
  diff_mode:
    support: N/A
    description: Returns details on what has changed (or possibly needs changing in C(check_mode)) when in diff mode.
    details:
      - This module only reads.
  idempotent:
    support: full
    description: When run twice in a row outside check mode with the same arguments, the second run reports no change.
    details:
      - This module only reads.
"""

    ACTION_GROUP_OLLAMA = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/selfhosted.llm.ollama) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - selfhosted.llm.ollama
"""

    ACTION_GROUP_OPENWEBUI = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/selfhosted.llm.openwebui) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - selfhosted.llm.openwebui
"""
