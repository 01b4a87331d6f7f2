"""The losses read literally: float64, one embedding and one negative after the other.

Every function takes two matrices of views and returns one value for each image, the
mean over its two views. `negatives` are more rows, none of them empty.
"""

import numpy as np


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def of_images(view_a, view_b, of_row, negatives=None, hidden_norm=True):
    """Means over two views of `of_row(i, z, positive, negatives)`.

    `i` is the row's number among all `z` (first views, then second ones), `positive`
    the other view and `negatives` a list of the embeddings of other images.
    """
    z = np.concatenate([view_a, view_b]).astype("float64")
    more = [] if negatives is None else list(np.asarray(negatives, "float64"))
    if hidden_norm:
        z, more = unit(z), [unit(row) for row in more]
    images = len(view_a)
    values = []
    for i in range(2 * images):
        others = [z[k] for k in range(2 * images) if k % images != i % images]
        values.append(of_row(i, z, z[(i + images) % (2 * images)], others + more))
    return np.mean(np.reshape(values, [2, images]), axis=0)


def log_sigmoid(x):
    return -np.log(1 + np.exp(-x))


def semi_hard(row, positive, negatives):
    """The nearest negative that is farther than the positive, else the farthest."""
    similar = [row @ v for v in negatives]
    farther = [s for s in similar if s < row @ positive]
    return max(farther) if farther else min(similar)


def nt_xent(a, b, temperature, negatives=None):
    def of_row(i, z, positive, others):
        top = np.exp(z[i] @ positive / temperature)
        rest = sum(np.exp(z[i] @ v / temperature) for v in others)
        return -np.log(top / (top + rest))

    return of_images(a, b, of_row, negatives)


def nt_logistic(a, b, temperature, semi_hard_only=False, negatives=None, norm=True):
    def of_row(i, z, positive, others):
        terms = [z[i] @ v for v in others]
        if semi_hard_only:
            terms = [semi_hard(z[i], positive, others)]
        of_negatives = np.mean([log_sigmoid(-s / temperature) for s in terms])
        return -(log_sigmoid(z[i] @ positive / temperature) + of_negatives)

    return of_images(a, b, of_row, negatives, norm)


def margin_triplet(a, b, margin, semi_hard_only=False, negatives=None, norm=True):
    def of_row(i, z, positive, others):
        terms = [z[i] @ v for v in others]
        if semi_hard_only:
            terms = [semi_hard(z[i], positive, others)]
        return np.mean([max(s - z[i] @ positive + margin, 0) for s in terms])

    return of_images(a, b, of_row, negatives, norm)


def supcon(a, b, temperature, labels, norm=True):
    images = len(a)

    def of_row(i, z, positive, others):
        rest = [k for k in range(2 * images) if k != i]
        total = sum(np.exp(z[i] @ z[k] / temperature) for k in rest)
        mine = labels[i % images]
        chosen = [
            k
            for k in rest
            if k % images == i % images or (mine >= 0 and labels[k % images] == mine)
        ]
        logs = [np.log(np.exp(z[i] @ z[k] / temperature) / total) for k in chosen]
        return -np.mean(logs)

    return of_images(a, b, of_row, None, norm)


def dcl(a, b, temperature, negatives=None, norm=True, weights=None):
    weights = np.ones(len(a)) if weights is None else weights

    def of_row(i, z, positive, others):
        rest = sum(np.exp(z[i] @ v / temperature) for v in others)
        return -weights[i % len(a)] * (z[i] @ positive) / temperature + np.log(rest)

    return of_images(a, b, of_row, negatives, norm)


def vmf_weights(a, b, sigma):
    scores = np.exp(np.sum(unit(a) * unit(b), axis=1) / sigma)
    return 2 - scores / np.mean(scores)


def dclw(a, b, temperature, sigma, negatives=None, weights=None):
    """`weights` are those of other views, for differences without their gradient."""
    weights = vmf_weights(a, b, sigma) if weights is None else weights
    return dcl(a, b, temperature, negatives, weights=weights)


def hard_negatives(a, b, temperature, prior, concentration, negatives=None):
    def of_row(i, z, positive, others):
        top = np.exp(z[i] @ positive / temperature)
        scores = np.array([np.exp(z[i] @ v / temperature) for v in others])
        importance = scores**concentration
        reweighted = np.mean(importance / np.mean(importance) * scores)
        g = max((reweighted - prior * top) / (1 - prior), np.exp(-1 / temperature))
        return -np.log(top / (top + len(others) * g))

    return of_images(a, b, of_row, negatives)


def debiased(a, b, temperature, prior, negatives=None):
    return hard_negatives(a, b, temperature, prior, 0.0, negatives)


def false_negatives(a, b, temperature, threshold, top_k, attract, negatives=None):
    def of_row(i, z, positive, others):
        top = np.exp(z[i] @ positive / temperature)
        cosines = [z[i] @ v for v in others]
        ranked = sorted(cosines, reverse=True)[: top_k or len(cosines)]
        false = [c for c in ranked if c > threshold]
        true = [c for c in cosines if c not in false]
        if not attract:
            total = top + sum(np.exp(c / temperature) for c in true)
            return -np.log(top / total)
        total = top + sum(np.exp(c / temperature) for c in cosines)
        logs = [np.log(np.exp(c / temperature) / total) for c in false]
        return -(np.log(top / total) + sum(logs)) / (1 + len(false))

    return of_images(a, b, of_row, negatives)


def generalized(a, b, temperature, weight):
    def of_row(i, z, positive, others):
        rest = [k for k in range(len(z)) if k != i]
        log_sum = np.log(sum(np.exp(z[i] @ z[k] / temperature) for k in rest))
        return np.sum((z[i] - positive) ** 2) / 2 + weight * log_sum

    return of_images(a, b, of_row)


def sliced_wasserstein(a, b, weight, directions, samples, norm):
    """With the directions `[E, E]` and samples `[2B, E]` given."""
    z = np.concatenate([a, b]).astype("float64")
    z = unit(z) if norm else z
    images, distance = len(a), 0.0
    for w in np.transpose(directions):
        found, wanted = sorted(z @ w), sorted(samples @ w)
        distance += np.mean([(x - y) ** 2 for x, y in zip(found, wanted, strict=True)])
    apart = np.sum((z[:images] - z[images:]) ** 2, axis=1) / 2
    return apart + weight * distance
