# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The server's own rules for pictures: any other path would make browsers send authenticated requests to it."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

PATH = re.compile(r"|/user\.png|/favicon\.png|/static/favicon\.png|/api/v1/users/[^/?#]+/profile/image")
DATA = re.compile(r"data:image/(png|jpeg|gif|webp);base64,", re.IGNORECASE)


def problems(url: str | None) -> t.Iterator[str]:
    """What is wrong with a ``profile_image_url``. Of some things the server drops what it refuses without a word."""
    if url is not None and not _is_picture(url):
        yield (
            "has a profile_image_url that is no URL with http or https, no data:image URI (PNG, JPEG, GIF or WebP in "
            "base64) and not /user.png"
        )


def _is_picture(url: str) -> bool:
    if PATH.fullmatch(url) or DATA.match(url):
        return True
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
