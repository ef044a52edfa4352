"""The whole model: encode a source, step or run the decoder."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models.attention import AttentionMemory
from heed.models.decoder import Decoded, Decoder, State
from heed.models.embedding import Embedding
from heed.models.encoder import Encoder, EncoderOutput


class Seq2Seq(nn.Module):
    """Encoder, attention and decoder, wired.

    Training calls the model itself, search calls `encode` and then `step`: the same equations either way. If
    `attend_end` is false, the last real position of a source, EOS, has no weight: the encoder reads it, attention does
    not.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, attend_end: bool = True) -> None:
        super().__init__()
        self.encoder, self.decoder, self.attend_end = encoder, decoder, attend_end

    def encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        """What a search starts from: the decoder's first state, and what it will attend to.

        `src_len` counts the real words, EOS among them.
        """
        state, memory = self._encode(src, src_len)
        return self.decoder.attend_first(state, memory), memory

    def _encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        return self._remember(self.encoder(src, src_len), src_len)

    def start(
        self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]
    ) -> tuple[State, AttentionMemory]:
        """What the decoder's `forward` starts from, for a source that is embedded already (`Encoder.embed`)."""
        return self._remember(self.encoder.read(emb, src_len), src_len)

    def _remember(self, encoded: EncoderOutput, src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        states, summary = encoded
        # of a source that is EOS alone, EOS is attended to: a softmax needs something
        attended = src_len if self.attend_end else (src_len - 1).clamp(min=1)
        mask = torch.arange(states.size(1), device=states.device) < attended.to(states.device).unsqueeze(1)
        memory = self.decoder.attention.memory(states, states, mask)
        return self.decoder.initial_state(summary, memory), memory

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Logits of the next word, the state after `token`, and the attention weights that belong to the next word."""
        return self.decoder.step(token, state, memory)

    def forward(
        self,
        src: Int[Tensor, "batch src"],
        src_len: Int[Tensor, " batch"],
        tgt_in: Int[Tensor, "batch tgt"],
        teacher_forcing: float = 1.0,
    ) -> tuple[Float[Tensor, "batch tgt vocab"], Float[Tensor, "batch tgt src"]]:
        """Logits and attention weights for the word after each word of `tgt_in`, which starts with BOS.

        Below 1, `teacher_forcing` is the probability that a word of `tgt_in` is read: see `Decoder.sample`.
        """
        readout, weights = self.read(src, src_len, tgt_in, teacher_forcing)
        return self.decoder.output(readout), weights

    def read(
        self,
        src: Int[Tensor, "batch src"],
        src_len: Int[Tensor, " batch"],
        tgt_in: Int[Tensor, "batch tgt"],
        teacher_forcing: float = 1.0,
    ) -> Decoded:
        """The same before the vocabulary, for a loss that need not compute all logits at once."""
        state, memory = self._encode(src, src_len)
        decoded: Decoded = self.decoder(tgt_in, state, memory, teacher_forcing)
        return decoded

    def sample_inputs(
        self,
        src: Int[Tensor, "batch src"],
        src_len: Int[Tensor, " batch"],
        tgt_in: Int[Tensor, "batch tgt"],
        teacher_forcing: float,
    ) -> Int[Tensor, "batch tgt"]:
        """The words that the decoder reads under scheduled sampling (see `Decoder.sample`) in the place of `tgt_in`."""
        words, _, _ = self.decoder.sample(tgt_in, *self._encode(src, src_len), teacher_forcing)
        return words


def initialise(model: nn.Module, pad_id: int) -> None:
    """Embeddings normal with deviation 1/√emb_dim, other matrices Glorot, recurrent ones orthogonal, gains 1, biases 0.

    That is for the layers that heed is made of. A parameter that a module makes itself, and a layer of another type,
    as a score from outside may have them, keep the values that they were made with.

    Glorot and Bengio 2010 (AISTATS, eq. 16); orthogonal recurrent matrices as in Bahdanau et al. 2015, appendix B.1.
    """
    layers: dict[int, nn.Module] = {}
    for layer in model.modules():
        for parameter in layer.parameters(recurse=False):
            layers.setdefault(id(parameter), layer)  # of a tied matrix the embedding, which comes first
    for name, parameter in model.named_parameters():
        layer = layers[id(parameter)]
        if isinstance(layer, Embedding):
            nn.init.normal_(parameter, std=parameter.size(1) ** -0.5)
            with torch.no_grad():
                parameter[pad_id] = 0.0
        elif isinstance(layer, nn.LayerNorm):
            nn.init.constant_(parameter, float(name.endswith("weight")))
        elif isinstance(layer, (nn.Linear, nn.RNNBase, nn.RNNCellBase)):
            _initialise_matrix_or_bias(name, parameter)


def _initialise_matrix_or_bias(name: str, parameter: nn.Parameter) -> None:
    if "weight_hh" in name:
        for gate in parameter.chunk(3):
            nn.init.orthogonal_(gate)
    elif parameter.dim() == 2:
        nn.init.xavier_uniform_(parameter)
    else:
        nn.init.zeros_(parameter)
