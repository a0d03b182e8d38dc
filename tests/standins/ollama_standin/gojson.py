# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values written as Go writes them: in JSON, and in the text of parameters."""

from __future__ import annotations

import decimal
import json
import typing as t

ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def dump(value: t.Any) -> bytes:
    """JSON without blanks, characters of HTML escaped; the order of keys is kept."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(ESCAPES).encode()


def sorted_dump(value: t.Any) -> bytes:
    """JSON of a map: keys in order, and every number is a float64, written without a point where it is whole."""
    return dump(_whole_numbers(value))


def literal(value: t.Any) -> str:
    """A value of a parameter as ``parameters`` of a shown model has it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else plain(value)


def plain(value: t.Any) -> str:
    """The same as the Modelfile of a shown model has it: from a million on, numbers have an exponent."""
    if isinstance(value, bool):
        return str(value).lower()
    return _number(float(value)) if isinstance(value, (int, float)) else str(value)


def _whole_numbers(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: float) -> str:
    digits = decimal.Decimal(repr(value)).normalize()
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{digits:f}"
    mantissa, _e, exponent = f"{digits:e}".partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(2, '0')}"
