"""Keep the results of finished runs under docs/results/, and write the tables of README and docs from them.

    python scripts/results_table.py keep runs/tiny runs/article          # each under its own name
    python scripts/results_table.py keep --as dot runs/dot_1 runs/dot_2  # several seeds, under one name
    python scripts/results_table.py keep runs/dot                        # all jobs of a sweep, likewise
    python scripts/results_table.py write README.md docs/*.md

`keep` writes docs/results/NAME/seed-N.json for each run, and deletes earlier results of that name. `--together DIR`
names an evaluation of all seeds at once (`heed-evaluate seeds=[1,2,3]`), and also keeps how much their maps agree.
`--busy` is for runs on a machine with much other work: their minutes are not shown, because they cannot be compared.

`write` replaces each table between the lines `<!-- results: NAME … -->` and `<!-- end of results -->`. A table has a
row for each name, with the mean ± standard deviation if there are several seeds. Empty columns are left out. Tables
that begin with `<!-- preserved: NAME … -->`, `<!-- distances: NAME … -->` or `<!-- erasure: NAME … -->` show the
measurements of `faithfulness=true`.
"""

import argparse
import json
import re
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from heed.errors import UserError
from heed.runs.run_folder import differences

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
TABLE = re.compile(
    r"(<!-- (?P<kind>results|preserved|distances|erasure): (?P<names>[\w. -]+) -->\n)"
    r"(?P<content>.*?)(<!-- end of results -->)",
    re.DOTALL,
)

TOGETHER = "together.json"
"""The file that keeps the results of evaluating all seeds at once."""

Columns = Mapping[str, tuple[Callable[[Mapping[str, Any]], float | None], str]]

COLUMNS: Columns = {
    "BLEU": (lambda kept: kept["test"]["bleu"], ".1f"),
    "tokenised BLEU": (lambda kept: kept["test"].get("bleu_tokenised"), ".1f"),
    "chrF": (lambda kept: kept["test"]["chrf"], ".1f"),
    "TER": (lambda kept: kept["test"]["ter"], ".1f"),
    "AER": (lambda kept: kept["test"]["aer"], ".3f"),
}
MEANS: Columns = {
    "minutes": (lambda kept: None if kept["train"].get("busy") else kept["train"]["seconds"] / 60, ".1f"),
    "parameters": (lambda kept: kept["train"]["parameters"] / 1e6, ".2f"),
}
"""Head of a column -> the value of a kept result in it, and its format. Of MEANS, only the mean is shown."""


def _stays(change: str, kind: str = "all") -> tuple[Callable[[Mapping[str, Any]], float | None], str]:
    return lambda kept: _measured(kept)["preserved"][change][kind], ".0%"


def _drop(measure: str, order: str) -> tuple[Callable[[Mapping[str, Any]], float | None], str]:
    return lambda kept: _measured(kept)[measure][order], ".2f"


PRESERVED: Columns = {
    "permuted": _stays("permuted"),
    "uniform": _stays("uniform"),
    "largest removed": _stays("without_maximum"),
    "any": _stays("any"),
    "every": _stays("every"),
    "every, function words": _stays("every", "function"),
    "every, content words": _stays("every", "content"),
    "control": (lambda kept: _measured(kept)["preserved"]["control"]["all"], ".1%"),
}
"""The share of words that stay the same with other weights."""


def _moves(measure: str, change: str) -> tuple[Callable[[Mapping[str, Any]], float | None], str]:
    return lambda kept: _measured(kept)[measure][change], ".2f"


CHANGES = {
    "permuted": "permuted",
    "uniform": "uniform",
    "largest removed": "without_maximum",
    "control": "control",
}
"""Its name in the tables -> a change of the weights."""

DISTANCES: Columns = {
    f"{short} {shown}": _moves(measure, change)
    for short, measure in (("TV", "total_variation"), ("JS", "divergence"))
    for shown, change in CHANGES.items()
}
"""How far the predicted distribution moves with other weights."""

ERASURE: Columns = {
    **{f"C {order}": _drop("comprehensiveness", order) for order in ("attention", "saliency", "difference", "random")},
    **{f"S {order}": _drop("sufficiency", order) for order in ("attention", "saliency", "difference", "random")},
}
"""Comprehensiveness and sufficiency."""


def main() -> int:
    """Keep or write; return 2 for an error that the user can fix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("keep", "write"))
    parser.add_argument("paths", nargs="+", type=Path, help="run folders to keep, or pages whose tables are written")
    parser.add_argument("--as", dest="name", help="one name for the results of all these runs")
    parser.add_argument("--together", type=Path, help="the folder of their evaluation with seeds=[1,2,3]")
    parser.add_argument(
        "--busy", action="store_true", help="do not show minutes, because the machine had much other work"
    )
    args = parser.parse_args()
    try:
        if args.action == "write":
            for page in args.paths:
                write(page)
        elif args.name:
            keep(args.name, [job for path in args.paths for job in runs_of(path)], args.together, args.busy)
        else:
            for path in args.paths:
                keep(path.resolve().name, runs_of(path), busy=args.busy)
    except FileNotFoundError as error:
        print(f"{error.filename} does not exist; train and evaluate the run first", file=sys.stderr)
        return 2
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def runs_of(path: Path) -> list[Path]:
    """The folder of a run itself, or the folders of all jobs of a sweep."""
    jobs = sorted(child.parent for child in path.glob("*/environment.json"))
    return jobs if jobs and not (path / "environment.json").exists() else [path]


def keep(name: str, runs: Sequence[Path], together: Path | None = None, busy: bool = False) -> None:
    """Write a file for each seed, and one for `together`. Raise UserError if other settings than the seed differ."""
    configs = [yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")) for run in runs]
    for run, config in zip(runs, configs, strict=True):
        changed = differences({**configs[0], "seed": None}, {**config, "seed": None})
        if changed:
            raise UserError(
                f"{run} has other settings than {runs[0]} ({', '.join(changed)}); keep it under another name"
            )
    kept = {config["seed"]: _kept(run, busy) for run, config in zip(runs, configs, strict=True)}
    if len(kept) < len(runs):
        raise UserError(f"{name}: {len(runs)} runs have {len(kept)} different seeds; expected each seed once")
    files = {f"seed-{seed}.json": content for seed, content in kept.items()}
    if together is not None:
        files[TOGETHER] = _agreement(name, together, list(kept))
    shutil.rmtree(RESULTS / name, ignore_errors=True)
    (RESULTS / name).mkdir(parents=True)
    for file, content in files.items():
        (RESULTS / name / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _agreement(name: str, folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """How much the maps of these seeds agree, from the evaluation in `folder`."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if sorted(report.get("seeds", [])) != sorted(seeds) or "stability" not in report:
        raise UserError(
            f"{name}: {folder} is not an evaluation of seeds {', '.join(map(str, seeds))} with faithfulness=true"
        )
    return {"seeds": report["seeds"], "stability": report["stability"]}


def _kept(run: Path, busy: bool) -> dict[str, Any]:
    """The results of one run: training, evaluation on the test split, and environment."""
    files = ("report.json", "environment.json", "evaluate/test/report.json")
    train, environment, test = (json.loads((run / name).read_text(encoding="utf-8")) for name in files)
    return {
        "test": {key: value for key, value in test.items() if key != "versus"},
        "train": {key: value for key, value in train.items() if key != "history"} | ({"busy": True} if busy else {}),
        "environment": _environment(environment),
    }


def _environment(read: dict[str, Any]) -> dict[str, Any]:
    """The parts of environment.json that are needed to repeat the run, without paths of this machine."""
    kept = {key: read[key] for key in ("started", "seed", "git", "packages", "python")}
    machine = {key: read["machine"][key] for key in ("cpu", "cores", "gpus", "memory_gib")}
    command = re.sub(r"^.*?(-m heed(\.cli)?[. ]train|heed-train|heed(/cli)?/train\.py)", "heed-train", read["command"])
    return {"command": re.sub(r"=(/|\.\./)\S*", "=…", command), **kept, "machine": machine}


def write(page: Path) -> None:
    """Replace every table of a page by the current results."""
    text = page.read_text(encoding="utf-8")
    tables = TABLE.sub(lambda match: f"{match[1]}{table(match['names'].split(), match['kind'])}\n{match[5]}", text)
    page.write_text(tables, encoding="utf-8")


def table(names: Sequence[str], kind: str = "results") -> str:
    """A Markdown table with a row for each name; `kind` chooses the columns."""
    rows = [ROWS[kind](name, _read(name)) for name in names]
    heads = [head for head in dict.fromkeys(head for row in rows for head in row) if any(row.get(head) for row in rows)]
    lines = [heads, ["---"] * len(heads), *([row.get(head, "") for head in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(name: str) -> list[dict[str, Any]]:
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((RESULTS / name).glob("seed-*.json"))]
    if not kept:
        raise UserError(f"there are no results called {name}; keep its runs first")
    _check_alike(name, kept)
    return kept


def _row(name: str, kept: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, str]:
    shown = {head: _over_seeds([value(one) for one in kept], form) for head, (value, form) in columns.items()}
    return {"run": f"`{name}`", "seeds": str(len(kept)), **shown}


def _results(name: str, kept: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    means = {head: _shown_mean([value(one) for one in kept], form) for head, (value, form) in MEANS.items()}
    return {**_row(name, kept, COLUMNS), **means, "parameters": f"{means['parameters']} M"}


def _preserved(name: str, kept: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return _row(name, kept, PRESERVED)


def _distances(name: str, kept: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return _row(name, kept, DISTANCES)


def _erasure(name: str, kept: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A row with the divergence of the maps of two seeds, if it was kept, and that of permuted maps."""
    path = RESULTS / name / TOGETHER
    stability = json.loads(path.read_text(encoding="utf-8"))["stability"] if path.exists() else None
    apart = {
        head: format(stability[key], ".3f") if stability else ""
        for head, key in (("two seeds", "divergence"), ("permuted maps", "permuted"))
    }
    return {**_row(name, kept, ERASURE), **apart}


ROWS = {"results": _results, "preserved": _preserved, "distances": _distances, "erasure": _erasure}
"""The function for a row, by the word with which a table begins."""


def _measured(kept: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a report that `faithfulness=true` adds."""
    if "faithfulness" not in kept["test"]:
        raise UserError(
            "a run of this table was evaluated without faithfulness=true; evaluate it with that, and keep it again"
        )
    measured: Mapping[str, Any] = kept["test"]["faithfulness"]
    return measured


def _check_alike(name: str, kept: Sequence[Mapping[str, Any]]) -> None:
    """Raise UserError if the runs were evaluated in different ways, because their mean would mean nothing."""
    for key in ("corpus", "split", "sentences", "search", "bleu_signature", "bleu_tokenised_signature"):
        values = {str(one["test"].get(key)) for one in kept}
        if len(values) > 1:
            raise UserError(
                f"{name}: its seeds differ in {key} ({', '.join(sorted(values))}); evaluate all of them in the same way"
            )


def _over_seeds(values: Sequence[float | None], form: str) -> str:
    """The value of one run, or mean ± standard deviation of several; empty if a value is missing."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return ""
    if len(known) == 1:
        return format(known[0], form)
    return f"{_mean(known):{form}} ± {statistics.stdev(known):{form}}".replace("% ±", " ±")


def _shown_mean(values: Sequence[float | None], form: str) -> str:
    """The mean; empty if a value is missing."""
    return "" if None in values else format(_mean(values), form)


def _mean(values: Sequence[float | None]) -> float:
    return statistics.fmean(value for value in values if value is not None)


if __name__ == "__main__":
    sys.exit(main())
