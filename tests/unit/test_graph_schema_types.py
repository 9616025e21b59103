"""The values: frozen, and true to what they promise."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import numpy as np
import pytest

from graph_schema import (
    Answer,
    Batch,
    Cut,
    Entity,
    EvidencePath,
    EvidenceStep,
    Fact,
    HopTrace,
    Origin,
    Response,
    Subgraph,
    Topic,
    Written,
    migrations,
    ports,
    types,
)

VALUES = [
    value
    for module in (types, ports, migrations)
    for value in vars(module).values()
    if inspect.isclass(value) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
]
STEP = EvidenceStep(Fact("Kismet", "directed_by", "Dieterle"), inverse=False, weight=0.9)
BACK = EvidenceStep(Fact("Juarez", "directed_by", "Dieterle"), inverse=True, weight=0.8)


def subgraph(**changed: Any) -> Subgraph:
    given: dict[str, Any] = {
        "entities": ("Dieterle", "Juarez", "Kismet"),
        "relations": ("directed_by",),
        "topics": np.array([2]),
        "source": np.array([2, 0, 0]),
        "relation": np.array([0, 1, 1], np.int32),
        "target": np.array([0, 1, 2]),
        "hop": np.array([1, 2, 2]),
        "weight": np.ones(3, np.float32),
        "cut": (Cut(2, "directed_by", True, 5),),
    }
    return Subgraph(**{**given, **changed})  # the values' types are what some tests break


@pytest.mark.parametrize("value", VALUES)
def test_every_value_is_frozen_and_described(value: Any) -> None:
    assert value.__dataclass_params__.frozen
    if value is not migrations.Migration:  # its fields say it all
        assert not (value.__doc__ or value.__name__ + "(").startswith(value.__name__ + "(")


def test_facts_sort_and_hash_by_their_fields() -> None:
    assert Fact("a", "r", "b") == Fact("a", "r", "b")
    assert len({Fact("a", "r", "b"), Fact("a", "r", "b"), Fact("b", "r", "a")}) == 2
    assert sorted([Fact("b", "a", "a"), Fact("a", "b", "a"), Fact("a", "a", "b")])[0] == Fact("a", "a", "b")


def test_a_step_knows_where_it_leaves_and_arrives() -> None:
    assert (STEP.source, STEP.target) == ("Kismet", "Dieterle")
    assert (BACK.source, BACK.target) == ("Dieterle", "Juarez")


def test_a_path_is_a_chain() -> None:
    assert EvidencePath((STEP, BACK)).facts == (STEP.fact, BACK.fact)
    assert EvidencePath(()).facts == ()
    with pytest.raises(ValueError, match="broken path: a step ends at 'Juarez', the next starts at 'Kismet'"):
        EvidencePath((BACK, STEP))


def test_a_subgraph_gives_its_facts_once_in_their_own_direction() -> None:
    assert subgraph().facts() == (Fact("Juarez", "directed_by", "Dieterle"), Fact("Kismet", "directed_by", "Dieterle"))


@pytest.mark.parametrize("name", ["source", "relation", "target", "hop", "weight"])
def test_a_subgraph_with_arrays_of_different_length_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        subgraph(**{name: np.zeros(2)})


def test_a_topic_is_ambiguous_if_several_bear_its_name() -> None:
    one, two = Entity("1", "Kismet"), Entity("2", "Kismet")
    assert not Topic(0, 6, "Kismet", (one,)).ambiguous
    assert Topic(0, 6, "Kismet", (one, two)).ambiguous


def test_written_adds_up() -> None:
    one, other = Written(1, 2, 3, 4, 5, 6, 7, 8), Written(10, 20, 30, 40, 50, 60, 70, 80)
    assert one + other == Written(11, 22, 33, 44, 55, 66, 77, 88)
    assert sum([Written(1), Written(1)], Written()) == Written(2)


def test_what_an_answer_supposes_is_plain_json() -> None:
    answer = Answer(Entity("D", "Dieterle"), 0.4, supposed=(Fact("Juarez", "directed_by", "D"),), guessed=True)
    response = Response("who directed Juarez", (answer,), names={"D": "Dieterle"})
    plain = json.loads(json.dumps(response.as_dict()))["answers"][0]
    assert plain["guessed"] is True
    assert plain["supposed"] == [
        {"head": "Juarez", "relation": "directed_by", "tail": "D", "head_name": "Juarez", "tail_name": "Dieterle"}
    ]
    assert plain["evidence"] == []


def test_a_response_is_plain_json() -> None:
    answer = Answer(Entity("Juarez", "Juarez", "Film", ("J",)), 0.9, (EvidencePath((STEP, BACK), holds=True),))
    response = Response(
        question="what else did the director of Kismet direct",
        answers=(answer,),
        ranking=(answer,),
        topics=(Topic(31, 37, "Kismet", (Entity("Kismet", "Kismet"),)),),
        notes=("a note",),
        subgraph=subgraph(),
        trace=(HopTrace(1, (("director", 0.7),), (("directed_by", False, 0.9),), 0.1),),
        fusion={"graph": 0.8},
        seconds={"reading": 0.001},
        origins={STEP.fact: (Origin("load-1", "films.txt", 7),)},
        names={"Dieterle": "William Dieterle"},
    )
    plain = json.loads(json.dumps(response.as_dict()))
    assert plain["answers"][0] == {
        "id": "Juarez",
        "name": "Juarez",
        "label": "Film",
        "aliases": ["J"],
        "score": 0.9,
        "sides": {},
        "guessed": False,
        "supposed": [],
        "evidence": [
            {
                "holds": True,
                "steps": [
                    {
                        "kind": "hop",
                        "head": "Kismet",
                        "relation": "directed_by",
                        "tail": "Dieterle",
                        "head_name": "Kismet",
                        "tail_name": "William Dieterle",
                        "inverse": False,
                        "weight": 0.9,
                        "origins": [{"load": "load-1", "source": "films.txt", "line": 7}],
                    },
                    {
                        "kind": "hop",
                        "head": "Juarez",
                        "relation": "directed_by",
                        "tail": "Dieterle",
                        "head_name": "Juarez",
                        "tail_name": "William Dieterle",
                        "inverse": True,
                        "weight": 0.8,
                        "origins": [],
                    },
                ],
            }
        ],
    }
    assert plain["topics"][0]["entities"][0]["id"] == "Kismet"
    assert plain["touched"] == {
        "entities": 3,
        "edges": 3,
        "cut": [{"hop": 2, "relation": "directed_by", "inverse": True, "facts": 5}],
    }
    assert plain["trace"][0] == {
        "topic": "",
        "hop": 1,
        "stop": 0.1,
        "words": [["director", 0.7]],
        "relations": [{"name": "directed_by", "inverse": False, "weight": 0.9}],
    }
    assert plain.keys() >= {"question", "ranking", "notes", "fusion", "seconds"}


def test_an_empty_response_and_batch() -> None:
    assert Response("?", ()).as_dict()["touched"] == {"entities": 0, "edges": 0, "cut": []}
    assert (Batch().entities, Batch().facts) == ((), ())


def test_migrations_are_numbered_without_gaps_and_name_things_once() -> None:
    numbers = [migration.number for migration in migrations.MIGRATIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers[-1] == migrations.LATEST
    required = [requirement for migration in migrations.MIGRATIONS for requirement in migration.requires]
    named = [requirement.name for requirement in required]
    assert len(named) == len(set(named))
    assert all(name.isidentifier() for name in named)
    assert all(migration.title for migration in migrations.MIGRATIONS)


def test_released_migrations_stay_as_they_are() -> None:
    first = migrations.MIGRATIONS[0]
    assert first.requires == (
        migrations.UniqueKey("kgqa_entity_id", "Entity", "id"),
        migrations.UniqueKey("kgqa_meta_id", "KgqaMeta", "id"),
        migrations.NameIndex("kgqa_name_keys", "Entity", "name_keys"),
        migrations.SimilarNameIndex("kgqa_names", "Entity", "name"),
    )
