import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps, PngImagePlugin

from simclr_tf import augmentation
from simclr_tf.data import decoding, images, orientation, pillow

STRING = tf.TensorSpec([], tf.string)
decode = tf.function(images.decode, [STRING, tf.TensorSpec([], tf.int32)])
upright_shape = tf.function(images.upright_shape, [STRING])
serve = tf.function(images.decode_for_serving, [STRING])


def teardown_module():
    """Lets go of graphs while TensorFlow is there; later it complains on stderr."""
    for name in ("decode", "upright_shape", "serve"):
        del globals()[name]


def photo(height=61, width=83):
    """Smooth colours with noise, no two corners alike."""
    random = np.random.RandomState(0)
    small = Image.fromarray(random.randint(0, 256, [6, 8, 3]).astype("uint8"))
    pixels = np.asarray(small.resize((width, height), Image.BICUBIC)).astype(int)
    pixels = pixels + random.randint(-8, 9, [height, width, 3])
    return Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))


def file(kind, image=None, orientation=None, **options):
    image = photo() if image is None else image
    if orientation:
        exif = Image.Exif()
        exif[274], exif[271] = orientation, "Camera"
        options["exif"] = exif
    saved = io.BytesIO()
    image.save(saved, kind, **options)
    return saved.getvalue()


def oracle(encoded):
    opened = Image.open(io.BytesIO(encoded))
    return np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(int)


def converted(mode):
    return photo().convert(mode)


XMP, RAW = "XML:com.adobe.xmp", "Raw profile type exif"
XMP_6 = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
XMP_8 = b"\xe9<tiff:Orientation>8</tiff:Orientation>\n"
UNTURNED = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 306, 3, 1, 6, 0, 0)
RAW_6 = (
    "\nexif\n      32\n"
    + (b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, 6, 0, 0)).hex()
)


def said_to_be_turned(key, text):
    """What editors write in place of an Exif block."""
    chunks = PngImagePlugin.PngInfo()
    add = chunks.add_itxt if key == XMP else chunks.add_text
    add(key, text)
    return chunks


FILES = {
    "jpeg": lambda: file("JPEG"),
    "jpeg grey": lambda: file("JPEG", converted("L")),
    "jpeg cmyk": lambda: file("JPEG", converted("CMYK")),
    "jpeg progressive": lambda: file("JPEG", progressive=True),
    "jpeg 4:4:4": lambda: file("JPEG", subsampling=0),
    "mpo": lambda: file("MPO", save_all=True, append_images=[photo().rotate(180)]),
    "png": lambda: file("PNG"),
    "png 1": lambda: file("PNG", converted("1")),
    "png grey": lambda: file("PNG", converted("L")),
    "png alpha": lambda: file("PNG", converted("RGBA")),
    "png grey alpha": lambda: file("PNG", converted("LA")),
    "png palette": lambda: file("PNG", photo().quantize(64)),
    "png palette 2 bit": lambda: file("PNG", photo().quantize(4), bits=2),
    "png transparent": lambda: file("PNG", photo().quantize(9), transparency=3),
    "png turned": lambda: file("PNG", orientation=6),
    "gif": lambda: file("GIF"),
    "bmp 1": lambda: file("BMP", converted("1")),
    "bmp grey": lambda: file("BMP", converted("L")),
    "bmp palette": lambda: file("BMP", photo().quantize(64)),
    "bmp 24": lambda: file("BMP"),
    "bmp 32": lambda: file("BMP", converted("RGBA")),
    "webp": lambda: file("WEBP"),
    "webp lossless": lambda: file("WEBP", converted("RGBA"), lossless=True),
    "webp turned": lambda: file("WEBP", orientation=8),
    "tiff": lambda: file("TIFF"),
    "tiff lzw": lambda: file("TIFF", compression="tiff_lzw"),
    "tiff turned": lambda: file("TIFF", orientation=6),
    "ppm": lambda: file("PPM"),
    "jpeg 2000": lambda: file("JPEG2000"),
    "png xmp": lambda: file("PNG", pnginfo=said_to_be_turned(XMP, XMP_6)),
    "png raw profile": lambda: file("PNG", pnginfo=said_to_be_turned(RAW, RAW_6)),
    "jpeg xmp": lambda: file("JPEG", xmp=XMP_6.encode()),
    "jpeg xmp of elements": lambda: file("JPEG", xmp=XMP_8),
    "jpeg xmp beside exif": lambda: file("JPEG", xmp=XMP_8, orientation=3),
    "jpeg xmp with odd exif": lambda: file("JPEG", xmp=XMP_8, exif=UNTURNED),
    "jpeg xmp of nonsense": lambda: file("JPEG", xmp=b'tiff:Orientation="9"\xff'),
    "webp xmp": lambda: file("WEBP", xmp=XMP_8),
    "tga": lambda: file("TGA"),
    "ico": lambda: file("ICO", photo(48, 48), sizes=[(48, 48)]),
    **{
        f"jpeg {turn}": lambda turn=turn: file("JPEG", orientation=turn)
        for turn in range(1, 9)
    },
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_what_pillow_sees(name):
    encoded = FILES[name]()
    expected = oracle(encoded)
    found = decode(encoded, 1).numpy()
    assert found.dtype == np.uint8 and found.shape == expected.shape
    assert np.abs(found - expected).mean() < 2
    np.testing.assert_array_equal(upright_shape(encoded), expected.shape[:2])


SERVED = [name for name in FILES if name.split()[0] in ("jpeg", "mpo", "png", "gif")]


@pytest.mark.parametrize("name", [*SERVED, "bmp 24", "bmp 32"])
def test_what_a_saved_model_decodes_without_python(name):
    if name in ("jpeg 2000", "png turned", "png xmp", "png raw profile"):
        pytest.skip("read in training, not here")
    encoded = FILES[name]()
    assert np.abs(serve(encoded).numpy() - oracle(encoded)).mean() < 4
    graph = serve.get_concrete_function(STRING).graph
    functions = [graph.as_graph_def()]
    assert "PyFunc" not in str(functions)


def test_a_gif_is_its_first_frame_on_its_canvas():
    frames = [photo().convert("P"), Image.new("P", (83, 61))]
    encoded = file("GIF", frames[0], save_all=True, append_images=frames[1:])
    assert np.abs(decode(encoded, 1) - oracle(encoded)).mean() == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(kind):
    values = np.linspace(0, 65535, 30 * 40).reshape(30, 40).astype("uint16")
    found = decode(file(kind, Image.fromarray(values)), 1).numpy()
    np.testing.assert_allclose(found[..., 1], values / 257, atol=1)
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


@pytest.mark.parametrize("scale", [1, 255, 65535])
def test_floats_are_taken_by_their_largest(scale):
    values = np.linspace(0, 1, 300).reshape(20, 15).astype("float32")
    scaled = values * scale
    scaled[3, 4] = values[3, 4] = np.nan  # as satellites have where they saw nothing
    found = decode(file("TIFF", Image.fromarray(scaled)), 1)
    np.testing.assert_allclose(found[..., 0], np.nan_to_num(values) * 255, atol=0.51)


BAD = {
    "empty": b"",
    "html": b"<html><body>no such page</body></html>",
    "start alone": b"\xff\xd8\xff",
    "png start alone": b"\x89PNG\r\n\x1a\n",
    "exif at the end": b"\xff\xd8\xff\xe1\x00\x10Exif\0\0",
    "cut jpeg": file("JPEG")[:900],
    "cut png": file("PNG")[:900],
    "cut gif": file("GIF")[:900],
    "cut bmp": file("BMP")[:900],
    "cut webp": file("WEBP")[:300],
    "program": file("EPS"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_whole_picture_is_an_error(name):
    with pytest.raises(tf.errors.OpError):
        decode(BAD[name], 1)
    assert pillow.examine(io.BytesIO(BAD[name]), 10**9, whole=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_a_bomb_is_refused_by_its_header(kind):
    encoded = file(kind, Image.new("RGB", (900, 600)))
    limited = tf.function(lambda e: images.decode(e, max_pixels=539_999))
    with pytest.raises(tf.errors.OpError, match="max_image_pixels=539999"):
        limited(encoded)
    assert (
        tf.function(lambda e: images.decode(e, max_pixels=540_000))(encoded) is not None
    )
    reason = pillow.examine(io.BytesIO(encoded), 539_999, whole=True)
    assert reason == "it has 900 x 600 pixels, more than --max_image_pixels=539999"


def test_a_header_that_lies_takes_no_memory():
    png = bytearray(file("PNG"))
    png[16:24] = struct.pack(">II", 2**20, 2**20)
    with pytest.raises(tf.errors.OpError, match="max_image_pixels"):
        decode(bytes(png), 1)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_parsed_byte_by_byte(turn, order):
    header = b"II*\0" if order == "<" else b"MM\0*"
    entries = [
        struct.pack(order + "HHI4s", 271, 2, 4, b"abc\0"),
        struct.pack(order + "HHIHH", 274, 3, 1, turn, 0),
    ]
    tiff = header + struct.pack(order + "I", 12) + b"pad!"
    tiff += struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    exif = b"Exif\0\0" + tiff
    comment = b"\xff\xfe\x00\x06hey!" + b"\xff"  # and a byte that fills up
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    plain = file("JPEG")
    encoded = plain[:2] + comment + segment + plain[2:]
    assert int(orientation.jpeg_orientation(encoded)) == turn
    np.testing.assert_array_equal(decode(encoded, 1).shape, oracle(encoded).shape)
    assert int(orientation.jpeg_orientation(plain)) == 1
    # A number that means nothing, and a directory past the end.
    nonsense = segment.replace(entries[1], entries[1][:8] + b"\x63\x63\0\0")
    assert int(orientation.jpeg_orientation(plain[:2] + nonsense + plain[2:])) == 1
    far = segment.replace(tiff[4:8], b"\x7f\xff\xff\x7f")
    assert int(orientation.jpeg_orientation(plain[:2] + far + plain[2:])) == 1


@pytest.mark.parametrize("turn", [1, 3, 6, 7])
@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_a_box_of_the_upright_picture_at_every_ratio(turn, ratio):
    encoded = file("JPEG", photo(96, 128), orientation=turn, quality=95, subsampling=0)
    whole = decode(encoded, ratio).numpy()
    top, left, height, width = box = (4, 7, 12, 15)

    @tf.function
    def cut(encoded):
        header = images.read_header(encoded)
        return images.decode_box(encoded, header, tf.constant(box), ratio)

    expected = whole[top : top + height, left : left + width].astype(int)
    assert np.abs(cut(encoded) - expected).mean() < 2  # other rounding at its edges


def test_a_smaller_decoding_averages():
    # Stated in `decoding`: of texture finer than the ratio, the mean is left.
    stripes = np.tile(np.uint8([[0, 255]]), [64, 32])
    encoded = file("JPEG", Image.fromarray(stripes), quality=100)
    for ratio in (2, 4, 8):
        found = decode(encoded, ratio).numpy().astype(int)
        assert found.shape == (64 // ratio, 64 // ratio, 3)
        assert np.abs(found - 127.5).max() < 12
    smooth = photo(160, 160).resize((320, 320), Image.BICUBIC)
    encoded = file("JPEG", smooth, quality=95, subsampling=0)
    means = np.asarray(smooth, float).reshape(80, 4, 80, 4, 3).mean(axis=(1, 3))
    assert np.abs(decode(encoded, 4).numpy() - means).mean() < 2
    with pytest.raises(tf.errors.OpError):
        decode(file("JPEG")[:500], 8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
@pytest.mark.parametrize("turn", [None, 6])
def test_crops_equal_crop_and_resize_of_the_whole_picture(kind, turn):
    if kind == "GIF" and turn:
        pytest.skip("GIF has no orientation")
    encoded = file(kind, photo(150, 210), orientation=turn)
    crop = augmentation.RandomResizedCrop(40, flip_probability=0.5, seed=0)
    whole = decode(encoded, 1).numpy()

    @tf.function
    def cropped(encoded, seed):
        return decoding.crops(encoded, lambda s: crop.draw(s, seed), [40, 40])

    for seed in ([1, 2], [3, 4]):
        boxes, flips = crop.draw(tf.constant([whole.shape[:2]] * 2), seed)
        for found, box, flip in zip(
            cropped(encoded, seed), boxes.numpy(), flips, strict=True
        ):
            top, left, height, width = box
            cut = whole[top : top + height, left : left + width]
            expected = tf.image.resize(cut, [40, 40], "bicubic", antialias=True) / 255
            expected = expected[:, ::-1] if flip else expected
            # The ratio, half a pixel of it, and no antialiasing beyond it.
            assert np.abs(found - expected).mean() < 0.03


def test_the_ratio_is_the_largest_that_leaves_enough_pixels():
    def ratio(decoder, *sides):
        header = images.Header(tf.constant(decoder), None, None)
        return int(images.largest_ratio(header, tf.constant(sides), [10, 20]))

    assert ratio(0, (80, 80), (160, 160)) == 8
    assert ratio(0, (80, 79), (160, 160)) == 4
    assert ratio(0, (80, 80), (160, 79)) == 2
    assert ratio(0, (80, 80), (160, 39)) == ratio(0, (5, 5), (160, 160)) == 1
    assert ratio(1, (80, 80), (160, 160)) == 1


@pytest.mark.parametrize("kind", ["BMP", "GIF", "PNG", "TIFF"])
def test_decodes_eagerly_too(kind):
    file = io.BytesIO()
    Image.new("1", (40, 30)).save(file, kind)
    encoded = file.getvalue() + bytes(9)  # zeros at the end must not be lost
    image = images.decode(tf.constant(encoded))
    np.testing.assert_array_equal(image, np.zeros([30, 40, 3], "uint8"))


def test_heic_where_pillow_heif_is_installed():
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    picture = photo(48, 64)
    exif = Image.Exif()
    exif[274] = 6
    saved = io.BytesIO()
    # Of bytes alone its encoder notes the turn where HEIF has it, as telephones do.
    picture.save(saved, "HEIF", exif=exif.tobytes(), quality=95, chroma=444)
    found = decode(saved.getvalue(), 1).numpy()
    expected = np.asarray(picture.transpose(Image.ROTATE_270))
    assert upright_shape(saved.getvalue()).numpy().tolist() == [64, 48]
    assert found.shape == (64, 48, 3)
    assert np.abs(found.astype(float) - expected).mean() < 4
