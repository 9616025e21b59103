"""From scores to responses: decide, prove, and put into words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from graph_schema import (
    Answer,
    Cut,
    Entity,
    EvidencePath,
    EvidenceStep,
    Fact,
    GraphReader,
    HopTrace,
    Origin,
    Response,
    Subgraph,
    Topic,
)
from kgqa.answering.namesakes import Apart, topic_notes
from kgqa.answering.run import Ranked, Run, rank
from kgqa.linking.topics import Linked
from kgqa.model.checkpoint import CheckpointConfig
from kgqa.model.decision import DIGITS, decide
from kgqa.model.encoder import Encoder
from kgqa.retrieval.evidence import Chains, trace
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.keys import key_node, make_key, rows_between
from kgqa.retrieval.scores import unfit

RANKED = 10  # how many entities of the ranking are shown, answers or not
EXPECTED = 8  # relations that the kind of answer is told by


@runtime_checkable
class Provenance(Protocol):
    """A store that knows where its facts come from; see ``LoadLedger``."""

    def origins(self, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]: ...


@dataclass(frozen=True)
class Assembler:
    """Makes responses.

    Args:
        reader: the store that evidence is checked against. encoder: says what the tokens are.
        config: of the checkpoint. question_weight: of the fusion.
        budget_edges: what one question may expand at one hop.
    """

    reader: GraphReader
    encoder: Encoder
    config: CheckpointConfig
    question_weight: float
    budget_edges: int

    def responses(
        self, linked: Sequence[Linked], run: Run | None, seconds: dict[str, float], *, explain: bool
    ) -> list[Response]:
        """One response for each question; ``run`` is None if none of them has a topic."""
        if run is None:
            return [self._unlinked(one, seconds) for one in linked]
        rows: list[list[int]] = [[] for _ in linked]
        for row, question in enumerate(run.row_question.tolist()):
            rows[question].append(row)
        ranked = rank(run.scores, run.expander, self.config.calibration, self.config.guesses)
        said, _ = decide(ranked.question, ranked.score, len(linked))
        apart = Apart.of([topic for one in linked for topic in one.topics], run.expander)
        entities, evidence, names = self._proved(run, ranked, said, rows, apart)
        if explain:
            entities = self._with_sides(run, ranked, rows, entities)
        bounds = torch.searchsorted(ranked.question, torch.arange(len(linked) + 1)).tolist()
        return [
            self._response(
                one, run, rows[q], entities, evidence, names, range(bounds[q], bounds[q + 1]), seconds, explain, apart
            )
            if one.topics
            else self._unlinked(one, seconds)
            for q, one in enumerate(linked)
        ]

    def _response(
        self,
        one: Linked,
        run: Run,
        rows: Sequence[int],
        entities: dict[int, Answer],
        evidence: dict[int, tuple[EvidencePath, ...]],
        names: Mapping[str, str],
        places: range,
        seconds: dict[str, float],
        explain: bool,
        apart: Apart,
    ) -> Response:
        touched = subgraph(run, rows)
        answers = tuple(replace(entities[at], evidence=evidence[at]) for at in places if at in evidence)
        facts = [f for a in answers for f in (*(fact for path in a.evidence for fact in path.facts), *a.supposed)]
        passed = {end for fact in facts for end in (fact.head, fact.tail)}
        return Response(
            question=one.question,
            answers=answers,
            ranking=tuple(entities[at] for at in places[:RANKED]),
            topics=tuple(Topic(m.start, m.end, m.text, m.entities, m.how, m.score, m.others) for m in one.topics),
            notes=(*topic_notes(one, apart), *self._cut_notes(touched)),
            subgraph=touched,
            trace=self._trace(run, rows, one) if explain else (),
            expected=self._expected(run, rows[0]) if explain else (),
            fusion={"question": self.question_weight, "graph": 1.0},
            seconds=seconds,
            names={id_: names[id_] for id_ in sorted(passed) if names.get(id_, id_) != id_},
        )

    def _proved(
        self, run: Run, ranked: Ranked, said: Tensor, rows: Sequence[Sequence[int]], apart: Apart
    ) -> tuple[dict[int, Answer], dict[int, tuple[EvidencePath, ...]], dict[str, str]]:
        """Entity and score at each place of the ranking that is shown; for each that is an answer, its evidence; names.

        The evidence is a path from each topic, whose facts are looked for in the store again: one call for all, in
        which the names of what tells namesakes apart come along.
        """
        shown = torch.nonzero(said | (ranked.place < RANKED)).squeeze(-1)
        ids = run.expander.ids(ranked.node[shown])
        asked, drawn, supposed = self._drawn(run, ranked, said, rows)
        around = _around(run, ranked)[1].tolist()
        facts = sorted({step.fact for steps in drawn for step in steps})
        ends = (end for fact in (*facts, *itertools.chain(*supposed.values())) for end in (fact.head, fact.tail))
        proof = self.reader.prove(facts, sorted({*ids, *ends, *apart.ids}))
        apart.names.update({id_: proof.entities[id_].name for id_ in apart.ids if id_ in proof.entities})
        entities = {
            at: Answer(
                proof.entities.get(entity, Entity(entity, entity)),
                round(score, DIGITS),
                supposed=supposed.get(at, ()),
                guessed=at in supposed or around[at],
            )
            for at, entity, score in zip(shown.tolist(), ids, ranked.score[shown].tolist(), strict=True)
        }
        holds = dict(zip(facts, proof.holds, strict=True))
        evidence: dict[int, tuple[EvidencePath, ...]] = dict.fromkeys(asked, ())
        for at, steps in zip(asked, drawn, strict=True):
            if steps:
                evidence[at] = (*evidence[at], EvidencePath(steps, all(holds[step.fact] for step in steps)))
        return entities, evidence, {id_: entity.name for id_, entity in proof.entities.items()}

    def _drawn(
        self, run: Run, ranked: Ranked, said: Tensor, rows: Sequence[Sequence[int]]
    ) -> tuple[list[int], list[tuple[EvidenceStep, ...]], dict[int, tuple[Fact, ...]]]:
        """For each place that is an answer and each topic of its question, the place, and the steps that lead there.

        And the guessed facts on the way to places that facts alone don't lead to.
        """
        asked = [
            (at, row, node)
            for at, question, node in zip(
                torch.nonzero(said).squeeze(-1).tolist(),
                ranked.question[said].tolist(),
                ranked.node[said].tolist(),
                strict=True,
            )
            for row in rows[question]
        ]
        row = torch.tensor([r for _, r, _ in asked], dtype=torch.int64)
        node = torch.tensor([n for _, _, n in asked], dtype=torch.int64)
        key = make_key(row, node).to(run.plan.stop.device)
        places = [at for at, _, _ in asked]
        proven = ~_around(run, ranked)[1][torch.tensor(places, dtype=torch.int64)]
        chains = trace(run.reached, run.plan, run.expander, key).only(proven)
        supposed: dict[int, tuple[Fact, ...]] = {}
        unproven = torch.nonzero(chains.length == 0).squeeze(-1)
        if len(unproven):
            ways = trace(run.reached, run.plan, run.expander, key[unproven.to(key.device)], supposed=True)
            for number, steps, guessed in zip(
                unproven.tolist(), self._steps(ways, run.expander), ways.guessed.tolist(), strict=True
            ):
                facts = (step.fact for step, guess in zip(steps, guessed, strict=False) if guess)
                supposed[places[number]] = tuple(dict.fromkeys((*supposed.get(places[number], ()), *facts)))
        return places, self._steps(chains, run.expander), supposed

    def _steps(self, chains: Chains, expander: Expander) -> list[tuple[EvidenceStep, ...]]:
        """Chains as steps over facts."""
        relations = expander.relations
        nodes = torch.unique(torch.cat([chains.source.flatten(), chains.target.flatten()]))
        ids = dict(zip(nodes.tolist(), expander.ids(nodes), strict=True)) if len(chains.length) else {}
        drawn = []
        for length, *columns in zip(
            *(part.tolist() for part in (chains.length, chains.source, chains.relation, chains.target, chains.weight)),
            strict=True,
        ):
            steps = []
            for source, directed, target, weight in list(zip(*columns, strict=True))[:length]:
                head, tail = (target, source) if directed % 2 else (source, target)
                fact = Fact(ids[head], relations[directed // 2], ids[tail])
                steps.append(EvidenceStep(fact, bool(directed % 2), round(weight, DIGITS)))
            drawn.append(tuple(steps))
        return drawn

    def _trace(self, run: Run, rows: Sequence[int], one: Linked) -> tuple[HopTrace, ...]:
        """Attention over words and relations at each hop, from each topic."""
        return tuple(
            hop for row, topic in zip(rows, one.topics, strict=True) for hop in self._hops(run, row, topic.text)
        )

    def _hops(self, run: Run, row: int, topic: str) -> list[HopTrace]:
        """Those of one row."""
        real = run.tokens.mask[row]
        words = self.encoder.words(run.tokens.ids[row][real].tolist())
        traces = []
        for number, hop in enumerate(run.reached.hops):
            weights = hop.weights[row]
            if number and not bool((weights > 0).any()):  # only others of the batch went on
                break
            best = torch.sort(weights, descending=True, stable=True).indices[: int((weights > 0).sum())].tolist()
            traces.append(
                HopTrace(
                    number + 1,
                    tuple(zip(words, run.plan.attention[row, number][real].tolist(), strict=True)),
                    tuple((run.expander.relations[d // 2], bool(d % 2), float(weights[d])) for d in best),
                    float(run.plan.stop[row, number]),
                    topic,
                )
            )
        return traces

    def _with_sides(
        self, run: Run, ranked: Ranked, rows: Sequence[Sequence[int]], entities: dict[int, Answer]
    ) -> dict[int, Answer]:
        """The same entities, each with what its logit is made of."""
        reading, sided = run.reading, {}
        lowered = unfit(run.reached, reading)
        place_of, around = _around(run, ranked)
        for at, answer in entities.items():
            node = ranked.node[at]
            if bool(around[at]):
                logit = torch.logit(run.scores.log_probability[place_of[at]].double().exp(), eps=1e-6)
                sided[at] = replace(answer, sides={"around": round(float(logit), DIGITS)})
                continue
            keys = torch.stack([make_key(torch.tensor(row), node) for row in rows[int(ranked.question[at])]])
            place = torch.searchsorted(run.reached.key, keys.to(run.reached.key.device))
            least = place[(reading.logits - lowered)[place].argmin()]
            path, graph = float(reading.path[least]), float(reading.graph[least])
            sides = {
                "path": path,
                "slots": graph - path,
                "question": self.question_weight * float(reading.question[least]),
            }
            if reading.of_kind is not None:
                sides["kind"] = 0.0 - float(lowered[least])
            sided[at] = replace(answer, sides={side: round(share, DIGITS) for side, share in sides.items()})
        return sided

    def _expected(self, run: Run, row: int) -> tuple[tuple[str, bool, float], ...]:
        """The relations that fit the kind of answer asked for best."""
        fit = self.question_weight * run.reading.fit[row]
        best = torch.sort(fit, descending=True, stable=True).indices[:EXPECTED].tolist()
        return tuple((run.expander.relations[d // 2], bool(d % 2), round(float(fit[d]), DIGITS)) for d in best)

    def _unlinked(self, one: Linked, seconds: dict[str, float]) -> Response:
        """Nothing in the question names anything in the graph."""
        names = one.unknown or tuple(_capitalised(one.plain))
        near = {entity.name: None for name in names for entity in self.reader.suggest(name, 3)}
        hint = f"Did you mean {', '.join(near)}?" if near else "Put the name in [brackets] to have it looked up."
        notes = topic_notes(one) or ("No name in the question is in the graph.",)
        return Response(one.question, (), notes=(*notes, hint), seconds=seconds)

    def _cut_notes(self, touched: Subgraph) -> tuple[str, ...]:
        total = sum(cut.facts for cut in touched.cut)
        if not total:
            return ()
        budget = f"the budget of {self.budget_edges:,} a hop"
        return (f"{total:,} facts were left out for {budget}; answers may be missing.",)


def _around(run: Run, ranked: Ranked) -> tuple[Tensor, Tensor]:
    """Where each place of the ranking stands in the scores, and whether it was guessed from what is around."""
    scores = run.scores
    keys = make_key(scores.question, scores.node).cpu()
    place = torch.searchsorted(keys, make_key(ranked.question, ranked.node))
    if scores.around is None:
        return place, torch.zeros(len(place), dtype=torch.bool)
    return place, scores.around.cpu()[place]


def with_origins(response: Response, reader: GraphReader) -> Response:
    """The response with where each fact of its evidence comes from; as it is if the store keeps no loads."""
    facts = sorted({fact for answer in response.answers for path in answer.evidence for fact in path.facts})
    if not facts or not isinstance(reader, Provenance):
        return response
    return replace(response, origins=dict(zip(facts, reader.origins(facts), strict=True)))


def subgraph(run: Run, rows: Sequence[int]) -> Subgraph:
    """What the (consecutive) rows of one question touched."""
    parts: list[tuple[Tensor, ...]] = []
    cuts = []
    for number, hop in enumerate(run.reached.hops, 1):
        mine = rows_between(hop.source_key, rows[0], rows[-1])
        edges = torch.nonzero((mine & ~hop.guessed)[hop.edge_group]).squeeze(-1)
        group = hop.edge_group[edges]
        source, target = key_node(hop.source_key[group]), key_node(hop.key[hop.edge_target[edges]])
        parts.append((source, hop.relation[group], target, torch.full_like(group, number), hop.weight[group]))
        cut = (hop.cut_row >= rows[0]) & (hop.cut_row <= rows[-1])
        cuts += [
            Cut(number, run.expander.relations[relation // 2], bool(relation % 2), count)
            for relation, count in zip(hop.cut_relation[cut].tolist(), hop.cut_count[cut].tolist(), strict=True)
        ]
    source, relation, target, number_of_hop, weight = (torch.cat(column).cpu() for column in zip(*parts, strict=True))
    topics = torch.unique(source[number_of_hop == 1])
    nodes = torch.unique(torch.cat([source, target]))
    ids = run.expander.ids(nodes)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    local = torch.empty(len(ids), dtype=torch.int64)
    local[torch.tensor(order, dtype=torch.int64)] = torch.arange(len(ids))

    def place(node: Tensor) -> npt.NDArray[np.int64]:
        at: npt.NDArray[np.int64] = local[torch.searchsorted(nodes, node)].numpy()
        return at

    return Subgraph(
        entities=tuple(ids[i] for i in order),
        relations=run.expander.relations,
        topics=place(topics),
        source=place(source),
        relation=relation.numpy().astype(np.int32),
        target=place(target),
        hop=number_of_hop.numpy(),
        weight=weight.float().numpy(),
        cut=tuple(cuts),
    )


def _capitalised(plain: str) -> list[str]:
    """Runs of capitalised words, the likeliest names in a question; the whole question if there are none."""
    runs: list[list[str]] = [[]]
    for number, word in enumerate(plain.rstrip("?.! ").split()):
        if word[:1].isupper() and number > 0:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    return [" ".join(run) for run in runs if run] or [plain]
