# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens a copy of Open WebUI's vectors in a short-lived container of the service's own image, without a network.

Arguments: the copy, and where to copy it once more. Every stored vector must be there, and one of each collection must
find itself; else it exits with 1 and one line.
"""

from __future__ import annotations

import faulthandler
import shutil
import sys

BATCH = 1000
SAME = 1e-3
# A backup waits for it, and the container outlives whoever started it.
LIMIT_SECONDS = 3600


def main():
    # The first process of a container cannot be ended by an alarm.
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    import chromadb

    source, copy = sys.argv[1:]
    # Opening a store writes to it.
    shutil.copytree(source, copy)
    client = chromadb.PersistentClient(copy, settings=chromadb.Settings(anonymized_telemetry=False))
    for listed in client.list_collections():
        # Older versions list their names.
        prove(client.get_collection(getattr(listed, "name", listed), embedding_function=None))


def prove(collection):
    total, stored, probe = collection.count(), 0, None
    for offset in range(0, total, BATCH):
        part = collection.get(limit=BATCH, offset=offset, include=["embeddings"])
        stored += sum(1 for vector in part["embeddings"] if len(vector))
        if probe is None:
            probe = part["ids"][0], part["embeddings"][0]
    if stored != total:
        sys.exit(f"collection {collection.name} has {stored} of {total} vectors")
    if probe:
        answer = collection.query(query_embeddings=[probe[1]], n_results=1, include=["distances"])
        found = zip(answer["ids"][0], answer["distances"][0])
        # Two passages with the same words have the same vector.
        if not any(name == probe[0] or distance < SAME for name, distance in found):
            sys.exit(f"collection {collection.name} does not find its own vector {probe[0]}")


try:
    main()
# Chroma panics with what is no Exception.
except BaseException as exc:
    sys.exit(str(exc))
