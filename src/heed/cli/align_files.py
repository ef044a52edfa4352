"""The files that heed-align reads and writes: which must be given together, and which must not be overwritten."""

from collections.abc import Sequence
from pathlib import Path

from heed.cli.nodes import only_model
from heed.errors import UserError
from heed.files import beside
from heed.maps import Level
from heed.runs.alignment_files import check_places, refuse_strangers, report_path


def output_path(output: str | None, model: str | Sequence[str], split: str) -> Path:
    """The file for the alignment: `output`, or a file beside the model if `output` is None.

    Raises:
        UserError: several models are given without `output`.
    """
    if output:
        return Path(output)
    return beside(only_model(model, "FILE"), "align") / f"{split}.align"


def check_text(source: str | None, target: str | None, output: str | None, gold: str | None, level: Level) -> None:
    """Raise UserError if keys are missing or contradict each other."""
    if source or target:
        files = {"source": source, "target": target, "output": output}
        missing = [f"{name}=FILE" for name, path in files.items() if not path]
        if missing:
            raise UserError(
                f"{' and '.join(missing)} missing; give source, target and output, or neither source nor target"
            )
    elif gold:
        raise UserError(f"gold={gold} needs source=FILE and target=FILE; a model's own corpus has its own alignments")
    if level == "piece" and gold:
        raise UserError(f"gold={gold} cannot score level=piece, because gold alignments link words; use level=word")


def check_files(read: Sequence[str | None], output: Path, weights: str | None, given: bool) -> None:
    """Raise UserError if an output would overwrite another file that is named, or a file that heed has not written.

    `given` is true if the user chose the path of the alignment.
    """
    taken = {Path(path).resolve() for path in read if path}
    written = {f"output={output}": output, f"output={output}, with its report beside it,": report_path(output)}
    if weights:
        written[f"weights={weights}"] = Path(weights)
    for name, path in written.items():
        if path.resolve() in taken:
            raise UserError(f"{name} would overwrite another file of this command; choose another path")
        taken.add(path.resolve())
    refuse_strangers(output, Path(weights) if weights else None, given=given)
    check_places(output, Path(weights) if weights else None)
