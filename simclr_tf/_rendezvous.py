"""Waits until every worker of a cluster has started.

TensorFlow waits for missing workers as well, but silently and for an hour.
"""

import contextlib
import socket
import time


def wait_for_all(addresses, mine, timeout):
    """Returns when every address answers, or after the timeout.

    Meanwhile this worker answers, so that the others find it. TensorFlow's server takes
    over its port afterwards.

    Args:
        addresses: List of str, `host:port` of every worker.
        mine: Str, the address among them of this worker.
        timeout: Float, seconds.

    Returns:
        List of str, the addresses that never answered.

    Raises:
        OSError: If this worker cannot listen on its own port.
    """
    missing = [address for address in addresses if address != mine]
    deadline = time.monotonic() + timeout
    port = _host_and_port(mine)[1]
    with socket.create_server(("", port), backlog=max(128, len(addresses))):
        while missing and time.monotonic() < deadline:
            missing = [address for address in missing if not answers(address, 1.0)]
            time.sleep(0.1 if missing else 0.0)
    return missing


def answers(address, timeout):
    """Whether something listens on `host:port`."""
    with contextlib.suppress(OSError):
        socket.create_connection(_host_and_port(address), timeout).close()
        return True
    return False


def _host_and_port(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
