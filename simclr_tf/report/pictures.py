"""Scales images down and embeds them in a page."""

import base64
import io

import numpy as np
from PIL import Image

_QUALITY = 78
_SPRITE_QUALITY = 62


def thumbnails(images, side):
    """Scales images down, and converts them to uint8.

    Args:
        images: Float `[N, S, S, 3]` in [0, 1], or uint8.
        side: Int, height and width of the result; smaller images keep their size.

    Returns:
        uint8 `[N, T, T, 3]`.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        images = np.round(np.clip(images, 0, 1) * 255).astype("uint8")
    if images.shape[1] <= side:
        return images
    size, smooth = (side, side), Image.Resampling.LANCZOS
    return np.stack(
        [np.asarray(Image.fromarray(image).resize(size, smooth)) for image in images]
    )


def as_uri(image, most=None):
    """An image as the `src` of an `<img>`.

    Args:
        image: uint8 `[H, W, 3]`.
        most: Int, the largest longer side in pixels; larger images are scaled down.

    Returns:
        Str, `data:image/jpeg;base64,...`
    """
    picture = Image.fromarray(image)
    if most:
        picture.thumbnail((most, most))
    return _uri(picture, _QUALITY)


def sprite(images):
    """Many small images as a single, roughly square one, filled row by row.

    Args:
        images: uint8 `[N, T, T, 3]`.

    Returns:
        `(uri, columns)`: a str, see `as_uri`, and the number of images in a row.
    """
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    side = images.shape[1]
    sheet = np.zeros([rows * columns, side, side, 3], "uint8")
    sheet[: len(images)] = images
    sheet = sheet.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    sheet = sheet.reshape(rows * side, columns * side, 3)
    return _uri(Image.fromarray(sheet), _SPRITE_QUALITY), columns


def _uri(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
