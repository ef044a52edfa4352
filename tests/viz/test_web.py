"""The pages' JavaScript without a browser: its tests under node, and the joining of modules."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from heed.viz import modules
from heed.viz.modules import join_modules

WEB = Path(modules.__file__).parent / "web"
PAGES = ["gallery.mjs", "notebook.mjs"]

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node is not installed; on Debian: apt-get install nodejs"
)


def node(*arguments: str | Path) -> None:
    result = subprocess.run(["node", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@needs_node
def test_the_pure_modules_pass_their_tests() -> None:
    """Runs the tests in web/*.test.mjs, of links, sorting, search, layout and colours."""
    node("--test", *sorted((Path(__file__).parent / "web").glob("*.test.mjs")))


@needs_node
@pytest.mark.parametrize("page", PAGES)
def test_the_joined_module_of_each_page_is_valid(page: str, tmp_path: Path) -> None:
    """Catches two modules with a top-level name in common, which share one scope once joined."""
    (tmp_path / "joined.mjs").write_text(join_modules(page), encoding="utf-8")
    node("--check", tmp_path / "joined.mjs")


@pytest.mark.parametrize("page", PAGES)
def test_each_module_is_included_once_and_before_those_that_need_it(page: str) -> None:
    """Catches a module that runs before what it imports, or twice, and an import left in the page."""
    joined = join_modules(page)
    places = []
    for name in ("bytes(", "readWeights(", "class AttentionMap", "class Card", "new Card("):
        first = re.search(rf"^(?:export )?(?:async )?(?:function )?.*{re.escape(name)}", joined, re.MULTILINE)
        assert first is not None
        places.append(first.start())
    assert places == sorted(places)
    assert joined.count("function bytes(") == 1
    assert not re.search(r"^(import|export)\b", joined, re.MULTILINE)
    assert "</script" not in joined
    assert "@param" not in joined


@pytest.mark.parametrize(
    "line",
    [
        'import a from "./b.mjs";',
        'import { a } from "b";',
        'import * as a from "./b.mjs";',
        "export default a;",
        "export { a };",
        'export * from "./b.mjs";',
    ],
)
def test_other_imports_and_exports_are_refused(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an import or export that is left in the joined page, which no browser accepts in a single file."""
    parts = {"a.mjs": f"const b = 1;\n{line}\n", "b.mjs": ""}
    monkeypatch.setattr(modules, "read_part", parts.__getitem__)
    with pytest.raises(ValueError, match=r"a\.mjs: cannot join"):
        join_modules("a.mjs")


def test_a_diamond_of_imports_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {
        "top.mjs": 'import {\n  left,\n} from "./left.mjs";\nimport { right } from "./right.mjs";\nleft(right);\n',
        "left.mjs": 'import { base } from "./base.mjs";\n// A remark.\nexport function left() { return base; }\n',
        "right.mjs": 'import { base } from "./base.mjs";\n/**\n * More.\n */\nexport const right = base;\n',
        "base.mjs": 'export const base = "export const x";\n',
    }
    monkeypatch.setattr(modules, "read_part", parts.__getitem__)
    assert join_modules("top.mjs") == (
        'const base = "export const x";\nfunction left() { return base; }\nconst right = base;\nleft(right);\n'
    )


def test_every_module_is_checked_for_types() -> None:
    """Catches a module that the type checker skips."""
    assert all(path.read_text(encoding="utf-8").startswith("// @ts-check\n") for path in WEB.glob("*.mjs"))
