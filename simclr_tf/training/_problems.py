"""Finds problems of a training in its figures, and explains them."""

import math

# Below such a spread, embeddings differ by less than a twentieth of what they could.
_COLLAPSED = 0.05
# A contrastive loss that is not this share below chance is at it, if views are found
# less than so many times as often as by guessing. At a low temperature networks that
# learn well begin above chance.
_BELOW_CHANCE = 0.02
_TIMES_CHANCE = 1.5
# One that is not this share below its beginning has not fallen. Less, because networks
# may begin below chance, learn slowly, and be looked at by running means.
_FALL = 0.01
# An accuracy that is not this share above that of guessing is at it.
_RISE = 0.1


def find(figures, first_loss, num_classes, first_chance=None):
    """Everything that is wrong.

    Args:
        figures: Dict of floats as `SimCLR` logs them; those that are missing are not
            judged.
        first_loss: Float, the contrastive loss when training began; infinite if it is
            not known.
        num_classes: Int, classes of the linear head, or None.
        first_chance: Float, the loss of guessing when training began, which was less
            if a memory of negatives has filled since; None if it is that of now.

    Returns:
        Dict from the kind of problem to what was seen, what it means and what to try.
    """
    if "temperature" in figures:  # it changes, and the loss with it
        first_loss = math.inf
    found = {
        "collapse": _collapse(figures),
        "no_learning": _no_learning(figures, first_loss, first_chance),
        "guessing": _guessing(figures, num_classes),
    }
    return {kind: text for kind, text in found.items() if text}


def _collapse(figures):
    spread = figures.get("embedding_std")
    if spread is None or spread >= _COLLAPSED:
        return None
    return (
        f"the embeddings have collapsed: their spread (embedding_std) is {spread:.3f}, "
        "where 1 is even and 0 a single point. All images look alike to the networks. "
        "Try a smaller learning rate, a longer warm-up or weaker weight decay, and see "
        "whether the images themselves differ (train/view_a in TensorBoard)."
    )


def _no_learning(figures, first_loss, first_chance):
    loss, chance = figures.get("contrast_loss"), figures.get("contrast_loss_chance")
    if loss is None or chance is None:
        return None
    # Chance is ln(2N - 1), or ln(2N - 1 + M) with M embeddings in a memory.
    num_images = max(1, (math.exp(chance) + 1 - figures.get("memory_filled", 0)) / 2)
    first_loss *= chance / (first_chance or chance)
    is_guess = figures.get("contrast_acc", 0.0) <= _TIMES_CHANCE / num_images
    if is_guess and loss >= (1 - _BELOW_CHANCE) * chance:
        what = f"is {loss:.3f}, and guessing gives {chance:.3f}"
    # Networks that begin far better than chance have learned before.
    elif loss >= (1 - _FALL) * first_loss and loss > chance / 2:
        what = f"began at {first_loss:.3f} and is {loss:.3f} now"
    else:
        return None
    return (
        f"it does not learn: the contrastive loss {what}. The two views of an image "
        "are not found among the others any better than at the start. Try another "
        "learning rate (0 learns nothing), a larger batch or temperature, and weaker "
        "crops and colours; see whether the two views show the same thing "
        "(train/view_a, train/view_b in TensorBoard)."
    )


def _guessing(figures, num_classes):
    accuracy = figures.get("supervised_acc")
    if accuracy is None or not num_classes or accuracy > (1 + _RISE) / num_classes:
        return None
    return (
        f"the linear head guesses: its accuracy is {accuracy:.3f}, and chance among "
        f"{num_classes} classes {1 / num_classes:.3f}. The features say nothing of "
        "these labels yet. If the contrastive loss falls, see whether the labels "
        "belong to the images; else mend that first."
    )
