"""From a question's text to its topics: which words name entities of the graph."""

from kgqa.linking.mentions import Mention, Names, find_mentions, masked, split_brackets

__all__ = ["Mention", "Names", "find_mentions", "masked", "split_brackets"]
