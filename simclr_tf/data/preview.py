"""A contact sheet of random images and their views, to look at before a long run."""

import base64
import dataclasses
import html
import io
import itertools
import os

import numpy as np
import tensorflow as tf
from PIL import Image

from simclr_tf import atomic
from simclr_tf.data import contact_sheet
from simclr_tf.printing import printable

_FIRST = 1000  # of sources without random access; finding others would take hours


@dataclasses.dataclass(frozen=True)
class Row:
    """One image and the views that training would see.

    Attributes:
        image: uint8 `[H, W, 3]`.
        name: Str, its file without the folder, or its number.
        label: Str, its class.
        draws: List of lists of uint8 `[S, S, 3]`: the views of every draw.
    """

    image: np.ndarray
    name: str
    label: str
    draws: list

    @property
    def size(self):
        """Str, "width x height" of the image in pixels."""
        return f"{self.image.shape[1]} x {self.image.shape[0]} px"


def draw_rows(source, layers, num_images=8, num_pairs=3, seed=0):
    """Random images of a source and views of them.

    Args:
        source: `Source`. Without random access, images are chosen from its first 1 000.
        layers: Tuple of layers of `simclr_tf.augmentation`, one for each view.
        num_images: Int, number of images; all if there are fewer.
        num_pairs: Int, number of draws of the views of each image.
        seed: Int, seed of the choice and of the views.

    Returns:
        List of `Row`.
    """
    names = source.file_names() if source.random_access else None
    rows, draw = [], itertools.count()
    for number, example in _choose(source, num_images, seed):
        image, *label = example if isinstance(example, tuple) else (example,)
        draws = [
            [
                _as_bytes(layer(image, training=True, seed=[seed, next(draw)]))
                for layer in layers
            ]
            for _ in range(num_pairs)
        ]
        name = os.path.basename(names[number]) if names else f"image {number}"
        rows.append(Row(image.numpy(), name, _class_of(source, label), draws))
    return rows


def write(rows, header, folder):
    """Writes `preview.png` and `preview.html`, each completely or not at all.

    Args:
        rows: List of `Row`.
        header: List of str, lines above the pictures.
        folder: Str, which is created if it does not exist.

    Returns:
        List of the two paths.

    Raises:
        OSError: If they cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    sheet = io.BytesIO()
    contact_sheet.draw(rows, header).save(sheet, "PNG")
    contents = {"preview.png": sheet.getvalue(), "preview.html": page(rows, header)}
    paths = []
    for name, content in contents.items():
        paths.append(os.path.join(folder, name))
        atomic.write(paths[-1], content)
    return paths


def page(rows, header):
    """The contact sheet as an HTML page that needs no other file.

    Args:
        rows: List of `Row`.
        header: List of str.

    Returns:
        Bytes, UTF-8.
    """
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in header[1:])
    body = "".join(map(_html_row, rows))
    text = _PAGE.format(title=html.escape(header[0]), lines=lines, body=body)
    return text.encode("utf-8", "replace")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
body {{ font: 14px/1.4 sans-serif; margin: 2em; color: #222; }}
p {{ margin: .2em 0; color: #555; max-width: 70em; }}
table {{ border-spacing: 0; margin-top: 1em; }}
td {{ padding: 6px 4px; border-top: 1px solid #ddd; vertical-align: top; }}
td + td {{ padding-left: 18px; white-space: nowrap; }}
td:first-child {{ width: 14em; overflow-wrap: anywhere; }}
img {{ object-fit: contain; background: #f3f3f3; outline: 1px solid #ddd;
margin: 0 4px 4px 0; vertical-align: top; }}
img.small {{ image-rendering: pixelated; }}
small {{ color: #555; }}
@media (max-width: 60em) {{
body {{ margin: 1em; }}
h1 {{ font-size: 1.5em; overflow-wrap: anywhere; }}
table, tbody, tr, td {{ display: block; width: auto; }}
tr {{ border-top: 1px solid #ddd; padding: 6px 0; }}
td, td + td, td:first-child {{ border: 0; padding: 3px 0; width: auto;
white-space: normal; }}
}}
</style>
<h1>{title}</h1>{lines}
<table>{body}</table></html>
"""


def _html_row(row):
    cells = [
        f"<b>{html.escape(row.label)}</b><br>{row.size}<br>"
        f"<small>{html.escape(printable(row.name))}</small>"
    ]
    for views in [[row.image], *row.draws]:
        sides = [side for *_, side in contact_sheet.places(views)]
        shown = list(map(_html_image, views, sides))
        cells.append("<br>".join(filter(None, map("".join, (shown[:2], shown[2:])))))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def _html_image(image, side):
    picture, file = Image.fromarray(image), io.BytesIO()
    small = ' class="small"' if max(picture.size) < side else ""
    picture.thumbnail([2 * side] * 2)  # for dense screens
    picture.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    size = f'width="{side}" height="{side}"'
    return f'<img{small} alt="" {size} src="data:image/png;base64,{data}">'


def _choose(source, count, seed):
    """`(number, example)` of random examples, in order, without broken ones."""
    reach = source.num_examples if source.random_access else _FIRST
    reach = min(source.num_examples, reach)
    random = np.random.RandomState(seed)
    numbers = random.choice(reach, min(count, reach), replace=False)
    numbers = np.sort(numbers).astype("int64")
    if source.random_access:
        examples = tf.data.Dataset.from_tensor_slices(numbers)
        examples = examples.map(lambda number: (number, source.read(number)))
    else:
        mask = np.zeros(source.num_examples, bool)
        mask[numbers] = True
        examples = source.as_dataset(mask).take(len(numbers))
        examples = tf.data.Dataset.zip(
            (tf.data.Dataset.from_tensor_slices(numbers), examples)
        )
    examples = examples.ignore_errors()
    return ((int(number), example) for number, example in examples)


def _class_of(source, label):
    if not label or source.class_names is None or int(label[0]) < 0:
        return "no label"
    return printable(source.class_names[int(label[0])])


def _as_bytes(view):
    return np.round(np.asarray(view) * 255.0).astype("uint8")
