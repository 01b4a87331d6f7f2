"""Flags: how features are evaluated."""

from flags import values

values.integer(
    "eval_batch_size", 256, "Images per batch in evaluation.", low=1, high=2**20
)
values.integer(
    "eval_steps", 0, "Batches to evaluate on. 0: the whole split.", low=0, high=10**9
)
values.some_of(
    "evaluators",
    ["head"],
    ["head", "knn", "logistic"],
    "head: the trained linear head. knn: nearest neighbours in the training split. "
    "logistic: logistic regression on the training split, with l2 chosen among 45 "
    "values.",
)
values.integer(
    "knn_neighbors",
    20,
    "Neighbours that vote in knn; 200 is common for ImageNet.",
    low=1,
    high=10**6,
)
values.floating(
    "knn_temperature",
    0.07,
    "A neighbour's vote in knn is exp(similarity / temperature): the lower it is, the "
    "more the nearest neighbours count.",
    above=0,
    high=1000,
)
values.boolean(
    "compare_untrained", False, "Also evaluate the same encoder with random weights."
)
values.string(
    "compare",
    None,
    "Runs or checkpoints, separated by commas. Their encoders are evaluated too, on "
    "the same images, each at its own image size, with a new linear head on fixed "
    "features.",
)
values.floating(
    "eval_timeout",
    600.0,
    "--mode=eval: seconds to wait for the next checkpoint of a training that is not "
    "done. 0: evaluate only the newest.",
    low=0,
    high=10**9,
)
values.some_of(
    "embed_formats",
    ["npz"],
    ["npz", "parquet", "projector"],
    "--mode=embed: npz and parquet are files in embeddings/ of --model_dir, projector "
    "is for TensorBoard's embedding projector.",
)
values.string("eval_name", None, "Accepted for old commands; has no effect.")


@values.check
def _comparing_is_of_evaluation(mode, compare):
    if compare and "eval" not in mode:
        return (
            f"--compare must not be given with --mode={mode}, got {compare}: it is for "
            "eval and train_then_eval."
        )
    return None
