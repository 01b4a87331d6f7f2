"""Starts one command as several workers on this machine, to try them out.

    python scripts/launch_workers.py --workers=2 -- python run.py --mode=train ...

Every worker gets the environment variable TF_CONFIG that `tf.distribute` reads, and
`--distribution=auto` finds it. Real clusters set it themselves: see docs/.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading


def free_addresses(count):
    """`localhost:port` of ports that nobody listens at."""
    with contextlib.ExitStack() as sockets:
        found = [socket.create_server(("localhost", 0)) for _ in range(count)]
        for server in found:
            sockets.enter_context(server)
        return [f"localhost:{server.getsockname()[1]}" for server in found]


def tf_config(addresses, index):
    """What one of the workers at these addresses finds in TF_CONFIG."""
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def launch(command, addresses, index):
    """One worker of the cluster, as a process."""
    return subprocess.Popen(
        command,
        env={**os.environ, "TF_CONFIG": tf_config(addresses, index)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C reaches it once, by way of this process
    )


def relay(index, worker):
    """Prints what a worker prints, with its number before it."""
    for line in worker.stdout:
        print(f"[{index}] {line}", end="", flush=True)


def main():
    """Returns the first exit code that is not 0, or 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="how many")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command")
    arguments = parser.parse_args()
    command = arguments.command[arguments.command[:1] == ["--"] :]
    if not command or arguments.workers < 1:
        parser.error("give --workers >= 1, then -- and the command of a worker")
    addresses = free_addresses(arguments.workers)
    workers = [launch(command, addresses, i) for i in range(arguments.workers)]
    relays = [
        threading.Thread(target=relay, args=numbered) for numbered in enumerate(workers)
    ]
    for thread in relays:
        thread.start()

    def pass_on(number, frame):
        for worker in workers:
            worker.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    codes = [worker.wait() for worker in workers]
    for thread in relays:
        thread.join()
    return next((abs(code) for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
