"""What comes of an entity of which several things are said: the same in every store, and foreseen without one."""

from __future__ import annotations

from collections.abc import Iterable

from graph_schema.types import DEFAULT_LABEL, Entity, Properties


def combined(old: Entity | None, said: Iterable[Entity]) -> Entity:
    """What is said of an entity, merged in order into what is stored of it, as ``GraphWriter.write`` describes.

    What comes back is to be stored: unlike in an entity that is shown, an alias may equal the name while that is only
    the id, since it stays one when a name comes. So a batch written twice changes nothing the second time. Of two
    values for a property, the later counts: right within one origin.
    """
    for new in said:
        if old is None and new.name and not new.aliases and new.label:
            old = new
            continue
        old = old or Entity(new.id, new.id)
        name = new.name if old.name == old.id and new.name else old.name
        second = (new.name,) if new.name != new.id else ()
        aliases = dict.fromkeys((*old.aliases, *second, *new.aliases))
        kept = tuple(alias for alias in aliases if alias and (alias != name or name == old.id))
        label = (new.label or DEFAULT_LABEL) if old.label == DEFAULT_LABEL else old.label
        properties: Properties = old.properties
        if new.properties:
            properties = {**properties, **new.properties}
        old = Entity(old.id, name, label, kept, properties)
    if old is None:
        raise ValueError("nothing was said of the entity")
    return old


def shown(stored: Entity) -> Entity:
    """A stored entity as readers get it: its name isn't an alias too."""
    if stored.name not in stored.aliases:
        return stored
    aliases = tuple(alias for alias in stored.aliases if alias != stored.name)
    return Entity(stored.id, stored.name, stored.label, aliases, stored.properties)
