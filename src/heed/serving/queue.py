"""A bounded queue of requests, and the thread that runs the models on batches of them."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from heed.errors import UserError
from heed.serving.groups import Group
from heed.serving.limits import Batching, Limits
from heed.serving.meters import Meters

log = logging.getLogger(__name__)


class Full(Exception):
    """Too many sentences are waiting."""


class Late(Exception):
    """The time limit of a request was reached."""


class Fault(Exception):
    """An internal error, which is logged."""


class Abandoned(Exception):
    """All clients of the running batch have disconnected."""


class Asked(NamedTuple):
    """A request and its cost: the numbers of sentences and of attention weights, which take most of the memory."""

    group: Group
    item: Any
    sentences: int
    weights: int


@dataclass(eq=False)
class Work:
    """A request in the queue; `deadline` and `arrived` are times of `time.monotonic`."""

    asked: Asked
    deadline: float
    arrived: float = field(default_factory=time.monotonic)
    answer: "asyncio.Future[bytes]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    dropped: bool = False

    def over(self) -> bool:
        """Whether the answer is not needed any more."""
        return self.dropped or time.monotonic() > self.deadline


class Queue:
    """Waiting work, in order of arrival, except that later work of the same group is run in the same batch.

    `add` and `drop` are called in the event loop; a thread takes the work and runs it.
    """

    def __init__(self, batching: Batching, limits: Limits, meters: Meters) -> None:
        self._batching, self._limits, self._meters = batching, limits, meters
        self._changed = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._sentences = 0
        self._open = True
        self._thread = threading.Thread(target=self._work, name="heed-model", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the waiting work, then end the thread."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def add(self, work: Work) -> None:
        """Append work.

        Raises:
            Full: too many sentences are waiting.
        """
        with self._changed:
            if self._sentences + work.asked.sentences > self._limits.waiting:
                raise Full
            self._waiting.append(work)
            self._count(work.asked.sentences)
            self._changed.notify()

    def drop(self, work: Work) -> None:
        """Remove work whose answer is not needed; if it is running, it ends with its batch."""
        work.dropped = True
        with self._changed:
            if work in self._waiting:
                self._waiting.remove(work)
                self._count(-work.asked.sentences)

    def _count(self, more: int) -> None:
        self._sentences += more
        self._meters.waiting.set(self._sentences)

    def _work(self) -> None:
        while batch := self._next():
            answers = _run(batch)
            model, sentences = batch[0].asked.group.model, sum(work.asked.sentences for work in batch)
            self._meters.ran(model, len(batch), sentences)
            _deliver(batch, answers)

    def _next(self) -> list[Work]:
        """The work to run next, all of one group; empty if the queue is closed and empty."""
        batch: list[Work] = []
        with self._changed:
            while not batch and self._await_first():
                self._await_others()
                batch = self._take() if self._waiting else []
        return batch

    def _await_first(self) -> bool:
        """Wait until there is work; return false if the queue is closed."""
        while self._open and not self._waiting:
            self._changed.wait()
        return bool(self._waiting)

    def _await_others(self) -> None:
        """Wait for more work of the same group, if the first request has just arrived."""
        until = self._waiting[0].arrived + self._batching.milliseconds / 1000
        while self._open and 0 < self._sentences < self._batching.sentences:
            seconds = until - time.monotonic()
            if seconds <= 0:
                return
            self._changed.wait(seconds)

    def _take(self) -> list[Work]:
        """Take the first work and all that can be run in the same batch."""
        first, *others = self._waiting
        taken, sentences, weights = [first], first.asked.sentences, first.asked.weights
        for work in others:
            asked = work.asked
            fits = (
                sentences + asked.sentences <= self._batching.sentences
                and weights + asked.weights <= self._limits.weights
            )
            if fits and asked.group == first.asked.group:
                taken.append(work)
                sentences, weights = sentences + asked.sentences, weights + asked.weights
        chosen = set(map(id, taken))
        self._waiting = deque(work for work in self._waiting if id(work) not in chosen)
        self._count(-sentences)
        return [work for work in taken if not work.over()]


def _run(batch: list[Work]) -> list[bytes | Exception]:
    """Run a batch and set answers or errors. If it fails, run its requests separately, so that others succeed."""

    def check(*_: object) -> None:
        if all(work.over() for work in batch):
            raise Abandoned

    try:
        return [*batch[0].asked.group.run([work.asked.item for work in batch], check)]
    except Abandoned:
        return [Late()] * len(batch)
    except Exception as error:
        if len(batch) > 1:
            return [answer for work in batch for answer in _run([work])]
        if isinstance(error, UserError):
            return [error]
        log.exception("a request failed")
        return [Fault()]


def _deliver(batch: Sequence[Work], answers: Sequence[bytes | Exception]) -> None:
    def hand_over() -> None:
        for work, answer in zip(batch, answers, strict=True):
            if work.answer.done():
                continue
            if isinstance(answer, Exception):
                work.answer.set_exception(answer)
                work.answer.exception()  # otherwise asyncio logs it if the client has disconnected
            else:
                work.answer.set_result(answer)

    try:
        batch[0].answer.get_loop().call_soon_threadsafe(hand_over)
    except RuntimeError:  # the event loop has ended, so no client is waiting
        log.warning("%d answers were too late, after the end of the server", len(batch))
