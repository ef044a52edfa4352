"""Read tab-separated tables of sentence pairs, written by hand or by spreadsheets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from heed.data.lines import existing, stored_lines
from heed.errors import UserError
from heed.text.lines import Lines

Column = int | str
"""A column: its number, from 1, or its name in the header."""

NAMES = {
    "ar": ("arabic", "العربية"),
    "cs": ("czech", "čeština"),
    "de": ("german", "deutsch"),
    "en": ("english",),
    "es": ("spanish", "español"),
    "fa": ("persian", "farsi", "فارسی"),
    "fi": ("finnish", "suomi"),
    "fr": ("french", "français"),
    "he": ("hebrew", "עברית"),
    "hi": ("hindi", "हिन्दी"),
    "it": ("italian", "italiano"),
    "ja": ("japanese", "日本語"),
    "ko": ("korean", "한국어"),
    "lo": ("lao", "ລາວ"),
    "nl": ("dutch", "nederlands"),
    "pl": ("polish", "polski"),
    "pt": ("portuguese", "português"),
    "ru": ("russian", "русский"),
    "si": ("sinhala", "sinhalese", "සිංහල"),
    "sv": ("swedish", "svenska"),
    "th": ("thai", "ไทย"),
    "tr": ("turkish", "türkçe"),
    "uk": ("ukrainian", "українська"),
    "vi": ("vietnamese", "tiếng việt"),
    "zh": ("chinese", "中文"),
}
"""Names of languages in a header, besides their codes."""

ROLES = (("src", "source", "source_text", "src_text"), ("tgt", "target", "trg", "target_text", "translation"))


Rows = Callable[[], Iterator[list[str]]]
"""A function that returns an iterator over the rows; each row is a list of cells."""


class Table(NamedTuple):
    """The two columns of a file, and notes on what was left out."""

    src: Lines
    tgt: Lines
    notes: list[str]


def read_table(path: str, src_lang: str, tgt_lang: str, columns: Sequence[Column] | None) -> Table:
    """Read the columns `columns`, or those that a header names by language, or the only two columns.

    A header row, the quotes of a spreadsheet and blank lines at the end are left out, with a note. Blank lines
    elsewhere are errors, like any row with too few columns.

    Raises:
        UserError: a column does not exist; the message has the number of the row.
    """
    file = existing(path)
    lines = stored_lines(file)
    size = max((number for number, line in enumerate(lines, start=1) if line.strip()), default=0)
    notes = []
    if size < len(lines):
        notes.append(f"{file}: {_count(len(lines) - size, 'blank line')} at the end were left out")
    rows: Rows = partial(_rows, lines, size)
    if _is_quoted(rows()):
        rows = partial(_unquoted_rows, rows)
        notes.append(f"{file}: the quotes around cells, written by a spreadsheet, were left out")
    first = next(iter(rows()), [])
    header = _header(first, src_lang, tgt_lang, columns)
    if header:
        notes.append(f"{file}: the first row is a header ({', '.join(first)}) and was left out")
    places = _chosen(file, rows, first, header, columns)
    skipped = 1 if header else 0
    for number, row in enumerate(islice(rows(), skipped, None), start=1 + skipped):
        _check_cells(file, number, row, places)
    src, tgt = (Lines(size - skipped, partial(_column, rows, skipped, place)) for place in places)
    return Table(src, tgt, notes)


def _rows(lines: Sequence[str], size: int) -> Iterator[list[str]]:
    return (line.split("\t") for line in islice(lines, size))


def _unquoted_rows(rows: Rows) -> Iterator[list[str]]:
    return ([_unquoted(cell) for cell in row] for row in rows())


def _column(rows: Rows, skipped: int, place: int) -> Iterator[str]:
    return (row[place] for row in islice(rows(), skipped, None))


def _is_quoted(rows: Iterable[Sequence[str]]) -> bool:
    """Whether the quotes in the file were written by a spreadsheet.

    If so, every cell that contains a quote is quoted as a whole, with its inner quotes doubled, and there are either
    inner quotes, or all cells are quoted. Quoted speech in a corpus does not follow these rules in all lines.
    """
    cells = marked = 0
    doubled = False
    for cell in chain.from_iterable(rows):
        cells += 1
        if '"' in cell:
            if not _is_whole(cell):
                return False
            marked += 1
            doubled = doubled or '""' in cell[1:-1]
    return marked > 0 and (doubled or marked == cells)


def _is_whole(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _is_whole(cell) else cell


def _header(first: Sequence[str], src_lang: str, tgt_lang: str, columns: Sequence[Column] | None) -> dict[str, int]:
    """The index of each column by its name, and those of the sides as `<src>` and `<tgt>`; empty without a header."""
    names = [cell.strip() for cell in first]
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    src, tgt = (
        next((place for place, name in enumerate(names) if name.casefold() in _called(lang, role)), None)
        for lang, role in ((src_lang, ROLES[0]), (tgt_lang, ROLES[1]))
    )
    if src is not None and tgt is not None and src != tgt:
        return {**places, "<src>": src, "<tgt>": tgt}
    named = [column for column in columns or () if isinstance(column, str)]
    return places if named and all(name in places for name in named) else {}


def _called(lang: str, role: tuple[str, ...]) -> set[str]:
    code = lang.casefold()
    return {code, *role, *NAMES.get(code.replace("_", "-").partition("-")[0], ())}


def _chosen(
    file: Path,
    rows: Rows,
    first: Sequence[str],
    header: dict[str, int],
    columns: Sequence[Column] | None,
) -> tuple[int, int]:
    """The indices of the source and target columns."""
    if columns is not None:
        src, tgt = (_place(file, first, header, column) for column in columns)
        if src == tgt:
            raise UserError(f"corpus.columns=[{','.join(map(str, columns))}] is one column of {file}; name two")
        return src, tgt
    if "<src>" in header:
        return header["<src>"], header["<tgt>"]
    for number, row in enumerate(rows(), start=1):
        if len(row) != 2:
            expected = "expected 2 (source, tab, target)"
            raise UserError(f"{file} line {number} has {_count(len(row), 'column')}, {expected}; {_advice(row, rows)}")
    return 0, 1


def _advice(row: Sequence[str], rows: Rows) -> str:
    """What to do about a row that has not two columns."""
    if len(row) > 2:
        return "choose two with corpus.columns=[1,2]"
    if row[0].startswith('"') and row[0].count('"') % 2:
        return "its cell goes on in the next line; put the text of each cell on one line"
    if all(len(one) == 1 for one in rows()) and any(sign in row[0] for sign in ",;"):
        return "if commas or semicolons stand between its columns, save it as tab-separated text"
    return "remove the line, or put a tab"


def _place(file: Path, first: Sequence[str], header: dict[str, int], column: Column) -> int:
    if isinstance(column, str):
        if column not in header:
            there = ", ".join(first) or "nothing"
            raise UserError(f"{file} has no column {column}; its first line is {there}; give corpus.columns by number")
        return header[column]
    if column < 1:
        raise UserError(f"corpus.columns={column}: columns are counted from 1")
    return column - 1


def _check_cells(file: Path, number: int, row: Sequence[str], places: Sequence[int]) -> None:
    for place in places:
        if place >= len(row):
            found = _count(len(row), "column")
            raise UserError(f"{file} line {number} has {found}, but column {place + 1} is needed")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
