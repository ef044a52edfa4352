"""Matrix products in bfloat16 between float32 tensors, for search on hardware that supports them."""

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
    """W x + b, computed in the type of W and converted back to the type of x."""
    return nn.functional.linear(x.to(weight.dtype), weight, bias).to(x.dtype)


class MixedLinear(nn.Linear):
    """`torch.nn.Linear` whose weights have a smaller type than its inputs and outputs."""

    def forward(self, input: Float[Tensor, "*shape inputs"]) -> Float[Tensor, "*shape outputs"]:
        """W x + b."""
        return product(input, self.weight, self.bias)


class MixedCell(Cell):
    """`Cell` whose weights, except those of layer normalisation, have a smaller type than inputs and outputs."""

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
    """Use bfloat16 for the matrix products of a model's steps, or of an ensemble's models; only for search.

    Results of products, including logits, are rounded to 8 bits, so sometimes two words tie for the best. Everything
    between the products is computed as before, and so are the encoding and the keys of a source. A weight that was
    shared with another layer is not shared any more; the other layer keeps full precision.
    """
    for decoder in [module for module in model.modules() if isinstance(module, Decoder)]:
        for layer in (decoder.output, decoder.readout, decoder.attention.attn_combine):
            _round(layer, MixedLinear)
        for cell in (*decoder.cells, decoder.second_cell):
            if type(cell) is Cell:
                _round(cell, MixedCell)
        if isinstance(decoder.attention.attn, Additive):
            _round(decoder.attention.attn.query, MixedLinear)


def _round(layer: nn.Module, kind: type[nn.Module]) -> None:
    """Convert a layer's weights to bfloat16 and change its class accordingly."""
    for name, parameter in list(layer.named_parameters(recurse=False)):
        setattr(layer, name, nn.Parameter(parameter.detach().bfloat16(), requires_grad=False))
    layer.__class__ = kind


@contextmanager
def cudnn_as_products() -> Iterator[None]:
    """Allow TF32 in cuDNN's GRU only if it is allowed in float32 products; by default torch always allows it."""
    rnn: Any = torch.backends.cudnn.rnn
    before = rnn.fp32_precision
    rnn.fp32_precision = "ieee" if torch.get_float32_matmul_precision() == "highest" else "tf32"
    try:
        yield
    finally:
        rnn.fp32_precision = before


def multiplies_bfloat16(device: torch.device | str) -> bool:
    """Whether the hardware supports bfloat16 products; emulated ones are slower than float32."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if kind == "cpu" else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
