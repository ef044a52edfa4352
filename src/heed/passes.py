"""Lines through a model in batches: free, where a search writes translations, and forced, where they are given."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from heed.maps import Line
from heed.metrics.loss import cross_entropy
from heed.models.fast.product import cudnn_as_products
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import OnnxModel
from heed.search.ensemble import Ensemble
from heed.search.greedy import Hypothesis
from heed.search.prefix import Prefix
from heed.search.registry import Results
from heed.text.subwords import BOS, EOS, PAD

PIECES = 8192
"""In a batch at most, padding among them: 128 lines of 64 pieces, which few lines have."""

GPU = threading.Lock()
"""Held during a batch on a GPU: loops that are recorded there read and write the same memory in every thread."""

Model = Seq2Seq | Ensemble | OnnxModel

Run = Callable[..., Results]
"""A search with its settings bound: takes a model, sources, their lengths, BOS and EOS, and perhaps a prefix."""


class Forced(NamedTuple):
    """What a model makes of a target that it is given.

    `score` is its log-probability in nats, summed over its pieces and EOS. `weights` has a row for each of these, and a
    column for each piece of the source and its EOS. Row i belongs to the prediction of piece i.
    """

    score: float
    weights: Float[Tensor, "tgt src"]


def searched(
    model: Model,
    sources: Sequence[Line],
    run: Run,
    sentences: int,
    prefixes: tuple[Sequence[Sequence[int]], Tensor] | None = None,
) -> Iterator[dict[int, list[Hypothesis]]]:
    """Batch by batch the position of each source that is not empty, and what the search found for it, best first.

    `prefixes` are the pieces that each translation begins with, and those pieces of the vocabulary that may not follow.
    """
    for chosen in by_length([len(line.ids) for line in sources], sentences):
        batch, lengths = padded([[*sources[index].ids, EOS] for index in chosen], model)
        forced = {}
        if prefixes is not None:
            ids, lengthens = prefixes
            forced = {"prefix": Prefix.of([ids[index] for index in chosen], lengthens.to(batch.device))}
        with alone(batch.device), torch.inference_mode():
            results = [_on_cpu(one) for one in run(model, batch, lengths, BOS, EOS, **forced)]
        yield dict(zip(chosen, results, strict=True))


def _on_cpu(result: Hypothesis | list[Hypothesis]) -> list[Hypothesis]:
    several = result if isinstance(result, list) else [result]
    return [one._replace(attention=one.attention.float().cpu()) for one in several]


def forced(
    model: Model, sources: Sequence[Line], targets: Sequence[Line], sentences: int
) -> Iterator[dict[int, Forced]]:
    """Batch by batch the position of each pair, and what the model makes of its target."""
    for chosen in by_length([len(line.ids) + 1 for line in targets], sentences):
        with alone(device_of(model)):
            results = _forced([sources[index] for index in chosen], [targets[index] for index in chosen], model)
        yield dict(zip(chosen, results, strict=True))


@torch.inference_mode()
def _forced(sources: Sequence[Line], targets: Sequence[Line], model: Model) -> list[Forced]:
    source, lengths = padded([[*line.ids, EOS] for line in sources], model)
    target, _ = padded([[BOS, *line.ids, EOS] for line in targets], model)
    logits, weights = model(source, lengths, target[:, :-1])
    results = []
    for row, (src, tgt) in enumerate(zip(sources, targets, strict=True)):
        loss = cross_entropy(logits[row : row + 1], target[row : row + 1, 1:], PAD)
        results.append(Forced(-float(loss.nll), weights[row, : len(tgt.ids) + 1, : len(src.ids) + 1].float().cpu()))
    return results


def device_of(model: nn.Module) -> torch.device:
    """Where a model is; one without parameters, as of ONNX, is on the CPU."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def alone(device: torch.device) -> Iterator[None]:
    """Run a batch on this device: on a GPU after that of another thread, its GRU as exact as other products."""
    if device.type != "cuda":
        yield
        return
    with GPU, cudnn_as_products():
        yield


def by_length(lengths: Sequence[int], sentences: int) -> Iterator[list[int]]:
    """Positions of all that is not empty, in batches of similar length: padding costs as much as words.

    Long ones are fewer at once, so that the memory of a batch does not grow with its longest line.
    """
    order = sorted((index for index, length in enumerate(lengths) if length), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        count = max(1, min(sentences, PIECES // lengths[order[start]]))
        yield order[start : start + count]
        start += count


def padded(ids: Sequence[list[int]], model: nn.Module) -> tuple[Int[Tensor, "batch longest"], Int[Tensor, " batch"]]:
    """Pieces as one tensor where the model is, and their numbers."""
    device = device_of(model)
    rows = pad_sequence([torch.tensor(row) for row in ids], batch_first=True, padding_value=PAD)
    return rows.to(device), torch.tensor([len(row) for row in ids], device=device)
