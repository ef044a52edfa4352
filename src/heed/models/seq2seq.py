"""The whole model: encode a source, then step or run the decoder."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models.attention import AttentionMemory
from heed.models.decoder import Decoded, Decoder, State
from heed.models.embedding import Embedding
from heed.models.encoder import Encoder, EncoderOutput


class Seq2Seq(nn.Module):
    """Encoder, attention and decoder.

    Training calls the model itself, search calls `encode` and then `step`; the equations are the same. If `attend_end`
    is false, the last real position of a source, EOS, gets no weight: the encoder reads it, but attention does not.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, attend_end: bool = True) -> None:
        super().__init__()
        self.encoder, self.decoder, self.attend_end = encoder, decoder, attend_end

    def encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        """Encode sources: return the decoder's first state and the memory that it attends to.

        `src_len` is the number of real positions, including EOS.
        """
        state, memory = self._encode(src, src_len)
        return self.decoder.attend_first(state, memory), memory

    def _encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        return self._remember(self.encoder(src, src_len), src_len)

    def start(
        self, emb: Float[Tensor, "batch src emb"], src_len: Int[Tensor, " batch"]
    ) -> tuple[State, AttentionMemory]:
        """The initial values for the decoder's `forward`, for a source that is already embedded (`Encoder.embed`)."""
        return self._remember(self.encoder.read(emb, src_len), src_len)

    def _remember(self, encoded: EncoderOutput, src_len: Int[Tensor, " batch"]) -> tuple[State, AttentionMemory]:
        states, summary = encoded
        # if a source is only EOS, attend to EOS, because a softmax needs at least one position
        attended = src_len if self.attend_end else (src_len - 1).clamp(min=1)
        mask = torch.arange(states.size(1), device=states.device) < attended.to(states.device).unsqueeze(1)
        memory = self.decoder.attention.memory(states, states, mask)
        return self.decoder.initial_state(summary, memory), memory

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: AttentionMemory
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Logits of the next word, the state after `token`, and the attention weights of the next word."""
        return self.decoder.step(token, state, memory)

    def forward(
        self,
        src: Int[Tensor, "batch src"],
        src_len: Int[Tensor, " batch"],
        tgt_in: Int[Tensor, "batch tgt"],
        teacher_forcing: float = 1.0,
    ) -> tuple[Float[Tensor, "batch tgt vocab"], Float[Tensor, "batch tgt src"]]:
        """Logits and attention weights for the word after each word of `tgt_in`, which starts with BOS.

        `teacher_forcing` below 1 is the probability that a word of `tgt_in` is read; see `Decoder.sample`.
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
        """`forward` without the output layer, for a loss that does not compute all logits at once."""
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
        """The words that replace `tgt_in` under scheduled sampling (see `Decoder.sample`)."""
        words, _, _ = self.decoder.sample(tgt_in, *self._encode(src, src_len), teacher_forcing)
        return words


def initialise(model: nn.Module, pad_id: int) -> None:
    """Initialise: embeddings normal with deviation 1/√emb_dim, matrices Glorot, recurrent ones orthogonal, biases 0.

    Gains are 1. This applies to heed's own layer types. Other layers, and parameters that a module creates itself, such
    as those of a score from another package, keep their values.

    Glorot and Bengio 2010 (AISTATS, eq. 16); orthogonal recurrent matrices as in Bahdanau et al. 2015, appendix B.1.
    """
    layers: dict[int, nn.Module] = {}
    for layer in model.modules():
        for parameter in layer.parameters(recurse=False):
            layers.setdefault(id(parameter), layer)  # a tied matrix is initialised as an embedding, which comes first
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
