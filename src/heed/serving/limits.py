"""What a request may ask for, and how requests are put together."""

from dataclasses import dataclass

from heed.errors import UserError


@dataclass(frozen=True)
class Limits:
    """The most that one request may cost.

    Args:
        sentences: sentences of a request.
        characters: characters of a sentence, of a prefix, of a target.
        beam_size: width of a beam, and translations of a sentence.
        max_len: pieces of a translation, if a request sets their most (`max_len`) or their fewest (`min_len`).
        weights: attention weights that are computed: of each translation the pieces of its source times those that it
            may have itself; ten times as many if the request asks for the attention. Each takes about 16 bytes.
        seconds: from the request's last byte to the answer's first; then 504. A client has as long to send its request.
        waiting: sentences that wait for their turn, of all requests together; beyond it 503.
    """

    sentences: int = 64
    characters: int = 1000
    beam_size: int = 16
    max_len: int = 1000
    weights: int = 20_000_000
    seconds: float = 30.0
    waiting: int = 1024

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise UserError(f"limits.{name}={value}: expected more than 0")
        if self.waiting < 2 * self.sentences:  # a request to align in both directions counts twice
            raise UserError(
                f"limits.waiting={self.waiting}: a request of limits.sentences={self.sentences} could not always wait; "
                f"expected at least {2 * self.sentences}"
            )

    @property
    def body(self) -> int:
        """Bytes of a request: twice its characters, each twelve bytes as JSON may escape it; and its settings."""
        return 2 * 12 * self.sentences * self.characters + 2**16


@dataclass(frozen=True)
class Batching:
    """How requests become one batch.

    Args:
        sentences: sentences that are translated together at most; with 1, every request is translated alone.
        milliseconds: how long the first request of a batch waits for others, if the model is idle.
    """

    sentences: int = 128
    milliseconds: float = 3.0

    def __post_init__(self) -> None:
        if self.sentences < 1:
            raise UserError(f"batching.sentences={self.sentences}: expected 1 or more")
        if not 0 <= self.milliseconds <= 1000:
            raise UserError(f"batching.milliseconds={self.milliseconds}: expected 0 to 1000")
