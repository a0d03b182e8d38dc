# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line of the testbed: python -m tests.testbed engine | images | up | down."""

from __future__ import annotations

import argparse
import os
import sys

from tests.testbed import base, engine, fleet, images
from tests.testbed.shell import BedError, say


def host(text: str) -> tuple[str, str]:
    name, separator, image = text.partition("=")
    if not separator or not fleet.NAME.fullmatch(name) or f"host:{image}" not in images.CATALOGUE:
        hosts = ", ".join(name.partition(":")[2] for name in images.CATALOGUE if name.startswith("host:"))
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=IMAGE; images are {hosts}")
    return name, image


def fleet_name(text: str) -> str:
    if not fleet.NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no fleet name: lower-case letters, digits and -, at most 20")
    return text


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("engine", help="make sure that a Docker Engine answers")
    building = verbs.add_parser("images", help="build the images that are missing or stale")
    building.add_argument("names", nargs="*", metavar="name", choices=[*images.CATALOGUE, []], help="default: all")
    up = verbs.add_parser("up", help="start a fleet, or add what is missing to one that runs")
    up.add_argument("fleet", type=fleet_name)
    up.add_argument("--host", action="append", type=host, default=[], metavar="NAME=IMAGE", dest="hosts")
    up.add_argument("--upgrades", action="store_true", help="also serve an older Open WebUI, and broken ones")
    down = verbs.add_parser("down", help="remove everything of a fleet")
    down.add_argument("fleet", type=fleet_name, nargs="?")
    down.add_argument("--all", action="store_true", help="every fleet")
    parsed = parser.parse_args(argv)
    if parsed.verb == "down" and bool(parsed.fleet) == parsed.all:
        parser.error("down needs the name of a fleet, or --all")
    return parsed


def run(chosen: argparse.Namespace) -> None:
    if os.geteuid() != 0:
        raise BedError(
            "The testbed needs root: its hosts run systemd and a Docker Engine of their own.",
            "Run the command as root.",
        )
    if chosen.verb == "down":
        fleet.down([chosen.fleet] if chosen.fleet else fleet.names())
        return
    engine.ensure()
    if chosen.verb == "images":
        images.build(chosen.names or list(images.CATALOGUE))
    elif chosen.verb == "up":
        fleet.up(chosen.fleet, dict(chosen.hosts), base.forced(), chosen.upgrades)


def main() -> int:
    try:
        run(arguments(sys.argv[1:]))
    except BedError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the same command goes on where this one stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
