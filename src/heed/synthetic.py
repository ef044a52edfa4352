"""Synthetic parallel text: a split of a corpus with one side translated by a model.

    import heed
    from heed.synthetic import translate_split
    translate_split(heed.load("runs/en-de/model"), split="train", output="translated/en-de", search="beam")

A model of the corpus's direction writes new targets (Kim and Rush 2016, arXiv 1606.07947). A model of the opposite
direction writes new sources (Sennrich et al. 2016, arXiv 1511.06709). `corpus=files` reads both, alone or in a mix.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
from heed.translator import LONE_SURROGATE, Translator, read_source

BLOCK = 1000
"""The number of lines that are translated and then stored together; an interruption loses at most so many."""

Closeness = Literal["bleu", "chrf"]
"""A metric that compares candidates with the corpus's own line."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Text:
    """The lines to translate, the corpus's own lines in the other language, and a digest of the split."""

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
    """Translate one side of a split and write both sides as files that `corpus=files` reads, with their provenance.

    The files are called `{output}.{language}` and `{output}.provenance.json`. The translated side is the one in the
    model's source language. The same call continues an interrupted translation, and leaves a finished one as it is.
    Progress is reported by `heed.data.progress`.

    Args:
        translator: the model, or several models as one.
        output: the beginning of the file names.
        corpus: the corpus; None for the one that the model was trained on.
        split: `train`, `valid` or `test`.
        search, n_best, replace_unk, batch_size, settings: as for `Translator.translate`.
        closest: choose the candidate among `n_best` that is closest to the corpus's own line, by sentence BLEU or chrF
            (Kim and Rush 2016, section 3.3); None for the candidate that the search ranks first.

    Returns:
        The content of the provenance file.

    Raises:
        UserError: the languages are not those of the corpus, a file exists already, or `Translator.translate` raises
            it.
    """
    if os.path.basename(output) in ("", os.curdir, os.pardir):  # noqa: PTH119 - Path drops a slash at the end
        raise UserError(f"output={output}: expected the beginning of file names, such as translated/en-de")
    if closest is not None:
        arguments.one_of("closest", closest, get_args(Closeness))
    if (closest is None) != ((n_best or 1) == 1):
        raise UserError(
            f"search.n_best={n_best or 1} and closest={closest or 'null'}: each needs the other, such as "
            "search.n_best=5 closest=bleu"
        )
    _check_languages(translator)
    if len(set(translator.folders)) < len(translator.folders):
        raise UserError(f"model=[{','.join(map(str, translator.folders))}]: a folder is there twice; name each once")
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
        _check_whole(finished, output)
        _remove_finished(_part_path(Path(output)), finished)
        return finished

    def translate(lines: Sequence[str], originals: Sequence[str], first: int) -> list[str]:
        encoded = read_source(lines, translator.bundle.src, first=first)
        translations = translator.search_lines(
            encoded, search, settings, n_best=n_best or 1, replace_unk=replace_unk, batch_size=batch_size
        )
        return [
            _chosen(translation, original, closest, wanted.translated)
            for translation, original in zip(translations, originals, strict=True)
        ]

    try:
        _write(Path(output), text, wanted, translate)
    except OSError as error:
        raise UserError(
            f"{error.filename or output} cannot be written ({error.strerror}); choose another output=PREFIX, or fix "
            "the cause and repeat the command"
        ) from error
    return wanted


def _part_path(output: Path) -> Path:
    """The hidden file of the translations so far."""
    return output.parent / f".{output.name}{PART}"


def _remove_finished(part: Path, finished: Provenance) -> None:
    """Remove the hidden file of a translation that was killed after it had written everything else."""
    with suppress(OSError):  # there is none, or another user owns it
        with part.open("rb") as file:
            begun = _begun_as(file.readline())
        if begun is not None and begun.is_of(finished):
            part.unlink()


def _begun_as(line: bytes) -> Provenance | None:
    """The provenance in the first line of a hidden file; None if heed has not written it."""
    try:
        return from_json(line.decode())
    except ValueError:
        return None


def _check_whole(finished: Provenance, output: str | Path) -> None:
    """Raise UserError if a file of a finished translation is missing or has another number of lines."""
    proof = provenance_path(output)
    for language in (finished.source, finished.translated):
        path = Path(f"{output}.{language}")
        if not path.exists():
            raise UserError(
                f"{path} is missing, although {proof} says that it was written; choose another output=PREFIX, or "
                f"remove {proof} to translate again"
            )
        count = path.read_bytes().count(b"\n")
        if count != finished.lines:
            raise UserError(
                f"{path} has {count} lines, and {proof} says {finished.lines}, so it was changed after the "
                "translation; choose another output=PREFIX"
            )


def _check_languages(translator: Translator) -> None:
    """Raise UserError if the languages cannot be the endings of two files, for example in an untrusted folder."""
    languages = [translator.src_lang, translator.tgt_lang]
    if languages[0] == languages[1] or not all(
        language and Path(language).name == language and language.isprintable() for language in languages
    ):
        raise UserError(
            f"the model translates from {languages[0]!r} to {languages[1]!r}; expected two languages, such as en and "
            "de, which become the endings of the two files"
        )


def _text(translator: Translator, corpus: Corpus, split: str) -> Text:
    languages, pairs = (translator.src_lang, translator.tgt_lang), corpus.read(split)
    digest = fingerprint({split: Pairs(pairs.src, pairs.tgt)})
    sides = list(zip(pairs.src, pairs.tgt, strict=True))
    for number, pair in enumerate(sides, start=1):
        if not all(map(_is_line, pair)):
            raise UserError(
                f"corpus {corpus.name}, {split}, pair {number} has a line feed or a broken character, which the line "
                "of a file cannot have; remove it"
            )
    turned = [pairs.parts[number].turned for number in pairs.part] or [False] * len(sides)
    if languages == (corpus.tgt_lang, corpus.src_lang):
        turned = [not other for other in turned]
    if languages in ((corpus.src_lang, corpus.tgt_lang), (corpus.tgt_lang, corpus.src_lang)):
        sides = [(tgt, src) if other else (src, tgt) for (src, tgt), other in zip(sides, turned, strict=True)]
        return Text([source for source, _ in sides], [original for _, original in sides], digest)
    raise UserError(
        f"the model translates from {languages[0]} to {languages[1]}, and corpus {corpus.name} is from "
        f"{corpus.src_lang} to {corpus.tgt_lang}; expected the same two languages"
    )


def _chosen(translation: Translation, original: str, closest: Closeness | None, language: str) -> str:
    texts = [candidate.text for candidate in translation.candidates]
    if closest == "bleu":
        return max(texts, key=lambda text: sentence_bleu(hypothesis=text, reference=original, tgt_lang=language))
    if closest == "chrf":
        return max(texts, key=lambda text: sentence_chrf(hypothesis=text, reference=original))
    return texts[0]


Translate = Callable[[Sequence[str], Sequence[str], int], list[str]]
"""A function of source lines, the corpus's own translations of them, and the number of the first line; returns new
translations."""


def _write(output: Path, text: Text, wanted: Provenance, translate: Translate) -> None:
    """Translate block by block into one hidden file, and write the output files from it at the end."""
    part = _part_path(output)
    src_path, tgt_path = (
        output.parent / f"{output.name}.{language}" for language in (wanted.source, wanted.translated)
    )
    with _begun(part, wanted, [src_path, tgt_path]) as file:
        done = _stored(file, wanted, part)
        try:
            for start in range(len(done), len(text.sources), BLOCK):
                end = start + BLOCK
                block = translate(text.sources[start:end], text.originals[start:end], start + 1)
                _append(file, block)
                done += block
                report(f"lines of {wanted.corpus}, {wanted.split}", len(done), len(text.sources))
        except (KeyboardInterrupt, SystemExit):
            counts = len(done), len(text.sources)
            log.info("%d of %d lines are translated; the same command resumes from there", *counts)
            raise
        except Exception:
            if not done:
                part.unlink(missing_ok=True)
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
        part.unlink(missing_ok=True)


@contextmanager
def _begun(part: Path, wanted: Provenance, paths: Sequence[Path]) -> Iterator[IO[bytes]]:
    """The hidden file of the translations so far, locked. Its first line is the provenance of the finished output.

    Raises:
        UserError: an output file exists and no hidden file does, or another process is writing.
    """
    if not part.exists():
        for path in paths:
            if os.path.lexists(path):
                raise UserError(f"{path} already exists; remove it, or choose another output=PREFIX")
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
        raise UserError(f"another process is writing {paths[1]}; wait, or choose another output=PREFIX") from None


def _stored(file: IO[bytes], wanted: Provenance, part: Path) -> list[str]:
    """Read the translations that an earlier call has stored, and leave the file positioned after them."""
    begun, end = _begun_as(file.readline()), file.tell()
    if begun is None:
        raise UserError(f"{part} was not written by heed-translate, or is damaged; remove it and start again")
    lines: list[str] = []
    while (block := file.readline()).endswith(b"\n"):
        lines += _block(block, part)
        end = file.tell()
    if len(lines) > wanted.lines:
        raise UserError(f"{part} is damaged: it has more lines than the text; remove it and start again")
    if not lines and not begun.is_of(wanted):  # nothing was translated, so nothing is lost
        file.seek(0)
        file.truncate()
        _append(file, asdict(wanted))
        return []
    _check_same(begun, wanted, part)
    file.seek(end)
    file.truncate()  # a block that was being written when the machine stopped
    return lines


def _block(line: bytes, part: Path) -> list[str]:
    """The translations in a line of the hidden file."""
    try:
        block = json.loads(line)
    except ValueError:
        block = None
    if not isinstance(block, list) or not all(isinstance(text, str) and _is_line(text) for text in block):
        raise UserError(f"{part} is damaged; remove it and start again")
    return block


def _is_line(text: str) -> bool:
    """Whether a text can be a line of a file: it has no line feed and no half of a surrogate pair."""
    return "\n" not in text and not LONE_SURROGATE.search(text)


def _check_same(begun: Provenance, wanted: Provenance, path: Path) -> None:
    if not begun.is_of(wanted):
        before, after = begun.compared(), wanted.compared()
        different = [key for key in after if before[key] != after[key]]
        raise UserError(
            f"{path} belongs to another translation, which differs in {', '.join(different)}; choose another "
            f"output=PREFIX, or remove {path}"
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
