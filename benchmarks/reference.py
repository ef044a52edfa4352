"""The model of every program: one layer in each direction, and additive attention that feeds the decoder's GRU."""

from typing import NamedTuple


class Reference(NamedTuple):
    """Sizes and settings; the embeddings are not shared."""

    emb_dim: int = 256
    enc_dim: int = 512
    hid_dim: int = 512
    att_dim: int = 512
    attended_dim: int = 512
    readout_dim: int = 512
    dropout: float = 0.2
    lr: float = 1e-3
    clip_norm: float = 1.0
