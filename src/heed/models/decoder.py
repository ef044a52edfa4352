"""The decoder: a GRU that attends to the source at every step."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models.attention import Attended, AttentionMemory, Attn
from heed.models.cell import Cell
from heed.models.dropout import NO_DROPOUT, Dropout, dropout_mask
from heed.models.embedding import Embedding
from heed.models.fast import recurrence as fast

Query = Literal["previous", "current", "conditional"]
"""Which state is the query of a step: before the last word is read, after it is read, or between two cells."""

Weights = Float[Tensor, "batch src"] | Float[Tensor, "batch src heads"]
"""Weights of one step, for each source position; with several heads, for each head."""


class State(NamedTuple):
    """The state of a decoder after the words so far.

    `coverage` is the sum of the attention weights of all steps; `attended` is the last output of attention for the GRU.
    """

    hidden: Float[Tensor, "batch layers hid"]
    coverage: Float[Tensor, "batch src"]
    attended: Float[Tensor, "batch attended"]

    def select(self, index: Int[Tensor, " chosen"]) -> "State":
        """The states of the sentences at `index`, in this order; sentences may be repeated."""
        return State(*(part.index_select(0, index) for part in self))


class Steps(NamedTuple):
    """Results of every step: the state of the last layer, the context and the attention weights."""

    top: Float[Tensor, "batch tgt hid"]
    context: Float[Tensor, "batch tgt enc"]
    weights: Float[Tensor, "batch tgt src"]


class Decoded(NamedTuple):
    """Results of the decoder for a whole target sentence, before the output layer."""

    readout: Float[Tensor, "batch tgt readout"]
    weights: Float[Tensor, "batch tgt src"]


class DropoutMasks(NamedTuple):
    """The dropout masks of a sentence, each for all steps; None if nothing is dropped.

    After Gal and Ghahramani 2016 (arXiv 1512.05287): for the states that gates and attention read, in every layer; for
    the connections between layers; and, if dropout is variational, for the embeddings and the readout.
    """

    states: Float[Tensor, "batch layers hid"] | None = None
    between: Float[Tensor, "batch above hid"] | None = None
    emb: Float[Tensor, "batch emb"] | None = None
    readout: Float[Tensor, "batch readout"] | None = None


NO_MASKS = DropoutMasks()


class Decoder(nn.Module):
    """A decoder after Bahdanau et al. (2015, arXiv 1409.0473, appendix A.2.2), with a GRU of any depth.

    With `query` previous, as in the paper, the query of step t is the state before it, s_{t-1}:

        a_t, c_t, o_t = Attn(s_{t-1}, memory)
        s_t           = GRU(s_{t-1}, [y_{t-1}; o_t])
        logits_t      = V R [s_t; c_t; y_{t-1}]

    With `query` current, the default, it is the state after reading the last word, and the output of attention is read
    with the next word (Luong et al. 2015, arXiv 1508.04025, sections 3.1 and 3.3; at the first word theirs is zero,
    here it is computed):

        s_t           = GRU(s_{t-1}, [y_{t-1}; o_{t-1}])
        a_t, c_t, o_t = Attn(s_t, memory)

    With `query` conditional, two cells are run in each step, and the query is the state between them (the conditional
    GRU of Sennrich et al. 2017, arXiv 1703.04357; there, the second cell reads c_t):

        u_t           = GRU1(s_{t-1}, y_{t-1})
        a_t, c_t, o_t = Attn(u_t, memory)
        s_t           = GRU2(u_t, o_t)

    In all cases a_t belongs to the word that is predicted next. Bahdanau et al. pass the context c_t itself to the
    GRU, and use s_{t-1} and maxout in the readout; a linear readout learns faster. With several layers, the lowest one
    attends, the others read it, and the last one is read out (as in Wu et al. 2016, arXiv 1609.08144, section 3). A
    conditional GRU has one layer.
    """

    def __init__(
        self,
        embedding: Embedding,
        attention: Attn,
        output: nn.Linear,
        enc_dim: int,
        hid_dim: int,
        layers: int = 1,
        dropout: Dropout = NO_DROPOUT,
        layer_norm: bool = False,
        query: Query = "current",
    ) -> None:
        super().__init__()
        emb_dim, attended_dim = embedding.embedding_dim, attention.attn_combine.out_features
        self.embedding, self.attention, self.output = embedding, attention, output
        self.bridge = nn.Linear(enc_dim, layers * hid_dim)
        conditional = query == "conditional"
        inputs = [emb_dim if conditional else emb_dim + attended_dim] + [hid_dim] * (layers - 1)
        self.cells = nn.ModuleList(Cell(size, hid_dim, layer_norm) for size in inputs)
        self.second_cell = Cell(attended_dim, hid_dim, layer_norm) if conditional else None
        self.readout = nn.Linear(hid_dim + enc_dim + emb_dim, output.in_features)
        self.dropout, self.query = dropout, query

    def initial_state(self, summary: Float[Tensor, "batch enc"], memory: AttentionMemory) -> State:
        """The state before the first word, computed from the source sentence; in full precision even under autocast."""
        hidden = torch.tanh(self.bridge(summary).to(self.bridge.weight.dtype))
        attended = hidden.new_zeros(len(hidden), self.attention.attn_combine.out_features)
        return State(hidden.view(len(hidden), len(self.cells), -1), memory.coverage.to(hidden.dtype), attended)

    def attend_first(self, state: State, memory: AttentionMemory, masks: DropoutMasks = NO_MASKS) -> State:
        """The state before the first step; with `query` current, attend first, as a step reads attention's output."""
        return self.attend(state, memory, masks)[0] if self.query == "current" else state

    def draw_masks(self, hidden: Float[Tensor, "batch layers hid"]) -> DropoutMasks:
        """Draw dropout masks for these sentences; none outside training."""
        if not self.training:
            return NO_MASKS
        (batch, layers, hid), shares = hidden.shape, self.dropout
        return DropoutMasks(
            dropout_mask(hidden, (batch, layers, hid), shares.states),
            dropout_mask(hidden, (batch, layers - 1, hid), shares.inputs),
            dropout_mask(hidden, (batch, self.embedding.embedding_dim), shares.inputs) if shares.variational else None,
            dropout_mask(hidden, (batch, self.output.in_features), shares.readout) if shares.variational else None,
        )

    def embed(self, tokens: Int[Tensor, "*shape"], masks: DropoutMasks = NO_MASKS) -> Float[Tensor, "*shape emb"]:
        """Embeddings of the target words."""
        return self._drop(self.embedding(tokens), masks.emb, self.dropout.inputs)

    def advance(
        self,
        emb: Float[Tensor, "batch emb"],
        state: State,
        memory: AttentionMemory,
        masks: DropoutMasks = NO_MASKS,
        weights: Weights | None = None,
    ) -> tuple[State, Attended]:
        """One step: attend and then read the last word, or read it, attend and run the second cell, if there is one."""
        if self.query == "previous":
            state, attended = self.attend(state, memory, masks, weights)
            return self.read_word(emb, state, masks), attended
        state, attended = self.attend(self.read_word(emb, state, masks), memory, masks, weights)
        return self.read_attended(state, masks), attended

    def attend(
        self, state: State, memory: AttentionMemory, masks: DropoutMasks, weights: Weights | None = None
    ) -> tuple[State, Attended]:
        """Attend with the lowest layer's state as the query, or with the given `weights`."""
        query = state.hidden[:, 0] if masks.states is None else state.hidden[:, 0] * masks.states[:, 0]
        covered = memory._replace(coverage=state.coverage)
        attended = self.attention.combine(
            query, covered, self.attention.weigh(query, covered) if weights is None else weights
        )
        return State(state.hidden, state.coverage + attended.weights, attended.output), attended

    def read_word(self, emb: Float[Tensor, "batch emb"], state: State, masks: DropoutMasks) -> State:
        """Run the GRU on the last word and, unless a second cell reads it, the output of attention."""
        inputs = emb if self.second_cell else torch.cat((emb, state.attended), dim=1)
        hidden = []
        for layer, cell in enumerate(self.cells):
            before = state.hidden[:, layer]
            hidden.append(cell(inputs, before, None if masks.states is None else before * masks.states[:, layer]))
            if layer + 1 < len(self.cells):
                inputs = hidden[-1] if masks.between is None else hidden[-1] * masks.between[:, layer]
        return state._replace(hidden=torch.stack(hidden, dim=1))

    def read_attended(self, state: State, masks: DropoutMasks) -> State:
        """Run the second cell of a conditional GRU, if there is one, on the output of attention."""
        if not self.second_cell:
            return state
        before = state.hidden[:, 0]
        after = self.second_cell(state.attended, before, None if masks.states is None else before * masks.states[:, 0])
        return state._replace(hidden=after.unsqueeze(1))

    def read_out(
        self,
        top: Float[Tensor, "*shape hid"],
        context: Float[Tensor, "*shape enc"],
        emb: Float[Tensor, "*shape emb"],
        masks: DropoutMasks = NO_MASKS,
    ) -> Float[Tensor, "*shape readout"]:
        """The readout (deep output) of state, context and last word."""
        readout = self.readout(torch.cat((top, context, emb), dim=-1))
        return self._drop(readout, masks.readout, self.dropout.readout)

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory, weights: Weights | None = None
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Read one word; return the next word's logits, the state after it, and the next word's attention weights.

        If `weights` are given, they replace those of the score.
        """
        emb = self.embed(token)
        state, attended = self.advance(emb, state, memory, weights=weights)
        return self.output(self.read_out(state.hidden[:, -1], attended.context, emb)), state, attended.weights

    def weigh(self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory) -> Weights:
        """The weights that `step` would use, for each head if the score has several."""
        if self.query != "previous":
            state = self.read_word(self.embed(token), state, NO_MASKS)
        return self.attention.weigh(state.hidden[:, 0], memory._replace(coverage=state.coverage))

    def forward(
        self, tokens: Int[Tensor, "batch tgt"], state: State, memory: AttentionMemory, teacher_forcing: float = 1.0
    ) -> Decoded:
        """Read a whole sentence that starts with BOS; if `teacher_forcing` is below 1, as `sample` does."""
        masks = self.draw_masks(state.hidden)
        if teacher_forcing == 1.0:
            emb = self.embed(tokens, masks)
            steps = self.unroll(emb, state, memory, masks)
        else:
            _, emb, steps = self.sample(tokens, state, memory, teacher_forcing, masks)
        return Decoded(self.read_out(steps.top, steps.context, emb, masks), steps.weights)

    def unroll(
        self,
        emb: Float[Tensor, "batch tgt emb"],
        state: State,
        memory: AttentionMemory,
        masks: DropoutMasks = NO_MASKS,
    ) -> Steps:
        """All steps from `initial_state`, by the fast loop of `heed.models.fast` if it supports this decoder.

        If no gradient is needed, single steps are used, which are as fast and store nothing for a backward pass. The
        fast loop does not support a conditional GRU.
        """
        if self.second_cell or not (torch.is_grad_enabled() and fast.covers(self.attention, self.cells)):
            return self.step_through(emb, state, memory, masks)
        start = fast.Start(state.hidden, state.coverage, masks.states, masks.between)
        return Steps(*fast.unroll(self.attention, self.cells, self.query, emb, start, memory))

    def step_through(
        self,
        emb: Float[Tensor, "batch tgt emb"],
        state: State,
        memory: AttentionMemory,
        masks: DropoutMasks = NO_MASKS,
    ) -> Steps:
        """All steps, one at a time: the reference implementation for tests of the fast loop."""
        words = iter(emb.unbind(1))
        return self._loop(lambda _top, _context: next(words), emb.size(1), state, memory, masks)

    def sample(
        self,
        tokens: Int[Tensor, "batch tgt"],
        state: State,
        memory: AttentionMemory,
        teacher_forcing: float,
        masks: DropoutMasks = NO_MASKS,
    ) -> tuple[Int[Tensor, "batch tgt"], Float[Tensor, "batch tgt emb"], Steps]:
        """Scheduled sampling (Bengio et al. 2015, arXiv 1506.03099): the input words, their embeddings, and the steps.

        `teacher_forcing` is the probability that a step reads the reference word instead of the model's own, drawn for
        every word except the first.
        """
        words, embs = [tokens[:, 0]], [self.embed(tokens[:, 0], masks)]

        def read(top: Tensor | None, context: Tensor | None) -> Tensor:
            if top is not None and context is not None:
                with torch.no_grad():
                    written = self.output(self.read_out(top, context, embs[-1], masks)).argmax(1)
                    forced = torch.rand(written.shape, device=written.device) < teacher_forcing
                words.append(torch.where(forced, tokens[:, len(words)], written))
                embs.append(self.embed(words[-1], masks))
            return embs[-1]

        steps = self._loop(read, tokens.size(1), state, memory, masks)
        return torch.stack(words, dim=1), torch.stack(embs, dim=1), steps

    def _loop(
        self,
        read: Callable[[Tensor | None, Tensor | None], Tensor],
        length: int,
        state: State,
        memory: AttentionMemory,
        masks: DropoutMasks,
    ) -> Steps:
        """Run `length` steps; `read` returns the next embedding, given the previous step's top state and context."""
        state, steps = self.attend_first(state, memory, masks), list[Steps]()
        top, context = None, None
        for _ in range(length):
            state, attended = self.advance(read(top, context), state, memory, masks)
            top, context = state.hidden[:, -1], attended.context
            steps.append(Steps(top, context, attended.weights))
        return Steps(*(torch.stack(part, dim=1) for part in zip(*steps, strict=True)))

    def _drop(
        self, part: Float[Tensor, "*shape dim"], mask: Float[Tensor, "batch dim"] | None, share: float
    ) -> Float[Tensor, "*shape dim"]:
        """Dropout by the sentence's mask if there is one, otherwise independently at every position."""
        if mask is not None:
            return part * (mask.unsqueeze(1) if part.dim() == 3 else mask)
        drops = self.training and not self.dropout.variational
        own = dropout_mask(part, tuple(part.shape), share) if drops else None
        return part if own is None else part * own
