"""Use a trained model from Python: translate, score and align text, with attention.

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
from heed.copied import with_addresses, with_copied_words
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
from heed.search.registry import SIZES, Search
from heed.search.registry import search as search_named
from heed.text.subwords import BOS, EOS, Subwords
from heed.text.words import split_words
from heed.training.switches import CUBLAS, WORKSPACE
from heed.translation import Alternative, Translation

log = logging.getLogger(__name__)

PAIRS, HYPOTHESES = 64, 256
"""Default batch sizes: pairs in a forced pass, hypotheses in a search.

Smaller batches waste the fixed cost of a step on a CPU; larger ones do not fit into its cache.
"""

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")

PORTION = 4096
"""The number of pairs of a long text whose maps are in memory at the same time."""

LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Precision = Literal["auto", "float32", "bfloat16"]
"""The type of a search's matrix products. `auto`: bfloat16 if the hardware supports it and the search is not random."""

Progress = Callable[[int, int], object]
"""A function that is called with the number of finished lines and the number of all lines."""

DONE_OF_ALL = "the number of finished lines and of all lines"


def load(model: str | Path | Sequence[str | Path], device: str = "auto", precision: Precision = "auto") -> "Translator":
    """Load a model folder.

    Args:
        model: a model folder, such as `runs/tiny/model`, or a folder written by `heed-export onnx`; or several folders
            of models with the same two vocabularies, which are used as an ensemble: their probabilities are averaged.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1` or `mps`.
        precision: the type of a search's matrix products: `float32`, `bfloat16`, or `auto`: bfloat16 if the hardware
            supports it and the search draws no random numbers. Scores and alignments are always computed in float32.
            An ONNX model has the precision that it was exported with.

    Returns:
        The translator, with the weights in memory.

    Raises:
        UserError: a folder does not exist or is damaged, the vocabularies differ, or there is no such device.

    Example:
        >>> from heed.translator import load
        >>> translator = load("runs/tiny/model")
        >>> translator.src_lang, translator.tgt_lang
        ('en', 'fr')
    """
    arguments.one_of("precision", precision, get_args(Precision))
    folder = "a model folder, such as runs/tiny/model, or several"
    given = [model] if isinstance(model, str | Path) else arguments.several("model", model, folder)
    folders = [os.path.expanduser(value) for value in given]  # noqa: PTH111 - Path's own fails for an unknown user
    exported = any(bundle.is_onnx(Path(folder)) for folder in folders)
    loaded = bundle.load_ensemble(folders, device_named("cpu" if exported and device == "auto" else device))
    if exported and precision == "bfloat16":
        raise UserError(f"precision=bfloat16: {folders[0]} is an ONNX model; export it again with another precision")
    return Translator(loaded, precision, [Path(folder) for folder in folders])


def device_named(name: object) -> torch.device:
    """The device with this name; `auto` is a GPU if there is one.

    Raises:
        UserError: this is not the name of a device, or this machine does not have the device.
    """
    if not isinstance(name, str) or not DEVICE.fullmatch(name):
        raise UserError(f"device={name}: expected auto, cpu, cuda, cuda:N for a number N, or mps")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device={name}: torch finds no Apple GPU on this machine; use device=cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # raised if torch was compiled without CUDA
        reason = str(error).splitlines()[0].partition(". ")[0][:200]
        raise UserError(f"device={name}: {reason}; use device=auto, cpu, or cuda on a machine with a GPU") from error
    if device.type == "cuda":
        os.environ.setdefault(CUBLAS, WORKSPACE)  # otherwise this process could not train any more
    return device


class Translator:
    """A loaded model that translates, scores and aligns text.

    Its methods may be called from several threads at once: it never changes, except that the first search in bfloat16
    makes a copy of the weights. On a GPU, batches of different threads take turns.

    Args:
        loaded: the model and its two vocabularies, as `heed.bundle.load` reads them.
        precision: as for `load`.
        folders: the folders that the model was loaded from.
    """

    def __init__(self, loaded: Bundle, precision: Precision = "auto", folders: Sequence[Path] = ()) -> None:
        self.bundle, self.precision, self.folders = loaded, precision, tuple(folders)
        self._copying = threading.Lock()
        self._rounded: Model | None = None

    @property
    def about(self) -> Mapping[str, Any]:
        """The contents of about.json: languages, corpus and scores of the training."""
        return self.bundle.about

    @property
    def src_lang(self) -> str:
        """The source language, or an empty string if the folder does not name it."""
        return _text(self.about.get("src_lang"))

    @property
    def tgt_lang(self) -> str:
        """The target language, or an empty string if the folder does not name it."""
        return _text(self.about.get("tgt_lang"))

    @property
    def device(self) -> torch.device:
        """The device of the model."""
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
            text: a line of text, or any number of lines. The translation of an empty line is empty.
            search: `greedy`, `beam`, `sample`, `mbr`, or the name of a registered search.
            n_best: the number of translations of each line in `candidates`; None for as many as the search finds. They
                have different texts and may be fewer than asked for; only `sample` may return equal ones.
            prefix: the beginning of the translation: one for all lines, or one for each line. It consists of whole
                words: after it comes a new word or a punctuation mark, but no more letters of its last word, except
                in scripts that are written without spaces. It is normalised as the vocabulary requires; words with
                characters that the vocabulary lacks stay as typed.
            replace_unk: replace each `<unk>` that the model writes by the source word that it attended to most, as
                typed.
            batch_size: hypotheses that are computed together; None for 256. In float32 the translations do not depend
                on it.
            progress: called after each batch with the number of finished lines and of all lines.
            settings: settings of the search, such as `beam_size=8`, `length_penalty=0.6`, `temperature=0.7` or
                `max_len=100`.

        Returns:
            A `Translation` for a str, otherwise a list of them in the order of the lines.

        Raises:
            UserError: a search, a setting or a value does not exist; the message is one line.

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
            settings,
            n_best=n_best,
            prefix=prefix,
            replace_unk=replace_unk,
            batch_size=batch_size,
            progress=progress,
        )
        return results[0] if isinstance(text, str) else results

    def search_lines(
        self,
        lines: Sequence[Line],
        search: str = "greedy",
        settings: Mapping[str, Any] | None = None,
        *,
        n_best: int | None = 1,
        prefix: str | Sequence[str] | None = None,
        replace_unk: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
        precision: Precision | None = None,
        spaced: bool | None = None,
    ) -> list[Translation]:
        """`translate` for lines that are already encoded.

        Args:
            lines: lines encoded by `heed.maps.read_lines`.
            settings: settings of the search.
            precision: replaces the translator's own precision.
            spaced: whether the words of the translations are separated by white space, as for `heed.maps.read_lines`.
        """
        arguments.function("progress", progress, DONE_OF_ALL)
        named = search_named(search)
        bound = named.bind(settings or {}, n_best)
        if n_best is not None and 1 < n_best < bound.get("beam_size", 0):
            bound["n_best"] = None  # the whole beam, because hypotheses in different subwords may be equal text
        model = self._searching(named.random, precision or self.precision)
        prefixes = self._prefixes(named, prefix, len(lines))
        empty = [Hypothesis([], 0.0, torch.zeros(0, 1))]
        hypotheses = {index: empty for index, line in enumerate(lines) if not line.ids}
        given = named.accepted(text_of=self.bundle.tgt.decode, tgt_lang=self.tgt_lang)
        for batch in searched(model, lines, partial(named.run, bound, **given), per_batch(batch_size, bound), prefixes):
            hypotheses |= batch
            _report(progress, len(hypotheses), len(lines))
        several = (
            self._translations(line, hypotheses[index], spaced, replace_unk, begun)
            for index, (line, begun) in enumerate(zip(lines, _each(prefix, len(lines)), strict=True))
        )
        return [_first(candidates if named.random else _different(candidates), n_best) for candidates in several]

    @overload
    def force(  # type: ignore[overload-overlap]  # a str is also a sequence of str
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
        """Score given translations and compute their attention and alignment, in float32 (a forced pass).

        All sources are treated as one text, and so are all targets: whether words are separated by white space is
        decided once for each side (`heed.maps.has_spaces`).

        Args:
            sources: a line, or several.
            targets: the translation of each source.
            batch_size: pairs that are computed together; None for 64. In float32, scores depend on it
                only in their last digits.
            progress: called after each batch with the number of finished pairs and of all pairs.

        Returns:
            A `Translation` if both arguments are str, otherwise a list of them, in order. Their `score` is the
            log-probability of the target in nats, over its subwords and `</s>`.

        Raises:
            UserError: the numbers of sources and targets differ.

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
        """`force` for lines that are already encoded."""
        arguments.function("progress", progress, DONE_OF_ALL)
        results: dict[int, Forced] = {}
        for batch in forced(self.bundle.model, sources, targets, _positive(batch_size, PAIRS)):
            results |= batch
            _report(progress, len(results), len(sources))
        return [
            Translation(target.text, results[index].score, source, target, results[index].weights, *self._sides)
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
        symmetrisation: Symmetrisation = "agreement",
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> list[tuple[int, int]] | list[list[tuple[int, int]]]:
        """Link the words of each target to the words of its source, by a forced pass of the model.

        Args:
            sources: a line, or several.
            targets: the translation of each source.
            threshold: link all pairs with at least this weight, instead of each target word's largest.
            level: "word" to link words, "piece" to link subwords.
            method: the weights to use: `attention` or another method of `maps`.
            noisy_copies: a setting of `saliency`; see `maps`.
            reverse: a model of the other direction, whose alignment is combined with this one's.
            symmetrisation: how to combine them: `agreement` links words that are each other's best by the product of
                both weights, or with a threshold, all whose weights have at least this geometric mean; or
                `intersection`, `union` or `grow-diag-final-and` of the links.
            batch_size: pairs that are computed together; None for 64.
            progress: called after each batch, in each direction, with the number of finished pairs and of all pairs.

        Returns:
            Sorted links (source word, target word), counted from 0; a list of such lists for several lines.

        Raises:
            UserError: the other model has other languages, or divides a line differently.

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
        sorted_links = [sorted(sentence_links) for sentence_links in links]
        return sorted_links[0] if isinstance(sources, str) and isinstance(targets, str) else sorted_links

    def alternatives(self, text: str, prefix: str = "", *, count: int = 8, level: Level = "word") -> list[Alternative]:
        """The words that the model could write next after a prefix, in float32.

        Each word begins with a different subword and continues with the most probable subwords until a new word begins.
        Its probability is that of all these subwords after the prefix.

        Args:
            text: a line.
            prefix: the beginning of the translation, in whole words.
            count: the largest number of words.
            level: "word"; or "piece" for alternatives of one subword, for scripts that are written without spaces.

        Returns:
            Alternatives, the most probable first; an empty list for a line without words.

        Raises:
            UserError: the count is not a whole number or is below 1, the prefix is not a string, or there is no such
                level.

        Example:
            >>> import heed.translator
            >>> translator = heed.translator.load("runs/tiny/model")
            >>> alternatives = translator.alternatives("a dog barks", "un", count=3)
            >>> alternatives[0].probability >= alternatives[1].probability
            True
        """
        return self.line_alternatives(read_source([text], self.bundle.src)[0], prefix, count=count, level=level)

    def line_alternatives(
        self, line: Line, prefix: str = "", *, count: int = 8, level: Level = "word"
    ) -> list[Alternative]:
        """`alternatives` for a line that is already encoded."""
        count = arguments.whole_number("count", count, 1)
        [begun] = _each(prefix, 1)
        if level not in get_args(Level):
            raise UserError(f"level={level}: there is no such level; choose {', '.join(get_args(Level))}")
        if not line.ids:
            return []
        tgt, model = self.bundle.tgt, self.bundle.model
        source, _ = padded([[*line.ids, EOS]], model)
        opens = torch.tensor([level == "piece" or tgt.opens_word(i) for i in range(len(tgt))], device=source.device)
        with alone(source.device):
            words = next_words(model, source, tgt.encode(begun), opens, BOS, EOS, count)
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
        """How much each source word matters for each word of these translations, by any method.

        Args:
            translations: results of this translator's `translate` or `force`.
            method: `attention`: its weights. `saliency`: gradient times embedding (Ding et al. 2019, arXiv
                1906.10282). `difference`: the drop in log-probability when a source word's embedding is zero (Li et al.
                2019, P19-1124). `norm`: attention weights, each times the norm of its position's contribution
                (Kobayashi et al. 2020, arXiv 2004.10102). `product`: attention times `difference`. `posterior`:
                attention times the probability of the subword if only that position is attended (Shankar and Sarawagi
                2019).
            level: the unit of rows and columns: "word", or "piece" for subwords.
            noisy_copies: for `saliency`, the number of noisy copies of the source over which gradients are averaged
                (SmoothGrad, Smilkov et al. 2017, arXiv 1706.03825); 0 uses the gradient at the source itself.
            batch_size: runs of the model that are computed together; None for 128. In float32, the maps
                depend on it only in their last digits.
            progress: called with the number of finished translations and of all translations.

        Returns:
            Maps whose rows sum to 1, as attention's do; source words that make the target word less probable get 0.

        Raises:
            UserError: there is no such method, or the number of copies is below 0.

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
        for translation in translations:
            arguments.instance("a translation", translation, Translation, "as translate and force return them")
        if method == "attention":
            return [translation.map(level) for translation in translations]
        check_explainable(self.bundle.model)
        rows, model = _positive(batch_size, ROWS), self.bundle.model
        divided = [pair_of(translation, level) for translation in translations]
        pairs = [pair for pair, _, _ in divided]
        if method in ("norm", "posterior"):
            by_piece = norm_weights if method == "norm" else posteriors
            weights = by_piece(model, pairs, rows, progress)
            return [attention_map(own, src, tgt) for own, (_, src, tgt) in zip(weights, divided, strict=True)]
        by_running: Literal["saliency", "difference"] = "saliency" if method == "saliency" else "difference"
        weights = [shares(own) for own in attributions(model, pairs, by_running, rows, noisy_copies, progress)]
        if method == "product":
            weights = [
                product(translation.map(level).weights, own)
                for translation, own in zip(translations, weights, strict=True)
            ]
        return [Map(own, src.words, tgt.words) for own, (_, src, tgt) in zip(weights, divided, strict=True)]

    def _searching(self, random: bool, precision: Precision) -> Model:
        """The model for a search: the loaded one, or its copy in bfloat16."""
        fast = precision == "auto" and not random and multiplies_bfloat16(self.device)
        exported = any(isinstance(module, OnnxModel) for module in self.bundle.model.modules())
        if exported or (precision != "bfloat16" and not fast):
            return self.bundle.model
        with self._copying:
            if self._rounded is None:
                shared: dict[int, Any] = {id(parameter): parameter for parameter in self.bundle.model.parameters()}
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
        prefix: str,
    ) -> list[Translation]:
        tgt, addresses, translations = self.bundle.tgt, self._addresses(prefix), []
        for hypothesis in several:
            line = written_line(hypothesis.ids, tgt, spaced)
            if line.unknown and (replace_unk or prefix):
                are_words = has_spaces([line.text]) if spaced is None else spaced
                [begun] = read_lines([tgt.masked(prefix)], tgt, are_words)
                line = with_copied_words(line, hypothesis.attention, source, tgt, are_words, begun, replace_unk)
            line = with_addresses(line, hypothesis.attention, source, self._sides[0], addresses)
            translations.append(
                Translation(line.text, hypothesis.score, source, line, hypothesis.attention, *self._sides)
            )
        return translations

    def _prefixes(
        self, named: Search, prefix: str | Sequence[str] | None, count: int
    ) -> tuple[list[list[int]], Bool[Tensor, " vocab"]] | None:
        """The subwords of each line's prefix, and the subwords that may not follow it."""
        if prefix is None:
            return None
        if not named.takes_prefix:
            raise UserError(f"search={named.name} does not support a prefix; choose another search, or give no prefix")
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
    """Results of `Translator.force`, `PORTION` pairs at a time, because the maps of a long text do not fit into memory.

    Whether words are separated by white space is decided for the whole text, and `progress` counts all of it.
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
    """A translation as a pair for `heed.attribution`, and its words or subwords on both sides."""
    source, target = one.vocabularies
    src, tgt = one.src.divided(source, level), one.tgt.divided(target, level)
    return Pair.of(one.src.ids, one.tgt.ids, (src, tgt), one.finished), src, tgt


def _lengthens(piece: str) -> bool:
    """Whether a subword continues the previous word with letters or digits, without `▁` in front of them."""
    return piece[:1].isalnum() and not UNSPACED.match(piece)


def read_source(lines: Sequence[str], subwords: Subwords, spaced: bool | None = None, first: int = 1) -> list[Line]:
    """Source lines as the model reads them; a line that is too long is cut after `LONGEST` subwords, with a warning.

    `first` is the number of the first line, for messages.
    """
    return _read(lines, subwords, spaced, "source", first)


def read_target(lines: Sequence[str], subwords: Subwords, spaced: bool | None = None, first: int = 1) -> list[Line]:
    """The same for target lines."""
    return _read(lines, subwords, spaced, "target", first)


def _no_text(line: object) -> str | None:
    """What is wrong with a value that should be a string."""
    if not isinstance(line, str):
        return type(line).__name__
    return "cut within a character (half of a surrogate pair)" if LONE_SURROGATE.search(line) else None


def _check_texts(lines: Sequence[object], side: str, first: int = 1) -> None:
    for number, given in enumerate(lines, start=first):
        if fault := _no_text(given):
            raise UserError(f"{side} line {number} is {fault}; expected a string of whole characters")


def _read(lines: Sequence[str], subwords: Subwords, spaced: bool | None, side: str, first: int) -> list[Line]:
    _check_texts(lines, side, first)
    encoded = read_lines(lines, subwords, spaced)
    for number, line in enumerate(encoded):
        if len(line.ids) > LONGEST:
            warning = "%s line %d has %d subwords; only the first %d are read"
            log.warning(warning, side, first + number, len(line.ids), LONGEST)
            encoded[number] = replace(line, ids=line.ids[:LONGEST], word_index=line.word_index[:LONGEST])
    return encoded


def per_batch(batch_size: int | None, settings: Mapping[str, Any]) -> int:
    """How many sentences a search processes together, so that it computes about `batch_size` hypotheses."""
    each = max(settings.get(name) or 1 for name in SIZES)
    return max(1, _positive(batch_size, HYPOTHESES) // each)


def check_reverse(forward: Translator, reverse: Translator) -> None:
    """Refuse a model that is known not to have the other direction.

    Raises:
        UserError: the model has other languages, or `reverse` is not a translator.
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
        from heed.metrics.languages import language  # noqa: PLC0415 - only this part of aligning needs it
    return [*map(language, some)] == [*map(language, others)]


def check_lengths(sources: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse different numbers of sources and targets.

    Raises:
        UserError: the numbers differ.
    """
    if len(sources) != len(targets):
        raise UserError(f"{len(sources)} sources and {len(targets)} targets; expected a target for each source")


def _different(several: Sequence[Translation]) -> list[Translation]:
    """Hypotheses with different texts; of equal texts, which may differ in their subwords, the best one stays."""
    best: dict[str, Translation] = {}
    for translation in several:
        best.setdefault(translation.text, translation)
    return list(best.values())


def _first(several: Sequence[Translation], n_best: int | None) -> Translation:
    """The best translation, with the following ones in its `others`, up to `n_best` in all."""
    best, *others = several[:n_best]
    return replace(best, others=tuple(others)) if others else best


def _positive(batch_size: int | None, default: int) -> int:
    return default if batch_size is None else arguments.whole_number("batch_size", batch_size, 1)


def _each(prefix: str | Sequence[str] | None, count: int) -> list[str]:
    """The prefix of each line."""
    prefixes = (
        [prefix or ""] * count if prefix is None or isinstance(prefix, str) else arguments.lines("prefix", prefix)
    )
    if len(prefixes) != count:
        raise UserError(f"{len(prefixes)} prefixes for {count} lines; expected one for all lines, or one for each line")
    for one in prefixes:
        if fault := _no_text(one):
            raise UserError(f"a prefix is {fault}; expected a string of whole characters")
    return prefixes


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
