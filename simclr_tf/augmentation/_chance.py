"""Base of layers that change some images of a batch and leave the others alone."""

import tensorflow as tf

from simclr_tf.augmentation import _base


class ChangeSome(_base.ImageLayer):
    """Changes each image with a probability; only those are computed.

    A subclass implements `change(images, *draws)` and, if each image needs random
    numbers, `draws(images, seed)`. With `change_planes`, a compiled loop can apply it
    image by image: see `simclr_tf.augmentation._each`.

    Args:
        probability: Float in [0, 1], share of images that are changed.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.
    """

    def __init__(self, probability, **kwargs):
        super().__init__(**kwargs)
        _base.check_probability("probability", probability)
        self.probability = probability

    def process(self, images, training, seed):
        if not training:
            return images
        chosen, *draws = self.choose(images, seed)
        rows = tf.where(chosen)  # [n, 1]
        draws = [tf.gather_nd(values, rows) for values in draws]
        changed = self.change(tf.gather_nd(images, rows), *draws)
        return tf.tensor_scatter_nd_update(images, rows, changed)

    def choose(self, images, seed):
        """Bool `[B]`, which images are changed, and the draws of all images."""
        for_choice, for_draws = _base.split_seed(seed, 2)
        chosen = _base.chosen(for_choice, images, self.probability)
        return chosen, *self.draws(images, for_draws)

    def draws(self, images, seed):
        """Tuple of tensors `[B, ..]`: the random numbers of every image."""
        return ()

    def change(self, images, *draws):
        """Changes images, float32 `[n, H, W, 3]` in [0, 1], each by its own draws."""
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), "probability": self.probability}
