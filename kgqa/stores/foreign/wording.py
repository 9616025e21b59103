"""How labels, types of relationship and properties are said in words: guesses from their names.

A type is named for the way from its start to its end: a verb (``DIRECTED``), a verb and a preposition (``ACTED_IN``), a
passive (``WRITTEN_BY``), or the thing at the end (``HAS_GENRE``, ``GENRE``). The words back are made from that and from
what stands at the ends. English only; a name in another language is said as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph_schema.text import relation_words

_PREPOSITIONS = """about above across after against along among around as at before behind below beside between beyond
during for from in inside into near on onto over since through to toward towards under until upon via with within"""
PREPOSITIONS = frozenset(_PREPOSITIONS.split())
_HAVING = frozenset(("has", "have", "had", "having"))
_BEING = frozenset(("is", "are", "was", "were", "be", "been"))
# past or present form, or the verb itself → participle
_PARTICIPLES = {
    form: participle
    for participle, forms in {
        "born": "bore bears bear born",
        "bought": "bought buys buy",
        "built": "built builds build",
        "chosen": "chose chooses choose chosen",
        "contained in": "contains contain contained",
        "drawn": "drew draws draw drawn",
        "driven": "drove drives drive driven",
        "found": "found finds find",
        "given": "gave gives give given",
        "held": "held holds hold",
        "included in": "includes include included",
        "known": "knew knows know known",
        "led": "led leads lead",
        "lost": "lost loses lose",
        "made": "made makes make",
        "paid": "paid pays pay",
        "seen": "saw sees see seen",
        "sent": "sent sends send",
        "sold": "sold sells sell",
        "spoken": "spoke speaks speak spoken",
        "sung": "sang sings sing sung",
        "taken": "took takes take taken",
        "taught": "taught teaches teach",
        "thought": "thought thinks think",
        "told": "told tells tell",
        "understood": "understood understands understand",
        "won": "won wins win",
        "worn": "wore wears wear worn",
        "written": "wrote writes write written",
    }.items()
    for form in forms.split()
}
# Verbs that types are often called by in their base form; any other single word is taken for a noun.
_BASES = """call cause cite connect control create direct employ follow like love manage manufacture mention operate own
play prescribe produce publish rate receive register require review serve supply support treat use visit watch"""
_VERBS = frozenset(_BASES.split())


def label_words(label: str) -> str:
    """``ReportSource`` → "report source"."""
    return relation_words(label)


def relation_wording(type_: str, heads: Sequence[str], tails: Sequence[str]) -> tuple[str, str]:
    """How a type is said from head to tail, and from tail to head.

    >>> relation_wording("ACTED_IN", ["Person"], ["Movie"])
    ('acted in', 'person acted in')
    >>> relation_wording("DIRECTED", ["Person"], ["Movie"])
    ('directed', 'directed by')
    >>> relation_wording("hasGenre", ["Movie"], ["Genre"])
    ('genre', 'movie with genre')
    """
    words = relation_words(type_).split()
    head, tail = _either(heads), _either(tails)
    if words[0] in _HAVING:
        rest = " ".join(words[1:]) or tail or "part"
        return rest, f"{head} with {rest}".strip()
    if words[0] in _BEING and len(words) > 1:
        return _being(words[1:], head)
    said, last = " ".join(words), words[-1]
    if last in ("of", "by") and len(words) > 1:
        return said, " ".join(words[:-1])
    if last in PREPOSITIONS and len(words) > 1:
        return said, f"{head} {said}".strip()
    done = participle(last, alone=len(words) == 1)
    if done:
        before = " ".join(words[:-1])
        by = done if " " in done else f"{done} by"
        return said, f"{before} {by}".strip()
    return said, f"{said} of"


def property_wording(name: str, label: str, *, years: bool = False, dates: bool = False) -> tuple[str, str]:
    """How a property is asked for, and how it is said from a value to the node.

    Args:
        years: its values are years. dates: they are dates or times.

    >>> property_wording("released", "Movie", years=True)
    ('year released', 'movie released in')
    >>> property_wording("tagline", "Movie")
    ('tagline', 'movie with tagline')
    """
    said, thing = relation_words(name), label_words(label)
    if said.startswith(f"{thing} ") and len(said) > len(thing) + 1:
        said = said[len(thing) + 1 :]
    happened = _happened(said.split()[-1])
    if years or dates:
        unit, at = ("year", "in") if years else ("date", "on")
        plain = not {"year", "date", "time", "day"} & set(said.split())
        words = said if not plain else f"{unit} {said}" if happened else f"{said} {unit}"
        return words, f"{thing} {said} {at}" if happened else f"{thing} with {said}"
    return said, f"{thing} with {said}"


def relation_property_wording(
    name: str, type_: str, heads: Sequence[str], tails: Sequence[str], *, shared: bool
) -> tuple[str, str, str, str]:
    """How a property of relationships is asked for from the head, and back; and from the tail, and back.

    Args:
        shared: other types have a property of this name, so that the type has to be said.

    >>> relation_property_wording("dose", "IS_SUSPECT", ["Case"], ["Drug"], shared=True)
    ('dose of suspect', 'case with suspect with dose', 'dose as suspect', 'drug as suspect with dose')
    """
    said, done = relation_words(name), relation_wording(type_, heads, tails)[0]
    head, tail = _either(heads) or "thing", _either(tails) or "thing"
    if not shared:
        return said, f"{head} with {said}", said, f"{tail} with {said}"
    if is_thing(type_):
        of, as_ = f"{said} of {done}", f"{said} as {done}"
        return of, f"{head} with {done} with {said}", as_, f"{tail} as {done} with {said}"
    said = f"{said} {done}"
    return said, f"{head} with {said}", said, f"{tail} with {said}"


def is_thing(type_: str) -> bool:
    """Whether a type is named for the thing at its end, or for what that is: not by a verb, nor with a preposition.

    >>> [is_thing(type_) for type_ in ("IS_PRIMARY_SUSPECT", "HAS_GENRE", "GENRE", "ACTED_IN", "DIRECTED", "PART_OF")]
    [True, True, True, False, False, False]
    """
    words = relation_words(type_).split()
    if words and words[0] in _HAVING | _BEING:
        words = words[1:]
    if not words or words[-1] in PREPOSITIONS or words[-1] in ("of", "by"):
        return False
    return not participle(words[-1], alone=len(words) == 1)


def _being(rest: Sequence[str], head: str) -> tuple[str, str]:
    said = " ".join(rest)
    if rest[-1] in ("of", "by") and len(rest) > 1:
        return said, " ".join(rest[:-1])
    if rest[-1] in PREPOSITIONS:
        return said, f"{head} {said}".strip()
    return said, f"{head} with {said}".strip()


def _either(labels: Sequence[str]) -> str:
    """What stands at an end; nothing if it may be any of many things."""
    return " or ".join(map(label_words, labels)) if len(labels) <= 2 else ""


def participle(word: str, *, alone: bool) -> str:
    """Of a verb in the past, in the third person, or (if it stands alone) of one that types are often called by."""
    if word in _PARTICIPLES:
        return _PARTICIPLES[word]
    if word.endswith("ed") and len(word) > 3:
        return word
    if not alone:
        return ""
    if word in _VERBS:
        return _regular(word)
    stem = _stem(word)
    return _PARTICIPLES.get(stem) or _regular(stem) if stem else ""


def _stem(word: str) -> str:
    """Of a third person; empty if it is none."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return ""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


def _regular(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else verb + "ed"


def _happened(word: str) -> bool:
    """Whether it is said of something that happened: released, born, built."""
    return (word.endswith("ed") and len(word) > 3) or word in _PARTICIPLES.values() or word in ("begun", "died", "met")
