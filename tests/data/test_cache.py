"""Cached arrays: equal to the computed ones, computed once, and never used if damaged."""

import logging
import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from heed.data.cache import Arrays, Entry, Store, cache_folder, cached, key

ARRAYS = {
    "ids": np.arange(1001, dtype=np.int32),
    "offsets": np.array([0, 1000]),
    "table": np.arange(12, dtype=np.int32).reshape(4, 3),
    "none": np.zeros(0, np.uint8),
}


class Maker:
    """Counts its calls."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays, self.asked = arrays, 0

    def __call__(self, store: Store) -> str:
        self.asked += 1
        for name, array in self.arrays.items():
            parts = np.array_split(array, 3)
            assert np.array_equal(store(name, iter(parts)), array)
        return "of ½ the lines\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoded"


def same(entry: Entry, other: Arrays) -> bool:
    one = entry.arrays
    return (
        entry.text == "of ½ the lines\n"
        and one.keys() == other.keys()
        and all(one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name]) for name in one)
    )


def test_arrays_are_made_once_and_come_back(folder: Path) -> None:
    """Catches a cache that is never hit, types that change, and temporary files that are left behind."""
    make = Maker(ARRAYS)
    assert same(cached("a", make), ARRAYS)
    assert same(cached("a", make), ARRAYS)
    assert make.asked == 1
    assert [path.name for path in folder.iterdir()] == ["a.safetensors"]


def test_files_of_killed_processes_are_removed_after_a_day(folder: Path) -> None:
    """Catches a cache that grows with each killed run, and the file of a process that is still writing, removed."""
    folder.mkdir(parents=True)
    old, new = folder / ".b.safetensors.aaaaaaaa.heed-part", folder / ".a.safetensors.bbbbbbbb.heed-part"
    for part, age in ((old, 25 * 3600), (new, 23 * 3600)):
        part.write_bytes(b"arrays")
        os.utime(part, (time.time() - age,) * 2)
    cached("a", Maker(ARRAYS))
    assert {path.name for path in folder.iterdir()} == {new.name, "a.safetensors"}


def test_cached_arrays_are_mapped(folder: Path) -> None:
    """Catches arrays that are copied into memory: every process would then have its own copy of a large corpus."""
    cached("a", Maker(ARRAYS))
    entry = cached("a", Maker(ARRAYS))
    assert str(folder / "a.safetensors") in Path("/proc/self/maps").read_text()
    del entry


@pytest.mark.parametrize("fault", ["cut", "emptied", "a bit", "no header", "another's", "another text"])
def test_a_damaged_file_is_made_again_with_a_warning(
    folder: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches ids of another text, and a traceback for damage that can be repaired."""
    cached("a", Maker(ARRAYS))
    path = folder / "a.safetensors"
    whole = path.read_bytes()
    middle = len(whole) - 2000
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    other = whole.replace(b"ids", b"idz")
    faults = {"cut": whole[:-5], "emptied": b"", "a bit": flipped, "no header": b"\xff" * 200, "another's": other}
    faults["another text"] = whole.replace(b"the lines", b"the liens")
    path.write_bytes(faults[fault])
    make = Maker(ARRAYS)
    with caplog.at_level(logging.WARNING):
        assert same(cached("a", make), ARRAYS)
    assert make.asked == 1
    assert "a.safetensors is damaged and will be computed again" in caplog.text
    again = Maker(ARRAYS)
    assert same(cached("a", again), ARRAYS)
    assert again.asked == 0


def test_without_a_writable_cache_the_arrays_are_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Catches a run that fails because the cache, which it does not need, cannot be written."""
    folder.parent.mkdir()
    folder.write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert same(cached("a", Maker(ARRAYS)), ARRAYS)
    assert "cannot be written" in caplog.text


def test_on_a_full_disk_the_arrays_are_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Catches an unhandled error of safetensors, which is not an OSError; a file size limit acts as the full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with caplog.at_level(logging.WARNING):
            assert same(cached("a", Maker(ARRAYS)), ARRAYS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "a.safetensors cannot be written" in caplog.text
    assert list(folder.iterdir()) == []


def test_a_key_depends_on_all_parts_and_on_where_each_ends() -> None:
    """Catches one key for two texts, or for the same words divided into other lines."""
    keys = [key(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""], [], [""])]
    assert len(set(keys)) == len(keys)
    assert key(["ab", b"c"]) == keys[0]


def test_the_folder_is_the_users_and_not_the_working_directorys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches downloads that are repeated in every directory, and HEED_CACHE that is ignored."""
    monkeypatch.delenv("HEED_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    assert cache_folder() == tmp_path / "users" / "heed"
    monkeypatch.setenv("HEED_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.setenv("HEED_CACHE", "")
    assert cache_folder() == tmp_path / "users" / "heed"
