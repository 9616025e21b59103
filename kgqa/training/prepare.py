"""Questions made ready for training and for batched answering: linked, masked, encoded once for each distinct text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from graph_schema.text import name_key
from kgqa.data import Question
from kgqa.linking import find_mentions
from kgqa.linking.topics import row_texts
from kgqa.model.encoder import Encoder, TokenStates
from kgqa.retrieval.expander import ragged
from kgqa.stores.snapshot import Snapshot


@dataclass(frozen=True)
class Ragged:
    """N lists of int64 in one: list i is ``values[start[i] : start[i + 1]]``."""

    start: Int[Tensor, " N1"]
    values: Int[Tensor, " V"]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        lengths = torch.tensor([0, *(len(items) for items in lists)], dtype=torch.int64)
        return cls(lengths.cumsum(0), torch.tensor([v for items in lists for v in items], dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.start) - 1

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The lists at ``index``: (position in ``index``, value) of every item."""
        owner, at = ragged(self.start[index], self.start[index + 1] - self.start[index])
        return owner, self.values[at]


class TextStates:
    """Token states of distinct texts, kept in half precision and padded on the way out; words alone are looked up.

    Args:
        texts: distinct texts. progress: called with how many have been encoded so far.
        only: which of them will be taken; all, if not given.
    """

    def __init__(
        self,
        encoder: Encoder,
        texts: Sequence[str],
        progress: Callable[[int], None] = lambda _: None,
        only: Bool[Tensor, " T"] | None = None,
    ) -> None:
        wanted = range(len(texts)) if only is None else torch.nonzero(only).squeeze(-1).tolist()
        order = sorted(wanted, key=lambda i: len(texts[i]))
        states = [torch.empty(0, encoder.width, dtype=torch.float16)] * len(texts)
        ids = [torch.empty(0, dtype=torch.int64)] * len(texts)
        for begin in range(0, len(order), 128):
            chunk = order[begin : begin + 128]
            found = encoder.encode([texts[i] for i in chunk])
            for k, i in enumerate(chunk):
                states[i] = found.states[k, found.mask[k]].half().cpu()
                ids[i] = found.ids[k, found.mask[k]].cpu()
            progress(begin + len(chunk))
        lengths = torch.tensor([0, *(len(s) for s in states)], dtype=torch.int64)
        self.encoder = encoder
        self.start = lengths.cumsum(0)
        self.states = torch.cat(states) if states else torch.empty(0, encoder.width, dtype=torch.float16)
        self.ids = torch.cat(ids) if ids else torch.empty(0, dtype=torch.int64)

    def take(self, index: Int[Tensor, " B"], device: torch.device) -> TokenStates:
        """Padded float32 states of the texts at ``index``."""
        count = self.start[index + 1] - self.start[index]
        owner, at = ragged(self.start[index], count)
        slot = at - self.start[index][owner]
        width = int(count.max()) if len(count) else 0
        states = torch.zeros(len(index), width, self.states.shape[1])
        states[owner, slot] = self.states[at].float()
        ids = torch.zeros(len(index), width, dtype=torch.int64)
        ids[owner, slot] = self.ids[at]
        mask = torch.arange(width) < count.unsqueeze(1)
        return TokenStates(states, mask, ids, self.encoder.words_alone(ids)).to(device)


@dataclass(frozen=True)
class Prepared:
    """Q questions over one snapshot. A question has one row for each of its topics, none if nothing was linked.

    Attributes:
        questions: as read.
        texts: distinct masked texts.
        row_text: [R], text of each row. row_topics: nodes of each row's topic. rows: rows of each question.
        answers: nodes of each question's gold answers. missing: [Q], gold answers that are not in the graph.
        mention_text, mention_share, mention_right: [P], mentions of questions whose brackets were hidden (for the
            topic scorer): masked text, share of the characters, and whether the mention is a topic.
    """

    questions: Sequence[Question]
    texts: Sequence[str]
    row_text: Int[Tensor, " R"]
    row_topics: Ragged
    rows: Ragged
    answers: Ragged
    missing: Int[Tensor, " Q"]
    mention_text: Int[Tensor, " P"]
    mention_share: Float[Tensor, " P"]
    mention_right: Bool[Tensor, " P"]


def prepare(
    questions: Sequence[Question],
    snapshot: Snapshot,
    *,
    mentions_of: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Prepared:
    """Link questions by their brackets (or, without, by every mention in them) and look their answers up.

    Args:
        mentions_of: of how many questions, evenly over all of them, all mentions are collected for the topic scorer.
        progress: called with how many questions are done.
    """
    texts: dict[str, int] = {}
    row_text: list[int] = []
    row_topics: list[list[int]] = []
    rows: list[list[int]] = []
    answers: list[list[int]] = []
    missing: list[int] = []
    found_text: list[int] = []
    found_share: list[float] = []
    found_right: list[bool] = []

    def collected(number: int) -> bool:
        return number * mentions_of // len(questions) < (number + 1) * mentions_of // len(questions)

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    for number, question in enumerate(questions):
        own = []
        topics = [m for m in find_mentions(question.plain, question.spans, snapshot) if m.entities]
        for mention, text in zip(topics, row_texts(question.plain, topics, settled=bool(question.spans)), strict=True):
            own.append(len(row_text))
            row_text.append(place(text))
            row_topics.append(snapshot.index_of([e.id for e in mention.entities]).tolist())
        rows.append(own)
        nodes, absent = answer_nodes(question.answers, snapshot)
        answers.append(nodes)
        missing.append(absent)
        if question.spans and collected(number):
            free = find_mentions(question.plain, (), snapshot)
            if len(free) > 1:
                for mention, text in zip(free, row_texts(question.plain, free, settled=False), strict=True):
                    found_text.append(place(text))
                    found_share.append((mention.end - mention.start) / len(question.plain))
                    found_right.append((mention.start, mention.end) in question.spans)
        if number % 500 == 0:
            progress(number)
    return Prepared(
        questions=questions,
        texts=list(texts),
        row_text=torch.tensor(row_text, dtype=torch.int64),
        row_topics=Ragged.of(row_topics),
        rows=Ragged.of(rows),
        answers=Ragged.of(answers),
        missing=torch.tensor(missing, dtype=torch.int64),
        mention_text=torch.tensor(found_text, dtype=torch.int64),
        mention_share=torch.tensor(found_share, dtype=torch.float32),
        mention_right=torch.tensor(found_right, dtype=torch.bool),
    )


def answer_nodes(answers: Sequence[str], snapshot: Snapshot) -> tuple[list[int], int]:
    """Nodes of gold answers, by id, else by name; and how many are not in the graph."""
    direct = snapshot.index_of(list(answers)).tolist()
    nodes = {node for node in direct if node >= 0}
    absent = 0
    unknown = [answer for answer, node in zip(answers, direct, strict=True) if node < 0]
    if unknown:
        named = snapshot.lookup([name_key(answer) for answer in unknown])
        for answer in unknown:
            found = snapshot.index_of([e.id for e in named.get(name_key(answer), ())]).tolist()
            nodes.update(found)
            absent += not found
    return sorted(nodes), absent
