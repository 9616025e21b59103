"""What linking has to say: how a name was read, and of several that are called the same, which one was taken.

What tells namesakes apart is computed from the graph: another label, a property or a neighbour that the one has and
none of the others ("3 films are called Crash; took the one of 2004").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import torch

from graph_schema import Entity
from graph_schema.text import name_key, relation_words
from graph_schema.types import DEFAULT_LABEL
from kgqa.linking import Mention
from kgqa.linking.topics import Linked
from kgqa.retrieval.expander import Expander

LOOKED_AT = 10  # namesakes of one name
FEW = 3  # facts of one relation around a namesake, more of which tell nothing
TOLD = 3  # other names that a note lists
_YEAR = re.compile(r"(1[0-9]{3}|20[0-9]{2})")

Side = tuple[str, bool]  # a relation, and whether it is walked from tail to head


@dataclass
class Apart:
    """What lies around namesakes.

    Attributes:
        around: for each of them by id, the ids of its few neighbours by relation.
        names: of the neighbours, by id; to be filled in.
    """

    around: dict[str, dict[Side, frozenset[str]]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, topics: Sequence[Mention], expander: Expander) -> Apart:
        """Look around those of these topics that have namesakes whose properties don't tell them apart: one call."""
        wanted = {
            entity.id: entity
            for topic in topics
            for entities in [(topic.entities[0], *namesakes(topic)[:LOOKED_AT])]
            if len(entities) > 1 and not _by_own(entities[0], entities[1:])
            for entity in entities
        }
        if not wanted:
            return cls()
        nodes = expander.nodes(list(wanted)).to(expander.device)
        groups = expander.offer(nodes)
        few = torch.nonzero(groups.count <= FEW).squeeze(-1)
        at, ends = expander.expand(groups.handle[few], groups.count[few])
        owner, relation = groups.owner[few].tolist(), groups.relation[few].tolist()
        ids = list(wanted)
        found: dict[str, dict[Side, set[str]]] = {id_: {} for id_ in ids}
        for place, end in zip(at.tolist(), expander.ids(ends), strict=True):
            side = (expander.relations[relation[place] // 2], bool(relation[place] % 2))
            found[ids[owner[place]]].setdefault(side, set()).add(end)
        return cls({id_: {side: frozenset(ends) for side, ends in sides.items()} for id_, sides in found.items()})

    @property
    def ids(self) -> set[str]:
        """Neighbours whose names are wanted."""
        return {end for sides in self.around.values() for ends in sides.values() for end in ends}

    def told(self, one: Entity, others: Sequence[Entity]) -> str:
        """What says which of them ``one`` is: "the one of 2004", "the one with directed by: Paul Haggis"."""
        return _by_own(one, others) or self._by_neighbour(one, others) or f"the one with the id {one.id}"

    def _by_neighbour(self, one: Entity, others: Sequence[Entity]) -> str:
        """Years first, then what has the fewest neighbours and the shortest names."""
        found = []
        for side, ends in self.around.get(one.id, {}).items():
            taken = {end for other in others for end in self.around.get(other.id, {}).get(side, ())}
            own = sorted(self.names.get(end, end) for end in ends - taken)
            if own:
                years = all(_YEAR.fullmatch(name) for name in own)
                found.append((not years, len(own), sum(map(len, own)), side, own))
        if not found:
            return ""
        no_years, _, _, (relation, inverse), own = min(found)
        if not no_years:
            return f"the one of {own[0]}"
        words = relation_words(relation)
        return f"the one that is {words} of {own[0]}" if inverse else f"the one with {words}: {', '.join(own[:TOLD])}"


def namesakes(topic: Mention) -> list[Entity]:
    """Others that bear the name that the topic was found by."""
    keys = {name_key(name) for name in (topic.entities[0].name, *topic.entities[0].aliases)}
    mine = {name_key(topic.text)} & keys or {name_key(topic.entities[0].name)}
    return [entity for entity in topic.others if mine & {name_key(n) for n in (entity.name, *entity.aliases)}]


def topic_notes(one: Linked, apart: Apart | None = None) -> tuple[str, ...]:
    """What the asker should know of the names in a question, one sentence each."""
    return tuple(_sentences(one, apart or Apart()))


def _sentences(one: Linked, apart: Apart) -> Iterator[str]:
    for text in one.unknown:
        yield f'"{text}" is not a name in the graph.'
    for topic in one.topics:
        taken, same = topic.entities[0], namesakes(topic)
        if topic.guessed:
            rest = [entity.name for entity in topic.others if entity not in same and entity.name != taken.name]
            more = f" (else perhaps {', '.join(dict.fromkeys(rest[:TOLD]))})" if rest else ""
            yield f'Read "{topic.text}" as {taken.name}{more}.'
        if same:
            kinds = {entity.label for entity in (taken, *same)}
            kind = plural(relation_words(taken.label)) if kinds == {taken.label} != {DEFAULT_LABEL} else "entities"
            told = apart.told(taken, same[:LOOKED_AT])
            yield f'{len(same) + 1} {kind} are called "{taken.name}"; took {told}.'
    if one.others:
        yield f"Also names in the graph, not taken as topics: {', '.join(m.text for m in one.others)}."


def plural(word: str) -> str:
    """An English noun's plural, by rule.

    >>> plural("film"), plural("country"), plural("class"), plural("person")
    ('films', 'countries', 'classes', 'people')
    """
    if word.endswith("person"):
        return f"{word.removesuffix('person')}people"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)$", word) else f"{word}s"


def _by_own(one: Entity, others: Sequence[Entity]) -> str:
    """By its label or a property; years before other properties."""
    if one.label not in {DEFAULT_LABEL, *(other.label for other in others)}:
        return f"the {relation_words(one.label)}"
    found = []
    for key, value in one.properties.items():
        if isinstance(value, tuple | bool | float) or any(other.properties.get(key) == value for other in others):
            continue
        text = str(value.year) if isinstance(value, date) else str(value)
        found.append((not _YEAR.fullmatch(text), len(text), key, text))
    if not found:
        return ""
    no_year, _, key, text = min(found)
    return f"the one with {relation_words(key)}: {text}" if no_year else f"the one of {text}"
