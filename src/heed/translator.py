"""A trained model as a library: text in, translations with their attention out.

import heed
translator = heed.load("runs/tiny/model")
translator.translate("The black cat sleeps.").text
"""

import copy
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, get_args, overload

import torch
from jaxtyping import Bool
from torch import Tensor

from heed import arguments, bundle
from heed.attribution import (
    ROWS,
    Method,
    Pair,
    attributions,
    check_explainable,
    norm_weights,
    posteriors,
    product,
    shares,
)
from heed.bundle import Bundle
from heed.copied import with_addresses, with_source_words
from heed.data.encoded import LONGEST
from heed.errors import UserError, needs
from heed.maps import (
    UNSPACED,
    Level,
    Line,
    Map,
    Symmetrisation,
    Words,
    attention_map,
    has_spaces,
    link_words,
    read_lines,
    written_line,
)
from heed.metrics.alignment import Links
from heed.models.fast.product import multiplies_bfloat16, multiply_in_bfloat16
from heed.onnx_model import OnnxModel
from heed.passes import Forced, Model, alone, device_of, forced, padded, searched
from heed.search.alternatives import next_words
from heed.search.greedy import Hypothesis
from heed.search.registry import Search
from heed.search.registry import search as search_named
from heed.text.subwords import BOS, EOS, Subwords
from heed.text.words import split_words
from heed.training.switches import CUBLAS, WORKSPACE
from heed.translation import Alternative, Translation

log = logging.getLogger(__name__)

PAIRS, HYPOTHESES = 64, 256
"""What a batch has unless `batch_size` says otherwise: pairs in a forced pass, hypotheses that grow in a search.

With fewer, a CPU wastes what a step costs anyway; more do not fit into its cache.
"""

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")

PORTION = 4096
"""Pairs of a long text whose maps are in memory at once."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Precision = Literal["auto", "float32", "bfloat16"]
"""The type of a search's products; `auto` is bfloat16 if the hardware multiplies it and the search draws nothing."""

Progress = Callable[[int, int], object]
"""Called with the number of lines done and the number of all lines."""

DONE_OF_ALL = "the number of lines done and of all"


def load(model: str | Path | Sequence[str | Path], device: str = "auto", precision: Precision = "auto") -> "Translator":
    """Load a model folder.

    Args:
        model: a model folder, as `runs/tiny/model`, or one that `heed-export onnx` has written; or several of the same
            two vocabularies, which then translate as one: their probabilities are averaged.
        device: `auto` is a GPU if there is one; or `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: of the matrix products of a search: `float32`, `bfloat16`, or `auto`: bfloat16 if the hardware
            multiplies it and the search draws no random numbers. Scores and alignments are always float32. An ONNX
            model keeps the precision that it was exported with.

    Returns:
        The translator, with the weights in memory.

    Raises:
        UserError: a folder that is not there or is damaged, vocabularies that differ, a device that is not there.

    Example:
        >>> from heed.translator import load
        >>> translator = load("runs/tiny/model")
        >>> translator.src_lang, translator.tgt_lang
        ('en', 'fr')
    """
    arguments.one_of("precision", precision, get_args(Precision))
    folder = "a model folder, such as runs/tiny/model, or several"
    given = [model] if isinstance(model, str | Path) else arguments.several("model", model, folder)
    folders = [str(Path(one).expanduser()) if str(one).startswith("~") else str(one) for one in given]
    exported = any(bundle.is_onnx(Path(folder)) for folder in folders)
    loaded = bundle.load_ensemble(folders, device_named("cpu" if exported and device == "auto" else device))
    if exported and precision == "bfloat16":
        raise UserError(f"precision=bfloat16: {folders[0]} is an ONNX model; export it again with another precision")
    return Translator(loaded, precision, [Path(folder) for folder in folders])


def device_named(name: object) -> torch.device:
    """The device called `name`; `auto` is a GPU if there is one.

    Raises:
        UserError: it is no device, or one that this machine does not have.
    """
    if not isinstance(name, str) or not DEVICE.fullmatch(name):
        raise UserError(f"device={name}: expected auto, cpu, cuda, cuda:N for a number N, or mps")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device={name}: torch finds no GPU of Apple's here; use device=cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was compiled with CUDA
        reason = str(error).splitlines()[0].partition(". ")[0][:200]
        raise UserError(f"device={name}: {reason}; use device=auto, cpu, or cuda on a machine with a GPU") from error
    if device.type == "cuda":
        os.environ.setdefault(CUBLAS, WORKSPACE)  # or nothing could be trained in this process any more
    return device


class Translator:
    """A loaded model, ready to translate, to score and to align.

    Its methods may be called from several threads at once: nothing in it changes but a copy of the weights in bfloat16,
    which is made at the first search that uses it. On a GPU their batches take turns.

    Args:
        loaded: the model and its two vocabularies, as `heed.bundle.load` reads them.
        precision: as for `load`.
        folders: where the model was read from.
    """

    def __init__(self, loaded: Bundle, precision: Precision = "auto", folders: Sequence[Path] = ()) -> None:
        self.bundle, self.precision, self.folders = loaded, precision, tuple(folders)
        self._copying = threading.Lock()
        self._rounded: Model | None = None

    @property
    def about(self) -> Mapping[str, Any]:
        """What the model folder says of its training: languages, corpus, scores."""
        return self.bundle.about

    @property
    def src_lang(self) -> str:
        """The language that it translates from, or an empty text if the folder does not say."""
        return _text(self.about.get("src_lang"))

    @property
    def tgt_lang(self) -> str:
        """The language that it translates to, or an empty text if the folder does not say."""
        return _text(self.about.get("tgt_lang"))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return device_of(self.bundle.model)

    @overload
    def translate(
        self,
        text: str,
        search: str = ...,
        *,
        n_best: int | None = ...,
        prefix: str | Sequence[str] | None = ...,
        replace_unk: bool = ...,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
        **settings: Any,
    ) -> Translation: ...

    @overload
    def translate(
        self,
        text: Iterable[str],
        search: str = ...,
        *,
        n_best: int | None = ...,
        prefix: str | Sequence[str] | None = ...,
        replace_unk: bool = ...,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
        **settings: Any,
    ) -> list[Translation]: ...

    def translate(
        self,
        text: str | Iterable[str],
        search: str = "greedy",
        *,
        n_best: int | None = 1,
        prefix: str | Sequence[str] | None = None,
        replace_unk: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
        **settings: Any,
    ) -> Translation | list[Translation]:
        """Translate a line, or several.

        Args:
            text: a line of text, or any number of lines. An empty line stays empty, whatever its prefix.
            search: `greedy`, `beam`, `sample`, or the name of a registered search.
            n_best: the number of translations of each line in `candidates`; None: as many as the search finds. They are
                different texts, and fewer if the search finds no more; those of `sample` are draws, which may be equal.
            prefix: how the translation begins: one for all lines, or one for each. Its words are whole words: what
                follows is a new word or a punctuation mark, and never more letters of the last word, except in scripts
                that are written without spaces. A prefix of another spelling than the vocabulary's is normalised.
            replace_unk: replace each `<unk>` that the model writes by the source word that it attended to most, as that
                was typed.
            batch_size: hypotheses that grow at once; None: 256. The translations do not depend on it.
            progress: called with the lines done and all lines after each batch.
            settings: those of the search, as `beam_size=8`, `length_penalty=0.6`, `temperature=0.7`, `max_len=100`.

        Returns:
            A `Translation` for a str, otherwise a list of them in the order of the lines.

        Raises:
            UserError: a search, a setting or a value that does not exist, in one line.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> translator.translate("a dog barks", max_len=9, prefix="un chien").text.startswith("un chien")
            True
            >>> one, two = translator.translate(["a dog", "the cat"], search="beam", beam_size=4, n_best=3)
            >>> len(two.candidates)
            3
        """
        results = self.search_lines(
            read_source(arguments.lines("text", text), self.bundle.src),
            search,
            n_best=n_best,
            prefix=prefix,
            replace_unk=replace_unk,
            batch_size=batch_size,
            progress=progress,
            **settings,
        )
        return results[0] if isinstance(text, str) else results

    def search_lines(
        self,
        lines: Sequence[Line],
        search: str = "greedy",
        *,
        n_best: int | None = 1,
        prefix: str | Sequence[str] | None = None,
        replace_unk: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
        precision: Precision | None = None,
        spaced: bool | None = None,
        **settings: Any,
    ) -> list[Translation]:
        """`translate` of lines that are encoded already.

        Args:
            lines: as `heed.maps.read_lines` encodes them.
            precision: instead of the translator's own.
            spaced: whether white space sets the words of the translations apart, as for `heed.maps.read_lines`.
        """
        arguments.function("progress", progress, DONE_OF_ALL)
        named = search_named(search)
        bound = named.bind(settings, n_best)
        if n_best is not None and 1 < n_best < bound.get("beam_size", 0):
            bound["n_best"] = None  # as many as the beam has, for some may be the same text in other pieces
        model = self._searching(named.random, precision or self.precision)
        prefixes = self._prefixes(named, prefix, len(lines))
        empty = [Hypothesis([], 0.0, torch.zeros(0, 1))]
        hypotheses = {index: empty for index, line in enumerate(lines) if not line.ids}
        for batch in searched(model, lines, partial(named.run, bound), per_batch(batch_size, bound), prefixes):
            hypotheses |= batch
            _report(progress, len(hypotheses), len(lines))
        begun = [self._addresses(one) for one in _each(prefix, len(lines))]
        several = (
            self._translations(line, hypotheses[index], spaced, replace_unk, begun[index])
            for index, line in enumerate(lines)
        )
        return [_first(each if named.random else _different(each), n_best) for each in several]

    @overload
    def force(  # type: ignore[overload-overlap]  # a str is lines of one letter each, too
        self, sources: str, targets: str, *, batch_size: int | None = ..., progress: Progress | None = ...
    ) -> Translation: ...

    @overload
    def force(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        *,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
    ) -> list[Translation]: ...

    def force(
        self,
        sources: str | Iterable[str],
        targets: str | Iterable[str],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Translation | list[Translation]:
        """What the model makes of translations that it is given: score, attention and alignment, in float32.

        All sources are taken for one text, and all targets too: whether white space sets words apart is decided once
        for each side (`heed.maps.has_spaces`).

        Args:
            sources: a line, or several.
            targets: the translation of each.
            batch_size: pairs at once; None: 64. The results do not depend on it.
            progress: called with the pairs done and all pairs after each batch.

        Returns:
            A `Translation` for two str, otherwise a list of them, in order; `score` is the log-probability of the
            target in nats, over its pieces and `</s>`.

        Raises:
            UserError: as many sources as targets were expected.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> pair = translator.force("a dog barks", "un chien aboie")
            >>> pair.attention.shape
            (3, 3)
        """
        src, tgt = arguments.lines("sources", sources), arguments.lines("targets", targets)
        check_lengths(src, tgt)
        _check_texts(src, "source")
        _check_texts(tgt, "target")
        src_lines = read_source(src, self.bundle.src, has_spaces(src))
        tgt_lines = read_target(tgt, self.bundle.tgt, has_spaces(tgt))
        results = self.force_lines(src_lines, tgt_lines, batch_size=batch_size, progress=progress)
        return results[0] if isinstance(sources, str) and isinstance(targets, str) else results

    def force_lines(
        self,
        sources: Sequence[Line],
        targets: Sequence[Line],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[Translation]:
        """`force` of lines that are encoded already."""
        arguments.function("progress", progress, DONE_OF_ALL)
        each: dict[int, Forced] = {}
        for batch in forced(self.bundle.model, sources, targets, _positive(batch_size, PAIRS)):
            each |= batch
            _report(progress, len(each), len(sources))
        return [
            Translation(target.text, each[index].score, source, target, each[index].weights, *self._sides)
            for index, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    @overload
    def score(  # type: ignore[overload-overlap]
        self, sources: str, targets: str, *, batch_size: int | None = ..., progress: Progress | None = ...
    ) -> float: ...

    @overload
    def score(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        *,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
    ) -> list[float]: ...

    def score(
        self,
        sources: str | Iterable[str],
        targets: str | Iterable[str],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> float | list[float]:
        """The log-probability of each target as the translation of its source, in nats; arguments as for `force`.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> translator.score("a dog barks", "un chien aboie") < 0
            True
        """
        if isinstance(sources, str) and isinstance(targets, str):
            return self.force(sources, targets, batch_size=batch_size, progress=progress).score
        src, tgt = arguments.lines("sources", sources), arguments.lines("targets", targets)
        pairs = self.force(src, tgt, batch_size=batch_size, progress=progress)
        return [pair.score for pair in pairs]

    @overload
    def align(  # type: ignore[overload-overlap]
        self,
        sources: str,
        targets: str,
        *,
        threshold: float | None = ...,
        level: Level = ...,
        method: Method = ...,
        noisy_copies: int = ...,
        reverse: "Translator | None" = ...,
        symmetrisation: Symmetrisation = ...,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
    ) -> list[tuple[int, int]]: ...

    @overload
    def align(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        *,
        threshold: float | None = ...,
        level: Level = ...,
        method: Method = ...,
        noisy_copies: int = ...,
        reverse: "Translator | None" = ...,
        symmetrisation: Symmetrisation = ...,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
    ) -> list[list[tuple[int, int]]]: ...

    def align(
        self,
        sources: str | Iterable[str],
        targets: str | Iterable[str],
        *,
        threshold: float | None = None,
        level: Level = "word",
        method: Method = "attention",
        noisy_copies: int = 0,
        reverse: "Translator | None" = None,
        symmetrisation: Symmetrisation = "grow-diag-final-and",
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[tuple[int, int]] | list[list[tuple[int, int]]]:
        """Link the words of each target to the words of its source, which the model is made to translate so.

        Args:
            sources: a line, or several.
            targets: the translation of each.
            threshold: link every pair of at least this weight, instead of each target word's heaviest.
            level: link words, or pieces.
            method: what the weights are: `attention`, or what the word depends on (see `maps`).
            noisy_copies: of `saliency`, as for `maps`.
            reverse: a model of the other direction; the links of both are then made one alignment.
            symmetrisation: how: `grow-diag-final-and`, `intersection` or `union` of their links, or `agreement`: pairs
                that are each other's best by the weights of both, multiplied.
            batch_size: pairs at once; None: 64.
            progress: called with the pairs done and all pairs after each batch, of each direction.

        Returns:
            (source word, target word) from 0, sorted; a list of such lists for several lines.

        Raises:
            UserError: the other model is of other languages, or divides a line differently.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> [target for _, target in translator.align("a dog barks", "un chien aboie", threshold=None)] != []
            True
        """
        arguments.one_of("symmetrisation", symmetrisation, get_args(Symmetrisation))
        if threshold is not None:
            arguments.number("threshold", threshold)
        src, tgt = arguments.lines("sources", sources), arguments.lines("targets", targets)
        options: dict[str, Any] = dict(level=level, noisy_copies=noisy_copies, batch_size=batch_size)
        if reverse is not None:
            check_reverse(self, reverse)
        turned = repeat(None) if reverse is None else forced_portions(reverse, tgt, src, batch_size, progress)
        links: list[Links] = []
        for pairs, others in zip(forced_portions(self, src, tgt, batch_size, progress), turned, strict=False):
            backward = None if reverse is None or others is None else reverse.maps(others, method, **options)
            maps = self.maps(pairs, method, **options)
            links += link_words(maps, threshold, backward, symmetrisation, first=len(links) + 1)
        each = [sorted(one) for one in links]
        return each[0] if isinstance(sources, str) and isinstance(targets, str) else each

    def alternatives(self, text: str, prefix: str = "", *, count: int = 8, level: Level = "word") -> list[Alternative]:
        """The words that the model could write after a beginning, in float32.

        Each word begins with another piece, and goes on with the most probable pieces until a new word begins. Its
        probability is that of all these pieces after the beginning.

        Args:
            text: a line.
            prefix: the beginning, of whole words.
            count: words at most.
            level: `piece`: each alternative is one piece, for scripts that are written without spaces.

        Returns:
            The most probable first; none for a line without words.

        Raises:
            UserError: a count below 1, a level that does not exist.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> next_words = translator.alternatives("a dog barks", "un", count=3)
            >>> [one.probability for one in next_words] == sorted((one.probability for one in next_words), reverse=True)
            True
        """
        return self.line_alternatives(read_source([text], self.bundle.src)[0], prefix, count=count, level=level)

    def line_alternatives(
        self, line: Line, prefix: str = "", *, count: int = 8, level: Level = "word"
    ) -> list[Alternative]:
        """`alternatives` of a line that is encoded already."""
        if count < 1:
            raise UserError(f"count={count}, expected 1 or more")
        if level not in get_args(Level):
            raise UserError(f"level={level}: there is no such level; choose {', '.join(get_args(Level))}")
        if not line.ids:
            return []
        tgt, model = self.bundle.tgt, self.bundle.model
        source, _ = padded([[*line.ids, EOS]], model)
        opens = torch.tensor([level == "piece" or tgt.opens_word(i) for i in range(len(tgt))], device=source.device)
        with alone(source.device):
            words = next_words(model, source, tgt.encode(prefix), opens, BOS, EOS, count)
        return [Alternative(tgt.spell([word.ids])[0] if word.ids else None, word.probability) for word in words]

    def maps(
        self,
        translations: Sequence[Translation],
        method: Method = "attention",
        level: Level = "word",
        *,
        noisy_copies: int = 0,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[Map]:
        """How much each source word counts for each word of these translations, by any method.

        Args:
            translations: written by this translator's searches (`translate`), or given to it (`force`).
            method: `attention`: its weights. `saliency`: gradient times embedding (Ding et al. 2019, arXiv
                1906.10282). `difference`: the drop in log-probability when a source word's embedding is zero (Li et al.
                2019, P19-1124). `norm`: attention weights, each times the norm of what its position adds (Kobayashi et
                al. 2020, arXiv 2004.10102). `product`: attention times `difference`. `posterior`: attention
                times the probability of the piece if it attends to one position alone (Shankar and Sarawagi 2019).
            level: what a row and a column stand for, `word` or `piece`.
            noisy_copies: of `saliency`: gradients at so many copies of the source with noise are averaged (SmoothGrad,
                Smilkov et al. 2017, arXiv 1706.03825); 0: the gradient at the source itself.
            batch_size: runs of the model at once; None: 128. The maps do not depend on it.
            progress: called with the translations done and all of them.

        Returns:
            Maps whose rows are shares that sum to 1, as attention's; words that make the translation's word less
            probable have none.

        Raises:
            UserError: a method that does not exist, a number of copies below 0.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> [by_difference] = translator.maps([translator.translate("a dog barks")], "difference")
            >>> by_difference.weights.shape[1]
            4
        """
        arguments.one_of("method", method, get_args(Method))
        arguments.one_of("level", level, get_args(Level))
        arguments.whole_number("noisy_copies", noisy_copies, 0)
        arguments.function("progress", progress, DONE_OF_ALL)
        translations = arguments.several("translations", translations, "several of them, such as [translation]")
        for one in translations:
            arguments.instance("a translation", one, Translation, "as translate and force return them")
        if method == "attention":
            return [one.map(level) for one in translations]
        check_explainable(self.bundle.model)
        rows, model = _positive(batch_size, ROWS), self.bundle.model
        divided = [pair_of(one, level) for one in translations]
        pairs = [pair for pair, _, _ in divided]
        if method in ("norm", "posterior"):
            by_piece = norm_weights if method == "norm" else posteriors
            weights = by_piece(model, pairs, rows, progress)
            return [attention_map(own, src, tgt) for own, (_, src, tgt) in zip(weights, divided, strict=True)]
        by_running: Literal["saliency", "difference"] = "saliency" if method == "saliency" else "difference"
        weights = [shares(own) for own in attributions(model, pairs, by_running, rows, noisy_copies, progress)]
        if method == "product":
            weights = [product(one.map(level).weights, own) for one, own in zip(translations, weights, strict=True)]
        return [Map(own, src.words, tgt.words) for own, (_, src, tgt) in zip(weights, divided, strict=True)]

    def _searching(self, random: bool, precision: Precision) -> Model:
        """The model to search with: the loaded one, or its copy in bfloat16."""
        fast = precision == "auto" and not random and multiplies_bfloat16(self.device)
        exported = any(isinstance(module, OnnxModel) for module in self.bundle.model.modules())
        if exported or (precision != "bfloat16" and not fast):
            return self.bundle.model
        with self._copying:
            if self._rounded is None:
                shared: dict[int, Any] = {id(one): one for one in self.bundle.model.parameters()}
                rounded = copy.deepcopy(self.bundle.model, shared)
                multiply_in_bfloat16(rounded)
                self._rounded = rounded
            return self._rounded

    @cached_property
    def _sides(self) -> tuple[tuple[Subwords, Subwords], tuple[str, str]]:
        return (self.bundle.src, self.bundle.tgt), (self.src_lang, self.tgt_lang)

    def _translations(
        self,
        source: Line,
        several: Sequence[Hypothesis],
        spaced: bool | None,
        replace_unk: bool,
        begun: Sequence[str],
    ) -> list[Translation]:
        translations = []
        for one in several:
            line = written_line(one.ids, self.bundle.tgt, spaced)
            if replace_unk:
                are_words = has_spaces([line.text]) if spaced is None else spaced
                line = with_source_words(line, one.attention, source, self.bundle.tgt, are_words)
            line = with_addresses(line, one.attention, source, self._sides[0], begun)
            translations.append(Translation(line.text, one.score, source, line, one.attention, *self._sides))
        return translations

    def _prefixes(
        self, named: Search, prefix: str | Sequence[str] | None, count: int
    ) -> tuple[list[list[int]], Bool[Tensor, " vocab"]] | None:
        """The pieces of each line's prefix, and those of the vocabulary that may not follow it."""
        if prefix is None:
            return None
        if not named.takes_prefix:
            raise UserError(f"search={named.name} cannot begin with a prefix; choose another search, or give no prefix")
        return self.bundle.tgt.encode_lines(_each(prefix, count)), self._lengthening

    def _addresses(self, prefix: str) -> list[str]:
        """The addresses that a translation begins with."""
        return [one for word in split_words(prefix) for one in self.bundle.tgt.addresses(word)]

    @cached_property
    def _lengthening(self) -> Bool[Tensor, " vocab"]:
        tgt = self.bundle.tgt
        return torch.tensor(
            [
                _lengthens(piece) or (tgt.is_special(i) and i != EOS)
                for i, piece in enumerate(tgt.pieces(range(len(tgt))))
            ]
        )


def align(
    translator: Translator, sources: Iterable[str], targets: Iterable[str], **options: Any
) -> list[list[tuple[int, int]]]:
    """Link the words of each target to the words of its source.

    Args:
        translator: the model.
        sources: lines of text.
        targets: the translation of each.
        options: as for `Translator.align`, such as `threshold` or `reverse`.

    Returns:
        The links of each pair, as numbers of words from 0, source first.

    Raises:
        UserError: sources and targets of different numbers, an option that does not exist or is of a wrong type.

    Example:
        >>> import heed
        >>> heed.align(heed.load("runs/tiny/model"), ["a dog barks"], ["un chien aboie"], threshold=0.99)
        [[]]
    """
    arguments.instance("translator", translator, Translator, "as heed.load returns it")
    return translator.align(arguments.lines("sources", sources), arguments.lines("targets", targets), **options)


def forced_portions(
    translator: Translator,
    sources: Sequence[str],
    targets: Sequence[str],
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Iterator[list[Translation]]:
    """What `Translator.force` gives, `PORTION` pairs at a time: of a long text only links fit into memory.

    Whether white space sets words apart is decided for the whole text, and `progress` counts all of it.
    """
    check_lengths(sources, targets)
    spaced = has_spaces(sources), has_spaces(targets)
    for start in range(0, len(sources), PORTION):
        src = read_source(sources[start : start + PORTION], translator.bundle.src, spaced[0], start + 1)
        tgt = read_target(targets[start : start + PORTION], translator.bundle.tgt, spaced[1], start + 1)
        yield translator.force_lines(
            src,
            tgt,
            batch_size=batch_size,
            progress=partial(_report_portion, progress, start, len(sources)),
        )


def _report_portion(progress: Progress | None, start: int, total: int, done: int, _: int) -> None:
    _report(progress, start + done, total)


def pair_of(one: Translation, level: Level = "word") -> tuple[Pair, Words, Words]:
    """A translation as the methods of `heed.attribution` read it, and its words, or pieces, on both sides."""
    source, target = one.vocabularies
    src, tgt = one.src.divided(source, level), one.tgt.divided(target, level)
    return Pair.of(one.src.ids, one.tgt.ids, (src, tgt), one.finished), src, tgt


def _lengthens(piece: str) -> bool:
    """Whether a piece goes on with letters or digits of the word before it; they have no `▁` in front of them."""
    return piece[:1].isalnum() and not UNSPACED.match(piece)


def read_source(lines: Sequence[str], subwords: Subwords, spaced: bool | None = None, first: int = 1) -> list[Line]:
    """Source lines as the model reads them: the first pieces of one that is too long, which is logged.

    `first` is the number of the first line, for messages.
    """
    return _read(lines, subwords, spaced, "source", first)


def read_target(lines: Sequence[str], subwords: Subwords, spaced: bool | None = None, first: int = 1) -> list[Line]:
    """The same of target lines."""
    return _read(lines, subwords, spaced, "target", first)


def _no_text(line: object) -> str | None:
    """What is given in the place of a text."""
    if not isinstance(line, str):
        return type(line).__name__
    return "cut within a character (half of a surrogate pair)" if LONE_SURROGATE.search(line) else None


def _check_texts(lines: Sequence[object], side: str, first: int = 1) -> None:
    for number, given in enumerate(lines, start=first):
        if fault := _no_text(given):
            raise UserError(f"{side} line {number} is {fault}; expected a text of whole characters")


def _read(lines: Sequence[str], subwords: Subwords, spaced: bool | None, side: str, first: int) -> list[Line]:
    _check_texts(lines, side, first)
    encoded = read_lines(lines, subwords, spaced)
    for number, line in enumerate(encoded):
        if len(line.ids) > LONGEST:
            warning = "%s line %d has %d pieces: only the first %d are read"
            log.warning(warning, side, first + number, len(line.ids), LONGEST)
            encoded[number] = replace(line, ids=line.ids[:LONGEST], word_index=line.word_index[:LONGEST])
    return encoded


def per_batch(batch_size: int | None, settings: Mapping[str, Any]) -> int:
    """How many sentences a search takes at once, so that about `batch_size` hypotheses grow together."""
    each = settings.get("beam_size") or settings.get("n_best") or 1
    return max(1, _positive(batch_size, HYPOTHESES) // max(1, each))


def check_reverse(forward: Translator, reverse: Translator) -> None:
    """Refuse a model that is known not to be of the other direction.

    Raises:
        UserError: its languages are others, or it is no model.
    """
    arguments.instance("reverse", reverse, Translator, "as heed.load returns it")
    given, expected = (reverse.src_lang, reverse.tgt_lang), (forward.tgt_lang, forward.src_lang)
    if all(given) and all(expected) and not _same_languages(given, expected):
        folder = ",".join(map(str, reverse.folders))
        raise UserError(
            f"reverse={folder} translates {given[0]} to {given[1]}; "
            f"expected a model of the other direction, {expected[0]} to {expected[1]}"
        )


def _same_languages(some: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two pairs of languages are the same, however these are written: en_US counts as en."""
    if [*some] == [*others]:
        return True
    with needs("train"):
        from heed.metrics.languages import language  # noqa: PLC0415 - of what aligning needs, this alone needs it
    return [*map(language, some)] == [*map(language, others)]


def check_lengths(sources: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse sources and targets that are not as many.

    Raises:
        UserError: with both numbers.
    """
    if len(sources) != len(targets):
        raise UserError(f"{len(sources)} sources and {len(targets)} targets; expected a target for each source")


def _different(several: Sequence[Translation]) -> list[Translation]:
    """Without those whose text is that of a better one: a text can be written in several ways in pieces."""
    best: dict[str, Translation] = {}
    for one in several:
        best.setdefault(one.text, one)
    return list(best.values())


def _first(several: Sequence[Translation], n_best: int | None) -> Translation:
    """The best translation, and in its `others` the next ones, up to `n_best` in all."""
    best, *others = several[:n_best]
    return replace(best, others=tuple(others)) if others else best


def _positive(batch_size: int | None, default: int) -> int:
    return default if batch_size is None else arguments.whole_number("batch_size", batch_size, 1)


def _each(prefix: str | Sequence[str] | None, count: int) -> list[str]:
    """The prefix of each line."""
    each = [prefix or ""] * count if prefix is None or isinstance(prefix, str) else arguments.lines("prefix", prefix)
    if len(each) != count:
        raise UserError(f"{len(each)} prefixes for {count} lines; expected one for all, or one for each")
    for one in each:
        if fault := _no_text(one):
            raise UserError(f"a prefix is {fault}; expected a text of whole characters")
    return each


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
