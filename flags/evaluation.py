"""Flags: how features are judged."""

from flags import values

values.integer("eval_batch_size", 256, "Images in a batch of evaluation.", low=1)
values.integer("eval_steps", 0, "Batches to evaluate on. 0: the whole split.", low=0)
values.some_of(
    "evaluators",
    ["head"],
    ["head", "knn"],
    "head: the trained linear head. knn: nearest neighbours in the training split.",
)
values.integer("knn_neighbors", 20, "Neighbours that vote in knn.", low=1)
values.boolean(
    "compare_untrained", False, "Judge the same encoder with random weights as well."
)
values.string("eval_name", None, "Accepted for old commands; does nothing.")
