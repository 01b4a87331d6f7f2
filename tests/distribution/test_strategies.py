"""Which strategy is chosen, and what is refused before anything starts."""

import json
import socket
import threading
import types

import pytest
import tensorflow as tf

import simclr_tf
import tf_models
from simclr_tf import _rendezvous, distribution, keras_compat, losses, optimizers
from simclr_tf.errors import UserError, WorkerLostError
from tf_models import convolution


def cluster(workers, index=0, task="worker"):
    config = {"cluster": workers, "task": {"type": task, "index": index}}
    return json.dumps(config)


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)


@pytest.fixture
def chosen(monkeypatch):
    """Replaces the making of strategies by a note of which was asked for."""
    for name in ("_tpu", "_multi_worker", "_mirrored"):
        monkeypatch.setattr(distribution, name, lambda *_, name=name: name[1:])
    return lambda *args, **kwargs: distribution.make_strategy(*args, **kwargs)


def test_auto_takes_the_first_that_is_there(chosen, monkeypatch):
    assert chosen("auto") is tf.distribute.get_strategy()
    assert chosen("auto", num_cpu_replicas=2) == "mirrored"
    gpus = [types.SimpleNamespace(name=f"GPU:{i}") for i in range(2)]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    assert chosen("auto") == "mirrored"
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus[:1])
    assert chosen("auto") is tf.distribute.get_strategy()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "3")
    assert chosen("auto") == "multi_worker"
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert chosen("auto") is tf.distribute.get_strategy()
    monkeypatch.setenv("TF_CONFIG", cluster({"worker": ["a:1", "b:1"]}))
    assert chosen("auto") == "multi_worker"
    assert chosen("auto", tpu_name="t") == chosen("auto", master="grpc://m") == "tpu"


@pytest.mark.parametrize("kind", ["tpu", "multi_worker", "mirrored"])
def test_what_is_asked_for_is_taken(chosen, kind):
    assert chosen(kind) == kind


def test_one_device_is_named():
    strategy = distribution.make_strategy("none")
    assert distribution.describe(strategy) == "1 CPU"
    assert distribution.is_chief(strategy)
    assert distribution.share(strategy) == simclr_tf.data.Share(0, 1, 1)
    assert distribution.from_all(strategy, 7) == [7]


def refused(*words, **arguments):
    with pytest.raises(UserError) as error:
        distribution.make_strategy(**arguments)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_unknown_kind():
    refused("one of auto, none, mirrored, multi_worker, tpu, got x", distribution="x")


@pytest.mark.parametrize("kind", ["none", "mirrored", "multi_worker"])
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "Expecting"),
        ("[]", "'list'"),
        ('{"task": {"type": "worker", "index": 0}}', "no 'cluster' in it"),
        (cluster({"worker": ["a:1"]}, index=1), "task index 1, but 1 of type worker"),
        (cluster({"worker": ["a:1"]}, index=-1), "task index -1"),
        (cluster({"worker": ["a:1"]}, task="boss"), "no 'boss' in it"),
        (cluster({"worker": ["a"]}), "invalid literal"),
        (json.dumps({"cluster": {"worker": ["a:1"]}}), "no 'index' in it"),
        (cluster({"worker": ["a:1"], "ps": ["b:1"]}), "only chief and worker"),
    ],
)
def test_wrong_tf_config(monkeypatch, text, word, kind):
    monkeypatch.setenv("TF_CONFIG", text)
    refused("TF_CONFIG", word, 'Allowed: {"cluster"', distribution=kind)


@pytest.mark.parametrize("text", ["", " "])
def test_a_blank_tf_config_is_none(chosen, monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    assert chosen("auto") is tf.distribute.get_strategy()
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    assert resolver.cluster_spec().as_dict() == {}


def test_several_workers_need_to_be_named():
    refused("needs the environment variable TF_CONFIG", distribution="multi_worker")


def free_port():
    with socket.create_server(("localhost", 0)) as server:
        return server.getsockname()[1]


def test_a_missing_worker_is_named(monkeypatch):
    mine, missing = f"localhost:{free_port()}", f"localhost:{free_port()}"
    monkeypatch.setenv("TF_CONFIG", cluster({"worker": [mine, missing]}))
    refused(
        f"no answer from {missing} within 1 s", distribution="multi_worker", timeout=1.0
    )


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.create_server(("", 0)) as server:
        mine = f"localhost:{server.getsockname()[1]}"
        monkeypatch.setenv("TF_CONFIG", cluster({"worker": [mine, "localhost:1"]}))
        refused(f"address {mine} cannot be used", distribution="multi_worker")


def test_workers_that_start_one_after_the_other_find_each_other():
    addresses = [f"localhost:{free_port()}" for _ in range(3)]
    missing, everyone_is_there = {}, threading.Event()

    def wait(mine):
        missing[mine] = _rendezvous.wait_for_all(addresses, mine, timeout=20.0)
        # As TensorFlow's server does: a late worker may not have looked here yet.
        with socket.create_server(("", int(mine.split(":")[1]))):
            everyone_is_there.wait(20)

    threads = [threading.Thread(target=wait, args=[mine]) for mine in addresses]
    for number, thread in enumerate(threads):
        thread.start()
        threading.Event().wait(0.3 * number)
    while len(missing) < 3:
        threading.Event().wait(0.05)
    everyone_is_there.set()
    assert set(missing) == set(addresses)
    assert not any(missing.values())


@pytest.mark.parametrize(
    "error", [tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.OpError]
)
def test_a_lost_worker_is_told_from_other_failures(monkeypatch, error):
    text = "Collective ops is aborted" if error is tf.errors.OpError else "gone"
    args = (None, None, text, 13) if error is tf.errors.OpError else (None, None, text)
    monkeypatch.setattr(distribution, "num_workers", lambda strategy: 2)
    with (
        pytest.raises(WorkerLostError, match="Another worker has stopped"),
        distribution.naming_lost_workers(None),
    ):
        raise error(*args)
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        distribution.naming_lost_workers(None),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "a broken image")


def in_slurm(monkeypatch, rank, **changes):
    values = {
        "SLURM_PROCID": str(rank),
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "node[1-2]",
        "SLURM_STEP_TASKS_PER_NODE": "2,1",
    }
    for name, value in (values | changes).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("shutil.which", lambda name: None)  # no GPUs


@pytest.mark.parametrize("rank", [0, 2])
def test_slurm_names_the_workers_of_nodes_without_gpus(monkeypatch, rank):
    in_slurm(monkeypatch, rank)
    asked = []

    def wait_for_all(addresses, mine, timeout):
        asked.append((addresses, mine))
        return ["node1:8888"]

    monkeypatch.setattr(_rendezvous, "wait_for_all", wait_for_all)
    refused("Slurm: no answer from node1:8888", distribution="auto")
    workers = ["node1:8888", "node1:8889", "node2:8888"]
    assert asked == [(workers, workers[rank])]


def test_slurm_variables_that_do_not_fit_are_one_line(monkeypatch):
    in_slurm(monkeypatch, 0, SLURM_STEP_NUM_TASKS="4")
    refused("Slurm's environment variables", "4 tasks but only 3", distribution="auto")


class FakeTPUs:
    """Stands for TensorFlow's way to a TPU, and notes what was called."""

    def __init__(self, monkeypatch, address="grpc://localhost:1", fails=None):
        self.calls = []
        self.fails = fails
        self.address = address
        resolvers = tf.distribute.cluster_resolver
        monkeypatch.setattr(resolvers, "TPUClusterResolver", self.resolver)
        monkeypatch.setattr(tf.config, "experimental_connect_to_cluster", self.connect)
        monkeypatch.setattr(
            tf.tpu.experimental, "initialize_tpu_system", self.initialize
        )
        monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: "strategy")
        monkeypatch.setattr(_rendezvous, "answers", lambda *args: fails is None)

    def resolver(self, tpu, zone, project):
        self.calls.append((tpu, zone, project))
        if self.fails:
            raise self.fails
        return self

    def master(self):
        return self.address

    def connect(self, resolver):
        self.calls.append("connect")

    def initialize(self, resolver):
        self.calls.append("initialize")


def test_a_tpu_is_resolved_connected_and_initialised(monkeypatch):
    fake = FakeTPUs(monkeypatch)
    strategy = distribution.make_strategy(
        "tpu", tpu_name="pod", tpu_zone="zone", gcp_project="project"
    )
    assert strategy == "strategy"
    assert fake.calls == [("pod", "zone", "project"), "connect", "initialize"]
    fake = FakeTPUs(monkeypatch, address="")  # as on a TPU virtual machine
    assert distribution.make_strategy("tpu", tpu_name="local") == "strategy"


def test_a_tpu_that_is_not_there_is_named(monkeypatch):
    FakeTPUs(monkeypatch, fails=ValueError("not found\nand more"))
    refused("--tpu_name=pod: no TPU there (not found)", "grpc://", tpu_name="pod")
    FakeTPUs(monkeypatch)
    monkeypatch.setattr(_rendezvous, "answers", lambda *args: False)
    refused("--master=grpc://h:1", "nothing answers", master="grpc://h:1")


def test_a_tpu_that_never_answers_is_given_up(monkeypatch):
    never = threading.Event()
    fake = FakeTPUs(monkeypatch)
    monkeypatch.setattr(
        tf.tpu.experimental, "initialize_tpu_system", lambda r: never.wait(20)
    )
    refused("no answer within 0.5 s", distribution="tpu", tpu_name="pod", timeout=0.5)
    never.set()
    assert "connect" in fake.calls


def test_the_step_has_static_shapes_as_tpus_need(monkeypatch):
    # Views come with the data, as the command's do. XLA compiles such a step.
    used = type(tf.distribute.get_strategy())
    monkeypatch.setattr(tf.distribute, "TPUStrategy", used)  # it checks no values
    monkeypatch.setattr(convolution, "is_faster", lambda images: False)  # as there
    model = simclr_tf.SimCLR(
        tf_models.ResNet(18, 0.0625, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        num_classes=3,
    )
    model.compile(optimizers.LARS(0.1), losses.NTXent(0.5))
    keras_compat.build_optimizer_state(model.optimizer, model.trainable_variables)
    views = tf.TensorSpec([8, 16, 16, 3])
    labels = tf.TensorSpec([8], tf.int64)
    step = tf.function(model.train_step).get_concrete_function(((views, views), labels))
    operations = step.graph.get_operations()
    assert len(operations) > 1000
    assert not {"While", "StatelessWhile", "If"} & {o.type for o in operations}
    for operation in operations:
        for output in operation.outputs:
            if output.dtype not in (tf.resource, tf.variant):
                assert output.shape.is_fully_defined() or is_room(output), operation


def is_room(tensor):
    """Whether a tensor is what fused batch norm keeps for its own gradient."""
    operation = tensor.op
    if operation.type == "ZerosLike":
        return is_room(operation.inputs[0])
    return operation.type == "FusedBatchNormV3" and tensor.value_index == 5
