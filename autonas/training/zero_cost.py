"""Scores of networks that were never trained, from one minibatch (Abdelfattah et al 2021).

``synflow`` (Tanaka et al 2020) is how much flow the weights carry, ``jacob_cov`` (Mellor et al 2020) how differently
the network answers to different inputs, ``grad_norm`` how strongly the loss pulls at the weights.  A higher score
stands for a better network.  As in the authors' code only matrices and kernels count, not biases or norms; and synflow
sees batch normalisation as it is before any data, the identity.  Left out: snip, grasp and fisher, which rank worse.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from autonas.training.loop import losses

__all__ = ["grad_norm", "jacob_cov", "synflow"]

_RIDGE = 1e-5  # k of Mellor et al


def synflow(network: nn.Module, shape: tuple[int, ...]) -> float:
    """``ln(1 + sum |w| dR/d|w|)``, where R is the sum of the outputs for an input of ones and absolute weights.

    Parameters
    ----------
    network : Module
        Untouched: a copy in float64 is scored.
    shape : tuple of int
        Of one example.
    """
    network = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.abs_()
    weights = _weights(network)
    flow = network(torch.ones((1, *shape), dtype=torch.float64, device=weights[0].device)).sum()
    gradients = torch.autograd.grad(flow, weights, allow_unused=True)
    carried = [float((w.detach() * g).sum()) for w, g in zip(weights, gradients, strict=True) if g is not None]
    return float(np.log1p(sum(carried)))


def grad_norm(network: nn.Module, X: Tensor, y: Tensor) -> float:
    """Sum over the layers of the Euclidean norm of the gradient of the mean loss.

    Parameters
    ----------
    network : Module
        As in training: dropout draws from torch's global generator.
    X : (rows, ...) Tensor
    y : (rows,) Tensor
        int64 classes, or float32 targets on the fitted scale.
    """
    weights = _weights(network.train())
    loss = losses(network(X)[None], y[None]).mean()
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    return sum(float(g.norm()) for g in gradients if g is not None)


def jacob_cov(network: nn.Module, X: Tensor) -> float:
    """``-sum(ln(v + k) + 1 / (v + k))`` over the eigenvalues v of the correlation of the inputs' gradients.

    The gradient of the sum of the outputs is taken for each row.  The score is highest, ``-rows``, if no two are
    correlated; that the sum of the logarithms is the logarithm of the determinant gives equal rows a very low one.

    Parameters
    ----------
    network : Module
    X : (rows, ...) Tensor
        Numbers; at least 2 rows, and fewer than numbers in each: more cannot be uncorrelated.
    """
    X = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.train()(X).sum(), X, allow_unused=True)
    rows = np.zeros((len(X), 1)) if gradient is None else gradient.flatten(1).double().cpu().numpy()
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    units = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    v = np.maximum(np.linalg.eigvalsh(units @ units.T), 0) + _RIDGE
    return float(-(np.log(v) + 1 / v).sum())


def _weights(network: nn.Module) -> list[nn.Parameter]:
    """Matrices and kernels."""
    return [parameter for parameter in network.parameters() if parameter.ndim > 1]
