"""Everyday English for what graphs often hold: other nouns for a relation's own, and questions that name none.

An encoder's vocabulary (see ``synonyms``) has single words that are *near* a relation's, among them some that mean
something else; these mean it, or are a kind of it: who is asked for as a father is one of the parents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kgqa.adapt.verbs import singular

# The first noun of a line, or one behind a bar before the colon: all others.
_NOUNS = """
parent: father, mother, dad, mom, mum
child | offspring: son, daughter, kid, offspring, heir, descendant
spouse | married to: husband, wife, partner, better half, other half, couple, mate, darling
sibling: brother, sister
friend: companion, pal, buddy
relative: relation, family member
gender | sex: sex, gender
nationality | citizenship | country of citizenship: nation, country, citizenship, nationality, homeland
ethnicity | ethnic group: race, ethnic group, ethnic origin, descent
religion: faith, belief, religious belief, creed, denomination
profession | occupation | job: job, occupation, work, career, line of work, trade, profession
employer: company, boss, workplace
institution | educated at | alma mater: school, university, college, educational institution, organization, alma mater
education | degree: degree, schooling, training
place of birth | birth place | birthplace: birthplace, birth place, hometown, native town, city of birth
place of death | death place: death place, deathplace, site of death
cause of death: death cause, reason of death, reason for death
date of birth | birth date | birthday: birthday, birth date
date of death | death date: death date, day of death
location | residence | address: place, address, residence, whereabouts, position
country: nation, state
capital: capital city, seat of government
city: town
currency: money
language: tongue, speech
population: number of inhabitants, number of people
author | writer: writer, author, screenwriter, scriptwriter
director: filmmaker
actor | cast | cast member: star, performer, cast member, player, actor
composer: songwriter
singer | artist: performer, musician, singer, artist
genre: style, sort, category, kind, type
tag: keyword, topic, theme, subject, label
rating: score, grade, mark
vote: number of votes, popularity
release date | release year: premiere, release, launch
publisher: publishing house
album: record
song | track: song, tune, track, recording
award: prize, honour, honor, award
founder: creator, starter
owner: proprietor, holder
manufacturer: maker, producer, brand, company
product: goods, item
member: participant
headquarters: head office, seat, home office
leader | head: head, chief, boss
subsidiary: branch
symptom: sign, complaint
disease | diagnosis: illness, disorder, condition, sickness
drug | medication: medicine, medication, drug
treatment | therapy: cure, therapy, treatment, remedy
role: part, character
side effect | adverse reaction: side effect, adverse effect, unwanted effect
indication: condition, reason, use, purpose
substance | ingredient: ingredient, component, substance, agent
dose | dosage: dosage, dose, amount
outcome | result: result, consequence, outcome, end result
color | colour: colour, color, shade
price | cost: cost, price
size: measure
"""
# The same of verbs, as they lead from head to tail.
_VERBS = """
acted in | starred in: acted in, starred in, played in, appeared in, performed in
wrote: penned, authored, wrote the screenplay for, wrote the script for, wrote the story for
produced: made
founded: started
resulted in: ended in
falls under: belongs to
works for | works at | employed by: is employed by, works at, works for
lives in | resides in: resides in, lives in
located in: lies in, is situated in
studied at | educated at: went to, attended, graduated from
part of: belongs to
treats: is used for, helps against
causes: leads to, brings about
"""
# What is done with what a noun names.
_DONE = """
role | character: played, plays, acted as
"""
# What is asked without naming the relation; \0 is the topic.
_QUESTIONS = """
profession | occupation | job: what does \0 do for a living, what does \0 do, what did \0 work as, what does \0 work as
employer: who does \0 work for, where does \0 work
nationality | citizenship: where is \0 from, where does \0 come from, what country is \0 from
religion: what does \0 believe in, what religion does \0 follow
cause of death: what did \0 die of, what did \0 die from, how did \0 die, why did \0 die, what made \0 die
place of death | death place: where did \0 die, what place did \0 die in
date of death | death date: when did \0 die
place of birth | birth place | birthplace: where was \0 born, what is \0 's home town
date of birth | birth date | birthday: when was \0 born
spouse: who is \0 married to, who did \0 marry, whom did \0 marry
child: who did \0 have, who did \0 give birth to
parent: who had \0, who gave birth to \0, whose child is \0
location: where is \0, where is \0 located, where can \0 be found
residence | address: where does \0 live
institution | educated at | alma mater: where did \0 study, where did \0 go to school, where was \0 educated
headquarters: where is \0 based
language: what does \0 speak, what is spoken in \0
tag: what is \0 about, what describes \0, how is \0 described, what words describe \0, describe \0 in a few words
rating: how good is \0, how is \0 rated
vote: how popular is \0, how many people voted for \0
gender | sex: is \0 a man or a woman, is \0 male or female
price | cost: how much is \0, how much does \0 cost, what does \0 cost
population: how many people live in \0, how big is \0
"""


def _read(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        keys, _, said = line.partition(":")
        for key in keys.split("|"):
            found[key.strip()] = tuple(part.strip() for part in said.split(","))
    return found


_LIKE, _ASKED, _SAME, _WITH = _read(_NOUNS), _read(_QUESTIONS), _read(_VERBS), _read(_DONE)


def other_nouns(words: str) -> tuple[str, ...]:
    """Nouns that a relation which is said so can be asked for by; none where there is no entry.

    >>> other_nouns("parents")
    ('father', 'mother', 'dad', 'mom', 'mum')
    >>> other_nouns("user rating")
    ('score', 'grade', 'mark')
    >>> other_nouns("directed by")
    ()
    """
    own = _base(words)
    return tuple(noun for noun in _LIKE.get(_meant(own, _LIKE), ()) if noun != own)


def other_verbs(words: str) -> tuple[str, ...]:
    """Verbs that say the same as these words do.

    >>> other_verbs("Acted in")
    ('starred in', 'played in', 'appeared in', 'performed in')
    >>> other_verbs("genre")
    ()
    """
    return tuple(said for said in _SAME.get(words.lower(), ()) if said != words.lower())


def done_with(noun: str) -> tuple[str, ...]:
    """What somebody does who has what this noun names.

    >>> done_with("roles")
    ('played', 'plays', 'acted as')
    """
    return _WITH.get(_base(noun), ())


def asked_without(nouns: Sequence[str]) -> tuple[str, ...]:
    """Questions for what these nouns of a relation name, that say none of them; the topic is \\0.

    >>> asked_without(["date of birth"])
    ('when was \\x00 born',)
    """
    return tuple(dict.fromkeys(said for noun in nouns for said in _ASKED.get(_meant(_base(noun), _ASKED), ())))


def _base(words: str) -> str:
    *before, last = words.lower().split() or [""]
    return " ".join([*before, singular(last)])


def _meant(noun: str, entries: Mapping[str, object]) -> str:
    """The entry of a noun, or else of what it is a kind of ("user rating" is a rating)."""
    return noun if noun in entries or " of " in noun else noun.rsplit(maxsplit=1)[-1]
