"""Programs that tests start, in processes that need not import TensorFlow again.

They are forked from a server that has imported it and never uses it: as good as new
processes, three seconds earlier. What has to hold in a process that imports for itself
is started with `subprocess` instead.
"""

import gc
import multiprocessing
import os
import runpy
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tensorflow", "keras"])


class Program:
    """`python path *arguments`, in the root of the repository, as it runs.

    Args:
        path: Str, the file, relative to the root.
        *arguments: What it is given.
        **environment: Variables that it has beside those of this process.
    """

    def __init__(self, path, *arguments, **environment):
        self._output = tempfile.NamedTemporaryFile("r", errors="replace")
        argv = [path, *map(str, arguments)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
        self.process = _SERVER.Process(
            target=_become, args=(argv, environment, self._output.name), daemon=True
        )
        self.process.start()

    def wait(self, timeout=600):
        """Its exit code, and all that it printed; it is killed when it takes longer."""
        self.process.join(timeout)
        self.process.kill()
        self.process.join()
        with self._output as file:
            return self.process.exitcode, file.read()


def run(path, *arguments, **environment):
    """Runs a program to its end; returns what it printed.

    Raises:
        AssertionError: If its exit code is not 0, with what it printed.
    """
    code, output = Program(path, *arguments, **environment).wait()
    assert code == 0, output
    return output


def _become(argv, environment, output):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = argv
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # as in tests/conftest.py
    from tests import traces, views

    traces.forget_lines()
    views.compile_nothing()
    runpy.run_path(argv[0], run_name="__main__")
