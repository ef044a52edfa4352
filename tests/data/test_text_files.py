"""Reading parallel text: lines stay paired, and errors name the file."""

import gzip
import os
import pickle
from pathlib import Path

import pytest

from heed.data.cleaning import clean
from heed.data.corpus import Corpus, Pairs
from heed.data.text_files import Prefix, files, tsv
from heed.errors import UserError


def write(path: Path, content: bytes | str) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def corpus(folder: Path) -> Corpus:
    return files("text", "en", "de", test=str(folder / "train"))


def test_two_files_are_read_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a dog\n\na cat\n")
    write(tmp_path / "train.de", "ein Hund\n\neine Katze\n")
    assert corpus(tmp_path).read("test") == Pairs(["a dog", "", "a cat"], ["ein Hund", "", "eine Katze"])


def test_gzip_is_read_as_the_plain_file(tmp_path: Path) -> None:
    write(tmp_path / "train.en.gz", "a dog\n")
    write(tmp_path / "train.de", "ein Hund\n")
    write(tmp_path / "train.align.gz", "0-0 1-1\n")
    assert corpus(tmp_path).read("test") == Pairs(["a dog"], ["ein Hund"], ["0-0 1-1"])


def test_gold_alignments_are_exchanged_with_the_text(tmp_path: Path) -> None:
    """Catches links that are not exchanged despite turn_gold, and possible links that become sure ones."""
    write(tmp_path / "train.en", "a black dog\nhello there\n")
    write(tmp_path / "train.de", "schwarzer Hund\nhallo\n")
    write(tmp_path / "train.align", "1-0 0?1 2p1\n\n")
    text = files("text", "de", "en", test=str(tmp_path / "train"), turn_gold=True)
    assert text.read("test") == Pairs(["schwarzer Hund", "hallo"], ["a black dog", "hello there"], ["0-1 1?0 1p2", ""])


def test_gold_alignments_are_read_if_there_are_any(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a dog\na cat\n")
    write(tmp_path / "train.de", "ein Hund\neine Katze\n")
    write(tmp_path / "train.align", "0-0 1-1\n0-0 1?1\n")
    assert corpus(tmp_path).read("test").gold == ["0-0 1-1", "0-0 1?1"]


def test_unequal_files_name_both_counts(tmp_path: Path) -> None:
    """Catches reading with `zip`, as torchtext's TranslationDataset does: it silently cuts the longer file."""
    write(tmp_path / "train.en", "a\nb\nc\n")
    write(tmp_path / "train.de", "a\nb\n")
    with pytest.raises(UserError, match=r"train\.en has 3 lines and .*train\.de has 2; expected a line for each line"):
        corpus(tmp_path).read("test")


def test_too_few_gold_lines_name_both_counts(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\nb\n")
    write(tmp_path / "train.de", "a\nb\n")
    write(tmp_path / "train.align", "0-0\n")
    with pytest.raises(UserError, match=r"train\.en has 2 lines and .*train\.align has 1"):
        corpus(tmp_path).read("test")


def test_blank_lines_are_lines(tmp_path: Path) -> None:
    """Catches blank lines that are dropped, as by torchtext, so that the numbers of all later lines are wrong."""
    write(tmp_path / "train.en", "\na\n\n")
    write(tmp_path / "train.de", "\n\nb\n")
    assert corpus(tmp_path).read("test") == Pairs(["", "a", ""], ["", "", "b"])


def test_a_missing_file_is_reported_with_its_path(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\n")
    with pytest.raises(UserError, match=r"train\.de does not exist; check the path \(relative to /"):
        corpus(tmp_path).read("test")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_split_that_is_not_configured_names_its_key(tmp_path: Path, split: str) -> None:
    with pytest.raises(UserError, match=rf"corpus text has no {split} split; set corpus\.{split}="):
        corpus(tmp_path).read(split)


def test_a_table_is_divided_at_tabs(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv.gz", "a dog\tein Hund\r\n\ta\nb\t\n")
    read = tsv("table", "en", "de", test=str(path)).read("test")
    assert read == Pairs(["a dog", "", "b"], ["ein Hund", "a", ""])


@pytest.mark.parametrize(("row", "columns"), [("a", "1 column"), ("a\tb\tCC-BY", "3 columns"), ("", "1 column")])
def test_a_row_without_two_columns_is_reported_with_its_line(tmp_path: Path, row: str, columns: str) -> None:
    path = write(tmp_path / "pairs.tsv", f"a\tb\n{row}\na\tb\n")
    with pytest.raises(UserError, match=rf"pairs\.tsv line 2 has {columns}, expected 2"):
        tsv("table", "en", "de", test=str(path)).read("test")


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("en,fr\nhello,bonjour\n", "commas or semicolons stand between its columns, save it as tab-separated text"),
        ("สวัสดี;hello\n", "save it as tab-separated text"),
        ('"two\nlines"\tdeux\n', "its cell goes on in the next line; put the text of each cell on one line"),
        ("a\tb\nc, d\n", "remove the line, or put a tab"),
    ],
)
def test_a_row_of_one_column_is_reported_with_matching_advice(tmp_path: Path, content: str, advice: str) -> None:
    """Catches advice to remove the lines of a whole CSV file, or the first half of a cell."""
    with pytest.raises(UserError, match=advice):
        table(tmp_path, content)


def test_a_corpus_can_be_sent_to_another_process(tmp_path: Path) -> None:
    """Catches a corpus that contains a lambda, which cannot be pickled for a spawned process."""
    write(tmp_path / "train.en", "a\n")
    write(tmp_path / "train.de", "b\n")
    assert pickle.loads(pickle.dumps(corpus(tmp_path))).read("test") == Pairs(["a"], ["b"])


def test_a_corpus_whose_validation_is_drawn_can_be_pickled_too(tmp_path: Path) -> None:
    write(tmp_path / "train.en", "a\nb\n")
    write(tmp_path / "train.de", "c\nd\n")
    drawn = files("text", "en", "de", train=str(tmp_path / "train"))
    again = pickle.loads(pickle.dumps(drawn))
    assert [again.read(split) for split in ("train", "valid")] == [drawn.read(split) for split in ("train", "valid")]


def table(folder: Path, content: str, columns: tuple[int | str, int | str] | None = None) -> Pairs:
    path = write(folder / "table.tsv", content)
    return tsv("table", "en", "fr", test=str(path), columns=columns).read("test")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("Hi.\tSalut !\nGo.\tVa !\n\n", "1 blank line at the end"),
        ("Hi.\tSalut !\nGo.\tVa !\n\t\n\n", "2 blank lines at the end"),
        ("English\tFrench\nHi.\tSalut !\nGo.\tVa !\n", "header (English, French)"),
        ("French\tEnglish\nSalut !\tHi.\nVa !\tGo.\n", "header (French, English)"),
        ("id\ten\tfr\n1\tHi.\tSalut !\n2\tGo.\tVa !\n", "header (id, en, fr)"),
        ("source\ttarget\nHi.\tSalut !\nGo.\tVa !\n", "header"),
        ('"Hi."\t"Salut !"\n"Go."\t"Va !"\n', "quotes"),
    ],
)
def test_tables_are_read_as_people_write_them(tmp_path: Path, content: str, note: str) -> None:
    """Catches headers and quotes in the text, sides exchanged, and files refused for blank lines at the end."""
    pairs = table(tmp_path, content)
    assert (pairs.src, pairs.tgt) == (["Hi.", "Go."], ["Salut !", "Va !"])
    assert len(pairs.notes) == 1
    assert note in pairs.notes[0]


def test_quotes_of_a_spreadsheet_are_taken_off_and_those_of_speech_are_not(tmp_path: Path) -> None:
    sheet = '"Hi, ""you""."\t"Salut, ""toi""."\nGo.\tVa !\n'
    assert table(tmp_path, sheet).src == ['Hi, "you".', "Go."]
    for speech in ('"Hi."\t« Salut ! »\nGo.\tVa !\n', '"Hi," he said.\t"Salut", dit-il.\n"Go."\t"Va !"\n'):
        read = table(tmp_path, speech)
        assert ["\t".join(pair) for pair in zip(read.src, read.tgt, strict=True)] == speech.splitlines()
        assert not read.notes


def test_a_word_list_has_no_header(tmp_path: Path) -> None:
    """Catches a first pair that is left out because it is taken for a header."""
    assert table(tmp_path, "dog\tchien\ncat\tchat\n") == Pairs(["dog", "cat"], ["chien", "chat"])


def test_columns_are_chosen_by_number_or_name(tmp_path: Path) -> None:
    rows = "1\tVa !\tCC-BY\tGo.\n2\tSalut !\tCC-BY\tHi.\n"
    assert table(tmp_path, rows, (4, 2)).src == ["Go.", "Hi."]
    named = table(tmp_path, "number\ttranslated\tlicence\toriginal\n" + rows, ("original", "translated"))
    assert (named.src, named.tgt) == (["Go.", "Hi."], ["Va !", "Salut !"])
    wrong: list[tuple[tuple[int | str, int | str], str]] = [
        ((5, 2), r"table\.tsv line 1 has 4 columns, but column 5 is needed"),
        ((0, 2), r"columns are counted from 1"),
        ((2, 2), r"corpus\.columns=\[2,2\] is one column of .*table\.tsv; name two"),
        (("original", 2), r"no column original; its first line is 1, Va !"),
    ]
    for columns, message in wrong:
        with pytest.raises(UserError, match=message):
            table(tmp_path, rows, columns)
    with pytest.raises(UserError, match=r"line 1 has 4 columns, .*corpus\.columns=\[1,2\]"):
        table(tmp_path, rows)


@pytest.mark.parametrize("several", [["a", "b"], ["b", "a"]])
def test_several_files_are_one_split(tmp_path: Path, several: list[str]) -> None:
    """Catches sides that are joined in different orders, and links in another order."""
    for name in ("a", "b"):
        for ending in ("en", "fr", "align"):
            write(tmp_path / f"{name}.{ending}", f"{name} 1 {ending}\n{name} 2 {ending}\n")
    prefixes: Prefix = [str(tmp_path / name) for name in several]
    pairs = files("text", "en", "fr", test=prefixes).read("test")
    for lines, ending in ((pairs.src, "en"), (pairs.tgt, "fr"), (pairs.gold, "align")):
        assert lines == [f"{name} {number} {ending}" for name in several for number in (1, 2)]
    (tmp_path / "b.align").unlink()
    with pytest.raises(UserError, match=r"b\.align does not exist, but others do"):
        files("text", "en", "fr", test=prefixes).read("test")


def test_two_kinds_of_text_in_one_language_have_two_suffixes(tmp_path: Path) -> None:
    """Catches one file that is read as both sides, which gives a model that copies and has perfect scores."""
    write(tmp_path / "test.long", "a very long line\n")
    write(tmp_path / "test.short", "a line\n")
    prefix = str(tmp_path / "test")
    with pytest.raises(UserError, match=r"same file ending \.en; give corpus\.src_suffix=… and corpus\.tgt_suffix=…"):
        files("short", "en", "en", test=prefix)
    read = files("short", "en", "en", test=prefix, src_suffix="long", tgt_suffix="short").read("test")
    assert read == Pairs(["a very long line"], ["a line"])


def test_validation_is_drawn_from_train_if_none_is_given(tmp_path: Path) -> None:
    """Catches pairs that are in both, a split that changes at every start, and a missing note about the drawn split."""
    rows = [f"source {number % 150}\ttarget {number % 150}\n" for number in range(200)]
    path = str(write(tmp_path / "train.tsv", "".join(rows)))
    corpus = tsv("text", "en", "fr", train=path)
    train, valid = corpus.read("train"), corpus.read("valid")
    assert len(valid) == len(set(valid.src)) == 7
    assert not set(valid.src) & set(train.src)
    assert set(valid.src) | set(train.src) == {f"source {number}" for number in range(150)}
    assert [line.replace("source", "target") for line in train.src] == train.tgt
    assert valid.notes == ("valid: no file given; drawn from train: 7 of 200 pairs, corpus.split_seed=1",)
    assert corpus.read("valid") == valid
    assert tsv("text", "en", "fr", train=path, split_seed=2).read("valid").src != valid.src
    assert tsv("text", "en", "fr", train=path, valid=path).read("train") == tsv("text", "en", "fr", test=path).read(
        "test"
    )
    with pytest.raises(UserError, match="fewer than 2 different pairs"):
        tsv("text", "en", "fr", train=str(write(tmp_path / "one.tsv", "a\tb\na\tb\n"))).read("train")


def test_no_validation_is_drawn_from_a_named_pipe(tmp_path: Path) -> None:
    """Catches a command that waits for ever, because the pipe is opened a second time for the other split."""
    os.mkfifo(tmp_path / "train.en")
    write(tmp_path / "train.de", "ein Hund\n")
    for split in ("train", "valid"):
        with pytest.raises(UserError, match=r"train\.en is not a regular file.*give corpus\.valid=…"):
            files("text", "en", "de", train=str(tmp_path / "train")).read(split)


def test_pairs_that_differ_in_white_space_are_not_in_both_splits(tmp_path: Path) -> None:
    """Catches validation on a sentence that was trained on, because one of its lines ends with a space."""
    rows = [f"source {number}\ttarget {number}\nsource {number} \t target {number}\n" for number in range(40)]
    corpus = tsv("text", "en", "fr", train=str(write(tmp_path / "train.tsv", "".join(rows))))
    train, valid = ({line.strip() for line in corpus.read(split).src} for split in ("train", "valid"))
    assert len(valid) == 2
    assert not train & valid


def test_drawn_pairs_keep_their_links_and_the_numbers_of_their_lines(tmp_path: Path) -> None:
    """Catches links of another pair, and line numbers with which a fault in the links is reported for another line."""
    for ending, text in (("en", "line {}"), ("fr", "ligne {}"), ("align", "{0}-{0}")):
        write(tmp_path / f"train.{ending}", "".join(f"{text.format(number)}\n" for number in range(1, 41)))
    corpus = files("text", "en", "fr", train=str(tmp_path / "train"))
    for pairs in (corpus.read("valid"), corpus.read("train"), clean(corpus.read("train"))[0]):
        assert pairs.gold is not None
        assert pairs.lines is not None
        for src, gold, line in zip(pairs.src, pairs.gold, pairs.lines, strict=True):
            assert (src, gold) == (f"line {line}", f"{line}-{line}")


def test_further_references_of_a_split_stay_beside_their_sources(tmp_path: Path) -> None:
    """Catches references that are lost, or that are shifted when a pair is left out."""
    for name, lines in {"a.en": "1\n2\n3\n", "a.de": "eins\nzwei\ndrei\n", "b.de": "Eins\n\nDrei\n"}.items():
        write(tmp_path / name, lines)
    named = [str(tmp_path / name) for name in ("b.de", "a.de")]  # the references themselves count once
    text = files("text", "en", "de", train=str(tmp_path / "a"), valid=str(tmp_path / "a"), valid_references=named)

    assert text.read("valid").further == (["Eins", None, "Drei"],)
    assert text.read("valid").select([False, True, True]).further == ([None, "Drei"],)
    assert text.read("train").further == ()


def test_further_references_without_their_split_are_refused(tmp_path: Path) -> None:
    """Catches references that are ignored because their split is missing, and references of another text."""
    with pytest.raises(UserError, match=r"corpus\.test_references needs corpus\.test; give corpus\.test="):
        files("text", "en", "de", train="a", test_references="b.de")
    for name, lines in {"a.en": "1\n2\n", "a.de": "eins\nzwei\n", "b.de": "Eins\n"}.items():
        write(tmp_path / name, lines)
    text = files("text", "en", "de", test=str(tmp_path / "a"), test_references=str(tmp_path / "b.de"))
    with pytest.raises(UserError, match=r"references: .*b\.de has 1 lines, and the split has 2"):
        text.read("test")
