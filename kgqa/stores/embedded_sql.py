"""All SQL of the embedded store. A list of texts goes in as one JSON parameter; no value is ever pasted in."""

from __future__ import annotations

APPLICATION_ID = 0x6B677161  # "kgqa" in ASCII; marks the file as ours

SCRATCH_ID = 0x6B677173  # "kgqs"; of a file that a load past Neo4j's server keeps what it reads in

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
        ended TEXT NOT NULL,
        report TEXT NOT NULL DEFAULT '',  -- holds while the change counter is 'sealed'
        sealed INTEGER NOT NULL DEFAULT -1
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

    -- What was written and taken out, in order. A fact is there if it was brought since it was last taken out.
    CREATE TABLE log (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,  -- 0: facts that an origin brought; 1: facts taken out; 2: an origin taken back
        origin INTEGER NOT NULL,  -- -1 for kind 1
        heads BLOB NOT NULL,  -- a row key for each fact: int32, little-endian; so are relations and tails
        relations BLOB NOT NULL,
        tails BLOB NOT NULL,
        lines BLOB NOT NULL  -- int64, little-endian; empty: all 0
    );
    CREATE INDEX log_by_origin ON log (origin);
    CREATE TABLE fact_property (
        head INTEGER NOT NULL,
        relation INTEGER NOT NULL,
        tail INTEGER NOT NULL,
        origin INTEGER NOT NULL,
        properties TEXT NOT NULL,  -- JSON, see properties.py
        PRIMARY KEY (head, relation, tail, origin)
    ) WITHOUT ROWID;

    -- NULL: name = id, label = Entity, no aliases, no properties. sole: the origin that alone has spoken of the entity,
    -- so that the row is all it said; NULL: none has; -1: what each origin said stands in the table said.
    ALTER TABLE entity RENAME TO old_entity;
    CREATE TABLE entity (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        name TEXT,
        label TEXT,
        aliases TEXT,  -- JSON list
        properties TEXT,  -- JSON, see properties.py
        sole INTEGER,
        line INTEGER  -- of the sole origin; NULL: 0
    );
    INSERT INTO entity SELECT key, id, nullif(name, id), nullif(label, 'Entity'), nullif(aliases, '[]'), NULL, 0, NULL
        FROM old_entity ORDER BY key;
    DROP TABLE old_entity;
    CREATE TABLE said (
        entity INTEGER NOT NULL,
        origin INTEGER NOT NULL,
        line INTEGER NOT NULL,
        name TEXT,
        label TEXT,
        aliases TEXT,
        properties TEXT,
        PRIMARY KEY (entity, origin)
    ) WITHOUT ROWID;
    CREATE INDEX said_by_origin ON said (origin);
    """,
    3: "ALTER TABLE origin ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;\n",
    4: """
    ALTER TABLE origin ADD COLUMN facts_changed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE origin ADD COLUMN declared_created INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE origin ADD COLUMN declared_changed INTEGER NOT NULL DEFAULT 0;
    """,
}
# What makes a new file one of a scratch store: no id is looked for in an index before there is one.
SCRATCH = """
    DROP TABLE entity;
    CREATE TABLE entity (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        name TEXT,
        label TEXT,
        aliases TEXT,
        properties TEXT,
        sole INTEGER,
        line INTEGER
    );
"""
INDEX_IDS = "CREATE UNIQUE INDEX IF NOT EXISTS entity_by_id ON entity (id)"
# What follows migration 2: its rows go into the log before; 'likeness' is the last row of name that is in there.
MAX_ENTITY = "SELECT coalesce(max(key), 0) FROM entity"
MAX_NAME = "SELECT coalesce(max(row), 0) FROM name"
AFTER_2 = ("DROP INDEX fact_by_tail", "DROP TABLE fact")

GET_META = "SELECT value FROM meta WHERE key = ?"
SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
CHANGES = "SELECT value FROM meta WHERE key = 'changes'"
COUNTS = """
    SELECT (SELECT coalesce(sum(facts), 0) FROM relation), (SELECT count(*) FROM entity),
           (SELECT value FROM meta WHERE key = 'changes')
"""
RELATIONS = "SELECT key, name FROM relation WHERE facts > 0 ORDER BY name"
RELATION_KEYS = "SELECT name, key FROM relation"

# ---- entities

_COLUMNS = "e.key, e.id, e.name, e.label, e.aliases, e.properties"
ENTITIES = f"SELECT {_COLUMNS} FROM json_each(?) asked CROSS JOIN entity e ON e.id = asked.value"
ENTITIES_BY_KEY = f"SELECT {_COLUMNS} FROM json_each(?) asked CROSS JOIN entity e ON e.key = asked.value"
STORED = f"SELECT {_COLUMNS}, e.sole, e.line FROM json_each(?) asked CROSS JOIN entity e ON e.id = asked.value"
STORED_BY_KEY = f"SELECT {_COLUMNS}, e.sole, e.line FROM json_each(?) asked CROSS JOIN entity e ON e.key = asked.value"
KEYS = "SELECT e.id, e.key FROM json_each(?) asked CROSS JOIN entity e ON e.id = asked.value"
ALL_KEYS = "SELECT id, key FROM entity"
IDS = "SELECT e.key, e.id FROM json_each(?) asked CROSS JOIN entity e ON e.key = asked.value"
IDS_ASCENDING = "SELECT id, key FROM entity ORDER BY id"
COUNT_ENTITIES = "SELECT count(*) FROM entity"
LOOKUP = f"""
    SELECT n.key, {_COLUMNS}
    FROM json_each(?) asked CROSS JOIN name n ON n.key = asked.value CROSS JOIN entity e ON e.key = n.entity
    ORDER BY e.id
"""
LIKE = f"""
    SELECT {_COLUMNS}
    FROM (SELECT rowid AS row FROM likeness WHERE likeness MATCH ? ORDER BY rank LIMIT ?) hit
    CROSS JOIN name n ON n.row = hit.row CROSS JOIN entity e ON e.key = n.entity
"""
STARTS_WITH = f"""
    SELECT {_COLUMNS} FROM name n CROSS JOIN entity e ON e.key = n.entity
    WHERE n.key >= ? AND n.key < ? ORDER BY n.key LIMIT ?
"""
NAMES_AFTER = "SELECT key, entity FROM name WHERE row > ?"
ALL_ENTITIES = f"SELECT {_COLUMNS} FROM entity e"

ADD_BARE = "INSERT INTO entity SELECT ? + key, value, NULL, NULL, NULL, NULL, NULL, NULL FROM json_each(?)"
ADD_ENTITY = "INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
SET_ENTITY = """
    UPDATE entity SET name = ?2, label = ?3, aliases = ?4, properties = ?5, sole = ?6, line = ?7 WHERE key = ?1
"""
DROP_ENTITY = "DELETE FROM entity WHERE key = ?"
SAID = "SELECT origin, line, name, label, aliases, properties FROM said WHERE entity = ? ORDER BY origin"
SAY = "INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?, ?, ?)"
UNSAY = "DELETE FROM said WHERE entity = ? AND origin = ?"
UNSAY_ALL = "DELETE FROM said WHERE entity = ?"
SPOKEN_OF_ANY = """
    SELECT entity FROM said WHERE origin IN (SELECT value FROM json_each(?1))
    UNION SELECT key FROM entity WHERE sole IN (SELECT value FROM json_each(?1))
"""
SPOKEN_OF = """
    SELECT entity FROM said WHERE origin = ?1 UNION ALL SELECT key FROM entity WHERE sole = ?1
"""

LAST_KEYS = """
    SELECT (SELECT value FROM meta WHERE key = 'last_entity'), (SELECT value FROM meta WHERE key = 'last_name')
"""
ADD_BARE_NAMES = "INSERT INTO name SELECT ?1 + key, value, ?2 + key FROM json_each(?3) WHERE value <> ''"
ADD_NAME = "INSERT INTO name VALUES (?, ?, ?)"
FIND_NAME = "SELECT row FROM name WHERE key = ? AND entity = ?"
DROP_NAME = "DELETE FROM name WHERE row = ?"
DROP_LIKENESS = "INSERT INTO likeness (likeness, rowid, key) VALUES ('delete', ?, ?)"
ADD_LIKENESS = "INSERT INTO likeness (rowid, key) SELECT row, key FROM name WHERE row > ? AND row <= ?"

# ---- facts

LAST_SEQ = "SELECT coalesce(max(seq), 0) FROM log"
LOG_ROW = "SELECT kind, origin, heads, relations, tails, lines FROM log WHERE seq = ?"
LOG_AFTER = "SELECT seq, kind, heads, relations, tails FROM log WHERE seq > ? ORDER BY seq"
MARKS_OF = """
    SELECT seq, kind, heads, relations, tails FROM log WHERE origin IN (-1, ?) AND kind < 2 ORDER BY seq
"""
MARKS_AFTER = "SELECT kind, origin, heads, relations, tails, lines FROM log WHERE seq > ? ORDER BY seq"
ADD_LOG = "INSERT INTO log (kind, origin, heads, relations, tails, lines) VALUES (?, ?, ?, ?, ?, ?)"
DROP_MARKS = "DELETE FROM log WHERE origin = ? AND kind = 0"
OLD_FACTS = "SELECT head, relation, tail FROM fact"
ADD_RELATION = "INSERT INTO relation (name, facts) VALUES (?, 0)"
COUNT_RELATION = "UPDATE relation SET facts = facts + ? WHERE key = ?"

FACT_PROPERTIES = "SELECT origin, properties FROM fact_property WHERE head = ? AND relation = ? AND tail = ?"
FACT_PROPERTY = """
    SELECT properties FROM fact_property WHERE head = ? AND relation = ? AND tail = ? AND origin = ?
"""
# ?1: origins as JSON.
TOLD_BY_ORIGINS = """
    SELECT DISTINCT head, relation, tail FROM fact_property WHERE origin IN (SELECT value FROM json_each(?1))
    ORDER BY head, relation, tail
"""
PROPERTIES_BY_ORIGINS = """
    SELECT head, relation, tail, origin, properties FROM fact_property
    WHERE (head, relation, tail) IN
        (SELECT head, relation, tail FROM fact_property WHERE origin IN (SELECT value FROM json_each(?1)))
    ORDER BY head, relation, tail
"""
SET_FACT_PROPERTY = "INSERT OR REPLACE INTO fact_property VALUES (?, ?, ?, ?, ?)"
DROP_FACT_PROPERTIES = "DELETE FROM fact_property WHERE head = ? AND relation = ? AND tail = ?"
DROP_ORIGIN_PROPERTIES = "DELETE FROM fact_property WHERE origin = ?"
ANY_FACT_PROPERTY = "SELECT EXISTS (SELECT 1 FROM fact_property)"
ALL_FACT_PROPERTIES = "SELECT head, relation, tail, origin, properties FROM fact_property ORDER BY head, relation, tail"

LAST_ROW_KEYS = """
    SELECT (SELECT value FROM meta WHERE key = 'last_entity'), (SELECT coalesce(max(key), 0) FROM relation)
"""

# ---- loads

FIND_LOAD = "SELECT number FROM load WHERE key = ? AND state IN ('running', 'complete')"
ADD_LOAD = "INSERT INTO load (id, key, state, began, ended) VALUES (?, ?, 'running', ?, '')"
LAST_LOAD = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'load'"
ADD_ORIGIN = "INSERT INTO origin (load, name, size, digest) VALUES (?, ?, ?, ?)"
LOADS = """
    SELECT number, id, key, state, began, ended,
           iif(state = 'complete' AND sealed = (SELECT value FROM meta WHERE key = 'changes'), report, '')
    FROM load ORDER BY number
"""
SEAL_LOAD = "UPDATE load SET report = ?2, sealed = (SELECT value FROM meta WHERE key = 'changes') WHERE id = ?1"
ORIGINS = """
    SELECT load, origin, name, size, digest, through, facts, entities, rejected, facts_changed, declared_created,
           declared_changed
    FROM origin ORDER BY origin
"""
END_LOAD = "UPDATE load SET state = ?2, ended = ?3 WHERE id = ?1"
LOAD_STATE = "SELECT state FROM load WHERE id = ?"
COUNT_ORIGIN = """
    UPDATE origin SET through = max(through, ?2), facts = facts + ?3, entities = entities + ?4,
        facts_changed = facts_changed + ?5, declared_created = declared_created + ?6,
        declared_changed = declared_changed + ?7
    WHERE origin = ?1
"""
# ?1: label; ?2: origins as JSON.
VALUES = """
    SELECT id, properties FROM entity AS e WHERE properties IS NOT NULL AND label IS ?1
        AND NOT iif(sole = -1,
                    NOT EXISTS (SELECT 1 FROM said WHERE entity = e.key
                                AND origin NOT IN (SELECT value FROM json_each(?2))),
                    coalesce(sole, 0) IN (SELECT value FROM json_each(?2)))
"""
RESET_ORIGIN = """
    UPDATE origin SET through = 0, facts = 0, entities = 0, rejected = 0, facts_changed = 0, declared_created = 0,
        declared_changed = 0
    WHERE origin = ?
"""
COUNT_REJECTED = "UPDATE origin SET rejected = ?2 WHERE origin = ?1"
SOURCES = "SELECT o.origin, l.id, o.name FROM origin o JOIN load l ON l.number = o.load"
