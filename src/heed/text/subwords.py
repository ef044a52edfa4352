"""Text to pieces to ids and back, by SentencePiece."""

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

# The expectations of unigram training are summed thread by thread, so the count of threads is part of the result.
THREADS = 8

# Unigram training took 2.8 s over one word of 10,000 letters, and minutes over a line of a million characters.
MAX_LINE_BYTES = 4192

# Of captions, unigram training took 92 s of processor time and 1.4 GiB for as many, BPE 8 s and 0.5 GiB.
MAX_LINES = 10**6

# SentencePiece searches for ten seconds when asked for 10 ** 9 pieces, and for minutes beyond that.
MAX_VOCAB_SIZE = 10**6

log = logging.getLogger(__name__)


class EncodedLine(NamedTuple):
    """A line in pieces, and its words as they were typed (`heed.text.words.split_words`).

    A word may have no piece, and a piece belongs to one word alone.
    """

    ids: list[int]
    word_index: list[int]
    """For each piece the index of its word."""
    words: list[str]

    def first(self, count: int) -> "EncodedLine":
        """The line as a model reads it that reads `count` pieces; its words stay."""
        return self._replace(ids=self.ids[:count], word_index=self.word_index[:count])

    def ids_of_words(self) -> list[list[int]]:
        """The pieces of each word."""
        ids: list[list[int]] = [[] for _ in self.words]
        for word, piece_id in zip(self.word_index, self.ids, strict=True):
            ids[word].append(piece_id)
        return ids


class Subwords:
    """One trained SentencePiece model: a vocabulary, and the way into it and out of it.

    Text is normalised on the way in, as the model was trained with (`heed.text.normalization`), and ASCII white space
    becomes single spaces: `decode` gives back `normalise(text)`. With `identity` that is the text itself, apart from
    that white space and from U+2581, which SentencePiece takes for a space.
    """

    def __init__(self, model: bytes) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor()
            self._processor.LoadFromSerializedProto(model)
            self._pieces = [self._processor.id_to_piece(i) for i in range(len(self))]
            self._processor.decode([UNK])
            self._keeps_spaces = self._processor.normalize(NO_BREAK) == SPACE + NO_BREAK
        except (RuntimeError, IndexError, UnicodeDecodeError):
            raise UserError("not a whole SentencePiece model; copy the file again, or train anew") from None
        self.model = model
        self._check_specials()
        self._kinds = {kind: symbol for kind, symbol in SYMBOLS.items() if symbol in self._pieces}
        self._addresses = pattern(self._kinds)
        normal = [piece for i, piece in enumerate(self._pieces) if not self.is_special(i)]
        self._whole_words = bool(normal) and all(piece.startswith(SPACE) for piece in normal)
        # A word model's <unk> is a whole word too, though it does not carry the mark.
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
        """The vocabulary of `lines`; the same lines and settings give the same bytes.

        Each of `user_defined_symbols` is one piece, wherever it stands, and is never divided or normalised. Addresses
        of the kinds in `keep` are read as one piece for all of them (`heed.text.kept`).

        Of more than a million lines, a million are drawn, the same ones always. A `vocab_size` beyond what the text
        supports is lowered to that. Both are logged, with the `side` that it is for.
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
            lowered = "%s vocabulary lowered from %d to %d: the text supports no more"
            log.info(lowered, side, vocab_size, len(subwords))
        return subwords

    @classmethod
    def load(cls, path: Path) -> "Subwords":
        """The model that `save` wrote; a file that is missing or no such model is a UserError."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise UserError(
                f"subwords {path} cannot be read: {error.strerror}; expected a SentencePiece model"
            ) from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def save(self, path: Path) -> None:
        """Write SentencePiece's own file, readable by its command line tools as well."""
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
        """The text as the model sees it: what `decode(encode(text))` gives when every character is known."""
        return self.spelling(text).replace(SPACE, " ").strip(" ")

    def encode(self, text: str) -> list[int]:
        """The ids of the text's pieces, without BOS and EOS."""
        return self.encode_lines([text])[0]

    def encode_lines(self, lines: Sequence[str]) -> list[list[int]]:
        """`encode` of every line."""
        return [list(chain.from_iterable(words)) for words in self.encode_words(lines)]

    def encode_with_words(self, lines: Sequence[str]) -> list[EncodedLine]:
        """Every line in pieces, with the word that each piece belongs to."""
        encoded = []
        for line, words in zip(lines, self.encode_words(lines), strict=True):
            index = [number for number, ids in enumerate(words) for _ in ids]
            encoded.append(EncodedLine(list(chain.from_iterable(words)), index, split_words(line)))
        return encoded

    def encode_words(self, lines: Sequence[str]) -> list[list[list[int]]]:
        """The ids of each word of every line, as the line itself counts its words (`split_words`).

        Pieces do not cross white space, so words are encoded one by one, each different one once. A word can have no
        piece (a lone U+FEFF), or pieces that begin several words (U+FDFA): normalisation knows no white space.
        """
        split = [split_words(line) for line in lines]
        different = sorted({word for words in split for word in words})
        known = dict(zip(different, self.encode_each(different), strict=True))
        return [[known[word] for word in words] for words in split]

    def decode(self, ids: Sequence[int]) -> str:
        """One line of text; PAD, BOS and EOS are ignored, an unknown piece reads `⁇`."""
        return " ".join(word for word in self.words(ids) if word)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces as SentencePiece writes them, with `▁` where a word begins."""
        return [self._pieces[i] for i in ids]

    def words(self, ids: Sequence[int]) -> list[str]:
        """The white-space words that the pieces make up, one for each index in `word_index(ids)`."""
        index = self.word_index(ids)
        groups: list[list[int]] = [[] for _ in range(max(index, default=-1) + 1)]
        for word, piece_id in zip(index, ids, strict=True):
            groups[word].append(int(piece_id))
        return self.spell(groups)

    def spell(self, words: Sequence[Sequence[int]]) -> list[str]:
        """Each word as its ids write it, without any space; empty for one without ids."""
        return ["".join(split_words(text)) for text in self._processor.decode(words, num_threads=1)]

    def word_index(self, ids: Sequence[int]) -> list[int]:
        """For each piece the index of its word; a piece that shows nothing belongs to the word beside it."""
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
        """The ids of each of several words, which hold no white space."""
        if self._whole_words:  # SentencePiece would make one <unk> of several unknown words in a row
            return [[self._word_id(part) for part in split_words(self.normalise(word))] for word in words]
        cleaned = [self._cleaned(word) for word in words]
        ids: list[list[int]] = self._processor.encode(cleaned, num_threads=1)
        return ids

    def surfaces(self, word: str) -> list[str]:
        """What each piece of a word, as `encode_each` has them, stands for in the word as it was typed.

        Of several pieces that stand for one character, such as its bytes, the last has it, and the others are empty.
        """
        if self._whole_words:
            return [word, *[""] * (len(self.encode_each([word])[0]) - 1)] if self.normalise(word) else []
        encoded = self._processor.encode(self._cleaned(word), return_type="proto")
        typed = iter(self.addresses(word))
        return [next(typed) if piece.id in self.kept else piece.surface for piece in encoded.pieces]

    def spelling(self, word: str) -> str:
        """The word as pieces spell it, `▁` in front of it; empty where normalisation leaves nothing."""
        spelt: str = self._processor.normalize(self._cleaned(word))
        return spelt

    def _cleaned(self, text: str) -> str:
        return _clean(masked(text, self._addresses) if self._kinds else text, self._keeps_spaces)

    def addresses(self, text: str) -> list[str]:
        """What each piece of `kept` stands for in a text, in order."""
        return [found[0] for found in self._addresses.finditer(text)] if self._kinds else []

    @cached_property
    def kept(self) -> dict[int, str]:
        """The pieces that stand for addresses, and of which kind."""
        return {self._pieces.index(symbol): kind for kind, symbol in self._kinds.items()}

    @property
    def scores(self) -> list[float]:
        """For each piece what SentencePiece learnt of it; in a unigram model, the logarithm of its probability."""
        return [self._processor.get_score(i) for i in range(len(self))]

    @cached_property
    def user_defined(self) -> frozenset[str]:
        """The symbols that are one piece wherever they stand."""
        with needs("train"):  # protobuf comes with tensorboard; only training asks
            from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined] # noqa: PLC0415
        pieces = ModelProto.FromString(self.model).pieces
        return frozenset(piece.piece for piece in pieces if piece.type == piece.USER_DEFINED)

    @property
    def joins_letters(self) -> bool:
        """Whether there are pieces of several letters, as in a vocabulary of subwords, and not of characters alone."""
        learnt = (i for i, score in enumerate(self.scores) if score and not self.is_special(i))  # a given symbol has 0
        texts = (self._pieces[i].strip(SPACE) for i in learnt)
        return not self._whole_words and any(len(text) > 1 for text in texts)

    def _word_id(self, word: str) -> int:
        piece_id: int = self._processor.piece_to_id(SPACE + word)
        return piece_id

    def opens_word(self, i: int) -> bool:
        """Whether piece `i` begins a word."""
        return self._opens[i]

    def is_special(self, i: int) -> bool:
        """Whether piece `i` stands for no text of its own: a mark, `<unk>`, or a byte."""
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
    """Whether a file begins as `Subwords.save` writes it: with the piece that pads."""
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
    """The vocabularies of both sides, `vocab_size` pieces each; with `joint`, one that both share.

    A target is learnt as it is written, unless `tgt_normalization` says otherwise. A source is read as `nmt_nfkc` makes
    it, which knows more of what people type; with `joint`, as the target.

    Raises:
        UserError: a setting out of its range, or two normalisations of one vocabulary.
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
    # The mark is a space to SentencePiece's decoder but not to its normaliser; some white space only to Python.
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
        log.warning("left out of the subword training: %d lines of more than %d bytes", left_out, MAX_LINE_BYTES)
    return kept


def check_settings(
    kind: Kind,
    vocab_size: int,
    byte_fallback: bool,
    character_coverage: float,
    user_defined_symbols: Sequence[str] = (),
    keep: Sequence[Kept] = (),
) -> None:
    """UserError for settings with which no vocabulary can be trained, whatever the text."""
    reserved = SPECIALS + len(user_defined_symbols) + len(keep)
    if not reserved < vocab_size <= MAX_VOCAB_SIZE:
        raise UserError(
            f"vocab_size={vocab_size}, expected {reserved + 1} ({reserved} pieces are special) to {MAX_VOCAB_SIZE}"
        )
    if byte_fallback and kind == "word":
        raise UserError("byte_fallback=true has no meaning for kind=word; use unigram, bpe or char with it")
    if not 0.98 <= character_coverage <= 1.0:  # SentencePiece's own limits
        raise UserError(f"character_coverage={character_coverage}, expected a share from 0.98 to 1.0")
    if user_defined_symbols and kind == "word":
        raise UserError("user_defined_symbols has no meaning for kind=word, whose words are whole; use another kind")
    if keep and kind == "word":
        raise UserError("keep has no meaning for kind=word, whose words are whole; use another kind")
    for symbol in user_defined_symbols:
        if not symbol or split_words(symbol) != [symbol] or SPACE in symbol or symbol in CONTROLS:
            raise UserError(
                f"user_defined_symbols: {symbol!r} cannot be one; expected a text without spaces, and none of "
                f"{', '.join(CONTROLS)}"
            )
    if len({*user_defined_symbols}) < len(user_defined_symbols):
        raise UserError("user_defined_symbols names a symbol twice; name each once")
    if len({*keep}) < len(keep) or {*user_defined_symbols} & {*SYMBOLS.values()}:
        raise UserError("keep names a kind twice, or user_defined_symbols its symbol; name each once")


def check_normalization(joint: bool, src_normalization: Normalization | None, tgt_normalization: Normalization) -> None:
    """UserError for two normalisations of one vocabulary."""
    if joint and src_normalization not in (None, tgt_normalization):
        raise UserError(
            f"src_normalization={src_normalization} and tgt_normalization={tgt_normalization}, but joint=true makes "
            f"one vocabulary; give both sides the same, or leave src_normalization=null"
        )


def _normalising(
    lines: Sequence[str], vocab_size: int, normalization: Normalization, settings: dict[str, Any]
) -> bytes:
    """Train with a normalisation, which becomes part of the model."""
    if normalization != "nfc":
        return _fit(lines, vocab_size, {**settings, "normalization_rule_name": normalization})
    with needs("train"):  # protobuf comes with tensorboard; translating does without
        from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined] # noqa: PLC0415
    with TemporaryDirectory() as folder:
        rules = Path(folder) / "nfc.tsv"
        rules.write_text(nfc_rules(), encoding="utf-8")
        model = ModelProto.FromString(_fit(lines, vocab_size, {**settings, "normalization_rule_tsv": str(rules)}))
    model.normalizer_spec.name = "nfc"
    model.normalizer_spec.ClearField("normalization_rule_tsv")  # a path that is another one at every training
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _fit(lines: Sequence[str], vocab_size: int, settings: dict[str, Any]) -> bytes:
    """Train, asking again for as much as SentencePiece says that the text supports."""
    try:
        return _fit_once(lines, vocab_size, settings)
    except RuntimeError as error:
        message = str(error)
    if high := re.search(r"Vocabulary size too high .* <= (\d+)", message):
        return _fit(lines, int(high[1]), settings)
    if low := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        raise UserError(
            f"vocab_size={vocab_size} is too small: the characters of this text alone need {low[1]}; "
            "raise it, or lower character_coverage"
        )
    if "char_model_trainer" in message:
        raise UserError(f"vocab_size={vocab_size} is too small for byte_fallback, which takes 256 pieces; raise it")
    if "sentences_.empty" in message or "all_chars_count" in message:
        raise UserError("no text to train subwords on: every line is empty or too long; check the training files")
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
