"""The Cypher that reads a foreign database's facts. As in ``stores.cypher``: one map ``$given``, one record of lists.

Nodes are found by Neo4j's own ids, and relations and properties to follow are parameters (``type(r) = ...``,
``e[...]``), so that the texts stay the same for every question. Only two things need names in the text: the ways from a
value back to what has it, for an index is found by label and property, and degrees of hubs, which are known by type
without counting. What a text is made of are a ``Plan``'s labels, types and properties, each through ``quoted``.

The shorter a text, the sooner it is planned, which happens when it is first met, and takes much longer than the query.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import LiteralString

from kgqa.stores.cypher import built, quoted
from kgqa.stores.foreign.plan import Plan, Property

INFO: LiteralString = """
CALL () { MATCH (n) RETURN count(n) AS nodes }
CALL () { MATCH ()-[r]->() RETURN count(r) AS facts }
RETURN nodes, facts
"""
# Each value of a property as a text, of a list each item; of what can't be said as one (bytes) none.
_ITEMS = "CASE WHEN {v} IS :: LIST<ANY> NOT NULL THEN {v} ELSE [{v}] END"


def shown(plan: Plan, node: str) -> str:
    """A node's id, labels and names: a list."""
    # As texts: a date before the year 1, say, is none to the driver.
    names = ", ".join(f"[x IN {_ITEMS.format(v=f'{node}.{quoted(name)}')} | toStringOrNull(x)]" for name in plan.naming)
    return f"[elementId({node}), labels({node}), [{names}]]"


def around(plan: Plan) -> str:
    """What lies around node ``e``, as ``lies``: [out, in, degrees out, degrees in, own]: types with how many far ends
    and how many values of each property of relationships; of a hub, degrees alone; own properties, how many values.
    """
    held = ", ".join(_values_held(plan, name) for name in plan.held)
    side = """
  CALL (e) {{
    WITH e WHERE COUNT {{ (e)--() }} <= $given.densest
    MATCH (e){left}-[r]-{right}(t)
    WITH $given.types[type(r)] AS at, count(DISTINCT t) AS n, [{held}] AS held WHERE at IS NOT NULL
    RETURN collect([at, n, held]) AS {name}
  }}"""
    degrees = {
        name: "[" + ", ".join(f"COUNT {{ (e){left}-[:{quoted(type_)}]-{right}() }}" for type_ in plan.types) + "]"
        for name, left, right in (("many_out", "", ">"), ("many_into", "<", ""))
    }
    dense = ", ".join(
        f"CASE WHEN COUNT {{ (e)--() }} > $given.densest THEN {text} ELSE [] END AS {name}"
        for name, text in degrees.items()
    )
    return f"""
  {side.format(left="", right=">", held=held, name="out").strip()}
  {side.format(left="<", right="", held=held, name="into").strip()}
  WITH e, out, into, {dense},
       [k IN keys(e) WHERE $given.keys[k] IS NOT NULL |
        [$given.keys[k], CASE WHEN e[k] IS :: LIST<ANY> NOT NULL THEN size(e[k]) ELSE 1 END]] AS own
  WITH e, [out, into, many_out, many_into, own] AS lies
"""


def _values_held(plan: Plan, name: str) -> str:
    value = f"r.{quoted(name)}"
    if any(p.laid.list for p in plan.properties if p.of == "type" and p.name == name):
        return (
            f"sum(CASE WHEN {value} IS NULL THEN 0 WHEN {value} IS :: LIST<ANY> NOT NULL THEN size({value}) ELSE 1 END)"
        )
    return f"count({value})"


def start(plan: Plan, valued: Sequence[Property], named: Collection[str]) -> LiteralString:
    """Who has these ids, or one of these names, and what lies around; which values there are, and how many have them.

    Args:
        valued: properties whose values (``$given.values.bN``, texts) are looked for. named: labels with an index on the
            name, of which nodes are looked for by ``$given.spelled``.
    """
    by_name = "".join(
        f"\n  UNION\n  MATCH (e:{quoted(label)}) WHERE e.{quoted(plan.name_of(label) or '')} IN $given.spelled RETURN e"
        for label in named
    )
    counts = "\n".join(map(_counted, valued))
    total = " + ".join(f"counts_{p.at}" for p in valued) or "[]"
    return built(f"""
CALL () {{
  UNWIND $given.ids AS id MATCH (e) WHERE elementId(e) = id RETURN e{by_name}
}}
WITH DISTINCT e LIMIT toInteger($given.bearers)
{around(plan)}
WITH collect({shown(plan, "e")} + [lies]) AS near
{counts}
RETURN near, {total} AS counts
""")


def offer(plan: Plan, valued: Sequence[Property]) -> LiteralString:
    """The same for ids alone."""
    return start(plan, valued, ())


def step(plan: Plan, valued: Sequence[Property]) -> LiteralString:
    """Where groups lead, and what lies around the nodes there.

    Args:
        valued: properties of which values are followed back.
    """
    back = "\n".join(_back(p) for p in valued)
    parts = ["edges", *(f"b{p.at}" for p in valued)]
    found, far = (" + ".join(f"{name}_{part}" for part in parts) for name in ("found", "far"))
    return built(f"""
{_EDGES}
{_SAID}
{_TOLD}
{back}
WITH said, told, {found} AS found, {far} AS far
CALL (far) {{
  UNWIND far AS ends UNWIND ends AS e WITH DISTINCT e
{around(plan)}
  RETURN collect([elementId(e), labels(e), lies]) AS near
}}
RETURN found, said, told, near
""")


def prove(plan: Plan) -> LiteralString:
    return built(f"""
CALL () {{
  UNWIND $given.edges AS row
  MATCH (h) WHERE elementId(h) = row[1] MATCH (t) WHERE elementId(t) = row[3]
  WITH row, h, t WHERE EXISTS {{ (h)-[r]->(t) WHERE type(r) = row[2] }}
  RETURN collect(DISTINCT row[0]) AS edges
}}
CALL () {{
  UNWIND $given.said AS row
  MATCH (e) WHERE elementId(e) = row[1] AND {_TOLD_HERE}
  WITH row, e[row[2]] AS value
  WHERE any(x IN {_ITEMS.format(v="value")} WHERE toStringOrNull(x) = row[6])
  RETURN collect(DISTINCT row[0]) AS said
}}
CALL () {{
  UNWIND $given.told AS row
  MATCH (e) WHERE elementId(e) = row[1]
  WITH row, e WHERE
    (row[4] = 0 AND EXISTS {{ (e)-[r]->() WHERE type(r) = row[2]
      AND any(x IN {_ITEMS.format(v="r[row[3]]")} WHERE toStringOrNull(x) = row[5]) }})
    OR (row[4] = 1 AND EXISTS {{ (e)<-[r]-() WHERE type(r) = row[2]
      AND any(x IN {_ITEMS.format(v="r[row[3]]")} WHERE toStringOrNull(x) = row[5]) }})
  RETURN collect(DISTINCT row[0]) AS told
}}
CALL () {{
  UNWIND $given.ids AS id MATCH (e) WHERE elementId(e) = id
  RETURN collect({shown(plan, "e")}) AS entities
}}
RETURN edges, said, told, entities
""")


# A row is [at, id, property, limit, label, labels before it]: the node tells the property at this label
_TOLD_HERE = "row[4] IN labels(e) AND none(label IN labels(e) WHERE label IN row[5])"
# Each row is [at, id, type, inverse, limit].
_EDGES = """
CALL () {
  UNWIND $given.edges AS row MATCH (e) WHERE elementId(e) = row[1]
  CALL (e, row) {
    WITH e, row WHERE NOT row[3]
    MATCH (e)-[r]->() WHERE type(r) = row[2]
    WITH DISTINCT endNode(r) AS t LIMIT toInteger($given.most) RETURN t
    UNION ALL
    WITH e, row WHERE row[3]
    MATCH (e)<-[r]-() WHERE type(r) = row[2]
    WITH DISTINCT startNode(r) AS t LIMIT toInteger($given.most) RETURN t
  }
  WITH row, collect(t)[..row[4]] AS ends
  RETURN collect([row[0], [t IN ends | elementId(t)]]) AS found_edges, collect(ends) AS far_edges
}
"""
# Each row is [at, id, property, limit, label, labels before it, position of the property].
_SAID = f"""
CALL () {{
  UNWIND $given.said AS row MATCH (e) WHERE elementId(e) = row[1] AND {_TOLD_HERE}
  UNWIND e[row[2]] AS value
  WITH row, collect(DISTINCT toStringOrNull(value))[..row[3]] AS texts
  RETURN collect([row[0], texts, row[6]]) AS said
}}
"""
# Each row is [at, id, type, property, inverse, limit, position of the property].
_TOLD = """
CALL () {
  UNWIND $given.told AS row MATCH (e) WHERE elementId(e) = row[1]
  CALL (e, row) {
    WITH e, row WHERE NOT row[4]
    MATCH (e)-[r]->() WHERE type(r) = row[2] UNWIND r[row[3]] AS value
    WITH DISTINCT toStringOrNull(value) AS text LIMIT toInteger($given.most) RETURN text
    UNION ALL
    WITH e, row WHERE row[4]
    MATCH (e)<-[r]-() WHERE type(r) = row[2] UNWIND r[row[3]] AS value
    WITH DISTINCT toStringOrNull(value) AS text LIMIT toInteger($given.most) RETURN text
  }
  WITH row, collect(text)[..row[5]] AS texts
  RETURN collect([row[0], texts, row[6]]) AS told
}
"""


def _back(property_: Property) -> str:
    """From values, rows [at, text, limit, side], to what has them."""
    name = f"b{property_.at}"
    return f"""
CALL () {{
  UNWIND $given.back.{name} AS row
  CALL (row) {{
    WITH row, {_native(property_, "row[1]")} AS v
    {_having(property_)}
    WITH DISTINCT {"n" if property_.of == "label" else "CASE row[3] WHEN 0 THEN h ELSE t END AS n"}
    LIMIT toInteger($given.most) RETURN n
  }}
  WITH row, collect(n)[..row[2]] AS ends
  RETURN collect([row[0], [n IN ends | elementId(n)]]) AS found_{name}, collect(ends) AS far_{name}
}}
"""


def _counted(property_: Property) -> str:
    """How many nodes have each of the texts ``$given.values.bN``: rows [position, text, n, n at the tail]."""
    p, texts = property_, f"$given.values.b{property_.at}"
    if p.laid.indexed and not p.laid.list:
        asked = f"""
  UNWIND {texts} AS text
  CALL (text) {{ WITH {_native(p, "text")} AS v {_having(p)} RETURN count(n) AS many }}
  WITH text, many, 0 AS more WHERE many > 0"""
    else:
        match, node = f"MATCH (n:{quoted(p.owner)}){_not_before(p)}", "n"
        count = "count(DISTINCT n) AS many, 0 AS more"
        if p.of == "type":
            match, node = f"MATCH (h)-[n:{quoted(p.owner)}]->(t)", "h, t"
            count = "count(DISTINCT h) AS many, count(DISTINCT t) AS more"
        asked = f"""
  {match}
  UNWIND n.{quoted(p.name)} AS value
  WITH toStringOrNull(value) AS text, {node} WHERE text IN {texts}
  WITH text, {count}"""
    return f"CALL () {{{asked}\n  RETURN collect([{p.at}, text, many, more]) AS counts_{p.at}\n}}"


def _having(p: Property) -> str:
    """Matches ``n`` (of relationships ``h`` and ``t``) that have a value in ``v``."""
    value = f"n.{quoted(p.name)}" if p.of == "label" else f"r.{quoted(p.name)}"
    plain = p.laid.type in ("string", "integer", "float", "boolean", "date")
    same = f"{value} IN v" if plain else f"toStringOrNull({value}) IN v"
    if p.laid.list or p.of == "type":
        same = f"any(x IN {_ITEMS.format(v=value)} WHERE {'x' if plain else 'toStringOrNull(x)'} IN v)"
    if p.of == "type":
        return f"MATCH (h)-[r:{quoted(p.owner)}]->(t) WHERE {same}"
    before = _not_before(p).replace(" WHERE ", " AND ")
    return f"MATCH (n:{quoted(p.owner)}) WHERE {same}{before}"


def _not_before(p: Property) -> str:
    return " WHERE " + " AND ".join(f"NOT n:{quoted(label)}" for label in p.before) if p.before else ""


def _native(p: Property, text: str) -> str:
    """What a value may be that is written as this text, as a list: of the type that the property has, if it can be read
    as one; and the text itself, for a property may have values of other types, too."""
    read = {
        "integer": f"CASE WHEN {text} =~ '-?[0-9]+' THEN toIntegerOrNull({text}) ELSE toFloatOrNull({text}) END",
        "float": f"toFloatOrNull({text})",
        "boolean": f"toBooleanOrNull({text})",
        "date": _date(text),
    }.get(p.laid.type)
    return f"[{read}, {text}]" if read else f"[{text}]"


def _date(text: str) -> str:
    """A date from its text; null if there is no such day, at which ``date`` would end the query."""
    day = f"date(left({text}, size({text}) - 2) + '01') + duration({{days: toInteger(right({text}, 2)) - 1}})"
    like_one = r"(\\d{4}|[+-]\\d{1,8})-(0[1-9]|1[0-2])-\\d\\d"
    return f"CASE WHEN {text} =~ '{like_one}' THEN CASE WHEN toString({day}) = {text} THEN {day} END END"


def names(plan: Plan, label: str) -> LiteralString:
    """Nodes of a label: ids, labels, names, values of the properties that are facts."""
    values = ", ".join(f"[x IN {_ITEMS.format(v=f'e.{quoted(p.name)}')} | toStringOrNull(x)]" for p in own(plan, label))
    return built(f"MATCH (e:{quoted(label)}) RETURN {shown(plan, 'e')} AS shown, [{values}] AS values")


def held(plan: Plan, type_: str) -> LiteralString:
    """Relationships of a type: ends, and the values of the properties that are facts."""
    values = ", ".join(
        f"[x IN {_ITEMS.format(v=f'r.{quoted(p.name)}')} | toStringOrNull(x)]" for p in held_by(plan, type_)
    )
    return built(
        f"MATCH (h)-[r:{quoted(type_)}]->(t) RETURN elementId(h) AS head, elementId(t) AS tail, [{values}] AS values"
    )


def own(plan: Plan, label: str) -> list[Property]:
    return [p for p in plan.properties if p.of == "label" and p.owner == label]


def held_by(plan: Plan, type_: str) -> list[Property]:
    return [p for p in plan.properties if p.of == "type" and p.owner == type_]


ALL_EDGES: LiteralString = """
MATCH (h)
CALL (h) { MATCH (h)-[r]->(t) RETURN DISTINCT type(r) AS relation, elementId(t) AS tail }
RETURN elementId(h) AS head, relation, tail
"""


def all_nodes(plan: Plan) -> LiteralString:
    return built(f"MATCH (e) RETURN {shown(plan, 'e')} AS shown")
