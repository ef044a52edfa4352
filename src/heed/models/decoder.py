"""The target sentence, written by a GRU that attends at every step."""

from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models import gru, recurrence
from heed.models.attention import Attended, Attn, Memory
from heed.models.dropout import NOTHING, Dropout, keep
from heed.models.embedding import Embedding
from heed.models.gru import Cell
from heed.models.product import Linear

Query = Literal["previous", "current"]
"""Which state asks for the weights of a step: the one before it, or the one that has read its word."""


class State(NamedTuple):
    """Where a decoder stands after the words so far.

    `covered` is the sum of the weights of every look at the source, `found` what the last look gave the GRU to read.
    """

    hidden: Float[Tensor, "batch layers hid"]
    covered: Float[Tensor, "batch src"]
    found: Float[Tensor, "batch output"]

    def select(self, index: Int[Tensor, " chosen"]) -> "State":
        """The states of the sentences at `index`, in that order; a sentence may be chosen more than once."""
        return State(*(part.index_select(0, index) for part in self))


class Decoded(NamedTuple):
    """What the decoder made of a whole target sentence, before the vocabulary."""

    readout: Float[Tensor, "batch tgt readout"]
    weights: Float[Tensor, "batch tgt src"]


class Kept(NamedTuple):
    """What dropout leaves of a sentence, one mask for all its steps; None where nothing is dropped.

    Gal and Ghahramani 2016 (arXiv 1512.05287): the states that the gates and attention read, in every layer; what goes
    from each layer to the next; and, where dropout is variational, the embeddings and the readout.
    """

    states: Float[Tensor, "batch layers hid"] | None = None
    between: Float[Tensor, "batch above hid"] | None = None
    emb: Float[Tensor, "batch emb"] | None = None
    readout: Float[Tensor, "batch readout"] | None = None


EVERYTHING = Kept()


class Decoder(nn.Module):
    """A decoder after Bahdanau et al. (2015, arXiv 1409.0473, appendix A.2.2), with a GRU of any depth.

    With `query` previous, theirs, the weights of step t are asked for by the state before it, s_{t-1}:

        a_t, c_t, o_t = Attn(s_{t-1}, memory)
        s_t           = GRU(s_{t-1}, [y_{t-1}; o_t])
        logits_t      = V R [s_t; c_t; y_{t-1}]

    With `query` current they are asked for by the state that has read the last word, and what was found is read with
    the next one (Luong et al. 2015, arXiv 1508.04025, sections 3.1 and 3.3; their first is zero, here it is a look):

        s_t           = GRU(s_{t-1}, [y_{t-1}; o_{t-1}])
        a_t, c_t, o_t = Attn(s_t, memory)

    Either way a_t belongs to the word about to be predicted. Bahdanau et al. give the GRU the context c_t as it is, and
    read out s_{t-1}, through maxout; a linear readout learns sooner. With several layers the lowest one attends, those
    above read it and the last is read out (as in Wu et al. 2016, arXiv 1609.08144, section 3).
    """

    def __init__(
        self,
        embedding: Embedding,
        attention: Attn,
        output: nn.Linear,
        enc_dim: int,
        hid_dim: int,
        layers: int = 1,
        dropout: Dropout = NOTHING,
        layer_norm: bool = False,
        query: Query = "previous",
    ) -> None:
        super().__init__()
        emb_dim, attended_dim = embedding.embedding_dim, attention.attn_combine.out_features
        self.embedding, self.attention, self.output = embedding, attention, output
        self.bridge = nn.Linear(enc_dim, layers * hid_dim)
        inputs = [emb_dim + attended_dim] + [hid_dim] * (layers - 1)
        self.cells = nn.ModuleList(Cell(size, hid_dim, layer_norm) for size in inputs)
        self.readout = Linear(hid_dim + enc_dim + emb_dim, output.in_features)
        self.dropout, self.query = dropout, query

    def start(self, summary: Float[Tensor, "batch enc"], memory: Memory) -> State:
        """The state before the first word, learned from the source sentence; of full precision under autocast too."""
        hidden = torch.tanh(self.bridge(summary).to(self.bridge.weight.dtype))
        found = hidden.new_zeros(len(hidden), self.attention.attn_combine.out_features)
        return State(hidden.view(len(hidden), len(self.cells), -1), memory.covered.to(hidden.dtype), found)

    def begin(self, state: State, memory: Memory, kept: Kept = EVERYTHING) -> State:
        """The state that the first step needs: one that has looked, where steps begin with reading."""
        return self.look(state, memory, kept)[0] if self.query == "current" else state

    def keep(self, hidden: Float[Tensor, "batch layers hid"]) -> Kept:
        """What dropout leaves of these sentences, drawn anew at every call; everything outside training."""
        if not self.training:
            return EVERYTHING
        (batch, layers, hid), drops = hidden.shape, self.dropout
        return Kept(
            keep(hidden, (batch, layers, hid), drops.states),
            keep(hidden, (batch, layers - 1, hid), drops.inputs),
            keep(hidden, (batch, self.embedding.embedding_dim), drops.inputs) if drops.variational else None,
            keep(hidden, (batch, self.output.in_features), drops.readout) if drops.variational else None,
        )

    def embed(self, tokens: Int[Tensor, "*shape"], kept: Kept = EVERYTHING) -> Float[Tensor, "*shape emb"]:
        """Embeddings of the words that were written."""
        return self._drop(self.embedding(tokens), kept.emb, self.dropout.inputs)

    def advance(
        self, emb: Float[Tensor, "batch emb"], state: State, memory: Memory, kept: Kept = EVERYTHING
    ) -> tuple[State, Attended]:
        """One step: look and then read the last word, or read it and then look."""
        if self.query == "current":
            return self.look(self.read_word(emb, state, kept), memory, kept)
        state, attended = self.look(state, memory, kept)
        return self.read_word(emb, state, kept), attended

    def look(self, state: State, memory: Memory, kept: Kept) -> tuple[State, Attended]:
        """Attend from where the decoder stands."""
        lowest = state.hidden[:, 0] if kept.states is None else state.hidden[:, 0] * kept.states[:, 0]
        attended = self.attention.attend(lowest, memory._replace(covered=state.covered))
        return State(state.hidden, state.covered + attended.weights, attended.output), attended

    def read_word(self, emb: Float[Tensor, "batch emb"], state: State, kept: Kept) -> State:
        """Let the GRU read the last word and what attention found."""
        read = torch.cat((emb, state.found), dim=1)
        hidden = []
        for layer, cell in enumerate(self.cells):
            before = state.hidden[:, layer]
            hidden.append(cell(read, before, None if kept.states is None else before * kept.states[:, layer]))
            if layer + 1 < len(self.cells):
                read = hidden[-1] if kept.between is None else hidden[-1] * kept.between[:, layer]
        return state._replace(hidden=torch.stack(hidden, dim=1))

    def read_out(
        self,
        top: Float[Tensor, "*shape hid"],
        context: Float[Tensor, "*shape enc"],
        emb: Float[Tensor, "*shape emb"],
        kept: Kept = EVERYTHING,
    ) -> Float[Tensor, "*shape readout"]:
        """The deep output: what state, context and last word say together."""
        readout = self.readout(torch.cat((top, context, emb), dim=-1))
        return self._drop(readout, kept.readout, self.dropout.readout)

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Read one word; give logits for the next, the state after it, and the weights that belong to the next."""
        emb = self.embed(token)
        state, attended = self.advance(emb, state, memory)
        return self.output(self.read_out(state.hidden[:, -1], attended.context, emb)), state, attended.weights

    def forward(
        self, tokens: Int[Tensor, "batch tgt"], state: State, memory: Memory, teacher_forcing: float = 1.0
    ) -> Decoded:
        """Read a whole sentence that starts with BOS.

        Below 1, `teacher_forcing` is the probability that a step reads the reference's word and not the one that the
        model would have written (scheduled sampling, Bengio et al. 2015, arXiv 1506.03099), drawn for every word.
        """
        kept = self.keep(state.hidden)
        if teacher_forcing == 1.0:
            emb = self.embed(tokens, kept)
            top, context, weights = self.unroll(emb, state, memory, kept)
        else:
            emb, top, context, weights = self._sample(tokens, state, memory, kept, teacher_forcing)
        return Decoded(self.read_out(top, context, emb, kept), weights)

    def unroll(
        self, emb: Float[Tensor, "batch tgt emb"], state: State, memory: Memory, kept: Kept = EVERYTHING
    ) -> tuple[Float[Tensor, "batch tgt hid"], Float[Tensor, "batch tgt enc"], Float[Tensor, "batch tgt src"]]:
        """Top states, contexts and weights of every step from the start: by the fast loop, where it covers these.

        Where no gradient is asked for, steps are as fast, and keep nothing for a backward pass. A query from the
        current state is that of the next step: one step more, and its looks are one step earlier.
        """
        if not (torch.is_grad_enabled() and recurrence.covers(self.attention)):
            return self.step_through(emb, state, memory, kept)
        if self.query == "current":
            emb = nn.functional.pad(emb, (0, 0, 0, 1))
        cells = [cast(Cell, cell) for cell in self.cells]
        keeps = [None] * len(cells) if kept.states is None else list(kept.states.unbind(1))
        states, context, weights = recurrence.unroll(
            self.attention, cells[0], emb, state.hidden[:, 0], state.covered, memory, keeps[0]
        )
        if self.query == "current":
            states, context, weights = states[:, :-1], context[:, 1:], weights[:, 1:]
        for layer, cell in enumerate(cells[1:], start=1):
            read = states if kept.between is None else states * kept.between[:, layer - 1 : layer]
            states = gru.layer(cell, read, state.hidden[:, layer], keeps[layer])
        return states, context, weights

    def step_through(
        self, emb: Float[Tensor, "batch tgt emb"], state: State, memory: Memory, kept: Kept = EVERYTHING
    ) -> tuple[Float[Tensor, "batch tgt hid"], Float[Tensor, "batch tgt enc"], Float[Tensor, "batch tgt src"]]:
        """The same by stepping: the reference that the fast loop is held against."""
        state, steps = self.begin(state, memory, kept), []
        for step_emb in emb.unbind(1):
            state, attended = self.advance(step_emb, state, memory, kept)
            steps.append((state.hidden[:, -1], attended.context, attended.weights))
        top, context, weights = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        return top, context, weights

    def _sample(
        self, tokens: Int[Tensor, "batch tgt"], state: State, memory: Memory, kept: Kept, teacher_forcing: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embeddings read, states, contexts and weights where some words are the model's own."""
        state, token, steps = self.begin(state, memory, kept), tokens[:, 0], []
        for position in range(tokens.size(1)):
            emb = self.embed(token, kept)
            state, attended = self.advance(emb, state, memory, kept)
            steps.append((emb, state.hidden[:, -1], attended.context, attended.weights))
            if position + 1 < tokens.size(1):
                with torch.no_grad():
                    written = self.output(self.read_out(steps[-1][1], attended.context, emb, kept)).argmax(1)
                    forced = torch.rand(token.shape, device=token.device) < teacher_forcing
                token = torch.where(forced, tokens[:, position + 1], written)
        emb, top, context, weights = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        return emb, top, context, weights

    def _drop(
        self, part: Float[Tensor, "*shape dim"], kept: Float[Tensor, "batch dim"] | None, share: float
    ) -> Float[Tensor, "*shape dim"]:
        """By the sentence's mask where there is one, else every position by itself."""
        if kept is not None:
            return part * (kept.unsqueeze(1) if part.dim() == 3 else kept)
        drops = self.training and not self.dropout.variational
        mask = keep(part, tuple(part.shape), share) if drops else None
        return part if mask is None else part * mask
