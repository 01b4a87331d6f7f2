"""Rows of CSV as spreadsheets write it, and of Parquet.

CSV is read by Python's `csv` module, because pyarrow's reader refuses rows that are too
short and reads the label 01 as 1. Two choices are made here: the encoding by the first
bytes, and the delimiter by the header, which must have the column `path`.
"""

import csv
import io
import os

from simclr_tf.data import tree
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

COLUMNS = ("path", "label", "split")
_DELIMITERS = ",;\t|"
_FOREIGN = {b"PK\3\4": "a workbook or an archive", b"\x1f\x8b": "packed by gzip"}


def read(path):
    """The rows of a .csv, .tsv or .parquet file, and its columns.

    Returns:
        `(rows, columns)`: list of `(number, dict)` with text for each of `COLUMNS`, ""
        if missing; and the names of all columns in lower case.

    Raises:
        UserError: If it cannot be read, or has no column path, or a column twice.
    """
    try:
        is_parquet = path.lower().endswith(".parquet")
        return (_parquet_rows if is_parquet else _csv_rows)(path)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise UserError(f"--dataset={path} cannot be read: {reason}.") from error


def _csv_rows(path):
    lines = _text(path, tree.read(path)).splitlines(keepends=True)
    forced = None
    if lines and lines[0].lower().startswith("sep="):  # as Excel writes it
        forced = lines.pop(0).strip("\r\n")[4:] or None
    if not "".join(lines).strip():
        raise UserError(f"--dataset={path} is empty: it lists no image.")
    delimiter = forced or _delimiter(next(line for line in lines if line.strip()))
    try:
        table = _parsed("".join(lines), delimiter)
    except csv.Error as error:
        raise UserError(
            f"--dataset={path} is no CSV file that can be read: {error}."
        ) from error
    header = [_column(name) for name in table[0][1]]
    _require_columns(path, header)
    return [
        (number, _row(dict(zip(header, row, strict=False))))
        for number, row in table[1:]
    ], header


def _parsed(text, delimiter):
    """`(line, fields)` of every row that is not empty.

    Raises:
        csv.Error: If a quoted field does not end.
    """
    options = {"delimiter": delimiter, "skipinitialspace": True}
    limit = csv.field_size_limit(len(text))  # that of all readers of the process
    try:
        reader = csv.reader(io.StringIO(text, newline=""), **options)
        table = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
        # A quote that is never closed takes all rows that follow into its field, which
        # only a strict reader says; but that refuses a space behind a quote, too.
        try:
            for _ in csv.reader(io.StringIO(text, newline=""), strict=True, **options):
                pass
        except csv.Error as error:
            if "unexpected end" in str(error):
                line = table[-2][0] if len(table) > 1 else 0
                raise csv.Error(f"a quote after line {line} is not closed") from error
        return table
    finally:
        csv.field_size_limit(limit)


def _parquet_rows(path):
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(tree.read(path)))
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--dataset={path} is no Parquet file that can be read: {reason}"
        ) from error
    header = [_column(name) for name in table.column_names]
    _require_columns(path, header)
    columns = {
        name: _values(path, name, table.column(header.index(name)))
        for name in COLUMNS
        if name in header
    }
    return [
        (row + 1, _row({name: values[row] for name, values in columns.items()}))
        for row in range(table.num_rows)
    ], header


def _values(path, name, column):
    """The values of a Parquet column: text, or numbers except for paths."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    is_text = any(
        test(kind)
        for test in (
            *(types.is_string, types.is_large_string, types.is_null),
            *(types.is_binary, types.is_large_binary),
        )
    )
    if types.is_nested(kind) or name == "path" and not is_text:
        allowed = "names of files" if name == "path" else "words or numbers"
        raise UserError(
            f"--dataset={path}: its column {name} must hold {allowed}, got {kind}."
        )
    return column.to_pylist()


def _text(path, encoded):
    """Decodes text in the encodings that spreadsheets write."""
    for start, what in _FOREIGN.items():
        if encoded.startswith(start):
            raise UserError(f"--dataset={path} is {what}, no text: save it as CSV.")
    if encoded.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return encoded.decode("utf-32", errors="replace")
    if encoded.startswith((b"\xff\xfe", b"\xfe\xff")):
        return encoded.decode("utf-16", errors="replace")
    if b"\0" in encoded[:2]:
        little = encoded[1:2] == b"\0"
        return encoded.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return encoded.decode(encoding)
        except UnicodeDecodeError:
            pass
    return encoded.decode("latin-1")


def _delimiter(header):
    """The delimiter with which the header has a column path, or a comma."""
    for sign in _DELIMITERS:
        if "path" in map(_column, header.split(sign)):
            return sign
    return ","


def _column(name):
    return str(name).strip().strip("\"'").strip().lower()


def _row(values):
    """The known columns of a row as text; missing ones are empty."""
    return {name: _as_text(values.get(name)) for name in COLUMNS}


def _as_text(value):
    if isinstance(value, bytes):
        return os.fsdecode(value).strip()
    return "" if value is None else str(value).strip()


def _require_columns(path, header):
    if "path" not in header:
        raise UserError(
            f"--dataset={path} needs a header with the column path, and label if there "
            f"are labels; its columns are {printable(', '.join(header)[:200])}."
        )
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise UserError(f"--dataset={path} has the column {twice[0]} more than once.")
