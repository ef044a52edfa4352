"""The counters of /metrics, with Prometheus' client library."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Meters:
    """The counters of one server. Labels are chosen by the server; clients cannot add any."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = self._counter("heed_requests", "Answers by path and status", "path", "status")
        self._seconds = Histogram(
            "heed_request_seconds", "Time of a request", ["path"], buckets=SECONDS, registry=self._registry
        )
        self._sentences = self._counter("heed_sentences", "Sentences that a model has read", "model")
        self._batches = Histogram(
            "heed_batch_requests", "Requests run together", ["model"], buckets=COUNTS, registry=self._registry
        )
        self.waiting = Gauge("heed_waiting_sentences", "Sentences that wait for a model", registry=self._registry)
        self.gone = Counter("heed_clients_gone", "Clients that left before their answer", registry=self._registry)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def ran(self, model: str, requests: int, sentences: int) -> None:
        """Count a batch."""
        self._sentences.labels(model).inc(sentences)
        self._batches.labels(model).observe(requests)

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, list(labels), registry=self._registry)
