"""Tatoeba, from a small archive of the same name, divided so that no test sentence is used for training."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heed.data import tatoeba as module
from heed.data.readers import read_corpus
from heed.data.tatoeba import divide
from heed.errors import UserError

ARCHIVE = "fra-eng.zip"

PAIRS = [(f"Sentence {number % 60}.", f"Phrase {number // 2} !") for number in range(100)]


def packed(path: Path, members: dict[str, str]) -> str:
    """Write an archive with these files; return its digest."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    content = "".join(f"{english}\t{french}\n" for english, french in PAIRS)
    members = {"__MACOSX/fra-eng/._fra.txt": "", "fra-eng/fra.txt": content}
    monkeypatch.setattr(module, "DIGESTS", {ARCHIVE: packed(tmp_path / ARCHIVE, members)})
    return tmp_path


def test_both_directions_are_the_same_pairs(root: Path) -> None:
    """Catches sides that are exchanged, in one direction only."""
    sizes = {"valid": 5, "test": 7}
    one, other = (
        read_corpus({"reader": "tatoeba", "root": str(root), "pair": pair, **sizes}) for pair in ("en-fr", "fr-en")
    )
    for split in ("train", "valid", "test"):
        pairs, turned = one.read(split), other.read(split)
        assert set(zip(pairs.src, pairs.tgt, strict=True)) <= set(PAIRS)
        assert (pairs.src, pairs.tgt) == (turned.tgt, turned.src)
    assert (len(one.read("valid")), len(one.read("test"))) == (5, 7)


def test_other_translations_are_further_references(root: Path) -> None:
    """Catches translations that count as wrong although the corpus has them, and those of another sentence."""
    one, other = (
        read_corpus({"reader": "tatoeba", "root": str(root), "pair": pair, "valid": 20, "test": 20})
        for pair in ("en-fr", "fr-en")
    )
    test = one.read("test")
    for number, english in enumerate(test.src):
        known = [text for text in (test.tgt[number], *(lines[number] for lines in test.further)) if text is not None]
        assert known == list(dict.fromkeys(french for source, french in PAIRS if source == english))
    assert any(lines[0] is not None for lines in test.further)
    assert (other.read("test").further, one.read("train").further) == ((), ())


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_no_sentence_of_the_test_split_is_used_for_training(
    numbers: list[tuple[int, int]], valid: int, test: int
) -> None:
    """Catches a leak through another translation, another spelling, or the other side."""
    pairs = [(f"word {a}{'.!'[a % 2]}", f"Mot {b}") for a, b in numbers] + [
        (f"Word {a}", f"mot {b} ?") for a, b in numbers
    ]
    sizes = {"valid": valid, "test": test}
    train, held, measured = (divide(pairs, sizes, split)[0] for split in ("train", "valid", "test"))

    def words(side: int, chosen: list[tuple[str, str]]) -> set[str]:
        return {pair[side].lower().strip(".!? ") for pair in chosen}

    assert not words(0, train) & (words(0, held) | words(0, measured))
    assert not words(1, train) & (words(1, held) | words(1, measured))
    assert not words(0, held) & words(0, measured)
    assert len(measured) == len(words(0, measured)) == min(test, len(words(0, pairs)))


def test_the_note_counts_what_is_left_out(root: Path) -> None:
    """Catches pairs that vanish silently."""
    train = read_corpus({"reader": "tatoeba", "root": str(root), "valid": 5, "test": 7}).read("train")
    [note] = train.notes
    numbers = [int(word) for word in note.replace(",", "").split() if word.isdecimal()]
    assert numbers[0] == len(train)
    assert numbers[0] + sum(numbers[2:]) == numbers[1] == len(PAIRS)


def test_another_file_is_refused(root: Path) -> None:
    """Catches an archive that differs from the published one."""
    (root / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(UserError, match=r"fra-eng\.zip is not the published file"):
        read_corpus({"reader": "tatoeba", "root": str(root)}).read("train")


@pytest.mark.parametrize("sizes", [{"valid": -1}, {"test": 60_000}])
def test_impossible_sizes_are_refused_in_one_line(sizes: dict[str, int]) -> None:
    """Catches a test split that takes all of the corpus."""
    with pytest.raises(UserError, match="expected 0 or more, 50,000 together at most"):
        read_corpus({"reader": "tatoeba", **sizes})


GERMAN = [("It is late.", "Es ist\u2028spät."), ("Go on!", "Weiter!"), ("He sleeps.", "Er schläft.")]


@pytest.fixture
def german(tmp_path: Path) -> dict[str, object]:
    """The settings that read an archive as the publisher makes it today: another column, no folder."""
    attribution = "CC-BY 2.0 (France) Attribution: tatoeba.org"
    table = "\r\n".join(f"{english}\t{other}\t{attribution}" for english, other in GERMAN)
    digest = packed(tmp_path / "deu-eng.zip", {"deu.txt": table, "_about.txt": "about"})
    return {"reader": "tatoeba", "root": str(tmp_path), "sha256": digest, "valid": 1, "test": 1}


def test_another_language_is_read_from_its_archive(german: dict[str, object]) -> None:
    """Catches a table that is looked for under the name of another language, and text cut at other line separators."""
    one, other = (read_corpus({**german, "pair": pair}) for pair in ("en-de", "de-en"))
    assert (one.src_lang, one.tgt_lang, other.src_lang) == ("en", "de", "de")
    read = [one.read(split) for split in ("train", "valid", "test")]
    assert sorted(pair for split in read for pair in zip(split.src, split.tgt, strict=True)) == sorted(GERMAN)
    assert other.read("test").tgt == one.read("test").src


def test_the_digest_of_another_language_must_be_given(german: dict[str, object]) -> None:
    """Catches a file that nobody has checked; the message has the setting to give."""
    with pytest.raises(UserError, match=rf"heed knows no digest of deu-eng.zip; .*corpus\.sha256={german['sha256']}$"):
        read_corpus({**german, "pair": "en-de", "sha256": None})
    with pytest.raises(UserError, match=r"heed knows no digest of deu-eng\.zip, because .* as corpus\.root=DIR"):
        read_corpus({"reader": "tatoeba", "pair": "en-de"})
    with pytest.raises(UserError, match=r"ita-eng\.zip cannot be read \(No such file or directory\)"):
        read_corpus({**german, "pair": "it-en", "sha256": None})
    with pytest.raises(UserError, match=r"deu-eng\.zip is not the published file"):
        read_corpus({**german, "pair": "en-de", "sha256": "0" * 64}).read("train")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pair": "de-fr"}, r"corpus\.pair=de-fr: expected en-L or L-en, with one of these languages as L: ar, bg,"),
        ({"pair": "en-en"}, r"corpus\.pair=en-en: expected"),
        ({"pair": "en"}, r"corpus\.pair=en: expected"),
        ({"pair": "en-de", "sha256": "12"}, r"corpus\.sha256=12: expected 64 hexadecimal digits"),
    ],
)
def test_impossible_pairs_and_digests_are_refused(settings: dict[str, str], message: str) -> None:
    """Catches a traceback, and a download of a file that does not exist."""
    with pytest.raises(UserError, match=message):
        read_corpus({"reader": "tatoeba", **settings})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"deu.txt": "Go!\tLos!\n\nNo tab\n"}, r"line 2 of deu\.txt has no tab"),
        ({"spa.txt": "Go!\t¡Ve!\n"}, r"is not a zip archive with one file deu\.txt in UTF-8"),
        (None, r"is not a zip archive with one file deu\.txt in UTF-8"),
    ],
)
def test_a_file_that_is_no_such_archive_is_refused(
    members: dict[str, str] | None, message: str, tmp_path: Path
) -> None:
    """Catches a traceback for a file whose digest is right, but which is something else."""
    path = tmp_path / "deu-eng.zip"
    path.write_text("something else") if members is None else packed(path, members)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UserError, match=message):
        read_corpus({"reader": "tatoeba", "root": str(tmp_path), "pair": "en-de", "sha256": digest}).read("train")
