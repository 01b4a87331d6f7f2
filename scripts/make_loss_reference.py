"""Makes what tests of the losses hold other libraries against.

Needs torch, lightly and pytorch-metric-learning, which the tests do not. Writes
tests/losses/reference.json: for each loss its mean over both views and the gradients of
that mean, as PyTorch computes them. Debiased and hard-negative losses have no library;
they are written here from the papers' formulas, for PyTorch to differentiate.

Usage: python -m scripts.make_loss_reference
"""

import json
import math
import os

import torch
from lightly.loss.dcl_loss import DCLLoss, negative_mises_fisher_weights
from lightly.loss.ntx_ent_loss import NTXentLoss
from pytorch_metric_learning.losses import NTXentLoss as MetricNTXent
from pytorch_metric_learning.losses import SupConLoss

from tests.losses import reference_inputs

TEMPERATURE = reference_inputs.TEMPERATURE


def _metric_learning(loss, labels):
    """A loss of pytorch-metric-learning, over rows with equal labels as positives."""
    labels = torch.tensor(labels)

    def call(view_a, view_b):
        return loss(torch.cat([view_a, view_b]), torch.cat([labels, labels]))

    return call


def _debiased(prior, concentration):
    """Equation 8 of Chuang et al.; weighted as in Robinson et al."""

    def call(view_a, view_b):
        z = torch.nn.functional.normalize(torch.cat([view_a, view_b]), dim=1)
        images = len(view_a)
        scores = torch.exp(z @ z.T / TEMPERATURE)
        image = torch.arange(2 * images) % images
        others = image[:, None] != image
        positive = scores[torch.arange(2 * images), torch.arange(2 * images) - images]
        scores = scores[others].reshape(2 * images, -1)
        weights = scores**concentration
        weights = weights / weights.mean(dim=1, keepdim=True)
        mean = (weights * scores).mean(dim=1)
        estimate = (mean - prior * positive) / (1 - prior)
        estimate = estimate.clamp(min=math.exp(-1 / TEMPERATURE))
        negative = scores.shape[1] * estimate
        return -torch.log(positive / (positive + negative)).mean()

    return call


LOSSES = {
    "lightly/nt_xent": NTXentLoss(TEMPERATURE),
    "lightly/dcl": DCLLoss(TEMPERATURE),
    "lightly/dclw": DCLLoss(TEMPERATURE, weight_fn=negative_mises_fisher_weights),
    "pytorch_metric_learning/nt_xent": _metric_learning(
        MetricNTXent(TEMPERATURE), range(reference_inputs.IMAGES)
    ),
    "pytorch_metric_learning/supcon": _metric_learning(
        SupConLoss(TEMPERATURE), reference_inputs.LABELS
    ),
    "torch/debiased": _debiased(0.1, 0.0),
    "torch/hard_negatives": _debiased(0.1, 2.0),
}


def main():
    """Writes the file."""
    figures = {}
    for name, loss in LOSSES.items():
        views = [torch.tensor(v, requires_grad=True) for v in reference_inputs.views()]
        value = loss(*views)
        gradients = torch.autograd.grad(value, views)
        figures[name] = {
            "loss": value.item(),
            "gradients": torch.stack(gradients).round(decimals=9).tolist(),
        }
    with open(reference_inputs.FILE, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)
    print(f"{os.path.relpath(reference_inputs.FILE)}: {len(figures)} losses")


if __name__ == "__main__":
    main()
