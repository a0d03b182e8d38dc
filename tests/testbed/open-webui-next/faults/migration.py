# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration that fails on every database, after it has changed something."""

import sqlalchemy as sa
from alembic import op

revision = "f00000000001"
down_revision = "0bd252b206fb"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.text("UPDATE chat SET title = 'lost'"))
    raise RuntimeError("This migration cannot be done: column size of table chat is not what it was.")
