import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from heed import files
from heed.errors import UserError
from heed.files import AlreadyLocked, finish_replacing, locked, replace_folder, replace_whole, write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from heed.files import {function}

def write(path):
    path = path / "part" if path.is_dir() else path
    path.write_text("half of the new")
    os.kill(os.getpid(), signal.SIGKILL)

{function}(Path(sys.argv[1]), write, *{names})
"""


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from heed.files import replace_folder

def watch(event, arguments):
    if event == "os.rename" and str(arguments[0]).endswith("new"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
replace_folder(Path(sys.argv[1]), lambda folder: (folder / "two").write_text("new"), ("one", "two"))
"""


def kill(program: str, path: Path) -> None:
    """Run a program in a process that is killed at a chosen place, as by a power cut."""
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -9


def names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]


def half(path: Path) -> None:
    path.write_text("half of the new")
    raise OSError("No space left on device")


def half_folder(folder: Path) -> None:
    half(folder / "part")


NAMES = ("one", "two", "part")


class TestFile:
    @pytest.mark.parametrize(("content", "read"), [("é\n", b"\xc3\xa9\n"), (b"\x00\r\n", b"\x00\r\n")])
    def test_what_is_written_is_read_back(self, tmp_path: Path, content: str | bytes, read: bytes) -> None:
        """Catches another encoding than UTF-8, and line ends that are changed."""
        path = tmp_path / "a" / "b"
        write_whole(path, "old")
        write_whole(path, content)
        assert path.read_bytes() == read
        assert [file.name for file in path.parent.iterdir()] == ["b"]

    def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(self, tmp_path: Path) -> None:
        """Catches an old file that is lost because the disk is full."""
        path = tmp_path / "file"
        path.write_text("old")
        with pytest.raises(OSError, match="No space left"):
            replace_whole(path, half)
        assert path.read_text() == "old"
        assert [file.name for file in tmp_path.iterdir()] == ["file"]

    def test_a_killed_writer_leaves_the_old_file(self, tmp_path: Path) -> None:
        """Catches an old file that is opened for writing, so that kill -9 leaves half a file."""
        path = tmp_path / "file"
        path.write_text("old")
        kill(KILLED.format(function="replace_whole", names=()), path)
        assert path.read_text() == "old"

    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
    def test_a_new_file_has_the_permissions_of_the_umask(self, tmp_path: Path, umask: int, mode: int) -> None:
        """Catches a file that stays private like a temporary file, and one that is public despite the umask."""
        before = os.umask(umask)
        try:
            write_whole(tmp_path / "file", "x")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


class TestFolder:
    def fill(self, name: str) -> Callable[[Path], object]:
        return lambda folder: (folder / name).write_text("new")

    def test_the_new_folder_replaces_the_old_one(self, tmp_path: Path) -> None:
        """Catches files of the old folder that are left among the new ones."""
        folder = tmp_path / "deep" / "model"
        replace_folder(folder, self.fill("one"), NAMES)
        replace_folder(folder, self.fill("two"), NAMES)
        assert [file.name for file in folder.iterdir()] == ["two"]
        assert [file.name for file in folder.parent.iterdir()] == ["model"]

    def test_a_writer_that_fails_leaves_the_old_folder_and_nothing_else(self, tmp_path: Path) -> None:
        replace_folder(tmp_path / "model", self.fill("one"), NAMES)
        with pytest.raises(OSError, match="No space left"):
            replace_folder(tmp_path / "model", half_folder, NAMES)
        assert names(tmp_path) == ["model", "model/one"]

    def test_a_killed_writer_leaves_the_old_folder_and_the_next_one_succeeds(self, tmp_path: Path) -> None:
        """Catches temporary files of a killed writer that are taken for the folder or block the next writer."""
        folder = tmp_path / "model"
        replace_folder(folder, self.fill("one"), NAMES)
        kill(KILLED.format(function="replace_folder", names=(NAMES,)), folder)
        assert [file.name for file in folder.iterdir()] == ["one"]
        replace_folder(folder, self.fill("two"), NAMES)
        assert names(tmp_path) == ["model", "model/two"]

    def test_a_stop_between_the_renames_loses_neither(self, tmp_path: Path) -> None:
        """Catches an old folder that is deleted before the new one has its name; the next call cleans up."""
        folder = tmp_path / "model"
        replace_folder(folder, self.fill("one"), NAMES)
        kill(KILLED_BETWEEN, folder)
        assert {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {
            "one": "new",
            "two": "new",
        }
        finish_replacing(folder, NAMES)
        assert names(tmp_path) == ["model", "model/two"]
        with pytest.raises(OSError, match="No space left"):
            replace_folder(folder, half_folder, NAMES)
        assert names(tmp_path) == ["model", "model/two"]

    def test_foreign_files_are_kept(self, tmp_path: Path) -> None:
        """Catches notes, a folder or a symlink lost with the old model, and lost foreign folders with heed's names."""
        folder = tmp_path / "model"
        replace_folder(folder, self.fill("one"), NAMES)
        for name in ("model/notes.txt", "model/deep/x", ".model.old/one", ".model.new/one"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("mine")
        (folder / "link").symlink_to(tmp_path / "nowhere")
        replace_folder(folder, self.fill("two"), NAMES)
        assert names(folder) == ["deep", "deep/x", "link", "notes.txt", "two"]
        assert names(tmp_path / ".model.old") + names(tmp_path / ".model.new") == ["one", "one"]
        assert {path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.name != "two"} == {"mine"}

    def test_foreign_files_are_restored_after_a_kill(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        replace_folder(folder, self.fill("one"), NAMES)
        (folder / "notes.txt").write_text("mine")
        kill(KILLED_BETWEEN, folder)
        finish_replacing(folder, NAMES)
        assert names(tmp_path) == ["model", "model/notes.txt", "model/two"]

    def test_a_symlink_stays_and_its_folder_is_replaced(self, tmp_path: Path) -> None:
        """Catches a symlink to another disk that is replaced by a folder on this disk."""
        replace_folder(tmp_path / "disk/big", self.fill("one"), NAMES)
        (tmp_path / "model").symlink_to("disk/big")
        replace_folder(tmp_path / "model", self.fill("two"), NAMES)
        assert (tmp_path / "model").readlink() == Path("disk/big")
        assert names(tmp_path / "disk") == ["big", "big/two"]

    @pytest.mark.parametrize("strange", ["file", "name"])
    def test_paths_that_heed_did_not_write_are_refused(self, tmp_path: Path, strange: str) -> None:
        """Catches a file called `model` that is moved away, and a removed symlink with the name of a file of heed."""
        folder = tmp_path / "model"
        if strange == "file":
            folder.write_text("mine")
        else:
            folder.mkdir()
            (folder / "one").symlink_to(tmp_path)
        before = names(tmp_path)
        with pytest.raises(UserError, match="move it away"):
            replace_folder(folder, self.fill("two"), NAMES)
        assert names(tmp_path) == before


class TestOtherThanRegular:
    def test_a_symlink_stays_and_its_target_is_replaced_whole(self, tmp_path: Path) -> None:
        """Catches a link that is replaced by a file, and a target written in place, of which a kill leaves half."""
        (tmp_path / "disk").mkdir()
        target = tmp_path / "disk/target"
        target.write_text("old")
        inode = target.stat().st_ino
        (tmp_path / "link").symlink_to("disk/target")
        (tmp_path / "chain").symlink_to("link")
        write_whole(tmp_path / "chain", "new")
        assert (tmp_path / "chain").is_symlink()
        assert (tmp_path / "link").is_symlink()
        assert target.read_text() == "new"
        assert target.stat().st_ino != inode
        assert names(tmp_path / "disk") == ["target"]

    def test_a_symlink_to_nothing_yet_gets_its_file(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("target")
        write_whole(tmp_path / "link", "new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_text() == "new"

    def test_a_fifo_is_written_to(self, tmp_path: Path) -> None:
        """Catches a FIFO, as from `mkfifo` or `output=>(gzip > file)`, that is replaced by a regular file."""
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
            write_whole(fifo, "some text\n")
            assert reader.communicate()[0] == b"some text\n"
        assert stat.S_ISFIFO(fifo.stat().st_mode)
        assert names(tmp_path) == ["fifo"]

    @pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
    @pytest.mark.parametrize("to", ["file", "pipe"])
    def test_standard_output_is_appended_to(self, tmp_path: Path, name: str, to: str) -> None:
        """Catches a file that is truncated or replaced although a shell appends to it."""
        code = "from pathlib import Path; from heed.files import write_whole; print('a'); "
        code += f"write_whole(Path('{name}'), 'b')"
        log = tmp_path / "log"
        log.write_text("before ")
        if to == "file":
            with log.open("ab") as out:
                subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
            assert log.read_text() == "before a\nb"
        else:
            assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout == b"a\nb"

    def test_devices_and_folders_are_not_replaced(self, tmp_path: Path) -> None:
        write_whole(Path(os.devnull), "x")
        assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
        with pytest.raises(IsADirectoryError):
            write_whole(tmp_path, "x")
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(OSError, match="symbolic links"):
            write_whole(tmp_path / "loop", "x")
        assert names(tmp_path) == ["loop"]

    def test_permissions_of_a_file_are_kept(self, tmp_path: Path) -> None:
        """Catches a private file that others may read after it is replaced."""
        path = tmp_path / "file"
        path.write_text("old")
        path.chmod(0o600)
        write_whole(path, "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestPoorFileSystems:
    @pytest.fixture(autouse=True)
    def _warn_again(self) -> None:
        files._warn.cache_clear()

    def refuse(self, number: int, only_folders: bool = False) -> Callable[..., object]:
        fsync = os.fsync

        def refused(*arguments: object) -> object:
            if only_folders and not stat.S_ISDIR(os.fstat(int(str(arguments[0]))).st_mode):
                return fsync(int(str(arguments[0])))
            raise OSError(number, os.strerror(number))

        return refused

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
    def test_each_missing_feature_gives_one_warning(
        self, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Catches an error on a network disk, and a warning at every checkpoint."""
        monkeypatch.setattr(os, "fsync", self.refuse(number, only_folders=True))
        monkeypatch.setattr(Path, "chmod", self.refuse(number))
        monkeypatch.setattr("fcntl.flock", self.refuse(number))
        for _ in range(2):
            with locked(tmp_path / ".lock"):
                write_whole(tmp_path / "file", "x")
        assert (tmp_path / "file").read_text() == "x"
        assert len(caplog.messages) == 3
        assert ["no locks" in line for line in caplog.messages] == [True, False, False]

    def test_an_error_of_the_disk_is_not_taken_for_a_missing_feature(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "fsync", self.refuse(errno.EIO))
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            write_whole(tmp_path / "file", "x")
        assert names(tmp_path) == []


HOLDER = """
import sys, time
from pathlib import Path
from heed.files import locked
with locked(Path(sys.argv[1]), wait=True):
    print("locked", flush=True)
    time.sleep(60)
"""


class TestLock:
    def test_one_process_has_the_lock_until_it_ends(self, tmp_path: Path) -> None:
        path = tmp_path / ".lock"
        with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as holder:
            assert holder.stdout
            holder.stdout.readline()
            with pytest.raises(AlreadyLocked), locked(path):
                pass
            holder.kill()
        with locked(path):
            pass

    @pytest.mark.parametrize("kind", ["fifo", "symlink", "folder"])
    def test_what_is_not_a_file_is_not_a_lock(self, tmp_path: Path, kind: str) -> None:
        """Catches a process that waits forever at a FIFO, and a file that is created at the target of a symlink."""
        path = tmp_path / ".lock"
        make: dict[str, Callable[[Path], None]] = {"fifo": os.mkfifo, "folder": Path.mkdir}
        make.get(kind, partial(os.symlink, "elsewhere"))(path)
        with pytest.raises(OSError, match=r".+"), locked(path):
            pass
        assert names(tmp_path) == [".lock"]


def test_a_folder_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    """Catches a private folder that others can read afterwards."""
    folder = tmp_path / "private"
    folder.mkdir()
    folder.chmod(0o700)
    replace_folder(folder, lambda new: (new / "new.txt").write_text("new"), ["new.txt"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "new.txt").exists()


def test_the_current_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the current folder being replaced: the shell would stay in a removed folder, which looks empty."""
    (tmp_path / "thesis.tex").write_text("years of work")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^\. is the folder that you are in; name one below it"):
        replace_folder(Path(), lambda new: (new / "new.txt").write_text("new"), ["new.txt"])
    assert [path.name for path in Path().iterdir()] == ["thesis.tex"]
