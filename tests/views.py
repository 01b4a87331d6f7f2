"""Views of images in tests: the pipelines change whole batches, and compile nothing.

To compile takes longer than it saves in batches as few and small as those of tests. The
environment variable COMPILED_VIEWS compiles them in all tests, as for our users.
"""

import os

from simclr_tf.augmentation import _each

has_compiler = _each.has_compiler


def compile_nothing():
    """Does it for the rest of the process."""
    if "COMPILED_VIEWS" not in os.environ:
        _each.has_compiler = lambda: False
