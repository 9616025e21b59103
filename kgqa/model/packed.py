"""Linear layers that only compute, with their weights laid out once, for the CPU.

A question is a dozen tokens, so the encoder's matrix products are of a dozen rows; with weights that oneDNN laid out
before, they take about half as long (docs/decisions/0035-packed-weights.md). PyTorch's own compiler does the same
where it freezes a model. The operator isn't part of PyTorch's public interface, so it is tried on each layer, and left
alone where it isn't there, or computes otherwise.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

CLOSE = 1e-4  # of the numbers' own size; sums are taken in another order


class PackedLinear(nn.Module):
    """A linear layer whose weights are laid out for oneDNN; nothing is learned through it.

    Its ``weight`` and ``bias`` stay as they are, under the same names.

    Args:
        linear: float32 and on the CPU.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())

    def forward(self, x: Float[Tensor, "*S I"]) -> Float[Tensor, "*S O"]:
        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return made


def has_onednn() -> bool:
    """Whether PyTorch was built with oneDNN, and may use it."""
    return bool(torch.backends.mkldnn.is_available()) and bool(torch.backends.mkldnn.enabled)  # type: ignore[no-untyped-call]


@torch.no_grad()
def pack(model: nn.Module) -> int:
    """Replace a model's linear layers, at any depth, by packed ones that compute the same; how many were."""
    done = 0
    for part in list(model.modules()):
        for name, child in list(part.named_children()):
            if type(child) is nn.Linear and (packed := _packed(child)) is not None:
                setattr(part, name, packed)
                done += 1
    return done


def _packed(linear: nn.Linear) -> PackedLinear | None:
    """The layer, packed; None if that can't be done here, or gives other numbers."""
    weight = linear.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not has_onednn():
        return None
    x = torch.linspace(-1, 1, 2 * linear.in_features).view(1, 2, -1)
    try:
        packed = PackedLinear(linear)
        ours = packed(x)
    except (AttributeError, RuntimeError):  # another version of PyTorch, or another processor
        return None
    plain = linear(x)
    return packed if torch.allclose(ours, plain, rtol=CLOSE, atol=CLOSE * float(plain.abs().max())) else None
