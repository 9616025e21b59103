"""The command line: the composition root, where settings, store, encoder and model are put together.

Only ``main`` is here, and it imports the rest itself, so that Ctrl-C is heard while the commands are still loading.
"""

import sys

__all__ = ["main"]

INTERRUPTED = 130

# Commands that keep what they have finished, and go on from there.
_KEEPING = (["ingest"], ["loads", "undo"], ["train"], ["bench", "experiment"])


def main() -> None:
    """Run the command line.

    Exit status: 0 done, 1 an error said in one line, 2 wrong usage, 130 interrupted.
    """
    try:
        from kgqa.cli.commands import run  # noqa: PLC0415  slow to import, and an interrupt meanwhile is to be heard

        status = run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        print(f"stopped; {_left(sys.argv[1:])}", file=sys.stderr)
    sys.exit(status)


def _left(words: list[str]) -> str:
    """What an interrupted command leaves behind."""
    if any(words[: len(command)] == command for command in _KEEPING):
        return "what was finished before is kept, run the same command to go on"
    if words[:1] == ["ask"]:
        return "the question was not answered to its end, and nothing in the store was changed"
    return "run the same command to start again"
