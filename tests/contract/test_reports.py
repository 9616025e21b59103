"""Over every kind of store: what a load says of the nodes and facts that it created, changed and left as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from graph_schema import Batch, Entity, GraphStore, StoreUnavailable, Written
from ingest import DryRun, LoadOptions, LoadReport, MappingFile, load

MAPPING = MappingFile.from_yaml("""
sources:
  - files: films.csv
    nodes:
      - label: Film
        id: "film/{id}"
        name: name
        properties: {year: {column: year, type: integer}}
        duplicates: merge
    relationships:
      - {type: directed_by, head: Film, tail: {label: Person, id: "person/{director}"}, dangling: create}
""")
COUNTS = (
    *("facts", "created", "merged", "unchanged"),
    *("entities", "entities_created", "entities_merged", "entities_unchanged"),
)


def counts(report: LoadReport) -> tuple[int, ...]:
    (file,) = report.files
    assert all(report.as_dict()[name] == file.as_dict()[name] == getattr(report, name) for name in COUNTS)
    return tuple(getattr(report, name) for name in COUNTS)


def films(tmp_path: Path, rows: str) -> Path:
    path = tmp_path / "films.csv"
    path.write_text(f"id,name,year,director\n{rows}", "utf-8")
    return path


def test_nodes_created_changed_and_unchanged(store: GraphStore, tmp_path: Path) -> None:
    def loaded(rows: str, *, foreseen: bool = True) -> tuple[int, ...]:
        path = films(tmp_path, rows)
        dry = counts(load([path], DryRun(store), mapping=MAPPING))
        done = counts(load([path], store, mapping=MAPPING))
        assert not foreseen or dry[4:] == done[4:]
        return done

    first = "1,Heat,1995,7\n2,Alien,1979,8\n3,Dune,2021,9\n"
    assert loaded(first) == (3, 3, 0, 0, 3, 6, 0, 0)
    assert loaded(first) == (3, 0, 3, 3, 3, 0, 3, 3)
    # Of the facts, another source is something new; nodes are as they were.
    assert loaded("1,Heat,2007,7\n2,Alien,1979,8\n3,Dune,2021,9\n") == (3, 0, 3, 0, 3, 0, 3, 2)
    assert loaded("1,Hit,2007,7\n4,Ali,2001,7\n") == (2, 1, 1, 0, 2, 1, 1, 0), "a further name, and a new node"
    assert loaded("2,Alien,,8\n2,Alien,1979,8\n2,Alien,,8\n") == (3, 0, 3, 2, 3, 0, 3, 3), "often the same"
    store.write(Batch([Entity("person/7", "Mann", "Person")]))
    assert loaded("1,Heat,2007,7\n", foreseen=False) == (1, 0, 1, 0, 1, 0, 1, 1), "what facts mention isn't counted"


def test_a_load_that_went_on_reports_as_if_it_had_not_been_broken_off(
    store: GraphStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = LoadOptions(batch_size=4, source="films")
    load([films(tmp_path, "".join(f"{n},F{n},1990,{n % 3}\n" for n in range(10)))], store, mapping=MAPPING)
    path = films(tmp_path, "".join(f"{n},F{n},{1990 + n % 2},{n % 3}\n" for n in range(16)))
    wanted = (16, 6, 10, 0, 16, 6, 10, 5)
    whole = store.write_many

    def broken(batches: Iterable[Batch], *, workers: int = 1) -> Iterator[Written]:
        yield from whole(islice(batches, 4), workers=workers)
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_many", broken)
        with pytest.raises(StoreUnavailable):
            load([path], store, mapping=MAPPING, options=options)
    report = load([path], store, mapping=MAPPING, options=options)
    assert report.resumed
    assert counts(report) == wanted
    (source,) = store.loads()[-1].sources
    assert (source.facts, source.facts_changed, source.declared_created, source.declared_changed) == (6, 10, 6, 5)
    assert counts(load([path], store, mapping=MAPPING, options=options)) == (16, 0, 16, 16, 16, 0, 16, 16)
    store.withdraw([source.origin])
    (source,) = store.loads()[-1].sources
    assert (source.facts, source.facts_changed, source.declared_created, source.declared_changed) == (0, 0, 0, 0)
