"""Single questions as a report shows them."""

from __future__ import annotations

from graph_schema import Answer, Entity, EvidencePath, EvidenceStep, Fact, Response
from kgqa.report.shown import Shown

PATH = EvidencePath((EvidenceStep(Fact("m1", "directed_by", "p1"), False, 1.0),), True)


def test_guesses_are_called_guesses_and_entities_by_their_names() -> None:
    known = Answer(Entity("p1", "Michael Mann"), 0.9, (PATH,))
    guessed = Answer(Entity("p2", "Ridley Scott"), 0.5, supposed=(Fact("m1", "directed_by", "p2"),), guessed=True)
    names = {"m1": "Heat", "p1": "Michael Mann", "p2": "Ridley Scott"}
    one = Shown(
        text="who directed [Heat]",
        gold=("Michael Mann",),
        more=0,
        all_gold=frozenset({"Michael Mann"}),
        gold_paths=(),
        response=Response("who directed Heat", (known, guessed), names=names),
        hits_at_1=1.0,
        f1=1.0,
        confidence=0.9,
        slices=(),
    )
    assert one.answers() == [
        ("Michael Mann", 0.9, True, ["Heat −directed_by→ Michael Mann"]),
        (
            "Ridley Scott",
            0.5,
            False,
            ["a guess: it supposes Heat −directed_by→ Ridley Scott, which the graph doesn't say"],
        ),
    ]
