"""Weights of others: published SimCLR models, and networks of PyTorch.

One file an origin, each a table of its names; all tell what they found by the names of
`layout`, from whose shapes `architecture` knows the network.
"""

from simclr_tf.weights.importing import Imported, import_checkpoint

__all__ = ["Imported", "import_checkpoint"]
