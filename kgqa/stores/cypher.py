"""The Cypher that reads (``cypher_write``: the other half of all Cypher that there is). Values go in as parameters;
identifiers (relations, labels) only through ``quoted``.

The graph is ``(:Entity:Film {id, name, aliases, name_keys})-[:directed_by]->(:Entity ...)``. Beside it stand
``(:KgqaMeta {id: 'schema', migration, schema})`` and, as change counters,
``(:KgqaMeta {id: 'changes/<slot>', value})``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from graph_schema.types import DEFAULT_LABEL

META_ID = "schema"
COUNTER_PREFIX = "changes/"

# ---- what is read

VERSION = "OPTIONAL MATCH (m:KgqaMeta {id: 'schema'}) RETURN m.migration AS migration"
OURS: LiteralString = """
CALL () { MATCH (m:KgqaMeta) RETURN count(m) AS meta }
CALL () { OPTIONAL MATCH (e:Entity) WHERE e.id IS NOT NULL WITH e LIMIT 1 RETURN count(e) AS entities }
CALL () { MATCH (n) RETURN count(n) AS nodes }
RETURN meta, entities, nodes
"""
CHANGES = "MATCH (m:KgqaMeta) WHERE m.id STARTS WITH 'changes/' RETURN coalesce(sum(m.value), 0) AS changes"
META = "OPTIONAL MATCH (m:KgqaMeta {id: 'schema'}) RETURN m.migration AS migration, m.schema AS schema"
SCHEMA: LiteralString = f"""
OPTIONAL MATCH (m:KgqaMeta {{id: 'schema'}}) WITH m.schema AS schema
CALL () {{ {CHANGES} }}
RETURN schema, changes
"""
COUNT_ENTITIES = "MATCH (e:Entity) WHERE e.id IS NOT NULL RETURN count(e) AS n"
# What walks from a node names only that node, and looks at the other end afterwards (endNode, startNode): where nodes
# have many relationships, the planner would else scan all entities for each node walked from, and keep that plan when
# the graph has grown.
COUNT_FACTS = """
MATCH (h:Entity)
CALL (h) {
  MATCH (h)-[r]->() WITH r, endNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
  RETURN count(DISTINCT [type(r), t.id]) AS facts
}
RETURN coalesce(sum(facts), 0) AS n
"""
RELATION_TYPES = "CALL db.relationshipTypes() YIELD relationshipType AS relation RETURN relation"

# Most entities have no property but ours.
_PROPERTIES = (
    "CASE WHEN any(k IN keys(e) WHERE NOT k IN ['id', 'name', 'aliases', 'name_keys', 'kgqa_from']) "
    "THEN properties(e) ELSE NULL END"
)
_ENTITY = f"e.id AS id, e.name AS name, labels(e) AS labels, e.aliases AS aliases, {_PROPERTIES} AS properties"
_SHOWN = f"{{id: e.id, name: e.name, labels: labels(e), aliases: e.aliases, properties: {_PROPERTIES}}}"
ALL_ENTITIES: LiteralString = f"MATCH (e:Entity) WHERE e.id IS NOT NULL RETURN {_ENTITY}"
ALL_FACTS = """
MATCH (h:Entity) WHERE h.id IS NOT NULL
CALL (h) {
  MATCH (h)-[r]->() WITH r, endNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
  RETURN DISTINCT type(r) AS relation, t.id AS tail
}
RETURN h.id AS head, relation, tail
"""
BY_NAME: LiteralString = f"CALL db.index.fulltext.queryNodes('kgqa_name_keys', $query) YIELD node AS e RETURN {_ENTITY}"
LIKE: LiteralString = f"""
CALL db.index.fulltext.queryNodes('kgqa_names', $words, {{limit: $limit}}) YIELD node AS e RETURN {_ENTITY}
UNION
CALL db.index.fulltext.queryNodes('kgqa_name_keys', $whole, {{limit: $limit}}) YIELD node AS e RETURN {_ENTITY}
"""
# What each of the following is given comes as one map: of a list or text that is a parameter itself, the server makes a
# new plan, for 0.5 s and more, whenever its size first reaches 2, 11, 101 ...; of what a map holds it doesn't know.
# Each answers with one record, however much it says: a record costs the driver more than its content.
# The change counter comes along, so that a cached list of relations is checked without another round trip, and a
# relation is said as its position there ($given.index, name to position), or by its name if it is new.
_CHANGES = f"CALL () {{ {CHANGES} }}"
_AROUND = """
  CALL (e) {
    MATCH (e)-[r]->() WITH r, endNode(r) AS t WHERE t:Entity
    WITH type(r) AS relation, count(DISTINCT t.id) AS n WHERE n > 0
    RETURN collect(coalesce($given.index[relation], relation)) AS out, collect(n) AS outward
  }
  CALL (e) {
    MATCH (e)<-[r]-() WITH r, startNode(r) AS t WHERE t:Entity
    WITH type(r) AS relation, count(DISTINCT t.id) AS n WHERE n > 0
    RETURN collect(coalesce($given.index[relation], relation)) AS into, collect(n) AS inward
  }
"""
# The relation's name is a parameter here, not a part of the text: texts made for the relations asked for would each be
# planned anew, for 0.2 s and more, and a question seldom asks for the same set as the one before it. $given.most is the
# largest limit; the server orders ids as UTF-8, which is by code point.
_FAR = """
  UNWIND range(0, size($given.rows) - 1) AS at WITH at, $given.rows[at] AS row MATCH (e:Entity {id: row[0]})
  CALL (e, row) {
    WITH e, row WHERE NOT row[2]
    MATCH (e)-[r]->() WHERE type(r) = row[1] WITH endNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
    WITH DISTINCT t, t.id AS id ORDER BY id LIMIT $given.most RETURN t, id
    UNION ALL
    WITH e, row WHERE row[2]
    MATCH (e)<-[r]-() WHERE type(r) = row[1] WITH startNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
    WITH DISTINCT t, t.id AS id ORDER BY id LIMIT $given.most RETURN t, id
  }
  WITH at, row[3] AS limit, collect(t) AS ends, collect(id) AS ids
  WITH collect([at, ids[..limit]]) AS found, collect(ends[..limit]) AS far
"""
OFFER: LiteralString = f"""
{_CHANGES}
CALL () {{
  UNWIND $given.ids AS id MATCH (e:Entity {{id: id}})
  {_AROUND}
  RETURN collect([id, out, outward, into, inward]) AS around
}}
RETURN changes, around
"""
EXPAND: LiteralString = f"CALL () {{ {_FAR} RETURN found }} RETURN found"
STEP: LiteralString = f"""
{_CHANGES}
CALL () {{ {_FAR} RETURN found, far }}
CALL (far) {{
  UNWIND far AS ends UNWIND ends AS e WITH DISTINCT e
  {_AROUND}
  RETURN collect([e.id, out, outward, into, inward]) AS around
}}
RETURN changes, found, around
"""
START: LiteralString = f"""
{_CHANGES}
CALL () {{
  CALL db.index.fulltext.queryNodes('kgqa_name_keys', $given.query) YIELD node AS e
  WITH e, COUNT {{ (e)--() }} <= $given.densest AS sparse
  RETURN collect({_SHOWN}) AS named,
         collect(CASE WHEN sparse THEN e END)[..$given.most] AS some
}}
CALL (some) {{
  UNWIND some AS e
  {_AROUND}
  RETURN collect([e.id, out, outward, into, inward]) AS around
}}
RETURN changes, named, around
"""
_HELD = """
  UNWIND range(0, size($given.rows) - 1) AS at WITH at, $given.rows[at] AS row
  MATCH (h:Entity {id: row[0]}) MATCH (t:Entity {id: row[2]})
  WHERE EXISTS { (h)-[r]->(t) WHERE type(r) = row[1] }
  RETURN collect(DISTINCT at) AS held
"""
PROVE: LiteralString = f"""
CALL () {{ {_HELD} }}
CALL () {{
  UNWIND $given.ids AS id MATCH (e:Entity {{id: id}})
  RETURN collect({_SHOWN}) AS entities
}}
RETURN held, entities
"""


def quoted(name: str) -> str:
    """A name as a Cypher identifier. Backslashes are spelled out: Cypher reads ``\\u0060`` as a backtick anywhere."""
    return "`" + name.replace("\\", "\\u005C").replace("`", "``") + "`"


def in_use(relations: Sequence[str]) -> LiteralString:
    """Which of these relations join entities; the names are given again as parameters ``r0``, ``r1``, ..."""
    return built(
        "\nUNION ALL\n".join(
            f"MATCH (h:Entity)-[:{quoted(name)}]->(t:Entity) WHERE h.id IS NOT NULL AND t.id IS NOT NULL "
            f"WITH 1 AS one LIMIT 1 RETURN $r{number} AS relation"
            for number, name in enumerate(relations)
        )
    )


def values(label: str) -> LiteralString:
    """Ids of a label's entities that have the property $name, and its value; without those that only origins $without
    spoke of."""
    only = "size(labels(e)) = 1 AND " if label == DEFAULT_LABEL else ""
    return built(
        f"MATCH (e:Entity:{quoted(label)}) WHERE {only}e.id IS NOT NULL AND e[$name] IS NOT NULL AND NOT "
        "(size(coalesce(e.kgqa_from, [])) > 0 AND all(m IN e.kgqa_from WHERE m / 1099511627776 IN $without)) "  # 2^40
        "RETURN e.id AS id, e[$name] AS value"
    )


def any_of(keys: Sequence[str]) -> str:
    """A full-text query for texts that equal one of these keys."""
    return " OR ".join(f'"{escaped(key)}"' for key in keys)


def alike(key: str) -> tuple[str, str]:
    """Full-text queries for names like this key: by its words, and as a whole; up to two edits each."""
    terms = [term for word in key.split() for term in (f"{_term(word)}~2", f"{_term(word)}*")]
    return " OR ".join(terms[:200]), _term(key) + "~2"


def escaped(text: str) -> str:
    """For use between Lucene's double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _term(text: str) -> str:
    """For use as one Lucene term: everything that isn't a letter or digit is escaped."""
    return "".join(c if c.isalnum() else "\\" + c for c in text)


def built(text: str) -> LiteralString:
    """Marks text as fit for the driver, which asks for literals: nothing but quoted identifiers was pasted in."""
    return text
