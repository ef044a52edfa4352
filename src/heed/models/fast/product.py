"""Matrix products in bfloat16 between tensors of float32, for search on hardware that has instructions for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heed.models.attention import Additive
from heed.models.cell import Cell
from heed.models.decoder import Decoder


def product(
    x: Float[Tensor, "*shape inputs"], weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None
) -> Float[Tensor, "*shape outputs"]:
    """W x + b, multiplied in the type of W, rounded to it, and given back in the type of x."""
    return nn.functional.linear(x.to(weight.dtype), weight, bias).to(x.dtype)


class MixedLinear(nn.Linear):
    """`torch.nn.Linear` whose weights are of a smaller type than what it reads and writes."""

    def forward(self, input: Float[Tensor, "*shape inputs"]) -> Float[Tensor, "*shape outputs"]:
        """W x + b."""
        return product(input, self.weight, self.bias)


class MixedCell(Cell):
    """`Cell` whose weights, but for layer normalisation, are of a smaller type than what it reads and writes."""

    def forward(  # type: ignore[override]
        self,
        inputs: Float[Tensor, "batch input"],
        state: Float[Tensor, "batch hid"],
        masked_state: Float[Tensor, "batch hid"] | None = None,
    ) -> Float[Tensor, "batch hid"]:
        """The state after `inputs`."""
        x = product(inputs, self.weight_ih, self.bias_ih)
        s = product(state if masked_state is None else masked_state, self.weight_hh, self.bias_hh)
        return self.update(x, s, state)


def multiply_in_bfloat16(model: nn.Module) -> None:
    """Let the products of a model's steps, or of each model of an ensemble, be in bfloat16, for search alone.

    What a product gives is rounded to 8 bits, logits among them, so that now and then two words tie for the best.
    Everything between the products is computed as before, and so is what a source costs once: its encoding and keys.
    A weight that was shared with another layer is shared no longer: the other keeps all its digits.
    """
    for decoder in [module for module in model.modules() if isinstance(module, Decoder)]:
        for layer in (decoder.output, decoder.readout, decoder.attention.attn_combine):
            _round(layer, MixedLinear)
        for cell in decoder.cells:
            if type(cell) is Cell:
                _round(cell, MixedCell)
        if isinstance(decoder.attention.attn, Additive):
            _round(decoder.attention.attn.query, MixedLinear)


def _round(layer: nn.Module, kind: type[nn.Module]) -> None:
    """Give a layer bfloat16 weights, and the forward pass that goes with them."""
    for name, parameter in list(layer.named_parameters(recurse=False)):
        setattr(layer, name, nn.Parameter(parameter.detach().bfloat16(), requires_grad=False))
    layer.__class__ = kind


@contextmanager
def cudnn_as_products() -> Iterator[None]:
    """Let cuDNN's GRU round its products to TF32 only if those of float32 may be: by default torch lets it always."""
    rnn: Any = torch.backends.cudnn.rnn
    before = rnn.fp32_precision
    rnn.fp32_precision = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    try:
        yield
    finally:
        rnn.fp32_precision = before


def multiplies_bfloat16(device: torch.device | str) -> bool:
    """Whether the device has instructions for products in bfloat16: emulated, they are slower than float32's."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if kind == "cpu" else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
