"""What kind of thing a question says that it asks for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from graph_schema import Schema
from kgqa.linking.asked import AskedKinds

SCHEMA = Schema.from_yaml("""
labels: {Person: {}, Movie: {}, AgeGroup: {}, Case: {}}
relations:
  DIRECTED: {words: directed, head: Person, tail: Movie}
  FALLS_UNDER: {words: falls under, head: Case, tail: AgeGroup}
  HAS_REACTION: {words: reaction, head: Case, tail: Reaction}
""")
ASKED = AskedKinds(SCHEMA, [*SCHEMA.relations, "unknown"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("which movies did [MASK] direct", "Movie"),
        ("Which film has the tagline [MASK]?", "Movie"),
        ("List all the movies reviewed with the summary [MASK].", "Movie"),
        ("what are the names of the movies that [MASK] made", "Movie"),
        ("movies with a rating of [MASK]", "Movie"),
        ("in which cases did [MASK] occur", "Case"),
        ("find all distinct persons who follow [MASK]", "Person"),
        ("Show me the people directed by [MASK]", "Person"),
        ("which people", "Person"),
        ("which age group does [MASK] fall under", "AgeGroup"),
        ("what is the age group of [MASK]", "AgeGroup"),
        ("who directed [MASK]", ".who"),
        ("by whom was [MASK] made", ".who"),
        ("which actors are in [MASK]", ".who"),
        ("the directors of [MASK]", ".who"),
        ("which person's director is [MASK]", None),
        ("which movie's director is [MASK]", None),
        ("which case reactions has [MASK]", None),
        ("which movie [MASK] is it", None),
        ("movie of [MASK]", None),  # one thing, said of another as like as not
        ("what moviegoers saw [MASK]", None),
        ("which reactions has [MASK]", None),  # no label of the schema's
        ("", None),
    ],
)
def test_the_kind_that_a_question_asks_for(text: str, kind: str | None) -> None:
    assert said(ASKED, text) == kind


def said(asked: AskedKinds, text: str) -> str | None:
    at = asked(text)
    return asked.kinds[at] if at >= 0 else None


def leading(asked: AskedKinds, kind: str, names: Sequence[str]) -> set[str]:
    """The relations that lead to things of a kind, those from tail to head with a "^"."""
    back = [directed ^ 1 for directed in asked.of[asked.kinds.index(kind)]]
    return {names[directed // 2] + ("^" if directed % 2 else "") for directed in back}


def test_each_relation_leads_from_a_kind_where_its_ends_are_known() -> None:
    names = [*SCHEMA.relations, "unknown"]
    found = {kind: leading(ASKED, kind, names) for kind in ASKED.kinds}
    assert found == {
        "AgeGroup": {"FALLS_UNDER"},
        "Case": {"FALLS_UNDER^", "HAS_REACTION^"},
        "Movie": {"DIRECTED"},
        "Person": {"DIRECTED^"},
        ".who": {"DIRECTED^"},
    }
    assert ASKED.directed == 8


def test_a_graph_without_labels_is_asked_for_no_kind() -> None:
    asked = AskedKinds(Schema(), ["directed_by"])
    assert (asked("which movies did [MASK] direct"), asked("who directed [MASK]"), asked.kinds) == (-1, -1, [])


def test_another_wording_after_a_kind_says_that_something_else_is_asked_for() -> None:
    asked = AskedKinds(SCHEMA, list(SCHEMA.relations), [("fan", "starred in"), ()])
    assert said(asked, "which movie fans follow [MASK]") is None
    assert said(asked, "which movies starred [MASK]") == "Movie"
    assert said(ASKED, "which movie fans follow [MASK]") == "Movie"  # a word that nothing says


# A graph as a store of properties gives it: they are relations, too.
HELD = Schema.from_yaml("""
labels: {Case: {}, Drug: {}, Company: {}}
relations:
  IS_SUSPECT: {words: suspect, head: Case, tail: Drug, properties: {dose: {words: dose amount of suspect}}}
  IS_OTHER: {words: other, head: Case, tail: Drug, properties: {dose: {words: dose amount of other}}}
  MADE: {words: made, head: Company, tail: Drug, properties: {year: {words: year}}}
  IS_SUSPECT.dose: {words: dose amount of suspect, head: Case, tail: string}
  ~IS_SUSPECT.dose: {words: dose amount as suspect, head: Drug, tail: string}
  IS_OTHER.dose: {words: dose amount of other, head: Case, tail: string}
  MADE.year: {words: year, head: Company, tail: integer}
  Case.age: {words: age, head: Case, tail: float}
  Case.reporterOccupation: {words: reporter occupation, head: Case, tail: string}
  Case.reportDate: {words: report date, head: Case, tail: date}
  Case.closed: {words: closed, head: Case, tail: string}
""")
VALUED = AskedKinds(HELD, list(HELD.relations))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("what is the occupation of the reporter of [MASK]", ".occupation"),
        ("reporter's occupation in [MASK]", ".occupation"),
        ("what is the report date of [MASK]", ".report date"),
        ("when was [MASK] reported", ".when"),
        ("in which year was [MASK] made", ".year"),
        ("on what day was [MASK] reported", ".when"),
        ("age of [MASK]", ".age"),
        ("age [MASK]", None),
        ("how old was the patient of [MASK]", ".age"),
        ("how big was [MASK]", None),
        ("what dose amount did [MASK] have", ".dose amount"),
        ("what dose was given in [MASK]", ".dose"),
        ("what was the dose of the suspect in [MASK]", ".dose IN IS_SUSPECT"),
        ("doses of other drugs in [MASK]", ".dose IN IS_OTHER"),
        ("how much of the other drugs was taken in [MASK]", ".amount IN IS_OTHER"),
        ("suspects of [MASK]", "Drug"),
        ("which suspect drugs did [MASK] have", "Drug"),
        ("in which cases is [MASK] a suspect", "Case"),
        ("who made [MASK]", ".who"),
        ("what was closed", None),
    ],
)
def test_properties_are_kinds_too(text: str, kind: str | None) -> None:
    assert said(VALUED, text) == kind


def test_values_are_of_the_kinds_that_their_properties_are_called() -> None:
    names = list(HELD.relations)
    assert leading(VALUED, ".dose", names) == {"IS_SUSPECT.dose", "~IS_SUSPECT.dose", "IS_OTHER.dose"}
    assert leading(VALUED, ".dose IN IS_SUSPECT", names) == {"IS_SUSPECT.dose", "~IS_SUSPECT.dose"}
    assert leading(VALUED, ".when", names) == {"MADE.year", "Case.reportDate"}
    assert leading(VALUED, ".who", names) == {"MADE^", "MADE.year^"}
    held = {kind for kind, one in zip(VALUED.kinds, VALUED.held, strict=True) if one}
    assert held == {
        f".{noun} IN {type_}" for noun in ("dose amount", "dose", "amount") for type_ in ("IS_SUSPECT", "IS_OTHER")
    }
    assert VALUED.known == list(range(2 * len(names)))


BARE = ["directed_by", "has_genre", "release_year", "release", "releases", "starred_actors", "people_born_here"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("who starred in films for the director of [MASK]", ".actor"),
        ("the director of films by [MASK]", ".director"),
        ("the films that share directors with [MASK] were directed by who", ".director"),
        ("the films of [MASK] starred who", ".actor"),
        ("who acted in films of [MASK]", ".actor"),
        ("who else has directed films with [MASK]", ".director"),
        ("which person directed the films of [MASK]", ".director"),
        ("which people directs films of [MASK]", ".director"),
        ("who was directed by [MASK]", ".who"),
        ("who were the actors directed by [MASK]", ".actor"),
        ("who wrote [MASK]", ".who"),
        ("films of [MASK] were written by whom", ".who"),
        ("who is listed as director of the films of [MASK]", ".director"),
        ("who is known as a stuntman of [MASK]", ".who"),
        ("who is credited as a filmmaker of [MASK]", ".who"),
        ("the movies of [MASK] came out when", ".when"),
        ("films by [MASK] were released in which years?", ".when"),
        ("what were the release dates of films by [MASK]", ".when"),
        ("the films of [MASK] are of which genres", ".genre"),
        ("the director of [MASK] also directed which movies", None),
        ("what is the genre of [MASK]'s director", ".genre"),
        ("what is the releases of [MASK]", ".release"),
        ("what is the release of [MASK]", ".release"),
        ("who is the job of [MASK]", None),
        ("who is the director of [MASK]", ".director"),
        ("which producers made [MASK]", ".who"),
        ("what did [MASK] direct", None),
        ("what is the [MASK] 's genre 's release ?", ".release"),
        ("[MASK]'s director's genres", ".genre"),
        ("what is [MASK]'s release of genres", None),
        ("what is the [MASK] 's genre 's people born here ?", ".people born here"),
        ("people born here", None),
    ],
)
def test_without_labels_kinds_are_what_relations_call_the_things_at_their_ends(text: str, kind: str | None) -> None:
    assert said(AskedKinds(Schema().with_relations(BARE), BARE, by_nouns=True), text) == kind


def test_without_labels_things_are_of_the_kinds_of_the_relations_that_lead_to_them() -> None:
    asked = AskedKinds(Schema().with_relations(BARE), BARE, by_nouns=True)
    assert leading(asked, ".director", BARE) == {"directed_by"}
    assert leading(asked, ".release", BARE) == {"release", "releases"}
    assert leading(asked, ".when", BARE) == {"release_year"}
    assert leading(asked, ".who", BARE) == {"directed_by", "starred_actors"}
    assert asked.known == list(range(2 * len(BARE)))
    assert not any(asked.held)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("who wrote the songs of [MASK]", ".writer"),
        ("which songwriters work with [MASK]", ".writer"),
        ("who is listed as songwriter of [MASK]", ".writer"),
        ("who is the songwriter of [MASK]", ".writer"),
        ("which underwriters work with [MASK]", ".writer"),
        ("writers of [MASK]", ".writer"),
        ("which writ of [MASK]", None),
    ],
)
def test_a_word_that_ends_with_who_does_it_is_one_of_them(text: str, kind: str | None) -> None:
    bare = ["written_by", "has_genre"]
    found = said(AskedKinds(Schema().with_relations(bare), bare, by_nouns=True), text)
    assert found == kind or {found, kind} == {".author", ".writer"}  # both wrote


def test_those_who_do_the_same_and_are_called_otherwise_go_together() -> None:
    bare = ["author", "writer", "has_genre"]
    asked = AskedKinds(Schema().with_relations(bare), bare, by_nouns=True)
    assert said(asked, "who wrote the songs of [MASK]") == ".author or writer"
    assert leading(asked, ".author or writer", bare) == {"author", "writer"}
    assert leading(asked, ".author", bare) == {"author"}
    assert said(asked, "who is the author of [MASK]") == ".author"


def test_odd_names_are_no_kinds_and_fail_nothing() -> None:
    names = ["_", "%", "a", "1", "名前", "x y", "_of_", " "]
    bare = AskedKinds(Schema().with_relations(names), names, by_nouns=True)
    labels = {name: {"words": name} for name in names}
    relations = {name: {"head": name, "tail": name, "words": name} for name in names}
    labelled = AskedKinds(Schema.from_dict({"labels": labels, "relations": relations}), names)
    for asked in (bare, labelled):
        for text in (
            "",
            " ",
            "_",
            "which _ of [MASK]",
            "what is [MASK]'s _",
            "who",
            "when",
            "how",
            "which",
            "what is the",
        ):
            assert -1 <= asked(text) < len(asked.kinds)


def test_of_very_many_relations_only_labels_give_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgqa.linking.kinds.MOST_RELATIONS", 5)
    assert AskedKinds(Schema().with_relations(BARE), BARE, by_nouns=True).kinds == []
    many = AskedKinds(HELD, list(HELD.relations))
    assert set(many.kinds) == {"Case", "Drug", "Company", ".who"}
    assert many.known == VALUED.known
