"""Word embeddings."""

import math

from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """Rows of a matrix, times √emb_dim.

    The matrix has the standard deviation 1/√emb_dim, as needed by the output layer, which may share it. The GRU learns
    several times faster with values around 1 (Vaswani et al. 2017, arXiv 1706.03762, section 3.4).
    """

    def forward(self, input: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape emb"]:
        """The scaled vectors of the tokens."""
        return super().forward(input) * math.sqrt(self.embedding_dim)
