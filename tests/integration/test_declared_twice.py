"""Rows that were set aside because their id was declared twice: until they are mended, they stay aside."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from graph_schema import GraphStore, InputError, Value
from ingest import LoadOptions, MappingFile, Quarantine, Source, load

MAPPING = MappingFile.from_yaml(
    """
    sources:
      - files: films.csv
        nodes:
          - label: Film
            id: "film/{id}"
            name: name
            properties:
              year: {column: year, type: integer}
              shown: {column: shown, type: date}
              kinds: {column: kinds, separator: "|"}
    """
)
FILMS = (
    "id,name,year,shown,kinds\n1,Heat,1995,1995-12-15,crime|drama\n1,Heat,2005,,\n"
    "2,Solo,,,\n2,Alone,,,\n3,,1900,,\n1,,,,comedy\n1,,,1996-01-01,\n"
)


@pytest.fixture
def kept(each_store: GraphStore, tmp_path: Path) -> Path:
    """The quarantine of a load in which four rows declare an id once more, on lines 3, 5, 7 and 8."""
    (tmp_path / "films.csv").write_text(FILMS, "utf-8")
    path = tmp_path / "kept.jsonl"
    with Quarantine(path) as quarantine:
        report = load([tmp_path / "films.csv"], each_store, mapping=MAPPING, options=LoadOptions(rejects=quarantine))
    assert report.rejected_lines == 4
    return path


def change(path: Path, line: int, row: dict[str, object] | None = None, **other: object) -> None:
    """Write another row for a line of the file, or other keys of it; None takes them out."""
    made = []
    for text in path.read_text("utf-8").splitlines():
        record: dict[str, Any] = json.loads(text)
        if record.get("line") == line:
            record["row"] |= row or {}
            record = {key: value for key, value in {**record, **other}.items() if value is not None}
        made.append(json.dumps(record))
    path.write_text("\n".join(made) + "\n", "utf-8")


def films(each_store: GraphStore) -> dict[str, tuple[str, Value | None]]:
    found = each_store.entities(["film/1", "film/2", "film/3", "film/4"])
    return {id_: (entity.name, entity.properties.get("year")) for id_, entity in found.items()}


AS_FIRST_LOADED = {"film/1": ("Heat", 1995), "film/2": ("Solo", None), "film/3": ("film/3", 1900)}


@pytest.mark.parametrize("mapping", [None, MAPPING], ids=["its own mapping", "the mapping again"])
def test_a_row_that_was_not_mended_is_set_aside_again(
    mapping: MappingFile | None, each_store: GraphStore, kept: Path, tmp_path: Path
) -> None:
    change(kept, 8, {"id": "4"})
    with Quarantine(tmp_path / "again.jsonl") as quarantine:
        report = load([kept], each_store, mapping=mapping, options=LoadOptions(rejects=quarantine))
    assert report.rejected == {"id declared twice": 3}
    assert films(each_store) == {**AS_FIRST_LOADED, "film/4": ("film/4", None)}
    rows = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text("utf-8").splitlines()]
    again = [(row["line"], row["detail"]) for row in rows if "row" in row]
    where = f"at {tmp_path / 'films.csv'}"
    assert again == [
        (3, f"'film/1' is declared {where}:2 with another year"),
        (5, f"'film/2' is declared {where}:4 with another name"),
        (7, f"'film/1' is declared {where}:2 with another kinds"),
    ]
    with pytest.raises(InputError, match="of 3 lines none can be read"):  # and so on, however often
        load([tmp_path / "again.jsonl"], each_store, mapping=mapping)
    assert films(each_store) == {**AS_FIRST_LOADED, "film/4": ("film/4", None)}


def test_from_a_pipe_too(each_store: GraphStore, kept: Path) -> None:
    change(kept, 8, {"id": "4"})
    report = load([Source("<stdin>", stream=io.BytesIO(kept.read_bytes()))], each_store)
    assert report.rejected == {"id declared twice": 3}
    assert films(each_store) == {**AS_FIRST_LOADED, "film/4": ("film/4", None)}


def test_a_mended_row_is_loaded(each_store: GraphStore, kept: Path) -> None:
    change(kept, 3, {"id": "4", "name": "Heat 2"})
    change(kept, 5, {"name": "Solo", "year": "1999"})  # what it says now, the store didn't know
    change(kept, 7, {"kinds": "crime|drama"})
    change(kept, 8, {"shown": "1995-12-15"})
    assert load([kept], each_store).rejected_lines == 0
    assert films(each_store) == {**AS_FIRST_LOADED, "film/2": ("Solo", 1999), "film/4": ("Heat 2", 2005)}
    change(kept, 3, {"year": "2006"})  # mended once more
    assert load([kept], each_store).rejected_lines == 0
    assert films(each_store)["film/4"] == ("Heat 2", 2006)


def test_a_row_may_be_said_to_count(each_store: GraphStore, kept: Path) -> None:
    change(kept, 3, reason=None)
    assert load([kept], each_store).rejected == {"id declared twice": 3}
    assert films(each_store)["film/1"] == ("Heat", 2005)


def test_a_mapping_may_say_that_duplicates_are_merged(each_store: GraphStore, kept: Path) -> None:
    said: dict[str, Any] = MAPPING.to_dict()
    said["sources"][0]["nodes"][0]["duplicates"] = "merge"
    assert load([kept], each_store, mapping=MappingFile.from_dict(said)).rejected_lines == 0
    assert films(each_store)["film/1"] == ("Heat", 2005)


def test_a_row_is_loaded_where_the_store_has_not_got_its_node(each_store: GraphStore, kept: Path) -> None:
    each_store.withdraw([1])
    change(kept, 5, {"id": "3"})
    report = load([kept], each_store)
    assert report.rejected_lines == 0
    assert films(each_store)["film/1"][1] == 2005
