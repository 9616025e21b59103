"""The Cypher that looks at a database which somebody else modelled (``cypher_read``: what reads its facts).

Values go in by the map ``$given``; names of labels, types and properties that the text must have go in only through
``quoted``. All of it reads; none needs a plugin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from kgqa.stores.cypher import built, quoted

NAMES: LiteralString = """
CALL () { CALL db.labels() YIELD label RETURN collect(label) AS labels }
CALL () { CALL db.relationshipTypes() YIELD relationshipType RETURN collect(relationshipType) AS types }
CALL () { CALL db.propertyKeys() YIELD propertyKey RETURN collect(propertyKey) AS properties }
RETURN labels, types, properties
"""
TOTALS: LiteralString = """
CALL () { MATCH (n) RETURN count(n) AS nodes }
CALL () { MATCH ()-[r]->() RETURN count(r) AS facts }
RETURN nodes, facts
"""
INDEXES: LiteralString = """
SHOW INDEXES YIELD type, state, entityType, labelsOrTypes, properties, owningConstraint
WHERE type = 'RANGE' AND state = 'ONLINE' AND entityType = 'NODE' AND size(properties) = 1
RETURN labelsOrTypes AS labels, properties[0] AS property, owningConstraint IS NOT NULL AS unique
"""
# Of each property: its type (a list's: that of its first item), whether it is a list, how many have it, some values as
# texts, the sum of the lengths, the longest list. A list of lists or of maps can't be stored.
_PROPERTIES: LiteralString = """
  UNWIND some AS x
  UNWIND keys(x) AS key
  WITH key, x[key] AS value
  WITH key, value, value IS :: LIST<ANY> NOT NULL AS several
  WITH key, several, CASE WHEN several THEN value[..$given.shown] ELSE [value] END AS items,
       CASE WHEN several THEN size(value) ELSE 1 END AS length
  WITH key, several, length, [i IN items | toStringOrNull(i)] AS texts,
       CASE WHEN size(items) = 0 THEN 'STRING' ELSE replace(valueType(items[0]), ' NOT NULL', '') END AS type
  WITH key, type, several, count(*) AS n, max(length) AS longest,
       sum(CASE WHEN size(texts) = 0 THEN 0 ELSE coalesce(size(texts[0]), 0) END) AS characters,
       collect([t IN texts[..3] WHERE t IS NOT NULL | left(t, $given.shown)]) AS parts
  RETURN collect([key, type, several, n, reduce(all = [], part IN parts[..$given.values] | all + part), characters,
                  longest]) AS found
"""


def count_label(label: str) -> str:
    return f"MATCH (n:{quoted(label)}) RETURN count(n) AS n"


def count_type(relation: str) -> str:
    return f"MATCH ()-[r:{quoted(relation)}]->() RETURN count(r) AS n"


def each_count(counts: Sequence[str]) -> LiteralString:
    """Several counts in one query: rows ``at``, ``n``."""
    return built("\nUNION ALL\n".join(f"CALL () {{ {count} }} RETURN {at} AS at, n" for at, count in enumerate(counts)))


def sample_nodes(label: str) -> LiteralString:
    return built(f"""
MATCH (n:{quoted(label)}) WITH n SKIP toInteger($given.skip) LIMIT toInteger($given.most)
WITH collect(n) AS some
CALL (some) {{ UNWIND some AS x WITH labels(x) AS labels, count(*) AS n RETURN collect([labels, n]) AS labels }}
CALL (some) {{ {_PROPERTIES} }}
RETURN size(some) AS sampled, labels, found
""")


def sample_relationships(relation: str) -> LiteralString:
    return built(f"""
MATCH ()-[r:{quoted(relation)}]->() WITH r SKIP toInteger($given.skip) LIMIT toInteger($given.most)
WITH collect(r) AS some
CALL (some) {{
  UNWIND some AS x WITH labels(startNode(x)) AS head, labels(endNode(x)) AS tail, count(*) AS n
  RETURN collect([head, tail, n]) AS ends
}}
CALL (some) {{ {_PROPERTIES} }}
RETURN size(some) AS sampled, ends, found
""")
