"""A process that keeps answering one question, a line of JSON for each time: ``alone`` and ``batch``, ids of answers.

    python -m tests.answering_process STORE USER PASSWORD CHECKPOINT QUESTION

It ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from kgqa.answering import Answerer
from kgqa.model.checkpoint import load_checkpoint
from kgqa.model.encoder import Encoder
from kgqa.stores import open_store


def main(url: str, user: str, password: str, checkpoint: str, question: str) -> None:
    stopped = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stopped.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    store = open_store(url, user=user, password=password)
    answerer = Answerer(store, load_checkpoint(Path(checkpoint)), Encoder())
    while not stopped.wait(0.05):
        alone = answerer.ask(question)
        (batch,) = answerer.ask_many([question])
        shown = {name: [a.entity.id for a in r.answers] for name, r in (("alone", alone), ("batch", batch))}
        sys.stdout.write(json.dumps(shown) + "\n")
        sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
