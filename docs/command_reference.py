"""Write the reference of the commands from configs/: their help, and every key with its default and its comment."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

COMMANDS = ("train", "evaluate", "translate", "align", "export", "serve")

GROUPS = ("corpus", "subwords", "attention", "optim", "schedule", "teacher_forcing", "search", "experiment", "debug")

LINE = re.compile(
    r"(?P<indent> *)(?P<key>[\w.]+):(?: (?P<value>(?:'[^']*'|\"[^\"]*\"|[^#])*?))?(?: *# (?P<comment>.*))?$"
)


class Key(NamedTuple):
    """A line of a config: `name` has the names of the mappings around it, joined by dots."""

    name: str
    value: str
    comment: str


def write_command_reference(path: Path) -> None:
    """Write the page, if its text has changed: Sphinx builds a page again only if its file is newer."""
    text = "\n\n".join([HEAD, *map(command_section, COMMANDS), GROUP_HEAD, *map(group_section, GROUPS)]) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


HEAD = """# Commands

Every command takes settings as `key=value`. This page is generated from the files in `configs/`, which hold the
defaults. `heed-train --cfg job` prints all settings with their values, `heed-train --help` the text below."""

GROUP_HEAD = """## Groups of options

A group is chosen as `group=option`, for example `corpus=files`. Its keys are then set as `corpus.name=news`. Options
that a command uses by default are marked. Files of your own in `./configs/GROUP/NAME.yaml` add options."""

DEFAULT = re.compile(r"  - (?P<group>\w+): (?P<option>\w+)")


def command_section(name: str) -> str:
    """The help of a command and its keys."""
    config, _, rest = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").partition("\nhydra:\n")
    help_text = rest.partition("template: |\n")[2]
    dedented = "\n".join(line.removeprefix(" " * 6) for line in help_text.splitlines()).rstrip()
    return f"## heed-{name}\n\n```text\n{dedented}\n```\n\n{key_table(read_keys(config))}"


def group_section(group: str) -> str:
    """The options of a group, each with the text at its head and its keys."""
    options = (option_section(group, path) for path in sorted((CONFIGS / group).glob("*.yaml")))
    return "\n\n".join([f"### {group}", *options])


def option_section(group: str, path: Path) -> str:
    """One option of a group."""
    text = path.read_text(encoding="utf-8")
    head = [line.removeprefix("# ") for line in head_comment(text)]
    table = key_table(read_keys(text))
    title = f"#### {group}={path.stem}{default_mark(group, path.stem)}"
    return "\n\n".join(part for part in (title, "\n".join(map(escaped, head)), table) if part)


def default_mark(group: str, option: str) -> str:
    """The commands that use an option by default, in brackets; empty if there are none."""
    users = [f"heed-{name}" for name in COMMANDS if default_options(name).get(group) == option]
    return f" (default of {_listed(users)})" if users else ""


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def default_options(command: str) -> dict[str, str]:
    """The option of each group that a command uses by default."""
    lines = (CONFIGS / f"{command}.yaml").read_text(encoding="utf-8").splitlines()
    return {found["group"]: found["option"] for line in lines if (found := DEFAULT.match(line))}


def head_comment(text: str) -> list[str]:
    """The comment lines at the head of a file."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line)
    return lines


def read_keys(text: str) -> Iterator[Key]:
    """Every key of a config that has a value; a comment above a key belongs to it."""
    parents: list[tuple[int, str]] = []
    above: list[str] = []
    lines = text.splitlines()[len([line for line in text.splitlines() if line.startswith("# @package")]) :]
    in_head = True
    for line in lines:
        stripped = line.strip()
        if in_head and stripped.startswith("#"):
            continue
        in_head = False
        if stripped.startswith("# "):
            above.append(stripped.removeprefix("# "))
            continue
        matched = LINE.match(line)
        if not matched or matched["key"] == "defaults":
            above = []
            continue
        indent = len(matched["indent"])
        parents = [(depth, key) for depth, key in parents if depth < indent]
        name = ".".join([*(key for _, key in parents), matched["key"]])
        comment = " ".join([*above, matched["comment"] or ""]).strip()
        above = []
        value = (matched["value"] or "").strip()
        if value:
            yield Key(name, value, comment)
        else:
            parents.append((indent, matched["key"]))


def key_table(keys: Iterator[Key]) -> str:
    """A table of keys; nothing if there are none."""
    rows = [f"| `{key.name}` | `{key.value}` | {escaped(key.comment)} |".replace("`???`", "required") for key in keys]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows]) if rows else ""


def escaped(text: str) -> str:
    """Text of a comment as Markdown."""
    return re.sub(r"([|*_<>\[\]])", r"\\\1", text)
