"""Lines of text files are read unchanged; for a file that is not UTF-8, the error gives a command to convert it."""

import bz2
import gzip
import importlib.util
import lzma
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data.lines import existing, read_lines
from heed.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@given(st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])), min_size=1))
def test_lines_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Catches lines divided at U+2028, a form feed or another character that only Python takes for a line end."""
    path = write(tmp_path_factory.mktemp("text") / "lines", "x" + "".join(f"{line}\n" for line in lines))
    assert read_lines(path) == ["x" + lines[0], *lines[1:]]


@pytest.mark.parametrize("content", ["a\nb\n", "a\nb", "a\r\nb\r\n", "a\r\nb", "\ufeffa\nb\n", "\ufeffa\r\nb\r\n"])
def test_bom_crlf_and_a_missing_last_line_feed_change_nothing(tmp_path: Path, content: str) -> None:
    """Catches a BOM at the beginning of the first word, and a CR at the end of each last word."""
    assert read_lines(write(tmp_path / "lines", content)) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\n\xe9t\xe9\n", r"line 2 is not UTF-8; find out its encoding"),
        (b"good\nfine\nb\0d\n", r"line 3 contains a NUL character"),
        (b"un\nd\0\n", r"line 2 contains a NUL character"),
        ("déjà\tvu\0\n".encode(), r"line 1 contains a NUL character"),
        (b"", r"is empty; expected one sentence a line"),
        (b"\xef\xbb\xbf", r"is empty"),
        ("bad".encode("utf-16"), r"is UTF-16; convert it: cat "),
    ],
)
def test_a_file_that_is_not_text_is_refused_with_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "lines"
    with pytest.raises(UserError, match=rf"^{re.escape(str(path))} {message}"):
        read_lines(write(path, content))


def test_a_folder_instead_of_a_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read: Is a directory"):
        read_lines(tmp_path)


@pytest.mark.parametrize("damage", [slice(0, 20), slice(10, None), slice(0, 0)])
def test_a_damaged_gzip_is_one_line(tmp_path: Path, damage: slice) -> None:
    path = write(tmp_path / "train.en.gz", "a dog\n" * 50)
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(UserError, match=r"train\.en\.gz (is not a complete gzip file|is empty)"):
        read_lines(path)


TEXT = "une pièce où l’on dort\nœuf\n"


@pytest.mark.parametrize(
    ("encoding", "fault"),
    [
        ("utf-16", "is UTF-16;"),
        ("utf-16-le", "is UTF-16LE;"),
        ("utf-16-be", "is UTF-16BE;"),
        ("iso-8859-1", "line 1 is not UTF-8;"),
        ("cr", "has CR line ends instead of LF;"),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_command_in_the_message_converts_the_file(tmp_path: Path, encoding: str, fault: str, ending: str) -> None:
    """Catches advice that has no effect in a shell with a UTF-8 locale, and file names that a shell divides."""
    text = TEXT.replace("’", "'").replace("œ", "oe")
    data = text.replace("\n", "\r").encode() if encoding == "cr" else text.encode(encoding)
    folder = tmp_path / "mes textes (1)"
    folder.mkdir()
    path = write(folder / f"train.fr{ending}", data)
    with pytest.raises(UserError, match=fault) as refused:
        read_lines(path)
    message = str(refused.value)
    command = message[message.rindex(": ") + 2 :]
    subprocess.run(command, shell=True, check=True)
    assert read_lines(folder / "utf8-train.fr") == text.splitlines()


EAST = {
    "ja": "私は「りんご」を食べる。\n駅まで歩いて、バスを待った！\n",
    "ko": "나는 사과를 먹는다.\n역까지 걸어서 버스를 기다렸다!\n",
    "zh": "我吃苹果。\n他走到车站，等公共汽车！\n",
    "zh-TW": "我吃蘋果。\n他走到車站，等公共汽車！\n",
    "ru": "Я ем яблоко.\nОн дошёл до станции.\n",
}


@pytest.mark.parametrize(
    ("lang", "encoding", "advised"),
    [
        ("ja", "cp932", "CP932"),
        ("ja", "euc_jp", "EUC-JP"),
        ("ja", "utf-16-be", "UTF-16BE"),
        ("ja", "utf-16-le", "UTF-16LE"),
        ("ja", "utf-32", "UTF-32"),
        ("ja", "iso2022_jp", "ISO-2022-JP"),
        ("ko", "cp949", "CP949"),
        ("ko", "iso2022_kr", "ISO-2022-KR"),
        ("ko", "utf-32-be", "UTF-32BE"),
        ("zh", "gb18030", "GB18030"),
        ("zh", "utf-16", "UTF-16"),
        ("zh-TW", "big5", "BIG5"),
        ("ru", "koi8-r", "ENCODING"),
    ],
)
def test_asian_and_russian_text_is_not_taken_for_latin_1(
    tmp_path: Path, lang: str, encoding: str, advised: str
) -> None:
    """Catches advice that converts Japanese as if it were Latin-1, or UTF-32 as if it were UTF-16, to nonsense."""
    path = write(tmp_path / f"train.{lang}", EAST[lang].encode(encoding))
    with pytest.raises(UserError, match=rf"iconv -f {advised} -t UTF-8") as refused:
        read_lines(path)
    message = str(refused.value)
    command = message[message.rindex(": ") + 2 :].replace("ENCODING", encoding)
    subprocess.run(command, shell=True, check=True)
    assert read_lines(tmp_path / f"utf8-train.{lang}") == EAST[lang].splitlines()


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_compressed_file_is_read_under_the_plain_name(tmp_path: Path, ending: str) -> None:
    """Catches a compressed file that is reported as missing, and a traceback for a damaged file.

    A file may have several parts, as `cat a.gz b.gz` writes them: all of them are read.
    """
    kinds: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zst": zstd,
    }
    data = kinds[ending](TEXT.encode())
    path = tmp_path / f"train.fr{ending}"
    path.write_bytes(data)
    assert existing(str(tmp_path / "train.fr")) == path
    if ending == ".zst" and not importlib.util.find_spec("zstandard"):
        with pytest.raises(UserError, match=r"train\.fr\.zst: to read it, pip install zstandard"):
            read_lines(path)
        return
    assert read_lines(path) == TEXT.splitlines()
    path.write_bytes(data + data)
    assert read_lines(path) == TEXT.splitlines() * 2
    for damaged in (data[:-9], data + data[:-9], b"no such format" * 9, data[:4] + b"\xff" * 20):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=rf"train\.fr\{ending} is not a complete .* file"):
            read_lines(path)


def zstd(data: bytes) -> bytes:
    """A Zstandard frame with uncompressed data (RFC 8878): magic, single segment, one raw block."""
    size = len(data)
    return b"\x28\xb5\x2f\xfd" + bytes([0x20, size]) + (size << 3 | 1).to_bytes(3, "little") + data


def test_the_plain_file_comes_first(tmp_path: Path) -> None:
    """Catches an old compressed copy that is read instead of the text beside it."""
    for name in ("t.en", "t.en.gz", "t.en.xz"):
        (tmp_path / name).touch()
    assert existing(str(tmp_path / "t.en")) == tmp_path / "t.en"
    assert existing(str(tmp_path / "t.de")) == tmp_path / "t.de"
