"""What kind of thing a question asks for, where it says so: "which movies", "list the cases that", "drugs for"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from graph_schema import Schema
from graph_schema.text import relation_words
from kgqa.adapt.phrases import number
from kgqa.adapt.verbs import singular, verb_of
from kgqa.linking.topics import ALSO
from kgqa.model.encoder import MASK, OTHER
from kgqa.stores.foreign.wording import PREPOSITIONS

_SMALL = frozenset(("of", "by", "to", "is", "are", "was", "were", "has", "have", "had", "the", "a"))
_NAMES = r"(?:the )?(?:different |distinct )?(?:names? of )?(?:all )?(?:the )?"
_ASKED = re.compile(
    r"^(?:please,? )?(?:(?:in|for|from|by|on|at|with|of|to) )?"
    r"(?P<opener>(?:which|what|who)(?: (?:is|are|was|were))? |(?:list|name|find|show|give|tell)(?: me)?(?: all)? )?"
    rf"{_NAMES}(?P<rest>.+)$",
    re.IGNORECASE,
)


class AskedKinds:
    """Knows what the kinds of a graph are called, and which words after them say that another thing is meant.

    Args:
        schema: of the graph. relations: the ones it has. said: other wordings of these.
    """

    def __init__(self, schema: Schema, relations: Sequence[str], said: Iterable[Sequence[str]] = ()) -> None:
        ends = [schema.relations.get(name) for name in relations]
        self.labels = sorted({label for one in ends if one for label in (one.head, one.tail)} & set(schema.labels))
        place = {label: at for at, label in enumerate(self.labels)}
        #: of each directed relation, the label of what it leads from; -1: not known.
        self.of: list[int] = []
        for one in ends:
            self.of += [place.get(one.head, -1), place.get(one.tail, -1)] if one else [-1, -1]
        self._called: list[tuple[str, bool, int]] = []
        for label, at in place.items():
            words = (schema.labels[label].words or relation_words(label)).lower()
            for kind in (words, *ALSO.get(words, ())):
                self._called += [(kind, False, at), (number(kind, True), True, at), (f"{kind}s", True, at)]
        self._called.sort(key=lambda called: -len(called[0]))
        # Longer ones of the others are sentences ("movie with score").
        texts = [*_texts(schema, relations), *(text for others in said for text in others if text.count(" ") < 2)]
        self._nouns = {singular(word) for text in texts for word in text.lower().split()} - PREPOSITIONS - _SMALL

    def __call__(self, text: str) -> int:
        """The position in ``labels`` of the kind that a text asks for, with its topic masked; -1 if it doesn't say.

        >>> schema = Schema.from_yaml("{labels: {Movie: {}}, relations: {DIRECTED: {head: Person, tail: Movie}}}")
        >>> asked = AskedKinds(schema, ["DIRECTED"])
        >>> [asked(f"{said} [MASK]") for said in ("Which movies share", "films by", "what movie's director is")]
        [0, 0, -1]
        """
        found = _ASKED.match(text.strip())
        if not found:
            return -1
        rest = found["rest"].lower()
        for said, several, at in self._called:
            if rest.startswith(said) and (found["opener"] or several):
                after = rest[len(said) :]
                if re.match(r"[\w'’]", after):
                    continue  # a longer word, or whose
                return at if self._alone(after.split()) else -1
        return -1

    def _alone(self, after: Sequence[str]) -> bool:
        """Whether a kind followed by these words is what is asked for, and not said of something else."""
        if not after:
            return True
        word = after[0].strip("?.!,:;")
        if after[0].upper().startswith((MASK, OTHER)):
            return False
        return singular(word) not in self._nouns or verb_of(word) is not None or word.endswith(("ed", "ing"))


def _texts(schema: Schema, relations: Iterable[str]) -> Iterable[str]:
    for name in relations:
        yield schema.words(name)
        yield from schema.relations[name].synonyms if name in schema.relations else ()
    for label, known in schema.labels.items():
        yield known.words or relation_words(label)
