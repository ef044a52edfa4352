"""The source sentence, read by a GRU."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Encoded(NamedTuple):
    """A state for every source position, and one for the sentence: each direction's after its last real word."""

    states: Float[Tensor, "batch src enc"]
    summary: Float[Tensor, "batch enc"]


class Encoder(nn.Module):
    """A GRU over the source (Cho et al. 2014, arXiv 1406.1078), in both directions unless told otherwise.

    `enc_dim` is the size of a state, shared evenly by the directions.
    """

    def __init__(
        self, embedding: nn.Embedding, enc_dim: int, layers: int = 1, bidirectional: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        if enc_dim % directions:
            raise ValueError(f"enc_dim must be even for two directions, got {enc_dim}")
        self.embedding = embedding
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(
            embedding.embedding_dim,
            enc_dim // directions,
            num_layers=layers,
            batch_first=True,
            dropout=dropout if layers > 1 else 0.0,
            bidirectional=bidirectional,
        )

    def forward(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> Encoded:
        """States of every position; packed, so that no state has seen padding."""
        packed = pack_padded_sequence(
            self.dropout(self.embedding(src)), src_len.cpu(), batch_first=True, enforce_sorted=False
        )
        states, last = self.gru(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=src.size(1))
        top = last[-2:] if self.gru.bidirectional else last[-1:]
        return Encoded(padded, torch.cat(tuple(top), dim=1))
