"""The interface of a model that searches use."""

from typing import Protocol, TypeVar, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

Self = TypeVar("Self", bound="Rows")


@runtime_checkable
class Rows(Protocol):
    """An object with a row for each sentence: a decoder's state, or the memory that it attends to."""

    def select(self: Self, index: Int[Tensor, " chosen"]) -> Self:
        """The rows at `index`, in this order; rows may be repeated."""


State = TypeVar("State", bound=Rows)
Memory = TypeVar("Memory", bound=Rows)


@runtime_checkable
class Model(Protocol[State, Memory]):
    """The methods that a search needs; `Seq2Seq`, `Ensemble` and `OnnxModel` have them."""

    def encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, Memory]:
        """Encode sources: the state before the first subword, and the memory to attend to."""

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Logits of the next subword, the state after `token`, and the attention weights of the next subword."""
