"""Flags: what is optimised, with what, and for how long."""

import os

from flags import values
from simclr_tf.experiment.config import LOSSES_OF_THE_BATCH

values.one_of(
    "train_mode",
    "pretrain",
    ["pretrain", "finetune", "distill"],
    "pretrain: SimCLR. finetune: train a linear head on a pre-trained encoder, with "
    "labels, and the encoder with it; see --fine_tune_after_block. distill: learn "
    "from the predictions of --teacher, with or without labels.",
)
values.integer(
    "train_batch_size", 512, "Images per step, over all replicas.", low=1, high=2**20
)
values.integer(
    "micro_batch_size",
    0,
    "pretrain: images that go through the networks at a time, on each replica. The "
    "loss is still that of the whole batch, but batch norm sees one such piece. 0: "
    "all at once.",
    low=0,
    high=2**20,
)
values.integer(
    "train_epochs", 100, "Passes over the training split.", low=1, high=10**6
)
values.integer(
    "train_steps",
    0,
    "Steps to train. 0: use --train_epochs.",
    low=0,
    high=10**9,
)
values.floating(
    "learning_rate",
    0.3,
    "Peak learning rate: for a batch of 256 images, or the factor of the square root "
    "of the batch size; see --learning_rate_scaling.",
    low=0,
    high=10**6,
)
values.one_of(
    "learning_rate_scaling",
    "linear",
    ["linear", "sqrt"],
    "linear: rate x batch / 256. sqrt: rate x sqrt(batch).",
)
values.floating(
    "warmup_epochs",
    10.0,
    "Epochs over which the learning rate rises linearly from 0 to its peak. 0: no "
    "warm-up. The default is shortened if training is shorter.",
    low=0,
    high=10**6,
)
values.floating(
    "weight_decay",
    1e-6,
    "Weight decay. lars, adamw and lamb apply it in the optimizer, except to biases "
    "and batch norm; for momentum and adam it is a term of the loss.",
    low=0,
    high=1000,
)
values.one_of(
    "optimizer", "lars", ["momentum", "adam", "adamw", "lamb", "lars"], "Optimizer."
)
values.floating(
    "momentum", 0.9, "Momentum of --optimizer=momentum and lars.", low=0, below=1
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
values.boolean(
    "lineareval_while_pretraining",
    True,
    "Train a linear head beside the encoder, on stopped gradients; needs labels.",
)
values.integer(
    "fine_tune_after_block",
    -1,
    "finetune: what is trained. -1: everything. 0: all after the stem. k: all after "
    "block group k. 4: only the linear head.",
    low=-1,
    high=4,
)
values.boolean(
    "zero_init_logits_layer",
    False,
    "finetune, distill: initialise the linear head with zeros.",
)
values.boolean(
    "from_scratch",
    False,
    "finetune: start from random weights instead of --checkpoint. This is the "
    "supervised baseline.",
)
values.string(
    "teacher",
    None,
    "distill: folder or prefix of a checkpoint with a linear head, fine-tuned or pre- "
    "trained, of any network; or the folder of a SavedModel, ours or a published one.",
)
values.floating(
    "distill_temperature",
    1.0,
    "distill: divides the logits of teacher and student. The second paper uses 1 for "
    "a large teacher, and 0.1 for one of the student's size.",
    above=0,
    high=1000,
)
values.floating(
    "label_weight",
    0.0,
    "distill: weight w of the labels in (1 - w) x distillation + w x labels.",
    low=0,
    high=1,
)
values.one_of(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "Dtype policy of Keras.",
)
values.boolean("jit_compile", False, "Compile the training step with XLA.")
values.one_of(
    "on_nonfinite",
    "stop",
    ["stop", "skip", "rewind"],
    "What to do if the loss or the gradient is not finite. stop: end the run and keep "
    "the last checkpoint. skip: leave out the step (pretrain, one replica). rewind: "
    "go back to the weights of the last checkpoint and continue with the next images; "
    "the step number goes on.",
)
values.integer(
    "seed",
    None,
    "Seed of weights, order and views. Not given: a new one.",
    low=0,
    high=2**31 - 1,
)


@values.check
def _freezing_fits(train_mode, fine_tune_after_block, encoder):
    if fine_tune_after_block > -1 and train_mode != "finetune":
        return (
            f"--fine_tune_after_block must be -1 with --train_mode={train_mode}, got "
            f"{fine_tune_after_block}: --train_mode=finetune freezes."
        )
    if encoder != "resnet" and fine_tune_after_block not in (-1, 4):
        return (
            f"--fine_tune_after_block must be -1 or 4 for --encoder={encoder}, got "
            f"{fine_tune_after_block}."
        )
    return None


@values.check
def _pieces_fit(micro_batch_size, train_mode, train_batch_size, jit_compile):
    if micro_batch_size and train_mode != "pretrain":
        return (
            f"--micro_batch_size must be 0 with --train_mode={train_mode}, got "
            f"{micro_batch_size}: it is for pretrain."
        )
    if micro_batch_size > train_batch_size:
        return (
            "--micro_batch_size must be at most "
            f"--train_batch_size={train_batch_size}, got {micro_batch_size}."
        )
    if micro_batch_size and jit_compile:
        return "--jit_compile must be false with --micro_batch_size, got true."
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


@values.check
def _skipping_fits(on_nonfinite, train_mode):
    if on_nonfinite == "skip" and train_mode != "pretrain":
        return (
            f"--on_nonfinite must be stop or rewind with --train_mode={train_mode}, "
            "got skip: it is for pretrain."
        )
    return None


@values.check
def _warmup_fits(mode, warmup_epochs, train_epochs, train_steps, given):
    # Asked for; the default of 10 is cut where a training is shorter.
    asked = "warmup_epochs" in given and "train" in mode and not train_steps
    if asked and warmup_epochs > train_epochs:
        return (
            f"--warmup_epochs must be at most --train_epochs={train_epochs}, got "
            f"{warmup_epochs:g}."
        )
    return None


@values.check
def _something_to_start_from(mode, train_mode, checkpoint, model_dir, from_scratch):
    if "train" not in mode:
        return None
    if from_scratch and train_mode != "finetune":
        return (
            f"--from_scratch must be false with --train_mode={train_mode}, got true: "
            "it is for finetune."
        )
    if from_scratch and checkpoint:
        return (
            f"--from_scratch must be false with --checkpoint={checkpoint}, got true: "
            "leave out one of them."
        )
    resumes = model_dir and os.path.exists(os.path.join(model_dir, "checkpoint"))
    if train_mode == "finetune" and not (checkpoint or from_scratch or resumes):
        return (
            "--train_mode=finetune needs --checkpoint, a folder or prefix that "
            "pre-training wrote, or --from_scratch; got none, and --model_dir has none "
            "to resume."
        )
    return None


@values.check
def _someone_to_learn_from(mode, train_mode, teacher, label_weight):
    if "train" not in mode:
        return None
    if train_mode == "distill" and not teacher:
        return (
            "--train_mode=distill needs --teacher, a checkpoint with a linear head or "
            "a SavedModel folder; got none."
        )
    if train_mode != "distill" and (teacher or label_weight):
        name = "teacher" if teacher else "label_weight"
        return (
            f"--{name} must not be given with --train_mode={train_mode}, got "
            f"{teacher or f'{label_weight:g}'}: it is for distill."
        )
    return None
