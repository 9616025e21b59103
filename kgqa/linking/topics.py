"""Which mentions of a question are its topics."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graph_schema.text import relation_words
from kgqa.linking.guesses import Guesses
from kgqa.linking.mentions import Mention, Names, find_mentions, masked, split_brackets
from kgqa.model.encoder import MASK, OTHER, Encoder, TokenStates
from kgqa.model.network import ReaderNetwork

MIN_PROBABILITY = 0.02  # of the only name in a question, below which it is rather a common word ("what")
MORE_PROBABILITY = 0.9  # of every further topic
NUMBER_PROBABILITY = 0.5  # the same, of one with digits: no common word, it is hardly there for nothing
GUESS_WEIGHT = 2.0  # of the log of a guess's score, beside the logit of its place
_QUOTES = {"'": "'", '"': '"', "`": "`", "“": "”", "‘": "’", "„": "“", "«": "»"}
_CALLED = r"(?:called|named|titled|entitled|known as|with the (?:name|title))"
# What things of a label are as often called.
ALSO = {
    "movie": ("film",),
    "film": ("movie",),
    "company": ("firm",),
    "drug": ("medicine", "medication"),
    "disease": ("illness",),
}
_LEAST = math.log(MIN_PROBABILITY / (1 - MIN_PROBABILITY))
_MORE = math.log(MORE_PROBABILITY / (1 - MORE_PROBABILITY))
_NUMBER = math.log(NUMBER_PROBABILITY / (1 - NUMBER_PROBABILITY))


@dataclass(frozen=True)
class Linked:
    """A question with its topics.

    Attributes:
        question: as asked. plain: without brackets. bracketed: whether the asker marked the topics.
        topics: mentions to start from, in the order they stand in. others: names that might have been topics.
        unknown: bracketed texts that name nothing in the graph.
        settled: whether the topics are what the question is about, all of it; not yet chosen ones may be any names.
    """

    question: str
    plain: str
    bracketed: bool
    topics: tuple[Mention, ...]
    others: tuple[Mention, ...] = ()
    unknown: tuple[str, ...] = ()
    settled: bool = False

    @property
    def texts(self) -> list[str]:
        """The question once for each topic, with that topic masked, and once they are settled the others as well."""
        return row_texts(self.plain, self.topics, settled=self.settled)


def row_texts(plain: str, topics: Sequence[Mention], *, settled: bool) -> list[str]:
    """What the reader reads for each topic of a question, see ``Linked.texts``.

    The name of another topic says nothing of the way from this one; read as words, it drew the attention to it. Nor
    does what a topic itself is called before its name ("the reactions of case 7", "the movie titled 'Heat'"), nor do
    quotes around it. A relation may be asked for by its name ("the place_of_birth of").
    """
    texts = []
    for one in topics:
        others = [other for other in topics if other is not one] if settled else []
        others = [_in_quotes(plain, other) for other in others]
        texts.append(masked(plain, _with_kind(plain, _in_quotes(plain, one), others), MASK, others, OTHER))
    return [text.replace("_", " ") for text in texts]


def _in_quotes(plain: str, mention: Mention) -> Mention:
    """A mention with the quotes around it."""
    before, after = plain[: mention.start][-1:], plain[mention.end :][:1]
    if before and _QUOTES.get(before) == after:
        return replace(mention, start=mention.start - 1, end=mention.end + 1)
    return mention


def _with_kind(plain: str, topic: Mention, others: Sequence[Mention]) -> Mention:
    """A mention with the words before it, if they say what things of its label are called; not "which case"."""
    before = plain[: topic.start]
    for label in sorted({entity.label for entity in topic.entities}):
        words = relation_words(label).lower()
        said = "|".join(re.escape(one) for one in (words, *ALSO.get(words, ())))
        kind = re.search(rf"(?<!\w)(wh\w+ |the |an? )?(?:{said})(?: {_CALLED})?\s+$", before, re.IGNORECASE)
        if (
            kind
            and not (kind[1] or "").lower().startswith("wh")
            and all(other.end <= kind.start() or other.start >= topic.end for other in others)
        ):
            return replace(topic, start=kind.start())
    named = re.search(rf"(?<!\w)(?:the|an?) \w+ {_CALLED}\s+$", before, re.IGNORECASE)  # whatever its label is
    if named and all(other.end <= named.start() or other.start >= topic.end for other in others):
        return replace(topic, start=named.start())
    return topic


def link(question: str, names: Names, guesses: Guesses | None = None) -> Linked:
    """Find the mentions of a question; all of them are topics until ``choose_topics`` has chosen.

    Args:
        names: who bears a name, asked once. guesses: proposes what a text may mean that isn't a name.

    Raises:
        QuestionError: empty or too long.
    """
    plain, spans = split_brackets(question)
    mentions = find_mentions(plain, spans, names, guesses)
    return Linked(
        question,
        plain,
        bool(spans),
        tuple(m for m in mentions if m.entities),
        unknown=tuple(m.text for m in mentions if not m.entities),
        settled=bool(spans),
    )


@torch.inference_mode()
def find_topics(
    linked: Sequence[Linked], tokens: TokenStates, network: ReaderNetwork, encoder: Encoder
) -> tuple[list[Linked], TokenStates]:
    """Choose the topics of questions, see ``choose_topics``; with the states of the texts that are theirs then.

    Args:
        tokens: states of all the ``texts`` as they are before. encoder: reads those that change: free texts about
            several topics.
    """
    chosen, rows = choose_topics(linked, tokens, network, encoder.mask_id)
    tokens = tokens.take(rows)
    changed: list[int] = []
    texts: list[str] = []
    row = 0
    for before, one in zip(linked, chosen, strict=True):
        if not before.settled and len(one.topics) > 1:
            changed += range(row, row + len(one.topics))
            texts += one.texts
        row += len(one.topics)
    if texts:
        index = torch.tensor(changed, dtype=torch.int64, device=tokens.mask.device)
        tokens = tokens.replaced(index, encoder.encode(texts).to(tokens.mask.device))
    return chosen, tokens


@torch.inference_mode()
def choose_topics(
    linked: Sequence[Linked], tokens: TokenStates, network: ReaderNetwork, mask_id: int
) -> tuple[list[Linked], Tensor]:
    """Decide which mentions of free-text questions are topics; what stands in brackets always is.

    Where names are written as the graph writes them, with capitals, these are topics: an asker who writes so means
    them, and the network only settles which of those that overlap. Else the best mention is kept unless it is unlikely
    to be one (see ``MIN_PROBABILITY``). With either go those that don't overlap a better one and are likely too (see
    ``MORE_PROBABILITY``): "films directed by Michael Mann that were released in 1995". Beside names with capitals they
    must be names, too, not texts that may mean one, and not the word that the question opens with.

    Args:
        linked: questions with all their mentions. tokens: states of all their ``texts``, in order.
        network: its topic scorer is used. mask_id: token id that stands for a mention.

    Returns:
        The questions with their topics, and the positions in ``tokens`` that belong to these.
    """
    owner = [(one, mention) for one in linked for mention in one.topics]
    share = torch.tensor([(m.end - m.start) / len(one.plain) for one, m in owner], device=tokens.mask.device)
    logits = network.topic(tokens.states, tokens.mask, tokens.ids == mask_id, share).tolist() if owner else []
    chosen, rows, done = [], [], 0
    for one in linked:
        count = len(one.topics)
        own = [
            logit + GUESS_WEIGHT * math.log(mention.score) if mention.guessed else logit
            for logit, mention in zip(logits[done : done + count], one.topics, strict=True)
        ]
        kept = list(range(count)) if one.bracketed else _keep(one.topics, own, one.plain)
        chosen.append(
            replace(
                one,
                topics=tuple(one.topics[k] for k in kept),
                others=tuple(m for k, m in enumerate(one.topics) if k not in kept and (own[k] >= _LEAST or not kept)),
                settled=True,
            )
        )
        rows += [done + k for k in kept]
        done += count
    return chosen, torch.tensor(rows, dtype=torch.int64, device=tokens.mask.device)


def _keep(mentions: Sequence[Mention], logits: Sequence[float], plain: str) -> list[int]:
    """Positions of the mentions that are topics; equal scores are settled by length, then by place."""
    named = {k for k, mention in enumerate(mentions) if mention.written_as_name and not _opens(mention)}
    order = sorted(
        range(len(mentions)),
        key=lambda k: (k not in named, -round(logits[k], 4), mentions[k].start - mentions[k].end, k),
    )
    kept: list[int] = []
    for k in order:
        more = _NUMBER if any(sign.isdigit() for sign in mentions[k].text) else _MORE
        if named and (mentions[k].guessed or _opens(mentions[k])) and k not in named:
            continue
        likely = k in named or logits[k] >= (more if kept else _LEAST)
        if k not in named and any(_does(plain, mentions[other], mentions[k]) for other in kept):
            continue
        if likely and all(_apart(mentions[k], mentions[other]) for other in kept):
            kept.append(k)
    return sorted(kept)


def _opens(mention: Mention) -> bool:
    """Whether it is the first word of the question, which has a capital anyway."""
    return mention.start == 0 and " " not in mention.text


def _does(plain: str, name: Mention, other: Mention) -> bool:
    """Whether the other one is what the first does: "fall" in "which age group does case 7 fall under"."""
    asked = re.search(r"(?<!\w)(?:do|does|did)(?: [\w-]+){0,3} $", plain[: name.start], re.IGNORECASE)
    return asked is not None and not plain[name.end : other.start].strip() and other.start > name.end


def _apart(one: Mention, other: Mention) -> bool:
    return one.end <= other.start or other.end <= one.start
