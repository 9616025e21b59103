"""What questions say of where they lead, as the walk and the scores use it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Kinds:
    """What the questions of B rows say of where they lead: kinds of things that they ask for, relations that they name.

    Attributes:
        asked: [B], the kind, -1 where a question doesn't say. of: [K, D], whether what a directed relation leads from
            is of a kind. known: [D], whether its kind is known. held: [K], whether it is what relationships of
            one type have ("the dose of the drug in case 7").
        named: [B, D], whether a row's question names a directed relation. over: [2, P], pairs of directed relations of
            nearly the same name: the second isn't meant where the first is named and it isn't; see
            ``kgqa.linking.named``.
    """

    asked: Int[Tensor, " B"]
    of: Bool[Tensor, "K D"]
    known: Bool[Tensor, " D"]
    held: Bool[Tensor, " K"]
    named: Bool[Tensor, "B D"]
    over: Int[Tensor, "2 P"]

    def take(self, row: Int[Tensor, " C"]) -> Kinds:
        """Those of some rows."""
        return replace(self, asked=self.asked[row], named=self.named[row])

    def leading(self) -> tuple[Bool[Tensor, "B D"], Bool[Tensor, "B D"]]:
        """Which directed relations lead to what a row asks for, and which may, since it isn't known where they lead."""
        back = torch.arange(len(self.known), device=self.known.device) ^ 1
        certain = self.of[self.asked.clamp(min=0)][:, back] & (self.asked >= 0).unsqueeze(-1)
        return certain, certain | ~self.known[back] | (self.asked < 0).unsqueeze(-1)

    def narrowed(self, offered: Bool[Tensor, "B D"], last: Bool[Tensor, " B"]) -> Bool[Tensor, "B D"]:
        """Those of the directed relations on offer that may be meant.

        Not one of nearly the same name as another that is on offer, and named. And where one leads to what is asked
        for, at a row's ``last`` hop planned: not one that leads elsewhere.
        """
        if self.over.shape[1]:
            meant, other = self.over[:, self.named.any(0)[self.over[0]]]
            beaten = (offered & self.named)[:, meant] & ~self.named[:, other]
            offered = offered & ~torch.zeros_like(offered, dtype=torch.int64).index_add(1, other, beaten.long()).bool()
        certain, may = self.leading()
        narrow = last & (offered & certain).any(-1)
        return offered & (may | ~narrow.unsqueeze(-1))

    def near(self, row: Int[Tensor, " G"], relation: Int[Tensor, " G"]) -> Bool[Tensor, " B"]:
        """Which rows ask for what relationships have, and these are the topic's own, so that one hop leads there.

        Args:
            row, relation: of the directed relations around the topics.
        """
        certain, _ = self.leading()
        there = torch.zeros(len(self.asked), dtype=torch.bool, device=row.device)
        there[row[certain[row, relation]]] = True
        return there & self.held[self.asked.clamp(min=0)]

    def fit(self, row: Int[Tensor, " M"], owner: Int[Tensor, " G"], relation: Int[Tensor, " G"]) -> Int[Tensor, " M"]:
        """Whether reached entities are of the kind that is asked for: 1, or -1; 0 where that isn't known, or asked.

        An entity is of the kinds from which the relations around it lead.

        Args:
            row: of each entity. owner, relation: the relations around each (position in M, directed relation).
        """
        wanted = self.asked[row]
        known = torch.zeros(len(row), dtype=torch.bool, device=row.device)
        fits = known.clone()
        known[owner[self.known[relation]]] = True
        fits[owner[self.of[wanted[owner].clamp(min=0), relation]]] = True
        return (fits.long() - (known & ~fits).long()) * (wanted >= 0)
