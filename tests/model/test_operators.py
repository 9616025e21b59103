"""Each operator against its formula, written out with loops, on random tensors."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from kgqa.model.config import ModelConfig
from kgqa.model.controller import softened
from kgqa.model.encoder import TokenStates
from kgqa.model.network import ReaderNetwork, log_odds
from kgqa.model.relations import Wordings
from kgqa.model.slots import Memory
from kgqa.model.words import CODE

WIDTH, STATE, KEY, SLOT = 12, 8, 10, 6
SMALL = ModelConfig(encoder_dim=WIDTH, state_dim=STATE, relation_dim=KEY, slot_dim=SLOT, max_hops=3, spelled=True)
SEEDS = [0, 1, 2]
CODES = torch.randn(WIDTH, CODE, generator=torch.Generator().manual_seed(5))


def network(seed: int, **changes: bool) -> ReaderNetwork:
    """Every parameter drawn anew, those that training starts at zero too."""
    torch.manual_seed(seed)
    made = ReaderNetwork(SMALL.model_copy(update=changes)).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.normal_(0, 0.6)
    return made


def padded(seed: int, lengths: list[int]) -> tuple[list[Tensor], Tensor, Tensor]:
    """Token states of each text, the same padded with rubbish, and the mask."""
    torch.manual_seed(100 + seed)
    texts = [torch.randn(n, WIDTH) for n in lengths]
    tokens = torch.randn(len(lengths), max(lengths), WIDTH) * 50
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = text
    return texts, tokens, torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)


def read(states: Tensor, mask: Tensor) -> TokenStates:
    """What an encoder would give; the words by themselves are other numbers than the states."""
    return TokenStates(states, mask, torch.zeros(mask.shape, dtype=torch.int64), by_themselves(states))


def by_themselves(states: Tensor) -> Tensor:
    """Words made of states: as wide as these, and then a code."""
    return torch.cat([states.roll(1, -1), states @ CODES], -1)


def spelt(texts: Tensor) -> Tensor:
    """Relation texts with codes."""
    return torch.cat([texts, texts @ CODES.flip(0)], -1)


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_attention_every_hop_reads_the_mean_of_the_real_tokens(seed: int) -> None:
    texts, tokens, mask = padded(seed, [3, 7, 1])
    plan = network(seed, token_attention=False).plan(read(tokens, mask))
    for row, text in enumerate(texts):
        for hop in range(3):
            assert close(plan.context[row, hop], text.mean(0))
    assert not close(plan.query[:, 0], plan.query[:, 1])
    assert not close(network(seed).plan(read(tokens, mask)).context, plan.context)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_distribution_over_the_hops_for_all_questions(seed: int) -> None:
    _, tokens, mask = padded(seed, [3, 7, 1])
    own, one = network(seed), network(seed, question_stop=False)
    assert own.controller.one_stop is None
    assert one.controller.one_stop is not None
    assert not close(*own.plan(read(tokens, mask)).stop[:2])
    stop = one.plan(read(tokens, mask)).stop
    assert close(stop, one.controller.one_stop.softmax(-1).expand(3, -1))
    assert close(stop.sum(-1), torch.ones(3))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_controller_reads_real_tokens_by_its_formula(seed: int) -> None:
    control = network(seed).controller
    texts, tokens, mask = padded(seed, [3, 7, 1, 5])
    plan = control(tokens, mask, by_themselves(tokens))
    assert bool((plan.attention.transpose(1, 2)[~mask] == 0).all())
    assert close(plan.attention.sum(-1), torch.ones(4, 3))
    assert close(plan.stop.sum(-1), torch.ones(4))
    for row, text in enumerate(texts):
        state = pooled = torch.tanh(control.start(text.mean(0)))
        stops = []
        for hop in range(3):
            scores = [float(control.ask(state) @ control.keys(token)) / math.sqrt(STATE) for token in text]
            attention = torch.tensor(scores).softmax(0)
            context = (attention.unsqueeze(1) * text).sum(0)
            taken = torch.tanh(control.take(context))
            state = control.cell(taken.unsqueeze(0), state.unsqueeze(0))[0]
            both = torch.cat([state, taken])
            assert close(plan.attention[row, hop, : len(text)], attention)
            assert close(plan.context[row, hop], context)
            assert close(plan.words[row, hop], by_themselves(context))
            assert close(plan.state[row, hop], state)
            assert close(plan.query[row, hop], control.query(both))
            assert close(plan.back[row, hop], control.back(both).sigmoid()[0])
            stops.append(control.stop(torch.cat([state, pooled])))
        assert close(plan.stop[row], torch.cat(stops).softmax(0))
        assert close(plan.pooled[row], pooled)


def test_rows_of_a_plan_are_taken_and_frozen() -> None:
    reader = network(0).requires_grad_(True)
    _, tokens, mask = padded(0, [3, 4])
    plan = reader.plan(read(tokens.requires_grad_(), mask))
    again = plan.take(torch.tensor([1, 0, 1]))
    assert torch.equal(again.words, plan.words[[1, 0, 1]])
    assert torch.equal(again.query, plan.query[[1, 0, 1]])
    assert torch.equal(again.attention, plan.attention[[1, 0, 1]])
    held = plan.frozen(torch.tensor([True, False]))
    assert torch.equal(held.state, plan.state)
    total = held.query.sum() + held.words.sum() + held.stop[:, 0].sum() + held.attention[:, 0, 0].sum()
    (gradient,) = torch.autograd.grad(total, tokens)
    assert gradient[0].abs().sum() == 0
    assert gradient[1].abs().sum() > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_relations_are_scored_by_their_words(seed: int) -> None:
    reader = network(seed)
    score = reader.relations
    assert score.words_weight is not None
    assert score.spelled_weight is not None
    _, tokens, mask = padded(seed, [3, 6])
    plan, text = reader.plan(read(tokens, mask)), torch.randn(8, WIDTH)
    table = score.table(spelt(text))
    for hop in range(3):
        got = score(plan, hop, table)
        assert got.shape == (2, 9)
        for row in range(2):
            query, context = plan.query[row, hop], plan.context[row, hop]
            alone, code = plan.words[row, hop, :WIDTH], plan.words[row, hop, WIDTH:]
            for directed in range(8):
                transform = score.inverse_key if directed % 2 else score.forward_key
                key = transform(text[directed] / text[directed].norm() * math.sqrt(WIDTH))
                assert close(table.key[directed], key)
                cosine = context @ text[directed] / context.norm() / text[directed].norm()
                like = alone @ text[directed] / alone.norm() / text[directed].norm()
                said = table.text[directed, WIDTH:]
                same = code @ said / code.norm() / said.norm()
                likeness = score.cosine_weight * cosine + score.words_weight * like + score.spelled_weight * same
                assert close(got[row, directed], query @ key / math.sqrt(KEY) + likeness)
            assert close(got[row, -1], score.none(query)[0] + 0.3 * (score.cosine_weight + score.words_weight))


def test_without_words_alone_there_is_no_weight_for_them_and_they_are_not_read() -> None:
    reader = network(1, words_alone=False, spelled=False)
    assert not {"relations.words_weight", "relations.spelled_weight"} & set(reader.state_dict())
    _, tokens, mask = padded(1, [3, 6])
    one, table = read(tokens, mask), reader.relations.table(spelt(torch.randn(4, WIDTH)))
    other = replace(one, words=torch.randn(one.words.shape))
    assert close(reader.relations(reader.plan(one), 1, table), reader.relations(reader.plan(other), 1, table))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_relation_said_in_several_ways_scores_as_the_best_of_them(seed: int) -> None:
    reader = network(seed, wordings=True)
    _, tokens, mask = padded(seed, [3, 6])
    plan = reader.plan(read(tokens, mask))
    own, others, of = spelt(torch.randn(4, WIDTH)), spelt(torch.randn(5, WIDTH)), [0, 3, 3, 0, 1]
    table = reader.relations.table(own, Wordings(others, torch.tensor(of)))
    expected = reader.relations(plan, 1, reader.relations.table(own)).clone()
    for text, relation in zip(others, of, strict=True):
        with_it = own.clone()  # the same relation, called so alone
        with_it[relation] = text
        alone = reader.relations(plan, 1, reader.relations.table(with_it))
        expected[:, relation] = torch.maximum(expected[:, relation], alone[:, relation])
    assert close(reader.relations(plan, 1, table), expected)
    none = Wordings(others[:0], torch.tensor(of)[:0])
    assert reader.relations.table(own, none).other is None


def test_what_is_spelt_alike_is_told_from_what_means_the_same() -> None:
    reader = network(2)
    assert reader.relations.spelled_weight is not None
    reader.relations.spelled_weight.data.fill_(5.0)
    _, tokens, mask = padded(2, [3])
    plan = reader.plan(read(tokens, mask))
    text = torch.randn(WIDTH).expand(4, -1)
    code = torch.stack([plan.words[0, 0, WIDTH:] * 7, *torch.randn(3, CODE)])
    logits = reader.relations(plan, 0, reader.relations.table(torch.cat([text, code], -1)))[0]
    assert float(logits[0] - logits[2]) > 3.5  # both from head to tail
    without = network(2, spelled=False)
    one, other = (without.relations(plan, 0, without.relations.table(text))[0, at] for at in (0, 2))
    assert close(one, other)


@pytest.mark.parametrize("absent", [True, False])
def test_only_what_is_offered_is_followed_and_none_takes_its_share_and_that_of_what_is_absent(absent: bool) -> None:
    reader = network(3, absent=absent)
    _, tokens, mask = padded(3, [3, 6, 2])
    plan, table = reader.plan(read(tokens, mask)), reader.relations.table(spelt(torch.randn(4, WIDTH)))
    offered = torch.tensor([[True, False, True, True], [True, True, True, True], [False] * 4])
    weights = reader.follow(plan, 1, table, offered)
    assert bool((weights[~offered] == 0).all())
    logits = reader.relations(plan, 1, table).exp()
    counts = reader.relations.absent_weight.exp() if reader.relations.absent_weight is not None else 0.0
    assert bool(counts) == absent
    for row in range(3):
        none = logits[row, -1] + counts * logits[row, :-1][~offered[row]].sum()
        total = logits[row, :-1][offered[row]].sum() + none
        assert close(weights[row][offered[row]], logits[row, :-1][offered[row]] / total)
    assert float(weights[2].sum()) == 0
    assert ("relations.absent_weight" in reader.state_dict()) == absent


def test_a_relation_that_is_asked_for_and_absent_is_missed_and_one_of_the_same_words_is_followed() -> None:
    reader = network(3)
    for weight, value in zip(
        (reader.relations.words_weight, reader.relations.absent_weight, reader.relations.none.bias),
        (10.0, -3.0, -3.0),
        strict=True,
    ):
        assert weight is not None
        weight.data.fill_(value)
    _, tokens, mask = padded(3, [3])
    plan = reader.plan(read(tokens, mask))
    asked = 40 * plan.words[0, 0, :WIDTH]
    other = torch.randn(WIDTH)
    other -= (other @ asked) / (asked @ asked) * asked
    text = torch.stack([asked, asked, other, other])
    table = reader.relations.table(spelt(text))
    logits = reader.relations(plan, 0, table)
    assert float(logits[0, :2].min() - logits[0, 2:4].max()) > 4  # else there is nothing to be told apart
    missed = reader.follow(plan, 0, table, torch.tensor([[False, False, True, True]]))
    assert float(missed.sum()) < 0.3
    followed = reader.follow(plan, 0, table, torch.tensor([[True, False, True, True]]))
    assert float(followed[0, 0]) > 0.5


def test_where_nothing_is_absent_gradients_are_finite() -> None:
    reader = network(3).requires_grad_(True)
    _, tokens, mask = padded(3, [3, 6])
    plan, table = reader.plan(read(tokens, mask)), reader.relations.table(spelt(torch.randn(4, WIDTH)))
    for offered in (torch.ones(2, 4, dtype=torch.bool), torch.zeros(2, 4, dtype=torch.bool)):
        weights = reader.follow(plan, 0, table, offered)
        used = [p for p in reader.relations.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(weights.sum(), used, retain_graph=True, materialize_grads=True)
        assert all(bool(g.isfinite().all()) for g in gradients)


def test_a_frozen_row_learns_only_when_to_take_none() -> None:
    reader = network(4).requires_grad_(True)
    _, tokens, mask = padded(4, [3, 6])
    plan, text = reader.plan(read(tokens, mask)), torch.randn(4, WIDTH)
    learned = []
    for frozen in ([True, True], [False, True]):
        table = reader.relations.table(spelt(text))
        offered = torch.ones(2, 4, dtype=torch.bool)
        weights = reader.follow(plan, 0, table, offered, None, torch.tensor(frozen))
        assert torch.equal(weights, reader.follow(plan, 0, table, offered))
        wanted = (table.key, reader.relations.none.bias)
        learned.append(torch.autograd.grad(weights[:, 0].sum(), wanted, retain_graph=True, materialize_grads=True))
    assert [bool(key.abs().sum() > 0) for key, _ in learned] == [False, True]
    assert all(bool(none.abs().sum() > 0) for _, none in learned)


def test_softened_logits_have_a_spread_of_one_at_most_and_the_gradient_of_the_logits_given() -> None:
    given = torch.tensor([[40.0, 0.0, -40.0, 7.0], [0.3, 0.1, 0.2, 90.0]], requires_grad=True)
    allowed = torch.tensor([[True, True, True, False], [True, True, True, False]])
    made = softened(given, allowed)
    assert [row[:3].std(correction=0).item() for row in made.detach()] == pytest.approx([1, math.sqrt(0.02 / 3)])
    assert made[0, :3].tolist() == pytest.approx([math.sqrt(1.5), 0, -math.sqrt(1.5)])
    assert made[1, :3].tolist() == pytest.approx([0.1, -0.1, 0.0], abs=1e-6)
    (gradient,) = torch.autograd.grad((made * torch.arange(8.0).view(2, 4)).sum(), given)
    assert torch.equal(gradient, torch.arange(8.0).view(2, 4))


def test_a_softened_plan_takes_every_number_of_hops_and_a_softened_choice_every_relation() -> None:
    reader = network(3)
    _, tokens, mask = padded(3, [3, 6, 2])
    plan = reader.plan(read(tokens, mask))
    sure = torch.tensor([1e-20, 1.0, 1e-38])
    soft = replace(plan, stop=sure.expand(3, 3)).softened()
    assert bool((soft.stop > 0.05).all())
    assert close(soft.stop.sum(-1), torch.ones(3))
    with torch.no_grad():
        reader.relations.forward_key.weight.mul_(1000)
    table = reader.relations.table(spelt(torch.randn(4, WIDTH)))
    offered = torch.tensor([[True, False, True, True], [True, True, True, True], [True, False, False, False]])
    weights = reader.follow(plan, 1, table, offered, soften=True)
    assert bool((weights[~offered] == 0).all())
    assert bool((weights[offered] > 0.01).all())
    assert bool((weights.sum(-1) < 1).all())
    assert float(reader.follow(plan, 1, table, offered)[offered].min()) < 1e-4


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("read_gate", "write_gate"), [(True, True), (False, True), (True, False), (False, False)])
def test_slots_of_several_rows_are_written_by_the_formula(seed: int, read_gate: bool, write_gate: bool) -> None:
    writer = network(seed, read_gate=read_gate, write_gate=write_gate).writer
    group_row, target_row = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 0, 1, 1])
    source, key, old = torch.randn(5, SLOT), torch.randn(5, KEY), torch.randn(4, SLOT)
    old[1] = 0  # not reached before
    weight, state = torch.rand(5) + 0.01, torch.randn(2, STATE)
    edge_group, edge_target = torch.tensor([0, 0, 1, 2, 3, 4, 4]), torch.tensor([0, 1, 0, 2, 2, 2, 3])
    got, gates = writer(source, key, group_row, weight, edge_group, edge_target, old, target_row, state)
    for v in range(4):
        mean, total = torch.zeros(SLOT), 0.0
        for g, target in zip(edge_group.tolist(), edge_target.tolist(), strict=True):
            if target == v:
                linear = writer.from_slot(source[g]) + writer.from_relation(key[g])
                mean = mean + weight[g] * torch.relu(linear + writer.from_state(state[group_row[g]]))
                total += float(weight[g])
        mean = mean / total
        both = (writer.gates(torch.cat([old[v], mean])) + writer.gates_state(state[target_row[v]])).sigmoid()
        read = both[:SLOT] if read_gate else torch.ones(SLOT)
        write = both[SLOT:] if write_gate else torch.ones(SLOT)
        assert close(gates.read[v], read)
        assert close(gates.write[v], write)
        assert close(got[v], read * old[v] + write * torch.tanh(mean))
    order = torch.tensor([5, 3, 0, 6, 1, 4, 2])
    shuffled, _ = writer(source, key, group_row, weight, edge_group[order], edge_target[order], old, target_row, state)
    assert close(shuffled, got)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reader_attends_to_the_slots_of_its_row(seed: int) -> None:
    reader = network(seed).reader
    slots, odds, question = torch.randn(6, SLOT), torch.randn(6) * 5, torch.randn(3, 2 * STATE)
    row = torch.tensor([0, 0, 0, 2, 2, 2])  # nothing was reached from row 1
    corrections, attention = reader(slots, row, odds, question)
    assert attention.shape == (SMALL.read_hops, 6)
    for number in (0, 2):
        own = row == number
        assert close(attention[:, own].sum(-1), torch.ones(SMALL.read_hops))
        read = reader.start(question[number])
        for hop in range(SMALL.read_hops):
            share = (slots[own] @ reader.ask[hop](read) / math.sqrt(SLOT)).softmax(0)
            assert close(attention[hop, own], share)
            read = read + torch.tanh(reader.take[hop](share @ slots[own]))
        for at in torch.nonzero(own).squeeze(-1).tolist():
            said = reader.from_slot(slots[at]) + reader.from_read(read) + reader.from_score(odds[at : at + 1] / 10)
            assert close(corrections[at], reader.out(torch.relu(said))[0])


def test_training_starts_from_the_path_scores() -> None:
    corrections, _ = ReaderNetwork(SMALL).reader(
        torch.randn(2, SLOT), torch.tensor([0, 0]), torch.randn(2), torch.randn(1, 2 * STATE)
    )
    assert corrections.tolist() == [0, 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_question_side_is_the_mean_fit_of_the_relations_around(seed: int) -> None:
    fusion = network(seed).fusion
    question, keys = torch.randn(2, 2 * STATE), torch.randn(4, KEY)
    row, around = torch.tensor([0, 0, 1, 1]), [[0, 3], [], [1, 2, 3], [2]]
    owner = torch.tensor([at for at, own in enumerate(around) for _ in own])
    relation = torch.tensor([directed for own in around for directed in own])
    got = fusion.prior(fusion.fit(question, keys), row, owner, relation)
    for at, own in enumerate(around):
        fits = [float(fusion.asked(question[row[at]]) @ fusion.kind(keys[d])) / math.sqrt(SLOT) for d in own]
        assert float(got[at]) == pytest.approx(sum(fits) / max(1, len(fits)), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("question_side", "graph_side"), [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize("slots", [True, False])
def test_the_switches_take_their_parts_out_of_the_logits(question_side: bool, graph_side: bool, slots: bool) -> None:
    reader = network(5, question_side=question_side, graph_side=graph_side, slots=slots)
    _, tokens, mask = padded(5, [3, 6])
    plan, table = reader.plan(read(tokens, mask)), reader.relations.table(spelt(torch.randn(4, WIDTH)))
    row, mass = torch.tensor([0, 1, 1]), torch.tensor([0.0, 0.3, 1.0])
    memory = Memory(torch.randn(3, SLOT), row, torch.arange(3)) if slots else None
    around = torch.tensor([0, 1, 2]), torch.tensor([0, 3, 1])
    got = reader.read(plan, table, row, mass, memory, *around)
    question = torch.cat([plan.pooled, plan.state[:, -1]], -1)
    graph, prior = log_odds(mass), torch.zeros(3)
    if memory is not None:
        correction, attention = reader.reader(memory.slots, row, graph, question)
        graph = graph + correction
        assert torch.equal(got.attention, attention)
    else:
        assert got.attention.shape == (0, 3)
    if question_side:
        prior = reader.fusion.prior(reader.fusion.fit(question, table.key), row, *around)
    weight = math.log1p(math.exp(float(reader.fusion.raw_weight)))
    assert close(got.path, log_odds(mass))
    assert close(got.graph, graph)
    assert got.fit.shape == (2, 4 if question_side else 0)
    assert close(got.question, prior)
    assert close(got.logits, graph * graph_side + weight * prior)
    assert float(reader.fusion.weight) == pytest.approx(weight)


def test_log_odds_are_finite_at_both_ends_and_undo_the_sigmoid_between() -> None:
    ends = log_odds(torch.tensor([0.0, 1.0]))
    assert ends.tolist() == pytest.approx([-13.8, 13.8], abs=0.1)
    between = torch.linspace(0.01, 0.99, 99)
    assert close(log_odds(between).sigmoid(), between)
    mass = torch.tensor([0.0, 1.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(log_odds(mass).sum(), mass)
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("seed", SEEDS)
def test_topics_are_scored_from_real_tokens_the_mention_and_its_share(seed: int) -> None:
    topic = network(seed).topic
    texts, tokens, mask = padded(seed, [4, 6])
    mention, share = torch.zeros(2, 6, dtype=torch.bool), torch.tensor([0.25, 0.5])
    mention[0, 1:3] = True  # nothing stands for the mention in the second
    got = topic(tokens, mask, mention, share)
    for row, text in enumerate(texts):
        meant = text[1:3].mean(0) if row == 0 else torch.zeros(WIDTH)
        hidden = topic.hidden(torch.cat([text.mean(0), meant, share[row : row + 1]]))
        assert close(got[row], topic.out(torch.tanh(hidden))[0])


def test_wrong_shapes_and_types_are_refused() -> None:
    reader = network(0)
    _, tokens, mask = padded(0, [3, 4])
    with pytest.raises(TypeCheckError):
        reader.controller(tokens, mask[:, :-1], tokens)
    with pytest.raises(TypeCheckError):
        reader.controller(tokens, mask.float(), tokens)
    with pytest.raises(TypeCheckError):
        reader.fusion(torch.zeros(3), torch.zeros(2))
