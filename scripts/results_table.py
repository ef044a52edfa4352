"""Keep the results of finished runs under docs/results/, and write the tables of README and docs from them.

    python scripts/results_table.py keep runs/tiny runs/article          # each under its own name
    python scripts/results_table.py keep --as dot runs/dot_1 runs/dot_2  # seeds of one thing, under one name
    python scripts/results_table.py keep runs/dot                        # all jobs of a sweep, likewise
    python scripts/results_table.py write README.md docs/alignment.md

What is kept of a run is docs/results/NAME/seed-N.json; keeping a name again forgets what was kept under it. A table
stands between the lines `<!-- results: NAME … -->` and `<!-- end of results -->`, and is replaced each time: a row for
each name, of several seeds their mean ± standard deviation. A column that no row fills is left out.
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
TABLE = re.compile(r"(<!-- results: (?P<names>[\w. -]+) -->\n)(.*?)(<!-- end of results -->)", re.DOTALL)

COLUMNS: dict[str, tuple[Callable[[Mapping[str, Any]], float | None], str]] = {
    "BLEU": (lambda kept: kept["test"]["bleu"], ".1f"),
    "tokenised BLEU": (lambda kept: kept["test"].get("bleu_tokenised"), ".1f"),
    "chrF": (lambda kept: kept["test"]["chrf"], ".1f"),
    "TER": (lambda kept: kept["test"]["ter"], ".1f"),
    "AER": (lambda kept: kept["test"]["aer"], ".3f"),
}
MEANS: dict[str, tuple[Callable[[Mapping[str, Any]], float], str]] = {
    "minutes": (lambda kept: kept["train"]["seconds"] / 60, ".1f"),
    "parameters": (lambda kept: kept["train"]["parameters"] / 1e6, ".2f"),
}
"""Heads of columns -> what of a kept result stands there, and its digits; how the last two vary is of no interest."""


def main() -> int:
    """Keep or write; 2 for what the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("keep", "write"))
    parser.add_argument("paths", nargs="+", type=Path, help="run folders to keep, or pages to write tables into")
    parser.add_argument("--as", dest="name", help="the one name under which all these runs are kept")
    args = parser.parse_args()
    try:
        if args.action == "write":
            for page in args.paths:
                write(page)
        elif args.name:
            keep(args.name, [job for path in args.paths for job in runs_of(path)])
        else:
            for path in args.paths:
                keep(path.resolve().name, runs_of(path))
    except FileNotFoundError as error:
        print(f"{error.filename} is not there; train and evaluate the run first, then keep it", file=sys.stderr)
        return 2
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def runs_of(path: Path) -> list[Path]:
    """The run, or the jobs of the sweep, that the folder holds."""
    jobs = sorted(child.parent for child in path.glob("*/environment.json"))
    return jobs if jobs and not (path / "environment.json").exists() else [path]


def keep(name: str, runs: Sequence[Path]) -> None:
    """One file for each seed; UserError for runs that differ in more than their seed."""
    configs = [yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")) for run in runs]
    for run, config in zip(runs, configs, strict=True):
        found = differences({**configs[0], "seed": None}, {**config, "seed": None})
        if found:
            raise UserError(
                f"{run} is of other settings than {runs[0]} ({', '.join(found)}); keep it under another name"
            )
    kept = {config["seed"]: _kept(run) for run, config in zip(runs, configs, strict=True)}
    if len(kept) < len(runs):
        raise UserError(f"{name}: {len(runs)} runs of {len(kept)} seeds; expected each seed once")
    shutil.rmtree(RESULTS / name, ignore_errors=True)
    (RESULTS / name).mkdir(parents=True)
    for seed, content in kept.items():
        (RESULTS / name / f"seed-{seed}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _kept(run: Path) -> dict[str, Any]:
    """What a run's training, evaluation on the test split, and machine were."""
    files = ("report.json", "environment.json", "evaluate/test/report.json")
    train, environment, test = (json.loads((run / name).read_text(encoding="utf-8")) for name in files)
    return {
        "test": {key: value for key, value in test.items() if key != "versus"},
        "train": {key: value for key, value in train.items() if key != "history"},
        "environment": _environment(environment),
    }


def _environment(read: dict[str, Any]) -> dict[str, Any]:
    """What another needs to repeat it; not where on this machine anything lay."""
    kept = {key: read[key] for key in ("started", "seed", "git", "packages", "python")}
    machine = {key: read["machine"][key] for key in ("cpu", "cores", "gpus", "memory_gib")}
    command = re.sub(r"^.*?(-m heed(\.cli)?\.train|heed-train|heed(/cli)?/train\.py)", "heed-train", read["command"])
    return {"command": re.sub(r"=(/|\.\./)\S*", "=…", command), **kept, "machine": machine}


def write(page: Path) -> None:
    """Replace every table of a page by what is kept now."""
    text = page.read_text(encoding="utf-8")
    tables = TABLE.sub(lambda found: f"{found[1]}{table(found['names'].split())}\n{found[4]}", text)
    page.write_text(tables, encoding="utf-8")


def table(names: Sequence[str]) -> str:
    """A row for each result."""
    rows = [_row(name) for name in names]
    heads = [head for head in ("run", "seeds", *COLUMNS, *MEANS) if any(row.get(head) for row in rows)]
    lines = [heads, ["---"] * len(heads), *([row.get(head, "") for head in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str) -> dict[str, str]:
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((RESULTS / name).glob("seed-*.json"))]
    if not kept:
        raise UserError(f"nothing is kept under {name}; keep its runs first")
    _check_alike(name, kept)
    shown = {head: _over_seeds([value(one) for one in kept], form) for head, (value, form) in COLUMNS.items()}
    means = {head: format(statistics.fmean(value(one) for one in kept), form) for head, (value, form) in MEANS.items()}
    return {"run": f"`{name}`", "seeds": str(len(kept)), **shown, **means, "parameters": f"{means['parameters']} M"}


def _check_alike(name: str, kept: Sequence[Mapping[str, Any]]) -> None:
    """UserError where the runs were not evaluated alike, so that their scores have no mean."""
    for key in ("corpus", "split", "sentences", "search", "bleu_signature", "bleu_tokenised_signature"):
        found = {str(one["test"].get(key)) for one in kept}
        if len(found) > 1:
            raise UserError(
                f"{name}: its seeds differ in {key} ({', '.join(sorted(found))}); evaluate all of them alike"
            )


def _over_seeds(values: Sequence[float | None], form: str) -> str:
    """The value of one run, or mean ± standard deviation of several; nothing where it is not known of all."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return ""
    if len(known) == 1:
        return format(known[0], form)
    return f"{statistics.fmean(known):{form}} ± {statistics.stdev(known):{form}}"


if __name__ == "__main__":
    sys.exit(main())
