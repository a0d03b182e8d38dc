# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import threading
from hashlib import sha256

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import store as store_module
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput, parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import parse_manifest
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.store import Store, part_files

WEIGHTS, CONFIG = b"weights of a model", b"{}"
NAME = parse("m:1b")


def digest(content):
    return f"sha256:{sha256(content).hexdigest()}"


def written(*files, config=CONFIG):
    """A manifest over files of this content."""
    entries = [{"mediaType": "application/vnd.ollama.image.model", "digest": digest(c), "size": len(c)} for c in files]
    return json.dumps({"layers": entries, "config": {"digest": digest(config), "size": len(config)}}).encode()


RAW = written(WEIGHTS)
MANIFEST = parse_manifest(RAW)


class Tree:
    """A model directory as a server leaves it."""

    def __init__(self, root):
        self.root = root
        self.blobs = root / "blobs"
        self.blobs.mkdir(parents=True)
        (root / "manifests").mkdir()

    def write_manifest(self, raw=RAW, path="registry.ollama.ai/library/m/1b"):
        file = self.root / "manifests" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
        return str(file)

    def blob(self, content, suffix=""):
        return self.blobs / f"sha256-{sha256(content).hexdigest()}{suffix}"

    def write_blobs(self, *contents):
        for content in contents:
            self.blob(content).write_bytes(content)

    def write_parts(self, content, *parts):
        """Part files as a server writes them; None: empty."""
        offset = 0
        for number, part in enumerate(parts):
            size, completed = part or (0, 0)
            text = json.dumps({"N": number, "Offset": offset, "Size": size, "Completed": completed}) if part else ""
            self.blob(content, f"-partial-{number}").write_text(text)
            offset += size
        self.blob(content, "-partial").write_bytes(b"\0" * len(content))

    def listing(self):
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if not path.is_dir()}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "SETTLED_AFTER", 0)
    return Tree(tmp_path / "models")


@pytest.fixture
def store(tree):
    return Store(str(tree.root))


@pytest.fixture
def heal(tree, store):
    """Heals, and gives what has gone: the answer must be exactly that."""

    def run(name=NAME, manifest=MANIFEST):
        before = tree.listing()
        removed = store.heal(name, manifest)
        gone = before - tree.listing()
        assert sorted(os.path.relpath(path, tree.root) for path in removed) == sorted(gone)
        return gone

    return run


class TestPath:
    @pytest.mark.parametrize("folders", [[], ["blobs"], ["manifests"], ["blobs", "manifests", "cache"]])
    def test_a_store_or_the_place_for_one(self, tmp_path, folders):
        for folder in folders:
            (tmp_path / folder).mkdir()
        store = Store(str(tmp_path))
        assert store.manifest(NAME) is None
        assert store.unreadable(NAME) is False
        assert store.orphans() == []
        assert store.heal(NAME, MANIFEST) == []
        assert store.missing(MANIFEST) == MANIFEST.layers

    def test_no_directory(self, tmp_path):
        (tmp_path / "file").touch()
        for path, reason in ((tmp_path / "none", "No such file"), (tmp_path / "file", "Not a directory")):
            with pytest.raises(InvalidInput, match=rf"{path} cannot be read: {reason}.*OLLAMA_MODELS"):
                Store(str(path))

    def test_another_directory(self, tmp_path):
        (tmp_path / "models" / "blobs").mkdir(parents=True)
        with pytest.raises(InvalidInput, match=r"neither manifests nor blobs.*\.ollama/models"):
            Store(str(tmp_path))

    def test_manifests_is_a_file(self, tmp_path):
        (tmp_path / "manifests").touch()
        with pytest.raises(InvalidInput, match="Not a directory"):
            Store(str(tmp_path))


class TestManifest:
    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("m:1b", "registry.ollama.ai/library/m/1b"),
            ("M:1B", "registry.ollama.ai/library/m/1b"),
            ("m:1b", "Registry.Ollama.AI/Library/M/1B"),
            ("127.0.0.1:5000/u/m", "127.0.0.1:5000/u/m/latest"),
        ],
    )
    def test_found_however_it_is_written(self, tree, store, name, path):
        tree.write_manifest(path=path)
        assert store.manifest(parse(name)) == MANIFEST
        assert store.unreadable(parse(name)) is False

    def test_found_where_another_model_has_another_spelling(self, tree, store):
        tree.write_manifest(written(b"other"), "registry.ollama.ai/Library/other/latest")
        tree.write_manifest()
        assert store.manifest(NAME) == MANIFEST

    @pytest.mark.parametrize("path", ["registry.ollama.ai/library/m/2b", "registry.ollama.ai/u/m/1b", "r/library/m/1b"])
    def test_another_model(self, tree, store, path):
        tree.write_manifest(path=path)
        assert store.manifest(NAME) is None

    def test_a_folder_of_this_name(self, tree, store):
        (tree.root / "manifests/registry.ollama.ai/library/m/1b").mkdir(parents=True)
        assert (store.manifest(NAME), store.unreadable(NAME)) == (None, False)

    @pytest.mark.parametrize(
        ("raw", "unreadable"),
        [(b"", True), (RAW[:40], True), (b"{}", False), (b'{"layers": [{"digest": "sha256:../x", "size": 1}]}', False)],
    )
    def test_no_usable_one(self, tree, store, raw, unreadable):
        tree.write_manifest(raw)
        assert (store.manifest(NAME), store.unreadable(NAME)) == (None, unreadable)

    def test_what_the_server_reads_is_readable(self, tree, store):
        # It stops behind the first value.
        tree.write_manifest(RAW + b"\ngarbage")
        assert store.unreadable(NAME) is False

    def test_one_that_cannot_be_read(self, tree, store, monkeypatch):
        path = tree.write_manifest()

        def refuse(*_args):
            raise PermissionError(13, "Permission denied")

        # Root may read everything.
        monkeypatch.setattr("builtins.open", refuse)
        with pytest.raises(ServiceError) as caught:
            store.manifest(NAME)
        assert caught.value.message == f"{path} in the model directory cannot be used: Permission denied."
        assert "become" in caught.value.hint


class TestFiles:
    def test_missing(self, tree, store):
        manifest = parse_manifest(written(WEIGHTS, WEIGHTS, b"short", b"gone"))
        tree.write_blobs(WEIGHTS, CONFIG, b"short")
        tree.blob(b"short").write_bytes(b"sh")
        assert [layer.digest for layer in store.missing(manifest)] == [digest(b"short"), digest(b"gone")]

    def test_free_is_what_an_ordinary_user_can_fill(self, store, monkeypatch):
        # Of f_blocks, f_bfree and f_bavail only the last leaves out what is kept for root.
        values = (4096, 512, 1000, 300, 200, 0, 0, 0, 0, 255)
        monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(values))
        assert store.free() == 200 * 512

    def test_free_counts_where_the_blobs_are(self, tree, store, monkeypatch):
        asked = []
        monkeypatch.setattr(os, "statvfs", lambda path: asked.append(path) or os.statvfs_result((1,) * 10))
        store.free()
        tree.blobs.rmdir()
        store.free()
        assert asked == [str(tree.blobs), str(tree.root)]

    def test_orphans(self, tree, store):
        tree.write_manifest()
        tree.write_manifest(b"", "registry.ollama.ai/library/broken/latest")
        tree.write_blobs(WEIGHTS, CONFIG, b"orphan")
        tree.write_parts(b"unfinished", (10, 3))
        (tree.blobs / "sha256-1234").touch()
        assert store.orphans() == [str(tree.blob(b"orphan"))]

    def test_orphans_and_free_of_a_directory_that_fails(self, store, monkeypatch):
        def fail(_path):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "listdir", fail)
        monkeypatch.setattr(os, "statvfs", fail)
        for call in (store.orphans, store.free):
            with pytest.raises(ServiceError, match="in the model directory cannot be used: Permission denied"):
                call()

    def test_only_unnamed_files_of_ours_go(self, tree, store):
        tree.write_manifest()
        tree.write_blobs(WEIGHTS, CONFIG, b"ours", b"of another program")
        store.remove_unnamed([f"sha256:{sha256(content).hexdigest()}" for content in (WEIGHTS, b"ours", b"never sent")])
        assert not tree.blob(b"ours").exists()
        assert all(tree.blob(content).exists() for content in (WEIGHTS, CONFIG, b"of another program"))

    @pytest.mark.parametrize(
        ("parts", "kept"),
        [
            ([], 0),
            ([(10, 4), (8, 8)], 12),
            # These do not survive the next pull, or the healing before it.
            ([None, (8, 8)], 0),
            ([(10, 4)], 0),
        ],
    )
    def test_partial_bytes(self, tree, store, parts, kept):
        if parts:
            tree.write_parts(WEIGHTS, *parts)
        assert store.partial_bytes(MANIFEST.layers[0]) == kept

    def test_part_files_without_access_to_the_directory(self):
        assert part_files([*MANIFEST.layers, MANIFEST.layers[0]]) == sorted(
            f"blobs/sha256-{sha256(content).hexdigest()}-partial-*" for content in (WEIGHTS, CONFIG)
        )


class TestHeal:
    def parts(self, *numbers):
        name = f"blobs/sha256-{sha256(WEIGHTS).hexdigest()}-partial"
        return {name, *(f"{name}-{number}" for number in numbers)}

    def test_nothing_to_do(self, tree, heal):
        tree.write_manifest()
        tree.write_blobs(WEIGHTS, CONFIG)
        assert heal() == set()

    def test_a_download_that_can_go_on_stays(self, tree, heal):
        tree.write_parts(WEIGHTS, (10, 4), (8, 0))
        assert heal() == set()
        assert heal(manifest=None) == set()

    @pytest.mark.parametrize("parts", [[None], [None, (8, 8)], [(10, 4), None]])
    @pytest.mark.parametrize("manifest", [MANIFEST, None])
    def test_an_empty_part_file_goes_with_its_brothers(self, tree, heal, parts, manifest):
        tree.write_parts(WEIGHTS, *parts)
        assert heal(manifest=manifest) == self.parts(*range(len(parts)))
        assert heal(manifest=manifest) == set()

    def test_a_part_file_cut_by_a_full_disk(self, tree, heal):
        tree.write_parts(WEIGHTS, (10, 4), (8, 8))
        tree.blob(WEIGHTS, "-partial-1").write_text('{"N": 1, "Off')
        assert heal() == self.parts(0, 1)

    def test_missing_part_files_would_make_a_shorter_file(self, tree, heal):
        tree.write_parts(WEIGHTS, (10, 4), (8, 8))
        tree.blob(WEIGHTS, "-partial-1").unlink()
        assert heal() == self.parts(0)

    def test_downloads_of_other_models_stay(self, tree, heal):
        tree.write_parts(b"other", None)
        assert heal() == set()

    def test_a_file_that_is_just_being_written_stays(self, tree, store, monkeypatch):
        monkeypatch.setattr(store_module, "SETTLED_AFTER", 0.3)
        tree.write_parts(WEIGHTS, None, (8, 8))
        path = tree.write_manifest(b"")
        writers = [
            threading.Timer(0.05, tree.write_parts, (WEIGHTS, (10, 4), (8, 8))),
            threading.Timer(0.05, tree.write_manifest),
        ]
        for writer in writers:
            writer.start()
        assert store.heal(NAME, MANIFEST) == []
        assert os.path.getsize(path) == len(RAW)

    @pytest.mark.parametrize("raw", [b"", RAW[:40]])
    @pytest.mark.parametrize("manifest", [MANIFEST, None])
    def test_a_truncated_manifest(self, tree, heal, raw, manifest):
        tree.write_manifest(raw)
        tree.write_manifest(b"", "registry.ollama.ai/library/other/latest")
        assert heal(parse("M:1B"), manifest) == {"manifests/registry.ollama.ai/library/m/1b"}

    def test_a_manifest_without_layers_is_replaced_by_a_pull(self, tree, heal):
        tree.write_manifest(b"{}")
        assert heal() == set()

    @pytest.mark.parametrize("content", [b"", WEIGHTS[:5], WEIGHTS + b"!"])
    @pytest.mark.parametrize("manifest", [MANIFEST, None])
    def test_a_blob_of_another_size(self, tree, heal, content, manifest):
        tree.write_manifest()
        tree.write_blobs(WEIGHTS, CONFIG)
        tree.blob(WEIGHTS).write_bytes(content)
        assert heal(manifest=manifest) == {f"blobs/sha256-{sha256(WEIGHTS).hexdigest()}"}

    def test_a_lying_manifest_costs_no_good_file(self, tree, heal):
        tree.write_blobs(WEIGHTS, CONFIG)
        entry = {"mediaType": "m", "digest": digest(WEIGHTS), "size": 5}
        assert heal(manifest=parse_manifest(json.dumps({"layers": [entry]}).encode())) == set()

    def test_a_link_to_a_file_is_removed_and_the_file_stays(self, tree, heal, tmp_path):
        outside = tmp_path / "outside"
        outside.write_bytes(b"short")
        tree.blob(WEIGHTS).symlink_to(outside)
        tree.blob(CONFIG).symlink_to(tmp_path / "nowhere")
        assert len(heal()) == 2
        assert outside.read_bytes() == b"short"

    @pytest.mark.parametrize("folder", ["blobs", "manifests"])
    def test_nothing_is_removed_behind_a_link_out_of_the_directory(self, tree, store, tmp_path, folder):
        tree.write_manifest(b"")
        tree.write_blobs(CONFIG)
        if folder == "blobs":
            (tree.root / "manifests/registry.ollama.ai/library/m/1b").unlink()
            tree.write_parts(WEIGHTS, None)
        moved = tmp_path / "elsewhere"
        (tree.root / folder).rename(moved)
        (tree.root / folder).symlink_to(moved)
        before = sorted(moved.rglob("*"))
        with pytest.raises(ServiceError, match=r"a symbolic link leads to .*elsewhere"):
            store.heal(NAME, MANIFEST)
        assert sorted(moved.rglob("*")) == before

    def test_a_link_to_the_directory_itself(self, tree, tmp_path):
        tree.write_manifest(b"")
        (tmp_path / "link").symlink_to(tree.root)
        assert Store(str(tmp_path / "link")).heal(NAME, MANIFEST) == [
            str(tmp_path / "link/manifests/registry.ollama.ai/library/m/1b")
        ]

    def test_a_file_that_cannot_be_removed(self, tree, store, monkeypatch):
        path = tree.write_manifest(b"")

        def refuse(*_args):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "unlink", refuse)
        with pytest.raises(ServiceError) as caught:
            store.heal(NAME, None)
        assert (caught.value.url, "become" in caught.value.hint) == (path, True)
