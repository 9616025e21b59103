"""English verbs, as far as names of relations need them: base form, past, participle, and who does it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from kgqa.stores.foreign.wording import participle


class Verb(NamedTuple):
    """ "write", "wrote", "written"."""

    base: str
    past: str
    participle: str


_IRREGULAR = """bear bore born, begin began begun, build built built, buy bought bought, choose chose chosen,
draw drew drawn, drive drove driven, find found found, give gave given, hold held held, know knew known, lead led led,
lose lost lost, make made made, pay paid paid, see saw seen, sell sold sold, send sent sent, sing sang sung,
speak spoke spoken, take took taken, teach taught taught, tell told told, win won won, wear wore worn,
write wrote written, die died died, set set set"""
_VERBS = {form: Verb(*line.split()) for line in _IRREGULAR.split(",") for form in line.split()}

# Who does it → how it is said that they did.
AGENTS = {
    "actor": "acted in", "actress": "acted in", "author": "wrote", "builder": "built", "choreographer": "choreographed",
    "composer": "composed", "creator": "created", "designer": "designed", "developer": "developed",
    "director": "directed", "discoverer": "discovered", "distributor": "distributed", "editor": "edited",
    "founder": "founded", "illustrator": "illustrated", "inventor": "invented", "leader": "led", "maker": "made",
    "manager": "managed", "manufacturer": "manufactured", "narrator": "narrated", "owner": "owned",
    "painter": "painted", "performer": "performed", "player": "played", "producer": "produced",
    "publisher": "published", "seller": "sold", "singer": "sang", "star": "starred in", "supplier": "supplied",
    "teacher": "taught", "translator": "translated", "winner": "won", "writer": "wrote",
}  # fmt: skip
_DONE_BY = {said: tuple(agent for agent, did in AGENTS.items() if did == said) for said in AGENTS.values()}
_DONE_BY |= {"acted": ("actor",), "starred": ("actor", "star")}

# Participles that say what was done to the subject: "X was born in Y", not "X born in Y".
_PASSIVE = """based born buried built chosen classified contained derived distributed educated employed filmed found
    founded given held known listed located made married named published raised related released set situated spoken
    taught used written"""
PASSIVE = frozenset(_PASSIVE.split())


def verb_of(word: str) -> Verb | None:
    """The verb that a word is a form of; None if it is none, as far as one can tell.

    >>> verb_of("wrote")
    Verb(base='write', past='wrote', participle='written')
    >>> verb_of("produced")
    Verb(base='produce', past='produced', participle='produced')
    >>> verb_of("genre"), verb_of("tags")
    (None, None)
    """
    if word in _VERBS:
        return _VERBS[word]
    # A third person is told from a noun in the plural ("tags") by knowing the verb.
    said = participle(word if word.endswith("ed") else singular(word), alone=True)
    if not said or " " in said or word.endswith("eed"):
        return None
    return _VERBS.get(said) or Verb(_base(said), said, said)


def agents_of(verb: str) -> tuple[str, ...]:
    """Who did it, of a past form ("directed" → "director"); nothing if that has no name known here."""
    return _DONE_BY.get(verb, ())


def doers(agents: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Forms of verbs, each with those of some agents who do that, or did.

    >>> found = doers(["director", "actor", "writer", "author"])
    >>> [found.get(form) for form in ("directed", "directs", "starred", "wrote", "sang")]
    [('director',), ('director',), ('actor',), ('author', 'writer'), None]
    """
    known, found = set(agents), dict[str, tuple[str, ...]]()
    for said, who in _DONE_BY.items():
        verb, doing = verb_of(said.split()[0]), tuple(agent for agent in who if agent in known)
        if verb and doing:
            found |= dict.fromkeys((*verb, f"{verb.base}s"), doing)
    return found


def done_by(agent: str) -> str:
    """What somebody so called did, in the past ("director" → "directed"); empty if not known."""
    return AGENTS.get(singular(agent), "")


def singular(noun: str) -> str:
    """
    >>> [singular(word) for word in ("actors", "countries", "children", "class", "series")]
    ['actor', 'country', 'child', 'class', 'series']
    """
    irregular = {"children": "child", "people": "person", "men": "man", "women": "woman", "series": "series"}
    if noun in irregular:
        return irregular[noun]
    if len(noun) < 4 or not noun.endswith("s") or noun.endswith(("ss", "us", "is")):
        return noun
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-2] if noun.endswith(("sses", "shes", "ches", "xes")) else noun[:-1]


def plural(noun: str) -> str:
    """
    >>> [plural(word) for word in ("actor", "country", "child", "box", "actors")]
    ['actors', 'countries', 'children', 'boxes', 'actors']
    """
    irregular = {"child": "children", "person": "people", "man": "men", "woman": "women"}
    if noun in irregular:
        return irregular[noun]
    if singular(noun) != noun or noun in irregular.values():
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "x", "z")) else "s")


# Stems that end with a silent e in the base form; those of one syllable do, for else their last letter stands twice.
_SILENT = re.compile(
    "([cvzgu]|[iu]r|[bdt]l|(^|[^s])s|(^|[^eo])at|creat|[^aeiou](ib|ut|id|in)|^[^aeiou]+[aiou][^aeiouwxy])$"
)


def _base(past: str) -> str:
    """The base form of a regular verb, by how it is spelled: a guess.

    >>> [_base(word) for word in ("prescribed", "distributed", "provided", "defined", "shared", "created")]
    ['prescribe', 'distribute', 'provide', 'define', 'share', 'create']
    >>> [_base(word) for word in ("visited", "joined", "debuted", "treated", "tied", "married", "planned")]
    ['visit', 'join', 'debut', 'treat', 'tie', 'marry', 'plan']
    """
    stem = past[:-2]
    if not past.endswith("ed") or len(stem) < 2:
        return past
    if stem.endswith("i"):
        return stem + "e" if len(stem) == 2 else stem[:-1] + "y"
    if stem[-1] == stem[-2] and stem[-1] not in "lsf":
        return stem[:-1]
    return stem + "e" if _SILENT.search(stem) and stem != "debut" else stem
