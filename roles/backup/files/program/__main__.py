# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of Open WebUI and Ollama. Prints one JSON object; a failure is one sentence on stderr and exit status 1."""

from __future__ import annotations

import sys

# On the controller this would write into the role.
sys.dont_write_bytecode = True

if __name__ == "__main__":
    from commands import main

    main()
