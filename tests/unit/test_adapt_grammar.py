"""Questions made from a graph: the same for a seed, right when walked anew, held out by pattern and wording."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest

from graph_schema import Entity, Fact, InputError, LabelSchema, RelationSchema, Schema
from graph_schema.schema import RelationPropertySchema
from kgqa.adapt import wording
from kgqa.adapt.grammar import Grammar, masked_text
from kgqa.adapt.paths import ANSWERS, PathSampler, bounded_snapshot
from kgqa.adapt.phrases import Phrases, phrases
from kgqa.adapt.questions import Made, conjunctions, held_out, make_questions, with_given
from kgqa.adapt.synonyms import everyday
from kgqa.adapt.thesaurus import other_nouns, other_verbs
from kgqa.data import Question
from kgqa.data.graph import Steps, Walker
from kgqa.stores.snapshot import Snapshot
from tests.reader import small_graph


def steps_of(question: Question) -> Steps:
    return question.paths[0].steps


def graph(
    facts: tuple[Fact, ...],
    schema: Schema | None = None,
    labels: dict[str, str] | None = None,
    name: Callable[[str], str] = str,
) -> Snapshot:
    ids = sorted({end for fact in facts for end in (fact.head, fact.tail)})
    relations = sorted({fact.relation for fact in facts})
    distinct = sorted(set(facts))
    return Snapshot.from_columns(
        [Entity(f"#{id_}", name(id_), (labels or {}).get(id_, "Entity")) for id_ in ids],
        relations,
        np.array([ids.index(fact.head) for fact in distinct], np.int64),
        np.array([relations.index(fact.relation) for fact in distinct], np.int64),
        np.array([ids.index(fact.tail) for fact in distinct], np.int64),
        schema=schema or Schema(),
        url="test",
        changes=0,
    )


@pytest.fixture(scope="module")
def films() -> Snapshot:
    return graph(small_graph())


@pytest.fixture(scope="module")
def made(films: Snapshot) -> list[Question]:
    return make_questions(films, 1500, 0, 3)


def test_the_seed_tells_the_questions(films: Snapshot, made: list[Question]) -> None:
    assert make_questions(films, 1500, 0, 3) == made
    assert make_questions(films, 1500, 1, 3) != made


def test_every_answer_is_what_a_walk_of_its_own_finds(films: Snapshot, made: list[Question]) -> None:
    walker = Walker(films)
    assert {question.part for question in made} == {"1-hop", "2-hop", "3-hop", "conjunction"}
    for question in made:
        assert set(question.answers) == walker.answers(question), question
        assert 1 <= len(question.answers) <= ANSWERS
        written = sorted(question.plain[start:end] for start, end in question.spans)
        assert written == sorted(path.topic for path in question.paths)
        assert len(written) == 1 + (question.part == "conjunction")


def test_what_two_things_have_in_common_takes_both_of_them(films: Snapshot) -> None:
    walker = Walker(films)
    made = conjunctions(films, 200, 0)
    assert 100 < len(made) <= 200
    assert conjunctions(films, 200, 0) == made != conjunctions(films, 200, 1)
    for question in made:
        alone = [walker.frontiers(path)[-1] for path in question.paths]
        assert set(question.answers) == alone[0] & alone[1]
        assert len(question.answers) < max(map(len, alone)), question
        assert question.topics[0] != question.topics[1]
        assert not set(question.answers) & walker.ids(question.topics)
    assert len({tuple(path.steps for path in question.paths) for question in made}) > 5
    said = " | ".join(question.plain.lower() for question in made)
    for words in ("directed by", "that", "whose director", " and "):
        assert words in said
    with pytest.raises(InputError, match="no relations"):
        conjunctions(graph(()), 10, 0)
    assert conjunctions(graph((Fact("a", "likes", "b"),)), 10, 0) == []


def test_going_back_leads_to_others_and_never_to_the_topic(films: Snapshot, made: list[Question]) -> None:
    walker = Walker(films)
    back = [q for q in made if any((r, not i) == after for (r, i), after in pairwise(steps_of(q)))]
    assert 0.02 < len(back) / len(made) < 0.5
    for question in back:
        assert not set(question.answers) & walker.ids(question.topics), question


def test_there_and_back_is_not_followed_by_there_again(films: Snapshot) -> None:
    paths = PathSampler(films, random.Random(0)).paths(1500, 3)
    thrice = [
        p.steps for p in paths if len(p.steps) == 3 and p.steps[0] == p.steps[2] and p.steps[1][1] != p.steps[0][1]
    ]
    back = [p.steps for p in paths if len(p.steps) == 3 and p.steps[1] == (p.steps[0][0], not p.steps[0][1])]
    assert len(back) > 50
    # "Who directed films of the director of" asks nothing; "in which films is who is in a film with" does.
    assert all(inverse for steps in thrice if steps in back for _, inverse in steps[:1])


def test_there_and_back_is_asked_as_people_ask(films: Snapshot) -> None:
    made = make_questions(films, 4000, 0, 3, kinds=("film",))
    said = {q.plain.lower() for q in made if any((r, not i) == after for (r, i), after in pairwise(steps_of(q)))}
    for asked in (
        r"who co-\w+ (films|with)",
        r"also \w+ (what|which) films",
        r"films that share (a |the |the same )?\w+ with",
    ):
        assert any(re.search(asked, one) for one in said), asked
    assert any(re.search(r"directed by (the directors? of|the same director)", one) for one in said)


def test_there_and_back_is_told_by_what_was_done_and_by_whose_it_is(films: Snapshot) -> None:
    made = make_questions(films, 4000, 0, 3, kinds=("film",))
    ways = {relation: ((relation, False), (relation, True)) for relation in ("starred_actors", "written_by")}
    said = {relation: [q.plain.lower() for q in made if way in pairwise(steps_of(q))] for relation, way in ways.items()}
    assert any(re.search(r"(starred|acted) by (the )?\S.* (actors?|stars?)\b", one) for one in said["starred_actors"])
    assert any(re.search(r"films? (of|for|by|from) the (writer|author)s? of", one) for one in said["written_by"])
    # That there are many nouns for it doesn't hide the verb.
    assert sum("starred by" in one or "starred in" in one for one in said["starred_actors"]) > 20


def test_each_kind_of_phrase_is_as_likely_as_any_other_in_a_share_of_the_cases(
    films: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, one = [f"noun {at}" for at in range(9)], ["verb"]
    grammar = Grammar(films.schema(), films.relations(), random.Random(0))

    def share(balanced: float) -> float:
        monkeypatch.setattr(wording, "BALANCED", balanced)
        said = Counter(grammar._of_kinds(many, [], ["", ""], one) for _ in range(4000))
        assert set(said) == {*many, *one}
        return said["verb"] / 4000

    assert share(0) == pytest.approx(0.1, abs=0.02)
    assert share(1) == pytest.approx(0.5, abs=0.03)
    assert share(0.5) == pytest.approx(0.3, abs=0.03)


def test_things_are_called_what_they_may_be(films: Snapshot) -> None:
    def share(kinds: tuple[str, ...]) -> float:
        texts = [q.plain.lower() for q in make_questions(films, 1000, 0, 2, kinds=kinds)]
        return sum("recipe" in text for text in texts) / len(texts)

    assert share(("recipe",)) > 3 * share(())


def test_a_way_that_comes_back_by_other_relations_may_lead_to_the_topic() -> None:
    family = [(f"{child} {at}", f"Parent {at}") for at in range(30) for child in ("Ann", "Bob")]
    facts = [fact for a, b in family for fact in (Fact(a, "parents", b), Fact(b, "children", a))]
    snapshot = graph(tuple(facts))
    walker = Walker(snapshot)
    made = make_questions(snapshot, 1000, 0, 2)
    there = [one for one in made if steps_of(one) == (("parents", False), ("children", False))]
    alone = [one for one in made if steps_of(one) == (("children", False), ("parents", False))]
    assert there
    assert alone
    for question in there:
        assert len(question.answers) == 2
        assert walker.ids(question.topics) < set(question.answers)
    for question in alone:
        assert set(question.answers) == walker.ids(question.topics)


def test_what_is_held_out_is_not_trained_on(made: list[Question]) -> None:
    parts = held_out(made, 0)
    assert parts == held_out(made, 0)
    texts = [{masked_text(q) for q in part} for part in (parts.train, parts.choose, parts.score)]
    assert all(texts)
    assert all(not one & other for one, other in combinations(texts, 2))
    # Every way that there are some questions about is trained on.
    often = {way for way, number in Counter(map(steps_of, made)).items() if number > 5}
    assert len(often) > 30
    assert often <= {steps_of(question) for question in parts.train}


def test_questions_of_people_weigh(made: list[Question]) -> None:
    parts = held_out(made, 0)
    given = [Question(f"who made {at}", ((9, 10 + (at > 9)),), ("x",), "given") for at in range(50)]
    with_them = with_given(parts, given, 0)
    train = [question for question in with_them.train if question.part == "given"]
    assert len(set(train)) == 40
    assert 0.35 < len(train) / len(with_them.train) < 0.45
    assert len(with_them.choose) == len(parts.choose) + 10
    assert with_them.score == parts.score
    few = with_given(Made(parts.train, parts.choose, parts.score), given[:3], 0)
    assert few.choose == parts.choose


def test_other_words_are_those_of_what_a_relation_names() -> None:
    names = ["has_genre", "directed_by", "user_rating", "release_year", "cause_of_death", "p"]
    found = everyday(Schema(relations={"p": RelationSchema(words="sort")}), names)
    assert found["has_genre"] == ["style", "category", "kind", "type"]  # another one is said by "sort"
    assert found["directed_by"] == ["filmmaker"]
    assert found["user_rating"] == ["score", "grade", "mark"]
    assert "death cause" not in found["cause_of_death"]  # its own words, turned round
    assert said(Schema(), "starred_actors").verbs == ("starred in", *other_verbs("starred in"))


def test_hubs_and_long_answers_are_left_alone() -> None:
    hub = tuple(Fact(f"p{at}", "lives_in", "Town") for at in range(5000))
    found = PathSampler(graph((*hub, Fact("Town", "lies_in", "Land"))), random.Random(0)).paths(300, 2)
    assert found
    assert {path.steps for path in found} <= {
        (("lives_in", False),),
        (("lies_in", False),),
        (("lies_in", True),),
        (("lives_in", False), ("lies_in", False)),
    }


@pytest.mark.parametrize(
    ("facts", "said"),
    [((), "the graph has no relations"), ((Fact("a", "likes", "b"),), "too few ways to ask for: 2 were found")],
)
def test_too_small_a_graph_is_refused(facts: tuple[Fact, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        make_questions(graph(facts), 500, 0, 3)


def test_of_a_large_graph_a_part_is_read_with_all_of_each_head(films: Snapshot) -> None:
    part = bounded_snapshot(films, films.info(), most=films.info().facts // 2)
    assert 0 < part.info().facts < films.info().facts
    kept = set(part.all_facts())
    heads = {fact.head for fact in kept}
    assert kept == {fact for fact in films.all_facts() if fact.head in heads}
    assert {e.id for e in part.all_entities()} == {end for fact in kept for end in (fact.head, fact.tail)}


def said(schema: Schema, relation: str, *, inverse: bool = False, label: str = "Entity") -> Phrases:
    return phrases(schema, relation, inverse, label)


def test_words_are_said_in_both_directions() -> None:
    plain = Schema()
    assert said(plain, "directed_by").nouns == ("director",)
    assert said(plain, "directed_by").verbs == ("directed",)
    assert said(plain, "directed_by", inverse=True).clauses == ("directed by",)
    assert said(plain, "ACTED_IN").objects == ("acted in", *other_verbs("acted in"))
    assert said(plain, "ACTED_IN", inverse=True).verbs == ("acted in", *other_verbs("acted in"))
    assert said(plain, "bornIn").passives == ("born in",)
    wrote = ("wrote", *other_verbs("wrote"))
    by = ("written by", "penned by", "authored by")
    assert said(plain, "wrote") == Phrases(objects=wrote, clauses=by, whose=("author", "writer"))
    assert said(plain, "wrote", inverse=True).verbs == wrote
    assert said(plain, "wrote", inverse=True).nouns == ("author", "writer")
    assert said(plain, "has_tags").nouns == ("tags",)
    assert said(plain, "has_tags", inverse=True).whose == ("tags",)
    assert said(plain, "release_year").happened == (("year", "released"),)
    assert said(plain, "parent_of", inverse=True).nouns == ("parent",)
    assert said(plain, "in_language", inverse=True).clauses == ("in language", "in")


def test_the_users_words_synonyms_and_labels_are_used() -> None:
    schema = Schema(
        labels={"Movie": LabelSchema(words="picture")},
        relations={
            "P1": RelationSchema(words="directed by", inverse="picture made by", synonyms=("film maker",)),
            "P2": RelationSchema(words="genre", inverse_synonyms=("picture of kind",)),
        },
    )
    assert said(schema, "P1").nouns == ("director", "film maker")
    assert set(said(schema, "P1", inverse=True, label="Movie").clauses) >= {"directed by", "made by"}
    assert "of kind" in said(schema, "P2", inverse=True, label="Movie").clauses
    facts = tuple(Fact(f"m{at}", relation, f"{relation}{at % 7}") for at in range(60) for relation in ("P1", "P2"))
    snapshot = graph(facts, schema, {f"m{at}": "Movie" for at in range(60)})
    texts = " ".join(question.plain for question in make_questions(snapshot, 800, 0, 3))
    for word in ("picture", "pictures", "film maker", "director", "made by", "genre"):
        assert f" {word} " in texts, word


def cases() -> Snapshot:
    """Numbered cases with suspected drugs, each with a dose; a therapy has the number of each case."""
    dose = {"dose": RelationPropertySchema(words="dose of primary suspect")}
    held = {"dose": RelationPropertySchema(words="dose of concomitant")}
    schema = Schema(
        labels={"Case": LabelSchema(), "Drug": LabelSchema(), "Therapy": LabelSchema()},
        relations={
            "IS_SUSPECT": RelationSchema(
                words="primary suspect", inverse="case with primary suspect", head="Case", tail="Drug", properties=dose
            ),
            "IS_CONCOMITANT": RelationSchema(words="concomitant", head="Case", tail="Drug", properties=held),
            "IS_SUSPECT.dose": RelationSchema(words="dose of primary suspect", head="Case", tail="string"),
            "~IS_SUSPECT.dose": RelationSchema(words="dose as primary suspect", head="Drug", tail="string"),
            "LED_TO": RelationSchema(words="led to", inverse="case led to", head="Case", tail="Therapy"),
            "Case.age": RelationSchema(words="age", inverse="case with age", head="Case", tail="integer"),
        },
    )
    facts: list[Fact] = []
    labels: dict[str, str] = {}
    for at in range(40):
        case, drug, amount = f"case{at}", f"drug {at % 7}", f"{at % 5} mg"
        labels |= {case: "Case", drug: "Drug", amount: "string", f"therapy{at}": "Therapy", f"{at % 9} yr": "integer"}
        facts += [Fact(case, "IS_SUSPECT", drug), Fact(case, "IS_SUSPECT.dose", amount)]
        facts += [Fact(drug, "~IS_SUSPECT.dose", amount), Fact(case, "LED_TO", f"therapy{at}")]
        facts.append(Fact(case, "Case.age", f"{at % 9} yr"))
    return graph(tuple(facts), schema, labels, lambda id_: re.sub("case|therapy", "1000", id_))


def test_what_a_relationship_says_is_asked_with_both_its_ends() -> None:
    snapshot = cases()
    made = make_questions(snapshot, 400, 0, 3)
    walker = Walker(snapshot)
    between = [question for question in made if question.part == "between"]
    assert 40 <= len(between) <= 80
    for question in made:
        assert set(question.answers) == walker.answers(question), question
    for question in between:
        assert [path.steps for path in question.paths] == [
            (("IS_SUSPECT.dose", False),),
            (("~IS_SUSPECT.dose", False),),
        ]
        assert "dose" in question.plain.lower()
        assert sorted(question.plain[start:end][:4] for start, end in question.spans) == ["1000", "drug"]
        assert not re.search("1000|drug [0-9]", masked_text(question))
    assert {"primary suspect" in question.plain for question in between} == {False, True}
    # What a suspect's dose is in other cases isn't what is asked of the suspect of one.
    both = (("IS_SUSPECT", False), ("~IS_SUSPECT.dose", False))
    assert not [question for question in made if both in pairwise(steps_of(question))]
    assert [question for question in made if "~IS_SUSPECT.dose" in {name for name, _ in steps_of(question)}]
    parts = held_out(made, 0)
    assert not {masked_text(q) for q in parts.train} & {masked_text(q) for q in parts.score}


def test_what_a_relationship_says_is_asked_back_with_its_verb() -> None:
    schema = Schema(
        relations={
            "REVIEWED": RelationSchema(words="reviewed", properties={"score": RelationPropertySchema(words="score")}),
            "REVIEWED.score": RelationSchema(words="score"),
            "~REVIEWED.score": RelationSchema(words="score"),
        }
    )
    # From a score to what was given it, and to who gave it.
    assert {"with score", "reviewed with a score"} < set(said(schema, "~REVIEWED.score", inverse=True).clauses)
    assert "reviewed with the score" in said(schema, "REVIEWED.score", inverse=True).clauses


def test_of_things_of_several_kinds_with_one_name_the_kind_is_said() -> None:
    made = make_questions(cases(), 400, 0, 3)
    numbered = [question for question in made if question.topics[0].startswith(("#case", "#therapy"))]
    assert len(numbered) > 50
    for question in numbered:
        kind = question.topics[0].strip("#0123456789")
        assert f"{kind} 1000" in question.plain.lower(), question


def test_words_for_the_way_back_are_not_taken_for_a_noun() -> None:
    snapshot = cases()
    texts = [question.plain for question in make_questions(snapshot, 600, 0, 3)]
    assert not [text for text in texts if re.search("with (primary suspect|age) (of|is|was) ", text)]
    assert [text for text in texts if "primary suspect drug" in text]
    assert [text for text in texts if re.search("how old (is|was|are|were) ", text)]
    # One relation alone leads from a case to a therapy, but two to a drug.
    assert [text for text in texts if re.search("therap(y|ies) of case", text)]
    assert not [text for text in texts if re.search(r"\bthe drugs? of case", text)]
    # What a value is called says nothing.
    assert not [text for text in texts if re.search("integer|string", text)]


def test_synonyms_stand_for_nouns(films: Snapshot) -> None:
    texts = [q.plain for q in make_questions(films, 600, 0, 1, {"has_genre": ("style", "sort")})]
    for word in ("genre", "style", "sort"):
        assert 0 < sum(f" {word} " in f" {text} " for text in texts) < 300, word


def test_nor_is_the_same_word_in_another_spelling() -> None:
    facts = tuple(Fact(f"p{at}", "organization", f"o{at % 5}") for at in range(40))
    texts = " ".join(question.plain for question in make_questions(graph(facts), 400, 0, 2))
    assert " organization" in texts
    assert "film" in texts
    assert "organisation" not in texts


def test_a_verb_between_the_names_of_its_ends_is_said_without_them() -> None:
    relations = {
        "binds": RelationSchema(head="Compound", tail="Gene", words="compound binds gene"),
        "covaries": RelationSchema(head="Gene", tail="Gene", words="gene covaries gene"),
        "seen": RelationSchema(head="Gene", tail="Cell", words="gene seen cell"),
    }
    schema = Schema(labels={name: LabelSchema() for name in ("Compound", "Gene", "Cell")}, relations=relations)
    assert phrases(schema, "binds", inverse=False, label="Gene").objects == ("binds", "bind", "binded")
    assert phrases(schema, "binds", inverse=True, label="Compound").clauses == ("binded by",)
    assert phrases(schema, "covaries", inverse=True, label="Gene").verbs == ("covaries", "covary", "covaried")
    assert phrases(schema, "seen", inverse=False, label="Cell").nouns[0] == "gene seen cell"


def test_everyday_nouns_mean_one_relation() -> None:
    found = everyday(Schema(), ["parents", "spouse", "gender", "directed_by"])
    assert found["parents"][:2] == ["father", "mother"]
    assert "husband" in found["spouse"]
    assert found["gender"] == ["sex"]
    assert found["directed_by"] == ["filmmaker"]
    # What another relation is called by itself, or what could be either, is left out.
    more = everyday(Schema(), ["parents", "fathers", "nationality", "country"])
    assert "father" not in more["parents"]
    assert "mother" in more["parents"]
    assert not {"nation", "country"} & {*more["nationality"], *more["country"]}


def test_what_a_relation_may_be_called_is_no_kind_that_says_nothing() -> None:
    facts = tuple(Fact(f"p{at}", "P1", f"q{at}") for at in range(60))
    schema = Schema(relations={"P1": RelationSchema(words="employer")})
    for synonyms, there in (({}, True), ({"P1": ("company", "type")}, False)):
        said = [masked_text(q) for q in make_questions(graph(facts, schema), 600, 0, 1, synonyms)]
        kinds = [text for text in said if re.search("company ___|___ company", text) and "employer" in text]
        assert bool(kinds) == there
        assert any("the type of the employer of" in text for text in said) == there
        assert [text for text in said if "the name of the employer of" in text]


def test_everyday_verbs_say_the_same_in_both_directions() -> None:
    said = {"ACTED_IN": RelationSchema(words="acted in", properties={"role": RelationPropertySchema(words="role")})}
    schema = Schema(relations={**said, "P2": RelationSchema(words="appeared in")})
    back = phrases(schema, "ACTED_IN", True, "Film")
    assert {"acted in", "starred in"} <= {*back.verbs}
    assert "starred in" in phrases(schema, "ACTED_IN", False, "Film").objects
    assert "appeared in" not in back.verbs  # another relation is said so
    # Whatever stands in the table is read as a verb, never as a noun.
    for words in ("founded", "received", "resulted in", "employed by", "treats", "contains"):
        bare = phrases(Schema(relations={"P": RelationSchema(words=words)}), "P", False, "Entity")
        assert not other_verbs(words) or not bare.nouns, words
    # Who has a role plays it; the film that has it doesn't.
    assert "played" in phrases(schema, "ACTED_IN.role", True, "Person").verbs
    assert "played" not in phrases(schema, "~ACTED_IN.role", True, "Film").verbs
    both = everyday(schema, ["ACTED_IN.role", "~ACTED_IN.role"])
    assert both["ACTED_IN.role"] == both["~ACTED_IN.role"] == [*other_nouns("role")]


def test_some_relations_are_asked_for_without_a_noun() -> None:
    facts = [Fact(f"p{at}", relation, f"q{at}") for at in range(60) for relation in ("residence", "profession", "P7")]
    schema = Schema(relations={"P7": RelationSchema(words="occupation")})
    one = [q.plain for q in make_questions(graph(tuple(f for f in facts if f.relation != "P7")), 1500, 0, 1)]
    assert [text for text in one if re.fullmatch(r"[Ww]here does (\S+ ){1,3}live( \?|\?|)", text)]
    assert [text for text in one if " for a living" in text]
    # Two relations of the graph could be meant.
    two = [q.plain for q in make_questions(graph(tuple(facts), schema), 1500, 0, 1)]
    assert not [text for text in two if " for a living" in text]
    # Nor is it asked the other way: who does something for a living.
    asked = [q for q in make_questions(graph(tuple(facts)), 1500, 0, 1) if " for a living" in q.plain]
    assert {steps_of(q) for q in asked} == {(("profession", False),)}


def test_a_name_is_put_in_as_it_is() -> None:
    odd = "[Rec] 's \\1 {0} %s"
    snapshot = graph((Fact(odd, "directed_by", "Ann"),))
    generator = random.Random(0)
    grammar = Grammar(Schema(), snapshot.relations(), generator)
    for path in PathSampler(snapshot, generator).paths(100, 1):
        question = grammar.question(path)
        assert question is not None
        ((start, end),) = question.spans
        assert question.plain[start:end] == path.topic
