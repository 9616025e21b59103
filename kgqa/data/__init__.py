"""Question sets: reading them from files."""

from kgqa.data.questions import Question, metaqa_file, read_metaqa, read_questions, split_dev

__all__ = ["Question", "metaqa_file", "read_metaqa", "read_questions", "split_dev"]
