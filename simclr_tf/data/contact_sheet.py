"""The contact sheet of `preview` as one picture."""

import unicodedata

from PIL import Image, ImageDraw, ImageFont

from simclr_tf.printing import printable

CELL = 144  # side of the square that a picture is fitted into, in pixels
_GAP, _MARGIN, _CAPTION = 6, 24, 200
_LINE, _TEXT = 19, 14  # height of a line and of its letters
_INK, _PALE, _PAPER, _CELL_PAPER = "#222222", "#666666", "#ffffff", "#f0f0f0"


def draw(rows, header):
    """Draws a row of pictures for each image: itself, then the views of every draw.

    Args:
        rows: List of `preview.Row`.
        header: List of str; the first is the title. Long lines are broken.

    Returns:
        `PIL.Image`, RGB.
    """
    views, pairs = len(rows[0].draws[0]), len(rows[0].draws)
    width_of_draw = sum(places(rows[0].draws[0])[-1][::2])
    lefts = [_MARGIN + _CAPTION, _MARGIN + _CAPTION + CELL + 3 * _GAP]
    lefts += [lefts[1] + n * (width_of_draw + 3 * _GAP) for n in range(1, pairs)]
    width = lefts[-1] + width_of_draw + _MARGIN
    header = [_in_font(text) for text in header]
    lines = [line for text in header[1:] for line in _wrapped(text, width)]
    top = _MARGIN + 30 + _LINE * len(lines) + 40
    height = top + len(rows) * (CELL + 3 * _GAP) - 3 * _GAP + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    _write_lines(pen, _MARGIN, _MARGIN, [header[0]], 22, _INK)
    _write_lines(pen, _MARGIN, _MARGIN + 32, lines, _TEXT, _PALE)
    kind = {1: "view", 2: "pair"}.get(views, "views")
    titles = ["image", *(f"{kind} {number + 1}" for number in range(pairs))]
    for left, title in zip(lefts, titles, strict=True):
        _write_lines(pen, left, top - _LINE - 4, [title], _TEXT, _PALE)
    for row in rows:
        _draw_row(sheet, pen, row, top, lefts)
        top += CELL + 3 * _GAP
    return sheet


def _draw_row(sheet, pen, row, top, lefts):
    _write_lines(pen, _MARGIN, top, [_shortened(_in_font(row.label))], _TEXT, _INK)
    details = [row.size, *_broken(_in_font(printable(row.name)))]
    _write_lines(pen, _MARGIN, top + _LINE + 4, details, _TEXT, _PALE)
    for left, pictures in zip(lefts, [[row.image], *row.draws], strict=True):
        cells = places(pictures)
        for picture, (right, down, side) in zip(pictures, cells, strict=True):
            _paste(sheet, picture, left + right, top + down, side)


def places(pictures):
    """Positions of the pictures in a row: a list of left, top and side of each cell.

    Small views are stacked, at their true scale relative to the first view.
    """
    cells, left, top, side = [], 0, 0, 0
    for picture in pictures:
        before, side = side, CELL
        if len(pictures) > 1:
            # So that those of half the size stand in pairs.
            side = (CELL + _GAP) * len(picture) // len(pictures[0]) - _GAP
            side = max(side, _GAP)
        if top + side > CELL:
            left, top = left + before + _GAP, 0
        cells.append((left, top, side))
        top += side + _GAP
    return cells


def _paste(sheet, picture, left, top, side):
    """Puts a picture in the middle of its cell; small ones are enlarged unsmoothed."""
    picture = Image.fromarray(picture)
    scale = min(side / picture.width, side / picture.height)
    scale = int(scale) if scale >= 2 else scale
    size = [max(1, round(scale * side)) for side in picture.size]
    smooth = Image.Resampling.LANCZOS if scale < 2 else Image.Resampling.NEAREST
    sheet.paste(_CELL_PAPER, (left, top, left + side, top + side))
    place = (left + (side - size[0]) // 2, top + (side - size[1]) // 2)
    sheet.paste(picture.resize(size, smooth), place)


def _in_font(text):
    """Text in the characters of Pillow's own font: ASCII."""
    letters = unicodedata.normalize("NFKD", text)
    letters = (letter for letter in letters if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() else "?" for letter in letters)


def _write_lines(pen, left, top, lines, size, color):
    for number, line in enumerate(lines):
        place = (left, top + number * _LINE)
        pen.text(place, line, fill=color, font=ImageFont.load_default(size))


def _shortened(text, width=_CAPTION - 2 * _GAP):
    """Text that fits beside the pictures; the middle of long text is left out."""
    if _width(text) <= width:
        return text
    kept = len(text)
    while kept and _width(_ends(text, kept)) > width:
        kept -= 1
    return _ends(text, kept)


def _broken(text, most=4):
    """A file's name broken into lines."""
    lines = []
    while text and len(lines) < most - 1:
        fits = len(text)
        while fits > 1 and _width(text[:fits]) > _CAPTION - 2 * _GAP:
            fits -= 1
        lines.append(text[:fits])
        text = text[fits:]
    return [*lines, _shortened(text)] if text else lines


def _ends(text, kept):
    return text[: kept // 2] + "..." + text[len(text) - (kept - kept // 2) :]


def _wrapped(text, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _width(longer) > width - 2 * _MARGIN and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _width(text):
    return ImageFont.load_default(_TEXT).getlength(text)
