"""Attention guided by links from a file, such as a model's own alignment of its training text."""

from pathlib import Path

import pytest

from heed.cli.align import Settings as AlignSettings
from heed.cli.align import align
from heed.data.readers import read_corpus
from heed.errors import UserError
from heed.experiment import check, train
from tests.support.model_folder import write_lines
from tests.support.settings import settings_of
from tests.support.small_run import last_checkpoint, report, same, settings

GUIDED = ("guided_attention=0.5", "heatmaps=0")


def gold() -> list[str]:
    """The gold links of the corpus of the small run."""
    corpus = read_corpus({"reader": "reverse", "train": 400, "valid": 24, "test": 16, "min_len": 2, "max_len": 4})
    links = corpus.read("train").gold
    assert links
    return list(links)


def test_links_of_a_file_replace_those_of_the_corpus(tmp_path: Path) -> None:
    """Catches links of other pairs, for example after lines that cleaning drops, and a file that is not read."""
    right, wrong = write_lines(tmp_path / "right.align", gold()), write_lines(tmp_path / "wrong.align", ["0-0"] * 400)
    for run, more in (("own", ()), ("right", (f"guided_links={right}",)), ("wrong", (f"guided_links={wrong}",))):
        train(settings(tmp_path, f"run={run}", *GUIDED, "cleaning.max_len=3", *more))
    own, same_links, others = (last_checkpoint(tmp_path / run)["state_dict"] for run in ("own", "right", "wrong"))

    assert same(own, same_links)
    assert not same(own, others)


def test_links_without_guidance_and_links_of_another_text_are_refused(tmp_path: Path) -> None:
    """Catches a run that ignores the given file, and links that are shifted by one line."""
    with pytest.raises(UserError, match=r"guided_links=a has no effect without guided_attention; give guided_att"):
        check(settings(tmp_path, "guided_links=a"))
    short = write_lines(tmp_path / "short.align", gold()[1:])
    with pytest.raises(UserError, match=r"short.align has 399 lines and the training split 400 pairs"):
        train(settings(tmp_path, "run=short", *GUIDED, f"guided_links={short}"))
    with pytest.raises(UserError, match=r"none.align does not exist"):
        train(settings(tmp_path, "run=none", *GUIDED, f"guided_links={tmp_path / 'none.align'}"))


def test_a_run_is_not_continued_with_other_links(tmp_path: Path) -> None:
    """Catches a run that is continued with a file of links that has changed."""
    links = write_lines(tmp_path / "links", gold())
    train(settings(tmp_path, "run=once", *GUIDED, f"guided_links={links}"))
    write_lines(links, gold()[::-1])
    with pytest.raises(UserError, match="train"):
        train(settings(tmp_path, "run=once", *GUIDED, f"guided_links={links}", "trainer.max_steps=36"))


@pytest.mark.slow
def test_a_model_that_learns_its_own_links_aligns_no_worse(tmp_path: Path) -> None:
    """Catches self-training that teaches the links of another line, or shifted ones."""
    longer = ("trainer.max_steps=100", "heatmaps=0")
    teacher = train(settings(tmp_path, "run=teacher", *longer)).folder
    links = tmp_path / "links"
    options = [f"model={teacher / 'model'}", "split=train", "method=posterior", f"output={links}"]
    assert len(align(settings_of("align", AlignSettings, *options))) == 400

    further = (f"init_from={teacher / 'model'}", f"guided_links={links}", "guided_attention=1")
    student = train(settings(tmp_path, "run=student", *longer, *further)).folder

    assert 0 < report(student)["best"]["aer"] < report(teacher)["best"]["aer"]
