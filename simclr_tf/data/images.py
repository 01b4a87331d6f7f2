"""What an image file means: from its bytes to upright RGB pixels.

A file's first bytes decide what it is, never its name.

| file | becomes |
|---|---|
| JPEG: colour, grey, progressive, MPO (its first picture) | TensorFlow's decoder |
| JPEG: CMYK, YCCK | Pillow's conversion to RGB |
| PNG: 1 to 16 bit, grey, palette, alpha | TensorFlow's decoder |
| GIF | the first frame on its canvas, by Pillow |
| BMP of every depth, WebP, TIFF (first page) | Pillow |
| whatever else Pillow reads; HEIC and AVIF with `pillow-heif` | Pillow |

For all of them, the orientation in Exif or XMP is applied. Transparency is dropped, so
the colour of a transparent pixel shows (as with Pillow's `convert("RGB")`). 16 bits are
scaled to 8, not clipped at 255. Floats are read as 0..1 if none is above 1, as 0..255
if none is above 255, else as 0..65535. A picture of more than `max_pixels` is refused
by its header, before any memory is used for it.
"""

import typing

import tensorflow as tf

from simclr_tf.data import orientation, pillow

MAX_PIXELS = 250_000_000

_JPEG, _PNG, _PILLOW = range(3)
_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_TENSORFLOW_PIXELS = 2**29 // 3  # of more, TensorFlow's JPEG decoder refuses to make
_RATIOS = (8, 4, 2)
_TURNED_PNG = r"\C*(eXIf|Raw profile type exif|tiff:Orientation)\C*"


class Header(typing.NamedTuple):
    """What a file's header says of its picture; int32 tensors.

    Attributes:
        decoder: Scalar, which decoder reads it.
        shape: `[2]`, height and width as stored; already upright if Pillow reads it.
        orientation: Scalar in 1 .. 8, the turn that still has to be applied.
    """

    decoder: tf.Tensor
    shape: tf.Tensor
    orientation: tf.Tensor

    @property
    def upright_shape(self):
        """Int32 `[2]`, height and width of what is decoded."""
        return orientation.turned_shape(self.shape, self.orientation)


def decode(encoded, ratio=1, max_pixels=MAX_PIXELS):
    """The picture in a file.

    Args:
        encoded: String scalar, the bytes of the file.
        ratio: Int or int32 scalar, 1, 2, 4 or 8: a JPEG is decoded at `1 / ratio` of
            its size, rounded up; any other picture at full size.
        max_pixels: Int, pixels of the largest picture that is allowed.

    Returns:
        uint8 RGB `[H, W, 3]`, upright.

    Raises:
        tf.errors.OpError: If it is not a picture, is broken or is too large. In eager
            mode, ValueError for pictures that Pillow reads.
    """
    header = read_header(encoded, max_pixels)
    ratio = tf.convert_to_tensor(ratio)
    shape = reduced(header.upright_shape, jpeg_ratio(header, ratio))
    return decode_box(encoded, header, tf.concat([[0, 0], shape], 0), ratio)


def try_to_decode(encoded):
    """Decodes a picture with the decoder of `decode`, only to find its errors.

    Args:
        encoded: Bytes of the file, whose header has been checked.

    Raises:
        tf.errors.OpError: Or ValueError, if it is broken.
    """
    if encoded.startswith(_JPEG_START) and not _is_special_jpeg(encoded):
        # At 1/8 it is read to its end all the same, in less time.
        tf.io.decode_jpeg(encoded, channels=3, ratio=8)
    elif encoded.startswith(_PNG_START) and not _is_turned_png(encoded):
        tf.io.decode_png(encoded, channels=3)
    else:
        pillow.decode(encoded)


def upright_shape(encoded, max_pixels=MAX_PIXELS):
    """Int32 `[2]`, height and width after `decode`, from the header alone."""
    return read_header(encoded, max_pixels).upright_shape


def read_header(encoded, max_pixels=MAX_PIXELS):
    """The `Header` of a file's bytes.

    Raises:
        tf.errors.OpError: If there is no header, or the picture is too large.
    """
    readers = [_jpeg_header, _png_header, _pillow_header]
    numbers = tf.switch_case(
        _decoder(encoded), [lambda read=read: read(encoded) for read in readers]
    )
    decoder, height, width, turn = tf.unstack(tf.ensure_shape(numbers, [4]))
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    allowed = tf.debugging.Assert(
        pixels <= max_pixels,
        [f"the picture has more than --max_image_pixels={max_pixels}:", height, width],
    )
    with tf.control_dependencies([allowed] if allowed is not None else []):
        return Header(decoder, tf.stack([height, width]), tf.identity(turn))


def decode_box(encoded, header, box, ratio=1):
    """A part of the picture in a file; for a JPEG, only that part is decoded.

    Args:
        encoded: String scalar.
        header: Its `Header`.
        box: Int32 `[4]`: top, left, height, width in the upright picture at `1 / ratio`
            of its size.
        ratio: See `decode`.

    Returns:
        uint8 RGB `[height, width, 3]`.
    """
    stored = orientation.stored_box(
        box, reduced(header.shape, ratio), header.orientation
    )
    branches = [
        lambda r=r: tf.io.decode_and_crop_jpeg(encoded, stored, channels=3, ratio=r)
        for r in (1, *_RATIOS[::-1])
    ]
    branches += [
        lambda: _cut(tf.io.decode_png(encoded, channels=3), box),
        lambda: _cut(_pillow_image(encoded), box),
    ]
    others = len(_RATIOS) + header.decoder
    branch = tf.where(header.decoder == _JPEG, _log2(ratio), others)
    pixels = tf.ensure_shape(tf.switch_case(branch, branches), [None, None, 3])
    return orientation.turn(pixels, header.orientation)


def jpeg_ratio(header, ratio):
    """The ratio if the file is a JPEG that TensorFlow decodes, else 1."""
    return tf.where(header.decoder == _JPEG, ratio, 1)


def largest_ratio(header, sides, sizes):
    """The largest ratio at which no box is smaller than its result.

    Args:
        header: `Header`.
        sides: Int32 `[V, 2]`, heights and widths of boxes.
        sizes: `V` ints, height and width of each result.

    Returns:
        Int32 scalar, 1, 2, 4 or 8; 1 if the file is not a JPEG.
    """
    times = tf.reduce_min(sides // tf.constant(sizes)[:, tf.newaxis])
    fitting = tf.where(times >= _RATIOS, _RATIOS, 1)
    return jpeg_ratio(header, tf.reduce_max(fitting))


def reduced(shape, ratio):
    """Height and width of a JPEG decoded at `1 / ratio`: rounded up."""
    return (shape + ratio - 1) // ratio


def decode_for_serving(encoded):
    """The picture in a file, decoded only by operations of TensorFlow.

    This is for a SavedModel, which runs without Python and Pillow. It differs from
    `decode`: it only reads JPEG, PNG, GIF and BMP; it applies a JPEG's orientation, but
    not a PNG's; CMYK is converted as TensorFlow does it; and BMPs of other depths than
    24 bit are not reliable.

    Args:
        encoded: String scalar, the bytes of the file.

    Returns:
        uint8 RGB `[H, W, 3]`.
    """
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    image = tf.ensure_shape(image, [None, None, 3])
    return tf.cond(
        _decoder(encoded) == _JPEG,
        lambda: orientation.turn(image, orientation.jpeg_orientation(encoded)),
        lambda: image,
    )


def _decoder(encoded):
    start = tf.strings.substr(encoded, 0, len(_PNG_START))
    is_jpeg = tf.strings.substr(encoded, 0, len(_JPEG_START)) == _JPEG_START
    return tf.where(is_jpeg, _JPEG, tf.where(start == _PNG_START, _PNG, _PILLOW))


def _jpeg_header(encoded):
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(encoded))
    return tf.cond(
        _is_special_jpeg(encoded),
        lambda: _pillow_header(encoded),
        lambda: tf.stack([_JPEG, height, width, orientation.jpeg_orientation(encoded)]),
    )


def _is_special_jpeg(encoded):
    """Whether TensorFlow decodes a JPEG wrongly or not at all: CMYK, or very large."""
    height, width, channels = tf.unstack(tf.io.extract_jpeg_shape(encoded))
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return (channels == 4) | (pixels > _TENSORFLOW_PIXELS)


def _png_header(encoded):
    words = tf.io.decode_raw(
        tf.strings.substr(encoded, 0, 24), tf.int32, little_endian=False
    )
    return tf.cond(
        _is_turned_png(encoded),
        lambda: _pillow_header(encoded),
        lambda: tf.stack([_PNG, words[5], words[4], 1]),
    )


def _is_turned_png(encoded):
    """Whether a PNG may have an orientation, which would precede its pixels."""
    head = tf.strings.substr(encoded, 0, 2**16)
    return tf.strings.regex_full_match(head, _TURNED_PNG)


def _pillow_header(encoded):
    shape = _by_pillow(pillow.upright_shape, encoded, tf.int32)
    return tf.concat([[_PILLOW], tf.ensure_shape(shape, [2]), [1]], axis=0)


def _pillow_image(encoded):
    return _by_pillow(pillow.decode, encoded, tf.uint8)


def _by_pillow(function, encoded, dtype):
    """Applies a Python function to a file's bytes."""
    if tf.executing_eagerly():  # `tf.numpy_function` would lose zeros at the end
        return tf.constant(function(encoded.numpy()), dtype)
    return tf.numpy_function(function, [encoded], dtype)


def _cut(image, box):
    top, left, height, width = tf.unstack(box)
    return image[top : top + height, left : left + width]


def _log2(ratio):
    """0, 1, 2, 3 of 1, 2, 4, 8."""
    ratio = tf.convert_to_tensor(ratio)
    return tf.reduce_sum(tf.cast(ratio >= _RATIOS, tf.int32))
