"""What MkDocs and griffe call while they build the site, see mkdocs.yml.

Guides link to files of the repository such as `../examples/fit.py`; these become part
of the site. A page that would load anything from another server ends the build.
"""

import os
import re

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = "repository"  # where files of the repository lie in the site
_OUTSIDE = re.compile(r"\]\((?:\.\./)+((?:examples|benchmarks|scripts)/[\w./-]+)")
_REQUESTS = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*?\bsrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*?\bhref=[\"']?(?:https?:)?//[^>]*>"
)

# Sections of our docstrings, and how griffe has to read them.
_SECTIONS = {
    "Example:": "Examples:",
    "Call arguments:": "Other Parameters: Call arguments",
}


class Sections(griffe.Extension):
    """Gives griffe the sections of docstrings by the names that it knows."""

    def on_object(self, *, obj, **kwargs):
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            lines = obj.docstring.value.split("\n")
            lines = [_SECTIONS.get(line, line) for line in lines]
            obj.docstring.value = "\n".join(lines)


def on_files(files, config):
    """Adds the files outside docs/ that pages link to."""
    linked = set()
    for page in files.documentation_pages():
        linked.update(_OUTSIDE.findall(page.content_string))
    for path in sorted(linked):
        full = os.path.join(ROOT, path)
        if os.path.exists(full):  # else MkDocs warns of the link
            files.append(File.generated(config, f"{FOLDER}/{path}", abs_src_path=full))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns the links to them into links within the site."""
    up = "../" * page.file.src_uri.count("/")
    return _OUTSIDE.sub(rf"]({up}{FOLDER}/\1", markdown)


def on_post_page(output, page, config):
    """Refuses what a browser would load from elsewhere."""
    request = _REQUESTS.search(output)
    if request:
        raise PluginError(f"{page.file.src_uri} loads {request[0]} from elsewhere.")
    return output
