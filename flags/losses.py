"""Flags: the contrastive loss of pre-training."""

from flags import values
from simclr_tf.experiment.config import (
    LABELLED_LOSSES,
    LOSS_ARGUMENTS,
    LOSSES_OF_THE_BATCH,
)

values.one_of(
    "loss",
    "nt_xent",
    list(LOSS_ARGUMENTS),
    "What pre-training minimises; see docs/losses.md. supcon needs labels.",
)
values.floating(
    "temperature",
    0.1,
    "Temperature of the contrastive loss: the similarities are divided by it.",
    above=0,
    high=1000,
)
values.boolean(
    "hidden_norm", True, "Scale projections to length 1 before comparing them."
)
values.integer(
    "memory_size",
    0,
    "pretrain: embeddings of earlier batches that are further negatives, for small "
    "batches. They come from a momentum encoder, at about a sixth more time for a "
    "step. 0: none.",
    low=0,
    high=2**24,
)
values.floating(
    "memory_momentum",
    0.999,
    "Momentum of the weights of the momentum encoder of --memory_size.",
    low=0,
    below=1,
)
values.floating(
    "margin",
    0.8,
    "margin_triplet: by how much the other view shall be more similar than others.",
    above=0,
    high=1000,
)
values.boolean(
    "semi_hard",
    False,
    "nt_logistic, margin_triplet: learn from one negative for each view, the nearest "
    "that is farther than the other view.",
)
values.floating(
    "positive_prior",
    0.1,
    "debiased, hard_negatives: probability that another image is of the same class; 1 "
    "/ classes if they are equally frequent.",
    low=0,
    below=1,
)
values.floating(
    "negative_concentration",
    1.0,
    "hard_negatives: how much more similar negatives weigh. 0: all weigh the same.",
    low=0,
    high=1000,
)
values.floating(
    "false_negative_threshold",
    0.7,
    "false_negatives: cosine above which a negative counts as a false one.",
    low=-1,
    high=1,
)
values.integer(
    "false_negative_top_k",
    0,
    "false_negatives: at most so many of each view, the most similar ones. 0: all.",
    low=0,
    high=2**20,
)
values.boolean(
    "attract_false_negatives",
    False,
    "false_negatives: take them for positives instead of leaving them out.",
)
values.one_of(
    "embedding_prior",
    "logsumexp",
    ["logsumexp", "hypersphere", "normal", "hypercube"],
    "generalized: how projections shall spread. logsumexp: away from each other. "
    "Otherwise: as samples of this distribution.",
)
values.floating(
    "embedding_prior_weight",
    None,
    "generalized: weight of the spread beside the agreement of views. Not given: "
    "--temperature for logsumexp, 1 for the others.",
    low=0,
    high=10**6,
)
# The first two are of the published code, whose commands give them in any mode.
_OURS = sorted(set(sum(LOSS_ARGUMENTS.values(), ())) - {"temperature", "hidden_norm"})


@values.check
def _loss_is_of_pretraining(mode, train_mode, given):
    if "train" not in mode or train_mode == "pretrain":
        return None
    for name in ("loss", *_OURS):
        flag = values.FLAGS[name]
        if name in given and flag.value != flag.default:
            return (
                f"--{name} must not be given with --train_mode={train_mode}, got "
                f"{flag.value}: it is for pretrain."
            )
    return None


@values.check
def _loss_uses_what_is_given(
    mode,
    train_mode,
    loss,
    embedding_prior,
    hidden_norm,
    learn_temperature,
    temperature_warmup_steps,
    given,
):
    if "train" not in mode or train_mode != "pretrain":
        return None
    used, described = LOSS_ARGUMENTS[loss], f"--loss={loss}"
    if loss == "generalized" and embedding_prior != "logsumexp":
        used = [name for name in used if name != "temperature"]
        described += f" --embedding_prior={embedding_prior}"
    for name in ("temperature", *_OURS):
        if name in given and name not in used:
            return (
                f"--{name} must not be given with {described}, got "
                f"{values.FLAGS[name].value}: this loss does not use it."
            )
    if (learn_temperature or temperature_warmup_steps) and "temperature" not in used:
        name = "learn_temperature" if learn_temperature else "temperature_warmup_steps"
        return (
            f"--{name} must not be given with {described}, got "
            f"{values.FLAGS[name].value}: this loss has no temperature."
        )
    if not hidden_norm and "hidden_norm" not in used:
        return (
            f"--hidden_norm must be true with {described}, got false: this loss "
            "decides itself."
        )
    return None


@values.check
def _loss_has_what_it_needs(
    mode,
    train_mode,
    loss,
    num_small_views,
    probe_dataset,
    lineareval_while_pretraining,
):
    if "train" not in mode or train_mode != "pretrain":
        return None
    if num_small_views and loss != "nt_xent":
        return (
            f"--num_small_views must be 0 with --loss={loss}, got {num_small_views}: "
            "only nt_xent takes small views."
        )
    if loss in LABELLED_LOSSES and probe_dataset and lineareval_while_pretraining:
        return (
            f"--probe_dataset must not be given with --loss={loss}, got "
            f"{probe_dataset}: the loss needs the labels of --dataset. "
            "--lineareval_while_pretraining=false leaves it to the evaluators."
        )
    return None


@values.check
def _memory_fits(memory_size, train_mode, train_batch_size, loss):
    if memory_size and train_mode != "pretrain":
        return (
            f"--memory_size must be 0 with --train_mode={train_mode}, got "
            f"{memory_size}: it is for pretrain."
        )
    if 0 < memory_size < train_batch_size:
        return (
            "--memory_size must be 0 or at least "
            f"--train_batch_size={train_batch_size}, got {memory_size}."
        )
    if memory_size and loss in LOSSES_OF_THE_BATCH:
        return (
            f"--memory_size must be 0 with --loss={loss}, got {memory_size}: this loss "
            "takes no negatives of other batches."
        )
    return None
