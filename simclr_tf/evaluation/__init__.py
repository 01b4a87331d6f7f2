"""What features are worth: evaluators on any Keras encoder."""

from simclr_tf.evaluation.accuracy import top_k_accuracies
from simclr_tf.evaluation.features import Features, extract_features
from simclr_tf.evaluation.linear import evaluate_linear
from simclr_tf.evaluation.nearest_neighbors import evaluate_knn, knn_scores

__all__ = [
    "Features",
    "evaluate_knn",
    "evaluate_linear",
    "extract_features",
    "knn_scores",
    "top_k_accuracies",
]
