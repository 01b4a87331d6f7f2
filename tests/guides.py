"""What README.md and the pages in docs/ hold: code, commands, links, headings."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"(?:python run\.py|docker run .* simclr:[cg]pu)(?: +(-.*)|$)")


def pages():
    """Paths relative to the root, README.md first."""
    found = ["README.md"]
    for folder, _, files in os.walk(os.path.join(ROOT, "docs")):
        folder = os.path.relpath(folder, ROOT)
        found += [f"{folder}/{file}" for file in files if file.endswith(".md")]
    return sorted(found, key=lambda page: (page != "README.md", page))


def text(page):
    """All of a page."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def prose(page):
    """A page without its fenced blocks."""
    return _FENCED.sub("", text(page))


def blocks(page, language):
    """The fenced blocks in a language, in order."""
    return [body for found, body in _FENCED.findall(text(page)) if found == language]


def shell_lines(page):
    """Lines of the bash blocks, continued ones joined, without comments."""
    lines = "".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    lines = [re.sub(r"\s+#.*", "", line) for line in lines]
    return [line for line in lines if line and not line.startswith("#")]


def flags_of(line):
    """What a line passes to run.py, a str; None where it does not run that."""
    found = _COMMAND.search(line)
    return found and (found[1] or "")


def spans(page):
    """What stands in backticks between the words."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def links(page):
    """`(path, anchor)` of the links to files; the path is relative to the root."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            path = os.path.join(os.path.dirname(page), path) if path else page
            yield os.path.normpath(path), anchor


def anchors(page):
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    titles = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title) for title in titles]
    kept = [re.sub(r"[^\w\s-]", "", title).strip().lower() for title in titles]
    return {re.sub(r"\s+", "-", title) for title in kept}
