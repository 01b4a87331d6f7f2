"""The one place that picks a `tf.distribute` strategy."""

import contextlib
import json
import os
import queue
import shutil
import threading

import tensorflow as tf

from simclr_tf import _rendezvous
from simclr_tf.data.share import Share
from simclr_tf.errors import UserError, WorkerLostError

KINDS = ("auto", "none", "mirrored", "multi_worker", "tpu")


def make_strategy(
    distribution="auto",
    num_cpu_replicas=0,
    tpu_name=None,
    tpu_zone=None,
    gcp_project=None,
    master=None,
    timeout=40.0,
):
    """The strategy to train under; call it before anything else in TensorFlow.

    Args:
        distribution: "none": one device. "mirrored": every visible GPU, or
            `num_cpu_replicas` shares of the CPU. "multi_worker": this process and the
            others that the environment variable TF_CONFIG or Slurm names. "tpu": a
            Cloud TPU. "auto": a TPU if one is named, else several workers, several GPUs
            or CPU replicas if there are any, else one device.
        num_cpu_replicas: Int, replicas on the CPU for "mirrored"; 0 means GPUs.
        tpu_name: Str or None, name of a Cloud TPU, or "local" on a TPU virtual machine.
        tpu_zone: Str or None, its zone.
        gcp_project: Str or None, its project.
        master: Str or None, address `grpc://host:port` of a TPU without a name.
        timeout: Float, seconds to wait for workers or a TPU.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        UserError: If the devices are not available in time, or TF_CONFIG is wrong.

    Example:
        >>> make_strategy("none").num_replicas_in_sync
        1
    """
    if distribution not in KINDS:
        raise UserError(
            f"--distribution must be one of {', '.join(KINDS)}, got {distribution}."
        )
    _tf_config()  # TensorFlow reads it for several replicas as well
    if distribution == "auto":
        distribution = _found(num_cpu_replicas, tpu_name or master)
    if distribution == "tpu":
        return _tpu(tpu_name, tpu_zone, gcp_project, master, timeout)
    if distribution == "multi_worker":
        return _multi_worker(timeout)
    if distribution == "mirrored":
        return _mirrored(num_cpu_replicas)
    return tf.distribute.get_strategy()


def describe(strategy):
    """A strategy in words: "1 CPU", "4 replicas on GPU", "2 workers, ..."."""
    try:
        device = strategy.extended.worker_devices[0]
    except RuntimeError:  # TensorFlow's default strategy does not say
        device = tf.zeros([]).device
    # Such as "/job:localhost/replica:0/task:0/device:CPU:1".
    kind = device.rsplit("/", 1)[-1].split(":")[1]
    replicas, workers = strategy.num_replicas_in_sync, num_workers(strategy)
    text = f"1 {kind}" if replicas == 1 else f"{replicas} replicas on {kind}"
    return f"{workers} workers, {text}" if workers > 1 else text


def num_workers(strategy):
    """Int, the number of processes that train together."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return len(_tasks(resolver.cluster_spec()))


def is_chief(strategy):
    """Whether this process is the one that prints and writes."""
    resolver = strategy.cluster_resolver
    if num_workers(strategy) == 1:
        return True
    return _tasks(resolver.cluster_spec())[0] == (resolver.task_type, resolver.task_id)


def share(strategy):
    """The `Share` of each global batch that this process feeds."""
    workers, total = num_workers(strategy), strategy.num_replicas_in_sync
    count = total // workers
    if workers == 1:
        return Share(0, count, total)
    resolver = strategy.cluster_resolver
    worker = _tasks(resolver.cluster_spec()).index(
        (resolver.task_type, resolver.task_id)
    )
    return Share(worker * count, count, total)


def distribute(strategy, make_batches, endless=False):
    """Batches for `model.fit` under a strategy.

    Args:
        strategy: `tf.distribute.Strategy`.
        make_batches: Callable from a `Share` to a `tf.data.Dataset` of batches for its
            replicas in turn, such as `data.train_batches`.
        endless: Bool, whether to repeat the data, for a `fit` that counts its steps.
            With several workers, TensorFlow only keeps the batch size in the graph,
            which `micro_batch_size` needs, if the data set has no end.

    Returns:
        `tf.data.Dataset`, or a distributed one if there are several replicas.
    """
    if strategy.num_replicas_in_sync == 1:
        return make_batches(Share())

    def of_pipeline(context):
        total = context.num_replicas_in_sync
        count = total // context.num_input_pipelines
        share = Share(context.input_pipeline_id * count, count, total)
        batches = make_batches(share)
        return batches.repeat() if endless else batches

    return strategy.distribute_datasets_from_function(of_pipeline)


def from_all(strategy, value):
    """Gathers an int, or a list of ints, from every process, the chief's first.

    All processes must call it, so it is a barrier as well.
    """
    if num_workers(strategy) == 1:
        return [value]
    values = strategy.run(_gathered, args=(tf.constant(value, tf.int64),))
    values = strategy.experimental_local_results(values)[0].numpy().tolist()
    return values[:: len(values) // num_workers(strategy)]


def part(strategy):
    """Waits until no other process needs this one any more; call it last.

    A process that has its results of a gathering may leave before another has fetched
    them. A process that is done with this call knows that all others have begun it, so
    they have everything from before.
    """
    with contextlib.suppress(tf.errors.OpError):  # of those who are gone by now
        from_all(strategy, 0)


@tf.function
def _gathered(value):
    context = tf.distribute.get_replica_context()
    return context.all_gather(value[tf.newaxis], axis=0)


@contextlib.contextmanager
def naming_lost_workers(strategy):
    """Turns TensorFlow's errors about a stopped worker into one line.

    Raises:
        WorkerLostError: If a worker no longer answers.
    """
    try:
        yield
    except (tf.errors.OpError, StopIteration) as error:
        lost = isinstance(
            error,
            (
                tf.errors.AbortedError,
                tf.errors.CancelledError,
                tf.errors.DeadlineExceededError,
                tf.errors.UnavailableError,
            ),
        )
        if num_workers(strategy) == 1 or not (lost or "ollective" in str(error)):
            raise
        raise WorkerLostError(
            "Another worker has stopped, so this one ends too; see the other's output "
            "for the reason. The same command, started for all workers, goes on from "
            "the last checkpoint."
        ) from error


def _found(num_cpu_replicas, tpu):
    """What "auto" means here."""
    if tpu:
        return "tpu"
    if len(_tasks(_tf_config().get("cluster", {}))) > 1 or _slurm_tasks() > 1:
        return "multi_worker"
    if num_cpu_replicas > 1 or len(tf.config.list_physical_devices("GPU")) > 1:
        return "mirrored"
    return "none"


def _mirrored(num_cpu_replicas):
    if not num_cpu_replicas:
        return tf.distribute.MirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    shares = [tf.config.LogicalDeviceConfiguration()] * num_cpu_replicas
    try:
        tf.config.set_logical_device_configuration(cpu, shares)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) < num_cpu_replicas:
            raise UserError(
                f"--num_cpu_replicas={num_cpu_replicas}: TensorFlow has begun with "
                "other devices in this process. Make the strategy first."
            ) from error
    return tf.distribute.MirroredStrategy(
        [f"CPU:{number}" for number in range(num_cpu_replicas)]
    )


def _multi_worker(timeout):
    if _tf_config():
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    elif _slurm_tasks():
        resolver = _slurm_resolver()
    else:
        raise UserError(
            "--distribution=multi_worker needs the environment variable TF_CONFIG, or "
            "a start by Slurm's srun; neither is there."
        )
    cluster = resolver.cluster_spec()
    source = "TF_CONFIG" if _tf_config() else "Slurm"
    mine = cluster.task_address(resolver.task_type, resolver.task_id)
    addresses = [cluster.task_address(*task) for task in _tasks(cluster)]
    try:
        missing = _rendezvous.wait_for_all(addresses, mine, timeout)
    except OSError as error:
        raise UserError(
            f"{source}: this worker's address {mine} cannot be used: {error.strerror}."
        ) from error
    if missing:
        raise UserError(
            f"{source}: no answer from {', '.join(missing)} within {timeout:g} s. "
            "Every worker must be started, each with its own task index."
        )
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)


def _tpu(name, zone, project, master, timeout):
    asked = f"--tpu_name={name}" if name else f"--master={master}"

    def connected():
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(
            tpu=name or master, zone=zone, project=project
        )
        address = (resolver.master() or "").removeprefix("grpc://")
        if address and not _rendezvous.answers(address, timeout / 2):
            raise OSError(f"nothing answers at {address}")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return resolver

    try:
        resolver = _within(timeout, connected)
    # What can go wrong comes from urllib, the Google API client and TensorFlow alike.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{asked}: no TPU there ({reason}). Allowed: the name of a running Cloud "
            "TPU with its --tpu_zone and --gcp_project, local on a TPU virtual "
            "machine, or an address grpc://host:port."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _within(seconds, function):
    """`function()`, or `TimeoutError`; then the call goes on in its thread."""
    results = queue.Queue()

    def call():
        try:
            results.put((function(), None))
        except Exception as error:
            results.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return result


def _tf_config():
    """The checked content of TF_CONFIG; empty if it is not set or names no cluster.

    If it is blank, it is removed from the environment, because TensorFlow cannot read
    it.

    Raises:
        UserError: If `tf.distribute` could not read it.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text.strip():
        os.environ.pop("TF_CONFIG", None)
        return {}
    allowed = (
        'Allowed: {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
        '"worker", "index": 0}}.'
    )
    try:
        config = json.loads(text)
        task = config.get("task", {})
        cluster = config["cluster"] if config else {}
        if cluster:
            index, addresses = int(task["index"]), cluster[task["type"]]
            if not 0 <= index < len(addresses):
                raise ValueError(
                    f"task index {index}, but {len(addresses)} of type {task['type']}"
                )
            int(addresses[index].rpartition(":")[2])
    except KeyError as error:
        raise UserError(f"TF_CONFIG is wrong: no {error} in it. {allowed}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"TF_CONFIG is wrong: {error}. {allowed}") from error
    if not set(cluster) <= {"chief", "worker"}:
        raise UserError(
            f"TF_CONFIG must name only chief and worker, got {', '.join(cluster)}. "
            + allowed
        )
    return config if cluster else {}


def _slurm_tasks():
    """Number of tasks in this process's Slurm step; 0 outside of `srun`."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 0))


def _slurm_resolver():
    """The workers of the Slurm step, each with its share of its node's GPUs."""
    options = {}
    if shutil.which("nvidia-smi") is None:
        # The resolver asks it for GPUs; without any it finds no task either.
        options = {
            "gpus_per_node": _slurm_tasks(),
            "gpus_per_task": 1,
            "auto_set_gpu": False,
        }
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(**options)
        resolver.cluster_spec()  # which finds out which task this is
    except (IndexError, RuntimeError, ValueError) as error:
        raise UserError(
            "Slurm's environment variables do not tell the workers "
            f"({str(error) or type(error).__name__}). Start every worker by one srun, "
            "with at least one GPU for each, or none."
        ) from error
    return resolver


def _tasks(cluster):
    """`[(type, index)]` of a cluster's processes, the chief first."""
    sizes = {
        job: len(tasks)
        for job, tasks in tf.train.ClusterSpec(cluster).as_dict().items()
    }
    return [(job, index) for job in sorted(sizes) for index in range(sizes[job])]
