"""The target sentence, written by a GRU that attends at every step."""

from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models import recurrence
from heed.models.attention import Attended, Attn, Memory


class State(NamedTuple):
    """Where a decoder stands after the words so far; `covered` is the sum of the weights of every step."""

    hidden: Float[Tensor, "batch layers hid"]
    covered: Float[Tensor, "batch src"]

    def select(self, index: Int[Tensor, " chosen"]) -> "State":
        """The states of the sentences at `index`, in that order; a sentence may be chosen more than once."""
        return State(*(part[index] for part in self))


class Decoded(NamedTuple):
    """What the decoder made of a whole target sentence, before the vocabulary."""

    readout: Float[Tensor, "batch tgt readout"]
    weights: Float[Tensor, "batch tgt src"]


class Decoder(nn.Module):
    """A decoder after Bahdanau et al. (2015, arXiv 1409.0473, appendix A.2.2), with a GRU of any depth.

    At step t the query is the state before it, s_{t-1}, so the weights belong to the word about to be predicted:

        a_t, c_t, o_t = Attn(s_{t-1}, memory)
        s_t           = GRU(s_{t-1}, [y_{t-1}; o_t])
        logits_t      = V tanh(R [s_t; c_t; y_{t-1}])

    Theirs gives the GRU the context c_t as it is, and reads out s_{t-1}, through maxout.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        attention: Attn,
        output: nn.Linear,
        enc_dim: int,
        hid_dim: int,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        emb_dim, attended_dim = embedding.embedding_dim, attention.attn_combine.out_features
        self.embedding, self.attention, self.output = embedding, attention, output
        self.bridge = nn.Linear(enc_dim, layers * hid_dim)
        inputs = [emb_dim + attended_dim] + [hid_dim] * (layers - 1)
        self.cells = nn.ModuleList(nn.GRUCell(size, hid_dim) for size in inputs)
        self.readout = nn.Linear(hid_dim + enc_dim + emb_dim, output.in_features)
        self.dropout = nn.Dropout(dropout)

    def start(self, summary: Float[Tensor, "batch enc"], memory: Memory) -> State:
        """The state before the first word, learned from the source sentence; of full precision under autocast too."""
        hidden = torch.tanh(self.bridge(summary).to(self.bridge.weight.dtype))
        return State(hidden.view(len(summary), len(self.cells), -1), memory.covered.to(hidden.dtype))

    def embed(self, tokens: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape emb"]:
        """Embeddings of the words that were written."""
        return self.dropout(self.embedding(tokens))

    def advance(self, emb: Float[Tensor, "batch emb"], state: State, memory: Memory) -> tuple[State, Attended]:
        """Attend from the state so far, then let the GRU read the last word and what attention found."""
        below = state.hidden.unbind(1)
        attended = self.attention.attend(below[-1], memory._replace(covered=state.covered))
        hidden = self.cells[0](torch.cat((emb, attended.output), dim=1), below[0])
        above = [hidden]
        for cell, previous in zip(self.cells[1:], below[1:], strict=True):
            hidden = cell(self.dropout(hidden), previous)
            above.append(hidden)
        return State(torch.stack(above, dim=1), state.covered + attended.weights), attended

    def read_out(
        self,
        top: Float[Tensor, "*shape hid"],
        context: Float[Tensor, "*shape enc"],
        emb: Float[Tensor, "*shape emb"],
    ) -> Float[Tensor, "*shape readout"]:
        """The deep output: what state, context and last word say together."""
        return self.dropout(torch.tanh(self.readout(torch.cat((top, context, emb), dim=-1))))

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
        if teacher_forcing == 1.0:
            emb = self.embed(tokens)
            top, context, weights = self.unroll(emb, state, memory)
        else:
            emb, top, context, weights = self._sample(tokens, state, memory, teacher_forcing)
        return Decoded(self.read_out(top, context, emb), weights)

    def unroll(
        self, emb: Float[Tensor, "batch tgt emb"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt hid"], Float[Tensor, "batch tgt enc"], Float[Tensor, "batch tgt src"]]:
        """Top states, contexts and weights of every step: by the fast loop where it covers this decoder."""
        if recurrence.covers(self.attention, self.cells):
            cell = cast(nn.GRUCell, self.cells[0])
            return recurrence.unroll(self.attention, cell, emb, state.hidden[:, 0], state.covered, memory)
        return self.step_through(emb, state, memory)

    def step_through(
        self, emb: Float[Tensor, "batch tgt emb"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt hid"], Float[Tensor, "batch tgt enc"], Float[Tensor, "batch tgt src"]]:
        """The same by stepping: the reference that the fast loop is held against."""
        steps = []
        for step_emb in emb.unbind(1):
            state, attended = self.advance(step_emb, state, memory)
            steps.append((state.hidden[:, -1], attended.context, attended.weights))
        top, context, weights = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        return top, context, weights

    def _sample(
        self, tokens: Int[Tensor, "batch tgt"], state: State, memory: Memory, teacher_forcing: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embeddings read, states, contexts and weights where some words are the model's own."""
        token, steps = tokens[:, 0], []
        for position in range(tokens.size(1)):
            emb = self.embed(token)
            state, attended = self.advance(emb, state, memory)
            steps.append((emb, state.hidden[:, -1], attended.context, attended.weights))
            if position + 1 < tokens.size(1):
                with torch.no_grad():
                    written = self.output(self.read_out(steps[-1][1], attended.context, emb)).argmax(1)
                    forced = torch.rand(token.shape, device=token.device) < teacher_forcing
                token = torch.where(forced, tokens[:, position + 1], written)
        emb, top, context, weights = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        return emb, top, context, weights
