"""What the processor can do, as far as tests depend on it."""

import os

from simclr_tf import processor


def bfloat16_works():
    """Whether TensorFlow computes in bfloat16, and does not abort.

    It looks at the processor alone to decide whether oneDNN does; where the variable
    ONEDNN_MAX_CPU_ISA keeps oneDNN to less than that, the process ends.
    """
    if "ONEDNN_MAX_CPU_ISA" not in os.environ:
        return True
    return "avx512f" not in processor.instructions()
