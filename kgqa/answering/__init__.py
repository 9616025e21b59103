"""The pipeline: question -> topics -> walk -> scores -> answers with evidence."""

from kgqa.answering.choice import checkpoint_for
from kgqa.answering.pipeline import Answerer
from kgqa.answering.run import Stopwatch

__all__ = ["Answerer", "Stopwatch", "checkpoint_for"]
