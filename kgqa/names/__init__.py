"""An index of names and aliases: finds entities by what they are called, however that is written."""

from kgqa.names.hits import Hit, How, Stretch, score_of
from kgqa.names.index import NamesIndex
from kgqa.names.keeping import index_path, open_index
from kgqa.names.write import Refreshed

__all__ = ["Hit", "How", "NamesIndex", "Refreshed", "Stretch", "index_path", "open_index", "score_of"]
