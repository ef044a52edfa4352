"""A training loop as in a tutorial, with which heed's speed is compared.

It is correct, but slow on purpose: batches are random and not sorted, the source is not packed, every step projects the
keys again and computes the vocabulary's layer inside the loop, and autograd records all of it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.reference import Reference
from heed.data.encoded import Encoded
from heed.text.subwords import BOS, EOS, PAD


class Encoder(nn.Module):
    """A bidirectional GRU over the padded source."""

    def __init__(self, vocab: int, sizes: Reference) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, sizes.emb_dim, padding_idx=PAD)
        self.dropout = nn.Dropout(sizes.dropout)
        self.gru = nn.GRU(sizes.emb_dim, sizes.enc_dim // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(sizes.enc_dim, sizes.hid_dim)

    def forward(self, src: Tensor) -> tuple[Tensor, Tensor]:
        """States of all positions, and the decoder's first state."""
        states, last = self.gru(self.dropout(self.embedding(src)))
        return states, torch.tanh(self.bridge(torch.cat((last[0], last[1]), dim=1)))


class Decoder(nn.Module):
    """One step: attend, read the last word and the context, score the vocabulary."""

    def __init__(self, vocab: int, sizes: Reference) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, sizes.emb_dim, padding_idx=PAD)
        self.dropout = nn.Dropout(sizes.dropout)
        self.query = nn.Linear(sizes.hid_dim, sizes.att_dim, bias=False)
        self.key = nn.Linear(sizes.enc_dim, sizes.att_dim, bias=False)
        self.energy = nn.Linear(sizes.att_dim, 1, bias=False)
        self.gru = nn.GRUCell(sizes.emb_dim + sizes.enc_dim, sizes.hid_dim)
        self.combine = nn.Linear(sizes.hid_dim + sizes.enc_dim, sizes.readout_dim)
        self.output = nn.Linear(sizes.readout_dim, vocab)

    def forward(self, token: Tensor, hidden: Tensor, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the next word, and the state after this one."""
        energy = self.energy(torch.tanh(self.query(hidden).unsqueeze(1) + self.key(states))).squeeze(2)
        weights = torch.softmax(energy.masked_fill(~mask, float("-inf")), dim=1)
        context = torch.bmm(weights.unsqueeze(1), states).squeeze(1)
        hidden = self.gru(torch.cat((self.dropout(self.embedding(token)), context), dim=1), hidden)
        readout = torch.tanh(self.combine(torch.cat((hidden, context), dim=1)))
        return self.output(self.dropout(readout)), hidden


class Seq2Seq(nn.Module):
    """Encoder and decoder with teacher forcing."""

    def __init__(self, src_vocab: int, tgt_vocab: int, sizes: Reference) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(src_vocab, sizes), Decoder(tgt_vocab, sizes)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """Logits after each word of the target but the last."""
        states, hidden = self.encoder(src)
        logits = []
        for position in range(tgt.size(1) - 1):
            step, hidden = self.decoder(tgt[:, position], hidden, states, src != PAD)
            logits.append(step)
        return torch.stack(logits, dim=1)


def random_batches(encoded: Encoded, sentences: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of sentences in random order; each side is padded to its longest sentence."""
    random_state = np.random.default_rng(seed)
    while True:
        order = random_state.permutation(len(encoded))
        for start in range(0, len(order) - sentences + 1, sentences):
            chosen = order[start : start + sentences]
            src = [[*encoded.src(i).tolist(), EOS] for i in chosen]
            tgt = [[BOS, *encoded.tgt(i).tolist(), EOS] for i in chosen]
            yield _padded(src), _padded(tgt)


def _padded(rows: Sequence[list[int]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
