"""Compare alignments by every method of heed with those of statistical aligners, on the same text in one run.

    measure.py hansards DATA     models of Tatoeba and the raw text of the Hansards, scored on 447 pairs with gold links
    measure.py multi30k DATA     models of captions, English and German, scored against eflomal's links on test 2016

DATA is a folder with hansards.{en,fr,align} and tatoeba.fra-eng.zip, or with the files of Multi30k. All results are
written below --work. Existing results are used again, so that the same command continues after an interruption.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from heed.attribution import Method
from heed.data.fetch import multi30k
from heed.data.lines import read_lines
from heed.files import write_whole
from heed.maps import MERGES, Symmetrisation, link_words
from heed.metrics.alignment import Gold, Links, alignment_scores, read_pharaoh, write_pharaoh
from heed.metrics.symmetrisation import transpose
from heed.translator import load

HERE = Path(__file__).parent

NEEDS = ("sacremoses==0.2.0", "eflomal==2.0.0", "sil-thot==3.5.3")

COUNTING = ("eflomal", "hmm", "fast_align")

COPIES = 8
"""How often heed reads the 447 pairs in an epoch; Tatoeba has 373 times as many. Chosen before anything was scored."""

SAMPLE = 4
"""Self-training uses one of this many pairs of Tatoeba, because aligning all of them takes longer than training."""

METHODS = get_args(Method)


Recipe = Callable[[str, str], Sequence[str]]
"""A function from a source and a target language to the settings of heed-train; the experiment comes first."""


@dataclass(frozen=True)
class Bitext:
    """The text to align, and how heed is trained for it.

    `whole` names the two files that the other aligners read; their last lines are the pairs to score. `recipe` gives
    the settings of heed-train for a run of one direction. `further` gives those of self-training on the text of two
    files.
    """

    languages: tuple[str, str]
    whole: Sequence[Path]
    sources: Sequence[str]
    targets: Sequence[str]
    recipe: Recipe
    further: Recipe
    further_text: Sequence[Path]


class Row(NamedTuple):
    """A system, how its directions were combined, its scores, and the minutes of training and aligning."""

    system: str
    links: str
    aer: float
    precision: float
    recall: float
    minutes: float


class Linked(NamedTuple):
    """Links for each way to combine the directions, source word first, and the minutes that they took."""

    links: dict[str, list[Links]]
    minutes: float


def main() -> None:
    """Measure, write the rows to a file, and print them."""
    given = arguments()
    work: Path = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    measured = hansards if given.text == "hansards" else captions
    rows = list(measured(given, work, environment(work)))
    write_whole(work / f"{given.text}.json", json.dumps([row._asdict() for row in rows], indent=1) + "\n")
    print("| system | links | AER | precision | recall | minutes |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.system} | {row.links} | " + " | ".join(f"{n:.3f}" for n in row[2:5]) + f" | {row.minutes:.1f} |")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", choices=["hansards", "multi30k"])
    parser.add_argument("data", type=Path)
    parser.add_argument("overrides", nargs="*", help="settings of heed-train, such as trainer.max_epochs=2")
    parser.add_argument("--work", type=Path, default=Path("alignment"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--models", nargs=2, type=resolved, help="trained model folders of both directions")
    parser.add_argument("--without", action="store_true", help="hansards: also models that are not trained on its text")
    parser.add_argument("--self-train", action="store_true", help="also models trained on links of the first models")
    return parser.parse_intermixed_args()


def resolved(path: str) -> Path:
    """The absolute path."""
    return Path(path).resolve()


# the two texts


def hansards(given: argparse.Namespace, work: Path, python: Path) -> Iterator[Row]:
    """Rows for the 447 pairs with gold links."""
    text = work / "text"
    remembered(text / "seconds.json", lambda: timed([python, HERE / "text.py", given.data.resolve(), text]))
    english, french = (read_lines(text / f"hansards.{language}") for language in ("en", "fr"))
    whole = tuple(text / f"whole.{language}" for language in ("en", "fr"))
    taught = tuple(text / f"taught.{language}" for language in ("en", "fr"))
    for path, some in zip(whole, taught, strict=True):
        pairs, own = (read_lines(path.with_stem(stem)) for stem in ("tatoeba", "hansards"))
        write_lines(path, [*pairs, *own])
        write_lines(some, [*pairs[::SAMPLE], *own * COPIES])

    def recipe(*stems: str) -> Recipe:
        parts = ",".join(str(text / stem) for stem in stems)
        return lambda src, tgt: (
            *("experiment=tatoeba_en_fr", "corpus=files", f"corpus.name=hansards-{src}-{tgt}"),
            *(f"corpus.src_lang={src}", f"corpus.tgt_lang={tgt}", f"corpus.train=[{parts}]"),
            *(f"corpus.valid={text / 'valid'}", "cleaning.keep_duplicates=true"),
        )

    def bitext(copies: int) -> Bitext:
        first = recipe("tatoeba", *["hansards"] * copies)
        return Bitext(("en", "fr"), whole, english, french, first, recipe("taught"), taught)

    gold = [read_pharaoh(line) for line in read_lines(given.data / "hansards.align")]
    for name in COUNTING:
        yield from rows(name, counted(name, bitext(COPIES), work, python), gold)
    yield from heed_rows(given, "heed", bitext(COPIES), work, gold)
    if given.without:
        once = argparse.Namespace(**{**vars(given), "self_train": False})
        yield from heed_rows(once, "heed, trained on Tatoeba only", bitext(0), work / "without", gold)


def captions(given: argparse.Namespace, work: Path, python: Path) -> Iterator[Row]:
    """Rows for the captions of 2016. Sure links are in both directions of eflomal, possible links in at least one."""
    corpus = multi30k(pair="en-de", root=str(given.data))
    train, test = corpus.read("train"), corpus.read("test")
    whole = work / "captions.en", work / "captions.de"
    taught = work / "captions.train.en", work / "captions.train.de"
    for path, some, one, other in zip(whole, taught, (train.src, train.tgt), (test.src, test.tgt), strict=True):
        write_lines(path, [*one, *other])
        write_lines(some, one)

    def recipe(src: str, tgt: str) -> Sequence[str]:
        return "experiment=multi30k_en_de", f"corpus.pair={src}-{tgt}", f"corpus.root={given.data.resolve()}"

    bitext = Bitext(("en", "de"), whole, test.src, test.tgt, recipe, recipe, taught)
    judge, *others = COUNTING
    sides = counted(judge, bitext, work, python)
    gold = [Gold(one, other) for one, other in zip(*map(sides.links.get, ("intersection", "union")), strict=True)]
    for name in others:
        yield from rows(name, counted(name, bitext, work, python), gold)
    yield from heed_rows(given, "heed", bitext, work, gold)


# systems


def counted(name: str, bitext: Bitext, work: Path, python: Path) -> Linked:
    """The links of a statistical aligner that reads the whole text, for the pairs to score."""
    paths = work / f"{name}.forward", work / f"{name}.backward"
    command = [python, HERE / "aligners.py", name, *bitext.whole, *paths]
    minutes = remembered(work / f"{name}.json", lambda: timed(command))
    own = [path.read_text(encoding="utf-8").splitlines()[-len(bitext.sources) :] for path in paths]
    forward, backward = ([read_pharaoh(line).sure for line in lines] for lines in own)
    each = {"forward": forward, "backward": backward}
    for how, merge in MERGES.items():
        each[how] = [merge(one, other) for one, other in zip(forward, backward, strict=True)]
    return Linked(each, minutes)


def heed_rows(given: argparse.Namespace, name: str, bitext: Bitext, work: Path, gold: Sequence[Gold]) -> Iterator[Row]:
    """Rows for heed's models by every method, and for models trained on these models' links."""
    models, minutes = (given.models, 0.0) if given.models else trained(given, bitext, work)
    for method in given.methods:
        yield from rows(f"{name}, {method}", linked(method, models, bitext, work / "first", minutes), gold)
    if given.self_train:
        models, minutes = self_trained(given, bitext, work, models, minutes)
        for method in given.methods:
            linked_text = linked(method, models, bitext, work / "self", minutes)
            yield from rows(f"{name} self-trained, {method}", linked_text, gold)


def trained(given: argparse.Namespace, bitext: Bitext, work: Path) -> tuple[list[Path], float]:
    """The models of both directions, and the minutes of training both."""
    minutes = 0.0
    for src, tgt in (bitext.languages, bitext.languages[::-1]):
        minutes += train(work, f"{src}{tgt}", [*bitext.recipe(src, tgt), *given.overrides])
    return [work / "runs" / run / "model" for run in names(bitext)], minutes


def self_trained(
    given: argparse.Namespace, bitext: Bitext, work: Path, models: Sequence[Path], minutes: float
) -> tuple[list[Path], float]:
    """The models trained further, on the links that both find in the training text."""
    links = [work / f"{run}.align" for run in names(bitext)]
    align = ["align", f"model={models[0]}", f"reverse={models[1]}", "method=posterior", "symmetrisation=agreement"]
    texts = [f"source={bitext.further_text[0]}", f"target={bitext.further_text[1]}"]
    command = heed([*align, *texts, f"output={links[0]}"])
    minutes += remembered(work / f"{links[0].name}.json", partial(timed, command, work))
    turned = (write_pharaoh(transpose(read_pharaoh(line).sure)) for line in read_lines(links[0]))
    write_lines(links[1], list(turned))
    for (src, tgt), model, own in zip((bitext.languages, bitext.languages[::-1]), models, links, strict=True):
        experiment, *settings = bitext.further(src, tgt)
        both = experiment.replace("=", "=[") + ",self_trained]"
        further = [f"init_from={model}", f"guided_links={own}", *given.overrides]
        minutes += train(work, f"{src}{tgt}-self", [both, *settings, *further])
    return [work / "runs" / f"{run}-self" / "model" for run in names(bitext)], minutes


def names(bitext: Bitext) -> list[str]:
    """The names of the runs of both directions."""
    src, tgt = bitext.languages
    return [src + tgt, tgt + src]


def train(work: Path, run: str, settings: Sequence[str]) -> float:
    """Train a run, unless it is finished; return its minutes."""
    work.mkdir(parents=True, exist_ok=True)
    command = heed(["train", *settings, f"run={run}", f"runs={work / 'runs'}", "progress_bar=false"])
    minutes: float = remembered(work / f"{run}.json", lambda: timed(command, work))
    return minutes


def linked(method: Method, models: Sequence[Path], bitext: Bitext, prefix: Path, minutes: float) -> Linked:
    """The links of a method in both directions; minutes are those of this method and of training."""

    def make() -> Mapping[str, Any]:
        started = time.perf_counter()
        forward, backward = (load(model, "cpu") for model in models)
        maps = forward.maps(forward.force(bitext.sources, bitext.targets), method)
        turned = backward.maps(backward.force(bitext.targets, bitext.sources), method)
        each = {"forward": link_words(maps), "backward": [transpose(one) for one in link_words(turned)]}
        for how in get_args(Symmetrisation):
            each[how] = link_words(maps, None, turned, how)
        lines = {how: [write_pharaoh(one) for one in links] for how, links in each.items()}
        return {"links": lines, "minutes": (time.perf_counter() - started) / 60}

    stored = remembered(prefix.with_name(f"{prefix.name}.{method}.json"), make)
    links = {how: [read_pharaoh(line).sure for line in lines] for how, lines in stored["links"].items()}
    return Linked(links, minutes + stored["minutes"])


def rows(system: str, linked_text: Linked, gold: Sequence[Gold]) -> Iterator[Row]:
    """A row for each direction, and for each way to combine them."""
    for how, links in linked_text.links.items():
        yield Row(system, how, *scores(links, gold), linked_text.minutes)


def scores(links: Sequence[Links], gold: Sequence[Gold]) -> tuple[float, float, float]:
    """AER, precision, recall."""
    each = alignment_scores(links, gold)
    return each.aer, each.precision, each.recall


# files and processes


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """A text file, one sentence a line."""
    write_whole(path, "".join(f"{line}\n" for line in lines))


def environment(work: Path) -> Path:
    """The Python of an environment with the tokenizer and the other aligners; heed's own is not changed."""
    python = work / "venv" / "bin" / "python"

    def install() -> float:
        pip = [python, "-m", "pip", "install", "--quiet", *NEEDS]
        return timed([sys.executable, "-m", "venv", work / "venv"]) + timed(pip)

    remembered(work / "venv" / "installed.json", install)
    return python


def heed(arguments: Sequence[str]) -> list[str]:
    """A command of heed, run by the same Python as this script."""
    return [sys.executable, "-m", "heed", *arguments]


def timed(command: Sequence[object], folder: Path | None = None) -> float:
    """Run a command; return its minutes. CalledProcessError if it fails."""
    print("+", *command, file=sys.stderr)
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, cwd=folder)
    return (time.perf_counter() - started) / 60


def remembered(path: Path, make: Callable[[], Any]) -> Any:
    """Read this JSON file of an earlier call; if it does not exist, compute the content and write it."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(made))
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
