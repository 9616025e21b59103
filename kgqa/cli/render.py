"""How a response looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.markup import escape

from graph_schema import EvidencePath, Fact, Response

if TYPE_CHECKING:
    from kgqa.examples import Example


def response_lines(response: Response, *, top: int) -> Iterator[str]:
    """Lines with rich markup: question, answers each with their evidence, notes, explanation, times."""
    yield f"[bold]{escape(response.question)}[/]"
    if not response.answers:
        yield "  The graph doesn't know."
    for answer in response.answers[:top]:
        yield f"  [bold green]{escape(answer.entity.name)}[/]  [dim]{answer.score:.3f}[/]"
        for path in answer.evidence:
            yield f"      {path_line(path, response.names)}"
        if answer.sides:
            yield f"      [dim]{' + '.join(f'{side} {share:.2f}' for side, share in answer.sides.items())}[/]"
        if answer.guessed and not answer.supposed:
            yield "      [yellow]a guess[/] from what is around; no facts lead there"
        if answer.supposed:
            said = "; ".join(fact_line(fact, response.names) for fact in answer.supposed)
            yield f"      [yellow]a guess[/]: it supposes that {said}, which the graph doesn't say"
    if len(response.answers) > top:
        yield f"  ... and {len(response.answers) - top} more (--top {len(response.answers)}, or --json)"
    for note in response.notes:
        yield f"  [yellow]{escape(note)}[/]"
    yield from _explanation(response)
    stages = ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in response.seconds.items())
    yield f"  [dim]{1000 * sum(response.seconds.values()):.1f} ms ({stages})[/]"


def example_line(example: Example) -> str:
    """An example of a question and its first answers, without markup."""
    names = ", ".join(entity.name for entity in example.answers)
    return f"{example.question}  {names}{' ...' if example.count > len(example.answers) else ''}"


def fact_line(fact: Fact, names: Mapping[str, str]) -> str:
    """A fact as text."""
    head, tail = (names.get(end, end) for end in (fact.head, fact.tail))
    return f"{escape(head)} [cyan]-{escape(fact.relation)}->[/] {escape(tail)}"


def path_line(path: EvidencePath, names: Mapping[str, str]) -> str:
    """A path as text: Heat -directed_by-> Michael Mann; <-relation- where a fact is walked from tail to head."""
    if not path.steps:
        return ""
    parts = [escape(names.get(path.steps[0].source, path.steps[0].source))]
    for step in path.steps:
        relation = f"<-{step.fact.relation}-" if step.inverse else f"-{step.fact.relation}->"
        parts += [f"[cyan]{escape(relation)}[/]", escape(names.get(step.target, step.target))]
    if path.holds is False:
        parts.append("[red](no longer in the store)[/]")
    return " ".join(parts)


def _explanation(response: Response) -> Iterator[str]:
    for fact, origins in sorted(response.origins.items()):
        came = ", ".join(f"{o.source}{f':{o.line}' if o.line else ''}" for o in origins) or "not from a load"
        head, tail = (response.names.get(end, end) for end in (fact.head, fact.tail))
        yield f"  {escape(f'{head} {fact.relation} {tail}')}: [dim]{escape(came)}[/]"
    several = len({hop.topic for hop in response.trace}) > 1
    for hop in response.trace:
        if several and hop.hop == 1:
            yield f"  from {escape(hop.topic)}:"
        yield f"  hop {hop.hop}: the last one with probability {hop.stop:.3f}"
        words = sorted((w for w in hop.words if w[0] not in ("[CLS]", "[SEP]")), key=lambda w: -w[1])[:4]
        yield "      words: " + ", ".join(f"{escape(word)} {weight:.2f}" for word, weight in words)
        followed = [r for r in hop.relations if r[2] >= 0.005][:4] or list(hop.relations[:1])
        yield "      relations: " + ", ".join(
            f"{escape(name)}{' (inverse)' if inverse else ''} {weight:.2f}" for name, inverse, weight in followed
        )
    if response.trace:
        sides = ", ".join(f"{side} {weight:.2f}" for side, weight in response.fusion.items())
        yield f"  fusion weights: {sides}"
    if response.expected:
        said = ", ".join(
            f"{escape(name)}{' (inverse)' if inverse else ''} {weight:.2f}"
            for name, inverse, weight in response.expected[:4]
        )
        yield f"  asked for is what has: {said}"
