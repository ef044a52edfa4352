"""Text to subwords (SentencePiece's pieces) to ids, and back."""

import io
import logging
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import numpy as np
import sentencepiece

from heed.errors import UserError, needs
from heed.text.kept import SYMBOLS, Kept, masked, pattern
from heed.text.lines import concatenated, selected
from heed.text.normalization import Normalization, nfc_rules
from heed.text.words import split_words

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIALS = 4
CONTROLS = ("<pad>", "<unk>", "<s>", "</s>")
SPACE = "▁"  # SentencePiece's own mark for the space before a word
NO_BREAK = "a\u00a0b\u3000c"

Kind = Literal["unigram", "bpe", "char", "word"]

# Unigram training sums expectations thread by thread, so the number of threads affects the result.
THREADS = 8

# Unigram training took 2.8 s over one word of 10,000 letters, and minutes over a line of a million characters.
MAX_LINE_BYTES = 4192

# Of captions, unigram training took 92 s of processor time and 1.4 GiB for as many, BPE 8 s and 0.5 GiB.
MAX_LINES = 10**6

# SentencePiece takes ten seconds to reject 10 ** 9 subwords, and minutes for more.
MAX_VOCAB_SIZE = 10**6

log = logging.getLogger(__name__)


class EncodedLine(NamedTuple):
    """A line in subwords, and its words as typed (`heed.text.words.split_words`).

    A word may have no subword; a subword belongs to exactly one word.
    """

    ids: list[int]
    word_index: list[int]
    """For each subword the index of its word."""
    words: list[str]

    def first(self, count: int) -> "EncodedLine":
        """The line cut after `count` subwords; all words are kept."""
        return self._replace(ids=self.ids[:count], word_index=self.word_index[:count])

    def ids_of_words(self) -> list[list[int]]:
        """The subwords of each word."""
        ids: list[list[int]] = [[] for _ in self.words]
        for word, piece_id in zip(self.word_index, self.ids, strict=True):
            ids[word].append(piece_id)
        return ids


class Subwords:
    """A trained SentencePiece model: a vocabulary that encodes and decodes text.

    `encode` first normalises text with the model's rules (`heed.text.normalization`) and replaces ASCII white space by
    single spaces, so `decode` returns `normalise(text)`. With `identity` this is the text itself, except for white
    space and for U+2581, which SentencePiece treats as a space.
    """

    def __init__(self, model: bytes) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor()
            self._processor.LoadFromSerializedProto(model)
            self._pieces = [self._processor.id_to_piece(i) for i in range(len(self))]
            self._processor.decode([UNK])
            self._keeps_spaces = self._processor.normalize(NO_BREAK) == SPACE + NO_BREAK
        except (RuntimeError, IndexError, UnicodeDecodeError):
            raise UserError("not a complete SentencePiece model; copy the file again, or retrain") from None
        self.model = model
        self._check_specials()
        self._kinds = {kind: symbol for kind, symbol in SYMBOLS.items() if symbol in self._pieces}
        self._addresses = pattern(self._kinds)
        normal = [piece for i, piece in enumerate(self._pieces) if not self.is_special(i)]
        self._whole_words = bool(normal) and all(piece.startswith(SPACE) for piece in normal)
        # The <unk> of a word model is a whole word too, although it does not begin with the mark.
        opening = (SPACE, self._pieces[UNK]) if self._whole_words else SPACE
        self._opens = [piece.startswith(opening) for piece in self._pieces]
        self._shows = [i not in (PAD, BOS, EOS) and bool(piece.strip(SPACE)) for i, piece in enumerate(self._pieces)]

    @classmethod
    def train(
        cls,
        lines: Sequence[str],
        kind: Kind = "unigram",
        vocab_size: int = 8000,
        byte_fallback: bool = False,
        character_coverage: float = 1.0,
        side: str = "subword",
        normalization: Normalization = "nmt_nfkc",
        user_defined_symbols: Sequence[str] = (),
        keep: Sequence[Kept] = (),
    ) -> "Subwords":
        """Train a vocabulary on `lines`; the same lines and settings give the same bytes.

        Each of `user_defined_symbols` is always one subword, and is never divided or normalised. All addresses of a
        kind in `keep` are encoded as the same subword (`heed.text.kept`).

        If there are more than a million lines, a million are drawn, always the same ones. A `vocab_size` that is too
        large for the text is lowered. Both are logged, with the name of the `side`.
        """
        check_settings(kind, vocab_size, byte_fallback, character_coverage, user_defined_symbols, keep)
        settings = {
            "user_defined_symbols": [*user_defined_symbols, *(SYMBOLS[one] for one in keep)],
            "model_type": kind,
            "byte_fallback": byte_fallback,
            "character_coverage": character_coverage,
            "unk_surface": " ⁇ " if kind == "word" else "⁇",
        }
        keeps_spaces = normalization in ("identity", "nfc")
        addresses = pattern(keep)
        cleaned = [_clean(masked(line, addresses), keeps_spaces) for line in _some(lines, side)]
        subwords = cls(_normalising(_short(cleaned), vocab_size, normalization, settings))
        if len(subwords) < vocab_size:
            lowered = "%s vocabulary lowered from %d to %d, the most that the text supports"
            log.info(lowered, side, vocab_size, len(subwords))
        return subwords

    @classmethod
    def load(cls, path: Path) -> "Subwords":
        """Load a model. Raise UserError if the file is missing or is not a SentencePiece model."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise UserError(
                f"subwords {path} cannot be read: {error.strerror}; expected a SentencePiece model"
            ) from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def save(self, path: Path) -> None:
        """Write SentencePiece's own file format, which its command line tools can read."""
        path.write_bytes(self.model)

    def __len__(self) -> int:
        return self._processor.get_piece_size()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subwords) and self.model == other.model

    def __hash__(self) -> int:
        return hash(self.model)

    def __reduce__(self) -> tuple[type["Subwords"], tuple[bytes]]:
        return type(self), (self.model,)

    def normalise(self, text: str) -> str:
        """The normalised text, which `decode(encode(text))` returns if all characters are known."""
        return self.spelling(text).replace(SPACE, " ").strip(" ")

    def encode(self, text: str) -> list[int]:
        """The ids of the text's subwords, without BOS and EOS."""
        return self.encode_lines([text])[0]

    def encode_lines(self, lines: Sequence[str]) -> list[list[int]]:
        """`encode` for every line."""
        return [list(chain.from_iterable(words)) for words in self.encode_words(lines)]

    def encode_with_words(self, lines: Sequence[str]) -> list[EncodedLine]:
        """Every line in subwords, with the word of each subword."""
        encoded = []
        for line, words in zip(lines, self.encode_words(lines), strict=True):
            index = [number for number, ids in enumerate(words) for _ in ids]
            encoded.append(EncodedLine(list(chain.from_iterable(words)), index, split_words(line)))
        return encoded

    def encode_words(self, lines: Sequence[str]) -> list[list[list[int]]]:
        """The ids of each word of every line; words are those of `split_words`.

        Subwords do not cross white space, so each different word is encoded once. Because of normalisation, a word may
        have no subword (a single U+FEFF), or subwords that begin several words (U+FDFA).
        """
        split = [split_words(line) for line in lines]
        different = sorted({word for words in split for word in words})
        known = dict(zip(different, self.encode_each(different), strict=True))
        return [[known[word] for word in words] for words in split]

    def decode(self, ids: Sequence[int]) -> str:
        """Decode to one line of text; PAD, BOS and EOS are ignored, an unknown subword becomes `⁇`."""
        return " ".join(word for word in self.words(ids) if word)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The subwords as SentencePiece writes them, with `▁` at the beginning of a word."""
        return [self._pieces[i] for i in ids]

    def words(self, ids: Sequence[int]) -> list[str]:
        """The words of the subwords, one for each index in `word_index(ids)`."""
        index = self.word_index(ids)
        groups: list[list[int]] = [[] for _ in range(max(index, default=-1) + 1)]
        for word, piece_id in zip(index, ids, strict=True):
            groups[word].append(int(piece_id))
        return self.spell(groups)

    def spell(self, words: Sequence[Sequence[int]]) -> list[str]:
        """Each word decoded from its ids, without spaces; empty for a word without ids.

        They are decoded one by one, because SentencePiece starts a thread for a list, which takes longer.
        """
        return ["".join(split_words(self._processor.decode(list(word)))) for word in words]

    def word_index(self, ids: Sequence[int]) -> list[int]:
        """For each subword the index of its word; a subword that displays as nothing belongs to a neighbouring word."""
        index: list[int] = []
        word, shown = 0, False
        for i in ids:
            if shown and self._opens[i]:
                word, shown = word + 1, False
            shown = shown or self._shows[i]
            index.append(word)
        last = word if shown else max(word - 1, 0)
        return [min(word, last) for word in index]

    def encode_each(self, words: Sequence[str]) -> list[list[int]]:
        """The ids of each of several words, which must not contain white space."""
        if self._whole_words:  # otherwise SentencePiece would encode consecutive unknown words as one <unk>
            return [[self._word_id(part) for part in split_words(self.normalise(word))] for word in words]
        cleaned = [self._cleaned(word) for word in words]
        ids: list[list[int]] = self._processor.encode(cleaned, num_threads=1)
        return ids

    def surfaces(self, word: str) -> list[str]:
        """The part of a word, as typed, that each of its subwords (from `encode_each`) stands for.

        If several subwords stand for one character, such as its bytes, the last one gets it and the others are empty.
        """
        if self._whole_words:
            return [word, *[""] * (len(self.encode_each([word])[0]) - 1)] if self.normalise(word) else []
        encoded = self._processor.encode(self._cleaned(word), return_type="proto")
        typed = iter(self.addresses(word))
        return [next(typed) if piece.id in self.kept else piece.surface for piece in encoded.pieces]

    def spelling(self, word: str) -> str:
        """The word as spelled for subwords, with `▁` in front; empty if nothing is left after normalisation."""
        spelt: str = self._processor.normalize(self._cleaned(word))
        return spelt

    def _cleaned(self, text: str) -> str:
        return _clean(self.masked(text), self._keeps_spaces)

    def masked(self, text: str) -> str:
        """The text with a symbol instead of each address that is encoded as a subword of `kept`."""
        return masked(text, self._addresses) if self._kinds else text

    def addresses(self, text: str) -> list[str]:
        """The addresses in a text that are encoded as subwords of `kept`, in order."""
        return [found[0] for found in self._addresses.finditer(text)] if self._kinds else []

    @cached_property
    def kept(self) -> dict[int, str]:
        """The ids that stand for addresses, and their kinds."""
        return {self._pieces.index(symbol): kind for kind, symbol in self._kinds.items()}

    @property
    def scores(self) -> list[float]:
        """The score of each subword in the SentencePiece model; in a unigram model, its log-probability."""
        return [self._processor.get_score(i) for i in range(len(self))]

    @cached_property
    def user_defined(self) -> frozenset[str]:
        """The symbols that are always encoded as one subword."""
        with needs("train"):  # protobuf comes with tensorboard; only training needs it
            from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined] # noqa: PLC0415
        pieces = ModelProto.FromString(self.model).pieces
        return frozenset(piece.piece for piece in pieces if piece.type == piece.USER_DEFINED)

    @property
    def joins_letters(self) -> bool:
        """Whether there are subwords of several letters, and not only single characters."""
        learnt = (i for i, score in enumerate(self.scores) if score and not self.is_special(i))  # user-defined: 0
        texts = (self._pieces[i].strip(SPACE) for i in learnt)
        return not self._whole_words and any(len(text) > 1 for text in texts)

    def _word_id(self, word: str) -> int:
        piece_id: int = self._processor.piece_to_id(SPACE + word)
        return piece_id

    def opens_word(self, i: int) -> bool:
        """Whether subword `i` begins a word."""
        return self._opens[i]

    def is_special(self, i: int) -> bool:
        """Whether subword `i` stands for no text: a control symbol, `<unk>`, or a byte."""
        return self._processor.is_control(i) or self._processor.is_unknown(i) or self._processor.is_byte(i)

    def _check_specials(self) -> None:
        processor = self._processor
        found = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if found != (PAD, UNK, BOS, EOS):
            raise UserError(
                f"the SentencePiece model has pad, unk, bos, eos at {found}, expected {(PAD, UNK, BOS, EOS)}; "
                "train the subwords with heed"
            )


def is_subword_model(path: Path) -> bool:
    """Whether a file begins as `Subwords.save` writes it, with the padding subword."""
    with path.open("rb") as file:
        return FIRST_PIECE.match(file.read(64)) is not None


FIRST_PIECE = re.compile(rb"\n.\n.<pad>", re.DOTALL)


def train_pair(
    src_lines: Sequence[str],
    tgt_lines: Sequence[str],
    kind: Kind = "unigram",
    vocab_size: int = 8000,
    joint: bool = False,
    byte_fallback: bool = False,
    character_coverage: float = 1.0,
    src_normalization: Normalization | None = None,
    tgt_normalization: Normalization = "identity",
    user_defined_symbols: Sequence[str] = (),
    keep: Sequence[Kept] = (),
) -> tuple[Subwords, Subwords]:
    """Train the vocabularies of both sides, with `vocab_size` subwords each; with `joint`, one for both sides.

    Args:
        src_lines, tgt_lines: the training text.
        kind: the model: unigram, bpe, word or char.
        vocab_size: the number of subwords of each vocabulary.
        joint: train one vocabulary for both sides.
        byte_fallback: encode unknown characters as bytes.
        character_coverage: the share of characters that get a subword, from 0.98 to 1.
        src_normalization: the normalisation of sources; None for `nmt_nfkc`, which knows more spellings, or with
            `joint` for that of targets.
        tgt_normalization: the normalisation of targets; `identity` leaves them unchanged.
        user_defined_symbols: texts that are always one subword.
        keep: the kinds of addresses that are copied.

    Returns:
        The source and the target vocabulary; the same one twice with `joint`.

    Raises:
        UserError: a setting is out of range, or one vocabulary would have two normalisations.
    """

    def train(lines: Sequence[str], side: str, normalization: Normalization) -> Subwords:
        return Subwords.train(
            lines, kind, vocab_size, byte_fallback, character_coverage, side, normalization, user_defined_symbols, keep
        )

    check_settings(kind, vocab_size, byte_fallback, character_coverage, user_defined_symbols, keep)
    check_normalization(joint, src_normalization, tgt_normalization)
    if joint:
        shared = train(concatenated([src_lines, tgt_lines]), "joint", tgt_normalization)
        return shared, shared
    return train(src_lines, "source", src_normalization or "nmt_nfkc"), train(tgt_lines, "target", tgt_normalization)


def _clean(text: str, keeps_spaces: bool) -> str:
    # The mark is a space for SentencePiece's decoder but not for its normaliser; some white space only for Python.
    unmarked = text.replace(SPACE, " ")
    return " ".join(split_words(unmarked) if keeps_spaces else unmarked.split())


def _some(lines: Sequence[str], side: str) -> Sequence[str]:
    if len(lines) <= MAX_LINES:
        return lines
    log.info("%s vocabulary: trained on %d of the %d lines, drawn at random", side, MAX_LINES, len(lines))
    keep = np.zeros(len(lines), bool)
    keep[np.random.default_rng(1).choice(len(lines), MAX_LINES, replace=False)] = True
    return selected(lines, keep.tobytes())


def _short(lines: Sequence[str]) -> list[str]:
    kept = [line for line in lines if len(line.encode()) <= MAX_LINE_BYTES]
    if len(kept) < len(lines):
        left_out = len(lines) - len(kept)
        log.warning("subword training ignores %d lines of more than %d bytes", left_out, MAX_LINE_BYTES)
    return kept


def check_settings(
    kind: Kind,
    vocab_size: int,
    byte_fallback: bool,
    character_coverage: float,
    user_defined_symbols: Sequence[str] = (),
    keep: Sequence[Kept] = (),
) -> None:
    """Raise UserError for settings with which no vocabulary can be trained on any text."""
    reserved = SPECIALS + len(user_defined_symbols) + len(keep)
    if not reserved < vocab_size <= MAX_VOCAB_SIZE:
        raise UserError(
            f"vocab_size={vocab_size}, expected {reserved + 1} ({reserved} subwords are special) to {MAX_VOCAB_SIZE}"
        )
    if byte_fallback and kind == "word":
        raise UserError("byte_fallback=true is not possible with kind=word; use unigram, bpe or char")
    if not 0.98 <= character_coverage <= 1.0:  # SentencePiece's own limits
        raise UserError(f"character_coverage={character_coverage}, expected a share from 0.98 to 1.0")
    if user_defined_symbols and kind == "word":
        raise UserError("user_defined_symbols is not possible with kind=word; use unigram, bpe or char")
    if keep and kind == "word":
        raise UserError("keep is not possible with kind=word; use unigram, bpe or char")
    for symbol in user_defined_symbols:
        if not symbol or split_words(symbol) != [symbol] or SPACE in symbol or symbol in CONTROLS:
            raise UserError(
                f"user_defined_symbols: {symbol!r} cannot be a symbol; expected a string without spaces, and none of "
                f"{', '.join(CONTROLS)}"
            )
    if len({*user_defined_symbols}) < len(user_defined_symbols):
        raise UserError("user_defined_symbols contains a symbol twice; give each once")
    if len({*keep}) < len(keep) or {*user_defined_symbols} & {*SYMBOLS.values()}:
        raise UserError("keep contains a kind twice, or user_defined_symbols its symbol; give each once")


def check_normalization(joint: bool, src_normalization: Normalization | None, tgt_normalization: Normalization) -> None:
    """Raise UserError if one vocabulary would have two normalisations."""
    if joint and src_normalization not in (None, tgt_normalization):
        raise UserError(
            f"src_normalization={src_normalization} and tgt_normalization={tgt_normalization}, but joint=true makes "
            f"one vocabulary; give both sides the same normalization, or src_normalization=null"
        )


def _normalising(
    lines: Sequence[str], vocab_size: int, normalization: Normalization, settings: dict[str, Any]
) -> bytes:
    """Train with a normalisation, which is stored in the model."""
    if normalization != "nfc":
        return _fit(lines, vocab_size, {**settings, "normalization_rule_name": normalization})
    with needs("train"):  # protobuf comes with tensorboard; translating does not need it
        from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined] # noqa: PLC0415
    with TemporaryDirectory() as folder:
        rules = Path(folder) / "nfc.tsv"
        rules.write_text(nfc_rules(), encoding="utf-8")
        model = ModelProto.FromString(_fit(lines, vocab_size, {**settings, "normalization_rule_tsv": str(rules)}))
    model.normalizer_spec.name = "nfc"
    model.normalizer_spec.ClearField("normalization_rule_tsv")  # a temporary path, which is different at every training
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _fit(lines: Sequence[str], vocab_size: int, settings: dict[str, Any]) -> bytes:
    """Train; if the text supports fewer subwords, train again with the number that SentencePiece reports."""
    try:
        return _fit_once(lines, vocab_size, settings)
    except RuntimeError as error:
        message = str(error)
    if high := re.search(r"Vocabulary size too high .* <= (\d+)", message):
        return _fit(lines, int(high[1]), settings)
    if low := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        raise UserError(
            f"vocab_size={vocab_size} is too small: the characters of this text need {low[1]}; "
            "raise it, or lower character_coverage"
        )
    if "char_model_trainer" in message:
        raise UserError(f"vocab_size={vocab_size} is too small for byte_fallback, which needs 256 subwords; raise it")
    if "sentences_.empty" in message or "all_chars_count" in message:
        raise UserError("no text to train subwords on: all lines are empty or too long; check the training files")
    raise RuntimeError(message)


def _fit_once(lines: Iterable[str], vocab_size: int, settings: dict[str, Any]) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=vocab_size,
        pad_id=PAD,
        unk_id=UNK,
        bos_id=BOS,
        eos_id=EOS,
        num_threads=THREADS,
        max_sentence_length=MAX_LINE_BYTES,
        minloglevel=2,
        **settings,
    )
    return model.getvalue()
