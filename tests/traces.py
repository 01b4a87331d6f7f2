"""Graphs in tests do not know which line of Python made each of their operations.

TensorFlow walks through the stack for each of them, to name the line when one fails.
With the deep stacks of tests this is an eighth of their time, and nothing reads it.
"""

from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.util import tf_stack


def forget_lines():
    """Does it for the rest of the process. TensorFlow expects operations without."""
    tf_stack.extract_stack = lambda stacklevel=1: None
    pywrap_tf_session.TF_SetOpStackTrace = lambda operation, stack: None
