"""Linear layers with their weights laid out once: the same numbers, names and refusals as PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kgqa.model.encoder import Encoder, _packaged
from kgqa.model.packed import PackedLinear, has_onednn, pack


class Two(nn.Module):
    """Two layers, one of them further down."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(48, 96)
        self.rest = nn.ModuleList([nn.Sequential(nn.GELU(), nn.Linear(96, 7, bias=False))])

    def forward(self, x: Tensor) -> Tensor:
        last: Tensor = self.rest[0](self.first(x))
        return last


def frozen() -> Two:
    torch.manual_seed(0)
    return Two().requires_grad_(False)


@pytest.mark.skipif(not has_onednn(), reason="PyTorch without oneDNN")
@pytest.mark.parametrize("shape", [(1, 1, 48), (1, 13, 48), (5, 3, 48), (48,), (700, 48), (0, 4, 48)])
def test_packed_layers_compute_what_plain_ones_do(shape: tuple[int, ...]) -> None:
    model = frozen()
    x = torch.randn(shape)
    plain = model(x)
    names = {name: value.clone() for name, value in model.state_dict().items()}

    assert pack(model) == 2

    assert isinstance(model.first, PackedLinear)
    assert sum(isinstance(part, PackedLinear) for part in model.modules()) == 2
    torch.testing.assert_close(model(x), plain, rtol=1e-4, atol=1e-5)
    now = model.state_dict()
    assert now.keys() == names.keys()
    assert all(torch.equal(now[name], value) for name, value in names.items())


def test_packing_twice_changes_nothing() -> None:
    model = frozen()
    pack(model)
    layers = [*model.modules()]

    assert pack(model) == 0
    assert [*model.modules()] == layers


def test_other_types_of_numbers_stay_as_they_are() -> None:
    model = frozen().double()

    assert pack(model) == 0
    assert type(model.first) is nn.Linear


def without_operator(_: Tensor) -> Tensor:
    raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_reorder_linear_weight'")


def with_other_numbers(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight)


@pytest.mark.parametrize("reorder", [without_operator, with_other_numbers])
def test_where_the_operator_is_not_there_or_computes_otherwise_layers_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, reorder: Callable[[Tensor], Tensor]
) -> None:
    def linear(x: Tensor, weight: Tensor, bias: Tensor | None, *_: Any) -> Tensor:
        return nn.functional.linear(x, weight, bias)

    monkeypatch.setattr(
        torch.ops, "mkldnn", SimpleNamespace(_reorder_linear_weight=reorder, _linear_pointwise=linear), raising=False
    )
    model = frozen()

    assert pack(model) == 0
    assert type(model.first) is nn.Linear


@pytest.mark.skipif(not has_onednn(), reason="PyTorch without oneDNN")
def test_the_encoder_on_a_cpu_is_packed_and_gives_the_states_of_the_model_itself() -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["who directed [MASK]", "which person directed the movies starred by the actors in [MASK]", "hm"]
    encoder = Encoder()
    plain = SentenceTransformer(str(_packaged()), device="cpu")

    got = encoder.encode(texts)
    for row, text in enumerate(texts):
        expected = plain.encode(text, output_value="token_embeddings")
        assert isinstance(expected, Tensor)
        torch.testing.assert_close(got.states[row][got.mask[row]], expected, rtol=1e-3, atol=1e-4)

    layers = [layer for layer in encoder._transformer.modules() if isinstance(layer, nn.Linear | PackedLinear)]
    assert layers
    assert all(isinstance(layer, PackedLinear) for layer in layers)
