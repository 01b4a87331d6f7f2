"""The files below a folder, local or on a remote file system."""

import dataclasses
import functools
import glob
import os
import posixpath

import tensorflow as tf

# Extensions of the pictures that are read, in any case; the decoder goes by content.
EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .bmp .dib .webp .tif .tiff "
    ".ppm .pgm .pbm .pnm .pfm .tga .ico .pcx .sgi .qoi .psd .dds "
    ".jp2 .j2k .jpf .jpx .heic .heif .hif .avif".split()
)
WILDCARDS = frozenset("*?[")
_SYSTEM = frozenset(
    [
        "__macosx",
        "__pycache__",
        "@eadir",
        "@recycle",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "lost+found",
        "system volume information",
    ]
)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


@dataclasses.dataclass
class Tree:
    """The contents of a folder.

    Attributes:
        pictures: List of str, sorted: files with one of `EXTENSIONS`, and files without
            extension whose first bytes are those of a picture.
        others: Dict from extension to number of files that are not read.
        left_out: List of str, hidden folders and those of operating systems.
        skipped: List of `(folder, reason)`: folders that cannot be read, and links to
            folders whose files are there already.
        folders: List of str, the folders whose files were read.
        links: List of str, links to files that are also there under another name.
    """

    pictures: list = dataclasses.field(default_factory=list)
    others: dict = dataclasses.field(default_factory=dict)
    left_out: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    folders: list = dataclasses.field(default_factory=list)
    links: list = dataclasses.field(default_factory=list)

    def add(self, file):
        """Adds a file by its name; hidden files are ignored."""
        name = os.path.basename(file)
        if name.startswith("."):  # AppleDouble's ._a.jpg too
            return
        if is_picture(file):
            self.pictures.append(file)
        else:
            extension = os.path.splitext(name)[1].lower()
            self.others[extension] = self.others.get(extension, 0) + 1


def is_remote(path):
    """Whether a path is on a remote file system of TensorFlow, such as gs://."""
    return "://" in path


def is_folder(path):
    """Whether there is a folder."""
    return tf.io.gfile.isdir(path) if is_remote(path) else os.path.isdir(path)


def is_file(path):
    """Whether there is a file."""
    if not is_remote(path):
        return os.path.isfile(path)
    return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)


def is_picture(file):
    """Whether a file has one of `EXTENSIONS`, or none but a picture's first bytes."""
    extension = os.path.splitext(file)[1].lower()
    return extension in EXTENSIONS or (not extension and _begins_like_a_picture(file))


def read(path, size=-1):
    """Bytes of a file, the first `size` of them.

    Raises:
        OSError: If it cannot be read.
    """
    if not is_remote(path):
        with open(path, "rb") as file:
            return file.read(size)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read(size)
    except tf.errors.OpError as error:
        raise OSError(0, error.message) from error


def walk(roots):
    """The `Tree` of each folder; each file occurs once, whatever links there are."""
    met, trees = set(), []
    for root in roots:
        tree = Tree()
        if is_remote(root):
            _walk_remote(root, tree)
        else:
            _walk_local(root, tree, met)
        tree.pictures.sort()
        trees.append(tree)
    _find_again(trees)
    return trees


def matches(pattern):
    """The sorted matches of a pattern with *, ?, [] and **; ** follows a link once."""
    if is_remote(pattern):
        return sorted(tf.io.gfile.glob(pattern))
    above, deep, below = pattern.partition("**")
    if not deep:
        return sorted(glob.glob(pattern))
    found = set()
    for tree in walk(glob.glob(above or ".")):
        for folder in tree.folders:
            found.update(matches(glob.escape(folder) + (below or "/*")))
    return sorted(found)


def of_matches(pattern, paths):
    """The `Tree` of the files among a pattern's matches; each file occurs once."""
    tree, met = Tree(), set()
    parts = pattern.split("/")
    named = next((n for n, part in enumerate(parts) if set(part) & WILDCARDS), 0)
    for path in sorted(paths, key=lambda path: (_is_linked(path), path)):
        real = path
        if not is_remote(path):
            folder, name = os.path.split(path)
            real = os.path.join(os.path.realpath(folder), name)
        if is_folder(path):
            tree.skipped.append((path, "it is a folder, beside files"))
        elif any(map(_is_no_data, path.split("/")[named:-1])):
            tree.left_out.append(os.path.dirname(path))
        elif real in met:
            tree.skipped.append((path, "it is there already, by another path"))
        else:
            met.add(real)
            tree.add(path)
    tree.pictures.sort()
    return tree


def _find_again(trees):
    """Keeps those `links` whose files are also there under another name."""
    links = {link for tree in trees for link in tree.links}
    if not links:
        return
    folder = functools.cache(os.path.realpath)
    met = {
        os.path.join(folder(os.path.dirname(picture)), os.path.basename(picture))
        for tree in trees
        for picture in tree.pictures
        if picture not in links
    }
    for tree in trees:
        links, tree.links = tree.links, []
        for link in links:
            real = os.path.realpath(link)
            if real in met:
                tree.links.append(link)
            met.add(real)


def _is_linked(path):
    folder = os.path.dirname(path)
    return not is_remote(path) and os.path.realpath(folder) != os.path.abspath(folder)


def _walk_local(root, tree, met):
    """Walks real folders first, then links to folders that were not met."""
    waiting, links = [root], []
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop(0)
        real = os.path.realpath(folder)
        if real in met:
            tree.skipped.append((folder, "its files are there already"))
            continue
        met.add(real)
        tree.folders.append(folder)
        inner, linked = _scan(folder, tree)
        waiting += inner
        links += linked


def _scan(folder, tree):
    """Adds the files of a folder; returns its real folders and links to folders."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        tree.skipped.append((folder, error.strerror))
        return [], []
    inner, linked = [], []
    for entry in entries:
        try:
            is_file = not entry.is_dir()
        except OSError as error:  # a link to itself
            tree.skipped.append((entry.path, error.strerror))
            continue
        if is_file:
            tree.add(entry.path)
            if entry.is_symlink() and entry.path in tree.pictures[-1:]:
                tree.links.append(entry.path)
        elif _is_no_data(entry.name):
            tree.left_out.append(entry.path)
        else:
            (linked if entry.is_symlink() else inner).append(entry.path)
    return inner, linked


def _walk_remote(root, tree):
    for folder, inner, files in tf.io.gfile.walk(root):
        for name in filter(_is_no_data, (name.rstrip("/") for name in inner)):
            tree.left_out.append(posixpath.join(folder, name))
        below = folder[len(root) :].strip("/").split("/")
        if not any(map(_is_no_data, below)):
            for name in files:
                tree.add(posixpath.join(folder, name))


def _is_no_data(folder):
    return folder.startswith(".") or folder.lower() in _SYSTEM


def _begins_like_a_picture(file):
    try:
        start = read(file, 12) if is_file(file) else b""
    except OSError:
        return False
    is_webp = start[:4] == b"RIFF" and start[8:] == b"WEBP"
    return start.startswith(_MAGIC) or is_webp
