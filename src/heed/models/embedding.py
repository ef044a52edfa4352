"""Words as vectors."""

import math

from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """Rows of the matrix, times √emb_dim.

    The matrix is drawn for the output layer that may share it, with deviation 1/√emb_dim; what it is read for wants
    numbers around 1, and learns several times faster with them (Vaswani et al. 2017, arXiv 1706.03762, section 3.4).
    """

    def forward(self, input: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape emb"]:
        """Vectors of numbers around 1."""
        return super().forward(input) * math.sqrt(self.embedding_dim)
