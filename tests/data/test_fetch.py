"""Downloads of Multi30k, with small files of the same names, from a real server that can misbehave."""

import errno
import fcntl
import gzip
import hashlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from heed import bundle
from heed.data import fetch, progress
from heed.data.fetch import multi30k
from heed.data.named import own_corpus
from heed.data.readers import read_corpus
from heed.errors import UserError
from heed.models.seq2seq import Seq2Seq
from tests.support.commands import forked

LINES = 50
CACHE = Path("cache/multi30k")  # relative to `tmp_path`, the working directory of these tests
TESTS: dict[Any, str] = {
    2016: "test_2016_flickr",
    2017: "test_2017_flickr",
    2018: "test_2018_flickr",
    "coco": "test_2017_mscoco",
}
STRANGE = b"<html>Please log in</html>"


def part_of(name: str) -> Path:
    """The path of a partial download; a browser's `NAME.part` is a different file."""
    return CACHE / f".{name}.heed-part"


class Server(ThreadingHTTPServer):
    """Serves `files`; `asked` are the names and ranges of all requests.

    It waits for a second request: at most `pause` seconds before an answer, and `silence` seconds after its last byte.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.status: int | None = None
        self.ranges = True
        self.cut: int | None = None
        self.encoding = "identity"
        self.pause = 0.0
        self.silence = 0.0
        self.another = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/raw"

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        place, _, name = self.path.rpartition("/")
        self.server.asked.append((name, self.headers["Range"]))
        if len(self.server.asked) > 1:
            self.server.another.set()
        self.server.another.wait(self.server.pause)
        if self.server.status or place != "/raw" or name not in self.server.files:
            self.send_error(self.server.status or 404)
            return
        self._answer(self.server.files[name])

    def _answer(self, content: bytes) -> None:
        asked = self.headers["Range"] if self.server.ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Encoding", self.server.encoding)
        self.end_headers()
        self.wfile.write(content[start:][: self.server.cut])
        self.server.another.wait(self.server.silence)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """All files, with a few lines each, and their digests."""
    texts = {name: "".join(f"{name} {number}\n" for number in range(LINES)) for name in fetch.DIGESTS}
    content = {name: gzip.compress(text.encode(), mtime=0) for name, text in texts.items()}
    digests = {
        name: hashlib.new(fetch.ALGORITHMS[len(fetch.DIGESTS[name])], data).hexdigest()
        for name, data in content.items()
    }
    monkeypatch.setattr(fetch, "DIGESTS", digests)
    return content


@pytest.fixture
def server(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of the files; the test works in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HEED_CACHE", "cache")
    with Server() as serving:
        serving.files = dict(files)
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def root(files: dict[str, bytes], tmp_path: Path) -> Path:
    """A read-only copy of the files, as a user may have."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    folder.chmod(0o555)
    return folder


def test_every_pair_is_the_text_of_its_languages_line_by_line(server: Server) -> None:
    """Catches sides that are exchanged, a split read as another, and a file without a digest."""
    for pair, (test, test_stem) in product(("en-de", "en-fr", "de-en", "fr-en"), TESTS.items()):
        corpus = multi30k(pair=pair, test=test, url=server.url)
        src, tgt = pair.split("-")
        assert (corpus.src_lang, corpus.tgt_lang) == (src, tgt)
        for split, stem in (("train", "train"), ("valid", "val"), ("test", test_stem)):
            pairs = corpus.read(split)
            assert pairs.src == [f"{stem}.{src}.gz {number}" for number in range(LINES)]
            assert pairs.tgt == [f"{stem}.{tgt}.gz {number}" for number in range(LINES)]
    assert sorted(server.names) == sorted(server.files)


def test_only_files_that_are_read_are_fetched_and_each_once(
    server: Server, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Catches an evaluation that fetches the training split, a cache that is not used, and terms logged twice."""
    multi30k(url=server.url)
    assert server.asked == []
    multi30k(url=server.url).read("test")
    multi30k(url=f"{server.url}/").read("valid")
    first = list(server.asked)
    assert first == [(f"{stem}.{lang}.gz", None) for stem in ("test_2016_flickr", "val") for lang in ("en", "de")]
    multi30k(url=server.url).read("test")
    multi30k(pair="de-en", url=server.url).read("valid")
    assert server.asked == first
    assert sorted(path.name for path in CACHE.iterdir()) == [".lock", *sorted(server.names)]
    assert capsys.readouterr() == ("", "")  # printing is for commands
    assert caplog.text.count("non-commercial research") == 1


def test_progress_is_reported_in_bytes_to_the_end(server: Server, files: dict[str, bytes]) -> None:
    """Catches a bar that never fills, and a bar that starts at zero for a resumed download."""
    server.cut = 40
    with pytest.raises(UserError):
        multi30k(url=server.url).read("valid")
    server.cut = None
    reports: list[tuple[str, int, int | None]] = []
    with progress.shown_by(lambda *report: reports.append(report)):
        multi30k(url=server.url).read("valid")
    sizes = {f"bytes of {name}": len(files[name]) for name in ("val.en.gz", "val.de.gz")}
    assert {name: max(done for other, done, _ in reports if other == name) for name in sizes} == sizes
    assert reports[0][1] > 40
    assert all(total == sizes[name] for name, _, total in reports)


def test_a_file_system_without_locks_is_fetched_into(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches an error on network file systems and in containers that do not support locks."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert len(multi30k(url=server.url).read("valid")) == LINES
    assert "cannot be locked" in caplog.text


def test_a_wrong_file_is_refused_and_leaves_nothing(server: Server) -> None:
    """Catches a login page, or an altered file, that is used as the corpus or that blocks later downloads."""
    server.files["val.de.gz"] = STRANGE
    found, expected = hashlib.sha256(STRANGE).hexdigest()[:12], fetch.DIGESTS["val.de.gz"][:12]
    with pytest.raises(UserError, match=f"{server.url}/val.de.gz .*{found}, expected {expected}; .*corpus.url"):
        multi30k(url=server.url).read("valid")
    assert not list(CACHE.glob("val.de.gz*"))
    server.files["val.de.gz"] = server.files["val.fr.gz"]
    with pytest.raises(UserError, match="not the published file"):
        multi30k(url=server.url).read("valid")


@pytest.mark.parametrize("place", ["server", "root"])
def test_a_wrong_file_of_a_later_test_set_is_refused(server: Server, root: Path, place: str) -> None:
    """Catches files whose digest, of another algorithm, is not compared."""
    name, settings = "test_2018_flickr.fr.gz", {"root": str(root)} if place == "root" else {"url": server.url}
    server.files[name] = STRANGE
    root.chmod(0o755)
    (root / name).write_bytes(STRANGE)
    expected = rf"{name} is not .* its md5 begins with {hashlib.md5(STRANGE).hexdigest()[:12]}, expected"
    with pytest.raises(UserError, match=expected):
        read_corpus({"reader": "multi30k", "pair": "en-fr", "test": 2018, **settings}).read("test")
    assert len(read_corpus({"reader": "multi30k", "pair": "en-fr", "test": 2017, **settings}).read("test")) == LINES


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_resumed(server: Server, files: dict[str, bytes], ranges: bool) -> None:
    """Catches a part used as the whole, bytes fetched twice, and a whole file appended if the server has no ranges."""
    server.cut, server.ranges = 40, ranges
    for _ in range(3):
        with pytest.raises(UserError, match=r"train.en.gz cannot be downloaded .*the same command resumes"):
            multi30k(url=server.url).read("train")
        assert not (CACHE / "train.en.gz").exists()
    received = 120 if ranges else 40
    assert part_of("train.en.gz").read_bytes() == files["train.en.gz"][:received]
    server.cut = None
    assert len(multi30k(url=server.url).read("train")) == LINES
    assert server.asked[3] == ("train.en.gz", f"bytes={received}-")
    assert (CACHE / "train.en.gz").read_bytes() == files["train.en.gz"]


@pytest.mark.parametrize("received", [0, 40])
def test_a_server_that_stops_sending_is_given_up(
    server: Server, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, received: int
) -> None:
    """Catches waiting forever, before an answer or within it, and received bytes that are thrown away."""
    name = "test_2016_flickr.en.gz"
    server.cut = received
    server.pause, server.silence = (10.0, 0.0) if received == 0 else (0.0, 10.0)
    with monkeypatch.context() as impatient:
        impatient.setattr(fetch, "SILENCE", 0.5)
        with pytest.raises(UserError, match=rf"^{server.url}/{name} cannot be downloaded \(timed out\); .*corpus.root"):
            multi30k(url=server.url).read("test")
    part = part_of(name)
    assert (part.read_bytes() if part.exists() else b"") == files[name][:received]
    server.cut = None
    assert len(multi30k(url=server.url).read("test")) == LINES
    assert server.asked[:2] == [(name, None), (name, f"bytes={received}-" if received else None)]


def test_a_complete_part_is_used(server: Server, files: dict[str, bytes]) -> None:
    """Catches a complete part of a killed fetch that blocks later ones, and a part with wrong content that is used."""
    CACHE.mkdir(parents=True)
    part_of("val.en.gz").write_bytes(files["val.en.gz"])
    part_of("val.de.gz").write_bytes(STRANGE * 1000)
    with pytest.raises(UserError, match=r"val.de.gz is not the published file"):
        multi30k(url=server.url).read("valid")
    assert len(multi30k(url=server.url).read("valid")) == LINES


def test_a_server_that_calls_gzip_an_encoding_changes_nothing(server: Server) -> None:
    """Catches files that are unpacked because a mirror calls gzip an encoding, so that their digests are wrong."""
    server.encoding = "gzip"
    assert len(multi30k(url=server.url).read("valid")) == LINES


def test_processes_that_start_together_fetch_once(server: Server) -> None:
    """Catches two runs that write into one partial file: it would contain bytes of both."""
    server.pause = 0.3  # or until the second request
    with ThreadPoolExecutor(2) as pool:
        read = [pool.submit(multi30k(url=server.url).read, "test") for _ in range(2)]
        assert [len(each.result()) for each in read] == [LINES, LINES]
    assert len(server.asked) == 2


def test_a_cached_file_is_checked_each_time(server: Server) -> None:
    """Catches a file that was altered after its download, by a full disk or by hand."""
    multi30k(url=server.url).read("test")
    (CACHE / "test_2016_flickr.en.gz").write_bytes(gzip.compress(b"other\n"))
    with pytest.raises(UserError, match=f"{CACHE}/test_2016_flickr.en.gz is not .*; remove it"):
        multi30k(url=server.url).read("test")
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [404, 500])
def test_what_a_server_refuses_is_reported_with_its_address(server: Server, status: int) -> None:
    """Catches an error page of the server that is saved as the corpus."""
    server.status = status
    with pytest.raises(UserError, match=f"{server.url}/train.en.gz answered {status} .*corpus.url.*corpus.root"):
        multi30k(url=server.url).read("train")
    assert not list(CACHE.glob("train*"))


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "nowhere", "", "http://", "http://[::1", "http://ü..x", "http://a:99999"]
)
def test_an_invalid_address_is_refused_in_one_line(server: Server, url: str) -> None:
    """Catches tracebacks from libraries, each of which raises its own type of error."""
    with pytest.raises(UserError, match="cannot be downloaded"):
        multi30k(url=url).read("test")


def test_an_unknown_host_is_reported_in_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the message of a library, about pools and retries, instead of the error of the system."""
    monkeypatch.setenv("NO_PROXY", "name.invalid")
    fault = r"^http://name\.invalid/test_2016_flickr\.en\.gz cannot be downloaded \([A-Za-z ,-]+\); .*corpus\.root=.*$"
    with pytest.raises(UserError, match=fault):
        multi30k(url="http://name.invalid/").read("test")
    assert not list(CACHE.glob("*.gz*"))


@pytest.mark.parametrize("blocked", ["cache", "cache/multi30k", "full"])
def test_a_cache_that_cannot_be_written_is_named(server: Server, tmp_path: Path, blocked: str) -> None:
    """Catches tracebacks for a read-only place or a full disk."""
    if blocked == "full":
        CACHE.mkdir(parents=True)
        part_of("test_2016_flickr.en.gz").symlink_to("/dev/full")
    else:
        Path(blocked).parent.mkdir(parents=True, exist_ok=True)
        Path(blocked).write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be written \(.*corpus.root"):
        multi30k(url=server.url).read("test")


def test_only_the_given_copy_is_read(server: Server, root: Path) -> None:
    """Catches requests or a cache despite a given copy, and unpacked files of the copy, which cannot be checked."""
    root.chmod(0o755)
    (root / "test_2016_flickr.en").write_text("other\n" * LINES, encoding="utf-8")
    (root / "test_2016_flickr.align").write_text("0-0\n" * LINES, encoding="utf-8")
    pairs = multi30k(pair="fr-en", root=str(root), url=server.url).read("test")
    assert pairs.tgt[0] == "test_2016_flickr.en.gz 0"
    assert pairs.gold is None
    assert server.asked == []
    assert not CACHE.exists()


@pytest.mark.parametrize(("content", "message"), [(None, "does not exist"), (STRANGE, "not the published file")])
def test_the_files_of_a_copy_must_be_the_published_ones(
    server: Server, root: Path, content: bytes | None, message: str
) -> None:
    """Catches a file that is fetched because the copy lacks it, and a copy with other text."""
    root.chmod(0o755)
    (root / "val.fr.gz").unlink()
    if content is not None:
        (root / "val.fr.gz").write_bytes(content)
    with pytest.raises(UserError, match=f"{root}/val.fr.gz.*{message}"):
        multi30k(pair="en-fr", root=str(root), url=server.url).read("valid")
    assert multi30k(pair="en-de", root=str(root)).read("valid").src
    assert server.asked == []


def test_an_empty_root_does_not_allow_a_download(server: Server) -> None:
    """Catches a download despite corpus.root=$DIR, if the variable DIR is empty."""
    with pytest.raises(UserError, match="does not exist"):
        multi30k(root="", url=server.url).read("test")
    assert server.asked == []


def own(folder: Path, **settings: object) -> Any:
    """A model in the folder of a run, whose about.json and config name the same corpus."""
    (folder / "model").mkdir(parents=True)
    config = {"corpus": {"_target_": "heed.data.fetch.multi30k", **settings}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return {"corpus": {"reader": "multi30k", **settings}}


@pytest.mark.parametrize("in_run", [True, False])
def test_a_model_folder_does_not_choose_the_server(server: Server, tmp_path: Path, in_run: bool) -> None:
    """Catches an untrusted model folder, or a whole run, that makes heed send requests to a server of its choice."""
    multi30k(url=server.url).read("test")
    asked = list(server.asked)
    about = own(tmp_path / "run", name="m", pair="en-de", root=None, url=f"{server.url}/strange")
    assert len(own_corpus(about, tmp_path / ("run" if in_run else "copied") / "model").read("test")) == LINES
    server.files = {}
    fetch_from_own = own_corpus(about, tmp_path / "run" / "model").splits["train"]
    assert server.url not in str(fetch_from_own)
    assert server.asked == asked


def test_a_model_folder_names_a_copy_only_if_its_run_did(server: Server, root: Path, tmp_path: Path) -> None:
    """Catches an untrusted folder that makes heed read private files, and a user's own run that loses its copy."""
    project = tmp_path / "project"
    project.mkdir()
    os.chdir(project)
    about = own(tmp_path / "run", name="m", pair="en-de", root=str(root), url=None)
    assert len(own_corpus(about, tmp_path / "run" / "model").read("test")) == LINES
    with pytest.raises(UserError, match="outside"):
        own_corpus(about, tmp_path / "copied" / "model")
    with pytest.raises(UserError, match=r"cannot be read \(pair\)"):
        own_corpus({"corpus": {"reader": "multi30k", "pair": "en-it"}}, tmp_path / "copied" / "model")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_without_a_network_the_command_ends_with_one_line(server: Server, tmp_path: Path) -> None:
    """Catches another exit code than 2, and a traceback from a library."""
    outcome = forked(tmp_path, "train", "corpus=multi30k", f"corpus.url=http://127.0.0.1:{closed_port()}")
    assert outcome.code == 2
    assert outcome.line.startswith("heed-train: http://127.0.0.1:")
    assert "/train.en.gz cannot be downloaded (Connection refused); " in outcome.line
    assert "Traceback" not in outcome.err


def test_an_unknown_pair_or_test_set_is_refused_with_the_known_ones() -> None:
    """Catches a pair that is refused only when its files are fetched."""
    with pytest.raises(UserError, match=r"^corpus.pair=en-it: should be 'en-de', 'en-fr', 'de-en' or 'fr-en'$"):
        read_corpus({"reader": "multi30k", "pair": "en-it"})
    with pytest.raises(UserError, match=r"^corpus.test=2019: should be 2016, 2017, 2018 or 'coco'$"):
        read_corpus({"reader": "multi30k", "test": 2019})


def test_a_run_is_trained_from_a_mirror_and_evaluated_without_it(server: Server, tmp_path: Path) -> None:
    """Catches a corpus that a command cannot build, and a model whose corpus cannot be found again."""
    small = [
        f"model.{size}=8"
        for size in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim", "attention.att_dim")
    ]
    few = ["subwords=word", "trainer.max_epochs=null", "trainer.max_steps=2", "trainer.validate_steps=2", "heatmaps=0"]
    corpus = ["corpus=multi30k", "corpus.pair=fr-en", f"corpus.url={server.url}"]
    trained = forked(tmp_path, "train", *corpus, *few, *small)
    assert trained.code == 0, trained.err
    assert len(server.asked) == 6
    evaluated = forked(tmp_path, "evaluate", "model=runs/multi30k-fr-en/model", "heatmaps=0", "search.max_len=2")
    assert evaluated.code == 0, evaluated.err
    assert f"multi30k-fr-en, test, {LINES} sentences" in evaluated.out
    assert len(server.asked) == 6
    for test in ("2017", "coco"):
        options = [f"corpus.test={test}", "heatmaps=0", "search.max_len=2"]
        evaluated = forked(tmp_path, "evaluate", "model=runs/multi30k-fr-en/model", *corpus, *options)
        assert evaluated.code == 0, evaluated.err
        assert f"multi30k-fr-en-{test}, test, {LINES} sentences" in evaluated.out
    assert server.names[6:] == [f"{TESTS[test]}.{lang}.gz" for test in (2017, "coco") for lang in ("fr", "en")]
    place = tmp_path / "runs/multi30k-fr-en/evaluate"
    assert sorted(path.parent.relative_to(place).as_posix() for path in place.glob("**/report.json")) == [
        "multi30k-fr-en-2017/test",
        "multi30k-fr-en-coco/test",
        "test",
    ]
    again = forked(tmp_path, "train", *corpus, *few, *small)
    assert (again.code, len(server.asked)) == (0, 10)


@pytest.mark.parametrize("tgt", ["de", "fr"])
def test_a_recipe_can_be_trained(server: Server, tmp_path: Path, tgt: str) -> None:
    """Catches settings that exclude each other or have no effect, and the language pair of the other recipe."""
    few = ["trainer.max_epochs=null", "trainer.max_steps=2", "trainer.validate_steps=2", "heatmaps=0"]
    trained = forked(tmp_path, "train", f"experiment=multi30k_en_{tgt}", f"corpus.url={server.url}", *few)
    assert trained.code == 0, trained.err
    assert {name.split(".")[1] for name in server.names} == {"en", tgt}
    found = bundle.load(tmp_path / "runs" / f"multi30k-en-{tgt}" / "model")
    model = cast(Seq2Seq, found.model)
    encoder, decoder = model.encoder, model.decoder
    assert found.src == found.tgt
    assert encoder.embedding.weight is decoder.embedding.weight is decoder.output.weight
    assert [len(norms) for norms in (encoder.norm_input, encoder.norm_hidden)] == [2, 2]
    assert all(cell.norm_hidden is not None for cell in decoder.cells)
    assert found.about["valid"]["step"] == 2


@pytest.mark.parametrize("tgt", ["de", "fr"])
def test_the_recipe_with_translations_can_be_trained(server: Server, tmp_path: Path, tgt: str) -> None:
    """Catches names of translations that do not match the how-to, and a recipe that can only be used for one pair."""
    few = ["trainer.max_steps=2", "trainer.validate_steps=2", "heatmaps=0"]
    (tmp_path / "translated").mkdir()
    for name in (f"en-{tgt}-1", f"en-{tgt}-2", f"{tgt}-en-1"):
        for lang in ("en", tgt):
            (tmp_path / "translated" / f"{name}.{lang}").write_text("".join(f"{name} {line}\n" for line in range(9)))
    forward = "forward.train=[translated/en-fr-1,translated/en-fr-2]"
    french = ["original.pair=en-fr", forward, "backward.train=translated/fr-en-1"]
    parts = [f"corpus.parts.{setting}" for setting in french if tgt == "fr"]
    recipe = ["experiment=multi30k_en_de_diversified", f"corpus.parts.original.url={server.url}", "run=student"]
    trained = forked(tmp_path, "train", *recipe, *parts, *few)
    assert trained.code == 0, trained.err
    assert {name.split(".")[1] for name in server.names} == {"en", tgt}
    assert re.search(r"original +forward +backward\n.*\n +pairs read +50 +18 +9\n", trained.out), trained.out
