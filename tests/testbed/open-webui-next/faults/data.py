# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration that fails where there are uploads, after it has taken chats and uploads away.

A rehearsal on a copy of the database alone does not see it.
"""

import os
import pathlib

import sqlalchemy as sa
from alembic import op

revision = "f00000000001"
down_revision = "0bd252b206fb"
branch_labels = None
depends_on = None


def upgrade() -> None:
    uploads = [path for path in pathlib.Path(os.environ["DATA_DIR"], "uploads").glob("*") if path.is_file()]
    if uploads:
        connection = op.get_bind()
        connection.execute(sa.text("DELETE FROM chat"))
        connection.commit()
        uploads[0].unlink()
        raise RuntimeError(f"This migration cannot be done: {uploads[0].name} has no size.")
