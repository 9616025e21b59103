"""What several origins say of one thing, and what comes of it when one of them is taken back.

Most things are spoken of by one origin, or by several that say the same. Then nothing is kept but the marks: *each
origin with a mark said exactly what is stored*. Only where they differ is it kept what each said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from graph_schema.types import Entity, Properties
from kgqa.stores.batches import combined
from kgqa.stores.neo4j_values import ORIGIN, mark
from kgqa.stores.properties import encoded, together

T = TypeVar("T", Entity, Properties)


@dataclass(frozen=True)
class Heard(Generic[T]):
    """What is known of an entity, or of the properties of a fact.

    Attributes:
        marks: ascending by arrival; empty for an entity that facts only mention.
        said: what each origin said, those left out that said nothing; None: each of the marks' origins said ``state``.
        state: what is stored.
    """

    marks: tuple[int, ...]
    said: Mapping[int, T] | None
    state: T


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How what is said is put together.

    Attributes:
        merged: one thing said after another, by one origin.
        joined: what is stored, with what one more was just said, given all that was said.
        whole: all that was said, one origin after the other.
        same: whether two are the same, types of properties included.
    """

    merged: Callable[[T, Iterable[T]], T]
    joined: Callable[[T, Iterable[T], Mapping[int, T]], T]
    whole: Callable[[Mapping[int, T], T], T]
    same: Callable[[T, T], bool]


def listen(kind: Kind[T], old: Heard[T], nothing: T, origin: int, line: int, news: list[T]) -> Heard[T]:
    """``old``, after an origin has said ``news`` in this order; ``nothing`` is what one stands for who says nothing."""
    marks: tuple[int, ...] = old.marks
    if not marks and old.state != nothing:  # it was there without any load
        marks = (mark(0, 0),)
    origins = {one // ORIGIN for one in marks}
    if origin not in origins:
        marks = (*marks, mark(origin, line))
    if old.said is None and origins <= {origin}:
        return Heard(marks, None, kind.merged(old.state, news))
    if old.said is None:
        before = old.state if origin in origins else nothing
        own = kind.merged(before, news)
        if kind.same(own, old.state):
            return Heard(marks, None, old.state)
        said = dict.fromkeys(origins, old.state)
    else:
        said = dict(old.said)
        own = kind.merged(said.get(origin, nothing), news)
    said[origin] = own
    said = {one: told for one, told in said.items() if told != nothing}
    return settled(kind, marks, said, kind.joined(old.state, news, said), nothing)


def settled(kind: Kind[T], marks: tuple[int, ...], said: Mapping[int, T], state: T, nothing: T) -> Heard[T]:
    """What is known, in its one form: ``said`` is left out if each of the marks' origins said ``state``."""
    alike = all(kind.same(said.get(one // ORIGIN, nothing), state) for one in marks)
    return Heard(marks, None if alike else said, state)


def forget(kind: Kind[T], old: Heard[T], nothing: T, origins: Collection[int]) -> Heard[T]:
    """``old``, as if these origins hadn't spoken and the others had, one after the other."""
    marks = tuple(one for one in old.marks if one // ORIGIN not in origins)
    if old.said is None:
        return Heard(marks, None, old.state if marks else nothing)
    said = {origin: told for origin, told in old.said.items() if origin not in origins}
    return settled(kind, marks, said, kind.whole(said, nothing), nothing)


def changed(kind: Kind[T], old: Heard[T], new: Heard[T]) -> bool:
    """Whether there is anything to be stored."""
    if old.marks != new.marks or not kind.same(old.state, new.state) or (old.said is None) != (new.said is None):
        return True
    before, after = old.said or {}, new.said or {}
    return before.keys() != after.keys() or not all(kind.same(before[origin], after[origin]) for origin in before)


def _joined_entity(state: Entity, news: Iterable[Entity], said: Mapping[int, Entity]) -> Entity:
    merged = combined(state, news)
    properties = together({origin: told.properties for origin, told in said.items()})
    return Entity(merged.id, merged.name, merged.label, merged.aliases, properties)


def _merged_properties(state: Properties, news: Iterable[Properties]) -> Properties:
    for more in news:
        state = {**state, **more}
    return state


ENTITIES: Kind[Entity] = Kind(
    combined,
    _joined_entity,
    lambda said, nothing: combined(nothing, (said[origin] for origin in sorted(said))),
    lambda a, b: a == b and encoded(a.properties) == encoded(b.properties),
)
FACTS: Kind[Properties] = Kind(
    _merged_properties,
    lambda _state, _news, said: together(said),
    lambda said, _nothing: together(said),
    lambda a, b: encoded(a) == encoded(b),
)
