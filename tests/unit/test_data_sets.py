"""Each set's own files become the same questions; all lines here are made up in the sets' layouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph_schema import Fact, InputError, MappingError, SchemaError
from kgqa.data.graph import Walker, load_graph, thinned
from kgqa.data.leakage import Kind
from kgqa.data.questions import GoldPath, Question, as_json, read_questions
from kgqa.data.sets import NAMES, QuestionSet, open_set
from kgqa.data.sets.metaqa import open_metaqa
from kgqa.data.unanswerable import unknown_relations
from kgqa.evaluation.slices import slices
from kgqa.report.shown import called
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.training.prepare import answer_nodes


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def agrees(found: QuestionSet, questions: list[Question]) -> None:
    """Check that walking the gold paths on the set's graph gives its answers."""
    walker = Walker(found.graph())
    assert [walker.answers(q) for q in questions] == [set(q.answers) for q in questions]


def test_pathquestion(tmp_path: Path) -> None:
    write(
        tmp_path / "PQL-2H.txt",
        " what is the food of Ann_(cook) 's pet ?\tFish_(raw)(Fish_(raw)/Hay/)\t"
        "Ann_(cook)#__x__pet#Rex#__x__food#Fish_(raw)",
        "Bob 's pet 's food\tHay(Hay/)\tBob#__x__pet#Bob#__x__food#Hay#<end>#Hay",
    )
    write(
        tmp_path / "PQL2-KB.txt",
        *("Ann_(cook)\t__x__pet\tRex", "Rex\t__x__food\tFish_(raw)", "Rex\t__x__food\tHay"),
        *("Bob\t__x__pet\tBob", "Bob\t__x__food\tHay"),
    )
    found = open_set("PQL-2H", tmp_path)
    steps = (("__x__pet", False), ("__x__food", False))
    assert found.questions == [
        Question(
            "what is the food of Ann_(cook) 's pet ?",
            ((20, 30),),
            ("Fish_(raw)", "Hay"),
            "2-hop",
            "Fish_(raw)",
            (GoldPath("Ann_(cook)", steps),),
        ),
        Question("Bob 's pet 's food", ((0, 3),), ("Hay",), "2-hop", "Hay", (GoldPath("Bob", steps),)),
    ]
    assert (found.name, found.official, found.questions[0].topics, found.questions[0].hops) == (
        *("PQL-2H", None),
        *(("Ann_(cook)",), 2),
    )
    agrees(found, list(found.questions))


def test_wc2014(tmp_path: Path) -> None:
    write(
        tmp_path / "WC-C.txt",
        "which player in Chile_FC is from Chile ?\tAb_C\t"
        "Chile_FC#in_inverse#Ab_C#<end>#Ab_C*Chile#from_inverse#Ab_C#<end>#Ab_C\tAb_C/D/\tAb_C#in#Chile_FC\tChile_FC/Chile",
    )
    write(
        tmp_path / "WC-P2.txt",
        "where is the club of D ?\tChile\tD#in#Chile_FC#is_in#Chile\tChile/Chile/\tD#in#Chile_FC",
    )
    write(
        tmp_path / "WC2014.txt",
        *("Chile_FC\tin_inverse\tAb_C", "Chile_FC\tin_inverse\tD", "Chile_FC\tin_inverse\tE", "D\tin\tChile_FC"),
        *("Chile\tfrom_inverse\tAb_C", "Chile\tfrom_inverse\tD", "Chile_FC\tis_in\tChile"),
    )
    both = open_set("WC-C", tmp_path)
    [question] = both.questions
    assert (question.part, question.answers, question.listed, question.topics) == (
        *("conjunction", ("Ab_C", "D")),
        *("Ab_C", ("Chile_FC", "Chile")),
    )
    assert [question.plain[start:end] for start, end in question.spans] == ["Chile_FC", "Chile"]
    agrees(both, [question])
    two = open_set("WC-2H", tmp_path)
    assert [(q.part, q.answers, q.topics, q.hops) for q in two.questions] == [("2-hop", ("Chile",), ("D",), 2)]
    agrees(two, list(two.questions))


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        ("PQ-2H", "PQ-2H.txt", "who is Ann 's pet ?\tRex(Rex/)"),
        ("PQ-2H", "PQ-2H.txt", "who is Ann 's pet ?\tRex\tAnn#pet#Rex"),
        ("PQ-2H", "PQ-2H.txt", "who is Ann 's pet ?\tRex(Rex/)\tAnn#pet"),
        ("PQ-2H", "PQ-2H.txt", "who is Ann 's pet ?\tTom(Tom/)\tAnn#pet#Rex"),
        ("PQ-2H", "PQ-2H.txt", "who is Anna 's pet ?\tRex(Rex/)\tAnn#pet#Rex"),
        ("WC-1H", "WC-P1.txt", "who is Ann 's pet ?\tRex\tAnn#pet#Rex"),
        ("WC-1H", "WC-P1.txt", "who is Ann 's pet ?\tRex\tAnn#pet#Rex\tTom/\tx"),
        ("WC-1H", "WC-P1.txt", "who is Ann 's pet ?\tRex\tAnn*Ann#pet#Rex\tRex/\tx"),
        ("WC-1H", "WC-P1.txt", "who is Bob 's pet ?\tRex\tAnn#pet#Rex\tRex/\tx"),
    ],
)
def test_a_line_of_another_layout_is_named(tmp_path: Path, name: str, file: str, line: str) -> None:
    write(tmp_path / file, "", line)
    with pytest.raises(InputError, match=rf"{file}:2: no line of (PathQuestion|WC2014)\. Give the files as released"):
        open_set(name, tmp_path)


def metaqa(folder: Path) -> None:
    for part in ("train", "dev", "test"):
        for hops, question, kind in (
            (1, "who directed [Heat]\tMann", "movie_to_director"),
            (2, "what else is by the director of [Heat]\tAli", "movie_to_director_to_movie"),
            (3, "who is in what else is by the director of [Heat]\tSmith", "movie_to_director_to_movie_to_actor"),
        ):
            write(folder / f"{hops}-hop/vanilla/qa_{part}.txt", question)
            write(folder / f"{hops}-hop/qa_{part}_qtype.txt", kind)
    for part in ("dev", "test"):
        write(folder / f"1-hop/ntm/qa_{part}.txt", "the director of [Heat] who is\tMann")
    write(
        folder / "kb.txt",
        *("Heat|directed_by|Mann", "Ali|directed_by|Mann", "Heat|starred_actors|Pacino", "Ali|starred_actors|Smith"),
    )


def test_metaqa_with_its_types(tmp_path: Path) -> None:
    metaqa(tmp_path)
    found = open_set("metaqa", tmp_path)
    assert found.official is not None
    dev = list(found.official["dev"])
    assert [(q.part, q.topics) for q in dev] == [("1-hop", ("Heat",)), ("2-hop", ("Heat",)), ("3-hop", ("Heat",))]
    assert dev[2].paths == (
        GoldPath("Heat", (("directed_by", False), ("directed_by", True), ("starred_actors", False)), no_return=True),
    )
    agrees(found, dev)
    walker = Walker(found.graph())
    split = found.split(None, 0, walker)
    assert [len(split.part(name)) for name in ("train", "dev", "test")] == [3, 3, 3]
    assert sorted(len(found.split("random", 0, walker).part(name)) for name in ("train", "dev", "test")) == [1, 1, 7]
    paraphrased = open_set("metaqa-ntm", tmp_path)
    assert paraphrased.name == "metaqa-ntm"
    paraphrases = paraphrased.official
    assert paraphrases is not None
    assert {(part, q.plain) for part, questions in paraphrases.items() for q in questions} == {
        ("dev", "the director of Heat who is"),
        ("test", "the director of Heat who is"),
    }


def test_metaqa_that_is_not(tmp_path: Path) -> None:
    metaqa(tmp_path)
    write(tmp_path / "1-hop/qa_dev_qtype.txt", "movie_to_money")
    with pytest.raises(InputError, match=r"qa_dev_qtype.txt:1: 'movie_to_money' is no type"):
        open_set("metaqa", tmp_path)
    write(tmp_path / "1-hop/qa_dev_qtype.txt", "movie_to_director", "movie_to_director")
    with pytest.raises(InputError, match="2 types of 1 questions"):
        open_set("metaqa", tmp_path)
    with pytest.raises(InputError, match="'x' is no kind"):
        open_metaqa(tmp_path, "x")
    with pytest.raises(InputError, match="no such directory"):
        open_set("metaqa", tmp_path / "gone")


def test_a_directory_with_its_own_split(tmp_path: Path) -> None:
    write(tmp_path / "facts.csv", "head,relation,tail", "Ann,has_pet,Rex", '"Bob, jr",has_pet,Tom')
    write(tmp_path / "train.tsv", "what is the pet of [Ann]\tRex")
    full = {
        "question": "whose pet is [Tom]",
        "answers": ["Bob, jr"],
        "listed": "Bob, jr",
        "paths": [{"topic": "Tom", "steps": [{"relation": "has_pet", "inverse": True}]}],
    }
    write(tmp_path / "test.jsonl", json.dumps(full), "", json.dumps({"question": "who", "answers": [], "part": "odd"}))
    write(tmp_path / "schema.yaml", "relations: {has_pet: {words: keeps, inverse: is kept by}}")
    found = open_set("directory", tmp_path)
    graph = found.graph()
    assert found.name == tmp_path.name
    assert graph.schema().words("has_pet", inverse=True) == "is kept by"
    assert set(graph.all_facts()) == {Fact("Ann", "has_pet", "Rex"), Fact("Bob, jr", "has_pet", "Tom")}
    split = found.split(None, 0, Walker(graph))
    assert split.train == (Question("what is the pet of Ann", ((19, 22),), ("Rex",)),)
    assert split.dev == ()
    kept = Question(
        "whose pet is Tom", ((13, 16),), ("Bob, jr",), "1-hop", "Bob, jr", (GoldPath("Tom", (("has_pet", True),)),)
    )
    assert split.test == (kept, Question("who", (), (), "odd"))
    agrees(found, [kept])


MAPPING = """
sources:
  - files: films.csv
    nodes:
      - label: Film
        id: "film/{film_id}"
        name: title
        properties: {released: {column: year, type: integer}, look: {column: look, type: float, separator: ";"}}
    relationships: [{type: directed_by, head: Film, tail: {label: Person, key: director_id}}]
  - files: "people*.tsv"
    nodes: [{label: Person, id: "person/{person_id}", name: name}]
"""


def two_of_one_name(folder: Path) -> None:
    """Two films called Heat, each with a vector, a year and a director of its own."""
    write(folder / "mapping.yaml", MAPPING)
    write(
        folder / "films.csv",
        *("film_id,title,year,director_id,look", "1,Heat,1986,8,0.5;0", "2,Heat,1995,9,0;1.5", "3,Ali,2001,9,"),
    )
    write(folder / "people.tsv", "person_id\tname", "8\tDick Richards", "9\tMichael Mann")
    by = [{"relation": "directed_by"}]
    write(
        folder / "test.jsonl",
        json.dumps(
            {"question": "who directed [Heat]", "answers": ["person/8"], "paths": [{"topic": "film/1", "steps": by}]}
        ),
        json.dumps(
            {
                "question": "whose is [Michael Mann]",
                "answers": ["film/2", "Ali"],
                "paths": [{"topic": "Michael Mann", "steps": [{**by[0], "inverse": True}]}],
            }
        ),
    )


def test_a_directory_whose_files_a_mapping_explains(tmp_path: Path) -> None:
    two_of_one_name(tmp_path)
    found = open_set("directory", tmp_path)
    assert (found.facts, found.folder) == (None, tmp_path)
    graph = found.graph()
    walker = Walker(graph)
    assert set(graph.all_facts()) == {
        Fact(f"film/{n}", "directed_by", f"person/{p}") for n, p in ((1, 8), (2, 9), (3, 9))
    }
    heat = graph.entities(["film/1", "film/2"])
    assert [(one.name, one.label, dict(one.properties)) for one in heat.values()] == [
        ("Heat", "Film", {"released": 1986, "look": (0.5, 0.0)}),
        ("Heat", "Film", {"released": 1995, "look": (0.0, 1.5)}),
    ]
    # Answers and topics are ids, or names, which mean all that bear them.
    questions = found.split(None, 0, walker).test
    assert [walker.answers(question) for question in questions] == [{"person/8"}, {"film/2", "film/3"}]
    assert [walker.ids(question.answers) for question in questions] == [{"person/8"}, {"film/2", "film/3"}]
    assert [len(answer_nodes([said], graph)[0]) for said in ("film/2", "Heat", "Ali", "Thief")] == [1, 2, 1, 0]
    assert walker.frontiers(GoldPath("Heat", (("directed_by", False),)))[-1] == {"person/8", "person/9"}
    # A graph that lacks facts still has the vectors of what it has.
    thin = thinned(graph, 0.7, 0)
    kept = {end for fact in thin.all_facts() for end in (fact.head, fact.tail)}
    looks = {"film/1": [0.5, 0.0], "film/2": [0.0, 1.5]}
    for id_ in kept & looks.keys():
        expander = SnapshotExpander(thin)
        assert expander.vectors(expander.nodes([id_]), "look", 2).tolist() == [looks[id_]]
    cut = slices(questions, walker)
    assert {name: list(values) for name, values in cut.items() if name in ("namesakes", "topic facts")} == {
        "namesakes": ["1", "2"],
        "topic facts": ["1-2"],
    }
    assert {q.topics[0] for q in unknown_relations(questions, graph, 40, 0)} == {"Heat", "Michael Mann"}
    assert [called(text, graph) for text in ("film/1", "Heat", "Thief")] == ["Heat (film/1)", "Heat", "Thief"]


def test_facts_beside_a_mapping_and_files_that_are_none_of_its_own(tmp_path: Path) -> None:
    two_of_one_name(tmp_path)
    write(tmp_path / "mapping.yaml", MAPPING.replace("people*.tsv", "*.tsv"))
    write(tmp_path / "facts.tsv", "film/2\tset_in\tLos Angeles")
    (tmp_path / "test.jsonl").unlink()
    write(tmp_path / "test.tsv", "where is [Heat] set\tLos Angeles")
    graph = open_set("directory", tmp_path).graph()
    assert Fact("film/2", "set_in", "Los Angeles") in set(graph.all_facts())
    assert len(list(graph.all_facts())) == 4
    assert graph.entities(["film/2"])["film/2"].label == "Film"
    # A file of facts that the mapping names is read as it says.
    write(tmp_path / "mapping.yaml", f"{MAPPING}  - {{files: facts.tsv, triples: [2, 1, 0]}}\n")
    turned = open_set("directory", tmp_path).graph()
    assert {fact for fact in turned.all_facts() if fact.relation == "set_in"} == {
        Fact("Los Angeles", "set_in", "film/2")
    }


def test_a_mapping_that_loses_rows_or_is_none(tmp_path: Path) -> None:
    two_of_one_name(tmp_path)
    write(tmp_path / "films.csv", "film_id,title,year,director_id,look", "1,Heat,soon,8,")
    with pytest.raises(InputError, match=r"films\.csv"):
        open_set("directory", tmp_path).graph()
    (tmp_path / "films.csv").unlink()
    with pytest.raises(MappingError, match=r"there is no file films\.csv"):
        open_set("directory", tmp_path).graph()
    write(tmp_path / "mapping.yaml", "colour: red")
    with pytest.raises(MappingError, match="colour"):
        open_set("directory", tmp_path).graph()


def test_a_directory_that_is_split_by_seed(tmp_path: Path) -> None:
    write(tmp_path / "kb.txt", *(f"p{i}|likes|t{i}" for i in range(20)))
    write(tmp_path / "questions.txt", *(f"what does [p{i}] like\tt{i}" for i in range(20)))
    found = open_set("directory", tmp_path)
    walker = Walker(found.graph())
    kinds: tuple[Kind | None, ...] = (None, "path", "entity")
    for kind in kinds:
        split = found.split(kind, 0, walker)
        assert [len(split.part(name)) for name in ("train", "dev", "test")] == [16, 2, 2]
    with pytest.raises(InputError, match=rf"{tmp_path.name}, split relation: not every question has a gold path"):
        found.split("relation", 0, walker)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no file of facts"),
        ({"kb.txt": "a|b|c"}, "no file of questions"),
        ({"kb.txt": "a|b|c", "facts.tsv": "a\tb\tc"}, "facts.tsv and kb.txt are for the same. Keep one"),
        ({"kb.txt": "a|b|c", "test.tsv": "q\ta", "test.jsonl": "{}"}, "test.jsonl and test.tsv are for the same"),
        ({"kb.txt": "a|b|c", "test.tsv": "q\ta", "questions.tsv": "q\ta"}, "both questions.tsv and files of parts"),
        ({"kb.txt": "a|b|c", "test.jsonl": "{"}, "test.jsonl:1: the line: Invalid JSON"),
        ({"kb.txt": "a|b|c", "test.jsonl": '{"question": "q"}'}, "test.jsonl:1: answers: Field required"),
        ({"kb.txt": "a|b|c", "test.jsonl": '{"question": " ", "answers": []}'}, "test.jsonl:1: the question is empty"),
        ({"kb.txt": "a|b|c", "test.jsonl": '{"question": "q", "answers": ["a"], "x": 1}'}, "test.jsonl:1: x: Extra"),
        ({"kb.txt": "a|b|c", "test.jsonl": '{"question": "q", "answers": [1]}'}, "answers.0: Input should be a valid"),
        (
            {"kb.txt": "a|b|c", "test.jsonl": '{"question": "q", "answers": ["a"], "listed": "b"}'},
            "listed is none of the answers",
        ),
        (
            {
                "kb.txt": "a|b|c",
                "test.jsonl": '{"question": "q", "answers": [], "paths": [{"topic": "a", "steps": []}]}',
            },
            "paths.0.steps: List should have at least 1 item",
        ),
    ],
)
def test_a_directory_that_is_no_set(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        open_set("directory", tmp_path)
    assert said in str(caught.value)


def test_a_schema_that_is_none_and_facts_that_are_none(tmp_path: Path) -> None:
    write(tmp_path / "kb.txt", "a|b|c", "a|b")
    write(tmp_path / "test.tsv", "q\ta")
    with pytest.raises(InputError, match=r"kb\.txt"):
        open_set("directory", tmp_path).graph()
    write(tmp_path / "schema.yaml", "colour: red")
    with pytest.raises(SchemaError, match="colour"):
        open_set("directory", tmp_path)
    with pytest.raises(InputError, match="gone"):
        load_graph(tmp_path / "gone.txt")


def test_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no set is called 'PQ-9H'\. Use metaqa, metaqa-ntm, PQ-2H"):
        open_set("PQ-9H", tmp_path)
    for name in NAMES:
        with pytest.raises(InputError):
            open_set(name, tmp_path / "gone")


def test_a_question_written_as_json_is_read_the_same(tmp_path: Path) -> None:
    questions = [
        Question("who", (), ()),
        Question(
            "did Ann meet Bob", ((4, 7), (13, 16)), ("yes",), "x", "yes", (GoldPath("Ann", (("met", True),), True),)
        ),
        Question("wo wohnt Jürgen\u2028", ((9, 15),), ("Köln", "Bonn"), "1-hop"),
    ]
    path = write(tmp_path / "q.jsonl", *(json.dumps(as_json(q), ensure_ascii=False) for q in questions))
    assert read_questions(path) == questions


def test_a_directory_of_several_sets_is_looked_through(tmp_path: Path) -> None:
    write(tmp_path / "pathquestion/PQ-2H.txt", "what is Ann 's pet 's food ?\tHay(Hay/)\tAnn#pet#Rex#food#Hay")
    write(tmp_path / "pathquestion/2H-kb.txt", "Ann\tpet\tRex", "Rex\tfood\tHay")
    assert open_set("PQ-2H", tmp_path) == open_set("PQ-2H", tmp_path / "pathquestion")
    with pytest.raises(InputError, match="can't read the questions"):
        open_set("WC-C", tmp_path)
