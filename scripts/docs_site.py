"""What MkDocs and griffe call while they build the site, see mkdocs.yml.

Guides link to files of the repository such as `../examples/fit.py`; these become part
of the site. A page that would load anything from another server ends the build.
"""

import ast
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
# In these griffe would take the words before a colon for a type.
_PROSE = ("Returns:", "Yields:")


class Sections(griffe.Extension):
    """Gives griffe the sections of docstrings in a form that it knows."""

    def on_object(self, *, obj, **kwargs):
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = "\n".join(_readable(obj.docstring.value))


def _readable(docstring):
    """Lines of a docstring, with its sections renamed or as plain paragraphs."""
    in_prose = False
    for line in docstring.split("\n"):
        if line in _PROSE:
            in_prose = True
            yield from (f"**{line}**", "")
        elif in_prose and line.startswith("    "):
            yield line[4:]
        else:
            in_prose = in_prose and not line
            yield _SECTIONS.get(line, line)


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


def on_page_content(html, page, config, files):
    """Refuses pages of the reference that lack a public name of their package."""
    for package in re.findall(r"^::: (\w+(?:\.\w+)*)$", page.markdown, re.MULTILINE):
        path = os.path.join(ROOT, *package.split("."), "__init__.py")
        for name in _public_names(path) if os.path.exists(path) else ():
            if not re.search(rf'id="{package}(\.\w+)*\.{name}"', html):
                raise PluginError(f"{page.file.src_uri} lacks {package}.{name}.")
    return html


def _public_names(path):
    """What a package exports, without its constants."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            names = ast.literal_eval(node.value)
            return [name for name in names if not name.isupper()]
    return []


def on_post_page(output, page, config):
    """Refuses what a browser would load from elsewhere."""
    request = _REQUESTS.search(output)
    if request:
        raise PluginError(f"{page.file.src_uri} loads {request[0]} from elsewhere.")
    return output
