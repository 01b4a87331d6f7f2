"""Flags: which images, and how views are drawn."""

from flags import values

values.string(
    "dataset",
    None,
    "bundled, a folder of images, a .csv or .tfrecord file, or a name of TensorFlow "
    "Datasets such as cifar10. Not given: the bundled images with --preset=demo.",
)
values.string(
    "data_dir", None, "Folder of TensorFlow Datasets. Not given: its own default."
)
values.string("train_split", "train", "Split to train on.")
values.string("eval_split", "validation", "Split to evaluate on; CIFAR's is test.")
values.boolean(
    "cache_dataset", False, "Keep decoded images in memory after the first pass."
)
values.integer(
    "image_size",
    224,
    "Height and width of the network's input, in pixels. Up to 32 also chooses the "
    "stem for small pictures and evaluates without a crop.",
    low=1,
)
values.floating(
    "color_jitter_strength",
    1.0,
    "Strength of the colour distortion in pre-training. The paper: 1 for ImageNet, 0.5 "
    "for CIFAR-10. 0: none.",
    low=0,
    high=1.25,
)
values.boolean("use_blur", True, "Blur half of the views in pre-training.")
values.floating(
    "min_crop_area",
    0.08,
    "Smallest share of the image's area that a random crop takes.",
    above=0,
    high=1,
)
