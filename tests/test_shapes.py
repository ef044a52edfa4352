"""The check of array shapes, which all other tests rely on."""

import pytest
import torch
from jaxtyping import TypeCheckError

from heed.metrics.alignment import merge_words


def test_a_wrong_shape_is_an_error() -> None:
    """Catches a check of shapes that is not active in the tests."""
    with pytest.raises(TypeCheckError):
        merge_words(torch.zeros(1, 1, 1), [0], [0])
