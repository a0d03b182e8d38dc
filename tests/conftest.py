# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets a checkout import itself as ``ansible_collections.selfhosted.llm``, and what the tests start be interrupted."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

# ansible_collections is a namespace package: this adds ours and leaves the installed ones visible.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / ".collections"))

# A job in the background of a shell ignores it, and hands that on to every process that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
