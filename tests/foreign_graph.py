"""Graphs that somebody else modelled, made in a database past kgqa."""

from __future__ import annotations

from tests.neo4j_container import Neo4jServer

# A few films; facts are common knowledge.
FILMS = (
    ("The Matrix", 1999, "Lana Wachowski", {"Keanu Reeves": ["Neo"], "Carrie-Anne Moss": ["Trinity"]}),
    ("Speed", 1994, "Jan de Bont", {"Keanu Reeves": ["Jack Traven"], "Sandra Bullock": ["Annie Porter"]}),
    ("Cast Away", 2000, "Robert Zemeckis", {"Tom Hanks": ["Chuck Noland"], "Helen Hunt": ["Kelly Frears"]}),
    ("Cloud Atlas", 2012, "Lana Wachowski", {"Tom Hanks": ["Zachry", "Dr. Henry Goose"], "Halle Berry": ["Luisa Rey"]}),
)
BORN = {
    "Keanu Reeves": 1964,
    "Sandra Bullock": 1964,
    "Carrie-Anne Moss": 1967,
    "Tom Hanks": 1956,
    "Helen Hunt": 1963,
    "Halle Berry": 1966,
    "Lana Wachowski": 1965,
    "Robert Zemeckis": 1951,
}


def empty(server: Neo4jServer) -> None:
    """Nodes, indexes and constraints all gone, but for the two that the server itself needs."""
    server.wipe()
    for (name,) in server.run("SHOW CONSTRAINTS YIELD name RETURN name"):
        server.run(f"DROP CONSTRAINT `{name}`")
    for (name,) in server.run("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"):
        server.run(f"DROP INDEX `{name}`")


def films(server: Neo4jServer) -> None:
    """People and movies, as the example that comes with Neo4j has them: names, titles, years, roles on ACTED_IN."""
    empty(server)
    server.run("CREATE CONSTRAINT FOR (p:Person) REQUIRE p.name IS UNIQUE")
    server.run("CREATE INDEX FOR (m:Movie) ON (m.released)")
    for title, released, director, cast in FILMS:
        server.run(
            "MERGE (m:Movie {title: $title}) SET m.released = $released "
            "MERGE (d:Person {name: $director}) MERGE (d)-[:DIRECTED]->(m) "
            "WITH m UNWIND keys($cast) AS actor MERGE (a:Person {name: actor}) "
            "MERGE (a)-[r:ACTED_IN]->(m) SET r.roles = $cast[actor]",
            title=title,
            released=released,
            director=director,
            cast=cast,
        )
    server.run("UNWIND keys($born) AS name MERGE (p:Person {name: name}) SET p.born = $born[name]", born=BORN)
    server.run(
        "MATCH (a:Person {name: 'Helen Hunt'}), (m:Movie {title: 'Speed'}) CREATE (a)-[:REVIEWED {rating: 70, at: "
        "date('2001-05-03')}]->(m)"
    )


ODD = 'Ünï `cödé` \\u0060 "x"\' }) DETACH DELETE n //'


def odd(server: Neo4jServer) -> None:
    """Odd names, what looks like code among them; several labels; values of every type; nodes without names."""
    empty(server)
    server.run(
        "CREATE (a:`Größe & Maß`:Thing:Dated {`voller Name`: 'Änne Überall', tags: ['red', 'blue', 'red'], "
        "day: date('1964-09-02'), at: datetime('2020-01-02T03:04:05.6+01:00'), "
        "local: localdatetime('2020-01-02T03:04'), clock: time('10:00+01:00'), "
        "span: duration('P1Y2M'), place: point({latitude: 1.5, longitude: 2.5}), "
        "weight: 1.5, old: true, on: 3, vector: [x IN range(1, 100) | x / 10.0]}) "
        "CREATE (b:`Größe & Maß`:Thing {`voller Name`: 'no', tags: [], password: 'hunter2'}) "
        "CREATE (c:Thing:Dated {day: date('1964-09-02')}) "
        "CREATE (d {`lost`: 1}) "
        "CREATE (a)-[:`kennt / knows` {since: date('2001-01-01'), `wie oft`: 3}]->(b) "
        "CREATE (a)-[:`kennt / knows` {since: date('2002-01-01')}]->(b) "
        "CREATE (b)-[:LINK]->(c) CREATE (c)-[:LINK]->(d) CREATE (a)-[:LINK]->(a)"
    )
    quoted = "`" + ODD.replace("\\", "\\u005C").replace("`", "``") + "`"
    server.run(
        f"CREATE (x:{quoted} {{name: $odd, {quoted}: $odd}}) CREATE (y:Yes {{name: 'on', yes: 'off'}}) "
        f"CREATE (x)-[:{quoted} {{{quoted}: 5}}]->(y)",
        odd=ODD,
    )


def hub(server: Neo4jServer, spokes: int) -> None:
    """One genre that very many films have, and one of few; films know a year that isn't indexed."""
    empty(server)
    server.run("CREATE CONSTRAINT FOR (f:Film) REQUIRE f.title IS UNIQUE")
    server.run("CREATE (:Genre {name: 'Drama'}) CREATE (:Genre {name: 'Western'}) CREATE (:Country {name: 'France'})")
    server.run(
        "UNWIND range(1, $spokes) AS n CALL (n) { MATCH (g:Genre {name: 'Drama'}) "
        "CREATE (:Film {title: 'Film ' + n, year: 1900 + n % 100})-[:HAS_GENRE]->(g) } IN TRANSACTIONS OF 20000 ROWS",
        spokes=spokes,
    )
    server.run(
        "MATCH (f:Film {title: 'Film 7'}), (g:Genre {name: 'Western'}), (d:Genre {name: 'Drama'}), (c:Country) "
        "CREATE (f)-[:HAS_GENRE]->(g) CREATE (d)-[:POPULAR_IN]->(c)"
    )


# What stands in a property that is a date nearly everywhere, and how it is shown.
DAYS = {
    "plain": ("date('2021-03-01')", ["2021-03-01"]),
    "leap": ("date('2020-02-29')", ["2020-02-29"]),
    "no such day": ("'2021-02-30'", ["2021-02-30"]),
    "a text like a day": ("'2021-03-02'", ["2021-03-02"]),
    "words": ("'spring of 1921'", ["spring of 1921"]),
    "a number": ("1921", ["1921"]),
    "before": ("date('-0044-03-15')", ["-0044-03-15"]),
    "far": ("date('+12345-06-07')", ["+12345-06-07"]),
    "several": ("[date('2021-03-01'), date('-0044-03-15')]", ["-0044-03-15", "2021-03-01"]),
    "none of several": ("[]", []),
    "span": ("duration('P1Y2M')", ["P1Y2M"]),
    "place": ("point({x: 1, y: 2})", ["point({x: 1.0, y: 2.0, crs: 'cartesian'})"]),
    "moment": ("datetime('2020-01-02T03:04:05Z')", ["2020-01-02T03:04:05Z"]),
}


def days(server: Neo4jServer) -> None:
    """Events on days; in the same property also what is no day, or none that a calendar of today has."""
    empty(server)
    server.run("CREATE INDEX FOR (e:Event) ON (e.day)")
    server.run("UNWIND range(1, 20) AS n CREATE (:Event {name: 'event ' + n, day: date({year: 1900 + n})})")
    for name, (value, _) in DAYS.items():
        server.run(
            f"CREATE (e:Event {{name: $name, day: {value}}}) "
            f"CREATE (e)-[:HELD {{on: {value}}}]->(:Town {{name: 'town of ' + $name}})",
            name=name,
        )
    server.run("MATCH (e:Event)-[h:HELD]->(t) WITH h LIMIT 1 SET h.on = date('2021-03-01')")
