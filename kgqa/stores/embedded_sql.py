"""All SQL of the embedded store. A list of texts goes in as one JSON parameter; no value is ever pasted in."""

from __future__ import annotations

APPLICATION_ID = 0x6B677161  # "kgqa" in ASCII; marks the file as ours

# One entry per migration of graph_schema.migrations, in the same order; released ones never change.
MIGRATIONS: dict[int, str] = {
    1: """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE entity (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        label TEXT NOT NULL,
        aliases TEXT NOT NULL  -- JSON list
    );
    CREATE TABLE relation (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, facts INTEGER NOT NULL);
    CREATE TABLE fact (
        head INTEGER NOT NULL,
        relation INTEGER NOT NULL,
        tail INTEGER NOT NULL,
        PRIMARY KEY (head, relation, tail)
    ) WITHOUT ROWID;
    CREATE INDEX fact_by_tail ON fact (tail, relation, head);
    CREATE TABLE name (row INTEGER PRIMARY KEY, key TEXT NOT NULL, entity INTEGER NOT NULL, UNIQUE (key, entity));
    CREATE VIRTUAL TABLE likeness USING fts5(
        key, content='name', content_rowid='row', tokenize='trigram case_sensitive 1', detail='none'
    );
    """,
    2: """
    CREATE TABLE load (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL,  -- of running and complete ones, no two have the same
        state TEXT NOT NULL,
        began TEXT NOT NULL,
        ended TEXT NOT NULL
    );
    CREATE UNIQUE INDEX load_by_key ON load (key) WHERE state IN ('running', 'complete');
    CREATE TABLE origin (
        origin INTEGER PRIMARY KEY AUTOINCREMENT,
        load INTEGER NOT NULL REFERENCES load,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        digest TEXT NOT NULL,
        through INTEGER NOT NULL DEFAULT 0,
        facts INTEGER NOT NULL DEFAULT 0,
        entities INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX origin_by_load ON origin (load);
    """,
}

GET_META = "SELECT value FROM meta WHERE key = ?"
SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
CHANGES = "SELECT value FROM meta WHERE key = 'changes'"
COUNTS = """
    SELECT (SELECT coalesce(sum(facts), 0) FROM relation), (SELECT count(*) FROM entity),
           (SELECT value FROM meta WHERE key = 'changes')
"""
RELATIONS = "SELECT key, name FROM relation WHERE facts > 0 ORDER BY name"

ENTITIES = """
    SELECT e.key, e.id, e.name, e.label, e.aliases FROM json_each(?) asked CROSS JOIN entity e ON e.id = asked.value
"""
KEYS = "SELECT e.id, e.key FROM json_each(?) asked CROSS JOIN entity e ON e.id = asked.value"
LOOKUP = """
    SELECT n.key, e.id, e.name, e.label, e.aliases
    FROM json_each(?) asked CROSS JOIN name n ON n.key = asked.value CROSS JOIN entity e ON e.key = n.entity
    ORDER BY e.id
"""
LIKE = """
    SELECT e.id, e.name, e.label, e.aliases
    FROM (SELECT rowid AS row FROM likeness WHERE likeness MATCH ? ORDER BY rank LIMIT ?) hit
    CROSS JOIN name n ON n.row = hit.row CROSS JOIN entity e ON e.key = n.entity
"""
STARTS_WITH = """
    SELECT e.id, e.name, e.label, e.aliases FROM name n CROSS JOIN entity e ON e.key = n.entity
    WHERE n.key >= ? AND n.key < ? ORDER BY n.key LIMIT ?
"""

OFFER = """
    SELECT asked.key, f.relation, 0, count(*)
    FROM json_each(?1) asked CROSS JOIN entity e ON e.id = asked.value CROSS JOIN fact f ON f.head = e.key
    GROUP BY asked.key, f.relation
    UNION ALL
    SELECT asked.key, f.relation, 1, count(*)
    FROM json_each(?1) asked CROSS JOIN entity e ON e.id = asked.value CROSS JOIN fact f ON f.tail = e.key
    GROUP BY asked.key, f.relation
"""
TAILS = """
    SELECT far.id FROM fact f CROSS JOIN entity far ON far.key = f.tail
    WHERE f.head = (SELECT key FROM entity WHERE id = ?) AND f.relation = (SELECT key FROM relation WHERE name = ?)
    ORDER BY far.id LIMIT ?
"""
HEADS = """
    SELECT far.id FROM fact f CROSS JOIN entity far ON far.key = f.head
    WHERE f.tail = (SELECT key FROM entity WHERE id = ?) AND f.relation = (SELECT key FROM relation WHERE name = ?)
    ORDER BY far.id LIMIT ?
"""
HOLDS = """
    SELECT EXISTS (
        SELECT 1 FROM fact WHERE head = (SELECT key FROM entity WHERE id = ?)
        AND relation = (SELECT key FROM relation WHERE name = ?) AND tail = (SELECT key FROM entity WHERE id = ?)
    )
"""
ALL_FACTS = """
    SELECT h.id, r.name, t.id FROM fact f
    CROSS JOIN entity h ON h.key = f.head CROSS JOIN relation r ON r.key = f.relation
    CROSS JOIN entity t ON t.key = f.tail
"""
ALL_ENTITIES = "SELECT id, name, label, aliases FROM entity"
ENTITIES_WITH_KEY = "SELECT key, id, name, label, aliases FROM entity ORDER BY id"
FACT_KEYS = "SELECT head, relation, tail FROM fact"

LAST_ENTITY_KEY = "SELECT coalesce(max(key), 0) FROM entity"
LAST_NAME_ROW = "SELECT coalesce(max(row), 0) FROM name"
ADD_ENTITY = "INSERT INTO entity VALUES (?, ?, ?, ?, ?)"
SET_ENTITY = "UPDATE entity SET name = ?, label = ?, aliases = ? WHERE key = ?"
ADD_NAME = "INSERT INTO name VALUES (?, ?, ?)"
ADD_LIKENESS = "INSERT INTO likeness (rowid, key) VALUES (?, ?)"
FIND_NAME = "SELECT row FROM name WHERE key = ? AND entity = ?"
DROP_LIKENESS = "INSERT INTO likeness (likeness, rowid, key) VALUES ('delete', ?, ?)"
DROP_NAME = "DELETE FROM name WHERE row = ?"
ADD_RELATION = "INSERT INTO relation (name, facts) VALUES (?, 0) ON CONFLICT (name) DO NOTHING"
RELATION_KEY = "SELECT key FROM relation WHERE name = ?"
COUNT_RELATION = "UPDATE relation SET facts = facts + ? WHERE key = ?"
ADD_FACT = "INSERT OR IGNORE INTO fact VALUES (?, ?, ?)"
DROP_FACT = "DELETE FROM fact WHERE head = ? AND relation = ? AND tail = ?"
MENTIONED = """
    SELECT EXISTS (SELECT 1 FROM fact WHERE head = ?1) OR EXISTS (SELECT 1 FROM fact WHERE tail = ?1)
"""
DROP_ENTITY = "DELETE FROM entity WHERE key = ?"
