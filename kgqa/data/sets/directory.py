"""Any set in kgqa's own layout, described in docs/reference/question-sets.md: a file of facts and files of questions.

facts.* or kb.*             the facts, of any format that ``kgqa ingest`` reads
mapping.yaml                instead of it, or beside it: what other files mean (docs/reference/mapping.md)
train.*, dev.*, test.*      the questions; or questions.* alone, which is split by seed
schema.yaml                 the graph's schema; may be left out
"""

from __future__ import annotations

from pathlib import Path

from graph_schema import InputError, Schema
from kgqa.data.questions import Question, read_questions
from kgqa.data.sets.base import PARTS, QuestionSet

TABLES = (".txt", ".tsv", ".csv", ".txt.gz", ".tsv.gz", ".csv.gz")
QUESTIONS = (".jsonl", ".tsv", ".txt")
LAYOUT = "See docs/reference/question-sets.md for the layout"


def open_directory(directory: Path) -> QuestionSet:
    """The set in a directory; it bears the directory's name.

    Raises:
        InputError: no such directory, neither facts nor mapping, no questions, or two files that are for the same.
    """
    if not directory.is_dir():
        raise InputError("no such directory", where=str(directory), fix=LAYOUT)
    facts = _one(directory, ("facts", "kb"), TABLES)
    mapping = path if (path := directory / "mapping.yaml").exists() else None
    if facts is None and mapping is None:
        raise InputError("no file of facts (facts.tsv, kb.txt ...), and no mapping", where=str(directory), fix=LAYOUT)
    schema = directory / "schema.yaml"
    known = Schema.load(schema) if schema.exists() else None
    name = directory.resolve().name
    files = {part: _one(directory, (part,), QUESTIONS) for part in PARTS}
    alone = _one(directory, ("questions",), QUESTIONS)
    if alone is not None and any(files.values()):
        raise InputError(f"both {alone.name} and files of parts", where=str(directory), fix=LAYOUT)
    official = {part: _named(read_questions(path)) for part, path in files.items() if path is not None}
    if alone is None and not official:
        raise InputError("no file of questions (test.jsonl, questions.tsv ...)", where=str(directory), fix=LAYOUT)
    return QuestionSet(
        name,
        facts,
        _named(read_questions(alone)) if alone else (),
        official=official if alone is None else None,
        schema=known,
        mapping=mapping,
        aside=tuple(path for path in (alone, *files.values()) if path),
    )


def _named(questions: list[Question]) -> list[Question]:
    """Questions without a part are told apart by their hops, where these are known."""
    return [
        Question(q.plain, q.spans, q.answers, q.part or (f"{q.hops}-hop" if q.hops else ""), q.listed, q.paths)
        for q in questions
    ]


def _one(directory: Path, stems: tuple[str, ...], endings: tuple[str, ...]) -> Path | None:
    found = [path for stem in stems for ending in endings if (path := directory / f"{stem}{ending}").exists()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise InputError(f"{names} are for the same", where=str(directory), fix="Keep one of them")
    return found[0] if found else None
