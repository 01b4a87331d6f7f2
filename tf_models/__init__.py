"""Networks in plain Keras: usable alone, without the rest of the toolkit."""

from tf_models.batch_normalization import BatchNormalization
from tf_models.input_normalization import InputNormalization
from tf_models.linear_head import LinearHead
from tf_models.projection_head import ProjectionHead
from tf_models.resnet import ResNet

__all__ = [
    "BatchNormalization",
    "InputNormalization",
    "LinearHead",
    "ProjectionHead",
    "ResNet",
]
