# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._docker_daemon import (
    InvalidConfig,
    masked,
    merge,
    needs_restart,
    parse,
    render,
)


@pytest.mark.parametrize(
    ("content", "config"),
    [(b"", {}), (b" \n", {}), (b"{}", {}), (b'{"a": [1]}', {"a": [1]}), (b'\xef\xbb\xbf{"a": 1}', {"a": 1})],
)
def test_what_the_engine_reads(content, config):
    assert parse(content, "/d.json") == config


@pytest.mark.parametrize("content", [b"{", b"debug = true", b'{"a": 1,}', b"\xff\xfe", b"[]", b"null", b'"x"', b"1"])
def test_what_the_engine_refuses(content):
    with pytest.raises(InvalidConfig, match=r"^/d\.json is not (a )?JSON.* Nothing was changed: "):
        parse(content, "/d.json")


@pytest.mark.parametrize(
    ("current", "options", "merged"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1, "y": {"z": 1}}}, {"a": {"y": {"w": 2}}}, {"a": {"x": 1, "y": {"z": 1, "w": 2}}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}}, {"a": {"x": None}}, {"a": {}}),
        ({}, {"a": {"x": None}}, {}),
        ({}, {"a": {"x": {"y": None}}}, {}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": "off"}, {"a": "off"}),
    ],
)
def test_merging(current, options, merged):
    before = repr(current)
    result = merge(current, options)
    assert result == merged
    assert merge(result, options) == merged
    assert repr(current) == before


@pytest.mark.parametrize(
    ("before", "after", "restart"),
    [
        ({}, {}, False),
        ({"log-driver": "local"}, {"log-driver": "local"}, False),
        ({}, {"live-restore": True}, False),
        ({"debug": True}, {"debug": False}, False),
        ({}, {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}, "default-runtime": "nvidia"}, False),
        ({"insecure-registries": ["a"]}, {"insecure-registries": ["b"]}, False),
        ({}, {"data-root": "/srv"}, True),
        ({}, {"debug": True, "data-root": "/srv"}, True),
        ({"log-driver": "local"}, {}, True),
        # An option that is gone keeps its last value over a reload, unless the engine resets it.
        ({"live-restore": True}, {}, True),
        ({"registry-mirrors": ["a"]}, {}, True),
        ({"runtimes": {"nvidia": {}}}, {}, True),
        ({"max-concurrent-downloads": 9}, {}, False),
        ({"authorization-plugins": ["a"]}, {}, False),
        # The engine looks at these features only when it starts.
        ({}, {"features": {"buildkit": True}}, False),
        ({"features": {"buildkit": True}}, {}, False),
        ({}, {"features": {"cdi": True}}, True),
        ({"features": {"cdi": True}}, {"features": {"cdi": True, "buildkit": False}}, False),
        ({"features": {"containerd-snapshotter": True}}, {}, True),
    ],
)
def test_what_a_reload_cannot_do(before, after, restart):
    assert needs_restart(before, after) is restart


def test_the_file_is_readable_for_people():
    assert render({"b": {"a": 1}, "a": "\u00fc"}).decode() == '{\n  "b": {\n    "a": 1\n  },\n  "a": "\u00fc"\n}\n'


def test_secrets_are_masked():
    assert masked(
        {
            "log-opts": {"splunk-token": "s1", "max-size": "1m"},
            "proxies": {"http-proxy": "http://user:s2@proxy:1/", "no-proxy": "a@b"},
            "hosts": ["tcp://u:s3@h", 1, None],
            "password": None,
            "tlskey": "/etc/docker/key.pem",
        }
    ) == {
        "log-opts": {"splunk-token": "********", "max-size": "1m"},
        "proxies": {"http-proxy": "http://********@proxy:1/", "no-proxy": "a@b"},
        "hosts": ["tcp://********@h", 1, None],
        "password": None,
        "tlskey": "/etc/docker/key.pem",
    }
