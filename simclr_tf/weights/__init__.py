"""Imports weights from elsewhere: published SimCLR models, and networks of PyTorch.

Each origin has a file with a table of its names. All of them return their weights under
the names of `layout`, and `architecture` infers the network from the shapes.
"""

from simclr_tf.weights.importing import Imported, import_checkpoint

__all__ = ["Imported", "import_checkpoint"]
