"""Models whose best translations are known, or that record the calls of a search."""

from collections.abc import Mapping

import torch
from torch import Tensor

from heed.models.attention import AttentionMemory
from heed.models.decoder import State
from heed.models.seq2seq import Seq2Seq
from heed.search.ensemble import Ensemble
from heed.search.greedy import Hypothesis
from tests.support.models import BOS, EOS, small_model

A, B, C, D = 4, 5, 6, 7


class Counting(Seq2Seq):
    """A model that records the number of rows of each step."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__(model.encoder, model.decoder)
        self.rows: list[int] = []

    def step(self, token: Tensor, state: State, memory: AttentionMemory) -> tuple[Tensor, State, Tensor]:
        self.rows.append(len(token))
        return super().step(token, state, memory)


class Table(Seq2Seq):
    """A model whose next word depends only on the last one, with these probabilities; others are impossible."""

    def __init__(self, probabilities: Mapping[int, Mapping[int, float]]) -> None:
        model = small_model()
        super().__init__(model.encoder, model.decoder)
        self.log_probability = torch.zeros(12, 12)
        for last, following in probabilities.items():
            self.log_probability[last] = -torch.inf
            for word, probability in following.items():
                self.log_probability[last, word] = torch.tensor(probability).log()

    def step(self, token: Tensor, state: State, memory: AttentionMemory) -> tuple[Tensor, State, Tensor]:
        _, state, weights = super().step(token, state, memory)
        return self.log_probability[token], state, weights


def talker(seed: int = 7, sharp: float = 3.0, **changes: int | str) -> Seq2Seq:
    """A model whose predictions are certain enough for translations of many lengths."""
    return small_model(seed, sharp, **changes)


def rescored(model: Seq2Seq | Ensemble, src: Tensor, src_len: Tensor, hypothesis: Hypothesis) -> tuple[float, Tensor]:
    """Log-probability and attention of a hypothesis by the model's whole-sentence pass, one sentence at a time."""
    finished = len(hypothesis.attention) > len(hypothesis.ids)
    words = hypothesis.ids + [EOS] * finished
    with torch.no_grad():
        logits, weights = model(src, src_len, torch.tensor([[BOS, *words[:-1]]]))
    chosen = torch.log_softmax(logits[0], dim=1)[range(len(words)), words]
    return float(chosen.sum()), weights[0]
