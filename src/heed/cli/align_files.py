"""The files that heed-align is given: which of them belong together, and what may not be written over."""

from collections.abc import Sequence
from pathlib import Path

from heed.cli.nodes import only_model
from heed.errors import UserError
from heed.files import beside
from heed.maps import Level
from heed.runs.alignment_files import check_places, refuse_strangers, report_path


def output_path(output: str | None, model: str | Sequence[str], split: str) -> Path:
    """Where the alignment goes: without `output`, beside the model.

    Raises:
        UserError: several models without `output`.
    """
    if output:
        return Path(output)
    return beside(only_model(model, "FILE"), "align") / f"{split}.align"


def check_text(source: str | None, target: str | None, output: str | None, gold: str | None, level: Level) -> None:
    """UserError for keys that do not go together."""
    if source or target:
        files = {"source": source, "target": target, "output": output}
        missing = [f"{name}=FILE" for name, path in files.items() if not path]
        if missing:
            raise UserError(
                f"{' and '.join(missing)} missing; give source, target and output, or none of the first two"
            )
    elif gold:
        raise UserError(f"gold={gold}, but the text of its own corpus has its own; give source=FILE and target=FILE")
    if level == "piece" and gold:
        raise UserError(f"gold={gold} counts words and level=piece does not; use level=word")


def check_files(read: Sequence[str | None], output: Path, weights: str | None, given: bool) -> None:
    """UserError for a file that would be written over another one that is named, or over one that is not heed's.

    The place of an alignment was `given`, or is heed's own.
    """
    taken = {Path(path).resolve() for path in read if path}
    written = {f"output={output}": output, f"output={output}, with its report beside it,": report_path(output)}
    if weights:
        written[f"weights={weights}"] = Path(weights)
    for name, path in written.items():
        if path.resolve() in taken:
            raise UserError(f"{name} would be written over another of the files that are named; choose another place")
        taken.add(path.resolve())
    refuse_strangers(output, Path(weights) if weights else None, given=given)
    check_places(output, Path(weights) if weights else None)
