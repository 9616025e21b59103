"""Reading once more what says nothing at first: with the hops in another order, and with guesses at missing facts.

A plan is made from the question alone, before anything is known of what is around its topic. Where sentences nest the
other way than hops do ("the song of the song of Ann's nationality"), the first hop may be planned to be the last one's:
a relation that isn't there, so that the question is lost, though each hop is read right. If, and only if, all that is
found is faint (a probability below ``FAINT``, before calibration), the planned hops are walked in every other order,
too (of three at most, all orders in one walk), and the one is taken that finds something clearest, if it is ``CLEAR``.
A hop may also say two: "the genres of the films starred by Heat's actors" is read as actors, then genres, but an actor
has none; from actors to films it is the same relation back. So each planned hop is walked twice, too, where one more
than planned can be taken; this is taken only if what it finds is ``CLEARER``, since nobody has said so.
Where a question says what kind of thing it asks for, what is of another kind counts as not found; every other number
of hops is tried as well, and may be taken as another order may, the likelier the question's plan has it.
It is a setting of the model (``reorder``): one that was trained on people's own questions plans in order, and a
question whose relation is missing had better not be asked in another way.
"""

from __future__ import annotations

from itertools import permutations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgqa.model.controller import Plan
from kgqa.model.decision import Calibration, decide
from kgqa.model.network import ReaderNetwork, Reading
from kgqa.model.relations import RelationTable
from kgqa.retrieval.answers import seek
from kgqa.retrieval.asked import Kinds
from kgqa.retrieval.expander import Expander
from kgqa.retrieval.keys import make_key
from kgqa.retrieval.scores import Scores, combine, read
from kgqa.retrieval.surroundings import likeliest
from kgqa.retrieval.walk import Budget, Walk

MOST_HOPS = 3  # whose orders are tried
FAINT, CLEAR, CLEARER = 0.2, 0.3, 0.7
DOUBTED = 0.5  # the probability below which what facts say is more likely wrong than right
BY_PLAN = 0.3  # what a number of hops is worth less if the plan gives it no probability


def read_again(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    expander: Expander,
    topic_row: Int[Tensor, " K"],
    topic_node: Int[Tensor, " K"],
    budget: Budget,
    row_question: Int[Tensor, " B"],
    facts: Calibration,
    kinds: Kinds | None = None,
) -> tuple[Plan, Walk, Reading, Scores]:
    """Read by facts, and where they say nothing, or hardly anything, once more; and the plan by which it was read.

    Guesses at what the graph lacks come last, so a guess never stands beside what is known. Where the network has
    learned to, the answer itself is guessed from what lies around its topic; that guess, which is told what facts say,
    also stands for what facts say with a probability below ``DOUBTED``, if it is another.

    Args:
        row_question: the question of each row, ascending. facts: calibration of what facts lead to.
        kinds: what the questions ask for, see ``read``.
    """
    if kinds is not None:
        around = expander.offer(topic_node)
        plan = plan.ending(kinds.near(topic_row[around.owner], around.relation).long())
    reached, reading = read(network, plan, table, expander, topic_row, topic_node, budget, kinds=kinds)
    scores = combine(reached, reading, row_question)
    if not len(row_question):
        return plan, reached, reading, scores
    if network.config.reorder:
        found = scores if kinds is None else combine(reached, reading, row_question, only=True)
        other = _in_other_orders(
            network, plan, table, expander, topic_row, topic_node, budget, row_question, found, kinds
        )
        if other is not None:
            plan = other
            reached, reading = read(network, plan, table, expander, topic_row, topic_node, budget, kinds=kinds)
            scores = combine(reached, reading, row_question)
    if expander.guesser is not None:
        reached, reading, scores = _with_guesses(
            network, plan, table, expander, topic_row, topic_node, budget, row_question, facts, kinds,
            (reached, reading, scores),
        )  # fmt: skip
    return plan, reached, reading, scores


def _with_guesses(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    expander: Expander,
    topic_row: Tensor,
    topic_node: Tensor,
    budget: Budget,
    row_question: Tensor,
    facts: Calibration,
    kinds: Kinds | None,
    by_facts: tuple[Walk, Reading, Scores],
) -> tuple[Walk, Reading, Scores]:
    """What was read by facts, with guesses for the questions of which facts say nothing, or nothing that holds."""
    assert expander.guesser is not None
    answers, found = expander.guesser.answers, by_facts[2]
    questions = int(row_question[-1]) + 1
    silent = ~said(found, facts, questions)
    doubted = torch.zeros_like(silent)
    if answers is not None:
        doubted = ~silent & ~sure(found, facts, questions) & (torch.bincount(row_question, minlength=questions) == 1)

    def read_with(guessing: Tensor) -> tuple[Walk, Reading, Scores]:
        if not bool(guessing.any()):
            return by_facts
        walked = read(
            network, plan, table, expander, topic_row, topic_node, budget,
            guessing=guessing[row_question], kinds=kinds,
        )  # fmt: skip
        return *walked, combine(*walked, row_question)

    reached, reading, scores = read_with(silent | doubted)
    if answers is None or not bool((silent | doubted).any()):
        return reached, reading, scores
    rows = alone(row_question, (silent | doubted)[row_question])
    asked = seek(network, plan, table, expander, rows, row_question, topic_row, topic_node, found, scores)
    if asked is None:
        return read_with(silent) if bool(doubted.any()) else (reached, reading, scores)
    guessed = answers.guess(asked)
    held = doubted & ~_otherwise(guessed, found, _chosen(found, facts, questions), questions)
    if bool(held.any()):  # what facts say of these stays as it was
        reached, reading, scores = read_with(silent | (doubted & ~held))
    taken = asked.question[~held[asked.question]]
    return reached, reading, scores.replaced(taken, guessed.of(taken))


def _otherwise(guessed: Scores, found: Scores, chosen: Tensor, questions: int) -> Bool[Tensor, " Q"]:
    """Of which questions the likeliest guess is none of the entities that facts say (``chosen``, of ``found``)."""
    best = likeliest(guessed.question, guessed.log_probability, 1)
    key = make_key(guessed.question[best], guessed.node[best])
    other = best[~torch.isin(key, make_key(found.question[chosen], found.node[chosen]))]
    differ = torch.zeros(questions, dtype=torch.bool, device=best.device)
    differ[guessed.question[other]] = True
    return differ


def alone(row_question: Int[Tensor, " B"], some: Bool[Tensor, " B"]) -> Int[Tensor, " R"]:
    """Which of some rows are the only ones of their questions."""
    count = torch.bincount(row_question)
    return torch.nonzero(some & (count[row_question] == 1)).squeeze(-1)


def _in_other_orders(
    network: ReaderNetwork,
    plan: Plan,
    table: RelationTable,
    expander: Expander,
    topic_row: Tensor,
    topic_node: Tensor,
    budget: Budget,
    row_question: Tensor,
    scores: Scores,
    kinds: Kinds | None,
) -> Plan | None:
    """The plan with hops in other orders or twice, where something is found so alone; None if that changes nothing.

    Questions of two topics are left as they are.
    """
    questions = int(row_question[-1]) + 1
    lost = (_best(scores, questions) < FAINT) & (torch.bincount(row_question, minlength=questions) == 1)
    row, order, hops = _orders(plan, torch.nonzero(lost[row_question]).squeeze(-1), kinds)
    if not len(row):
        return None
    tried = plan.take(row).reordered(order).ending(hops)
    # The topics of a row, for each order that is tried.
    candidate, topic = torch.nonzero(row.unsqueeze(-1) == topic_row, as_tuple=True)
    number = torch.arange(len(row), device=row.device)
    of = None if kinds is None else kinds.take(row)
    found = combine(
        *read(network, tried, table, expander, candidate, topic_node[topic], budget, kinds=of), number, only=True
    )
    sure = _best(found, len(row))
    told = hops.new_zeros(len(hops), dtype=torch.bool) if of is None else of.asked >= 0
    sure = sure.where((hops == 0) | told | (sure > CLEARER), 0.0)
    planned = torch.arange(order.shape[1], device=row.device)
    counted = told & (hops > 0) & (order == planned).all(-1)  # in order, but with another number of hops
    likely = (1 - BY_PLAN * (1 - plan.stop[row, hops.clamp(min=1) - 1])).where(counted, 1.0)
    worth = (sure * likely).where(sure > CLEAR, 0.0)
    best = worth.new_zeros(len(plan.stop)).scatter_reduce(0, row, worth, "amax")
    taken = (worth > 0) & (worth == best[row])
    if not bool(taken.any()):
        return None
    order_of = planned.repeat(len(plan.stop), 1)
    hops_of = torch.zeros(len(plan.stop), dtype=torch.int64, device=row.device)
    for place in torch.nonzero(taken).squeeze(-1).flip(0).tolist():  # of equals, the first
        order_of[row[place]] = order[place]
        hops_of[row[place]] = hops[place]
    return plan.reordered(order_of).ending(hops_of)


def _orders(
    plan: Plan, rows: Int[Tensor, " R"], kinds: Kinds | None
) -> tuple[Int[Tensor, " C"], Int[Tensor, "C T"], Int[Tensor, " C"]]:
    """Every other order of the hops that some rows are planned to take, and each hop twice: with its row, and with
    how many hops it takes where these are others than planned, else 0. Rows that say what kind of thing they ask for
    are tried with every other number of hops, too."""
    hops = plan.stop.shape[1]
    taken = plan.stop.argmax(-1) + 1
    found, orders, numbers = [], [], []
    for row in rows.tolist():
        number = int(taken[row])
        planned = tuple(range(number))
        tried = [(order, 0) for order in permutations(planned)][1:] if number <= MOST_HOPS else []
        if number < hops:
            tried += [((*planned[: at + 1], *planned[at:]), number + 1) for at in planned]
        if kinds is not None and int(kinds.asked[row]) >= 0:
            tried += [(tuple(range(hops)), other) for other in range(1, hops + 1) if other != number]
        for order, counted in tried:
            found.append(row)
            orders.append([*order, *range(len(order), hops)])
            numbers.append(counted)
    device = plan.stop.device
    return (
        torch.tensor(found, dtype=torch.int64, device=device),
        torch.tensor(orders, dtype=torch.int64, device=device).view(-1, hops),
        torch.tensor(numbers, dtype=torch.int64, device=device),
    )


def _best(scores: Scores, questions: int) -> Float[Tensor, " Q"]:
    """The probability of the best that was found, not calibrated; 0 where nothing was."""
    nothing = scores.log_probability.new_zeros(questions)
    return nothing.scatter_reduce(0, scores.question, scores.log_probability.exp(), "amax")


def said(scores: Scores, facts: Calibration, questions: int) -> Bool[Tensor, " Q"]:
    """Whether anything is said of each question."""
    found = torch.zeros(questions, dtype=torch.bool, device=scores.question.device)
    found[scores.question[_chosen(scores, facts, questions)]] = True
    return found


def sure(scores: Scores, facts: Calibration, questions: int) -> Bool[Tensor, " Q"]:
    """Whether something is said of each question, and its best is rather right than wrong."""
    probability = scores.probability(facts)
    best = probability.new_zeros(questions).scatter_reduce(0, scores.question, probability, "amax")
    return said(scores, facts, questions) & (best >= DOUBTED)


def _chosen(scores: Scores, facts: Calibration, questions: int) -> Int[Tensor, " C"]:
    """Where in the scores the entities stand that are said."""
    order = torch.sort(scores.log_probability, descending=True, stable=True).indices
    order = order[torch.sort(scores.question[order], stable=True).indices]
    chosen, _ = decide(scores.question[order], scores.probability(facts)[order], questions)
    return order[chosen]
