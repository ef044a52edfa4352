"""Run a model on lines in batches: free, if a search writes the translations, or forced, if they are given."""

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
"""The largest number of source positions in a batch, padding included: 128 lines of 64 subwords."""

GPU = threading.Lock()
"""Locked during a batch on a GPU, because recorded CUDA graphs use the same memory in every thread."""

Model = Seq2Seq | Ensemble | OnnxModel

Run = Callable[..., Results]
"""A search with its settings bound; it takes a model, sources, their lengths, BOS, EOS and optionally a prefix."""


class Forced(NamedTuple):
    """The result of a forced pass over one target.

    `score` is the target's log-probability in nats, summed over its subwords and EOS. `weights` has a row for each of
    these, and a column for each subword of the source and its EOS. Row i is the attention that predicts subword i.
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
    """Yield, batch by batch, the position of each non-empty source and its hypotheses, best first.

    Args:
        model: the model.
        sources: the encoded lines.
        run: the search.
        sentences: the number of sentences in a batch.
        prefixes: for each source the subwords that its translation begins with; and the subwords that may not follow.
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
    return [hypothesis._replace(attention=hypothesis.attention.float().cpu()) for hypothesis in several]


def forced(
    model: Model, sources: Sequence[Line], targets: Sequence[Line], sentences: int
) -> Iterator[dict[int, Forced]]:
    """Yield, batch by batch, the position of each pair and the result of its forced pass."""
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
    """The device of a model; a model without parameters, such as an ONNX model, is on the CPU."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def alone(device: torch.device) -> Iterator[None]:
    """Context for a batch on this device. On a GPU, batches of threads take turns, and GRUs use full float32."""
    if device.type != "cuda":
        yield
        return
    with GPU, cudnn_as_products():
        yield


def by_length(lengths: Sequence[int], sentences: int) -> Iterator[list[int]]:
    """Positions of all non-empty lines, in batches of similar length, because padding costs as much as words.

    Batches of long lines have fewer rows, so that the memory of a batch does not grow with its longest line.
    """
    order = sorted((index for index, length in enumerate(lengths) if length), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        count = max(1, min(sentences, PIECES // lengths[order[start]]))
        yield order[start : start + count]
        start += count


def padded(ids: Sequence[list[int]], model: nn.Module) -> tuple[Int[Tensor, "batch longest"], Int[Tensor, " batch"]]:
    """Subwords as one padded tensor on the model's device, and the lengths."""
    device = device_of(model)
    rows = pad_sequence([torch.tensor(row) for row in ids], batch_first=True, padding_value=PAD)
    return rows.to(device), torch.tensor([len(row) for row in ids], device=device)
