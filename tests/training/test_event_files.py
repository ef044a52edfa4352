"""Which event files are cut, removed and renamed."""

import errno
import os
import time
from pathlib import Path

import pytest

from heed.training.event_files import cut_back, sizes, suffix

EVENT = b"....brain.Event:2"
"""The beginning of an event file."""

FOREIGN = ("events.out.tfevents.1700000000.host.1.0", "events.out.tfevents.9999999999.host.1.0.heed-x", "notes.txt")


def written(folder: Path, start: int, seconds: int, content: bytes) -> Path:
    """A file as TensorBoard's writer names it."""
    path = folder / f"events.out.tfevents.{seconds:010}.host.{100 - start}.0{suffix(start)}"
    path.write_bytes(EVENT + content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FOREIGN:
        (tmp_path / name).write_bytes(b"of somebody else")
    return tmp_path


def own(folder: Path) -> list[bytes]:
    """The contents in the order in which TensorBoard reads them."""
    return [path.read_bytes().removeprefix(EVENT) for path in sorted(folder.iterdir()) if path.name not in FOREIGN]


def test_events_after_the_checkpoint_are_removed(folder: Path) -> None:
    """Catches steps shown twice, and files of other programs that are cut or removed."""
    now = int(time.time())
    written(folder, 1, now - 100, b"first")
    second = written(folder, 2, now - 50, b"second")
    recorded = sizes(folder)
    second.write_bytes(EVENT + b"second and more")
    written(folder, 3, now - 20, b"third")
    assert cut_back(folder, recorded) == 3
    assert own(folder) == [b"first", b"second"]
    assert {(folder / name).read_bytes() for name in FOREIGN} == {b"of somebody else"}


def test_a_run_that_begins_again_keeps_no_event_files(folder: Path) -> None:
    """Catches points of a start that was killed before its first checkpoint."""
    written(folder, 1, 1_700_000_000, b"first")
    assert cut_back(folder, {}) == 1
    assert own(folder) == []


def test_files_from_the_future_come_first(folder: Path) -> None:
    """Catches an order by times from a wrong clock, and a start whose renamed file is not recognised."""
    now = int(time.time())
    for start, seconds in ((1, now + 500), (2, now - 100), (3, now)):
        written(folder, start, seconds, b"%d" % start)
    recorded = sizes(folder)
    assert cut_back(folder, recorded) == 4
    written(folder, 4, now, b"4")
    assert own(folder) == [b"1", b"2", b"3", b"4"]
    assert {**recorded, "4": len(EVENT) + 1} == sizes(folder)


def test_a_removed_event_file_does_not_stop_a_run(folder: Path) -> None:
    """Catches a run that cannot be continued because a user removed its curves."""
    written(folder, 2, 1_700_000_000, b"second")
    assert cut_back(folder, {"1": 10, "2": len(EVENT) + 3}) == 3
    assert own(folder) == [b"sec"]


def test_a_disk_without_fsync_can_hold_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a run that fails at its first checkpoint on a file system without fsync."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "fsync", refuse)
    path = written(tmp_path, 1, 100, b"12345")
    assert sizes(tmp_path) == {"1": path.stat().st_size}
