"""What every test starts from: one random state, float32, one thread a process."""

import contextlib
import functools
import gc
import itertools
import os

import pytest

# Of the programs that tests start, too. Two processes share the machine's processors:
# more threads in each would only wait for one another.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# To trace is to make millions of small objects. Of the test processes that follow, on
# Linux: without the lists of freed ones, which are merged again and again, in 6% less.
os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.mxfast=0")

# Every trace of a step is many objects that live long: look for garbage less often.
gc.set_threshold(20_000, 20, 20)
_files = itertools.count()  # whose tests are done

# The two processes take one file after the other: with these last, one would wait.
_LONGEST = (
    "distribution/test_same_training",
    "distribution/test_command",
    "training/test_simclr",
    "test_run",
    "lasting/test_folder_names",
    "lasting/test_stopped_runs",
    "lasting/test_failing_writes",
    "test_finetune",
    "test_eval_and_embed",
    "test_docs",
    "evaluation/test_callback",
)


def pytest_collection_modifyitems(items):
    """Puts the files that take longest first."""

    def place(item):
        file = item.nodeid.split(".py")[0].removeprefix("tests/")
        return _LONGEST.index(file) if file in _LONGEST else len(_LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def new_convolution():
    """Callable that makes the function which all networks share where oneDNN is off."""
    import tensorflow as tf

    from tf_models import convolution

    function = convolution._convolution.python_function
    return functools.partial(tf.function, function, autograph=False)


@pytest.fixture(autouse=True)
def graphs_are_forgotten(new_convolution):
    """TensorFlow keeps each graph with a gradient of one's own: 100 MB a training."""
    from tensorflow.python.framework import ops

    from tf_models import convolution

    yield
    registered = ops.gradient_registry._registry
    for name in [name for name in registered if name.startswith("CustomGradient-")]:
        del registered[name]
    convolution._convolution = new_convolution()  # its graphs had such gradients


@pytest.fixture(scope="module", autouse=True)
def data_sets_are_forgotten():
    """TensorFlow keeps what functions a data set scans by in a graph that none uses."""
    import tensorflow as tf

    yield
    tf.compat.v1.reset_default_graph()
    if next(_files) % 4 == 0:
        gc.collect()
        gc.freeze()  # what is left stays: no need to look at it again


@pytest.fixture(scope="session", autouse=True)
def graphs_as_they_are():
    """Small graphs that run a few times: to rewrite them takes longer than it saves.

    The programs that tests start do rewrite them, as those of our users do.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    gc.freeze()  # what was imported stays


@pytest.fixture(scope="session", autouse=True)
def quick_graphs():
    """In the programs that tests start, too: see `tests/programs.py`."""
    from tests import traces, views

    traces.forget_lines()
    views.compile_nothing()


@pytest.fixture
def compiled_views(monkeypatch):
    """Pipelines compile what they do to images, as for our users."""
    from simclr_tf.augmentation import _each
    from tests import views

    monkeypatch.setattr(_each, "has_compiler", views.has_compiler)


@pytest.fixture(scope="module", autouse=True)
def exports(request):
    """Most tests of runs export as well: to read that back and compare it, as users
    have it, takes a second each time, and is for files that say `EXPORTS_COMPARED`."""
    from simclr_tf.export import _format

    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "EXPORTS_COMPARED", False):
            same = _format.Comparison(difference=0.0, cosine=1.0)
            patch.setattr(_format, "compare", lambda *_: same)
        yield


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch):
    from tensorflow import keras

    from tests import processor

    set_policy = keras.mixed_precision.set_global_policy

    def set_or_skip(policy):
        if "bfloat16" in str(policy) and not processor.bfloat16_works():
            pytest.skip("TensorFlow would abort: see tests/processor.py.")
        set_policy(policy)

    monkeypatch.setattr(keras.mixed_precision, "set_global_policy", set_or_skip)
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy("float32")
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def photos():
    """Sixteen 12 x 14 uint8 pictures: class 0 is reddish, class 1 bluish."""
    import numpy as np

    random = np.random.RandomState(0)
    labels = np.arange(16) % 2
    images = random.randint(0, 100, (16, 12, 14, 3))
    images[labels == 0, ..., 0] += 150
    images[labels == 1, ..., 2] += 150
    return images.astype("uint8"), labels.astype("int64")


@pytest.fixture
def killed_after_a_save():
    """Context manager in which a command ends when it has saved its run once."""
    from simclr_tf.experiment import saving

    save = saving.Keeper.save

    def save_and_die(self, step, figures):
        save(self, step, figures)
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def killing():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(saving.Keeper, "save", save_and_die)
            yield

    return killing


@pytest.fixture
def smooth(monkeypatch):
    """Networks without kinks, see `tests/networks.py`."""
    import tensorflow as tf

    monkeypatch.setattr(tf.nn, "relu", tf.nn.elu)


@pytest.fixture(scope="module", autouse=True)
def shallow(request):
    """ResNets of two groups, or those that the file names, where depth is no matter."""
    from tests import networks
    from tf_models import resnet

    resnets = getattr(request.module, "RESNETS", networks.SHALLOW)
    with pytest.MonkeyPatch.context() as patch:
        for depth, blocks in resnets.items():
            patch.setitem(resnet._BLOCKS, depth, blocks)
        yield
