"""The parts of training: batches, loss, dev scores, prepared questions; what a run refuses to go on with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_schema import Batch, CheckpointError, Entity, Fact, InputError, Schema
from kgqa.data import Question
from kgqa.linking import split_brackets
from kgqa.model.config import ModelConfig
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.retrieval.walk import Budget, walk
from kgqa.stores import open_store
from kgqa.stores.snapshot import Snapshot
from kgqa.training.config import TrainConfig
from kgqa.training.prepare import Prepared, Ragged, TextStates, answer_nodes, prepare
from kgqa.training.selection import Scored, judge
from kgqa.training.trainer import Progress, Trainer, batch_at
from kgqa.training.unanswerable import UNKNOWN_TEXTS
from kgqa.training.unknown_words import UNLIKE, unknown_words
from tests.model import small_run
from tests.model.said import nodes, probabilities, scores

CONFIG = TrainConfig(
    model=ModelConfig(state_dim=32, relation_dim=32, slot_dim=16, max_hops=2),
    steps=12,
    batch_size=16,
    warmup=2,
    evaluate_every=4,
    hide_share=0.3,
)
NAMES = [f"Person {chr(65 + i)}" for i in range(20)]


def ask(text: str, *answers: str) -> Question:
    return Question(*split_brackets(text), answers)


QUESTIONS = [ask(f"where does [{name}] live", f"Town {i % 5}") for i, name in enumerate(NAMES)] + [
    ask(f"in which country does [{name}] live", f"Country {i % 5 % 2}") for i, name in enumerate(NAMES)
]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('towns')}/towns.db", create=True)
    store.migrate(Schema())
    lives = [Fact(name, "lives_in", f"Town {i % 5}") for i, name in enumerate(NAMES)]
    lies = [Fact(f"Town {i}", "located_in", f"Country {i % 2}") for i in range(5)]
    twins = [Entity("t1", "Twin"), Entity("t2", "Twin", aliases=("Person A's twin",))]
    store.write(Batch(twins, [*lives, *lies, Fact("t1", "knows", "t2")]))
    store.finish()
    yield Snapshot.build(store)
    store.close()


@pytest.fixture(scope="module")
def data(snapshot: Snapshot) -> tuple[Prepared, Prepared]:
    return prepare(QUESTIONS[:32], snapshot, mentions_of=32), prepare(QUESTIONS[32:], snapshot)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_has_no_question_twice_and_leaves_out_less_than_a_batch(
    size: int, batch: int, seed: int, epoch: int
) -> None:
    batch = min(size, batch)
    steps = range(epoch * (size // batch), (epoch + 1) * (size // batch))
    drawn = torch.cat([batch_at(step, size, batch, seed) for step in steps]).tolist()
    assert len(drawn) == size // batch * batch
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(range(size))


def test_epochs_and_seeds_differ_and_a_step_is_always_the_same() -> None:
    assert batch_at(7, 100, 10, 0).tolist() == batch_at(7, 100, 10, 0).tolist()
    assert batch_at(7, 100, 10, 0).tolist() != batch_at(17, 100, 10, 0).tolist()
    assert batch_at(7, 100, 10, 0).tolist() != batch_at(7, 100, 10, 1).tolist()


@settings(deadline=None)
@given(probabilities, nodes, st.integers(0, 2))
def test_dev_is_judged_as_the_answerer_decides(
    said: dict[tuple[int, int], float], gold: set[tuple[int, int]], absent: int
) -> None:
    made = scores(said)
    keys = sorted(said)
    count = [len([pair for pair in gold if pair[0] == q]) + absent + 1 for q in range(3)]
    found = judge(Scored(made, torch.tensor([key in gold for key in keys], dtype=torch.bool), torch.tensor(count)))
    calibrated = dict(zip(keys, found.calibration(made.log_probability).exp().tolist(), strict=True))
    f1, hits = [], []
    for q in range(3):
        own = sorted((key for key in keys if key[0] == q), key=lambda k: (-said[k], k))
        sums = [sum(calibrated[key] for key in own[:k]) for k in range(len(own) + 1)]
        expected = [2 * sums[k] / (k + sums[-1]) for k in range(1, len(own) + 1)]
        silent = math.prod(1 - calibrated[key] for key in own)
        best = max(range(len(expected)), key=lambda k: expected[k] + 1e-6 * k, default=-1)
        chosen = set(own[: best + 1]) if expected and expected[best] >= silent else set()
        f1.append(2 * len(chosen & gold) / (len(chosen) + count[q]))
        hits.append(bool(own) and own[0] in gold)
    assert found.f1 == pytest.approx(sum(f1) / 3, abs=1e-4)
    assert found.hits_at_1 == pytest.approx(sum(hits) / 3)
    assert found.questions == 3
    assert found.quality == pytest.approx((found.hits_at_1 + found.f1) / 2 + 0.1)  # no unanswerable ones


@given(st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=6), st.data())
def test_lists_in_one_are_taken_as_the_lists_they_were(lists: list[list[int]], draw: st.DataObject) -> None:
    made = Ragged.of(lists)
    assert len(made) == len(lists)
    index = draw.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8)) if lists else []
    owner, values = made.take(torch.tensor(index, dtype=torch.int64))
    expected = [(position, value) for position, i in enumerate(index) for value in lists[i]]
    assert list(zip(owner.tolist(), values.tolist(), strict=True)) == expected


def test_states_of_texts_are_those_of_the_encoder(encoder: Encoder) -> None:
    texts = ["where does [MASK] live", "[MASK]", "in which country of the world does [MASK] live today"]
    done: list[int] = []
    kept = TextStates(encoder, texts, done.append)
    assert done == [3]
    index = [2, 0, 0, 1]
    got, direct = kept.take(torch.tensor(index), torch.device("cpu")), encoder.encode([texts[i] for i in index])
    assert torch.equal(got.mask, direct.mask)
    assert torch.equal(got.ids[got.mask], direct.ids[direct.mask])
    assert torch.allclose(got.states, direct.states, atol=2e-3)
    some = TextStates(encoder, texts, done.append, only=torch.tensor([True, False, True]))
    assert done == [3, 2]
    again = some.take(torch.tensor(index[:3]), torch.device("cpu"))
    assert torch.allclose(again.states, got.states[:3], atol=2e-3)
    assert some.take(torch.tensor([1]), torch.device("cpu")).states.shape == (1, 0, encoder.width)


def test_only_those_texts_are_encoded_that_the_steps_ask_for(encoder: Encoder, tmp_path: Path) -> None:
    config = small_run.CONFIG.model_copy(update={"unknown_share": 0.3, "hide_from": 0.0, "steps": 3, "batch_size": 4})
    graph = small_run.snapshot()
    asked = [Question(*split_brackets(f"of {n} towns, where does [Person A] live"), ("Town 0",)) for n in range(40)]
    one = Trainer(config, encoder, graph, prepare(asked, graph), prepare(asked[:4], graph), tmp_path)
    needed, own = one._needed(), len(one.train.texts)
    assert own == 40
    assert needed[:own].all()
    # Four questions, three times over, of which less than one in two is asked in other words.
    assert 0 < needed[own:].sum() < 12 < len(needed) - own
    one.fit()
    assert not one._needed().any()  # nothing is left to be done


def test_questions_are_linked_and_their_answers_looked_up(snapshot: Snapshot) -> None:
    made = prepare(
        [
            ask("where does [Person A] live", "Town 0", "town 0", "nowhere"),
            ask("does [Twin] know [Person B]", "t1", "Person A's twin"),
            ask("where does [Nobody] live", "Town 1"),
            ask("is Person C in Town 2", "Town 2"),
        ],
        snapshot,
        mentions_of=4,
    )
    ids = [[snapshot.id_of(n) for n in made.row_topics.take(torch.tensor([row]))[1].tolist()] for row in range(5)]
    assert ids == [["Person A"], ["t1", "t2"], ["Person B"], ["Person C"], ["Town 2"]]
    assert made.rows.start.diff().tolist() == [1, 2, 0, 2]
    assert [made.texts[i] for i in made.row_text.tolist()] == [
        "where does [MASK] live",
        "does [MASK] know [UNK]",
        "does [UNK] know [MASK]",
        "is [MASK] in Town 2",
        "is Person C in [MASK]",
    ]
    owner, nodes_of = made.answers.take(torch.arange(4))
    named = list(zip(owner.tolist(), snapshot.ids_of(nodes_of.numpy()), strict=True))
    assert named == [(0, "Town 0"), (1, "t1"), (1, "t2"), (2, "Town 1"), (3, "Town 2")]
    assert made.missing.tolist() == [1, 0, 0, 0]
    assert made.mention_right.tolist() == [True, True]
    assert made.mention_share.tolist() == pytest.approx([4 / 23, 8 / 23])


def test_mentions_are_collected_from_questions_all_over(snapshot: Snapshot) -> None:
    asked = [ask("does [Twin] know [Person B]", "t1"), ask("is [Twin] with [Person B]", "t1")] * 30
    asked += [ask("has [Twin] met [Person B]", "t1")] * 40
    for wanted in (0, 10, 100, 250):
        made = prepare(asked, snapshot, mentions_of=wanted)
        share = min(wanted / 100, 1)
        assert len(made.mention_text) == 200 * share
        of_last = ["has" in made.texts[i].split() for i in made.mention_text.tolist()]
        assert sum(of_last) == 80 * share
    assert answer_nodes([], snapshot) == ([], 0)


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The weights after the last step, which need not be the best."""
    state: dict[str, dict[str, torch.Tensor]] = torch.load(run / "state.pt", weights_only=True)
    return state["network"]


def until(step: int) -> Callable[[Progress], None]:
    def progress(now: Progress) -> None:
        if now.step == step:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def whole(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, torch.Tensor]:
    run = tmp_path_factory.mktemp("whole")
    Trainer(CONFIG, encoder, snapshot, *data, run).fit()
    return weights(run)


@pytest.mark.parametrize("stops", [[1], [4, 9], [12]], ids=str)
def test_a_run_interrupted_anywhere_ends_as_one_that_was_not(
    snapshot: Snapshot,
    data: tuple[Prepared, Prepared],
    encoder: Encoder,
    tmp_path: Path,
    whole: dict[str, torch.Tensor],
    stops: list[int],
) -> None:
    for step in stops:
        trainer = Trainer(CONFIG, encoder, snapshot, *data, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(until(step))
    last = Trainer(CONFIG, encoder, snapshot, *data, tmp_path)
    assert last.step == stops[-1]
    assert last.fit().step == 12
    resumed = weights(tmp_path)
    assert list(resumed) == list(whole)
    assert all(torch.allclose(resumed[name], whole[name], atol=1e-5) for name in whole)


@pytest.mark.parametrize(("room", "steps"), [(3, 3), (500, CONFIG.steps)])
def test_there_are_as_many_steps_as_there_is_room_for_and_no_more_than_were_planned(
    encoder: Encoder, snapshot: Snapshot, data: tuple[Prepared, Prepared], tmp_path: Path, room: int, steps: int
) -> None:
    seen: list[Progress] = []
    trainer = Trainer(CONFIG, encoder.reading(CONFIG.model), snapshot, *data, tmp_path)
    trained = trainer.fit(seen.append, lambda: {"steps": room, "evaluate_every": 2})
    assert trained.step == steps
    assert [(one.step, one.steps) for one in seen] == [(step, steps) for step in range(1, steps + 1)]


def test_a_run_goes_on_only_with_what_it_began_with(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Trainer(CONFIG, encoder, snapshot, *data, tmp_path).fit(until(1))
    train, dev = data
    few = prepare(QUESTIONS[:9], snapshot)
    faster = CONFIG.model_copy(update={"learning_rate": 0.5})
    for config, one, other, differing in (
        (faster, train, dev, "config"),
        (CONFIG, few, dev, "questions"),
        (CONFIG, train, few, "dev"),
    ):
        with pytest.raises(CheckpointError, match=rf"other settings here \(differing: {differing}\)") as caught:
            Trainer(config, encoder, snapshot, one, other, tmp_path)
        assert caught.value.where == str(tmp_path)
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="can't be read"):
        Trainer(CONFIG, encoder, snapshot, *data, tmp_path)


def test_questions_of_another_graph_are_refused(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    foreign = [ask("who directed [Heat]", "Michael Mann"), ask("where does [Person A] live", "Paris")]
    with pytest.raises(InputError, match="topic and an answer"):
        Trainer(CONFIG, encoder, snapshot, prepare(foreign, snapshot), data[1], tmp_path)


@pytest.mark.parametrize("explore", [0, 16])
def test_what_has_become_sure_to_be_wrong_is_found_only_by_looking_around(
    explore: int, snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    # A second hop is taken only by those who are nearly sure of it, so that nobody begins to.
    model = CONFIG.model.model_copy(update={"min_stop": 0.9})
    config = CONFIG.model_copy(update={"model": model, "explore": explore, "steps": 60, "learning_rate": 0.01})
    trained = Trainer(config, encoder, snapshot, *data, tmp_path).fit()
    assert (trained.dev.hits_at_1 > 0.9) == bool(explore)
    assert (trained.dev.hits_at_1 == 0) == (not explore)


def test_a_reader_that_says_nothing_of_anything_learns_to(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"steps": 60, "learning_rate": 0.01, "hide_share": 0.0, "unknown_share": 0.0})
    start = ReaderNetwork(config.model).state_dict()
    start["reader.out.bias"] = torch.tensor([-40.0])
    trained = Trainer(config, encoder, snapshot, *data, tmp_path, start=start).fit()
    assert trained.dev.hits_at_1 > 0.9


def test_the_words_of_relations_are_replaced_by_words_that_are_like_none(encoder: Encoder) -> None:
    schema = Schema.from_yaml("version: 1\nrelations: {directed_by: {}, born_in: {}}\n")
    relations = encoder.relation_texts(schema, ["directed_by", "born_in"])
    texts = [
        "who directed the film [MASK]",
        "where was [MASK] born",
        "[MASK]",
        "who is the director of what [MASK] directed",
    ]
    made = unknown_words(texts, encoder, relations, 0)
    assert made[2] == ()
    first, second, last = (text for of in made for text in of)
    assert [len(text.split()) for text in (first, second, last)] == [5, 4, 8]
    assert all(text.split().count("[MASK]") == 1 for text in (first, second, last))
    assert "directed" not in first.split()
    assert "born" not in second.split()
    assert last.split()[:3] == ["who", "is", "the"]
    assert not {"directed", "director"} <= set(last.split())
    said = relations / relations.norm(dim=-1, keepdim=True)
    for text, before in zip((first, second, last), (texts[0], texts[1], texts[3]), strict=True):
        for word in set(text.split()) - set(before.split()):
            own = encoder.embed([word])[0]
            assert float((said @ own / own.norm()).max()) <= UNLIKE + 0.01
    assert unknown_words(texts, encoder, relations, 0) == made
    assert unknown_words(texts, encoder, relations, 1) != made
    assert unknown_words(texts, encoder, relations[:0], 0) == [()] * 4
    ((of_two,),) = unknown_words(["what did [MASK] and [UNK] direct"], encoder, relations, 0)
    assert [of_two.split().count(mark) for mark in ("[MASK]", "[UNK]")] == [1, 1]
    assert "direct" not in of_two.split()


def test_a_question_in_unknown_words_has_no_answer(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    trainer = Trainer(CONFIG.model_copy(update={"unknown_share": 0.5}), encoder, snapshot, *data, tmp_path)
    unanswerable = trainer.unanswerable
    question, row = data[0].rows.take(torch.arange(32))
    own = data[0].row_text[row]
    text, unknown = unanswerable.asked(CONFIG.steps, row, question, 32)
    assert 5 < int(unknown.sum()) < 27
    changed = text != own
    assert torch.equal(torch.unique(question[changed]), torch.nonzero(unknown).squeeze(-1))
    assert {unanswerable.texts[i] for i in own.tolist()} == {unanswerable.texts[i] for i in text[~changed].tolist()}
    assert all(i >= len(data[0].texts) for i in text[changed].tolist())
    assert not unanswerable.asked(0, row, question, 32)[1].any()


def test_of_few_wordings_many_are_made_in_unknown_words(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    config = CONFIG.model_copy(update={"unknown_share": 0.5, "steps": 100})
    trainer = Trainer(config, encoder, snapshot, *data, tmp_path)
    unanswerable, few = trainer.unanswerable, len(set(data[0].row_text.tolist()))
    assert few < UNKNOWN_TEXTS / 2
    made = unanswerable.texts[len(data[0].texts) :]
    assert UNKNOWN_TEXTS <= len(made) < UNKNOWN_TEXTS + few
    assert len(set(made)) > 0.9 * len(made)
    lengths = [len(text.split()) for text in made]
    assert min(lengths) < min(len(data[0].texts[i].split()) for i in data[0].row_text.tolist())  # words are left out
    assert all("[MASK]" in text for text in made)
    question, row = data[0].rows.take(torch.arange(32))
    used = {int(i) for step in range(200, 260) for i in unanswerable.asked(step, row, question, 32)[0]}
    assert len(used) > few + 200


def test_none_of_these_is_held_down_where_there_is_an_answer(
    snapshot: Snapshot, data: tuple[Prepared, Prepared], encoder: Encoder, tmp_path: Path
) -> None:
    """Without that, what is left for relations says nothing of whether there is an answer."""
    heard = {}
    for weight in (0.0, 0.2):
        config = CONFIG.model_copy(
            update={"steps": 60, "learning_rate": 0.01, "hide_share": 0.3, "unknown_share": 0.3, "none_weight": weight}
        )
        trainer = Trainer(config, encoder, snapshot, *data, tmp_path / str(weight))
        trained = trainer.fit()
        assert trained.dev.hits_at_1 > 0.9
        network = trained.network.eval()
        texts = TextStates(encoder, data[1].texts)
        _, row = data[1].rows.take(torch.arange(len(data[1].questions)))
        with torch.no_grad():
            tokens = texts.take(data[1].row_text[row], torch.device("cpu"))
            table = network.relations.table(trainer.relation_text)
            plan = network.plan(tokens)
            found = walk(network, plan, table, trainer.expander, *data[1].row_topics.take(row), Budget(20_000))
        heard[weight] = float(found.hops[0].weights.sum(-1).median())
    assert heard[0.2] > 0.9
    assert heard[0.2] > heard[0.0]


def test_what_is_scored_of_unanswerable_questions_makes_the_reader_less_sure() -> None:
    made = scores({(0, 0): 0.7, (0, 1): 0.02, (1, 2): 0.7, (2, 3): 0.7})
    answerable = Scored(made, torch.tensor([True, False, True, True]), torch.tensor([1, 1, 1]))
    none = Scored(made, torch.zeros(4, dtype=torch.bool), torch.tensor([0, 0, 0]))
    alone, both = judge(answerable), judge(answerable, none)
    said = torch.tensor([0.7]).log()
    assert float(alone.calibration(said).exp()) > 0.8
    assert 0.6 < float(both.calibration(said).exp()) < float(alone.calibration(said).exp()) - 0.01
    assert (alone.questions, both.questions) == (3, 3)
    assert alone.hits_at_1 == both.hits_at_1 == 1
    assert (alone.abstained, both.abstained) == (1, 0)
    assert alone.quality - both.quality == pytest.approx(0.1)


def test_whether_nothing_is_said_where_there_is_no_answer_counts_in_choosing_the_best() -> None:
    made = scores({(0, 0): 0.9, (1, 1): 0.9, (2, 2): 0.9})
    answerable = Scored(made, torch.ones(3, dtype=torch.bool), torch.tensor([1, 1, 1]))
    asked = scores({(0, 0): 0.9, (1, 1): 0.001})  # and nothing at all is reached in the third
    none = Scored(asked, torch.zeros(2, dtype=torch.bool), torch.tensor([0, 0, 0]))
    found = judge(answerable, none)
    assert (found.hits_at_1, found.f1) == (1, 1)
    assert found.abstained == pytest.approx(2 / 3)
    assert found.quality == pytest.approx(1 + 0.1 * 2 / 3)
