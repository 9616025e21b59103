"""All SQL of the index of names. A list goes in as one JSON parameter; no value is ever pasted in."""

from __future__ import annotations

APPLICATION_ID = 0x6B676E61  # "kgna" in ASCII; marks the file as ours
VERSION = 1
NAMES = 1 << 10  # names of one entity that are indexed; the row of an entity's n-th name is NAMES * its row + n
BAG, JOINED, ACRONYM = range(3)  # kinds of form

# name.text NULL: the entity's id
SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE label (row INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE entity (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, label INTEGER, said INTEGER)",
    "CREATE TABLE name (row INTEGER PRIMARY KEY, text TEXT)",
    "CREATE TABLE form (hash INTEGER, kind INTEGER, name INTEGER, PRIMARY KEY (hash, kind, name)) WITHOUT ROWID",
    "CREATE TABLE word (row INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE posting (word INTEGER, name INTEGER, PRIMARY KEY (word, name)) WITHOUT ROWID",
    "CREATE TABLE near (hash INTEGER, word INTEGER, PRIMARY KEY (hash, word)) WITHOUT ROWID",
)

GET_META = "SELECT value FROM meta WHERE key = ?"
SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
COUNT_NAMES = "SELECT count(*) FROM name"
COUNT_ENTITIES = "SELECT count(*) FROM entity"

# ---- looking up

FORMS = "SELECT f.hash, f.kind, f.name FROM json_each(?) asked CROSS JOIN form f ON f.hash = asked.value"
NAMED = f"""
    SELECT n.row, coalesce(n.text, e.id)
    FROM json_each(?) asked CROSS JOIN name n ON n.row = asked.value CROSS JOIN entity e ON e.row = n.row / {NAMES}
"""
ENTITIES = """
    SELECT e.row, e.id, l.text
    FROM json_each(?) asked CROSS JOIN entity e ON e.row = asked.value CROSS JOIN label l ON l.row = e.label
"""
NAMES_OF = f"""
    SELECT asked.value, coalesce(n.text, e.id)
    FROM json_each(?) asked CROSS JOIN entity e ON e.row = asked.value
    CROSS JOIN name n ON n.row >= asked.value * {NAMES} AND n.row < (asked.value + 1) * {NAMES} ORDER BY n.row
"""
WORDS = "SELECT w.text, w.row FROM json_each(?) asked CROSS JOIN word w ON w.text = asked.value"
NEAR = """
    SELECT n.hash, w.text FROM json_each(?) asked
    CROSS JOIN near n ON n.hash = asked.value CROSS JOIN word w ON w.row = n.word
"""
STARTING = "SELECT row FROM word WHERE text >= ?1 AND text < ?1 || char(1114111) LIMIT ?2"
SOME_HAVING = "SELECT name FROM posting WHERE word = ? LIMIT ?"

# ---- writing

KNOWN = "SELECT e.id, e.row, e.said FROM json_each(?) asked CROSS JOIN entity e ON e.id = asked.value"
LAST_ENTITY = "SELECT coalesce(max(row), -1) FROM entity"
LAST_WORD = "SELECT coalesce(max(row), -1) FROM word"
ENTITY_ROWS = "SELECT row FROM entity WHERE row < ?"
LABELS = "SELECT text, row FROM label"
ADD_LABEL = "INSERT INTO label (text) VALUES (?)"
ADD_ENTITY = "INSERT INTO entity VALUES (?, ?, ?, ?)"
DROP_ENTITY = "DELETE FROM entity WHERE row = ?"
ADD_NAME = "INSERT INTO name VALUES (?, ?)"
DROP_NAME = "DELETE FROM name WHERE row = ?"
ADD_FORM = "INSERT OR IGNORE INTO form VALUES (?, ?, ?)"
DROP_FORM = "DELETE FROM form WHERE hash = ? AND kind = ? AND name = ?"
ADD_WORD = "INSERT INTO word VALUES (?, ?)"
ADD_POSTING = "INSERT OR IGNORE INTO posting VALUES (?, ?)"
DROP_POSTING = "DELETE FROM posting WHERE word = ? AND name = ?"
ADD_NEAR = "INSERT OR IGNORE INTO near VALUES (?, ?)"
BAGS = f"SELECT hash FROM form WHERE kind = {BAG}"
