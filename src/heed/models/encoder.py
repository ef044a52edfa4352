"""The source sentence, read by a GRU."""

from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from heed.models.dropout import NOTHING, Dropout, drop, keep
from heed.models.embedding import Embedding
from heed.models.gru import EPSILON, Recurrent, unroll


class Encoded(NamedTuple):
    """A state for every source position, and one for the sentence: each direction's after its last real word."""

    states: Float[Tensor, "batch src enc"]
    summary: Float[Tensor, "batch enc"]


class Encoder(nn.Module):
    """A GRU over the source (Cho et al. 2014, arXiv 1406.1078), in both directions unless told otherwise.

    `enc_dim` is the size of a state, shared evenly by the directions.
    """

    def __init__(
        self,
        embedding: Embedding,
        enc_dim: int,
        layers: int = 1,
        bidirectional: bool = True,
        dropout: Dropout = NOTHING,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        if enc_dim % directions:
            raise ValueError(f"enc_dim must be even for two directions, got {enc_dim}")
        self.embedding, self.dropout = embedding, dropout
        hid = enc_dim // directions
        self.gru = nn.GRU(embedding.embedding_dim, hid, layers, batch_first=True, bidirectional=bidirectional)
        norms = layers * directions if layer_norm else 0
        self.norm_input = nn.ModuleList(nn.LayerNorm(3 * hid, EPSILON) for _ in range(norms))
        self.norm_hidden = nn.ModuleList(nn.LayerNorm(3 * hid, EPSILON) for _ in range(norms))

    def forward(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> Encoded:
        """States of every position, zero at padding; no state has seen padding."""
        emb = self._drop(self.embedding(src), self.dropout.inputs)
        drops = self.dropout.states or (self.dropout.inputs and self.gru.num_layers > 1)
        plain = not self.norm_input and not (self.training and drops)
        # torch's own loop is the faster one on a GPU, and where nothing is recorded for a backward pass
        run = self._packed if plain and (emb.is_cuda or not torch.is_grad_enabled()) else self._unrolled
        states, summary = run(emb, src_len)
        return Encoded(self._drop(states, self.dropout.encoded), summary)

    def _packed(
        self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch src enc"], Float[Tensor, "batch enc"]]:
        packed = pack_padded_sequence(emb, src_len.cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        padded, _ = pad_packed_sequence(states, batch_first=True, total_length=emb.size(1))
        top = last[-2:] if self.gru.bidirectional else last[-1:]
        return padded, torch.cat(tuple(top), dim=1)

    def _unrolled(
        self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch src enc"], Float[Tensor, "batch enc"]]:
        """The same by the loop of `heed.models.gru`, both directions at once: the second reads sentences reversed."""
        length = src_len.to(emb.device).unsqueeze(1)
        position = torch.arange(emb.size(1), device=emb.device)
        backwards = torch.where(position < length, length - 1 - position, position).t().unsqueeze(2)
        real = (position < length).t().unsqueeze(2)
        states = emb.transpose(0, 1)
        for layer in range(self.gru.num_layers):
            if layer:
                states = self._drop(states.transpose(0, 1), self.dropout.inputs).transpose(0, 1)
            reads = [states]
            if self.gru.bidirectional:
                reads.append(states.gather(0, backwards.expand_as(states)))
            run = self._layer(layer, torch.stack(reads))
            ways = [run[0]]
            if self.gru.bidirectional:
                ways.append(run[1].gather(0, backwards.expand_as(run[1])))
            states = torch.cat(ways, dim=2) * real
        last = (length - 1).view(1, -1, 1)
        ends = [way.gather(0, last.expand(1, -1, way.size(2)))[0] for way in run]
        return states.transpose(0, 1), torch.cat(ends, dim=1)

    def _layer(
        self, layer: int, reads: Float[Tensor, "directions src batch input"]
    ) -> Float[Tensor, "directions src batch hid"]:
        names = [f"l{layer}{way}" for way in ("", "_reverse")[: len(reads)]]
        weight_ih, bias_ih, weight_hh, bias_hh = (
            torch.stack([getattr(self.gru, f"{part}_{name}") for name in names])
            for part in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        )
        x = torch.baddbmm(bias_ih.unsqueeze(1), reads.flatten(1, 2), weight_ih.transpose(1, 2))
        x = x.unflatten(1, reads.shape[1:3])
        recurrent = Recurrent(weight_hh, bias_hh)
        if self.norm_input:
            norms = slice(layer * len(reads), (layer + 1) * len(reads))
            x = torch.stack([norm(part) for norm, part in zip(self.norm_input[norms], x, strict=True)])
            gains = [cast(nn.LayerNorm, norm) for norm in self.norm_hidden[norms]]
            gain, shift = torch.stack([norm.weight for norm in gains]), torch.stack([norm.bias for norm in gains])
            recurrent = Recurrent(weight_hh, bias_hh, gain, shift)
        state = bias_hh.new_zeros(len(reads), reads.size(2), self.gru.hidden_size)
        kept = keep(state, tuple(state.shape), self.dropout.states) if self.training else None
        return unroll(x, state, recurrent, kept)

    def _drop(self, sequence: Float[Tensor, "batch src dim"], share: float) -> Float[Tensor, "batch src dim"]:
        return drop(sequence, share, self.dropout.variational, self.training)
