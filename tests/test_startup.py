"""TensorFlow's greetings stay out of the command's output, errors do not."""

import os
import platform
import subprocess
import sys

import pytest

from simclr_tf import _startup

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GREETING = (
    b"E external/cuda_dnn.cc:9261] Unable to register cuDNN factory: twice\n"
    b"E external/stream_executor.h:177] SetPriority unimplemented for this stream.\n"
)
NEWS = b"E tensorflow/core/framework: out of memory\n"


def test_greetings_are_left_out_and_errors_kept_in_order(capfd):
    with _startup.without_greetings():
        os.write(2, b"first\n" + GREETING + NEWS)
    os.write(2, b"later\n")
    assert capfd.readouterr().err == f"first\n{NEWS.decode()}later\n"


def test_what_a_failed_import_said_is_told(capfd):
    with pytest.raises(ImportError), _startup.without_greetings():
        os.write(2, NEWS)
        raise ImportError
    os.write(2, b"later\n")
    assert capfd.readouterr().err == f"{NEWS.decode()}later\n"


def test_the_level_of_the_user_is_left_alone(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setattr(_startup, "without_greetings", None)  # would fail
    _startup.import_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


@pytest.mark.parametrize("wanted", [None, "0"])
def test_onednn_is_on_unless_the_user_says_no(wanted):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if wanted:
        environment["TF_ENABLE_ONEDNN_OPTS"] = wanted
    code = (
        "from simclr_tf import _startup; _startup.import_tensorflow();"
        "from tensorflow.python.util import _pywrap_util_port as port;"
        "print(port.IsMklEnabled())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    x86 = platform.machine() in ("x86_64", "AMD64")
    assert done.stdout.strip() == str(x86 and wanted is None), done.stderr


def test_the_command_prints_nothing_of_tensorflow_and_imports_nothing_in_vain():
    environment = {**os.environ, "PYTHONPATH": ROOT}
    environment.pop("TF_CPP_MIN_LOG_LEVEL")
    flags = ["--mode=train", "--dataset=./nowhere", "--model_dir=no/such/run"]
    code = (
        "import sys, run; code = run.main(sys.argv);"
        "print({'matplotlib', 'sklearn', 'jinja2'} & set(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "set()\n"), done.stderr
    assert done.stderr.startswith("run.py: --dataset=./nowhere")
    assert done.stderr.count("\n") == 1, done.stderr
