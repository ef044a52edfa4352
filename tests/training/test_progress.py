"""Progress at the terminal: lines, and a bar only at a real terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heed.cli.train import train_and_print
from heed.cli.validation_table import duration
from tests.support.small_run import overrides, settings

ROOT = Path(__file__).parents[2]


def test_a_line_for_every_validation_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Catches a bar in a log file, Lightning's own messages, and numbers in the wrong column."""
    run = train_and_print(settings(tmp_path))
    out, err = capsys.readouterr()
    table = out[out.index("    step  epoch") :].splitlines()
    head, lines = table[0], table[1:3]
    assert table[3] == ""
    for line, scores in zip(lines, run.report["history"], strict=True):
        assert line.split()[0] == str(scores["step"])
        assert line[: head.index("BLEU") + 4].split()[-1] == f"{scores['bleu']:.2f}"
        assert line[: head.index("AER") + 3].split()[-1] == f"{scores['aer']:.3f}"
    first, second = (scores["bleu"] for scores in run.report["history"])
    assert [("best" in line) for line in lines] == [True, second > first]
    assert not re.search("lightning|GPU|TPU|tip|warn", out + err, re.IGNORECASE)
    assert "\x1b" not in out


@pytest.mark.slow
def test_a_bar_at_a_terminal(tmp_path: Path) -> None:
    """Catches a bar without loss, speed or remaining time, and a bar that stays below the last line."""
    own, its = pty.openpty()
    command = [sys.executable, "-m", "heed.cli.train", *overrides(tmp_path)]
    environment = os.environ | {"COLUMNS": "120", "TERM": "xterm"}
    with subprocess.Popen(command, cwd=ROOT, stdout=its, stderr=subprocess.PIPE, env=environment) as process:
        os.close(its)
        seen = read_all(own)
    assert process.returncode == 0
    assert re.search(r"/24 .*loss \d\.\d{3} · [\d,]+ tokens/s · 0:\d\d:\d\d left", seen)
    assert "validating" in seen
    after_the_last_line = seen[seen.rindex("make board") :]
    assert "tokens/s" not in after_the_last_line


def read_all(descriptor: int) -> str:
    """Everything that a process writes to its terminal until it ends."""
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # on Linux: the other side is closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()


def test_durations_are_in_hours_minutes_and_seconds() -> None:
    """Catches seconds with six decimals."""
    assert [duration(seconds) for seconds in (0.4, 65.0, 3600.0 * 26)] == ["0:00:00", "0:01:05", "26:00:00"]
