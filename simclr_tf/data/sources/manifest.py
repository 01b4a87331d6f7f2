"""Files that list images: CSV as spreadsheets write it, and Parquet.

CSV is read by Python's `csv` module: pyarrow's reader refuses rows that are short, and
takes the label 01 for 1. What the module leaves open is decided here: the encoding by
the first bytes, and the delimiter by the header, which must name the column `path`.
"""

import csv
import io
import os

from simclr_tf.data import tree
from simclr_tf.data.listing import Listing, numbered
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

EXTENSIONS = (".csv", ".tsv", ".parquet")
_DELIMITERS = ",;\t|"
_COLUMNS = ("path", "label", "split")


def find_manifest(path, allow_outside_paths=False):
    """Images that a file lists.

    It has the column `path` (absolute, with ~, or relative to the file), and may have
    `label` (any words; empty: not known) and `split`. Names of columns count in any
    case; more columns may be there.

    Args:
        path: Str, a .csv, .tsv or .parquet file.
        allow_outside_paths: Bool, whether relative paths may lead out of its folder.

    Returns:
        `DataSet`.

    Raises:
        UserError: If it cannot be read, has no such column, lists no image, or leads
            out of its folder.
    """
    try:
        read = _parquet_rows if path.lower().endswith(".parquet") else _csv_rows
        rows, columns = read(path)
    except OSError as error:
        raise UserError(
            f"--dataset={path} cannot be read: {error.strerror or error}."
        ) from error
    named = [(place, row) for place, row in rows if row["path"]]
    skipped = [
        (f"{path} row {place}", "it has no path")
        for place, row in rows
        if not row["path"]
    ]
    if not named:
        raise UserError(f"--dataset={path} lists no image.")
    if "split" in columns:
        skipped += [
            (f"{path} row {p}", "it has no split") for p, r in named if not r["split"]
        ]
        named = [(place, row) for place, row in named if row["split"]]
    if not allow_outside_paths:
        _require_inside(path, named)
    return _data_set(path, [row for _, row in named], columns, skipped)


def _require_inside(path, rows):
    """Refuses relative paths that climb: an image list of others may name any file."""
    for place, row in rows:
        if os.path.normpath(_slashed(row["path"])).split(os.sep)[0] == os.pardir:
            raise UserError(
                f"--dataset={path} row {place}: {printable(row['path'])} leads out of "
                "the folder of the list. Write such paths from the root, or allow them "
                "with --allow_outside_paths."
            )


def _data_set(path, rows, columns, skipped):
    splits = None
    if "split" in columns:
        splits = tuple(sorted({row["split"] for row in rows}))
        if not splits:
            raise UserError(f"--dataset={path}: its column split is empty.")
    labels, classes = numbered([row["label"] for row in rows])
    files = [_resolved(row["path"], os.path.dirname(path)) for row in rows]

    def read(split):
        taken = [
            place
            for place, row in enumerate(rows)
            if splits is None or row["split"] == split
        ]
        return Listing(
            [files[place] for place in taken],
            None if labels is None else [labels[place] for place in taken],
            classes,
            f"{path} {split}" if splits else path,
            skipped,
        )

    return DataSet(path, splits, read)


def _csv_rows(path):
    """Rows as `(number, dict)`, and the columns that are known."""
    text = _text(tree.read(path))
    lines = text.splitlines(keepends=True)
    forced = None
    if lines and lines[0].lower().startswith("sep="):  # as Excel writes it
        forced = lines.pop(0).strip("\r\n")[4:] or None
    if not "".join(lines).strip():
        raise UserError(f"--dataset={path} is empty: it lists no image.")
    delimiter = forced or _delimiter(next(line for line in lines if line.strip()))
    try:
        reader = csv.reader(
            io.StringIO("".join(lines), newline=""),
            delimiter=delimiter,
            skipinitialspace=True,
        )
        table = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise UserError(
            f"--dataset={path} is no CSV file that can be read: {error}."
        ) from error
    header = [_column(name) for name in table[0][1]]
    _require_path(path, header)
    return [
        (number, _row(dict(zip(header, row, strict=False))))
        for number, row in table[1:]
    ], header


def _parquet_rows(path):
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(tree.read(path)))
    except (pyarrow.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--dataset={path} is no Parquet file that can be read: {reason}"
        ) from error
    header = [_column(name) for name in table.column_names]
    _require_path(path, header)
    columns = {
        name: table.column(header.index(name)).to_pylist()
        for name in _COLUMNS
        if name in header
    }
    rows = range(table.num_rows)
    return [
        (row + 1, _row({name: values[row] for name, values in columns.items()}))
        for row in rows
    ], header


def _text(encoded):
    """Text of the encodings that spreadsheets write."""
    if encoded.startswith((b"\xff\xfe", b"\xfe\xff")):
        return encoded.decode("utf-16", errors="replace")
    if b"\0" in encoded[:100]:
        little = encoded[1:2] == b"\0"
        return encoded.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    try:
        return encoded.decode("utf-8-sig")
    except UnicodeDecodeError:
        return encoded.decode("latin-1")


def _delimiter(header):
    """The sign that parts the header so that a column is called path; else a comma."""
    for sign in _DELIMITERS:
        if "path" in map(_column, header.split(sign)):
            return sign
    return ","


def _column(name):
    return str(name).strip().strip("\"'").strip().lower()


def _row(values):
    """The known columns of a row as text; what is not there is empty."""
    found = {name: values.get(name) for name in _COLUMNS}
    return {n: "" if v is None else str(v).strip() for n, v in found.items()}


def _require_path(path, header):
    if "path" not in header:
        raise UserError(
            f"--dataset={path} needs a header with the column path, and label if there "
            f"are labels; its columns are {printable(', '.join(header))}."
        )


def _resolved(file, folder):
    """A path as the manifest means it."""
    return os.path.join(folder, os.path.expanduser(_slashed(file)))


def _slashed(file):
    """A path of Windows too, where it names no other file."""
    if os.sep == "/" and "\\" in file and "/" not in file:
        return file.replace("\\", "/")
    return file
