# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "links, path, expected",
    [
        ({}, "/a/b", "/a/b"),
        ({"/a/b": "c"}, "/a/b", "/a/c"),
        ({"/a/b": "/c"}, "/a/b", "/c"),
        ({"/a/b": "c", "/a/c": "../d/e"}, "/a/b", "/d/e"),
        # a relative link counts from where the directory really is
        ({"/lib": "usr/lib", "/usr/lib/k/build": "../../src/k"}, "/lib/k/build", "/usr/src/k"),
        ({"/a": "b", "/b": "a"}, "/a/x", None),
    ],
)
def test_links_below_the_root(machine, links, path, expected):
    for link, target in links.items():
        machine.link(link, target)
    found = machine.host.resolve(path)
    assert expected is None or found == expected


def test_existence_follows_links(machine):
    machine.link("/a", "/b").link("/c", "/gone").write("/b")
    assert [machine.host.exists(path) for path in ("/a", "/b", "/c", "/d")] == [True, True, False, False]


def test_what_cannot_be_read_is_as_if_it_were_not_there(machine):
    machine.write("/file", b"\xff text")
    assert (machine.host.read("/gone"), machine.host.read("/"), machine.host.names("/gone")) == ("", "", [])
    assert machine.host.names("/file") == []
    assert machine.host.read("/file").endswith(" text")
