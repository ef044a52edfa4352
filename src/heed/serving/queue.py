"""Requests in a bounded queue, and the one thread that runs the models on them, many at once."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from heed.errors import UserError
from heed.serving.limits import Batching
from heed.serving.meters import Meters

log = logging.getLogger(__name__)


class Full(Exception):
    """As many sentences wait as may wait."""


class Late(Exception):
    """The time of a request has passed."""


class Fault(Exception):
    """Something failed that no request may make fail; the log says what."""


class Group(Protocol):
    """What requests that are run together have in common; such groups are equal."""

    @property
    def model(self) -> str:
        """The name of the model."""

    def run(self, items: Sequence[Any], check: Callable[..., object]) -> list[bytes | UserError]:
        """The answer to each item, or what is wrong with it; `check` is called between batches and may raise."""


@dataclass(eq=False)
class Work:
    """A request in the queue; `deadline` and `arrived` are of `time.monotonic`."""

    group: Group
    item: Any
    sentences: int
    deadline: float
    arrived: float = field(default_factory=time.monotonic)
    answer: "asyncio.Future[bytes]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    dropped: bool = False

    def over(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.dropped or time.monotonic() > self.deadline


class Abandoned(Exception):
    """Nobody waits for any answer of a batch that is being run."""


class Queue:
    """Work that waits, first come, first served, but for later work of the same group, which is run along with it.

    `add` and `drop` are called in the event loop; a thread takes the work and runs it.
    """

    def __init__(self, batching: Batching, waiting: int, meters: Meters) -> None:
        self._batching, self._limit, self._meters = batching, waiting, meters
        self._changed = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._sentences = 0
        self._open = True
        self._thread = threading.Thread(target=self._work, name="heed-model", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end the thread."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether work is being done."""
        return self._thread.is_alive()

    def add(self, work: Work) -> None:
        """Put work at the end.

        Raises:
            Full: too many sentences wait.
        """
        with self._changed:
            if self._sentences + work.sentences > self._limit:
                raise Full
            self._waiting.append(work)
            self._count(work.sentences)
            self._changed.notify()

    def drop(self, work: Work) -> None:
        """Forget work that nobody waits for; if it is being run, it ends with its batch."""
        work.dropped = True
        with self._changed:
            if work in self._waiting:
                self._waiting.remove(work)
                self._count(-work.sentences)

    def _count(self, more: int) -> None:
        self._sentences += more
        self._meters.waiting.set(self._sentences)

    def _work(self) -> None:
        while batch := self._next():
            answers = _run(batch)
            self._meters.ran(batch[0].group.model, len(batch), sum(work.sentences for work in batch))
            _deliver(batch, answers)

    def _next(self) -> list[Work]:
        """The work to run now, all of one group; nothing if the queue is closed and empty."""
        batch: list[Work] = []
        with self._changed:
            while not batch and self._await_first():
                self._await_others()
                batch = self._take() if self._waiting else []
        return batch

    def _await_first(self) -> bool:
        """Wait until there is work; false if there will be none."""
        while self._open and not self._waiting:
            self._changed.wait()
        return bool(self._waiting)

    def _await_others(self) -> None:
        """Wait, if the first has only just come, for more that can be run along with it."""
        until = self._waiting[0].arrived + self._batching.milliseconds / 1000
        while self._open and 0 < self._sentences < self._batching.sentences:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _take(self) -> list[Work]:
        first, taken, total = self._waiting[0], [], 0
        for work in list(self._waiting):
            fits = total + work.sentences <= self._batching.sentences
            if work is first or (fits and work.group == first.group):
                taken.append(work)
                total += work.sentences
        for work in taken:
            self._waiting.remove(work)
        self._count(-total)
        return [work for work in taken if not work.over()]


def _run(batch: list[Work]) -> list[bytes | Exception]:
    """The answer to each, or what went wrong. Where a batch fails, each is run alone: one must not spoil the others."""

    def check(*_: object) -> None:
        if all(work.over() for work in batch):
            raise Abandoned

    try:
        return [*batch[0].group.run([work.item for work in batch], check)]
    except UserError as error:
        return [error] * len(batch)
    except Abandoned:
        return [Late()] * len(batch)
    except Exception:
        if len(batch) > 1:
            return [answer for work in batch for answer in _run([work])]
        log.exception("a request failed")
        return [Fault()]


def _deliver(batch: Sequence[Work], answers: Sequence[bytes | Exception]) -> None:
    def hand_over() -> None:
        for work, answer in zip(batch, answers, strict=True):
            if work.answer.done():
                continue
            if isinstance(answer, Exception):
                work.answer.set_exception(answer)
                work.answer.exception()  # read, or asyncio logs one that nobody waits for
            else:
                work.answer.set_result(answer)

    try:
        batch[0].answer.get_loop().call_soon_threadsafe(hand_over)
    except RuntimeError:  # the loop has ended, and with it everybody who waited
        log.warning("%d answers came after the end", len(batch))
