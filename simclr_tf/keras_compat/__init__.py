"""The one place that knows there are two Kerases.

`tf.keras` is Keras 2 on TensorFlow 2.15 and Keras 3 on TensorFlow 2.21, where
`TF_USE_LEGACY_KERAS=1` makes it Keras 2 again.
"""

from simclr_tf.keras_compat.copies import (
    UntrainedLayer,
    every_replica_its_own,
    paired_variables,
)
from simclr_tf.keras_compat.gradients import (
    scaled_gradients,
    scales_loss,
    unscaled,
    watch_gradients,
)
from simclr_tf.keras_compat.kerases import IS_KERAS_3, converted, version
from simclr_tf.keras_compat.models import (
    DistributedModel,
    call_in_mode,
    full_precision,
    means_over_replicas,
    strategy_of,
    unpack,
)
from simclr_tf.keras_compat.optimizers import (
    Optimizer,
    build_optimizer_state,
    inner_optimizer,
    lamb,
    learning_rate,
    optimizer_state,
    state_variables,
)
from simclr_tf.keras_compat.variables import (
    MEAN,
    dtype_of,
    is_moved_by_replicas,
    leaf_name,
    tf_variable,
    tf_variables,
    track_kernels,
    variable_path,
)

__all__ = [
    "DistributedModel",
    "IS_KERAS_3",
    "MEAN",
    "Optimizer",
    "UntrainedLayer",
    "build_optimizer_state",
    "call_in_mode",
    "converted",
    "dtype_of",
    "every_replica_its_own",
    "full_precision",
    "inner_optimizer",
    "is_moved_by_replicas",
    "lamb",
    "leaf_name",
    "learning_rate",
    "means_over_replicas",
    "optimizer_state",
    "paired_variables",
    "scaled_gradients",
    "scales_loss",
    "state_variables",
    "strategy_of",
    "tf_variable",
    "tf_variables",
    "track_kernels",
    "unpack",
    "unscaled",
    "variable_path",
    "version",
    "watch_gradients",
]
