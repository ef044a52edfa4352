"""The encoder: a GRU over the source sentence."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from heed.models.cell import EPSILON
from heed.models.dropout import NO_DROPOUT, Dropout, drop
from heed.models.embedding import Embedding
from heed.models.fast import bidirectional as fast


class EncoderOutput(NamedTuple):
    """A state for every source position, and one for the sentence: the last state of each direction, concatenated."""

    states: Float[Tensor, "batch src enc"]
    summary: Float[Tensor, "batch enc"]


class Encoder(nn.Module):
    """A GRU over the source (Cho et al. 2014, arXiv 1406.1078), in both directions unless `bidirectional` is false.

    `enc_dim` is the size of a state, divided evenly between the directions. With `layer_norm`, each layer and direction
    is a `Cell` with layer normalisation.
    """

    def __init__(
        self,
        embedding: Embedding,
        enc_dim: int,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: Dropout = NO_DROPOUT,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        if enc_dim % directions:
            raise ValueError(f"enc_dim must be even, because it is divided between two directions; got {enc_dim}")
        self.embedding, self.dropout = embedding, dropout
        hid = enc_dim // directions
        self.gru = nn.GRU(embedding.embedding_dim, hid, layers, batch_first=True, bidirectional=bidirectional)
        norms = layers * directions if layer_norm else 0
        self.norm_input = nn.ModuleList(nn.LayerNorm(3 * hid, EPSILON) for _ in range(norms))
        self.norm_hidden = nn.ModuleList(nn.LayerNorm(3 * hid, EPSILON) for _ in range(norms))

    def forward(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> EncoderOutput:
        """States of every position, zero at padding; no state depends on padding."""
        return self.read(self.embed(src), src_len)

    def embed(self, src: Int[Tensor, "batch src"]) -> Float[Tensor, "batch src emb"]:
        """Embeddings of the source words."""
        return self._drop(self.embedding(src), self.dropout.inputs)

    def read(self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]) -> EncoderOutput:
        """`forward` for words that are already embedded."""
        states, summary = self.run(emb, src_len)
        return EncoderOutput(self._drop(states, self.dropout.encoded), summary)

    def run(self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]) -> EncoderOutput:
        """Run the GRU over the embeddings: torch's, or `heed.models.fast` if torch's lacks a feature or is slower."""
        drops = self.dropout.states or (self.dropout.inputs and self.gru.num_layers > 1)
        plain = not self.norm_input and not (self.training and drops)
        # torch's own loop is faster on a GPU, and if no backward pass is recorded; outside of training cuDNN has no
        # backward pass, which gradients of a finished model need
        if plain and (not torch.is_grad_enabled() or (emb.is_cuda and self.training)):
            return self.run_packed(emb, src_len)
        norms = self.norm_input, self.norm_hidden
        return EncoderOutput(*fast.run(self.gru, norms, emb, src_len, self.dropout if self.training else NO_DROPOUT))

    def run_packed(self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]) -> EncoderOutput:
        """Run torch's GRU, which skips padding if sentences are packed.

        Under autocast it stays in float32. On a CPU torch leaves it so; on a GPU it would run cuDNN's in float16, also
        if bfloat16 is asked for, and small gradients would become zero.
        """
        packed = pack_padded_sequence(emb, src_len.cpu(), batch_first=True, enforce_sorted=False)
        with torch.autocast(emb.device.type, enabled=False):
            states, last = self.gru(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=emb.size(1))
        top = last[-2:] if self.gru.bidirectional else last[-1:]
        return EncoderOutput(padded, torch.cat(tuple(top), dim=1))

    def _drop(self, sequence: Float[Tensor, "batch src dim"], share: float) -> Float[Tensor, "batch src dim"]:
        return drop(sequence, share, self.dropout.variational, self.training)
