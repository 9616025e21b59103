"""Pairs of a row (or a query) and a node as one number."""

from __future__ import annotations

from torch import Tensor

_SHIFT = 32  # a key is row * 2^32 + node


def make_key(row: Tensor, node: Tensor) -> Tensor:
    """One int64 for a (row, node) pair; keys sort by row, then node."""
    return (row << _SHIFT) | node


def key_row(key: Tensor) -> Tensor:
    return key >> _SHIFT


def key_node(key: Tensor) -> Tensor:
    return key & ((1 << _SHIFT) - 1)


def rows_between(key: Tensor, first: int, last: int) -> Tensor:
    """Which keys belong to rows first..last."""
    return (key >= first << _SHIFT) & (key < (last + 1) << _SHIFT)
