"""Flags: which images, and how views are drawn."""

from flags import values
from simclr_tf.experiment import view_words
from simclr_tf.experiment.config import LABELLED_LOSSES

values.string(
    "dataset",
    None,
    "bundled; a folder of images, several separated by commas, a quoted pattern, one "
    "image; a .csv, .tsv or .parquet file that lists images; a .npz, .npy or "
    ".tfrecord file; a name in TensorFlow Datasets such as cifar10. See docs/data.md. "
    "Not given: the bundled images with --preset=demo.",
)
values.string(
    "data_dir", None, "Folder of TensorFlow Datasets. Not given: its own default."
)
values.string("train_split", "train", "Split to train on.")
values.string(
    "eval_split",
    "validation",
    "Split to evaluate on. If there is no validation split, test is used instead.",
)
values.floating(
    "held_out_fraction",
    None,
    "Share of every class that is held out to evaluate on if the data set has no "
    "split for it; training uses the rest. Not given: 0.1 if the command evaluates, "
    "none for --mode=train.",
    above=0,
    below=1,
)
values.integer(
    "held_out_seed", 0, "Seed of --held_out_fraction.", low=0, high=2**31 - 1
)
values.string(
    "probe_dataset",
    None,
    "A second, labelled data set. The linear head beside pre-training and the "
    "evaluators learn from its --probe_split and are judged on its --eval_split. "
    "Labels of --dataset are then not used in pre-training.",
)
values.string("probe_split", "train", "Split of --probe_dataset to learn from.")
values.string(
    "tfrecord_image_key", "image/encoded", "TFRecord: feature with the encoded picture."
)
values.string(
    "tfrecord_label_key",
    "image/class/label",
    "TFRecord: feature with the label, a number or a name.",
)
values.string(
    "tfrecord_name_key", "image/filename", "TFRecord: feature with the file's name."
)
values.boolean(
    "allow_outside_paths",
    False,
    "Read images that a list names by relative paths out of its own folder, such as "
    "../a.png. Absolute paths are always read.",
)
values.boolean(
    "cache_dataset", False, "Keep decoded images in memory after the first pass."
)
values.one_of(
    "on_bad_image",
    "skip",
    ["skip", "fail"],
    "What to do with an image that cannot be read. skip: in training the next one "
    "takes its place, in evaluation it is left out; bad_images.txt in --model_dir "
    "lists them. fail: end with an error.",
)
values.floating(
    "max_bad_fraction",
    0.01,
    "Share of bad images above which a data set is refused when it is opened. A "
    "single one is always skipped, except with 0. During a run ten times as many may "
    "break or vanish.",
    low=0,
    high=1,
)
values.integer(
    "max_image_pixels",
    250_000_000,
    "Pixels of the largest picture that is decoded; larger ones count as bad.",
    low=1,
    high=2**31 - 1,
)
values.integer(
    "prepare_size",
    320,
    "prepare: the shorter side of the packed copies in pixels. Use about 1.4 times "
    "--image_size or more.",
    low=1,
    high=10_000,
)
values.integer(
    "image_size",
    224,
    "Height and width of the network's input, in pixels. Not given: that of the run "
    "of --checkpoint or --teacher. Up to 32, evaluation does not crop.",
    low=1,
    high=10_000,
)
values.floating(
    "label_fraction",
    1.0,
    "Share of the training split whose labels may be used, the same number of every "
    "class: 0.01, 0.1. finetune trains only on these images, distill and "
    "--loss=supcon hide the other labels, and evaluators learn from these. With one "
    "seed, those of 0.01 are among those of 0.1.",
    above=0,
    high=1,
)
values.integer("label_seed", 0, "Seed of --label_fraction.", low=0, high=2**31 - 1)
values.string(
    "label_file",
    None,
    "Text file, instead of --label_fraction: the name of an image on each line, as in "
    "the published lists (n01440764_10026.JPEG), with folders if names are not "
    "unique.",
)
values.string(
    "augmentation",
    "crop_and_flip",
    "How views are drawn. crop_and_flip: the paper's policy in pre-training, crop and "
    "flip in finetune and distill. none: the evaluation crop, only for finetune and "
    "distill; with --fine_tune_after_block=4 features are then computed once and kept "
    "in memory. Otherwise a quoted list that begins with crop: "
    "'crop,flip,jitter(0.5),grayscale,blur,solarize'. With a bar the two views are "
    "drawn differently: 'crop,flip,blur(1) | crop,flip,blur(0.1)'. Words and "
    "arguments: docs/augmentation.md.",
)
values.floating(
    "color_jitter_strength",
    1.0,
    "Strength of the colour distortion in pre-training. The paper uses 1 for ImageNet "
    "and 0.5 for CIFAR-10. 0: none.",
    low=0,
    high=1.25,
)
values.boolean("use_blur", True, "Blur half of the views in pre-training.")
values.floating(
    "min_crop_area",
    0.08,
    "Smallest share of the image's area that a random crop covers.",
    above=0,
    high=1,
)
values.integer(
    "num_small_views",
    0,
    "pretrain: number of additional small views of each image, as in SwAV's multi- "
    "crop. Each has to find both full views. 0: none.",
    low=0,
    high=64,
)
values.integer(
    "small_view_size",
    96,
    "Height and width of --num_small_views, in pixels.",
    low=1,
    high=10_000,
)
values.floating(
    "small_view_min_area",
    0.05,
    "Smallest share of the image's area that a small view covers.",
    above=0,
    high=1,
)
values.floating(
    "small_view_max_area",
    0.14,
    "Largest share of it. SwAV combines it with --min_crop_area=0.14 for the full "
    "views.",
    above=0,
    high=1,
)

values.one_of(
    "augment_on",
    "host",
    ["host", "device"],
    "Where the views of pre-training are drawn. host: on the processor. device: on "
    "the GPU, with the networks; the processor reads and crops, and everything after "
    "the crop is done there. The views are the same up to rounding. For images of one "
    "size and for files; not on a TPU.",
)


@values.check
def _labels_are_chosen_once(label_fraction, label_file):
    if label_file and label_fraction < 1:
        return (
            f"--label_fraction must be 1 with --label_file={label_file}, got "
            f"{label_fraction:g}: each chooses the images that have labels."
        )
    return None


@values.check
def _labels_are_used(mode, train_mode, loss, label_fraction, label_file):
    pretrains = "train" in mode and train_mode == "pretrain"
    unused = pretrains and loss not in LABELLED_LOSSES
    if unused and (label_file or label_fraction < 1):
        name = "label_file" if label_file else "label_fraction"
        return (
            f"--{name} must not be given with --train_mode=pretrain in training, got "
            f"{label_file or f'{label_fraction:g}'}: it is for finetune, distill, "
            f"--loss={','.join(LABELLED_LOSSES)} and --mode=eval."
        )
    return None


@values.check
def _augmentation_fits(mode, train_mode, augmentation):
    pretrains = train_mode == "pretrain" and ("train" in mode or mode == "preview")
    if pretrains and augmentation == "none":
        return (
            "--augmentation must be crop_and_flip or a list with "
            "--train_mode=pretrain, got none: it is for finetune and distill."
        )
    if augmentation in view_words.WHOLE:
        return None
    try:
        views = view_words.parse_views(augmentation)
    except ValueError as error:
        return f"--augmentation must {error}."
    if len(views) > 1 and train_mode != "pretrain":
        return (
            f"--augmentation must be one view with --train_mode={train_mode}, got "
            f"{len(views)}."
        )
    return None


@values.check
def _small_views_fit(
    mode,
    train_mode,
    num_small_views,
    small_view_size,
    image_size,
    small_view_min_area,
    small_view_max_area,
):
    if not num_small_views:
        return None
    if train_mode != "pretrain" and ("train" in mode or mode == "preview"):
        return (
            f"--num_small_views must be 0 with --train_mode={train_mode}, got "
            f"{num_small_views}: it is for pretrain."
        )
    if small_view_size >= image_size:
        return (
            f"--small_view_size must be below --image_size={image_size} with "
            f"--num_small_views={num_small_views}, got {small_view_size}."
        )
    if small_view_min_area > small_view_max_area:
        return (
            "--small_view_min_area must be at most --small_view_max_area="
            f"{small_view_max_area:g}, got {small_view_min_area:g}."
        )
    return None


@values.check
def _views_are_drawn_for_pretraining(mode, train_mode, augment_on):
    if augment_on == "device" and train_mode != "pretrain" and "train" in mode:
        return (
            f"--augment_on must be host with --train_mode={train_mode}, got device: "
            "nothing follows the crop."
        )
    return None


@values.check
def _blur_is_said_once(augmentation, use_blur, given):
    if "use_blur" in given and augmentation not in view_words.WHOLE:
        return (
            f"--use_blur must not be given with --augmentation={augmentation}, got "
            f"{str(use_blur).lower()}: the word blur says it."
        )
    return None
