"""Progress bars for reading text appear only at a terminal."""

import pytest

from heed.cli.bars import bars
from heed.data.progress import report


def test_bars_are_shown_at_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches bars in a log file or in a command's output, and an exception if the total size is unknown."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for terminal in (False, True):
        if terminal:
            monkeypatch.setenv("FORCE_COLOR", "1")
        with bars():
            report("lines encoded", 5, 10)
            report("bytes of a.gz", 7, None)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert ("lines encoded" in captured.err) == terminal
