"""The page's parts about the training: its curves, views and filters."""

from simclr_tf.printing import printable
from simclr_tf.report import curves, filters, pictures, style
from simclr_tf.report.similarities import cosine_similarities, draw_similarities
from simclr_tf.report.verdict import percent

CHARTS = (
    (
        "contrast_loss",
        "Contrastive loss",
        "In nats. It should fall well below what guessing gives.",
    ),
    (
        "contrast_acc",
        "Contrastive accuracy",
        "How often the other view of an image is found in the batch.",
    ),
    (
        "supervised_acc",
        "Accuracy of the online linear head",
        "On its own training views. The encoder does not learn from it.",
    ),
    (
        "learning_rate",
        "Learning rate",
        "Rises over the warm-up, then falls along a cosine.",
    ),
    ("temperature", "Temperature", "Of the loss: learned, or warming up."),
    ("small_view_loss", "Loss of small views", "In nats."),
    (
        "embedding_std",
        "Spread of embeddings",
        "1: evenly spread; 0: collapsed to a single point.",
    ),
    (
        "alignment",
        "Alignment",
        "Squared distance between the two views of an image. 0: they agree; 2: they "
        "are unrelated.",
    ),
    (
        "uniformity",
        "Uniformity",
        "0: a single point; -4: evenly spread over the sphere. Lower is more even.",
    ),
    (
        "hardest_negative",
        "Hardest negative",
        "Cosine of an image and the most similar other one among up to 256. It rises "
        "as images of one kind come together.",
    ),
    (
        "likely_false_negatives",
        "Likely false negatives",
        "Share of negatives more similar to an image than its other view: 0.5 nothing "
        "is told apart. What remains in the end may show the same thing.",
    ),
    (
        "effective_rank",
        "Effective rank",
        "How many directions the features use (RankMe), at each checkpoint kept.",
    ),
    ("supervised_loss", "Loss of the linear head", "In nats."),
    ("distillation_loss", "Loss of the student", "In nats."),
    (
        "gradient_norm",
        "Norm of the gradient",
        "A sudden peak is an unstable step.",
    ),
)
_FEW_PIXELS = 3
_PICTURE = 160  # pixels, for dense screens


def curve_parts(contents):
    """Charts of the training's curves: a list of dicts, or a note."""
    if not contents.curves:
        return (
            "There are no TensorBoard events in train/ of the run's folder, so there "
            "are no curves."
        )
    charts = []
    for name, title, text in CHARTS:
        curve = contents.curves.get(tag_of(name))
        if curve is not None:
            charts.append(_chart(name, title, text, curve, references(contents, name)))
    return charts


def tag_of(name):
    """The tag in TensorBoard of a curve."""
    return name if name == "learning_rate" else f"train/{name}"


def references(contents, name):
    """The values that a curve is compared with.

    Args:
        contents: An object with `curves`, `batch_size` and `num_classes` of a run.
        name: Str, the name of the curve.

    Returns:
        Dict from names to values.
    """
    chance = contents.curves.get("train/contrast_loss_chance")
    if name == "contrast_loss" and chance is not None:
        return {"guessing": float(chance.values[-1])}
    if name == "contrast_acc" and contents.batch_size:
        return {"guessing": 1 / contents.batch_size}
    if name == "supervised_acc" and contents.num_classes:
        return {"guessing": 1 / contents.num_classes}
    return {"even": 1.0} if name == "embedding_std" else {}


def _chart(name, title, text, curve, beside):
    figure = curves.draw_curves({title: curve.line}, beside)
    first, last = (f"{curve.values[place]:.3g}" for place in (0, -1))
    said = "".join(f", {word} {value:.3g}" for word, value in beside.items())
    label = (
        f"{title}: {first} at step {curve.steps[0]}, {last} at {curve.steps[-1]}{said}"
    )
    return {
        "title": title,
        "value": last,
        "text": text,
        "svg": style.svg(figure, name.replace("_", "-"), label),
    }


def gallery_parts(contents):
    """Images and their views: a list of dicts, or a note."""
    if isinstance(contents.gallery, str):
        return contents.gallery
    return [
        {
            "name": printable(row.name),
            "label": row.label,
            "size": row.size,
            "pictures": [
                picture(row.image, f"{row.label}: the image"),
                *(
                    picture(view, f"{row.label}: view {number}")
                    for number, view in enumerate(row.draws[0], start=1)
                ),
            ],
        }
        for row in contents.gallery
    ]


def similarity_parts(contents):
    """The histogram of positives and negatives: a dict, or a note."""
    if isinstance(contents.projections, str):
        return contents.projections
    if len(contents.projections[0]) < 2:
        return "A single image has no negatives."
    positives, negatives = cosine_similarities(*contents.projections)
    figure = draw_similarities(positives, negatives)
    above = float((positives[:, None] > negatives.reshape(len(positives), -1)).mean())
    label = (
        f"Cosine similarities: mean {positives.mean():.2f} for two views of one image, "
        f"{negatives.mean():.2f} for different images"
    )
    return {
        "svg": style.svg(figure, "similarities", label),
        "positives": f"{positives.mean():.2f}",
        "negatives": f"{negatives.mean():.2f}",
        "above": percent(above),
        "count": len(positives),
    }


def filter_parts(contents):
    """The filters of the first layer: a dict, or a note."""
    if isinstance(contents.filters, str):
        return contents.filters
    height, width, _, count = contents.filters.shape
    label = f"{count} filters of {height} x {width} pixels, the strongest first"
    text = "Trained filters show edges and colours, untrained ones noise."
    if height <= _FEW_PIXELS:
        text = "With so few pixels, they look much alike before and after a training."
    figure = filters.draw_filters(contents.filters)
    return {
        "svg": style.svg(figure, "filters", label),
        "text": f"{label}; grey is 0. {text}",
    }


def picture(image, alt):
    """The values that an `<img>` of the page needs."""
    return {
        "src": pictures.as_uri(image, _PICTURE),
        "alt": alt,
        "small": max(image.shape[:2]) < _PICTURE // 2,
    }
