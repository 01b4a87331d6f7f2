"""How a step is executed: with XLA, and undone if it is not finite."""

import functools

import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.losses import NTXent
from simclr_tf.training import _common, _nonfinite
from simclr_tf.training._gradient_norms import WatchedModel
from simclr_tf.training._image_model import ImageModel


class CompiledModel(WatchedModel, ImageModel):
    """A contrastive model without its step.

    A subclass learns from a batch in `_learn_from_views`, which returns the figures of
    `_trackers`. Its `train_step` calls `_learn`, which is the same function executed as
    `compile` was asked to.
    """

    skip_nonfinite = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._skipped = keras.metrics.Sum(name="skipped_steps")

    def compile(
        self,
        optimizer="adam",
        loss=None,
        jit_compile=False,
        skip_nonfinite=False,
        **kwargs,
    ):
        """Sets how the model is trained.

        Args:
            optimizer: Keras optimizer or its name; `simclr_tf.optimizers.LARS` is the
                paper's.
            loss: Keras loss over `(view_a, view_b)` projections, one value per pair;
                None means `NTXent()`. With small views it needs a method
                `of_small_views` like that of `NTXent`.
            jit_compile: Bool, whether XLA compiles the networks, the loss and the
                update. The augmentation stays outside. Not with several replicas or
                `micro_batch_size`.
            skip_nonfinite: Bool, whether a step whose loss or gradient is not finite is
                undone, except in `optimizer.iterations` and the log `skipped_steps`.
                This needs memory for a copy of all variables and of the optimizer's
                state. Not with several replicas. See also `callbacks.NonFinite`, which
                ends the training.
            **kwargs: Those of `keras.Model.compile`, such as `steps_per_execution`.
        """
        replicas = self.distribute_strategy.num_replicas_in_sync
        if jit_compile is True and replicas > 1:
            raise ValueError(
                "`jit_compile` must be False under several replicas: XLA compiles the "
                f"step of one, got {replicas} replicas."
            )
        if jit_compile is True and self.micro_batch_size is not None:
            raise ValueError(
                "`jit_compile` must be False with `micro_batch_size`, got "
                f"micro_batch_size={self.micro_batch_size}: XLA takes no pieces."
            )
        if skip_nonfinite and replicas > 1:
            raise ValueError(
                "`skip_nonfinite` must be False under several replicas, got "
                f"{replicas} replicas."
            )
        super().compile(
            optimizer=optimizer,
            loss=NTXent() if loss is None else loss,
            jit_compile=False,
            **kwargs,
        )
        self._jit_compile_step = jit_compile is True
        self.skip_nonfinite = skip_nonfinite
        with self.distribute_strategy.scope():
            # Keras 2 would make the state of what the first batch happens to train.
            keras_compat.build_optimizer_state(self.optimizer, self.trainable_variables)
        self._watch_gradients()
        self._learn = self._learn_from_views
        if self._jit_compile_step:
            self._learn = tf.function(self._learn_from_views, jit_compile=True)
        if skip_nonfinite:
            self._learn = functools.partial(self._learn_if_finite, self._learn)

    def get_compile_config(self):
        """The arguments of `compile`, for `.keras` files."""
        return {
            **_common.serialized(self, ("optimizer", "loss")),
            "jit_compile": self._jit_compile_step,
            "skip_nonfinite": self.skip_nonfinite,
        }

    def compile_from_config(self, config):
        """Compiles as `get_compile_config` says."""
        self.compile(**_common.deserialized(config))

    def _symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: everything is built already."""

    @property
    def metrics(self):
        return list(self._trackers.values())

    @property
    def skipped_steps(self):
        """Int, the number of steps that `skip_nonfinite` has left out."""
        return int(self._skipped.result())

    def _learn_if_finite(self, learn, *batch):
        """`learn(*batch)`, undone together with its figures if these are not finite."""
        names = []

        def step():
            logs = learn(*batch)
            names.extend(logs)
            return logs["loss"], logs["gradient_norm"]

        state = [*self.variables, *keras_compat.state_variables(self.optimizer)]
        state += [v for tracker in self._trackers.values() for v in tracker.variables]
        state = list({id(variable): variable for variable in state}.values())
        self._skipped.update_state(_nonfinite.without_trace(step, state))
        logs = {name: self._trackers[name].result() for name in names}
        return {**logs, "skipped_steps": self._skipped.result()}
