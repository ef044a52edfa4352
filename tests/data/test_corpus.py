"""Reading parallel text: line i of one side stays beside line i of the other, and every bad file is named."""

import gzip
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data.corpus import Corpus, Pairs, files, read_lines, tsv
from heed.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def corpus(folder: Path) -> Corpus:
    return files("text", "en", "de", train=str(folder / "train"))


def test_two_files_are_read_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a dog\n\na cat\n")
    write(tmp_path / "train.de", "ein Hund\n\neine Katze\n")
    assert corpus(tmp_path).read("train") == Pairs(["a dog", "", "a cat"], ["ein Hund", "", "eine Katze"])


def test_gzip_is_read_as_the_plain_file(tmp_path: Path) -> None:
    write(tmp_path / "train.en.gz", "a dog\n")
    write(tmp_path / "train.de", "ein Hund\n")
    write(tmp_path / "train.align.gz", "0-0 1-1\n")
    assert corpus(tmp_path).read("train") == Pairs(["a dog"], ["ein Hund"], ["0-0 1-1"])


def test_gold_alignments_are_read_where_they_are(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a dog\na cat\n")
    write(tmp_path / "train.de", "ein Hund\neine Katze\n")
    write(tmp_path / "train.align", "0-0 1-1\n0-0 1?1\n")
    assert corpus(tmp_path).read("train").gold == ["0-0 1-1", "0-0 1?1"]


@given(st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])), min_size=1))
def test_lines_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Would catch a file cut at U+2028, a form feed or another end of line that only Python sees."""
    path = write(tmp_path_factory.mktemp("text") / "lines", "x" + "".join(f"{line}\n" for line in lines))
    assert read_lines(path) == ["x" + lines[0], *lines[1:]]


@pytest.mark.parametrize("content", ["a\nb\n", "a\nb", "a\r\nb\r\n", "a\r\nb", "\ufeffa\nb\n", "\ufeffa\r\nb\r\n"])
def test_bom_crlf_and_a_missing_last_line_feed_change_nothing(tmp_path: Path, content: str) -> None:
    """Would catch a first word that is unknown because a BOM is glued to it, and a CR at the end of each last word."""
    assert read_lines(write(tmp_path / "lines", content)) == ["a", "b"]


def test_unequal_files_name_both_counts(tmp_path: Path) -> None:
    """Would catch the `zip` that torchtext's TranslationDataset reads with: it cuts the longer file without a word."""
    write(tmp_path / "train.en", "a\nb\nc\n")
    write(tmp_path / "train.de", "a\nb\n")
    with pytest.raises(UserError, match=r"train\.en has 3 lines and .*train\.de has 2; expected a line for each line"):
        corpus(tmp_path).read("train")


def test_too_few_gold_lines_name_both_counts(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\nb\n")
    write(tmp_path / "train.de", "a\nb\n")
    write(tmp_path / "train.align", "0-0\n")
    with pytest.raises(UserError, match=r"train\.en has 2 lines and .*train\.align has 1"):
        corpus(tmp_path).read("train")


def test_blank_lines_are_lines(tmp_path: Path) -> None:
    """Would catch torchtext's loss of blank lines, after which every line number is another's."""
    write(tmp_path / "train.en", "\na\n\n")
    write(tmp_path / "train.de", "\n\nb\n")
    assert corpus(tmp_path).read("train") == Pairs(["", "a", ""], ["", "", "b"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\n\xe9t\xe9\n", r"line 2 is not UTF-8; convert the file"),
        (b"good\nfine\nb\0d\n", r"line 3 holds a NUL character"),
        (b"", r"is empty; expected one sentence a line"),
        (b"\xef\xbb\xbf", r"is empty"),
        ("bad".encode("utf-16"), r"line 1 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_text_names_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"lines {message}"):
        read_lines(write(tmp_path / "lines", content))


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\n")
    with pytest.raises(UserError, match=r"train\.de does not exist; check the path \(relative to /"):
        corpus(tmp_path).read("train")


def test_a_folder_in_the_place_of_a_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read: Is a directory"):
        read_lines(tmp_path)


@pytest.mark.parametrize("damage", [slice(0, 20), slice(10, None), slice(0, 0)])
def test_a_damaged_gzip_is_one_line(tmp_path: Path, damage: slice) -> None:
    path = write(tmp_path / "train.en.gz", "a dog\n" * 50)
    path.write_bytes(path.read_bytes()[damage])
    with pytest.raises(UserError, match=r"train\.en\.gz (is not a whole gzip file|is empty)"):
        read_lines(path)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_split_that_is_not_configured_names_its_key(tmp_path: Path, split: str) -> None:
    with pytest.raises(UserError, match=rf"corpus text has no {split} split; set corpus\.{split}="):
        corpus(tmp_path).read(split)


def test_a_table_is_read_by_its_tab(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv.gz", "a dog\tein Hund\r\n\ta\nb\t\n")
    read = tsv("table", "en", "de", test=str(path)).read("test")
    assert read == Pairs(["a dog", "", "b"], ["ein Hund", "a", ""])


@pytest.mark.parametrize(("row", "columns"), [("a", 1), ("a\tb\tCC-BY", 3), ("", 1)])
def test_a_row_of_other_than_two_columns_names_its_line(tmp_path: Path, row: str, columns: int) -> None:
    path = write(tmp_path / "pairs.tsv", f"a\tb\n{row}\n")
    with pytest.raises(UserError, match=rf"pairs\.tsv line 2 has {columns} columns, expected 2"):
        tsv("table", "en", "de", train=str(path)).read("train")


def test_a_corpus_travels_to_another_process(tmp_path: Path) -> None:
    """Would catch a corpus that holds a lambda, which no spawned process can be given."""
    write(tmp_path / "train.en", "a\n")
    write(tmp_path / "train.de", "b\n")
    assert pickle.loads(pickle.dumps(corpus(tmp_path))).read("train") == Pairs(["a"], ["b"])
