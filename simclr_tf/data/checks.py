"""Which image files can be read."""

import concurrent.futures
import contextlib
import warnings

import tensorflow as tf
from PIL import Image

from simclr_tf.errors import UserError

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
# Up to so many files are decoded when the source is opened; of more, only the first
# bytes are looked at.
_DECODED = 1000


def require_readable(files):
    """Refuses files that are no images: all by their first bytes, few by decoding.

    Raises:
        UserError: Naming the first such file, and how many there are.
    """
    check = _decoding_error if len(files) <= _DECODED else _header_error
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        errors = list(pool.map(check, files))
    broken = [(file, error) for file, error in zip(files, errors, strict=True) if error]
    if broken:
        file, error = broken[0]
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise UserError(
            f"Cannot read the image {file}: {error}{more}. Mend or remove it; allowed "
            "are whole JPEG, PNG, GIF and BMP files."
        )


@contextlib.contextmanager
def naming_broken_files(source):
    """Turns a decoder's failure while `source` is read into one that names the file."""
    try:
        yield
    except tf.errors.InvalidArgumentError:
        files = getattr(source, "paths", ())
        for start in range(0, len(files), _DECODED):
            require_readable(files[start : start + _DECODED])
        raise


def _header_error(file):
    try:
        with open(file, "rb") as opened:
            start = opened.read(8)
    except OSError as error:
        return error.strerror
    return None if start.startswith(_MAGIC) else "it does not begin like an image"


def _decoding_error(file):
    error = _header_error(file)
    if error:
        return error
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:  # Pillow's decoders raise many kinds
        return str(error).rstrip(".") or type(error).__name__
    return None
