"""Lines of text through a model, either way: free, where it writes a translation, and forced, where it is given one."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from heed.data.encoded import LONGEST
from heed.errors import UserError
from heed.maps import Level, Map, attention_map, divide_line
from heed.metrics.loss import cross_entropy
from heed.models.fast.product import multiplies_bfloat16, multiply_in_bfloat16
from heed.models.seq2seq import Seq2Seq
from heed.search.ensemble import Ensemble
from heed.search.greedy import Hypothesis
from heed.text.subwords import BOS, EOS, PAD, Subwords

log = logging.getLogger(__name__)

PIECES = 8192
"""In a batch at most, padding among them: 128 lines of 64 pieces, which few lines have."""

Search = Callable[..., Sequence[Hypothesis | list[Hypothesis]]]
"""`greedy`, `beam` or `sample` of heed.search, with its own settings bound."""


class Translation(NamedTuple):
    """The best translation of a line, and what the search found, best first: some searches find several."""

    text: str
    source: str
    src_ids: list[int]
    candidates: list[Hypothesis]

    @property
    def hypothesis(self) -> Hypothesis:
        """The best one, and where the model looked for each of its pieces."""
        return self.candidates[0]


class Forced(NamedTuple):
    """What the model makes of a translation that it is given: how likely each piece was, and where it looked.

    `nll` is in nats, summed over the target's pieces and its EOS. `weights` has their rows, a column for each piece of
    the source and one for its EOS; row i belongs to the prediction of piece i, whatever the kind of attention.
    """

    source: str
    target: str
    src_ids: list[int]
    tgt_ids: list[int]
    nll: float
    weights: Float[Tensor, "tgt src"]


def device_of(name: str) -> torch.device:
    """The device called `name`; `auto` is a GPU where there is one. UserError for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was compiled with CUDA
        reason = str(error).splitlines()[0]
        raise UserError(f"device={name}: {reason}; use device=auto, cpu, or cuda on a machine with a GPU") from error
    return device


Precision = Literal["auto", "float32", "bfloat16"]
"""The type of a search's products; `auto` is bfloat16 where the device multiplies it."""


def set_precision(model: Seq2Seq | Ensemble, precision: Precision) -> None:
    """Let the products of the steps of a model that was just loaded be of this type; digits taken do not come back."""
    device = next(model.parameters()).device
    if precision == "bfloat16" or (precision == "auto" and multiplies_bfloat16(device)):
        multiply_in_bfloat16(model)


def translate(
    model: Seq2Seq | Ensemble, src: Subwords, tgt: Subwords, lines: Sequence[str], search: Search, sentences: int = 64
) -> list[Translation]:
    """A translation for each line, in order, up to `sentences` lines at once; an empty line stays empty."""
    encoded = _encode(src, lines, "source")
    translations = [Translation("", line, [], [Hypothesis([], 0.0, torch.zeros(0, 1))]) for line in lines]
    for chosen in _by_length([len(ids) for ids in encoded], sentences):
        batch, lengths = _padded([[*encoded[index], EOS] for index in chosen], model)
        for index, found in zip(chosen, search(model, batch, lengths, BOS, EOS), strict=True):
            candidates = _on_cpu(found)
            text = tgt.decode(candidates[0].ids)
            translations[index] = Translation(text, lines[index], encoded[index], candidates)
    return translations


def _on_cpu(found: Hypothesis | list[Hypothesis]) -> list[Hypothesis]:
    several = found if isinstance(found, list) else [found]
    return [one._replace(attention=one.attention.float().cpu()) for one in several]


@torch.inference_mode()
def force(
    model: Seq2Seq | Ensemble,
    src: Subwords,
    tgt: Subwords,
    sources: Sequence[str],
    targets: Sequence[str],
    sentences: int = 64,
) -> list[Forced]:
    """What the model, in the mode it is in, makes of each target as the translation of its source, in order."""
    src_ids, tgt_ids = _encode(src, sources, "source"), _encode(tgt, targets, "target")
    forced: dict[int, Forced] = {}
    for chosen in _by_length([len(ids) + 1 for ids in tgt_ids], sentences):
        source, lengths = _padded([[*src_ids[index], EOS] for index in chosen], model)
        target, _ = _padded([[BOS, *tgt_ids[index], EOS] for index in chosen], model)
        logits, weights = model(source, lengths, target[:, :-1])
        for row, index in enumerate(chosen):
            loss = cross_entropy(logits[row : row + 1], target[row : row + 1, 1:], PAD)
            looked = weights[row, : len(tgt_ids[index]) + 1, : len(src_ids[index]) + 1].float().cpu()
            ids = src_ids[index], tgt_ids[index]
            forced[index] = Forced(sources[index], targets[index], *ids, float(loss.nll), looked)
    return [forced[index] for index in range(len(src_ids))]


def forced_maps(forced: Sequence[Forced], src: Subwords, tgt: Subwords, level: Level = "word") -> list[Map]:
    """Where the model looked for each word that it was given."""
    return [
        attention_map(
            found.weights,
            divide_line(found.source, src, level, len(found.src_ids)),
            divide_line(found.target, tgt, level, len(found.tgt_ids)),
        )
        for found in forced
    ]


def _encode(subwords: Subwords, lines: Sequence[str], side: str) -> list[list[int]]:
    encoded = subwords.encode_lines(lines)
    for number, ids in enumerate(encoded, start=1):
        if len(ids) > LONGEST:
            log.warning("%s line %d has %d pieces: only the first %d are read", side, number, len(ids), LONGEST)
    return [ids[:LONGEST] for ids in encoded]


def _by_length(lengths: Sequence[int], sentences: int) -> Iterator[list[int]]:
    """Positions of all that is not empty, the like in length together: padding costs as much as words.

    Long ones are fewer at once, so that what a batch takes in memory does not grow with its longest line.
    """
    order = sorted((index for index, length in enumerate(lengths) if length), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        count = max(1, min(sentences, PIECES // lengths[order[start]]))
        yield order[start : start + count]
        start += count


def _padded(ids: Sequence[list[int]], model: nn.Module) -> tuple[Int[Tensor, "batch longest"], Int[Tensor, " batch"]]:
    device = next(model.parameters()).device
    rows = pad_sequence([torch.tensor(row) for row in ids], batch_first=True, padding_value=PAD)
    return rows.to(device), torch.tensor([len(row) for row in ids], device=device)
