"""Matrix products in a type of their own, between tensors of another."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def product(
    x: Float[Tensor, "*shape inputs"], weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None
) -> Float[Tensor, "*shape outputs"]:
    """W x + b. Where W is of another type than x: multiplied in that of W, rounded to it, and given back in that of x.

    Where the types are one, the product is torch's, in autocast's type under autocast.
    """
    if weight.dtype == x.dtype:
        return nn.functional.linear(x, weight, bias)
    return nn.functional.linear(x.to(weight.dtype), weight, bias).to(x.dtype)


class Linear(nn.Linear):
    """`torch.nn.Linear`, whose weights may be of a smaller type than what it reads and writes."""

    def forward(self, input: Float[Tensor, "*shape inputs"]) -> Float[Tensor, "*shape outputs"]:
        """W x + b."""
        return product(input, self.weight, self.bias)


def keep_weights_in(dtype: torch.dtype, layer: nn.Module) -> None:
    """Let the layer's own weights, not those of modules in it, be of `dtype`, for use without training.

    A weight that it shares with another layer is shared no longer: the other keeps all its digits.
    """
    for name, parameter in list(layer.named_parameters(recurse=False)):
        setattr(layer, name, nn.Parameter(parameter.detach().to(dtype), requires_grad=False))


def multiplies_bfloat16(device: torch.device | str) -> bool:
    """Whether the device has instructions for products in bfloat16: emulated, they are slower than float32's."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities() if kind == "cpu" else {}
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
