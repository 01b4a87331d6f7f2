"""A page about a run, and its figures. Each figure is a function of arrays."""

from simclr_tf.report.comparison import compare
from simclr_tf.report.confusion import count_confusions, draw_confusion_matrix
from simclr_tf.report.contents import Contents, Sample
from simclr_tf.report.curves import draw_curves
from simclr_tf.report.embedding_map import clusters, draw_map, pca, tsne, umap
from simclr_tf.report.filters import draw_filters, first_filters
from simclr_tf.report.folder import read_curves, read_flags, read_results
from simclr_tf.report.neighbors import nearest
from simclr_tf.report.page import render
from simclr_tf.report.pairs import find_pairs
from simclr_tf.report.similarities import cosine_similarities, draw_similarities
from simclr_tf.report.spectrum import draw_spectrum

__all__ = [
    "Contents",
    "Sample",
    "clusters",
    "compare",
    "cosine_similarities",
    "count_confusions",
    "draw_confusion_matrix",
    "draw_curves",
    "draw_filters",
    "draw_map",
    "draw_similarities",
    "draw_spectrum",
    "find_pairs",
    "first_filters",
    "nearest",
    "pca",
    "read_curves",
    "read_flags",
    "read_results",
    "render",
    "tsne",
    "umap",
    "write",
]


def write(run_dir, say=print):
    """Writes the report of a run, as `--mode=report` does.

    Args:
        run_dir: Str, the folder of the run.
        say: Callable that prints a line for the user.

    Returns:
        List of the paths that were written: `report.html` in that folder and, if the
        run's images can be read, `report_pairs.csv`.

    Raises:
        UserError: If there is no checkpoint, or the folder cannot be written.
    """
    from simclr_tf.experiment import reporting  # imports this package

    return reporting.write(reporting.config_of(run_dir), say)
