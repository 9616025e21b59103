"""The Cypher that writes, and that keeps account of loads. Beside the graph (see ``kgqa.stores.cypher``) stand
``(:KgqaLoad {id, key, state, began, ended})``, whose ``key`` is ``old_key`` once it is taken back, and
``(:KgqaOrigin {origin, load, place, source, size, digest, through, rejected})`` with the counts of ``LoadSource``;
while a load runs, what it brought is counted in ``(:KgqaMeta {id: 'brought/<origin>/<slot>', origin})``, too.

What a load writes with comes as one map, ``$given``: of a list that is a parameter itself, the server makes a new plan
whenever its size first reaches 2, 11, 101 ... (see ``kgqa.stores.cypher``), for each relation again.
``$low`` and ``$high`` bound the marks of one origin. A node that was merged is found again by ``id()``, which costs a
fraction of looking its key up. Neo4j gives no id away again while a transaction is open that was there before; so
``VERIFY`` says for one transaction that nodes still bear their keys, and for many, one is held open beside them
(``neo4j_transactions.Held``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from graph_schema.migrations import NameIndex, Requirement, SimilarNameIndex, UniqueKey
from graph_schema.types import DEFAULT_LABEL
from kgqa.stores.cypher import built, quoted

_STATE = (
    "e.id AS id, e.name AS name, labels(e) AS labels, e.aliases AS aliases, properties(e) AS properties, "
    "e.kgqa_from AS marks, e.kgqa_said AS said"
)
# No label here, or the planner takes an index of it.
_ENDS = (
    "UNWIND range(0, size($given.heads) - 1) AS at "
    "MATCH (h) WHERE id(h) = $given.heads[at] MATCH (t) WHERE id(t) = $given.tails[at]"
)
# For facts that are there. The limit keeps the planner from joining both parts of the query, for then it walks over all
# that a hub has and looks at the far ends afterwards.
_FACTS = f"{_ENDS} WITH * LIMIT 1000000000 MATCH (h)-[r:{{0}}]->(t)"
_MARKED = "coalesce(any(m IN {0}.kgqa_from WHERE $low <= m < $high), false)"
_TAKEN = "any(m IN {0}.kgqa_from WHERE m / 1099511627776 IN $origins)"  # 2^40
_ALL_TAKEN = "all(m IN {0}.kgqa_from WHERE m / 1099511627776 IN $origins)"
_UNSPOKEN = (
    "e.kgqa_from IS NULL AND e.name = e.id AND coalesce(e.aliases, []) = [] "
    "AND size(labels(e)) = 1 AND all(k IN keys(e) WHERE k IN ['id', 'name', 'aliases', 'name_keys'])"
)
_AS_SAID = (
    "coalesce(all(k IN keys({1}) WHERE k = 'kgqa_from' OR {1}[k] IS NULL "
    "OR {0}[k] = {1}[k] AND valueType({0}[k]) = valueType({1}[k])), false)"
)

# ---- the store itself

SET_META = "MERGE (m:KgqaMeta {id: 'schema'}) SET m.migration = $migration, m.schema = $schema"
COUNT_CHANGE = """
MERGE (m:KgqaMeta {id: $slot}) ON CREATE SET m.value = 1 ON MATCH SET m.value = m.value + 1
"""
ANY_ENTITY = "MATCH (e:Entity) RETURN 1 AS one LIMIT 1"
COUNT_ALL = "MATCH (e:Entity) RETURN count(e) AS n"  # kept by the server, so it needn't count
AWAIT_INDEXES = "CALL db.awaitIndexes($seconds)"


def requirement(wanted: Requirement) -> LiteralString:
    """The command that brings about what a migration requires, if it isn't there."""
    name, label, prop = quoted(wanted.name), quoted(wanted.label), quoted(wanted.property)
    match wanted:
        case UniqueKey():
            text = f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR (e:{label}) REQUIRE e.{prop} IS UNIQUE"
        case NameIndex():
            text = _fulltext(name, label, prop, "keyword")
        case SimilarNameIndex():
            text = _fulltext(name, label, prop, "standard-folding")
    return built(text)


def dropped(wanted: NameIndex | SimilarNameIndex) -> LiteralString:
    """The command that takes an index away, if it is there."""
    return built(f"DROP INDEX {quoted(wanted.name)} IF EXISTS")


def _fulltext(name: str, label: str, prop: str, analyzer: str) -> str:
    return (
        f"CREATE FULLTEXT INDEX {name} IF NOT EXISTS FOR (e:{label}) ON EACH [e.{prop}] "
        f"OPTIONS {{indexConfig: {{`fulltext.analyzer`: '{analyzer}'}}}}"
    )


# ---- entities

# Columns, here and for facts: the driver takes half the time for two lists that it takes for a list of pairs.
MERGE_MENTIONED = """
UNWIND range(0, size($given.ids) - 1) AS at WITH $given.ids[at] AS id, $given.keys[at] AS key
MERGE (e:Entity {id: id})
ON CREATE SET e.name = id, e.name_keys = CASE key WHEN '' THEN [] ELSE [key] END
RETURN collect(id(e)) AS nodes
"""
VERIFY = """
UNWIND range(0, size($given.nodes) - 1) AS at
MATCH (e) WHERE id(e) = $given.nodes[at] AND e.id = $given.ids[at] RETURN count(e) AS n
"""
# Setting the id to itself takes the node's lock, so that what is read after it stays true until the commit.
LOCK_ENTITIES: LiteralString = f"""
UNWIND $given.ids AS id MATCH (e:Entity {{id: id}}) SET e.id = id
WITH e RETURN {_STATE}
"""
# What is there under a name with null is taken away.
SET_ENTITIES = """
UNWIND $given.rows AS row MATCH (e:Entity {id: row[0]}) SET e += row[1]
"""
DELETE_ORPHANS = """
UNWIND $ids AS id MATCH (e:Entity {id: id}) SET e.id = id WITH e WHERE NOT EXISTS { (e)--() } DELETE e
"""


def merge_entities(label: str) -> LiteralString:
    """Rows [id, properties]; returns the internal ids in the order of the rows."""
    more = f", e:{quoted(label)}" if label != DEFAULT_LABEL else ""
    return built(
        "UNWIND $given.rows AS row MERGE (e:Entity {id: row[0]}) "
        f"ON CREATE SET e += row[1]{more} RETURN collect(id(e)) AS nodes"
    )


def differing_entities(label: str) -> LiteralString:
    """Rows as for ``merge_entities``; returns the ids of those in which writing them changes something, or may."""
    labelled = f" AND e:{quoted(label)}" if label != DEFAULT_LABEL else ""
    return built(
        "UNWIND $given.rows AS row MATCH (e:Entity {id: row[0]}) WITH e, row[1] AS said "
        f"WHERE NOT ({_MARKED.format('e')} AND e.kgqa_said IS NULL{labelled} AND {_AS_SAID.format('e', 'said')}) "
        "RETURN collect(e.id) AS ids"
    )


def set_label(label: str, *, to: bool) -> LiteralString:
    """Gives the entities ``$ids`` a label, or takes it away."""
    return built(f"UNWIND $ids AS id MATCH (e:Entity {{id: id}}) {'SET' if to else 'REMOVE'} e:{quoted(label)}")


# ---- facts


def merge_facts(relation: str) -> LiteralString:
    """Columns heads, tails (internal ids), marks; returns for how many of them both entities were there."""
    return built(
        f"{_ENDS} MERGE (h)-[r:{quoted(relation)}]->(t) "
        "ON CREATE SET r.kgqa_from = [$given.marks[at]] RETURN count(*) AS n"
    )


def merge_facts_with(relation: str) -> LiteralString:
    """The same with properties."""
    return built(
        f"{_ENDS} MERGE (h)-[r:{quoted(relation)}]->(t) "
        "ON CREATE SET r = $given.properties[at], r.kgqa_from = [$given.marks[at]] RETURN count(*) AS n"
    )


def count_facts(relations: Sequence[str]) -> LiteralString:
    """Columns heads, tails, relations (positions in ``names``); returns how many are there with a mark of that origin.

    One plan for all of these relations. They stand in the pattern, for without a type in it the planner walks over all
    relationships, for each fact again, while it thinks that there are few.
    """
    types = "|".join(map(quoted, relations))
    return built(
        f"{_FACTS.format(types)} WHERE type(r) = $given.names[$given.relations[at]] AND {_MARKED.format('r')} "
        "RETURN count(DISTINCT at) AS n"
    )


def count_relation(relation: str) -> LiteralString:
    """How many facts it has; the server keeps count."""
    return built(f"MATCH ()-[r:{quoted(relation)}]->() RETURN count(r) AS n")


def ends_of(relation: str) -> LiteralString:
    """Internal ids of the heads and tails of all of its facts with a mark of that origin."""
    return built(
        f"MATCH (h)-[r:{quoted(relation)}]->(t) WHERE {_MARKED.format('r')} "
        "RETURN collect(id(h)) AS heads, collect(id(t)) AS tails"
    )


def mark_facts(relation: str) -> LiteralString:
    """Columns heads, tails, marks of facts of which nobody says more than that they are: adds the mark.

    Returns how many had no mark of that origin; a mark of nobody's is put before the first one.
    """
    return built(
        f"{_FACTS.format(quoted(relation))} "
        f"WHERE NOT {_MARKED.format('r')} AND r.kgqa_said IS NULL AND all(k IN keys(r) WHERE k = 'kgqa_from') "
        "SET r.kgqa_from = r.kgqa_from "
        f"WITH r, at WHERE NOT {_MARKED.format('r')} "
        "SET r.kgqa_from = coalesce(r.kgqa_from, CASE WHEN $low = 0 THEN [] ELSE [0] END) + $given.marks[at] "
        "RETURN count(*) AS n"
    )


def lock_facts(relation: str) -> LiteralString:
    """Columns heads, tails, properties; locks those facts in which writing them changes something, or may.

    Returns the position of each, and its properties.
    """
    return built(
        f"{_FACTS.format(quoted(relation))} WITH at, r, $given.properties[at] AS said "
        f"WHERE NOT ({_MARKED.format('r')} AND r.kgqa_said IS NULL AND {_AS_SAID.format('r', 'said')}) "
        "SET r.kgqa_from = r.kgqa_from RETURN at, properties(r) AS properties"
    )


def set_facts(relation: str) -> LiteralString:
    """Columns heads, tails, properties: all that the facts have."""
    return built(f"{_FACTS.format(quoted(relation))} SET r = $given.properties[at]")


def delete_facts(relation: str) -> LiteralString:
    """Rows [head, tail]; returns those that were there."""
    return built(
        f"UNWIND $rows AS row MATCH (:Entity {{id: row[0]}})-[r:{quoted(relation)}]->(:Entity {{id: row[1]}}) "
        "DELETE r RETURN DISTINCT row[0] AS head, row[1] AS tail"
    )


# ---- loads

# The counter's lock makes those who begin a load do so one after the other.
LOCK_LOADS = """
MERGE (m:KgqaMeta {id: 'loads'}) SET m.origins = coalesce(m.origins, 0) RETURN m.origins AS origins, m.last AS last
"""
LOAD_BY_KEY = "MATCH (l:KgqaLoad {key: $key}) RETURN l.id AS id"
CREATE_LOAD = """
CREATE (l:KgqaLoad {id: $id, key: $key, state: 'running', began: $began, ended: ''})
WITH l UNWIND $sources AS source CREATE (o:KgqaOrigin) SET o = source
"""
COUNT_LOADS = "MATCH (m:KgqaMeta {id: 'loads'}) SET m.origins = $origins, m.last = $last"
LOAD_STATE = "MATCH (l:KgqaLoad {id: $id}) SET l.id = l.id RETURN l.state AS state"
END_LOAD = "MATCH (l:KgqaLoad {id: $id}) SET l.state = 'complete', l.ended = $ended"
UNDO_LOAD = """
MATCH (l:KgqaLoad {id: $id}) SET l.state = $state, l.ended = $ended, l.old_key = coalesce(l.key, l.old_key)
REMOVE l.key
"""
BROUGHT_BY = "MATCH (o:KgqaOrigin {origin: $origin}) RETURN o.facts AS facts"
LOADS = "MATCH (l:KgqaLoad) RETURN l {.*} AS load ORDER BY l.id"
_COUNTS: tuple[LiteralString, ...] = ("facts", "entities", "facts_changed", "declared_created", "declared_changed")
_TALLIES = "MATCH (c:KgqaMeta) WHERE c.id STARTS WITH 'brought/' + toString(o.origin) + '/'"
SOURCES: LiteralString = f"""
MATCH (o:KgqaOrigin)
CALL (o) {{ {_TALLIES} RETURN {", ".join(f"coalesce(sum(c.{name}), 0) AS {name}" for name in _COUNTS)} }}
RETURN o {{.*, {", ".join(f"{name}: coalesce(o.{name}, 0) + {name}" for name in _COUNTS)}}} AS source
ORDER BY o.load, o.place
"""
# What a transaction brought is counted where no other worker counts: a commit is the longest part of a transaction, and
# whoever counts at the same place waits for its end.
BROUGHT: LiteralString = f"""
MERGE (m:KgqaMeta {{id: $slot}}) ON CREATE SET m.value = 1 ON MATCH SET m.value = m.value + 1
MERGE (c:KgqaMeta {{id: $tally}})
SET c.origin = $origin, {", ".join(f"c.{name} = coalesce(c.{name}, 0) + ${name}" for name in _COUNTS)}
"""
ADD_UP: LiteralString = f"""
MATCH (o:KgqaOrigin {{load: $id}}) {_TALLIES} SET c.origin = o.origin
WITH o, c
WITH o, collect(c) AS tallies, {", ".join(f"sum(c.{name}) AS {name}" for name in _COUNTS)}
SET {", ".join(f"o.{name} = coalesce(o.{name}, 0) + {name}" for name in _COUNTS)}
FOREACH (c IN tallies | DELETE c)
"""
JOURNAL = """
MATCH (o:KgqaOrigin {origin: $origin}) SET o.through = CASE WHEN o.through < $through THEN $through ELSE o.through END
"""
RESET_TALLIES = "MATCH (c:KgqaMeta) WHERE c.id STARTS WITH 'brought/' AND c.origin IN $origins DELETE c"
RESET_JOURNAL: LiteralString = f"""
MATCH (o:KgqaOrigin) WHERE o.origin IN $origins
SET o.through = 0, o.rejected = 0, {", ".join(f"o.{name} = 0" for name in _COUNTS)}
"""
COUNT_REJECTED = "MATCH (o:KgqaOrigin {load: $id}) SET o.rejected = $rejected[o.place - 1]"

FACT_STATES = """
UNWIND $rows AS row MATCH (h:Entity {id: row[1]})-[r]->(t:Entity {id: row[3]}) WHERE type(r) = row[2]
RETURN row[0] AS at, properties(r) AS properties
"""
_FACTS_OF: LiteralString = """
MATCH (h:Entity) WHERE h.id IS NOT NULL
CALL (h) {{
  MATCH (h)-[r]->() WHERE {0} WITH r, endNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
  RETURN DISTINCT type(r) AS relation, t.id AS tail
}}
RETURN h.id AS head, relation, tail
"""
FACTS_OF = built(_FACTS_OF.format(_TAKEN.format("r")))
FACTS_OF_ALONE = built(_FACTS_OF.format(f"{_TAKEN.format('r')} AND {_ALL_TAKEN.format('r')}"))
TOLD_FACTS: LiteralString = f"""
MATCH (h:Entity)-[r]->(t:Entity) WHERE {_TAKEN.format("r")} AND any(k IN keys(r) WHERE k <> 'kgqa_from')
RETURN h.id AS head, type(r) AS relation, t.id AS tail, properties(r) AS properties
"""
TOLD_ENTITIES: LiteralString = f"MATCH (e:Entity) WHERE {_TAKEN.format('e')} RETURN {_STATE}"
# Those of which nothing is said are left out: see ``DELETE_UNMENTIONED``.
SPOKEN_OF: LiteralString = f"UNWIND $ids AS id MATCH (e:Entity {{id: id}}) WHERE NOT ({_UNSPOKEN}) RETURN e.id AS id"

# ---- what an import couldn't say

NOTES = """
MATCH (m:KgqaMeta) WHERE m.id STARTS WITH 'later/' RETURN m.id AS id, m.note AS note ORDER BY id LIMIT $most
"""
ADD_TO_FACTS = """
UNWIND $rows AS row MATCH (h:Entity {id: row[0]})-[r]->(t:Entity {id: row[2]}) WHERE type(r) = row[1] SET r += row[3]
"""
DROP_NOTES = "UNWIND $ids AS id MATCH (m:KgqaMeta {id: id}) DELETE m"

# ---- taking back

MARKED_FACTS: LiteralString = f"MATCH (h:Entity)-[r]->() WHERE {_TAKEN.format('r')} RETURN id(r) AS r"
MARKED_ENTITIES: LiteralString = f"MATCH (e:Entity) WHERE {_TAKEN.format('e')} RETURN e.id AS id"
_CHOSEN = "UNWIND $rows AS row MATCH ()-[r]->() WHERE id(r) = row"
# Setting the marks to themselves takes the relationship's lock, as it does with nodes.
DELETE_FACTS: LiteralString = f"""
{_CHOSEN} AND {_TAKEN.format("r")}
SET r.kgqa_from = r.kgqa_from
WITH r WHERE {_ALL_TAKEN.format("r")}
WITH r, startNode(r) AS h, endNode(r) AS t
DELETE r
RETURN count(*) AS n, collect(h.id) AS heads, collect(t.id) AS tails
"""
UNMARK_FACTS: LiteralString = f"""
{_CHOSEN} AND {_TAKEN.format("r")} AND r.kgqa_said IS NULL
SET r.kgqa_from = r.kgqa_from
SET r.kgqa_from = [m IN r.kgqa_from WHERE NOT m / 1099511627776 IN $origins]
RETURN count(r) AS n
"""
CHOSEN_FACTS: LiteralString = f"""
{_CHOSEN} AND {_TAKEN.format("r")}
SET r.kgqa_from = r.kgqa_from
RETURN id(r) AS r, properties(r) AS properties
"""
SET_CHOSEN_FACTS = "UNWIND $rows AS row MATCH ()-[r]->() WHERE id(r) = row[0] SET r = row[1]"
# Of entities that facts had mentioned: those that nothing is said of any more, and nobody ever did.
DELETE_UNMENTIONED: LiteralString = f"""
UNWIND $ids AS id MATCH (e:Entity {{id: id}}) SET e.id = id
WITH e WHERE NOT EXISTS {{ (e)--() }} AND {_UNSPOKEN}
DELETE e
"""
DELETE_UNMARKED: LiteralString = f"""
UNWIND $ids AS id MATCH (e:Entity {{id: id}}) SET e.id = id
WITH e WHERE {_TAKEN.format("e")} AND {_ALL_TAKEN.format("e")} AND NOT EXISTS {{ (e)--() }}
DELETE e
"""
UNMARK_ENTITIES: LiteralString = f"""
UNWIND $ids AS id MATCH (e:Entity {{id: id}}) WHERE {_TAKEN.format("e")} SET e.id = id
WITH e WHERE {_TAKEN.format("e")} AND NOT {_ALL_TAKEN.format("e")} AND e.kgqa_said IS NULL
SET e.kgqa_from = [m IN e.kgqa_from WHERE NOT m / 1099511627776 IN $origins]
RETURN count(e) AS n
"""
CHOSEN_ENTITIES: LiteralString = f"""
UNWIND $ids AS id MATCH (e:Entity {{id: id}}) WHERE {_TAKEN.format("e")} SET e.id = id
WITH e WHERE {_TAKEN.format("e")} RETURN {_STATE}
"""
