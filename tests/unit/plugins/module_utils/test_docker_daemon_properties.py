# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the merge keeps, on documents that nobody thought of. A failure names its seed, which makes the same again."""

from __future__ import annotations

import copy
import json
import random
import typing as t

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._docker_daemon import merge, needs_restart, parse, render

SEEDS = range(100)
# What the role nvidia_container_toolkit asks for.
GPU = {
    "features": {"cdi": True},
    "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}},
    "live-restore": True,
}
KEYS = (*GPU, "data-root", "default-runtime", "exec-opts", "log-opts", "debug", "x y", "ключ", "")
INNER = ("cdi", "containerd-snapshotter", "buildkit", "nvidia", "kata", "path", "args", "max-size", "", "é")


def value(random_: random.Random, depth: int) -> t.Any:
    kind = random_.randrange(8 if depth else 6)
    if kind < 6:
        return (None, True, False, random_.randrange(-9, 99), random_.choice(("", "on", 'q"\n', "ü", "\u2028")), [])[
            kind
        ]
    if kind == 6:
        return [value(random_, depth - 1) for _number in range(random_.randrange(4))]
    return document(random_, INNER, depth - 1)


def document(random_: random.Random, keys: t.Sequence[str], depth: int) -> dict[str, t.Any]:
    chosen = random_.sample(keys, random_.randrange(len(keys)))
    return {key: value(random_, depth) for key in chosen}


def paths(document_: t.Any, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], t.Any]:
    """Every value that is no object, under the keys that lead to it; an object without keys is a value as well."""
    if not isinstance(document_, dict) or not document_:
        return {prefix: document_}
    found: dict[tuple[str, ...], t.Any] = {}
    for key, inner in document_.items():
        found.update(paths(inner, (*prefix, key)))
    return found


def related(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of them leads through the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


@pytest.fixture(params=SEEDS)
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


def test_what_is_not_ours_survives(dice: random.Random) -> None:
    before, options = document(dice, KEYS, 3), document(dice, KEYS, 2)
    after = paths(merge(before, options))
    kept = {
        path: inner for path, inner in paths(before).items() if not any(related(path, one) for one in paths(options))
    }
    if before:
        assert {path: after.get(path, "missing") for path in kept} == kept


def test_what_is_ours_arrives(dice: random.Random) -> None:
    before, options = document(dice, KEYS, 3), document(dice, KEYS, 2)
    after = paths(merge(before, options))
    for path, wanted in paths(options).items():
        if wanted is None:
            assert path not in after
        elif wanted != {}:
            assert after[path] == wanted


def test_a_second_merge_changes_nothing(dice: random.Random) -> None:
    before, options = document(dice, KEYS, 3), document(dice, KEYS, 2)
    once = merge(before, options)
    assert merge(once, options) == once
    assert render(merge(once, options)) == render(once)
    assert needs_restart(once, merge(once, options)) is False


def test_nobody_s_document_is_written_to(dice: random.Random) -> None:
    before, options = document(dice, KEYS, 3), document(dice, KEYS, 2)
    copies = copy.deepcopy((before, options))
    merge(before, options)["runtimes"] = "written to"
    assert (before, options) == copies


def test_the_order_of_the_keys_stays(dice: random.Random) -> None:
    before, options = document(dice, KEYS, 3), document(dice, KEYS, 2)
    after = list(merge(before, options))
    assert after[: len(after) - len(options.keys() - before.keys() & set(after))] == [
        key for key in before if key in after
    ]


def test_the_file_reads_as_what_was_written(dice: random.Random) -> None:
    config = document(dice, KEYS, 3)
    assert parse(render(config), "/d.json") == config


def test_gpus_cost_only_what_they_need(dice: random.Random) -> None:
    """NVIDIA's own tool loses all other features here, and chokes on an empty file."""
    before = {key: inner for key, inner in document(dice, KEYS, 3).items() if inner is not None}
    after = merge(before, GPU)
    expected = copy.deepcopy(before)
    for key, inner in (("features", {"cdi": True}), ("runtimes", copy.deepcopy(GPU["runtimes"]))):
        if not isinstance(expected.get(key), dict):
            expected[key] = {}
        expected[key].update(inner)
    if isinstance(before.get("runtimes"), dict) and isinstance(before["runtimes"].get("nvidia"), dict):
        # Settings that somebody gave the runtime beyond path and args.
        expected["runtimes"]["nvidia"] = {**before["runtimes"]["nvidia"], **GPU["runtimes"]["nvidia"]}  # type: ignore[index]
    expected["live-restore"] = True
    assert after == expected
    assert json.loads(render(after)) == expected
