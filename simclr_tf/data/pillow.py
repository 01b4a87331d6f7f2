"""Reads files with Pillow for which TensorFlow has no correct decoder."""

import contextlib
import functools
import io
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin

_LIMIT = threading.Lock()
_EXIF_OF_PNG = {"exif", "Raw profile type exif"}
_XMP, _IN_XMP = "XML:com.adobe.xmp", "tiff:Orientation"
_PROGRAMS = {"EPS"}  # it would be run, by Ghostscript


def decode(encoded):
    """The first picture in a file's bytes, upright: uint8 RGB `[H, W, 3]`.

    Raises:
        ValueError: If Pillow cannot read it.
    """
    with _opened(io.BytesIO(encoded)) as image:
        return np.array(_rgb(ImageOps.exif_transpose(image)))


def upright_shape(encoded):
    """Int32 `[2]`, height and width of the result of `decode`, from the header alone.

    Raises:
        ValueError: If Pillow cannot read it.
    """
    with _opened(io.BytesIO(encoded)) as image:
        return np.array(_upright(image), np.int32)


def kind_and_shape(encoded):
    """Pillow's name for a picture's format, and its upright height and width.

    Raises:
        ValueError: If Pillow cannot read it.
    """
    with _opened(io.BytesIO(encoded)) as image:
        return image.format, _upright(image)


def examine(file, max_pixels, whole):
    """Finds out whether a picture can be read.

    Args:
        file: Str, or binary file.
        max_pixels: Int, pixels of the largest picture that is allowed.
        whole: Bool, whether to decode it instead of only reading the header.

    Returns:
        None, or a str that says what is wrong with it.
    """
    try:
        with _opened(file) as image:
            height, width = _upright(image)
            if height * width > max_pixels:
                return (
                    f"it has {width} x {height} pixels, more than "
                    f"--max_image_pixels={max_pixels}"
                )
            if whole:
                image.load()
    except ValueError as error:
        return str(error)
    return None


def _upright(image):
    """Height and width after applying the orientation, without decoding."""
    width, height = image.size
    if image.format == "TIFF":  # some versions of Pillow turn the size on opening
        width, height = (
            image.tag_v2[TiffImagePlugin.IMAGEWIDTH],
            image.tag_v2[TiffImagePlugin.IMAGELENGTH],
        )
    if image.format == "PNG" and not _EXIF_OF_PNG & image.info.keys():
        if _IN_XMP not in str(image.info.get(_XMP)):
            return height, width  # or all would be decoded to look for it at the end
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def _rgb(image):
    """RGB from any mode; Pillow itself would clip 16 bits and floats at 255."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        values = np.nan_to_num(values, posinf=0, neginf=0)
        scale = 1 / 257
        if image.mode == "F":
            largest = values.max(initial=0)
            scale = 255.0 if largest <= 1 else 1.0 if largest <= 255 else 1 / 257
        values = np.clip(np.round(values * scale), 0, 255)
        image = Image.fromarray(values.astype(np.uint8))
    return image.convert("RGB")


@contextlib.contextmanager
def _opened(file):
    """An opened picture; any error of Pillow becomes a `ValueError` of one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _without_limit(file) as image:
                yield image
    except Exception as error:  # Pillow's decoders raise many kinds
        text = getattr(error, "strerror", None) or str(error)
        text = (text.strip() or type(error).__name__).splitlines()[0].rstrip(".")
        if isinstance(error, Image.UnidentifiedImageError):
            text = "it is no picture that can be read"
        raise ValueError(text) from error


def _without_limit(file):
    """`Image.open` without Pillow's own limit; the flag sets ours."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@functools.cache
def _formats():
    """The formats that Pillow reads, with HEIC if `pillow-heif` is installed."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in Image.ID if name not in _PROGRAMS)
