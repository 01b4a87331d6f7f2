"""Evaluators, which measure what the features of any Keras encoder are worth."""

from simclr_tf.evaluation.accuracy import Result, figures, wilson_interval
from simclr_tf.evaluation.callback import EvaluateFeatures
from simclr_tf.evaluation.evaluators import EVALUATORS, evaluate, evaluate_features
from simclr_tf.evaluation.features import Features, extract_features
from simclr_tf.evaluation.linear import evaluate_linear
from simclr_tf.evaluation.logistic import evaluate_logistic
from simclr_tf.evaluation.nearest_neighbors import evaluate_knn, knn_scores

__all__ = [
    "EVALUATORS",
    "EvaluateFeatures",
    "Features",
    "Result",
    "evaluate",
    "evaluate_features",
    "evaluate_knn",
    "evaluate_linear",
    "evaluate_logistic",
    "extract_features",
    "figures",
    "knn_scores",
    "wilson_interval",
]
