"""Only one process at a time trains in a folder."""

import contextlib
import os
import socket

from simclr_tf.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_FILE = ".lock"


@contextlib.contextmanager
def locked(folder, say=print):
    """Keeps other processes from training in a folder.

    The lock belongs to the kernel and ends with the process, however that ends. Other
    hosts see it if the file system passes locks on (NFS 4, Lustre and GPFS with locks,
    but not most mounted buckets).

    Args:
        folder: Str, an existing folder.
        say: Callable that prints a line for the user if the folder cannot be locked.

    Raises:
        UserError: If another process trains there.
    """
    path = os.path.join(folder, _FILE)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "a+", encoding="utf-8"))
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise UserError(
                f"--model_dir={folder}: {holder} trains there. Wait for it or stop it, "
                "or give another folder."
            ) from None
        except OSError as error:
            say(
                f"{folder} cannot be locked ({error.strerror}): see to it that no "
                "other process trains there."
            )
        else:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
            file.flush()
        yield
