"""Which way up a JPEG belongs, using only operations of TensorFlow.

A camera stores pixels in the sensor's orientation and notes in the Exif block how to
turn them; some programs note it only in XMP. The note is a number from 1 to 8 and means
these turns of the stored pixels:

| orientation | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
|---|---|---|---|---|---|---|---|---|
| rows are reversed    | | | x | x |   | x | x |   |
| columns are reversed | | x | x |   |   |   | x | x |
| then transposed      | | |   |   | x | x | x | x |

Reference: Exif 2.32 (CIPA DC-008), section 4.6.4, tag 274; XMP (ISO 16684-1).
"""

import tensorflow as tf

_SEARCHED = 2**17  # bytes of the file: the Exif block is one of its first segments
_APP1 = 0xE1  # the kind of the segments of Exif and XMP
_LONGEST_DIRECTORY = 1000
_TAG, _SHORT = 274, 3
_XMP_ORIENTATION = r"^\C*?tiff:Orientation(?:=\"|>)([0-9])\C*$"


def jpeg_orientation(encoded):
    """The orientation that a JPEG asks for in its Exif block, or else in XMP.

    Args:
        encoded: String scalar, the file.

    Returns:
        Int32 scalar in 1 .. 8; 1, no turn, if there is no valid note.
    """
    exif, more = _segment(encoded, b"Exif\0\0")
    orientation = tf.cond(
        tf.strings.length(exif) > 0,
        lambda: _in_tiff(tf.io.decode_raw(exif, tf.uint8)),
        lambda: tf.constant(0),
    )
    orientation = tf.cond(
        more & (orientation == 0),
        lambda: _in_xmp(_segment(encoded, b"http:/")[0]),
        lambda: orientation,
    )
    return tf.where((orientation >= 1) & (orientation <= 8), orientation, 1)


def _segment(encoded, name):
    """The content after a name of 6 bytes in the first application segment with it.

    Args:
        encoded: String scalar, a JPEG.
        name: 6 bytes.

    Returns:
        `(content, more)`: string scalar, empty if there is no such segment; and bool
        scalar, whether there is any such segment, whatever its name.
    """
    end = tf.minimum(tf.strings.length(encoded), _SEARCHED)

    def start_of_segment(at):
        start = tf.strings.substr(encoded, at, 10)
        return tf.cast(tf.io.decode_raw(start, tf.uint8, fixed_length=10), tf.int32)

    def has_name(segment):
        return tf.reduce_all(segment[4:] == list(name))

    def goes_on(at, segment, _):
        mark, kind, *_ = tf.unstack(segment)
        optional = (kind >= 0xE0) | (kind == 0xFE)  # 0xFF, which fills up, included
        return (at < end) & (mark == 0xFF) & optional & ~has_name(segment)

    def following(at, segment, seen):
        _, kind, high, low, *_ = tf.unstack(segment)
        length = tf.where(kind == 0xFF, 1, 2 + high * 256 + low)
        at = tf.minimum(at + length, end)
        return at, start_of_segment(at), seen | (kind == _APP1)

    first = tf.minimum(2, end)
    start = (first, start_of_segment(first), tf.constant(False))
    at, segment, seen = tf.while_loop(goes_on, following, start)
    found = has_name(segment)
    length = tf.maximum(tf.where(found, segment[2] * 256 + segment[3] - 8, 0), 0)
    content = tf.strings.substr(encoded, tf.minimum(at + 10, end), length)
    return content, found | seen


def turned_shape(shape, orientation):
    """Height and width `[2]` of the upright picture, from those of the stored one."""
    return tf.where(orientation >= 5, tf.gather(shape, [1, 0]), shape)


def turn(image, orientation):
    """The upright picture from stored pixels `[H, W, C]`."""

    def turned():
        # By index: of transposed bytes oneDNN says on stderr that it has no such form.
        rows, columns, transposed = _turns(orientation)
        height, width, channels = tf.unstack(tf.shape(image))
        down, across = tf.unstack(turned_shape(tf.shape(image)[:2], orientation))
        down, across = tf.meshgrid(tf.range(down), tf.range(across), indexing="ij")
        row = tf.where(transposed, across, down)
        column = tf.where(transposed, down, across)
        row = tf.where(rows, height - 1 - row, row)
        column = tf.where(columns, width - 1 - column, column)
        return tf.gather(tf.reshape(image, [-1, channels]), row * width + column)

    upright = tf.cond(orientation == 1, lambda: image, turned)
    return tf.ensure_shape(upright, [None, None, image.shape[-1]])


def stored_box(box, shape, orientation):
    """The box of the stored picture for a box of the upright one.

    Args:
        box: Int32 `[4]`: top, left, height, width.
        shape: Int32 `[2]`, height and width of the stored picture.
        orientation: Int32 scalar.

    Returns:
        Int32 `[4]`.
    """
    rows, columns, transposed = _turns(orientation)
    box = tf.where(transposed, tf.gather(box, [1, 0, 3, 2]), box)
    other_end = shape - box[:2] - box[2:]
    start = tf.where(tf.stack([rows, columns]), other_end, box[:2])
    return tf.concat([start, box[2:]], axis=0)


def _turns(orientation):
    """Bools: whether rows are reversed, columns are reversed, then both transposed."""
    rows = tf.reduce_any(orientation == [3, 4, 6, 7])
    columns = tf.reduce_any(orientation == [2, 3, 7, 8])
    return rows, columns, orientation >= 5


def _in_xmp(content):
    """The orientation in XMP, a string scalar, or 0."""
    said = tf.strings.regex_replace(content, _XMP_ORIENTATION, r"\1")
    is_said = tf.strings.length(said) == 1
    return tf.strings.to_number(tf.where(is_said, said, "0"), tf.int32)


def _in_tiff(tiff):
    """The orientation in the first directory of a TIFF header, uint8 `[n]`, or 0."""
    little = tiff[0] == ord("I")
    directory = _number(_bytes(tiff, 4, 4), little)
    count = tf.minimum(_number(_bytes(tiff, directory, 2), little), _LONGEST_DIRECTORY)
    starts = directory + 2 + 12 * tf.range(tf.cast(count, tf.int64))
    entries = _bytes(tiff, starts, 12)  # [count, 12]
    tags, kinds = (_number(entries[:, i : i + 2], little) for i in (0, 2))
    values = _number(entries[:, 8:10], little)
    allowed = (tags == _TAG) & (kinds == _SHORT) & (values >= 1) & (values <= 8)
    return tf.cast(tf.concat([values[allowed], [0]], axis=0)[0], tf.int32)


def _bytes(data, at, count):
    """Int32 `[.., count]` from `at` `[..]`, zeros past the end of uint8 `[n]`."""
    places = tf.cast(at, tf.int64)[..., tf.newaxis] + tf.range(count, dtype=tf.int64)
    last = tf.size(data, tf.int64) - 1
    found = tf.gather(data, tf.clip_by_value(places, 0, last))
    return tf.where(places <= last, tf.cast(found, tf.int32), 0)


def _number(digits, little):
    """Int64 from bytes `[.., n]`, the lowest first if `little`."""
    digits = tf.where(little, tf.reverse(digits, [-1]), digits)
    powers = 256 ** tf.range(digits.shape[-1] - 1, -1, -1, dtype=tf.int64)
    return tf.reduce_sum(tf.cast(digits, tf.int64) * powers, axis=-1)
