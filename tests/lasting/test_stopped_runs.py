"""Signals, and a second process on the folder of a run."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from simclr_tf.experiment import checkpoint_files, locking, preparing
from tests.lasting.runs import FOUR, ROOT, after_step, assert_same, copy_of, variables


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_step_and_the_command_goes_on(
    start, tmp_path, monkeypatch, whole, number
):
    # Shells ignore SIGINT for what they start in the background, and so do we.
    before = signal.signal(number, signal.default_int_handler)
    with monkeypatch.context() as patch:
        after_step(patch, 2, lambda: os.kill(os.getpid(), number))
        code, out, err = start("--train_steps=4", "--checkpoint_steps=4")
    assert signal.signal(number, before) is signal.default_int_handler
    assert code == 128 + number
    assert err == ""  # the handler writes to the file itself, below Python
    assert re.search(r"Stopped, and saved to .*ckpt-2: the same command", out)
    assert checkpoint_files.steps(tmp_path / "run") == [2]
    code, out, _ = start("--train_steps=4", "--checkpoint_steps=4")
    assert code == 0 and "steps      2 to 4" in out
    assert_same(variables(tmp_path / "run", 4), variables(whole, 4))


def test_a_signal_in_the_midst_of_a_save_lets_it_end(start, tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(source, target):
        if str(target).endswith("ckpt-2.data-00000-of-00001"):
            os.kill(os.getpid(), signal.SIGTERM)
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    code, out, _ = start(*FOUR)
    assert code == 143 and "saved to" in out
    # It came after the question of step 2, and step 3 was begun.
    assert checkpoint_files.steps(tmp_path / "run") == [1, 2, 3]


def test_a_signal_outside_of_training_ends_at_once(start, monkeypatch):
    def interrupted(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(preparing, "prepare", interrupted)
    code, out, _ = start("--train_steps=4")
    assert code == 143 and "resumes" in out


def test_a_second_signal_ends_the_process():
    program = (
        "import os, signal, time\n"
        "from simclr_tf import stopping\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with stopping.deferred() as received:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print(received.number, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGTERM and done.stdout == "2\n"
    assert done.stderr == "SIGINT: saving after this step. A second ends now.\n"


def test_a_second_process_on_the_folder_is_refused(start, tmp_path, whole):
    folder = copy_of(whole, tmp_path / "run", 1)
    with locking.locked(str(folder)):
        code, _, err = start(*FOUR)
        assert code == 2 and err.count("\n") == 1
        assert f"process {os.getpid()} on {socket.gethostname()} trains there" in err
        assert start("--mode=eval")[0] == 0  # to read is no harm
    assert checkpoint_files.steps(folder) == [1]
    program = (
        "import os, signal, sys\n"
        "from simclr_tf.experiment import locking\n"
        "with locking.locked(sys.argv[1]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, folder], cwd=ROOT, check=False)
    assert start(*FOUR)[0] == 0  # a dead process holds no lock


def test_a_folder_that_cannot_be_locked_is_said(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locking.fcntl, "flock", unsupported)
    said = []
    with locking.locked(str(tmp_path), said.append):
        pass
    assert len(said) == 1 and "cannot be locked (Operation not supported)" in said[0]
