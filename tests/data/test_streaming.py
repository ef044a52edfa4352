"""Text that is read at every iteration gives the same results as text in memory, and needs no memory of its own."""

import bz2
import gzip
import hashlib
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heed.data import encoded, lines, prepared
from heed.data.cleaning import RATIO_MARGIN, clean, letters
from heed.data.corpus import Corpus, Pairs
from heed.data.drawn import MOST, SHARE
from heed.data.encoded import encode
from heed.data.lines import stored_lines
from heed.data.prepared import Recipe, fingerprint, fingerprints, prepare, read_splits
from heed.data.summary import leakage
from heed.data.text_files import files, tsv
from heed.errors import UserError
from heed.text.lines import Lines
from heed.text.subwords import Subwords, train_pair

Rows = list[tuple[str, str]]

WORDS = st.sampled_from(["", " ", "a", "b", "a b", "a b a b", "é œ", "狗", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b\u2028b"])
ROWS: st.SearchStrategy[Rows] = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=40)
LIMITS = {"max_len": 3, "max_ratio": 2.0, "max_characters": 20}

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def write(prefix: Path, rows: Rows, kind: str = "", end: str = "\n", last: str = "\n") -> None:
    """The two files of a split: their compression, their line ends, and the end of the last line."""
    for ending, side in zip(("en", "fr"), zip(*rows, strict=True), strict=True):
        data = (
            end.join(side) + (last or "x" * (not side[-1]))
        ).encode()  # an empty last line without a line feed would not be a line
        Path(f"{prefix}.{ending}{kind}").write_bytes(COMPRESS[kind](data))


def cleaned_in_memory(rows: Rows) -> tuple[Rows, list[int]]:
    """The pairs and counts of cleaning, computed with a set of all pairs."""
    seen: set[tuple[str, str]] = set()
    kept, counts = [], [0] * 5
    for pair in rows:
        sides = [side.strip() for side in pair]
        shorter, longer = sorted(map(letters, sides))
        tests = (
            not all(sides),
            max(len(side.split()) for side in sides) > LIMITS["max_len"],
            max(map(len, sides)) > LIMITS["max_characters"],
            longer + RATIO_MARGIN > LIMITS["max_ratio"] * (shorter + RATIO_MARGIN),
            stripped(pair) in seen,
        )
        seen.add(stripped(pair))
        if any(tests):
            counts[tests.index(True)] += 1
        else:
            kept.append(pair)
    return kept, counts


def drawn_in_memory(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """Training pairs and drawn validation pairs, computed with a list of all different pairs."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for pair in rows:
        first.setdefault(stripped(pair), pair)
    different = list(first.values())
    count = min(MOST, max(1, int(SHARE * len(different))))
    chosen = [different[i] for i in sorted(np.random.default_rng(seed).choice(len(different), count, replace=False))]
    taken = set(map(stripped, chosen))
    return [pair for pair in rows if stripped(pair) not in taken], chosen


def stripped(pair: tuple[str, str]) -> tuple[str, str]:
    """The pair without white space around its sides, which makes no difference."""
    return pair[0].strip(), pair[1].strip()


def rows_of(pairs: Pairs) -> Rows:
    return list(zip(pairs.src, pairs.tgt, strict=True))


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks and portions, so that a few lines fill several of them."""
    monkeypatch.setattr(lines, "AT_ONCE", 16)
    monkeypatch.setattr(encoded, "LINES", 7)
    monkeypatch.setattr(prepared, "LARGE", 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    rows=ROWS,
    shards=st.integers(1, 3),
    kind=st.sampled_from(list(COMPRESS)),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["\n", "\r\n", ""]),
)
@pytest.mark.usefixtures("few_at_once")
def test_streamed_files_give_the_results_of_lists(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows, shards: int, kind: str, end: str, last: str
) -> None:
    """Catches lines cut between blocks, files in another order, and counts that differ from those of the whole text."""
    folder = tmp_path_factory.mktemp("text")
    rows = [("b", "b"), *rows, ("a", "b")]
    parts = [part for part in (rows[number::shards] for number in range(shards)) if part]
    for number, part in enumerate(parts):
        write(folder / str(number), part, kind, end, last)
    rows = list(chain.from_iterable(parts))
    corpus = files("text", "en", "fr", train=[str(folder / str(number)) for number in range(len(parts))])
    wanted, valid = drawn_in_memory([(src or "", tgt or "") for src, tgt in read_back(parts, last)], 1)
    train = corpus.stream("train")
    assert isinstance(train.src, Lines)
    assert rows_of(train) == rows_of(corpus.read("train")) == wanted
    assert rows_of(corpus.read("valid")) == valid
    assert fingerprint({"train": train}) == digest("train", wanted)
    kept, counts = cleaned_in_memory(wanted)
    if not kept:
        with pytest.raises(UserError, match="dropped all"):
            clean(train, **LIMITS)  # type: ignore[arg-type]
        return
    pairs, report = clean(train, **LIMITS)  # type: ignore[arg-type]
    assert (rows_of(pairs), list(report.dropped.values()), report.read) == (kept, counts, len(wanted))
    sources = {src for src, _ in kept}
    leaked = sum(src in sources for src, _ in valid), sum(pair in set(kept) for pair in valid)
    assert leakage(corpus.read("valid"), pairs) == leaked


def read_back(parts: list[Rows], last: str) -> Rows:
    """The rows as `write` writes them: without a line feed at the end, an empty last line gets an x."""
    rows = []
    for part in parts:
        *before, (src, tgt) = part
        rows += [*before, (src or ("" if last else "x"), tgt or ("" if last else "x"))]
    return rows


def digest(split: str, rows: Rows) -> str:
    """The name that a text has in the run folders of earlier releases."""
    found = hashlib.blake2b(digest_size=16)
    for part in (split, *("\n".join(side) for side in zip(*rows, strict=True))):
        data = part.encode()
        found.update(len(data).to_bytes(8, "little") + data)
    return found.hexdigest()


@given(rows=ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@pytest.mark.usefixtures("few_at_once")
def test_subwords_and_summary_of_streamed_files_equal_those_of_lists(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows
) -> None:
    """Catches subwords that are shifted in the cache, vocabularies of other text, and counts that the cache changes."""
    folder = tmp_path_factory.mktemp("text")
    rows = [("a b", "b a"), ("a", "b"), *rows]
    write(folder / "train", rows)
    write(folder / "valid", rows[-3:])
    corpus = files("text", "en", "fr", train=str(folder / "train"), valid=str(folder / "valid"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEED_CACHE", str(folder / "cache"))
        streamed = prepared_of(read_splits(corpus))
        assert list((folder / "cache" / "encoded").iterdir())
        patch.setattr(prepared, "LARGE", 10**9)
        in_memory = {split: partial(list_pairs, list(part)) for split, part in (("train", rows), ("valid", rows[-3:]))}
        whole = prepared_of(read_splits(Corpus("text", "en", "fr", in_memory)))
    assert streamed.summary == whole.summary
    for name, array in whole.train.arrays().items():
        assert np.array_equal(array, streamed.train.arrays()[name])
        assert array.dtype == streamed.train.arrays()[name].dtype


def list_pairs(rows: Rows) -> Pairs:
    return Pairs([src for src, _ in rows], [tgt for _, tgt in rows])


def prepared_of(splits: prepared.Splits) -> prepared.Prepared:
    cleaned = clean(splits.pairs["train"], **LIMITS)  # type: ignore[arg-type]
    src, tgt = train_pair(cleaned[0].src, cleaned[0].tgt, "char", 30)
    return prepare(splits, Recipe(src, tgt, "char", LIMITS, None, 1), lambda: cleaned, fingerprints(splits))


@pytest.mark.usefixtures("few_at_once")
def test_tables_are_streamed_the_same_every_time(tmp_path: Path) -> None:
    """Catches a header or quotes that reappear at a later iteration, and blank rows at the end of a long table."""
    rows = [(f'say ""{number}""', f"dis {number}") for number in range(50)]
    content = "en\tfr\n" + "".join(f'"{src}"\t{tgt}\n' for src, tgt in rows) + "\t\n\n"
    (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(content.encode()))
    pairs = tsv("table", "en", "fr", test=str(tmp_path / "train.tsv")).stream("test")
    for _ in range(2):
        assert rows_of(pairs) == [(src.replace('""', '"'), tgt) for src, tgt in rows]
    assert len(pairs) == 50


def test_a_file_that_changes_during_a_run_is_one_line(tmp_path: Path) -> None:
    """Catches source and target lines that no longer match after a file has changed during a run."""
    path = tmp_path / "train.en"
    path.write_text("a\nb\n")
    read = stored_lines(path)
    path.write_text("a\nb\nc\n")
    with pytest.raises(UserError, match=r"train\.en had 2 lines and now has 3; do not change it"):
        list(read)


def test_subwords_of_a_long_text_are_trained_on_the_lines_that_were_always_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Catches another sample, so that every run on more than a million lines would start with another vocabulary."""
    text = [f"{number % 7} {number} a" for number in range(500)]
    monkeypatch.setattr("heed.text.subwords.MAX_LINES", 90)
    drawn = np.sort(np.random.default_rng(1).choice(500, 90, replace=False)).tolist()
    few = Subwords.train([text[i] for i in drawn], "bpe", 40)
    assert Subwords.train(Lines(500, partial(iter, text)), "bpe", 40) == few
    src, tgt = Lines(250, partial(iter, text[:250])), Lines(250, partial(iter, text[250:]))
    assert train_pair(src, tgt, "bpe", 40, joint=True, tgt_normalization="nmt_nfkc")[0] == few


MEMORY = """
import sys, tracemalloc
from pathlib import Path
from heed.data import batches, encoded, lines, order, prepared
from heed.data.cleaning import clean
from heed.data.prepared import Recipe, fingerprints, prepare, read_splits
from heed.data.text_files import files
from heed.text.subwords import Subwords

for module in (batches, encoded, lines, order):
    module.AT_ONCE = 2**11
encoded.LINES, prepared.LINES_AT_ONCE, prepared.LARGE = 1000, 1000, 1
subwords = Subwords.train(["0 1 2 3 4 5 6 7 8 9"], "char", 15)
for pairs in (4_000, 40_000):
    prefix = Path(sys.argv[1], str(pairs))
    for ending in ("en", "fr"):
        for split, size in (("train", pairs), ("valid", 100)):
            with Path(f"{prefix}-{split}.{ending}").open("w") as file:
                file.writelines(f"{'1 ' * (number % 20)}{number}\\n" for number in range(size))
    tracemalloc.start()
    splits = read_splits(files("text", "en", "fr", train=f"{prefix}-train", valid=f"{prefix}-valid"))
    recipe, digests = Recipe(subwords, subwords, "char", {}, None, 1), fingerprints(splits)
    made = prepare(splits, recipe, lambda: clean(splits.pairs["train"]), digests)
    train = batches.Batches(made.train, sentences=64)
    train.load_state_dict({"epoch": 1, "batch": 0})
    print(made.summary.splits["valid"].pair_in_train, len(train), tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
"""


def test_memory_grows_by_twelve_bytes_a_pair_at_most(tmp_path: Path) -> None:
    """Catches lists of lines, hashes or subwords in any step, which take 40 to 1,000 bytes for each pair.

    It runs in a separate process without checks of shapes, which would take time and memory in every call.
    """
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    environment = {**os.environ, "HEED_CACHE": str(tmp_path / "cache")}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    few, many = (tuple(map(int, line.split())) for line in output.splitlines())
    assert (few[:2], many[:2]) == ((100, 63), (100, 625))
    assert many[2] - few[2] < 36_000 * 12


PLANNING = """
import sys, tracemalloc
from pathlib import Path
from heed.data import batches, encoded, lines, order, prepared
from heed.experiment import Settings, _data
from heed.text.subwords import Subwords
from tests.support.settings import settings_of

class Watched(batches.Batches):
    def __init__(self, *arguments):
        tracemalloc.reset_peak()
        super().__init__(*arguments)

for module in (batches, encoded, lines, order):
    module.AT_ONCE = 2**11
encoded.LINES, prepared.LINES_AT_ONCE, prepared.LARGE = 1000, 1000, 1
sys.modules["heed.data.module"].Batches = Watched
folder = Path(sys.argv[1])
(folder / "subwords").mkdir()
for side in ("source", "target"):
    Subwords.train(["0 1 2 3 4 5 6 7 8 9"], "char", 15).save(folder / "subwords" / f"{side}.model")
for pairs in (1_000, 4_000, 24_000):
    text = {split: f"{folder}/{pairs}-{split}" for split in ("train", "valid")}
    for split, prefix in text.items():
        for ending in ("en", "fr"):
            text_lines = (f"{'1 ' * (n % 20)}{n}\\n" for n in range(pairs if split == "train" else 9))
            Path(f"{prefix}.{ending}").write_text("".join(text_lines))
    given = ["name=text", "src_lang=en", "tgt_lang=fr", *(f"{split}={prefix}" for split, prefix in text.items())]
    settings = settings_of("train", Settings, "corpus=files", *(f"corpus.{one}" for one in given), "subwords=char")
    tracemalloc.start()
    train = _data(settings, folder).bitext.train
    train.load_state_dict({"epoch": 1, "batch": 0})
    print(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
"""


def test_an_epoch_is_planned_when_preparing_has_freed_its_memory(tmp_path: Path) -> None:
    """Catches the flags of kept pairs, a byte for each, that are still there when 12 more are needed."""
    command = [sys.executable, "-c", PLANNING, str(tmp_path)]
    paths = {"HEED_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    output = subprocess.run(command, env=os.environ | paths, check=True, capture_output=True, text=True).stdout
    _, few, many = map(int, output.split())  # the first also imports modules
    assert many - few < 20_000 * 13  # a flag for each pair would be 20,000 more


def test_encoding_is_the_same_in_any_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches offsets that start again with each portion."""
    words = Subwords.train(["a b c"], kind="word", vocab_size=7)
    text = ["a", "", "b c", "a c", "b", "c c c", ""]
    whole = encode(Pairs(text, text[::-1]), words, words)
    for size in (1, 2, 3):
        monkeypatch.setattr(encoded, "LINES", size)
        parted = encode(Pairs(text, text[::-1]), words, words)
        assert all(np.array_equal(array, parted.arrays()[name]) for name, array in whole.arrays().items())
