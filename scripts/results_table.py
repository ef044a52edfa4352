"""Keep the results of finished runs under docs/results/, and write the tables of README and docs from them.

    python scripts/results_table.py keep runs/tiny runs/article     # copies what their reports say
    python scripts/results_table.py write README.md docs/alignment.md

A table stands between the lines `<!-- results: NAME … -->` and `<!-- end of results -->`, and is replaced each time.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
HEAD = "| run | BLEU | chrF | AER | perplexity | parameters |\n|---|---|---|---|---|---|"
TABLE = re.compile(r"(<!-- results: (?P<names>[\w -]+) -->\n)(.*?)(<!-- end of results -->)", re.DOTALL)


def main() -> int:
    """Keep or write; 2 where a file that is needed is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("keep", "write"))
    parser.add_argument("paths", nargs="+", type=Path, help="run folders to keep, or pages to write tables into")
    args = parser.parse_args()
    try:
        for path in args.paths:
            keep(path) if args.action == "keep" else write(path)
    except FileNotFoundError as error:
        print(f"{error.filename} is not there; train and evaluate the run first, then keep it", file=sys.stderr)
        return 2
    return 0


def keep(run: Path) -> None:
    """One file of what a run's training, evaluation on the test split, and machine were."""
    read = {name: json.loads((run / name).read_text()) for name in ("report.json", "environment.json")}
    kept = {
        "test": json.loads((run / "evaluate" / "test" / "report.json").read_text()),
        "train": {key: value for key, value in read["report.json"].items() if key != "history"},
        "environment": _environment(read["environment.json"]),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{run.name}.json").write_text(json.dumps(kept, indent=2) + "\n")


def _environment(read: dict[str, Any]) -> dict[str, Any]:
    """What another needs to repeat it; not where on this machine anything lay."""
    kept = {key: read[key] for key in ("started", "seed", "git", "packages", "python")}
    machine = {key: read["machine"][key] for key in ("cpu", "cores", "gpus", "memory_gib")}
    return {"command": "python" + read["command"][read["command"].index(" -m ") :], **kept, "machine": machine}


def write(page: Path) -> None:
    """Replace every table of a page by what is kept now."""
    page.write_text(
        TABLE.sub(lambda found: found[1] + table(found["names"].split()) + "\n" + found[4], page.read_text())
    )


def table(names: Sequence[str]) -> str:
    """A row for each result."""
    rows = [_row(name, json.loads((RESULTS / f"{name}.json").read_text())) for name in names]
    return "\n".join([HEAD, *rows])


def _row(name: str, kept: dict[str, Any]) -> str:
    test, train = kept["test"], kept["train"]
    aer = "" if test["aer"] is None else f"{test['aer']:.3f}"
    return (
        f"| `{name}` | {test['bleu']:.1f} | {test['chrf']:.1f} | {aer} | {test['perplexity']:.2f} "
        f"| {train['parameters'] / 1e6:.2f} M |"
    )


if __name__ == "__main__":
    sys.exit(main())
