"""The pipeline, from a question's text to its response.

One question on a live store and a batch on a snapshot go the same way; only the expander differs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from graph_schema import GraphReader, Response, Schema
from kgqa.adapt.other_words import other_wordings, relation_table
from kgqa.answering.assemble import Assembler, with_origins
from kgqa.answering.run import Run, Stopwatch
from kgqa.linking.asked import AskedKinds
from kgqa.linking.guesses import Guesses
from kgqa.linking.named import NamedRelations
from kgqa.linking.settle import around, settled, several
from kgqa.linking.topics import Linked, find_topics, link
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.controller import Plan
from kgqa.model.encoder import Encoder, TokenStates
from kgqa.model.relations import RelationTable
from kgqa.retrieval.again import read_again
from kgqa.retrieval.answers import AnswerGuesser
from kgqa.retrieval.asked import Kinds
from kgqa.retrieval.expander import Expander, LiveExpander, SnapshotExpander
from kgqa.retrieval.guesses import LinkGuesser
from kgqa.retrieval.walk import Budget
from kgqa.stores.following import FollowingSnapshot
from kgqa.stores.snapshot import Snapshot


@dataclass
class Answerer:
    """Answers questions about one store with one checkpoint.

    Args:
        reader: the store. checkpoint: a trained reader. encoder: the text encoder it was trained with.
        budget_edges: facts one question may expand at one hop. any_schema: don't refuse a graph of another schema.
        names: an index of the store's names, to find what a question writes otherwise; None: exact names only.
        snapshot: read the graph into memory in the background, and answer from there once it is, as long as it follows;
            questions are answered from the store until then.

    Raises:
        FingerprintMismatch: the checkpoint doesn't belong to this encoder or to the store's schema.
    """

    reader: GraphReader
    checkpoint: Checkpoint
    encoder: Encoder
    budget_edges: int = 20_000
    any_schema: bool = False
    names: Guesses | None = None
    snapshot: bool = False
    _table: RelationTable | None = field(default=None, init=False)
    _table_of: tuple[tuple[str, ...], str, list[tuple[str, ...]]] | None = field(default=None, init=False)
    _table_as_of: tuple[tuple[str, ...], int] | None = field(default=None, init=False)
    _asked: AskedKinds | None = field(default=None, init=False)
    _named: NamedRelations | None = field(default=None, init=False)
    _kinds_known: Kinds | None = field(default=None, init=False)
    _asked_of: tuple[tuple[str, ...], Schema, list[tuple[str, ...]]] | None = field(default=None, init=False)
    _expander: SnapshotExpander | None = field(default=None, init=False)
    _following: FollowingSnapshot | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.network = self.checkpoint.network
        self.encoder = self.encoder.reading(self.checkpoint.config.model)
        self.budget = Budget(self.budget_edges)
        self._relations(self.reader.relations())

    def ask(self, question: str, *, explain: bool = False, origins: bool = False) -> Response:
        """Answer one question from the store as it is now.

        Args:
            explain: say why each hop went where it went. origins: say where the facts of the evidence come from, if
                the store keeps loads; that is one more call of the store.

        Raises:
            QuestionError: the question can't be asked. StoreError: the store failed.
        """
        ready = self._follow().ready() if self.snapshot else None
        if ready or self.network.links is not None:  # for links, what is around is too much to be fetched
            response = self.ask_many([question], ready, explain=explain)[0]
            return with_origins(response, self.reader) if origins else response
        watch = Stopwatch()
        expander = LiveExpander(self.reader)
        with watch.stage("linking"):
            linked = link(question, expander, self.names)
        response = self._respond([linked], expander, watch, explain)[0]
        return with_origins(response, self.reader) if origins else response

    def ask_many(
        self, questions: Sequence[str], snapshot: Snapshot | None = None, *, explain: bool = False
    ) -> list[Response]:
        """Answer a batch from a snapshot of the store; evidence is checked against the store.

        Every response carries the batch's seconds divided by its size.

        Args:
            snapshot: None: one that follows the store. The first call makes it; when the store has changed, a new one
                is made in the background, and used as soon as it is ready.
        """
        if not questions:
            return []
        if snapshot is None:
            snapshot = self._follow().current()
        watch = Stopwatch()
        with watch.stage("linking"):
            linked = [link(question, snapshot, self.names) for question in questions]
        expander = self.expander(snapshot)
        return self._respond(linked, expander, watch, explain)

    def _follow(self) -> FollowingSnapshot:
        self._following = self._following or FollowingSnapshot(self.reader)
        return self._following

    def expander(self, snapshot: Snapshot) -> SnapshotExpander:
        """The snapshot on the network's device, moved there once."""
        if self._expander is None or self._expander.snapshot is not snapshot:
            self._expander = SnapshotExpander(snapshot, self.network.device)
            if self.network.links is not None:
                table = self._relations(snapshot.relations())
                answers = self.network.answers
                self._expander.guesser = LinkGuesser(
                    self.network.links,
                    table.text,
                    self._expander,
                    AnswerGuesser(answers, table.text, self._expander)
                    if answers is not None and answers.taught
                    else None,
                )
        self._expander.seconds = 0.0
        return self._expander

    def run(self, linked: Sequence[Linked], tokens: TokenStates, expander: Expander, watch: Stopwatch) -> Run | None:
        """Walk and score; None if no question has a topic.

        Args:
            tokens: states of the ``texts`` of all questions, in order, on the network's device.
        """
        planned = self.plan(linked, tokens, expander, watch)
        if planned is None:
            return None
        linked, plan, table = planned
        device = self.network.device
        rows = [(q, topic) for q, one in enumerate(linked) for topic in one.topics]
        with watch.stage("retrieval"):
            topic_row = [r for r, (_, topic) in enumerate(rows) for _ in topic.entities]
            topic_node = expander.nodes([e.id for _, topic in rows for e in topic.entities])
        before = expander.seconds
        began = time.perf_counter()
        with torch.inference_mode():
            start = torch.tensor(topic_row, dtype=torch.int64, device=device)
            row_question = torch.tensor([q for q, _ in rows], dtype=torch.int64, device=device)
            plan, reached, reading, scores = read_again(
                self.network, plan, table, expander, start, topic_node.to(device), self.budget, row_question,
                self.checkpoint.config.calibration, self._kinds([text for one in linked for text in one.texts]),
            )  # fmt: skip
        inside = expander.seconds - before
        watch.add("retrieval", inside)
        watch.add("reading", time.perf_counter() - began - inside)
        return Run(linked, row_question, tokens, plan, reached, reading, scores, expander)

    def _kinds(self, texts: Sequence[str]) -> Kinds | None:
        """What these texts, a row each, say of where they lead; None if none of them says anything."""
        assert self._asked is not None
        assert self._named is not None
        assert self._kinds_known is not None
        asked, named = [self._asked(text) for text in texts], [self._named(text) for text in texts]
        if all(kind < 0 for kind in asked) and not any(named):
            return None
        says = torch.zeros(len(texts), self._asked.directed // 2, dtype=torch.bool)
        for row, some in enumerate(named):
            says[row, some] = True
        device = self.network.device
        says = says.repeat_interleave(2, dim=1).to(device)
        return replace(self._kinds_known, asked=torch.tensor(asked, device=device), named=says)

    @torch.inference_mode()
    def planned(self, tokens: TokenStates, snapshot: Snapshot) -> tuple[Plan, RelationTable]:
        """The plans of some texts, and a snapshot's relations, which they are to be compared with."""
        return self.network.plan(tokens), self._relations(snapshot.relations(), snapshot.changes())

    @torch.inference_mode()
    def plan(
        self, linked: Sequence[Linked], tokens: TokenStates, expander: Expander, watch: Stopwatch
    ) -> tuple[list[Linked], Plan, RelationTable] | None:
        """The questions with one entity for each topic, and the plan of each topic's row; None if none has a topic.

        Args:
            tokens: as for ``run``.
        """
        topics = [topic for one in linked for topic in one.topics]
        if not topics:
            return None
        with watch.stage("retrieval"):
            table = self._relations(expander.relations, expander.changes)
        with watch.stage("reading"):
            plan = self.network.plan(tokens)
        with watch.stage("linking"):
            if named := several(topics):
                row = torch.tensor([m for m, _ in named], dtype=torch.int64, device=self.network.device)
                nodes = expander.nodes([entity.id for _, entity in named]).to(self.network.device)
                logits = self.network.relations(plan.take(row), 0, table)
                plains = [one.plain for one in linked for _ in one.topics]
                topics = settled(topics, plains, around(logits, expander.offer(nodes)))
        drawn = iter(topics)
        done = [replace(one, topics=tuple(next(drawn) for _ in one.topics)) for one in linked]
        return done, plan, table

    def _respond(self, linked: list[Linked], expander: Expander, watch: Stopwatch, explain: bool) -> list[Response]:
        with watch.stage("encoder"):
            tokens = self.encoder.encode([text for one in linked for text in one.texts]).to(self.network.device)
        with watch.stage("linking"):
            linked, tokens = find_topics(linked, tokens, self.network, self.encoder)
        run = self.run(linked, tokens, expander, watch)
        assembler = Assembler(
            self.reader,
            self.encoder,
            self.checkpoint.config,
            float(self.network.fusion.weight),
            self.budget_edges,
        )
        with watch.stage("evidence"):
            linked = linked if run is None else [*run.linked]
            responses = assembler.responses(linked, run, watch.seconds, explain=explain)
        watch.share(len(linked))
        return responses

    def _relations(self, relations: tuple[str, ...], changes: int | None = None) -> RelationTable:
        """The relation table of these relations, made again when a new relation or wording turns up.

        Args:
            changes: the store's change counter; while it stays, so does the schema, and the store isn't asked for it.
        """
        if self._table is not None and changes is not None and self._table_as_of == (relations, changes):
            return self._table
        schema = self.reader.schema()
        said = other_wordings(schema, relations) if self.network.config.wordings else []
        key = (relations, schema.fingerprint(relations), said)
        if self._table is None or key != self._table_of:
            self.checkpoint.check(schema, relations, self.encoder.fingerprint(), any_schema=self.any_schema)
            with torch.inference_mode():
                self._table = relation_table(self.network, self.encoder, schema, relations, said)
            self._table_of = key
        if self._asked is None or self._asked_of != (relations, schema, said):
            self._asked = AskedKinds(schema, relations, said, by_nouns=self.network.config.reorder)
            self._named = NamedRelations(schema, relations if self.network.config.reorder else ())
            self._kinds_known = _kinds_known(self._asked, self._named, self.network.device)
            self._asked_of = (relations, schema, said)
        self._table_as_of = None if changes is None else (relations, changes)
        return self._table


def _kinds_known(asked: AskedKinds, named: NamedRelations, device: torch.device) -> Kinds:
    """The kinds that questions may ask for, of no question yet."""
    of = torch.zeros(len(asked.kinds), asked.directed, dtype=torch.bool)
    for kind, directed in enumerate(asked.of):
        of[kind, directed] = True
    known = torch.zeros(asked.directed, dtype=torch.bool)
    known[asked.known] = True
    nothing = torch.zeros(0, dtype=torch.int64, device=device)
    over = torch.tensor(named.over, dtype=torch.int64, device=device).view(-1, 2).T * 2
    return Kinds(
        nothing,
        of.to(device),
        known.to(device),
        torch.tensor(asked.held, dtype=torch.bool, device=device),
        torch.zeros(0, asked.directed, dtype=torch.bool, device=device),
        torch.cat([over, over + 1], 1),  # there and back
    )
