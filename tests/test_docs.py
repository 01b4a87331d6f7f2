"""README.md, the pages in docs/ and the notebooks: they run as they stand, but small.

A page's Python blocks are one program: they run in order and see each other's names.
"""

import json
import os
import re
import shlex
import shutil
import textwrap

import numpy as np
import pytest
import tensorflow as tf  # noqa: F401 (the code of some pages has it)
from PIL import Image
from tensorflow import keras

import flags
import run
import simclr_tf
import tf_models
from flags.values import FLAGS
from simclr_tf import export
from tests import guides, pictures

# What makes the code small enough for a test: text, and what stands there instead.
SMALLER = {
    "depth=50": "depth=18, width_multiplier=0.0625",
    'depth=18, stem="cifar"': 'depth=18, width_multiplier=0.0625, stem="cifar"',
    "width_multiplier=0.25": "width_multiplier=0.0625",
    "Augmentation(224)": "Augmentation(16)",
    "epochs=100": "epochs=1",
    "epochs=10)": "epochs=1)",
    "batch_size=256": "batch_size=8",
    "batch(256": "batch(8",
    "STEPS = 300": "STEPS = 2",
    '"--seed=1",': '"--seed=1", "--train_batch_size=16", "--width_multiplier=0.0625", '
    '"--evaluators=knn", "--nocompare_untrained",',
}
# What a page takes for granted.
GIVEN = {
    "README.md": "images, files = PHOTOS, [open('cat.jpg', 'rb').read()]",
    "docs/distributed.md": """
        encoder, projection_head, augmentation = networks()
        optimizer = keras.optimizers.SGD(0.1)
        dataset = tf.data.Dataset.from_tensor_slices(PHOTOS).batch(8)""",
    "docs/evaluation.md": """
        encoder, head, augmentation = networks()
        images, labels = test_images, test_labels = PHOTOS / 255.0, LABELS
        labelled = labelled_test = (images, labels)
        model = simclr_tf.SimCLR(encoder, head, augmentation)
        model.compile("sgd", simclr_tf.losses.NTXent())
        unlabelled = tf.data.Dataset.from_tensor_slices(PHOTOS).batch(8)""",
    "docs/report.md": """
        features, projections_a, projections_b = RANDOM.rand(3, 16, 8)
        labels, predicted, class_names = LABELS, 1 - LABELS, ["cats", "dogs"]
        encoder, thumbnails = networks()[0], PHOTOS
        encoder(PHOTOS / 255.0)
        with tf.summary.create_file_writer("runs/demo/train").as_default():
            tf.summary.scalar("train/contrast_loss", 2.0, step=1)""",
    "docs/serving.md": "encoder, folder = networks()[0], 'served'",
    "docs/weights.md": """
        images = np.zeros([2, 16, 16, 3], np.float32)
        export.save(networks(34)[0], "r50_1x_sk0.safetensors", 16, format="safetensors")
        os.rename("r50_1x_sk0.safetensors", "r50_1x_sk0")
        for name, format in (("onnx", "onnx"), ("tflite", "litert")):
            export.save(networks()[0], f"encoder.{name}", 16, format=format)""",
}
# What is true afterwards.
THEN = {
    "README.md": "features.shape == (16, 32) and 'served' in dir()",
    "docs/augmentation.md": "len(model.augmentation) == 6",
    "docs/from_lightly.md": "features.shape == (24, 32)",
    "docs/method.md": "tf.reduce_mean(losses) < simclr_tf.losses.chance_loss(2)",
    "docs/own_images.md": "features.shape == (24, 32) and 'cats' in names[0]",
    "docs/serving.md": "'served' not in dir() or model.output_shape == (None, 10)",
    "docs/weights.md": "features.shape == (2, 32)",
}
# Blocks that cannot run here, by how they begin.
NOT_RUN = {
    "import simclr_tf\n\nsimclr_tf.report.write": "tests/report writes reports of runs",
    "import safetensors.torch": "PyTorch is too large for a test requirement; "
    "tests/export/test_safetensors.py holds the file against torchvision's layout",
}
if not hasattr(keras.layers, "TFSMLayer"):
    NOT_RUN["from tensorflow import keras\n\nserved = keras."] = "Keras 2 has none"
# Commands that cannot run here, by how they begin; those of run.py are parsed instead.
NOT_STARTED = {
    "make ": "a target of the Makefile",
    "docker ": "needs a Docker daemon",
    "pip install ": "is what made the environment of the tests",
    "jupyter lab ": "opens a browser; the notebooks themselves run below",
    "gcloud ": "needs a network",
    "saved_model_cli ": "tests/export/test_serving.py runs it",
    "export TF_CONFIG=": "of a cluster, as the next lines",
    '  "task": ': "the second line of TF_CONFIG",
    "echo '{": "needs TensorFlow Serving; tests/export/test_serving.py sends it",
    '  [{"image_bytes"': "its second line",
    "  curl ": "its third line",
    "apt-get ": "needs a network",
    "python -m scripts.make_textures ": "tests/data/test_textures.py runs it",
    "python -m tools.sweep ": "tests/tools parses those of docs/ablations.md",
    "python scripts/launch_workers.py ": "tests/distribution starts workers",
}
TINY = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --train_batch_size=8 "
    "--train_steps=2 --checkpoint_steps=2 --warmup_epochs=0 --proj_out_dim=8 --seed=1 "
    "--evaluators=knn --nocompare_untrained"
).split()
# See tests/conftest.py; weights are imported where no group is empty.
RESNETS = {18: (False, (1, 0, 0, 1)), 34: (False, (1, 1, 1, 1))}
RANDOM = np.random.RandomState(0)
PHOTOS = RANDOM.randint(0, 256, [16, 18, 20, 3]).astype("uint8")
LABELS = np.arange(16) % 2


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder that holds what the commands and the code name."""
    desk = tmp_path_factory.mktemp("desk")
    pictures.write(
        desk / "photos" / label / f"{number}.png"
        for label in ("cats", "dogs")
        for number in range(12)
    )
    Image.fromarray(PHOTOS[0]).save(desk / "cat.jpg")
    np.save(desk / "images.npy", PHOTOS)
    export.save(networks()[0], desk / "runs/demo/saved_model/300", image_size=16)
    return desk


@pytest.fixture(autouse=True)
def at_the_desk(desk, monkeypatch):
    monkeypatch.chdir(desk)


def networks(depth=18):
    """A small encoder, a projection head and an augmentation."""
    return (
        tf_models.ResNet(depth=depth, width_multiplier=0.0625, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        simclr_tf.augmentation.SimCLRAugmentation(16, 0.5, blur=False, seed=0),
    )


def smaller(code):
    for text, instead in SMALLER.items():
        code = code.replace(text, instead)
    return code


def run_blocks(blocks, given="", then="True"):
    """Runs a page, or a notebook, as one program."""
    names = {"__name__": "page", **globals()}
    exec(textwrap.dedent(given), names)
    for block in blocks:
        code = compile(smaller(block), block, "exec")
        if not block.startswith(tuple(NOT_RUN)):
            exec(code, names)
    assert eval(then, names), then


@pytest.mark.parametrize("page", guides.pages())
def test_commands_are_understood(page):
    for line in guides.shell_lines(page):
        arguments = guides.flags_of(line)
        if arguments is None:
            assert line.startswith((*NOT_STARTED, "#!", "srun python run.py")), line
        elif "--help" not in arguments:
            parse(shlex.split(arguments))


def parse(arguments):
    """The config of a command, whose run is there where it has to be."""
    for flag in arguments:
        name, _, folder = flag.partition("=")
        if name in ("--model_dir", "--checkpoint") and folder.startswith("runs/"):
            os.makedirs(folder, exist_ok=True)
            if not os.path.exists(f"{folder}/flags.json"):
                with open(f"{folder}/flags.json", "w", encoding="utf-8") as file:
                    file.write('{"dataset": "bundled"}')
    return flags.parse(["run.py", *arguments], say=lambda line: None)[0]


def test_lists_of_what_cannot_run_are_not_longer_than_they_must_be():
    pages = guides.pages()
    lines = [line for page in pages for line in guides.shell_lines(page)]
    code = "".join(block for page in pages for block in guides.blocks(page, "python"))
    code += "".join("".join(cells(notebook)) for notebook in NOTEBOOKS)
    for start in NOT_STARTED:
        assert any(line.startswith(start) for line in lines), start
    for text in (*NOT_RUN, *SMALLER):
        assert text in code, text


@pytest.mark.parametrize("page", guides.pages())
def test_targets_modules_and_scripts_exist(page):
    text = "\n".join([*guides.spans(page), *guides.shell_lines(page)])
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert f"\n{target}:" in guides.text("Makefile"), target
    for module in re.findall(
        r"python -m ((?:benchmarks|examples|scripts)[\w.]*)", text
    ):
        path = os.path.join(guides.ROOT, module.replace(".", "/"))
        assert os.path.exists(f"{path}.py") or os.path.isdir(path), module
    for script in re.findall(r"python (scripts/\w+\.py)", text):
        assert os.path.exists(os.path.join(guides.ROOT, script)), script


@pytest.mark.parametrize("page", guides.pages())
def test_flags_in_the_text_exist(page):
    others = {"stop-timeout", "help"}  # of Docker, and of every command
    if page == "docs/ablations.md":
        others |= {"grid", "range", "sampler", "objective", "trials"}  # of tools.sweep
    for span in guides.spans(page):
        if span.startswith(("--", "python run.py")):
            for name in re.findall(r"--([a-z][\w-]*)", span):
                assert {name, name.removeprefix("no")} & {*FLAGS, *others}, span


@pytest.mark.parametrize("page", guides.pages())
def test_links_lead_somewhere(page):
    for path, anchor in guides.links(page):
        assert os.path.exists(os.path.join(guides.ROOT, path)), path
        assert not anchor or anchor in guides.anchors(path), f"{path}#{anchor}"


@pytest.mark.parametrize(
    "page", [page for page in guides.pages() if guides.blocks(page, "python")]
)
def test_code_runs(page, capsys):
    if page == "docs/own_images.md":
        follow(page)
    run_blocks(
        guides.blocks(page, "python"), GIVEN.get(page, ""), THEN.get(page, "True")
    )


def follow(page):
    """Runs the commands on the reader's own images, in a small network."""
    for folder in ("mine", "photos"):
        shutil.rmtree(f"runs/{folder}", ignore_errors=True)
    for line in guides.shell_lines(page):
        arguments = shlex.split(guides.flags_of(line))
        if "--model_dir=runs/photos" not in arguments:  # as that of runs/mine
            tiny = TINY if "--preset=demo" in arguments else []
            assert run.main(["run.py", *arguments, *tiny]) == 0, line


NOTEBOOKS = ["quick_start", "own_folder", "one_percent", "explore_embedding"]


def cells(notebook):
    """The code of a notebook."""
    content = json.loads(guides.text(f"docs/notebooks/{notebook}.ipynb"))
    return [
        "".join(cell["source"])
        for cell in content["cells"]
        if cell["cell_type"] == "code"
    ]


def test_notebooks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(simclr_tf.data, "load", few_images)
    for notebook in NOTEBOOKS:
        run_blocks(cells(notebook))
    out = capsys.readouterr().out
    for said in ("pre-trained", "SavedModel: ", "from scratch", "images "):
        assert said in out


def few_images(*args, load=simclr_tf.data.load, with_info=False, **kwargs):
    """`simclr_tf.data.load`, of which the first images are taken."""
    dataset, info = load(*args, with_info=True, **kwargs)
    dataset = dataset.take(200)
    return (dataset, info) if with_info else dataset


def test_dockerfile_runs_the_demo():
    lines = guides.text("Dockerfile").replace("\\\n", "").splitlines()
    assert 'ENTRYPOINT ["python", "run.py"]' in lines
    [command] = [line.removeprefix("CMD ") for line in lines if line[:3] == "CMD"]
    config = parse(json.loads(command))
    assert (config.mode, config.data.dataset) == ("train_then_eval", "bundled")
    for line in lines:
        if line.startswith("COPY"):
            source = line.split()[1]
            assert os.path.exists(os.path.join(guides.ROOT, source)), line
    [pattern, instead] = re.search(r"s/(\^.*?)/(.*?)/", "".join(lines)).groups()
    requirements = guides.text("requirements.txt").splitlines()
    changed = [line for line in requirements if re.search(pattern, line)]
    assert changed == ['tensorflow>=2.21,<2.22; python_version >= "3.12"']
    assert instead == "tensorflow[and-cuda]>="
