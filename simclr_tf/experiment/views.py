"""From flags to the layers that draw views."""

from simclr_tf import augmentation
from simclr_tf.errors import UserError
from simclr_tf.experiment import view_words


def build_views(config, seed):
    """The layer of every training view of an image.

    Args:
        config: `RunConfig`.
        seed: Int, seed of the layers.

    Returns:
        Tuple of layers: in pre-training two, and more for small views; otherwise one.

    Raises:
        UserError: If a range of `--augmentation` is empty.
    """
    settings = config.augmentation
    full = _full_views(config, seed)
    if not settings.num_small_views or config.train.train_mode != "pretrain":
        return full
    small = augmentation.small_view(
        full[0],
        settings.small_view_size,
        (settings.small_view_min_area, settings.small_view_max_area),
        seed,
    )
    return full + settings.num_small_views * (small,)


def _full_views(config, seed):
    view = _full_view(config, seed)
    if isinstance(view, tuple):
        return view
    return (view, view) if config.train.train_mode == "pretrain" else (view,)


def _full_view(config, seed):
    """The layer that draws one training view, or a tuple of two that differ."""
    settings, size = config.augmentation, config.data.image_size
    area_range = (settings.min_crop_area, 1.0)
    if settings.augmentation == "none":
        return augmentation.EvaluationCrop(size)
    if settings.augmentation != "crop_and_flip":
        return _composed(config, seed)
    if config.train.train_mode != "pretrain":
        return augmentation.CropAndFlip(size, area_range, seed=seed)
    return augmentation.SimCLRAugmentation(
        size,
        color_jitter_strength=settings.color_jitter_strength,
        blur=settings.use_blur,
        area_range=area_range,
        seed=seed,
    )


def _composed(config, seed):
    """The policies that `--augmentation` describes."""
    try:
        views = view_words.parse_views(config.augmentation.augmentation)
        policies = tuple(
            augmentation.Policy(_layers(view, config), seed=seed) for view in views
        )
    except ValueError as error:
        raise UserError(f"--augmentation: {error}") from error
    return policies if len(policies) > 1 else policies[0]


def _layers(steps, config):
    """The layers of one view; a flip right after the crop is part of the crop."""
    crop, *rest = steps
    flip = 0.0
    if rest and rest[0].word == "flip":
        flip = rest.pop(0).arguments.get("probability", 0.5)
    low = crop.arguments.get("min_area", config.augmentation.min_crop_area)
    area_range = (low, crop.arguments.get("max_area", 1.0))
    size = config.data.image_size
    first = augmentation.RandomResizedCrop(size, area_range, flip_probability=flip)
    return [first, *(_layer(step, config) for step in rest)]


def _layer(step, config):
    arguments = dict(step.arguments)
    if step.word == "jitter":
        arguments.setdefault("strength", config.augmentation.color_jitter_strength)
    if step.word == "blur":
        low, high = arguments.pop("min_sigma", 0.1), arguments.pop("max_sigma", 2.0)
        arguments["sigma_range"] = (low, high)
        size = augmentation.blur_kernel_size(config.data.image_size)
        arguments["kernel_size"] = size
    return _LAYERS[step.word](**arguments)


_LAYERS = {
    "flip": augmentation.RandomFlip,
    "jitter": augmentation.RandomColorJitter,
    "grayscale": augmentation.RandomGrayscale,
    "blur": augmentation.RandomGaussianBlur,
    "cutout": augmentation.RandomCutout,
    "rotate": augmentation.RandomRotation90,
    "noise": augmentation.RandomGaussianNoise,
    "sobel": augmentation.RandomSobel,
    "solarize": augmentation.RandomSolarize,
    "equalize": augmentation.RandomEqualize,
}
