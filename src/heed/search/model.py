"""What search asks of a model."""

from typing import Protocol, TypeVar, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

Self = TypeVar("Self", bound="Rows")


@runtime_checkable
class Rows(Protocol):
    """Something with a row for each sentence: a decoder's state, or what it attends to."""

    def select(self: Self, index: Int[Tensor, " chosen"]) -> Self:
        """The rows at `index`, in that order; a row may be chosen more than once."""


State = TypeVar("State", bound=Rows)
Memory = TypeVar("Memory", bound=Rows)


@runtime_checkable
class Model(Protocol[State, Memory]):
    """All that a search knows of a model: a `Seq2Seq` is one, and several of them are one as an `Ensemble`."""

    def encode(self, src: Int[Tensor, "batch src"], src_len: Int[Tensor, " batch"]) -> tuple[State, Memory]:
        """The state before the first word, and what will be attended to."""

    def step(
        self, token: Int[Tensor, " batch"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "batch vocab"], State, Float[Tensor, "batch src"]]:
        """Logits of the next word, the state after `token`, and the attention weights that belong to the next word."""
