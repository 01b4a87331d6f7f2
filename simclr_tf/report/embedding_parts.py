"""The page's parts about the features: neighbours, map, classes, pairs."""

import numpy as np

from simclr_tf.losses import diagnostics, effective_rank
from simclr_tf.losses.spectrum import rank_of
from simclr_tf.printing import printable
from simclr_tf.report import (
    confusion,
    embedding_map,
    neighbors,
    pairs,
    pictures,
    spectrum,
    style,
)
from simclr_tf.report.training_parts import picture
from simclr_tf.report.verdict import percent

_QUERIES = 8
_SHOWN = 7  # neighbours of each
_VOTERS = 20
_MAPPED = 2000
_SPRITE_SIDE = 40
_PAIRS = 8  # shown of each kind
_CLASSES = 30  # rows of a table
_SPECTRA = 4  # of checkpoints, which can be told apart


def neighbor_parts(sample):
    """Queries and their nearest neighbours: a dict, or a note."""
    if sample.count < 2:
        return "A single image has no neighbours."
    groups = sample.labels if sample.has_labels else np.zeros(sample.count, int)
    places, similarities = neighbors.nearest(sample.features, _SHOWN)
    rows = []
    for query in neighbors.queries(groups, _QUERIES):
        near = zip(places[query], similarities[query], strict=True)
        found = [_neighbor(sample, query, *one) for one in near]
        rows.append({"query": _shown(sample, query), "found": found})
    part = {"rows": rows, "share": None}
    if sample.has_labels:
        known = (sample.labels >= 0)[:, None] & (sample.labels[places] >= 0)
        same = sample.labels[places] == sample.labels[:, None]
        part["share"] = percent(float(same[known].mean())) if known.any() else None
    return part


def _neighbor(sample, query, place, similarity):
    right = None
    if sample.class_of(query) and sample.class_of(place):
        right = bool(sample.labels[query] == sample.labels[place])
    shown = _shown(sample, place)
    return {**shown, "right": right, "similarity": f"{similarity:.2f}"}


def _shown(sample, row):
    label, name = sample.class_of(row), sample.name_of(row)
    alt = f"{label}, {name}" if label else name
    return {**picture(sample.thumbnails[row], alt), "label": label, "name": name}


def map_parts(sample):
    """Maps of the features, and what hovering shows: a dict, or a note."""
    if sample.count < 3:
        return f"A map needs at least 3 images; there are {sample.count}."
    rows = np.arange(sample.count)
    if len(rows) > _MAPPED:
        chosen = np.random.RandomState(0).choice(len(rows), _MAPPED, replace=False)
        rows = np.sort(chosen)
    features = sample.features[rows]
    if sample.has_labels:
        groups, names = sample.labels[rows], list(map(printable, sample.class_names))
    else:
        groups = embedding_map.clusters(features)
        names = [f"cluster {number + 1}" for number in range(groups.max() + 1)]
    linear, share = embedding_map.pca(features)
    kinds = {
        "t-SNE": (embedding_map.tsne(features), "Keeps neighbours together."),
        "UMAP": (embedding_map.umap(features), "Keeps neighbours together."),
        "PCA": (linear, f"The directions of most variance ({percent(share)} of it)."),
    }
    maps = []
    for title, (points, text) in kinds.items():
        if points is not None:
            maps.append(_map(title, text, points, groups, names))
    thumbnails = pictures.thumbnails(sample.thumbnails[rows], _SPRITE_SIDE)
    uri, columns = pictures.sprite(thumbnails)
    captions = [
        [names[group] if group >= 0 else "", sample.name_of(row)]
        for group, row in zip(groups, rows, strict=True)
    ]
    return {
        "maps": maps,
        "sprite": uri,
        "columns": columns,
        "count": len(rows),
        "captions": captions,
        "by": "label" if sample.has_labels else "k-means cluster (no labels)",
        "table": _groups(features, groups, names),
    }


def _map(title, text, points, groups, names):
    figure = embedding_map.draw_map(points, groups, names)
    kinds = len(np.unique(groups))
    label = f"{title} map of {len(points):,} images in {kinds} groups"
    fractions = embedding_map.places(figure, points)
    return {
        "title": title,
        "text": text,
        "svg": style.svg(figure, f"map-{title.lower()}", label),
        "points": np.round(fractions, 4).tolist(),
    }


def _groups(features, groups, names):
    """The map as a table: the share of neighbours in each group, and the next group."""
    places, _ = neighbors.nearest(features, _VOTERS)
    near = groups[places]  # [N, k]
    table = []
    for group in np.unique(groups[groups >= 0])[:_CLASSES]:
        around = near[groups == group].ravel()
        around = around[around >= 0]
        counts = np.bincount(around, minlength=len(names))
        own, counts[group] = counts[group], 0
        other = names[counts.argmax()] if counts.any() else "-"
        table.append(
            {
                "name": names[group],
                "color": group % len(style.SERIES) + 1,
                "count": int((groups == group).sum()),
                "own": percent(own / max(len(around), 1)),
                "other": other,
            }
        )
    return table


def class_parts(sample, predicted):
    """Confusions, and the accuracy of each class: a dict, or a note."""
    if not sample.has_labels:
        return "There are no labels to compare with."
    names = list(map(printable, sample.class_names))
    by = "the linear head"
    if predicted is None:
        if sample.count < 2:
            return "A single image has no neighbours to predict its class."
        places, similarities = neighbors.nearest(sample.features, _VOTERS)
        predicted = neighbors.vote(places, similarities, sample.labels, len(names))
        by = f"the {places.shape[1]} nearest neighbours among the other images shown"
    counts = confusion.count_confusions(sample.labels, predicted, len(names))
    shown = confusion.hardest(counts)
    figure = confusion.draw_confusion_matrix(
        counts[np.ix_(shown, shown)],
        [names[number] for number in shown],
        counts.sum(axis=1)[shown],
    )
    accuracy = confusion.per_class(counts)
    order = np.argsort(accuracy, kind="stable")  # NaN last
    order = order[: np.isfinite(accuracy).sum()]
    total = percent(np.trace(counts) / max(counts.sum(), 1))
    label = f"Confusion matrix of {len(shown)} classes; {total} of images are right"
    return {
        "svg": style.svg(figure, "confusion", label),
        "by": by,
        "total": total,
        "hardest": len(shown) < len(names) and len(shown),
        "num_classes": len(names),
        "classes": [
            {
                "name": names[number],
                "count": int(counts[number].sum()),
                "accuracy": percent(accuracy[number]),
                "share": round(float(accuracy[number]), 3),
            }
            for number in order[:_CLASSES]
        ],
        "left_out": max(0, len(order) - _CLASSES),
        "confused": [
            {"true": names[true], "predicted": names[taken], "count": count}
            for true, taken, count in confusion.most_confused(counts)
        ],
    }


def pair_parts(sample, found):
    """The most similar pairs of those in the file: a dict, or a note."""
    if sample.count < 2:
        return "There are no pairs of a single image."
    kinds = {"near_duplicate": [], "false_negative": []}
    for pair in found:
        kinds[pair.kind].append(pair)
    return {
        kind: {
            "count": len(members),
            "shown": [_pair(sample, pair) for pair in members[:_PAIRS]],
        }
        for kind, members in kinds.items()
    }


def _pair(sample, pair):
    first, second = _shown(sample, pair.first), _shown(sample, pair.second)
    same = None
    if first["label"] and second["label"]:
        same = first["label"] == second["label"]
    return {
        "images": [first, second],
        "same": same,
        "similarity": f"{pair.similarity:.3f}",
    }


def geometry(sample, projections):
    """How features and projections fill their space: a list of dicts, one per row."""
    rows = []
    if not isinstance(sample, str) and sample.count > 1:
        rows.append(_geometry(f"Features of {sample.described}", sample.features, None))
    if not isinstance(projections, str) and len(projections[0]) > 1:
        text = f"Projections of {len(projections[0])} training images"
        rows.append(_geometry(text, *projections))
    return rows


def _geometry(name, first, second):
    return {
        "name": name,
        "dim": first.shape[1],
        "rank": float(effective_rank(first)),
        "most": min(first.shape),
        "std": float(diagnostics.embedding_std(first)),
        "uniformity": float(diagnostics.uniformity(first)),
        "alignment": second is not None and float(diagnostics.alignment(first, second)),
    }


def spectrum_parts(spectra):
    """Singular values of features at some checkpoints: a dict, or a note."""
    if isinstance(spectra, str):
        return spectra
    if not spectra:
        return "No checkpoint can be read."
    steps = np.array(sorted(spectra))
    places = np.linspace(0, len(steps) - 1, min(_SPECTRA, len(steps)))
    shown = steps[places.round().astype(int)].tolist()
    lines = {f"step {step:,}": spectra[step] for step in shown}
    figure = spectrum.draw_spectrum(lines)
    ranks = [f"{float(rank_of(spectra[step])):.1f} at step {step:,}" for step in shown]
    label = f"Singular values of features; effective rank {', '.join(ranks)}"
    return {"svg": style.svg(figure, "spectrum", label)}


def find_pairs(sample):
    """Pairs of a sample, and their table as text; none for a note or a single image."""
    if isinstance(sample, str) or sample.count < 2:
        return [], None
    found = pairs.find_pairs(sample.features, sample.thumbnails)
    labels = None
    if sample.has_labels:
        labels = [sample.class_of(row) for row in range(sample.count)]
    files = sample.files or [sample.name_of(row) for row in range(sample.count)]
    return found, pairs.as_csv(found, files, labels)
