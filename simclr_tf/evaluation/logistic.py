"""Multinomial logistic regression on frozen features, by L-BFGS."""

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.evaluation.accuracy import Result

# The paper's, the strongest first: each solution is a good start for the next.
L2_VALUES = tuple(np.logspace(5, -6, 45).tolist())
_GRADIENT = 1e-4  # largest entry at which a solution counts as found


def evaluate_logistic(
    train,
    test,
    num_classes,
    l2_values=L2_VALUES,
    held_out=0.2,
    seed=0,
    max_iterations=1000,
):
    """Fits logistic regression to features `train`; returns its logits of `test`.

    Minimises `sum(cross-entropy) + l2 / 2 * |kernel|^2` over all rows of `train`
    without a penalty on the bias, like scikit-learn's `LogisticRegression(C=1 / l2)`.
    As in the papers, features are neither standardised nor normalised, so that l2 means
    the same as there.

    l2 is the value of `l2_values` with the best accuracy on rows held out of `train`,
    or the largest of equally good ones. The regression is then fitted to all rows.

    Args:
        train: `Features` with labels, to learn from. They must fit into the memory of
            the device, and so must `N * num_classes` logits.
        test: `Features`, to be judged on.
        num_classes: Int >= 2.
        l2_values: Sequence of positive floats, tried in this order; a single one is
            used without a choice.
        held_out: Float in (0, 1), share of every class used to choose l2.
        seed: Int, seed of the choice of held-out rows.
        max_iterations: Int >= 1, limit of iterations for one l2.

    Returns:
        `Result`, with `chosen` `{"l2": ...}`.

    Raises:
        UserError: If an argument is out of its range, or there is nothing to hold out.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix B.8.1, after
    Kornblith et al. 2019, https://arxiv.org/abs/1805.08974.
    """
    if not len(l2_values) or min(l2_values) <= 0:
        raise UserError(f"`l2_values` must be positive numbers, got {l2_values}.")
    l2 = l2_values[0]
    if len(l2_values) > 1:
        kept, held = stratified_split(train.labels, held_out, seed)
        if not len(held):
            raise UserError(
                "logistic: no class of the training features has two rows, so none can "
                "be held out to choose l2. Give more labels, or one of `l2_values`."
            )
        regression = _Regression(
            train.features[kept], train.labels[kept], num_classes, max_iterations
        )
        accuracies = []
        for value in l2_values:
            regression.fit(value)
            guesses = regression.logits(train.features[held]).argmax(axis=1)
            accuracies.append(np.mean(guesses == train.labels[held]))
        l2 = l2_values[int(np.argmax(accuracies))]
    regression = _Regression(train.features, train.labels, num_classes, max_iterations)
    regression.fit(l2)
    return Result(regression.logits(test.features), {"l2": float(l2)})


def stratified_split(labels, share, seed):
    """Rows to keep and rows to hold out, with the same share of every class.

    Args:
        labels: Int `[N]`.
        share: Float in (0, 1), share of each class that is held out. The number is
            rounded, but at least one is held out and at least one stays.
        seed: Int.

    Returns:
        `(kept, held_out)`, int arrays of row numbers, each in order.

    Raises:
        UserError: If `share` is out of its range.
    """
    if not 0 < share < 1:
        raise UserError(f"`held_out` must be > 0 and < 1, got {share}.")
    random = np.random.RandomState(seed)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        held_out[rows[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


class _Regression:
    """Logistic regression on fixed rows; every fit starts from the one before.

    L-BFGS needs thousands of iterations if features vary far more in some directions
    than in others, as those of encoders do. It is therefore applied to `V` with
    `kernel = P V`, where `P` makes the initial Hessian, `cov / K + l2 / N`, the
    identity. Loss and penalty are still those of the kernel, so the solution is the
    same.

    Args:
        features: Float `[N, C]`.
        labels: Int `[N]`.
        num_classes: Int `K`.
        max_iterations: Int, limit for one fit.
    """

    def __init__(self, features, labels, num_classes, max_iterations):
        self._features = tf.constant(features, tf.float32)
        self._labels = tf.constant(labels, tf.int64)
        self._num_classes, self._max_iterations = num_classes, max_iterations
        mean = tf.reduce_mean(self._features, axis=0, keepdims=True)  # [1, C]
        centred = self._features - mean
        covariance = tf.matmul(centred, centred, transpose_a=True) / len(labels)
        variances, self._axes = np.linalg.eigh(covariance.numpy().astype("float64"))
        # Below this, float32 sees nothing but noise.
        self._variances = np.maximum(variances, 1e-7 * variances.max() + 1e-30)
        self._mean = mean.numpy().astype("float64")
        self.kernel = np.zeros([len(self._axes), num_classes])
        self.bias = np.zeros([1, num_classes])
        self._loss_and_gradient = tf.function(self._loss_and_gradient_of)

    def logits(self, features):
        """Float32 `[M, K]` of features `[M, C]`."""
        return (features @ self.kernel + self.bias).astype("float32")

    def fit(self, l2):
        """Moves kernel and bias to the minimum for `l2`."""
        import scipy.optimize  # takes a second

        rows, classes = len(self._labels), self._num_classes
        lengths = 1 / np.sqrt(self._variances / classes + l2 / rows)[:, np.newaxis]
        # The bias of centred features has nothing to do with the kernel.
        centred_bias = self.bias + self._mean @ self.kernel
        start = [self._axes.T @ self.kernel / lengths, centred_bias / classes**0.5]
        fixed = [
            tf.constant(value, tf.float32)
            for value in (self._axes * lengths.T, self._mean, l2)
        ]

        def evaluate(point):
            point = tf.constant(point.reshape([-1, classes]), tf.float32)
            loss, gradient = self._loss_and_gradient(point, *fixed)
            return float(loss), gradient.numpy().astype("float64").ravel()

        found = scipy.optimize.minimize(
            evaluate,
            np.concatenate(start).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self._max_iterations, "gtol": _GRADIENT, "ftol": 1e-9},
        )
        *inner, last = found.x.reshape([-1, classes])
        self.kernel = self._axes @ (lengths * np.stack(inner))
        self.bias = classes**0.5 * last - self._mean @ self.kernel

    def _loss_and_gradient_of(self, point, precondition, mean, l2):
        """Mean loss, a float64 scalar, and its gradient, at `[C + 1, K]`."""
        rows, classes = len(self._labels), self._num_classes
        with tf.GradientTape() as tape:
            tape.watch(point)
            kernel = tf.matmul(precondition, point[:-1])
            bias = classes**0.5 * point[-1:] - tf.matmul(mean, kernel)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                self._labels, tf.matmul(self._features, kernel) + bias
            )
            # Sums of many float32 would stop the search too early.
            loss = tf.reduce_mean(tf.cast(losses, tf.float64))
            loss += tf.cast(l2 / rows * tf.nn.l2_loss(kernel), tf.float64)
        return loss, tape.gradient(loss, point)
