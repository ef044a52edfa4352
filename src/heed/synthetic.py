"""Synthetic parallel text: a split of a corpus with one side translated by a model.

    import heed
    from heed.synthetic import translate_split
    translate_split(heed.load("runs/en-de/model"), split="train", output="translated/en-de", search="beam")

A model of the corpus's direction writes new targets (Kim and Rush 2016, arXiv 1606.07947), one of the other direction
new sources (Sennrich et al. 2016, arXiv 1511.06709). Both are then corpora for `corpus=files`, alone or in a mix.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Literal, get_args

from heed import arguments
from heed.bundle import weights_digest
from heed.data.corpus import Corpus, Pairs
from heed.data.named import own_corpus
from heed.data.prepared import fingerprint
from heed.data.progress import report
from heed.data.provenance import Provenance, from_json, provenance_path, read_provenance
from heed.errors import UserError
from heed.files import PART, AlreadyLocked, locked, remove_parts, write_whole
from heed.metrics.bleu import sentence_bleu, sentence_chrf
from heed.search.registry import search as search_named
from heed.translation import Translation
from heed.translator import Translator

BLOCK = 1000
"""Lines that are translated at once, and stored once they are: an interruption loses so many at most."""

Closeness = Literal["bleu", "chrf"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Text:
    """The lines that a model translates, and those that the corpus has in the language of the translations."""

    sources: Sequence[str]
    originals: Sequence[str]
    digest: str


def translate_split(
    translator: Translator,
    output: str | Path,
    corpus: Corpus | None = None,
    split: str = "train",
    search: str = "greedy",
    *,
    n_best: int | None = None,
    closest: Closeness | None = None,
    replace_unk: bool = False,
    batch_size: int | None = None,
    **settings: Any,
) -> Provenance:
    """Translate a split and write it as two files, `output` with the languages as endings, and their provenance.

    What is translated is the side of the corpus that is in the model's source language. An interrupted translation is
    continued by the same call; a finished one is left as it is. Progress is reported by `heed.data.progress`.

    Args:
        translator: the model, or several as one.
        output: how the names of the files begin.
        corpus: the corpus; None for the one that the model was trained on.
        split: `train`, `valid` or `test`.
        search, n_best, replace_unk, batch_size, settings: as for `Translator.translate`.
        closest: of the `n_best` translations of a line take the one that is closest to the corpus's own, by sentence
            BLEU or chrF (section 3.3 of Kim and Rush 2016), instead of the one that the search ranks first.

    Returns:
        What the file of provenance says.

    Raises:
        UserError: languages that are not those of the corpus, files that are there already, and what
            `Translator.translate` refuses.
    """
    if closest is not None:
        arguments.one_of("closest", closest, get_args(Closeness))
    if (closest is None) != ((n_best or 1) == 1):
        raise UserError(
            f"search.n_best={n_best or 1} and closest={closest or 'null'}: each needs the other, such as "
            "search.n_best=5 closest=bleu"
        )
    _check_languages(translator)
    read = corpus or own_corpus(translator.about, translator.folders[0])
    text = _text(translator, read, split)
    named = search_named(search)
    wanted = Provenance(
        translated=translator.tgt_lang,
        source=translator.src_lang,
        models={str(folder): weights_digest(folder) for folder in translator.folders},
        search=named.describe(named.bind(settings, n_best)),
        closest=closest,
        replace_unk=replace_unk,
        precision=translator.precision,
        corpus=read.name,
        split=split,
        text=text.digest,
        lines=len(text.sources),
        heed=version("heed"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    finished = read_provenance(output)
    if finished is not None:
        _check_same(finished, wanted, provenance_path(output))
        return finished
    options = {"n_best": n_best or 1, "replace_unk": replace_unk, "batch_size": batch_size, **settings}

    def translate(lines: list[str], originals: list[str]) -> list[str]:
        found = translator.translate(lines, search, **options)
        return [
            _chosen(one, original, closest, wanted.translated) for one, original in zip(found, originals, strict=True)
        ]

    try:
        _write(Path(output), text, wanted, translate)
    except OSError as error:
        raise UserError(
            f"{error.filename or output} cannot be written ({error.strerror}); choose another output=PREFIX, or repair "
            "that and give the same command again"
        ) from error
    return wanted


def _check_languages(translator: Translator) -> None:
    """UserError for languages that cannot end the names of two files, as in the folder of a stranger."""
    languages = [translator.src_lang, translator.tgt_lang]
    if languages[0] == languages[1] or not all(
        one and Path(one).name == one and one.isprintable() for one in languages
    ):
        raise UserError(
            f"the model translates from {languages[0]!r} to {languages[1]!r}; expected two languages, such as en and "
            "de, which end the names of the two files"
        )


def _text(translator: Translator, corpus: Corpus, split: str) -> Text:
    languages, pairs = (translator.src_lang, translator.tgt_lang), corpus.read(split)
    digest = fingerprint({split: Pairs(pairs.src, pairs.tgt)})
    if languages == (corpus.src_lang, corpus.tgt_lang):
        return Text(pairs.src, pairs.tgt, digest)
    if languages == (corpus.tgt_lang, corpus.src_lang):
        return Text(pairs.tgt, pairs.src, digest)
    raise UserError(
        f"the model translates from {languages[0]} to {languages[1]}, and corpus {corpus.name} is from "
        f"{corpus.src_lang} to {corpus.tgt_lang}; expected the same two languages"
    )


def _chosen(translation: Translation, original: str, closest: Closeness | None, language: str) -> str:
    texts = [one.text for one in translation.candidates]
    if closest == "bleu":
        return max(texts, key=lambda text: sentence_bleu(hypothesis=text, reference=original, tgt_lang=language))
    if closest == "chrf":
        return max(texts, key=lambda text: sentence_chrf(hypothesis=text, reference=original))
    return texts[0]


Translate = Callable[[list[str], list[str]], list[str]]
"""From source lines, and the corpus's own lines for them, to translations."""


def _write(output: Path, text: Text, wanted: Provenance, translate: Translate) -> None:
    """Translate block by block into a file beside the output, and make the output of it when all is done."""
    part = output.parent / f".{output.name}{PART}"
    src_path, tgt_path = (
        output.parent / f"{output.name}.{language}" for language in (wanted.source, wanted.translated)
    )
    with _begun(part, wanted, [src_path, tgt_path]) as file:
        done = _stored(file, wanted, part)
        try:
            for start in range(len(done), len(text.sources), BLOCK):
                made = translate(text.sources[start : start + BLOCK], text.originals[start : start + BLOCK])
                _append(file, made)
                done += made
                report(f"lines of {wanted.corpus}, {wanted.split}", len(done), len(text.sources))
        except (KeyboardInterrupt, SystemExit):
            log.info("%d of %d lines are translated; the same command goes on from there", len(done), len(text.sources))
            raise
        for path in (src_path, tgt_path, provenance_path(output)):
            remove_parts(path)
        contents = {
            src_path: _joined(text.sources),
            tgt_path: _joined(done),
            provenance_path(output): wanted.to_json(),
        }
        for path, content in contents.items():
            write_whole(path, content, partial(_refuse_other, path, content))
        part.unlink()


@contextmanager
def _begun(part: Path, wanted: Provenance, paths: Sequence[Path]) -> Iterator[IO[bytes]]:
    """The file of what is translated so far, locked; it begins with what is to be made.

    Raises:
        UserError: a file of the output is there, of nothing that was begun here, or another process is at work.
    """
    if not part.exists():
        for path in paths:
            if os.path.lexists(path):
                raise UserError(f"{path} is there already; remove it, or choose another output=PREFIX")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(part), part.open("r+b") as file:
            if not file.readline().endswith(b"\n"):  # new, or the machine stopped while it was written
                file.seek(0)
                file.truncate()
                _append(file, asdict(wanted))
            file.seek(0)
            yield file
    except AlreadyLocked:
        raise UserError(f"another process writes {paths[1]}; wait for it, or choose another output=PREFIX") from None


def _stored(file: IO[bytes], wanted: Provenance, part: Path) -> list[str]:
    """The translations that an earlier call has stored; the file is then at their end."""
    try:
        begun = from_json(file.readline().decode())
        lines: list[str] = []
        end = file.tell()
        while (block := file.readline()).endswith(b"\n"):
            lines += json.loads(block)
            end = file.tell()
    except ValueError as error:
        raise UserError(f"{part} is damaged ({error}); remove it and start again") from error
    _check_same(begun, wanted, part)
    file.seek(end)
    file.truncate()  # a block that was being written when the machine stopped
    return lines


def _check_same(begun: Provenance, wanted: Provenance, path: Path) -> None:
    if not begun.is_of(wanted):
        before, after = asdict(begun), asdict(wanted)
        different = [key for key in after if before[key] != after[key] and key != "date"]
        raise UserError(
            f"{path} is of another translation ({', '.join(different)}); choose another output=PREFIX, or remove {path}"
        )


def _append(file: IO[bytes], content: object) -> None:
    file.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def _refuse_other(path: Path, content: str) -> None:
    """Raise UserError if another file has appeared there; an interrupted call may have written this one already."""
    if os.path.lexists(path) and not (path.is_file() and path.read_bytes() == content.encode()):
        raise UserError(f"{path} appeared while the text was translated; move it away and give the same command again")


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
