"""The target sentence, written by a GRU that attends at every step."""

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

Query = Literal["previous", "current"]
"""Which state is the query of a step: the one before the step's word is read, or the one that has read it."""

Weights = Float[Tensor, "batch src"] | Float[Tensor, "batch src heads"]
"""Of one step, for each source position; with several heads, of each of them."""


class State(NamedTuple):
    """Where a decoder stands after the words so far.

    `coverage` is the sum of the attention weights of all steps, `attended` what attention gave the GRU to read last.
    """

    hidden: Float[Tensor, "batch layers hid"]
    coverage: Float[Tensor, "batch src"]
    attended: Float[Tensor, "batch attended"]

    def select(self, index: Int[Tensor, " chosen"]) -> "State":
        """The states of the sentences at `index`, in that order; a sentence may be chosen more than once."""
        return State(*(part.index_select(0, index) for part in self))


class Steps(NamedTuple):
    """What every step gives: the state of the last layer, the context and the attention weights."""

    top: Float[Tensor, "batch tgt hid"]
    context: Float[Tensor, "batch tgt enc"]
    weights: Float[Tensor, "batch tgt src"]


class Decoded(NamedTuple):
    """What the decoder makes of a whole target sentence, before the vocabulary."""

    readout: Float[Tensor, "batch tgt readout"]
    weights: Float[Tensor, "batch tgt src"]


class DropoutMasks(NamedTuple):
    """The dropout masks of a sentence, each for all its steps; None if nothing is dropped.

    Gal and Ghahramani 2016 (arXiv 1512.05287): for the states that the gates and attention read, in every layer; for
    what goes from each layer to the next; and, if dropout is variational, for the embeddings and the readout.
    """

    states: Float[Tensor, "batch layers hid"] | None = None
    between: Float[Tensor, "batch above hid"] | None = None
    emb: Float[Tensor, "batch emb"] | None = None
    readout: Float[Tensor, "batch readout"] | None = None


NO_MASKS = DropoutMasks()


class Decoder(nn.Module):
    """A decoder after Bahdanau et al. (2015, arXiv 1409.0473, appendix A.2.2), with a GRU of any depth.

    With `query` previous, theirs, the query of step t is the state before it, s_{t-1}:

        a_t, c_t, o_t = Attn(s_{t-1}, memory)
        s_t           = GRU(s_{t-1}, [y_{t-1}; o_t])
        logits_t      = V R [s_t; c_t; y_{t-1}]

    With `query` current, the default, it is the state that has read the last word, and what was attended is read with
    the next word (Luong et al. 2015, arXiv 1508.04025, sections 3.1 and 3.3; theirs is zero at the first word, here it
    is attended):

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
        dropout: Dropout = NO_DROPOUT,
        layer_norm: bool = False,
        query: Query = "current",
    ) -> None:
        super().__init__()
        emb_dim, attended_dim = embedding.embedding_dim, attention.attn_combine.out_features
        self.embedding, self.attention, self.output = embedding, attention, output
        self.bridge = nn.Linear(enc_dim, layers * hid_dim)
        inputs = [emb_dim + attended_dim] + [hid_dim] * (layers - 1)
        self.cells = nn.ModuleList(Cell(size, hid_dim, layer_norm) for size in inputs)
        self.readout = nn.Linear(hid_dim + enc_dim + emb_dim, output.in_features)
        self.dropout, self.query = dropout, query

    def initial_state(self, summary: Float[Tensor, "batch enc"], memory: AttentionMemory) -> State:
        """The state before the first word, learned from the source sentence; of full precision under autocast too."""
        hidden = torch.tanh(self.bridge(summary).to(self.bridge.weight.dtype))
        attended = hidden.new_zeros(len(hidden), self.attention.attn_combine.out_features)
        return State(hidden.view(len(hidden), len(self.cells), -1), memory.coverage.to(hidden.dtype), attended)

    def attend_first(self, state: State, memory: AttentionMemory, masks: DropoutMasks = NO_MASKS) -> State:
        """The state that the first step starts from: with `query` current, a step reads first, what was attended."""
        return self.attend(state, memory, masks)[0] if self.query == "current" else state

    def draw_masks(self, hidden: Float[Tensor, "batch layers hid"]) -> DropoutMasks:
        """Dropout masks for these sentences, drawn again at every call; none outside training."""
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
        """Embeddings of the words that the GRU reads."""
        return self._drop(self.embedding(tokens), masks.emb, self.dropout.inputs)

    def advance(
        self,
        emb: Float[Tensor, "batch emb"],
        state: State,
        memory: AttentionMemory,
        masks: DropoutMasks = NO_MASKS,
        weights: Weights | None = None,
    ) -> tuple[State, Attended]:
        """One step: attend and then read the last word, or read it and then attend."""
        if self.query == "current":
            return self.attend(self.read_word(emb, state, masks), memory, masks, weights)
        state, attended = self.attend(state, memory, masks, weights)
        return self.read_word(emb, state, masks), attended

    def attend(
        self, state: State, memory: AttentionMemory, masks: DropoutMasks, weights: Weights | None = None
    ) -> tuple[State, Attended]:
        """Attend with the lowest layer's state as the query, or with `weights` that are given."""
        query = state.hidden[:, 0] if masks.states is None else state.hidden[:, 0] * masks.states[:, 0]
        covered = memory._replace(coverage=state.coverage)
        attended = self.attention.combine(
            query, covered, self.attention.weigh(query, covered) if weights is None else weights
        )
        return State(state.hidden, state.coverage + attended.weights, attended.output), attended

    def read_word(self, emb: Float[Tensor, "batch emb"], state: State, masks: DropoutMasks) -> State:
        """Let the GRU read the last word and what was attended."""
        inputs = torch.cat((emb, state.attended), dim=1)
        hidden = []
        for layer, cell in enumerate(self.cells):
            before = state.hidden[:, layer]
            hidden.append(cell(inputs, before, None if masks.states is None else before * masks.states[:, layer]))
            if layer + 1 < len(self.cells):
                inputs = hidden[-1] if masks.between is None else hidden[-1] * masks.between[:, layer]
        return state._replace(hidden=torch.stack(hidden, dim=1))

    def read_out(
        self,
        top: Float[Tensor, "*shape hid"],
        context: Float[Tensor, "*shape enc"],
        emb: Float[Tensor, "*shape emb"],
        masks: DropoutMasks = NO_MASKS,
    ) -> Float[Tensor, "*shape readout"]:
        """The deep output: state, context and last word together."""
        readout = self.readout(torch.cat((top, context, emb), dim=-1))
        return self._drop(readout, masks.readout, self.dropout.readout)

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory, weights: Weights | None = None
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Read one word; give logits for the next, the state after it, and the weights that belong to the next.

        With `weights`, the step attends by them instead of by those that its score would give.
        """
        emb = self.embed(token)
        state, attended = self.advance(emb, state, memory, weights=weights)
        return self.output(self.read_out(state.hidden[:, -1], attended.context, emb)), state, attended.weights

    def weigh(self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory) -> Weights:
        """The weights by which `step` would attend, of each head if the score has several."""
        if self.query == "current":
            state = self.read_word(self.embed(token), state, NO_MASKS)
        return self.attention.weigh(state.hidden[:, 0], memory._replace(coverage=state.coverage))

    def forward(
        self, tokens: Int[Tensor, "batch tgt"], state: State, memory: AttentionMemory, teacher_forcing: float = 1.0
    ) -> Decoded:
        """Read a whole sentence that starts with BOS; below 1, `teacher_forcing` is that of `sample`."""
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
        """Every step from `initial_state`: by the fast loop of `heed.models.fast` if it covers this decoder.

        If no gradient is needed, stepping is as fast, and keeps nothing for a backward pass.
        """
        if not (torch.is_grad_enabled() and fast.covers(self.attention, self.cells)):
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
        """The same one step at a time: the reference that the fast loop is tested against."""
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
        """Scheduled sampling (Bengio et al. 2015, arXiv 1506.03099): the words read, their embeddings, the steps.

        `teacher_forcing` is the probability that a step reads the reference's word and not the one that the model would
        have written, drawn for every word but the first.
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
        """`length` steps; `read` gives the embedding to read, knowing the step before by its top state and context."""
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
        """By the sentence's mask if there is one, else every position by itself."""
        if mask is not None:
            return part * (mask.unsqueeze(1) if part.dim() == 3 else mask)
        drops = self.training and not self.dropout.variational
        own = dropout_mask(part, tuple(part.shape), share) if drops else None
        return part if own is None else part * own
