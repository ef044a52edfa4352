"""The whole model: encode a source, step or run the decoder."""

from typing import cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from heed.models.attention import Additive, Attn, Memory, MultiHeadAttn
from heed.models.decoder import Decoded, Decoder, Query, State
from heed.models.dropout import Dropout
from heed.models.embedding import Embedding
from heed.models.encoder import Encoder
from heed.models.product import Linear, keep_weights_in

LAYERS = 64  # far beyond what trains; layers are built one by one, so a slip of the keyboard would never come to an end
WIDEST = 65536  # the same of a size: a GRU of that width has more numbers than most machines have memory for


class Seq2Seq(nn.Module):
    """Encoder, attention and decoder, wired.

    Training calls the model itself, search calls `encode` and then `step`: the same equations either way.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, Memory]:
        """What a search starts from: the decoder's first state, and what it will attend to.

        `src_len` counts the real words, EOS among them.
        """
        state, memory = self._encode(src, src_len)
        return self.decoder.begin(state, memory), memory

    def _encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, Memory]:
        states, summary = self.encoder(src, src_len)
        mask = torch.arange(src.size(1), device=src.device) < src_len.to(src.device).unsqueeze(1)
        memory = self.decoder.attention.memory(states, states, mask)
        return self.decoder.start(summary, memory), memory

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: Memory
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
        """Logits and attention weights for the word after each word of `tgt_in`, which starts with BOS."""
        readout, weights = self.read(src, src_len, tgt_in, teacher_forcing)
        return self.decoder.output(readout), weights

    def read(
        self,
        src: Int[Tensor, "batch src"],
        src_len: Int[Tensor, " batch"],
        tgt_in: Int[Tensor, "batch tgt"],
        teacher_forcing: float = 1.0,
    ) -> Decoded:
        """The same before the vocabulary, for a loss that need not hold all logits at once."""
        state, memory = self._encode(src, src_len)
        decoded: Decoded = self.decoder(tgt_in, state, memory, teacher_forcing)
        return decoded

    def multiply_in_bfloat16(self) -> None:
        """Let the products of a step be in bfloat16 from here on, for search alone.

        What a product gives is rounded to 8 bits, logits among them, so that now and then two words tie for the best.
        All between the products is computed as before, and so is what a source costs once: its encoding and its keys.
        """
        decoder = self.decoder
        for layer in (decoder.output, decoder.readout, decoder.attention.attn_combine, *decoder.cells):
            keep_weights_in(torch.bfloat16, layer)
        if isinstance(decoder.attention.attn, Additive):
            keep_weights_in(torch.bfloat16, decoder.attention.attn.query)


def build_seq2seq(
    src_vocab: int,
    tgt_vocab: int,
    pad_id: int = 0,
    emb_dim: int = 256,
    enc_dim: int = 512,
    hid_dim: int = 512,
    readout_dim: int = 512,
    attended_dim: int = 512,
    enc_layers: int = 1,
    dec_layers: int = 1,
    bidirectional: bool = True,
    dropout: float = 0.2,
    readout_dropout: float | None = None,
    enc_dropout: float = 0.0,
    state_dropout: float = 0.0,
    variational: bool = False,
    layer_norm: bool = False,
    tie: str = "none",
    query: str = "previous",
    score: str = "additive",
    att_dim: int = 512,
    heads: int = 1,
    positions: int = 64,
) -> Seq2Seq:
    """A model from plain numbers and names, the only description of it that a model folder keeps.

    `enc_dim` is the size of an encoder state (both directions), `attended_dim` of what attention hands to the GRU.
    `tie` shares embeddings: `none`; `decoder`, its input with the output layer; `all`, the encoder's too.
    `dropout` is that of embeddings and between layers, and of the readout where `readout_dropout` does not say another;
    see `heed.models.dropout` for the others. `query` is that of `heed.models.decoder`. More than one of `heads` is for
    the score `additive`. ValueError where sizes cannot go together.
    """
    sizes = dict(src_vocab=src_vocab, tgt_vocab=tgt_vocab, emb_dim=emb_dim, enc_dim=enc_dim, hid_dim=hid_dim)
    sizes |= dict(readout_dim=readout_dim, attended_dim=attended_dim, enc_layers=enc_layers, dec_layers=dec_layers)
    sizes |= dict(att_dim=att_dim, heads=heads, positions=positions)
    drops = Dropout(dropout, enc_dropout, state_dropout, dropout if readout_dropout is None else readout_dropout)
    drops = drops._replace(variational=variational)
    _check(sizes, pad_id, drops, tie)
    if query not in get_args(Query):
        raise ValueError(f"query must be one of {', '.join(get_args(Query))}, got '{query}'")
    if heads > 1 and score != "additive":
        raise ValueError(f"heads={heads} needs score=additive, got score={score}")
    src_embedding = Embedding(src_vocab, emb_dim, padding_idx=pad_id)
    tgt_embedding = src_embedding if tie == "all" else Embedding(tgt_vocab, emb_dim, padding_idx=pad_id)
    output = Linear(readout_dim, tgt_vocab)
    if tie != "none":
        output.weight = tgt_embedding.weight
    if heads > 1:
        attention: Attn = MultiHeadAttn(hid_dim, enc_dim, att_dim, enc_dim, attended_dim, heads)
    else:
        width = positions if score == "article" else att_dim
        attention = Attn(hid_dim, enc_dim, width, enc_dim, attended_dim, score=score)
    encoder = Encoder(src_embedding, enc_dim, enc_layers, bidirectional, drops, layer_norm)
    decoder = Decoder(
        tgt_embedding, attention, output, enc_dim, hid_dim, dec_layers, drops, layer_norm, cast(Query, query)
    )
    model = Seq2Seq(encoder, decoder)
    initialise(model, pad_id)
    return model


def _check(sizes: dict[str, int], pad_id: int, drops: Dropout, tie: str) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
        if name.endswith("_layers") and size > LAYERS:
            raise ValueError(f"{name} must be at most {LAYERS}, got {size}")
        if size > WIDEST and not name.endswith("_vocab"):
            raise ValueError(f"{name} must be at most {WIDEST}, got {size}")
    if not 0 <= pad_id < min(sizes["src_vocab"], sizes["tgt_vocab"]):
        pieces = f"{sizes['src_vocab']} and {sizes['tgt_vocab']} pieces"
        raise ValueError(f"pad_id must be in both vocabularies, got {pad_id} for {pieces}")
    names = ("dropout", "enc_dropout", "state_dropout", "readout_dropout")
    for name, share in zip(names, drops, strict=False):
        if not 0 <= share < 1:
            raise ValueError(f"{name} must be in [0, 1), got {share}")
    if tie not in ("none", "decoder", "all"):
        raise ValueError(f"tie must be none, decoder or all, got '{tie}'")
    if tie != "none" and sizes["emb_dim"] != sizes["readout_dim"]:
        raise ValueError(
            f"tie={tie} needs emb_dim and readout_dim equal, got {sizes['emb_dim']} and {sizes['readout_dim']}"
        )
    if tie == "all" and sizes["src_vocab"] != sizes["tgt_vocab"]:
        raise ValueError(
            f"tie=all needs one vocabulary, got {sizes['src_vocab']} and {sizes['tgt_vocab']} pieces: "
            "train the subwords jointly (subwords.joint=true)"
        )


def initialise(model: nn.Module, pad_id: int) -> None:
    """Embeddings normal with deviation 1/√emb_dim, other matrices Glorot, recurrent ones orthogonal, gains 1, biases 0.

    Glorot and Bengio 2010 (AISTATS, eq. 16); orthogonal recurrent matrices as in Bahdanau et al. 2015, appendix B.1.
    """
    for name, parameter in model.named_parameters():
        if "embedding" in name:
            nn.init.normal_(parameter, std=parameter.size(1) ** -0.5)
            with torch.no_grad():
                parameter[pad_id] = 0.0
        elif "weight_hh" in name:
            for gate in parameter.chunk(3):
                nn.init.orthogonal_(gate)
        elif "norm" in name and name.endswith("weight"):
            nn.init.ones_(parameter)
        elif parameter.dim() == 2:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
