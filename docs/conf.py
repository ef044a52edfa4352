"""The documentation site: Sphinx reads the pages of this folder, docstrings, and the commands' own configs."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from command_reference import write_command_reference
from docutils import nodes
from sphinx.application import Sphinx

project = "heed"
author = copyright = "the heed authors"
release = version = version_of("heed")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["results", "notebooks/*.ipynb"]
suppress_warnings = ["misc.highlighting_failure"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"heed {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
copybutton_prompt_text = "$ "


def setup(app: Sphinx) -> None:
    """Write the reference of the commands, which is generated, before pages are read."""
    write_command_reference(Path(__file__).parent / "reference" / "commands.md")
    app.connect("doctree-read", keep_together)


def keep_together(_: Sphinx, page: nodes.document) -> None:
    """Let no line of a narrow table end before or after ±."""
    for text in list(page.findall(nodes.Text)):
        if " ± " in text:
            text.parent.replace(text, nodes.Text(text.replace(" ± ", "\u00a0±\u00a0")))
