# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Serves in a thread for as long as a test needs it."""

from __future__ import annotations

import contextlib
import socketserver
import threading
import typing as t

AnyServer = t.TypeVar("AnyServer", bound=socketserver.BaseServer)


@contextlib.contextmanager
def serving(server: AnyServer) -> t.Iterator[AnyServer]:
    """Serve until the end of the block, and close the server."""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
