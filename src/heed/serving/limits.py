"""Limits of requests, and how requests are combined to batches."""

from dataclasses import dataclass

from heed.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Limits of one request.

    Args:
        sentences: sentences in a request.
        characters: characters of a sentence, a prefix or a target.
        beam_size: width of a beam, and translations of a sentence.
        max_len: subwords of a translation, if a request sets `max_len`.
        weights: attention weights that are computed: for each translation, the subwords of its source times its own
            largest number of subwords; ten times that if attention is requested. Each takes about 16 bytes.
        seconds: time from the request's last byte to the answer's first, after which the answer is 504. A client has
            the same time to send its request.
        waiting: waiting sentences of all requests together, above which the answer is 503.
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
        if self.waiting < 2 * self.sentences:  # requests to align in both directions count twice
            raise UserError(
                f"limits.waiting={self.waiting}: too small for a request with limits.sentences={self.sentences}; "
                f"expected at least {2 * self.sentences}"
            )

    @property
    def body(self) -> int:
        """The largest size of a request in bytes: twice its characters, of up to twelve bytes in JSON, and settings."""
        return 2 * 12 * self.sentences * self.characters + 2**16


@dataclass(frozen=True)
class Batching:
    """How requests are combined to batches.

    Args:
        sentences: the largest number of sentences that are translated together; with 1, requests are never combined.
        milliseconds: how long the first request of a batch waits for others, if the model is idle.
    """

    sentences: int = 128
    milliseconds: float = 3.0

    def __post_init__(self) -> None:
        if self.sentences < 1:
            raise UserError(f"batching.sentences={self.sentences}: expected 1 or more")
        if not 0 <= self.milliseconds <= 1000:
            raise UserError(f"batching.milliseconds={self.milliseconds}: expected 0 to 1000")
