"""The Cypher that reads (``cypher_write``: the other half of all Cypher that there is). Values go in as parameters;
identifiers (relations, labels) only through ``quoted``.

The graph is ``(:Entity:Film {id, name, aliases, name_keys})-[:directed_by]->(:Entity ...)``. Beside it stand
``(:KgqaMeta {id: 'schema', migration, schema})`` and, as change counters,
``(:KgqaMeta {id: 'changes/<slot>', value})``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

META_ID = "schema"
COUNTER_PREFIX = "changes/"

# ---- what is read

VERSION = "OPTIONAL MATCH (m:KgqaMeta {id: 'schema'}) RETURN m.migration AS migration"
CHANGES = "MATCH (m:KgqaMeta) WHERE m.id STARTS WITH 'changes/' RETURN coalesce(sum(m.value), 0) AS changes"
META = "OPTIONAL MATCH (m:KgqaMeta {id: 'schema'}) RETURN m.migration AS migration, m.schema AS schema"
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

# Most entities have no property but ours (id, name, aliases, name_keys and one or two of bookkeeping).
_ENTITY = (
    "e.id AS id, e.name AS name, labels(e) AS labels, e.aliases AS aliases, "
    "CASE WHEN size(keys(e)) > 5 THEN properties(e) ELSE NULL END AS properties"
)
ENTITIES: LiteralString = f"UNWIND $ids AS id MATCH (e:Entity {{id: id}}) RETURN {_ENTITY}"
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
# The change counter comes along, so that a cached list of relations is checked without another round trip.
OFFER = """
UNWIND range(0, size($ids) - 1) AS owner MATCH (:Entity {id: $ids[owner]})-[r]->()
WITH owner, r, endNode(r) AS t WHERE t:Entity
RETURN owner, type(r) AS relation, 0 AS inverse, count(DISTINCT t.id) AS n
UNION ALL
UNWIND range(0, size($ids) - 1) AS owner MATCH (:Entity {id: $ids[owner]})<-[r]-()
WITH owner, r, startNode(r) AS t WHERE t:Entity
RETURN owner, type(r) AS relation, 1 AS inverse, count(DISTINCT t.id) AS n
UNION ALL
MATCH (m:KgqaMeta) WHERE m.id STARTS WITH 'changes/'
RETURN -1 AS owner, '' AS relation, 0 AS inverse, coalesce(sum(m.value), 0) AS n
"""

# The relation's name is a parameter here, not a part of the text: texts made for the relations asked for would each be
# planned anew, for 0.2 s and more, and a question seldom asks for the same set as the one before it. $most is the
# largest limit; the server orders ids as UTF-8, which is by code point.
EXPAND = """
UNWIND $rows AS row WITH row WHERE NOT row[4] MATCH (e:Entity {id: row[1]})
CALL (e, row) {
  MATCH (e)-[r]->() WHERE type(r) = row[2] WITH endNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
  RETURN DISTINCT t.id AS id ORDER BY id LIMIT $most
}
WITH row[0] AS position, row[3] AS limit, collect(id) AS ids RETURN position, ids[..limit] AS ids
UNION ALL
UNWIND $rows AS row WITH row WHERE row[4] MATCH (e:Entity {id: row[1]})
CALL (e, row) {
  MATCH (e)<-[r]-() WHERE type(r) = row[2] WITH startNode(r) AS t WHERE t:Entity AND t.id IS NOT NULL
  RETURN DISTINCT t.id AS id ORDER BY id LIMIT $most
}
WITH row[0] AS position, row[3] AS limit, collect(id) AS ids RETURN position, ids[..limit] AS ids
"""
HOLDS = """
UNWIND $rows AS row MATCH (h:Entity {id: row[1]}) MATCH (t:Entity {id: row[3]})
WHERE EXISTS { (h)-[r]->(t) WHERE type(r) = row[2] }
RETURN row[0] AS position
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
