"""The results of an evaluation as rows to print, and statistics over several evaluations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from heed.metrics.attention import Health, advice
from heed.metrics.scores import shown_scores, signed_scores


def table(report: Mapping[str, Any]) -> str:
    """The rows of one report, its notes, and advice if attention has not formed."""
    unformed = advice(Health(**report["attention"]["reference"]))
    return "\n".join([_aligned(rows(report)), *(f"\n{note}" for note in [*report.get("notes", []), unformed] if note)])


def rows(report: Mapping[str, Any]) -> dict[str, str]:
    """The rows to print, by name."""
    looked = report["attention"]["reference"]
    return {
        "corpus": _corpus(report),
        **{
            name: format(report[key], form)
            for key, (name, form) in shown_scores().items()
            if report.get(key) is not None
        },
        "attention": f"entropy {looked['entropy']:.2f} nats, {looked['coverage']:.0%} of the source words covered, "
        f"{looked['eos_share']:.0%} on </s>",
        **versus_rows(report),
        **faithfulness_rows(report),
        "speed": f"{report['sentences_per_second']:.1f} sentences/s",
        **_signatures(report),
    }


def versus_rows(report: Mapping[str, Any]) -> dict[str, str]:
    """The comparison with another system, if there is one."""
    compared = report["versus"] or {}
    search = f" ({compared['search']})" if compared.get("search") else ""
    known = shown_scores()
    return {
        f"{known[key][0]} versus": f"{score['difference']:+.2f} compared with {score['other']:.2f} of "
        f"{compared['folder']}{search}, 95 % interval {score['low']:+.2f} to {score['high']:+.2f}, "
        f"p = {score['p_value']:.3f}{_noted(score)}"
        for key, score in compared.items()
        if key in known
    }


def _noted(compared: Mapping[str, Any]) -> str:
    """A note on a comparison, which reports of older releases do not have."""
    return f"; {compared['note']}" if compared.get("note") else ""


CHANGES = {"permuted": "permuted", "uniform": "uniform", "without_maximum": "without the largest"}
"""Change of the attention weights -> its name in tables."""


def faithfulness_rows(report: Mapping[str, Any]) -> dict[str, str]:
    """Whether words depend on attention, if that was measured."""
    measured = report.get("faithfulness")
    if measured is None:
        return {}
    same = measured["preserved"]
    changes = ", ".join(f"{_percent(same[key]['all'])} {name}" for key, name in CHANGES.items())
    kinds = ", ".join(f"{_percent(same['every'][kind])} of the {kind} words" for kind in ("function", "content"))
    return {
        "same word": f"{changes}; {_percent(same['any']['all'])} under any, {_percent(same['every']['all'])} under all "
        f"of them ({kinds}); control {_percent(same['control']['all'])}",
        "predictions move": "; ".join(
            f"{name} " + ", ".join(f"{measured[key][change]:.2f} {shown}" for change, shown in CHANGES.items())
            for key, name in (("total_variation", "total variation"), ("divergence", "Jensen-Shannon"))
        ),
        **{
            name: ", ".join(f"{value:.3f} {by}" for by, value in measured[name].items())
            for name in ("comprehensiveness", "sufficiency")
        },
        "measured in": f"{measured['seconds']:.0f} s, {measured['times_plain_evaluation']:.1f} times the rest"
        if "times_plain_evaluation" in measured
        else f"{measured['seconds']:.0f} s",
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def over_runs(seeds: Sequence[int], reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One report on evaluations of runs that differ only in their seed: all of them, mean and standard deviation."""
    return {
        **{key: reports[0][key] for key in ("corpus", "split", "sentences", "search")},
        "seeds": list(seeds),
        "mean": _of_each(lambda scores: float(np.mean(scores)), reports),
        "standard_deviation": _of_each(lambda scores: float(np.std(scores, ddof=1)), reports),
        **{f"{key}_signature": reports[0].get(f"{key}_signature") for key in signed_scores()},
        "runs": [dict(report) for report in reports],
    }


def table_over_runs(report: Mapping[str, Any]) -> str:
    """Mean and standard deviation of each score, then the score of each run."""
    mean, deviation = report["mean"], report["standard_deviation"]
    summary = {
        name: f"{mean[key]:{form}} ± {deviation[key]:{form}}   of "
        + "  ".join(format(one[key], form) for one in report["runs"])
        for key, (name, form) in shown_scores().items()
        if key in mean
    }
    head = {"corpus": _corpus(report), "seeds": ", ".join(map(str, report["seeds"]))}
    compared = {
        f"{name}, seed {seed}": shown
        for seed, one in zip(report["seeds"], report["runs"], strict=True)
        for name, shown in versus_rows(one).items()
    }
    measured = {**faithfulness_rows(mean), **_stability_rows(report)}
    notes = dict.fromkeys(note for one in report["runs"] for note in one.get("notes", []))
    table = _aligned({**head, **summary, **measured, **compared, **_signatures(report)})
    return "\n".join([table, *(f"\n{note}" for note in notes)])


def _stability_rows(report: Mapping[str, Any]) -> dict[str, str]:
    """How similar the maps of the runs are, if that was measured."""
    if "stability" not in report:
        return {}
    found, permuted = (report["stability"][name] for name in ("divergence", "permuted"))
    return {
        "maps of two seeds": f"{found:.3f} nats apart (Jensen-Shannon, the median word), {permuted:.3f} if permuted"
    }


def _of_each(statistic: Callable[[list[float]], float], reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A statistic of every score, including those of attention, but not of counts, p-values and speed."""
    scores: dict[str, Any] = {
        key: statistic([report[key] for report in reports]) for key in shown_scores() if reports[0].get(key) is not None
    }
    attention = [report["attention"] for report in reports]
    means = [key for key, value in attention[0]["reference"].items() if isinstance(value, float)]
    scores["attention"] = {
        side: {key: statistic([one[side][key] for one in attention]) for key in means} for side in attention[0]
    }
    if all("faithfulness" in report for report in reports):
        scores["faithfulness"] = _nested(statistic, [report["faithfulness"] for report in reports])
    return scores


def _nested(statistic: Callable[[list[float]], float], each: Sequence[Any]) -> Any:
    """The statistic of every number in reports with the same keys; None if a report lacks it."""
    if isinstance(each[0], Mapping):
        return {key: _nested(statistic, [one[key] for one in each]) for key in each[0]}
    return None if None in each else statistic(list(each))


def _signatures(report: Mapping[str, Any]) -> dict[str, str]:
    """The signatures of the scores; metrics without signature are left out."""
    titles = shown_scores()
    return {
        f"{titles[key][0]} signature": report[f"{key}_signature"]
        for key in signed_scores()
        if report.get(f"{key}_signature")
    }


def _corpus(report: Mapping[str, Any]) -> str:
    return f"{report['corpus']}, {report['split']}, {report['sentences']:,} sentences, {report['search']}"


def _aligned(shown: Mapping[str, str]) -> str:
    width = max(map(len, shown))
    return "\n".join(f"{name:{width}} {value}" for name, value in shown.items())
