"""Batches: every row once and whole, in order, with its line, and a journal that never says too much."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from graph_schema import Batch, Entity, Fact, RelationSchema, Schema
from ingest.batching import batches
from ingest.records import EntityRows, Mapped, Triples

# A row: how many facts it gives, and whether it declares an entity; blocks of rows.
Rows = list[list[tuple[int, bool]]]
rows_strategy: st.SearchStrategy[Rows] = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=8), max_size=5
)


def blocks_of(rows: Rows) -> list[Mapped]:
    """Blocks in which line n gives facts nN-rK->x, from as many parts as the largest row has facts."""
    blocks, line = [], 0
    for block in rows:
        numbered = [*enumerate(block, line + 1)]
        line += len(block)
        parts = []
        for k in range(4):
            places = [place for place, (_, (facts, _)) in enumerate(numbered) if facts > k]
            lines = [numbered[place][0] for place in places]
            heads = [f"n{n}" for n in lines]
            weights = {"n": [*lines]} if k == 1 else {}
            parts.append(
                Triples("x", lines, heads, [f"r{k}"] * len(lines), ["x"] * len(lines), line, weights, rows=places)
            )
        places = [place for place, (_, (_, declared)) in enumerate(numbered) if declared]
        lines = [numbered[place][0] for place in places]
        ids = [f"n{n}" for n in lines]
        entity = EntityRows("x", lines, "N", ids, [f"name {i}" for i in ids], None, {"line": [*lines]}, rows=places)
        blocks.append(Mapped("x", line, (entity,), tuple(parts)))
    return blocks


@given(rows_strategy, st.integers(1, 9))
def test_every_row_is_in_one_batch_whole(rows: Rows, size: int) -> None:
    made: list[Batch] = [*batches(blocks_of(rows), size, Schema(), 7)]
    expected = [(line, facts, declared) for line, (facts, declared) in enumerate(chain.from_iterable(rows), 1)]
    content = {line: facts + declared for line, facts, declared in expected if facts + declared}
    seen: list[int] = []
    for batch in made:
        assert batch.origin == 7
        here = sorted({*batch.fact_lines, *batch.entity_lines})
        assert here
        assert len(batch.facts) + len(batch.entities) == sum(content[line] for line in here)
        assert sum(content[line] for line in here) <= size or len(here) == 1
        seen += here
        # the journal: all up to it is in, nothing beyond it is
        assert max(seen) <= batch.through
        assert all(line in seen for line in content if line <= batch.through)
        for fact, line, properties in zip(
            batch.facts, batch.fact_lines, batch.fact_properties or [{}] * len(batch.facts), strict=True
        ):
            assert fact.head == f"n{line}"
            assert properties == ({"n": line} if fact.relation == "r1" else {})
        for entity, line in zip(batch.entities, batch.entity_lines, strict=True):
            assert entity == Entity(f"n{line}", f"name n{line}", "N", (), {"line": line})
    assert seen == sorted(content)


def test_the_first_label_that_a_relation_gives_counts() -> None:
    schema = Schema(relations={"r": RelationSchema(head="A"), "s": RelationSchema(head="B", tail="C")})
    triples = Triples("x", [4, 5, 9], ["a", "a", "b"], ["s", "r", "q"], ["z", "z", "z"], 9)
    (batch,) = batches([Mapped("x", 9, facts=(triples,))], 10, schema)
    assert batch.entities == [Entity("a", "a", "B"), Entity("z", "z", "C")]
    assert batch.entity_lines == [4, 4]
    assert [*batch.facts] == [Fact("a", "s", "z"), Fact("a", "r", "z"), Fact("b", "q", "z")]
