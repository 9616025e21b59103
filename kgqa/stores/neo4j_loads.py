"""Loads in Neo4j: begun, ended and listed, what they brought, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, LiteralString, TypeVar

from graph_schema.errors import StoreError
from graph_schema.loads import Load, LoadPlan, LoadSource, LoadState, Origin, Withdrawn
from graph_schema.types import Entity, Fact, Properties
from kgqa.stores import cypher_write
from kgqa.stores.batches import shown, storable
from kgqa.stores.heard import ENTITIES, FACTS, Heard, forget
from kgqa.stores.neo4j_values import MARKS, ORIGIN, marks_of, of_relationship
from kgqa.stores.neo4j_write import Run, heard_entity, heard_fact, kept_fact, set_entities

Result = TypeVar("Result")
Write = Callable[[Callable[[Run], Result]], Result]
Stream = Callable[[LiteralString, Mapping[str, Any]], Iterator[Any]]

CHUNK = 5_000  # facts or entities taken back in one transaction


def begin(run: Run, plan: LoadPlan) -> None:
    """See ``LoadLedger.begin_load``; the load is to be read afterwards."""
    locked = run(cypher_write.LOCK_LOADS)[0][0]
    if run(cypher_write.LOAD_BY_KEY, {"key": plan.key})[0]:
        return
    now = _now()
    id_ = _next_id(now, locked["last"] or "")
    sources = [
        {
            "origin": locked["origins"] + place,
            "load": id_,
            "place": place,
            "source": source.name,
            "size": source.size,
            "digest": source.digest,
            "through": 0,
            "facts": 0,
            "entities": 0,
            "rejected": 0,
            "facts_changed": 0,
            "declared_created": 0,
            "declared_changed": 0,
        }
        for place, source in enumerate(plan.sources, 1)
    ]
    run(cypher_write.CREATE_LOAD, {"id": id_, "key": plan.key, "began": now, "sources": sources})
    run(cypher_write.COUNT_LOADS, {"origins": locked["origins"] + len(sources), "last": id_})


def end(run: Run, id_: str) -> None:
    """See ``LoadLedger.end_load``."""
    state = _state_of(run, id_)
    if state == "running":
        run(cypher_write.ADD_UP, {"id": id_})
        run(cypher_write.END_LOAD, {"id": id_, "ended": _now()})
    elif state != "complete":
        raise StoreError(f"the load {id_} is {state}, so it can't be completed", fix="Load its sources again")


def count_rejected(run: Run, id_: str, rejected: Sequence[int]) -> None:
    """See ``LoadLedger.count_rejected``."""
    _state_of(run, id_)
    run(cypher_write.COUNT_REJECTED, {"id": id_, "rejected": [*rejected]})


def loads(run: Run) -> tuple[Load, ...]:
    """See ``LoadLedger.loads``."""
    rows = [record["source"] for record in run(cypher_write.SOURCES)[0]]
    sources = {load: tuple(map(_source, of)) for load, of in groupby(rows, lambda row: row["load"])}
    found = (record["load"] for record in run(cypher_write.LOADS)[0])
    return tuple(
        Load(
            row["id"],
            row.get("key") or row["old_key"],
            _state(row["state"]),
            row["began"],
            row["ended"],
            sources.get(row["id"], ()),
        )
        for row in found
    )


def origins(run: Run, facts: Sequence[Fact]) -> list[tuple[Origin, ...]]:
    """See ``LoadLedger.origins``."""
    known = {row["origin"]: row for row in (record["source"] for record in run(cypher_write.SOURCES)[0])}
    found: list[set[Origin]] = [set() for _ in facts]
    for at, kept in _states(run, facts):
        for one in marks_of(kept.get(MARKS)):
            if row := known.get(one // ORIGIN):
                found[at].add(Origin(row["load"], row["source"], one % ORIGIN))
    return [tuple(sorted(of)) for of in found]


def fact_properties(run: Run, facts: Sequence[Fact]) -> list[Properties]:
    """See ``LoadLedger.fact_properties``."""
    found: list[dict[str, Any]] = [{} for _ in facts]
    for at, kept in _states(run, facts):
        found[at].update(of_relationship(kept))
    return [*found]


def spoken_of(run: Run, ids: Sequence[str]) -> set[str]:
    """See ``LoadLedger.spoken_of``."""
    records = run(cypher_write.SPOKEN_OF, {"ids": [id_ for id_ in ids if storable(id_)]})[0]
    return {record["id"] for record in records}


def entities_without(stream: Stream, origins: Sequence[int]) -> Iterator[tuple[Entity, Entity | None]]:
    """See ``LoadLedger.entities_without``."""
    for record in stream(cypher_write.TOLD_ENTITIES, {"origins": [*origins]}):
        if (old := heard_entity(record)) is not None:
            rest = forget(ENTITIES, old, Entity(old.state.id, old.state.id), origins)
            yield shown(old.state), shown(rest.state) if rest.marks else None


def properties_without(stream: Stream, origins: Sequence[int]) -> Iterator[tuple[Fact, Properties, Properties | None]]:
    """See ``LoadLedger.properties_without``."""
    for record in stream(cypher_write.TOLD_FACTS, {"origins": [*origins]}):
        old = heard_fact(record["properties"])
        if old.said is None or not old.said.keys().isdisjoint(origins):
            rest = forget(FACTS, old, {}, origins)
            fact = Fact(record["head"], record["relation"], record["tail"])
            yield fact, old.state, rest.state if rest.marks else None


def withdraw(
    write: Write[Any],
    stream: Stream,
    taken: Sequence[int],
    slot: str,
    undone: str,
) -> Withdrawn:
    """See ``LoadLedger.withdraw``.

    Args:
        write: runs a transaction. stream: rows of a query, with its parameters.
    """
    parameters = {"origins": sorted({*taken} - {0})}

    def start(run: Run) -> None:
        run(cypher_write.RESET_JOURNAL, parameters)
        run(cypher_write.RESET_TALLIES, parameters)
        if undone and _state_of(run, undone) != "undone":
            run(cypher_write.UNDO_LOAD, {"id": undone, "state": "undoing", "ended": ""})

    write(start)
    done = Withdrawn()
    for rows in _chunks(record["r"] for record in stream(cypher_write.MARKED_FACTS, parameters)):
        done = _sum(done, write(partial(_take_facts, rows=rows, parameters=parameters, slot=slot)))
    for ids in _chunks(record["id"] for record in stream(cypher_write.MARKED_ENTITIES, parameters)):
        done = _sum(done, write(partial(_take_entities, ids=ids, parameters=parameters, slot=slot)))

    def finish(run: Run) -> None:
        if _state_of(run, undone) != "undone":
            run(cypher_write.UNDO_LOAD, {"id": undone, "state": "undone", "ended": _now()})

    if undone:
        write(finish)
    return done


def _take_facts(run: Run, rows: list[int], parameters: Mapping[str, Any], slot: str) -> Withdrawn:
    given = {**parameters, "rows": rows}
    gone = run(cypher_write.DELETE_FACTS, given)[0][0]
    deleted = 0
    if gone["n"]:
        ids = sorted({*gone["heads"], *gone["tails"]})
        deleted = run(cypher_write.DELETE_UNMENTIONED, {"ids": ids})[1].get("nodes_deleted", 0)
    kept = run(cypher_write.UNMARK_FACTS, given)[0][0]["n"]
    changed = [
        (record["r"], kept_fact(forget(FACTS, heard_fact(record["properties"]), {}, parameters["origins"])))
        for record in run(cypher_write.CHOSEN_FACTS, given)[0]
    ]
    if changed:
        run(cypher_write.SET_CHOSEN_FACTS, {"rows": changed})
    done = Withdrawn(gone["n"], kept + len(changed), deleted, 0)
    if done != Withdrawn():
        run(cypher_write.COUNT_CHANGE, {"slot": slot})
    return done


def _take_entities(run: Run, ids: list[str], parameters: Mapping[str, Any], slot: str) -> Withdrawn:
    given = {**parameters, "ids": ids}
    deleted = run(cypher_write.DELETE_UNMARKED, given)[1].get("nodes_deleted", 0)
    kept = run(cypher_write.UNMARK_ENTITIES, given)[0][0]["n"]
    changed: list[tuple[Heard[Entity], Heard[Entity]]] = []
    for record in run(cypher_write.CHOSEN_ENTITIES, given)[0]:
        if old := heard_entity(record):
            id_ = old.state.id
            changed.append((old, forget(ENTITIES, old, Entity(id_, id_), parameters["origins"])))
    set_entities(run, changed)
    done = Withdrawn(0, 0, deleted, kept + len(changed))
    if done != Withdrawn():
        run(cypher_write.COUNT_CHANGE, {"slot": slot})
    return done


def _states(run: Run, facts: Sequence[Fact]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The properties of the relationships of facts, with the place of each among them."""
    rows = [
        (at, fact.head, fact.relation, fact.tail)
        for at, fact in enumerate(facts)
        if all(map(storable, (fact.head, fact.relation, fact.tail)))
    ]
    for record in run(cypher_write.FACT_STATES, {"rows": rows})[0]:
        yield record["at"], record["properties"]


def _source(row: Mapping[str, Any]) -> LoadSource:
    names = ("through", "facts", "entities", "rejected", "facts_changed", "declared_created", "declared_changed")
    counts = (row.get(name) or 0 for name in names)  # older kgqas had fewer
    return LoadSource(row["origin"], row["source"], row["size"], row["digest"], *counts)


def _state_of(run: Run, id_: str) -> LoadState:
    found = run(cypher_write.LOAD_STATE, {"id": id_})[0]
    if not found:
        raise StoreError(f"there is no load {id_!r}", fix="See the list of loads")
    return _state(found[0]["state"])


def _state(text: str) -> LoadState:
    match text:
        case "running" | "complete" | "undoing" | "undone":
            return text
    raise StoreError(f"a load is in a state that this kgqa doesn't know: {text!r}", fix="Upgrade kgqa")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _next_id(now: str, last: str) -> str:
    """An id above the last one, made of the time, and a number within its second."""
    stamp = f"{now[:10].replace('-', '')}-{now[11:19].replace(':', '')}"
    before, _, number = last.rpartition("-")
    return f"{stamp}-001" if stamp > before else f"{before}-{int(number) + 1:03d}"


def _sum(a: Withdrawn, b: Withdrawn) -> Withdrawn:
    return Withdrawn(
        a.facts_deleted + b.facts_deleted,
        a.facts_kept + b.facts_kept,
        a.entities_deleted + b.entities_deleted,
        a.entities_kept + b.entities_kept,
    )


def _chunks(items: Iterable[Result]) -> Iterator[list[Result]]:
    part: list[Result] = []
    for item in items:
        part.append(item)
        if len(part) == CHUNK:
            yield part
            part = []
    if part:
        yield part
