"""Guessed facts: what lies around a node, what is learned from it, and what the reader makes of it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from pydantic import ValidationError

from graph_schema import Fact
from kgqa.answering import Answerer
from kgqa.cli.render import response_lines
from kgqa.data.graph import thinned
from kgqa.data.questions import Question
from kgqa.linking import split_brackets
from kgqa.model.checkpoint import Checkpoint
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.links import LinkPredictor, Surroundings
from kgqa.model.network import ReaderNetwork
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.guesses import LinkGuesser
from kgqa.retrieval.surroundings import kinds, surroundings
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.links import LinkTraining
from kgqa.training.session import train
from tests.sets import graph

SMALL = ModelConfig(state_dim=32, relation_dim=32, slot_dim=16, max_hops=1, link_channels=8, guess=True)
WORKERS, FIRMS, CITIES = 90, 18, 6


def world() -> tuple[list[Fact], list[Fact]]:
    """Most live where their firm lies, and of every third that isn't said: what is said, and what isn't."""
    said: list[Fact] = []
    missing: list[Fact] = []
    for firm in range(FIRMS):
        said.append(Fact(f"Firm {firm}", "located in", f"City {firm % CITIES}"))
    for worker in range(WORKERS):
        firm = worker * 7 % FIRMS
        said.append(Fact(f"Worker {worker}", "works for", f"Firm {firm}"))
        elsewhere = worker % 7 == 3
        home = Fact(f"Worker {worker}", "lives in", f"City {(firm + elsewhere) % CITIES}")
        (missing if worker % 3 == 0 else said).append(home)
    return said, missing


SAID, MISSING = world()


def usual(fact: Fact) -> bool:
    """Whether somebody lives where their firm lies."""
    return int(fact.head.split()[1]) % 7 != 3


def random_graph(seed: int) -> Snapshot:
    rng = Random(seed)
    return graph(Fact(f"e{rng.randrange(12)}", rng.choice(["r", "s", "t"]), f"e{rng.randrange(12)}") for _ in range(30))


def met(snapshot: Snapshot, around: Surroundings) -> list[dict[str, list[float]]]:
    """For each query the chances to be at each candidate after each step, as the edges of the steps say."""
    mass = torch.ones(len(around.asked))
    chances = []
    for step in around.steps:
        mass = torch.zeros(step.size).index_add(0, step.target, mass[step.source] * step.chance)
        chances.append(torch.cat([mass, torch.zeros(1)]))
    found: list[dict[str, list[float]]] = [{} for _ in around.asked]
    for at, (query, id_) in enumerate(zip(around.query.tolist(), snapshot.ids_of(around.node.numpy()), strict=True)):
        found[query][id_] = [float(chances[t][around.found[t, at]]) for t in range(len(around.steps))]
    return found


@pytest.mark.parametrize("seed", range(8))
def test_chances_are_those_of_a_random_walk_and_candidates_are_new_and_of_a_kind(seed: int) -> None:
    snapshot = random_graph(seed)
    relations, facts = snapshot.relations(), sorted(snapshot.all_facts())
    edges = [(f.head, 2 * relations.index(f.relation), f.tail) for f in facts]
    edges += [(tail, relation + 1, head) for head, relation, tail in edges]
    ends: dict[str, dict[int, list[str]]] = {}
    for source, relation, target in edges:
        ends.setdefault(source, {}).setdefault(relation, []).append(target)
    has = [{node for node, own in ends.items() if relation in own} for relation in range(2 * len(relations))]
    expander = SnapshotExpander(snapshot)
    kind = kinds(expander.group_start, expander.group_relation, len(has))
    for a, own in enumerate(has):
        for b, other in enumerate(has):
            assert float(kind[a, b]) == pytest.approx(len(own & other) / len(own))

    pairs = [(id_, relation) for id_ in sorted(ends) for relation in range(len(has))]
    nodes = expander.nodes([id_ for id_, _ in pairs])
    found = met(snapshot, surroundings(expander, kind, nodes, torch.tensor([r for _, r in pairs])))
    for (start, asked), candidates in zip(pairs, found, strict=True):
        after = [{start: 1.0}]
        for _ in range(3):
            reached: dict[str, float] = {}
            for node, chance in after[-1].items():
                for far in ends[node].values():
                    for end in far:
                        reached[end] = reached.get(end, 0.0) + chance / len(far)
            after.append(reached)
        fitting = {
            node
            for reached in after[1:]
            for node in reached
            if node != start
            and node not in ends[start].get(asked, ())
            and any(float(kind[own, asked ^ 1]) >= 0.3 for own in ends[node])
        }
        assert candidates.keys() == fitting
        for node, chances in candidates.items():
            assert chances == pytest.approx([reached.get(node, 0.0) for reached in after[1:]], rel=1e-5)


def test_a_graph_whose_facts_are_hidden_is_the_graph_without_them() -> None:
    whole = random_graph(3)
    expander = SnapshotExpander(whole)
    facts = sorted(whole.all_facts())
    left = [fact for at, fact in enumerate(facts) if at % 3]
    relations = whole.relations()
    kept = torch.zeros(len(expander.edge_target), dtype=torch.bool)
    at = 0
    for node, id_ in enumerate(whole.ids_of(torch.arange(len(expander.group_start) - 1).numpy())):
        for group in range(int(expander.group_start[node]), int(expander.group_start[node + 1])):
            relation = int(expander.group_relation[group])
            for end in whole.ids_of(
                expander.edge_target[int(expander.edge_start[group]) : int(expander.edge_start[group + 1])].numpy()
            ):
                head, tail = (end, id_) if relation % 2 else (id_, end)
                kept[at] = Fact(head, relations[relation // 2], tail) in left
                at += 1
    hidden = expander.keeping(kept)
    assert at == len(kept)
    still = set()
    for id_ in sorted({end for fact in facts for end in (fact.head, fact.tail)}):
        groups = hidden.offer(hidden.nodes([id_]))
        assert bool((groups.count > 0).all())
        edge, target = hidden.expand(groups.handle, groups.count)
        for relation, end in zip(groups.relation[edge].tolist(), hidden.ids(target), strict=True):
            if relation % 2 == 0:
                still.add(Fact(id_, relations[relation // 2], end))
    assert still == set(left)
    assert len(expander.edge_target) == len(kept)  # the whole graph is as it was


@pytest.fixture(scope="module")
def taught(encoder: Encoder) -> tuple[Snapshot, SnapshotExpander, torch.Tensor, LinkPredictor]:
    snapshot = graph(SAID)
    expander = SnapshotExpander(snapshot)
    text = encoder.relation_texts(snapshot.schema(), snapshot.relations())
    torch.manual_seed(0)
    links = LinkPredictor(SMALL)
    losses = [*LinkTraining(60, 48, 0.4, seed=0).steps_on(links, expander, text)]
    assert len(losses) == 60
    return snapshot, expander, text, links


def first_guesses(guesser: LinkGuesser, snapshot: Snapshot, facts: list[Fact]) -> list[tuple[str, float]]:
    """The likeliest end of each fact's head and relation, and its probability; nothing guessed: an empty id."""
    node = torch.from_numpy(snapshot.index_of([fact.head for fact in facts]))
    relation = torch.tensor([2 * snapshot.relations().index(fact.relation) for fact in facts])
    found = guesser.guess(node, relation)
    best = [("", 0.0)] * len(facts)
    for query, end, probability in zip(
        found.query.tolist(), snapshot.ids_of(found.node.numpy()), found.probability.tolist(), strict=True
    ):
        if probability > best[query][1]:
            best[query] = (end, probability)
    return best


def test_what_the_rest_implies_is_learned_from_the_graph_alone(
    taught: tuple[Snapshot, SnapshotExpander, torch.Tensor, LinkPredictor],
) -> None:
    snapshot, expander, text, links = taught
    found = first_guesses(LinkGuesser(links, text, expander), snapshot, MISSING)
    right = [end == fact.tail for (end, _), fact in zip(found, MISSING, strict=True)]
    assert right == [*map(usual, MISSING)]
    assert all(0.6 < probability < 0.999 for _, probability in found)


def test_guesses_are_the_same_alone_together_and_again(
    taught: tuple[Snapshot, SnapshotExpander, torch.Tensor, LinkPredictor],
) -> None:
    snapshot, expander, text, links = taught
    guesser = LinkGuesser(links, text, expander)
    alone = [first_guesses(LinkGuesser(links, text, expander), snapshot, [fact])[0] for fact in MISSING[:6]]
    first_guesses(guesser, snapshot, MISSING[4:9])
    for _ in range(2):
        together = first_guesses(guesser, snapshot, MISSING[:6])
        assert [end for end, _ in together] == [end for end, _ in alone]
        assert [p for _, p in together] == pytest.approx([p for _, p in alone], abs=1e-5)


@pytest.mark.parametrize("switch", ["read_gate", "write_gate"])
def test_gates_can_be_switched_off(
    switch: str, taught: tuple[Snapshot, SnapshotExpander, torch.Tensor, LinkPredictor]
) -> None:
    _, expander, text, links = taught
    other = LinkPredictor(SMALL.model_copy(update={switch: False}))
    other.load_state_dict(links.state_dict())
    kind = kinds(expander.group_start, expander.group_relation, len(text))
    around = surroundings(expander, kind, torch.arange(20), torch.zeros(20, dtype=torch.int64))
    with torch.inference_mode():
        assert not torch.allclose(links(links.keys(text), around), other(other.keys(text), around))


@pytest.mark.parametrize("length", [3, 4, 5])
def test_walks_go_as_far_as_they_are_asked_to(length: int) -> None:
    chain = [Fact(f"n{at}", "next", f"n{at + 1}") for at in range(8)]
    snapshot = graph(chain)
    expander = SnapshotExpander(snapshot)
    kind = kinds(expander.group_start, expander.group_relation, 2)
    start = expander.nodes(["n0"])
    found = surroundings(expander, kind, start, torch.tensor([0]), start=torch.tensor([0]), length=length)
    assert len(found.steps) == len(found.found) == length
    assert {snapshot.id_of(node) for node in found.node.tolist()} == {f"n{at}" for at in range(1, length + 1)}
    two = surroundings(expander, kind, start, torch.tensor([0]), start=torch.tensor([0]), length=length, most=2)
    assert len(two.node) == 2
    assert set(two.node.tolist()) < set(found.node.tolist())


# ---- the reader


def questions() -> list[Question]:
    """Where every worker lives, and who lives in the cities; answers are those of the world, said or not."""
    asked = []
    for fact in sorted((*SAID, *MISSING)):
        if fact.relation == "lives in":
            asked.append(Question(*split_brackets(f"where does [{fact.head}] live"), (fact.tail,)))
        if fact.relation == "works for":
            asked.append(Question(*split_brackets(f"who does [{fact.head}] work for"), (fact.tail,)))
    return asked


@pytest.fixture(scope="module")
def answerer(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    everything = questions()
    Random(0).shuffle(everything)
    config = TrainConfig(
        model=SMALL, steps=120, batch_size=32, warmup=5, evaluate_every=40, learning_rate=5e-3, link_steps=60,
        link_queries=48, link_hidden=0.4, hide_share=0.0, unknown_share=0.0,
    )  # fmt: skip
    snapshot = graph(SAID)
    run: Path = tmp_path_factory.mktemp("guessing")
    checkpoint = train(config, encoder, snapshot, everything[::2], everything[1::2], run)
    return Answerer(snapshot, checkpoint, encoder)


def test_what_is_guessed_is_said_to_be_and_has_no_path(answerer: Answerer) -> None:
    right = 0
    for fact in [*filter(usual, MISSING)][:10]:
        response = answerer.ask(f"where does [{fact.head}] live")
        assert all(answer.supposed and not answer.evidence for answer in response.answers)
        if response.answers and response.answers[0].entity.id == fact.tail:
            right += 1
            assert response.answers[0].supposed == (fact,)
            assert response.as_dict()["answers"][0]["guessed"] is True
            assert "a guess" in "\n".join(response_lines(response, top=3))
            assert response.subgraph is not None
            assert fact not in response.subgraph.facts()
    assert right >= 7


def test_what_the_graph_says_is_proven_and_surer(answerer: Answerer) -> None:
    said = [fact for fact in SAID if fact.relation == "lives in" and usual(fact)][:10]
    sure = [answerer.ask(f"where does [{fact.head}] live").answers[0] for fact in said]
    assert [answer.entity.id for answer in sure] == [fact.tail for fact in said]
    for answer, fact in zip(sure, said, strict=True):
        assert not answer.supposed
        assert [path.facts for path in answer.evidence] == [(fact,)]
        assert answer.evidence[0].holds
    guessed = [
        a.score for fact in MISSING for a in answerer.ask(f"where does [{fact.head}] live").answers if a.supposed
    ]
    assert guessed
    assert max(guessed) < min(answer.score for answer in sure)


def test_guesses_change_nothing_where_facts_answer(answerer: Answerer) -> None:
    asked = [f"where does [{fact.head}] live" for fact in (*SAID, *MISSING) if fact.relation == "lives in"]
    together = answerer.ask_many(asked)
    snapshot = answerer.reader
    assert isinstance(snapshot, Snapshot)
    expander = answerer.expander(snapshot)
    guesser, expander.guesser = expander.guesser, None
    try:
        by_facts = answerer.ask_many(asked, snapshot)
    finally:
        expander.guesser = guesser
    known = [one for one in by_facts if one.answers]
    assert 20 <= len(known) < len(asked)
    for one, other in zip(by_facts, together, strict=True):
        if one.answers:
            assert [(a.entity.id, a.score) for a in other.answers] == [(a.entity.id, a.score) for a in one.answers]
        else:
            assert all(answer.supposed for answer in other.answers)


def test_without_slots_nothing_is_guessed(answerer: Answerer, encoder: Encoder) -> None:
    config = answerer.checkpoint.config
    own = ModelConfig.model_validate({**config.model.model_dump(), "slots": False})
    assert not own.guesses
    network = type(answerer.network)(own)
    state = {k: v for k, v in answerer.network.state_dict().items() if not k.startswith("links.")}
    network.load_state_dict(state)
    network.eval().requires_grad_(False)
    plain = Checkpoint(network, config.model_copy(update={"model": own}))
    without = Answerer(answerer.reader, plain, encoder)
    for fact in MISSING[:5]:
        assert not any(answer.supposed for answer in without.ask(f"where does [{fact.head}] live").answers)


def test_a_graph_is_thinned_evenly_by_seed() -> None:
    whole = graph([*SAID, *MISSING])
    half = thinned(whole, 0.5, 3)
    kept = set(half.all_facts())
    assert kept < set(whole.all_facts())
    for relation in whole.relations():
        of = [fact for fact in whole.all_facts() if fact.relation == relation]
        assert sum(fact in kept for fact in of) == round(len(of) / 2)
    assert set(thinned(whole, 0.5, 3).all_facts()) == kept
    assert set(thinned(whole, 0.5, 4).all_facts()) != kept


def test_guesses_without_slots_are_refused_where_something_is_trained() -> None:
    bare = SMALL.model_copy(update={"slots": False})
    with pytest.raises(ValidationError, match="guess: facts are guessed from slots, and slots is off"):
        TrainConfig(model=bare)
    assert TrainConfig(model=bare.model_copy(update={"guess": False})).model.guesses is False
    # A reader that was trained so before is what it always was: one that guesses nothing.
    assert ReaderNetwork(bare).links is None
