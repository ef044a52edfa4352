import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heed.files import replace_folder, replace_whole, write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from heed.files import {function}

def write(path):
    path = path / "part" if path.is_dir() else path
    path.write_text("half of the new")
    os.kill(os.getpid(), signal.SIGKILL)

{function}(Path(sys.argv[1]), write)
"""


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from heed.files import replace_folder

def watch(event, arguments):
    if event == "os.rename" and str(arguments[0]).endswith(".new"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
replace_folder(Path(sys.argv[1]), lambda folder: (folder / "two").write_text("new"))
"""


def kill(program: str, path: Path) -> None:
    """A process that is killed, as by a power cut, at the place that the program names."""
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -9


def names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]


def half(path: Path) -> None:
    path.write_text("half of the new")
    raise OSError("No space left on device")


def half_folder(folder: Path) -> None:
    half(folder / "part")


class TestFile:
    @pytest.mark.parametrize(("content", "read"), [("é\n", b"\xc3\xa9\n"), (b"\x00\r\n", b"\x00\r\n")])
    def test_what_is_written_is_read_back(self, tmp_path: Path, content: str | bytes, read: bytes) -> None:
        """Text is UTF-8 and its line ends stay, whatever the machine's habits."""
        path = tmp_path / "a" / "b"
        write_whole(path, "old")
        write_whole(path, content)
        assert path.read_bytes() == read
        assert [file.name for file in path.parent.iterdir()] == ["b"]

    def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(self, tmp_path: Path) -> None:
        """A full disk must not cost the checkpoint that was there."""
        path = tmp_path / "file"
        path.write_text("old")
        with pytest.raises(OSError, match="No space left"):
            replace_whole(path, half)
        assert path.read_text() == "old"
        assert [file.name for file in tmp_path.iterdir()] == ["file"]

    def test_a_killed_writer_leaves_the_old_file(self, tmp_path: Path) -> None:
        """Nobody can clean up after kill -9: the old file must not have been opened for writing."""
        path = tmp_path / "file"
        path.write_text("old")
        kill(KILLED.format(function="replace_whole"), path)
        assert path.read_text() == "old"

    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
    def test_others_may_read_it_if_they_may_read_any(self, tmp_path: Path, umask: int, mode: int) -> None:
        """Temporary files are private; kept so, a model could not be shared, made public, it would ignore the umask."""
        before = os.umask(umask)
        try:
            write_whole(tmp_path / "file", "x")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


class TestFolder:
    def fill(self, name: str) -> Callable[[Path], object]:
        return lambda folder: (folder / name).write_text("new")

    def test_the_new_folder_takes_the_place_of_the_old(self, tmp_path: Path) -> None:
        """No file of the old one may stay among the new."""
        folder = tmp_path / "deep" / "model"
        replace_folder(folder, self.fill("one"))
        replace_folder(folder, self.fill("two"))
        assert [file.name for file in folder.iterdir()] == ["two"]
        assert [file.name for file in folder.parent.iterdir()] == ["model"]

    def test_a_writer_that_fails_leaves_the_old_folder_and_nothing_else(self, tmp_path: Path) -> None:
        replace_folder(tmp_path / "model", self.fill("one"))
        with pytest.raises(OSError, match="No space left"):
            replace_folder(tmp_path / "model", half_folder)
        assert names(tmp_path) == ["model", "model/one"]

    def test_a_killed_writer_leaves_the_old_folder_and_the_next_one_succeeds(self, tmp_path: Path) -> None:
        """What the killed one left must neither be taken for the folder nor stand in the way."""
        folder = tmp_path / "model"
        replace_folder(folder, self.fill("one"))
        kill(KILLED.format(function="replace_folder"), folder)
        assert [file.name for file in folder.iterdir()] == ["one"]
        replace_folder(folder, self.fill("two"))
        assert names(tmp_path) == ["model", "model/two"]

    def test_a_stop_between_the_renames_loses_neither(self, tmp_path: Path) -> None:
        """The old folder is set aside, not deleted, before the new one has its name; the next call tidies up."""
        folder = tmp_path / "model"
        replace_folder(folder, self.fill("one"))
        kill(KILLED_BETWEEN, folder)
        assert names(tmp_path) == [".model.new", ".model.new/two", ".model.old", ".model.old/one"]
        with pytest.raises(OSError, match="No space left"):
            replace_folder(folder, half_folder)
        assert names(tmp_path) == [".model.old", ".model.old/one"]
        replace_folder(folder, self.fill("two"))
        assert names(tmp_path) == ["model", "model/two"]
