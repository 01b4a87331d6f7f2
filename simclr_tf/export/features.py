"""Features as files for NumPy, pandas and databases, and TensorBoard."""

import os

import numpy as np

from simclr_tf import atomic
from simclr_tf.errors import UserError


def save_features(path, features, labels=None, file_names=None, class_names=None):
    """Writes features as `.npz` or `.parquet`, replacing an existing file.

    An `.npz` file holds the arrays `features` `[N, C]` float32 and, if they are known,
    `labels` `[N]` int64, `file_names` `[N]` and `class_names` `[K]` of str;
    `numpy.load` reads it without pickles. A `.parquet` file has one row per image and
    the same columns, except that `features` is a list of `C` float32 and `class_names`
    is the name of the row's own class (null if the label is not a class, such as -1).

    Args:
        path: Str ending in `.npz` or `.parquet`; missing folders are created.
        features: Float `[N, C]`.
        labels: Int `[N]` in `0 .. K - 1`, or None.
        file_names: `N` str, or None.
        class_names: `K` str, or None.

    Raises:
        UserError: If the path has another ending or cannot be written, or if pyarrow,
            which writes Parquet, cannot be imported.
        ValueError: If there are not `N` labels or file names.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "test.npz")
        >>> save_features(path, np.eye(2), labels=[1, 0])
        >>> sorted(np.load(path)), np.load(path)["labels"]
        (['features', 'labels'], array([1, 0]))
    """
    path = os.path.abspath(os.fspath(path))
    writers = {".npz": _write_npz, ".parquet": _write_parquet}
    suffix = os.path.splitext(path)[1]
    if suffix not in writers:
        raise UserError(
            f"Features path must end in {' or '.join(writers)}, got {path}."
        )
    columns = _columns(features, labels, file_names, class_names)
    _replace(path, lambda file: writers[suffix](file, columns))


def save_projector(
    directory,
    features,
    labels=None,
    file_names=None,
    class_names=None,
    name="features",
):
    """Writes features for TensorBoard's embedding projector.

    `tensorboard --logdir=<directory>` shows them, coloured by class. Tensors that were
    written there before under other names stay and can be selected too.

    Args:
        directory: Str; `<name>.tsv`, `<name>_metadata.tsv` and `projector_config.pbtxt`
            are written there.
        features: Float `[N, C]`.
        labels: Int `[N]` in `0 .. K - 1`, or None.
        file_names: `N` str, or None.
        class_names: `K` str, or None.
        name: Str, name of the tensor.

    Raises:
        UserError: If the folder cannot be written, or has another kind of
            `projector_config.pbtxt`.
        ValueError: If there are not `N` labels or file names.
    """
    directory = os.path.abspath(os.fspath(directory))
    columns = _columns(features, labels, file_names, class_names)
    config_path = os.path.join(directory, "projector_config.pbtxt")
    config = _projector_config(config_path, name)
    embedding = config.embeddings.add(tensor_name=name, tensor_path=f"{name}.tsv")
    embedding.tensor_shape.extend(columns["features"].shape)
    rows = _metadata_rows(columns)
    if rows:
        embedding.metadata_path = f"{name}_metadata.tsv"
        text = "".join(f"{row}\n" for row in rows).encode()
        _replace(
            os.path.join(directory, embedding.metadata_path),
            lambda file: file.write(text),
        )
    _replace(
        os.path.join(directory, embedding.tensor_path),
        lambda file: np.savetxt(file, columns["features"], "%.9g", delimiter="\t"),
    )
    # Last, so that it never names a file that is not there.
    _replace(config_path, lambda file: file.write(str(config).encode()))


def import_pyarrow():
    """Imports `(pyarrow, pyarrow.parquet)`, which is slow and only needed for Parquet.

    Raises:
        UserError: If they cannot be imported.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(
            f"Parquet needs pyarrow, which cannot be imported ({error}). Install what "
            "requirements.txt says, or write npz."
        ) from error
    return pyarrow, parquet


def _columns(features, labels, file_names, class_names):
    """Dict of the known arrays, checked."""
    features = np.asarray(features, np.float32)
    if features.ndim != 2:
        raise ValueError(f"`features` must be [N, C], got shape {features.shape}.")
    columns = {"features": features}
    if labels is not None:
        columns["labels"] = np.asarray(labels, np.int64)
    if file_names is not None:
        columns["file_names"] = np.asarray(file_names, np.str_)
    for name in columns.keys() - {"features"}:
        if columns[name].shape != features.shape[:1]:
            raise ValueError(
                f"`{name}` must be [{len(features)}] like `features`, got shape "
                f"{columns[name].shape}."
            )
    if class_names is not None:
        columns["class_names"] = np.asarray(class_names, np.str_)
    return columns


def _write_npz(file, columns):
    np.savez(file, **columns)


def _write_parquet(file, columns):
    pyarrow, parquet = import_pyarrow()
    features = columns["features"]
    values = pyarrow.array(features.reshape(-1))
    table = {
        "features": pyarrow.FixedSizeListArray.from_arrays(values, features.shape[1])
    }
    for name in ("labels", "file_names"):
        if name in columns:
            table[name] = pyarrow.array(columns[name])
    classes = _class_of_each_row(columns)
    if classes:
        table["class_names"] = pyarrow.array(classes).dictionary_encode()
    parquet.write_table(pyarrow.table(table), file)


def _class_of_each_row(columns):
    """List of str, or None for labels that are not classes; empty without names."""
    if not {"labels", "class_names"} <= columns.keys():
        return []
    names = columns["class_names"].tolist()
    return [names[k] if 0 <= k < len(names) else None for k in columns["labels"]]


def _metadata_rows(columns):
    """Lines of the projector's metadata; only several columns get a header."""
    shown = {
        "class": _class_of_each_row(columns),
        "label": columns.get("labels", np.empty(0)).tolist(),
        "file": columns.get("file_names", np.empty(0)).tolist(),
    }
    shown = {name: values for name, values in shown.items() if values}
    rows = ["\t".join(map(_one_line, row)) for row in zip(*shown.values(), strict=True)]
    return ["\t".join(shown), *rows] if len(shown) > 1 else rows


def _one_line(value):
    return " ".join(str(value).split())


def _projector_config(path, name):
    """The `ProjectorConfig` in a folder, without the tensor `name`; or an empty one."""
    from google.protobuf import text_format
    from tensorboard.plugins import projector

    config = projector.ProjectorConfig()
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as file:
                text_format.Parse(file.read(), config)
        except (OSError, ValueError, text_format.ParseError) as error:
            raise UserError(
                f"{path} must be a configuration of TensorBoard's projector: {error}. "
                "Correct or remove it."
            ) from error
    others = [tensor for tensor in config.embeddings if tensor.tensor_name != name]
    del config.embeddings[:]
    config.embeddings.extend(others)
    return config


def _replace(path, write):
    """Writes a file completely or not at all.

    Args:
        path: Str.
        write: Callable that writes to a binary file.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with atomic.replacing(path) as unfinished, open(unfinished, "wb") as file:
            write(file)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}. Give a path that "
            "you may write to, on a disk with free space."
        ) from error
