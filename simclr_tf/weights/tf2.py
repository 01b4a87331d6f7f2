"""Checkpoints and SavedModels of the published SimCLR code for TensorFlow 2.

Both hold the graph of the code's objects, and variables are found along its edges. The
keys of variables would not do: a SavedModel has other, shorter ones than a checkpoint.

| theirs, in the node that has `resnet_model` | ours |
|---|---|
| `resnet_model/initial_conv_relu_max_pool/N` | `encoder/stem_N` |
| `resnet_model/block_groups/G/layers/B` | `encoder/groupG_blockB` |
| `.../shortcut_layers` or `projection_layers` | `.../shortcut/projection` |
| `.../conv2d_bn_layers` or `conv_relu_dropblock_layers` | `first`, `middle`, `last` |
| `.../se_layer`, or the last of these | `.../gate` |
| `_projection_head/linear_layers/N` | `projection_head/N` |
| `supervised_head/linear_layer` | `linear_head` |

Lists also hold layers without variables, such as paddings. Only layers with a
convolution or a batch norm count, in order.
"""

import dataclasses

from simclr_tf.errors import UserError
from simclr_tf.weights.found import Found
from simclr_tf.weights.layout import NORM

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# In one of their layers: a convolution, a batch norm, or selective kernels.
_PARTS = {
    "conv2d": "",
    "bn": "",
    "conv2d_fixed_padding/conv2d": "/branches",
    "batch_norm_relu/bn": "/branches",
    "conv2d_0": "/squeeze",
    "batch_norm_relu_1/bn": "/squeeze",
    "conv2d_1": "/mixture",
}


@dataclasses.dataclass(frozen=True)
class _Node:
    """An object of the graph."""

    graph: list
    number: int

    def child(self, *names):
        """The object at the end of a path; of several paths, the first that exists."""
        for name in names:
            node = self
            for part in name.split("/"):
                node = node and node.children().get(part)
            if node is not None:
                return node
        return None

    def children(self):
        """Dict from names of edges to nodes."""
        edges = self.graph[self.number].children
        return {edge.local_name: _Node(self.graph, edge.node_id) for edge in edges}

    def items(self):
        """The nodes of a list, in order."""
        numbered = {n: node for n, node in self.children().items() if n.isdecimal()}
        return [numbered[name] for name in sorted(numbered, key=int)]

    def key(self):
        """The key of this variable; None if it is not a variable."""
        attributes = self.graph[self.number].attributes
        return next((a.checkpoint_key for a in attributes), None)

    def keys(self):
        """The keys of all variables that can be reached from here."""
        seen, waiting, keys = set(), [self], set()
        while waiting:
            node = waiting.pop()
            if node.number not in seen:
                seen.add(node.number)
                keys |= {node.key()} - {None}
                waiting += node.children().values()
        return keys


def read(graph, arrays):
    """Translates a graph of objects into a `Found`.

    Args:
        graph: `TrackableObjectGraph`.
        arrays: Callable from the key of a variable to its array.

    Raises:
        UserError: If the graph has no `resnet_model`.
    """
    nodes = [_Node(graph.nodes, number) for number in range(len(graph.nodes))]
    model = next((node for node in nodes if node.child("resnet_model")), None)
    if model is None:
        raise UserError(
            "none of its objects is called resnet_model, as in checkpoints and "
            "SavedModels of the published SimCLR code."
        )
    network = model.child("resnet_model")
    keys = {
        f"{place}/{kind}": node.child(kind).key()
        for place, node in [*_encoder(network), *_heads(model)]
        for kind in ("kernel", "bias", *NORM)
        if node and node.child(kind) and node.child(kind).key()
    }
    step = nodes[0].child("global_step", "optimizer/iterations")
    step = step and step.key()
    of_network, used = network.keys(), set(keys.values())
    return Found(
        "SimCLR for TensorFlow 2",
        {name: arrays(key) for name, key in keys.items()},
        left_over=sorted(model.keys() - of_network - used),
        unmatched=sorted(of_network - used),
        step=int(arrays(step)) if step else 0,
    )


def _encoder(network):
    """Yields our place of every convolution and norm, with its node."""
    stem = [f"encoder/stem_{number}" for number in range(3)]
    yield from _walk(network.child("initial_conv_relu_max_pool"), stem)
    for group, node in enumerate(_items(network.child("block_groups")), start=1):
        for number, block in enumerate(_items(node.child("layers"))):
            place = f"encoder/group{group}_block{number}"
            yield from _block(block, place)


def _block(block, place):
    shortcut = block.child("projection_layers", "shortcut_layers")
    yield from _walk(shortcut, [f"{place}/shortcut/projection"])
    bottleneck = block.child("conv_relu_dropblock_layers")
    parts = ("first", "middle", "last") if bottleneck else ("middle", "last")
    main = bottleneck or block.child("conv2d_bn_layers")
    yield from _walk(main, [f"{place}/{part}" for part in parts], f"{place}/gate")
    if gate := block.child("se_layer"):
        yield from _gate(gate, f"{place}/gate")


def _walk(layers, places, gate=None):
    """Yields the places of the convolutions in a list, and those of their norms."""
    places, place = iter(places), None
    for layer in _items(layers):
        if layer.child("conv2d", "conv2d_fixed_padding"):
            place = next(places, None)
        for path, part in _PARTS.items():
            if place and layer.child(path):
                yield place + part, layer.child(path)
        if layer.child("se_reduce"):
            yield from _gate(layer, gate)


def _gate(layer, place):
    yield f"{place}/squeeze", layer.child("se_reduce")
    yield f"{place}/gate", layer.child("se_expand")


def _heads(model):
    layers = _items(model.child("_projection_head/linear_layers"))
    for number, layer in enumerate(layers):
        for child in ("dense", "bn_relu/bn"):
            if layer.child(child):
                yield f"projection_head/{number}", layer.child(child)
    if dense := model.child("supervised_head/linear_layer/dense"):
        yield "linear_head", dense


def _items(node):
    return node.items() if node else []
