"""The views of an image, drawn from a seed and its position in the stream."""

import tensorflow as tf

from simclr_tf.augmentation import Policy, _base, _each
from simclr_tf.data import decoding

_OURS = "simclr_tf."


class Views:
    """Draws views with one layer, or with one for each view.

    A policy is split up: its crop may be done while a file is decoded, and the
    following steps are compiled, see `simclr_tf.augmentation._each`. Each step gets the
    same seed as inside the policy.

    Args:
        layers: Layer of `simclr_tf.augmentation`, or a sequence of `num_views`.
        num_views: Int `V`.
        seed: Int.
    """

    def __init__(self, layers, num_views, seed):
        self._layers, self._seed = layer_of_each(layers, num_views), seed
        self._view_by = {layer: _view_by(layer) for layer in self._layers}

    @property
    def crop_first(self):
        """Bool, whether every layer begins with a crop and can be split up."""
        return all(hasattr(_steps(layer)[0], "draw") for layer in self._layers)

    def of_batch(self, example, step, place=()):
        """Views of images `[B, H, W, 3]` of one size, with their labels.

        Args:
            example: `(images, labels)` or `images`.
            step: Int64 scalar.
            place: `(first, total)` rows among those of the step, or nothing.

        Returns:
            `(views, labels)` or `(views,)`.
        """
        images, *labels = example if isinstance(example, tuple) else (example,)
        images = [images] * len(self._layers)
        return self._views(images, labels, step, place, cropped=False)

    def of_image(self, example, position):
        """Views of one image `[H, W, 3]` by its position in the stream, with its label.

        Args:
            example: `(image, label)` or `image`.
            position: Int64 scalar.
        """
        return self.of_batch(example, position)

    def crops(self, encoded, position, max_pixels):
        """The crops with which views of a file begin.

        Args:
            encoded: String scalar, the bytes of an image file.
            position: Int64 scalar, of the image in the stream.
            max_pixels: Int, pixels of the largest picture that is allowed.

        Returns:
            Tuple of `V` float32 `[S, S, 3]`, which depend on seed and position.
        """
        crops = [_steps(layer)[0] for layer in self._layers]
        sizes = [crop.image_size for crop in crops]

        def draw(shapes):
            # Folded twice: no step of a policy has these seeds.
            (of_crops,) = _base.split_seed(tf.stack([self._seed, position]), 1)
            drawn = {}
            seeds = _base.split_seed(of_crops, len(crops))
            for crop, seed in zip(crops, seeds, strict=True):
                if crop not in drawn:  # mostly one for all views
                    drawn[crop] = crop.draw(shapes, seed)
            boxes = [drawn[crop][0][number] for number, crop in enumerate(crops)]
            flips = [_at(drawn[crop][1], number) for number, crop in enumerate(crops)]
            return tf.stack(boxes), tf.stack(flips)

        return decoding.crops(encoded, draw, sizes, max_pixels)

    @property
    def crops_spec(self):
        """The results of `crops` as a tuple of `tf.TensorSpec`."""
        sizes = [_steps(layer)[0].image_size for layer in self._layers]
        return tuple(tf.TensorSpec([size, size, 3], tf.float32) for size in sizes)

    def after_crops(self, crops, labels, step, place=()):
        """Views from a batch of `crops`, or from those of one image, with their labels.

        Args:
            crops: Sequence of `V` float32 `[B, S, S, 3]` or `[S, S, 3]`.
            labels: List with an int64 `[B]`, or an empty one.
            step: Int64 scalar.
            place: `(first, total)` rows among those of the step, or nothing.
        """
        return self._views(crops, labels, step, place, cropped=True)

    def _views(self, images, labels, step, place, cropped):
        views = []
        for number, (layer, its) in enumerate(zip(self._layers, images, strict=True)):
            seed = self._seed_of(number, step, place)
            views.append(self._view_by[layer](its, seed, cropped))
        return (tuple(views) if len(views) > 1 else views[0], *labels)

    def _seed_of(self, number, step, place):
        """The seed of a view from its number among the views of an image."""
        view = step * len(self._layers) + number
        return tf.stack([self._seed, view, *place])


class LateViews(Views):
    """Views that are drawn on the device of the networks.

    Instead of views the data has a dict: `images`, `[B, H, W, 3]` of one size, or for
    files a tuple of `V` crops, uint8 `[B, S, S, 3]`; and `position`, int64 `[B]`, their
    positions in the stream. The host only reads and crops, and sends a quarter or an
    eighth of the bytes. The views are those of `Views` up to rounding, which for crops
    of files is to whole grey levels.

    Args:
        layers: See `Views`.
        num_views: Int `V`.
        seed: Int.
        batch_size: Int, images per step, over all replicas.
    """

    def __init__(self, layers, num_views, seed, batch_size):
        super().__init__(layers, num_views, seed)
        self._batch_size = batch_size

    def _views(self, images, labels, step, place, cropped):
        first = place[0] if place else tf.constant(0, tf.int64)
        rows = tf.range(tf.shape(images[0], tf.int64)[0])
        position = step * self._batch_size + first + rows
        its = tuple(map(_as_uint8, images)) if cropped else images[0]
        return ({"images": its, "position": position}, *labels)

    def draw(self, batch):
        """The views from such a dict: a tuple of `V` float32 `[B, S, S, 3]`."""
        images, first = batch["images"], batch["position"][0]
        step, place = first // self._batch_size, first % self._batch_size
        place = (place, self._batch_size)
        cropped = isinstance(images, (tuple, list))
        images = images if cropped else [images] * len(self._layers)
        views = []
        for number, (layer, view) in enumerate(zip(self._layers, images, strict=True)):
            seeds = _seeds(layer, self._seed_of(number, step, place))
            for change, seed in list(zip(_steps(layer), seeds, strict=True))[cropped:]:
                view = change(view, training=True, seed=seed)
            views.append(view)
        return tuple(views)


def layer_of_each(view, num_views):
    """The layer of every view: one for all, or those of a sequence of `num_views`.

    Raises:
        ValueError: If the sequence has another length.
    """
    layers = tuple(view) if isinstance(view, (tuple, list)) else (view,) * num_views
    if len(layers) != num_views:
        raise ValueError(f"`view` must be {num_views} layers, got {len(layers)}.")
    return layers


def _steps(layer):
    """The steps of a policy, unless its class does something else with them."""
    takes_turns = getattr(type(layer), "process", None) is Policy.process
    return layer.steps if takes_turns else [layer]


def _seeds(layer, seed):
    """The seed of each of the layer's `_steps`."""
    steps = _steps(layer)
    return [seed] if steps == [layer] else _base.split_seed(seed, len(steps))


def _view_by(layer):
    """The function from images and a seed to a view, shared by views of one layer."""
    steps = _steps(layer)
    # To convert ours would take half a second; those of users may branch on tensors.
    autograph = not all(type(step).__module__.startswith(_OURS) for step in steps)

    @tf.function(autograph=autograph)  # a function, so that it is traced but once
    def view(images, seed, cropped):
        seeds = _seeds(layer, seed)
        if not cropped:
            images = steps[0](images, training=True, seed=seeds[0])
        return _each.apply(steps[1:], images, seeds[1:])

    return view


def _as_uint8(images):
    return tf.cast(tf.round(images * 255), tf.uint8)


def _at(flips, number):
    return tf.constant(False) if flips is None else flips[number]
