import pytest
import torch

from heed.models.dropout import dropout_mask


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.999, 1 - 1e-9])
def test_the_share_is_dropped_and_the_rest_is_scaled(share: float) -> None:
    """Catches a share taken for its complement, an infinite scale for a share near 1, and a changed mean."""
    torch.manual_seed(1)
    mask = dropout_mask(torch.zeros(()), (1001, 999), share)
    assert mask is not None
    left = mask[mask > 0]
    assert 1 - len(left) / mask.numel() == pytest.approx(share, abs=0.003)
    torch.testing.assert_close(left, torch.full_like(left, 1 / (1 - round(share * 2**16) / 2**16 or 2**-16)))


def test_values_are_dropped_independently() -> None:
    """Catches correlated values: four values are drawn from the same 64 random bits."""
    torch.manual_seed(1)
    mask = dropout_mask(torch.zeros(()), (100_000, 4), 0.5)
    assert mask is not None
    correlation = (mask > 0).float().T.corrcoef() - torch.eye(4)
    assert float(correlation.abs().max()) < 0.02
