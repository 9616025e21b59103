"""Every error that kgqa raises on purpose, as a tree:

    KgqaError
    ├── ConfigError            a setting, flag or URL is wrong
    ├── InputError             a file that was given can't be read as what it should be
    │   ├── SchemaError        ... as a schema
    │   ├── MappingError       ... as a mapping, or the mapping doesn't fit the file
    │   └── TooManyRejects     ... it can, but more of its lines are bad than was allowed
    ├── StoreError             a graph store failed
    │   ├── StoreUnavailable   ... it isn't there, or doesn't answer
    │   ├── StoreAccessDenied  ... user, password or rights
    │   ├── StoreBusy          ... it is written to so often that no one state of it could be read
    │   └── StoreVersionError  ... it was written by a newer kgqa, or isn't a kgqa store
    ├── CheckpointError        a model checkpoint can't be used
    │   └── FingerprintMismatch  ... it belongs to another schema or encoder
    ├── EncoderError           no text encoder could be found or loaded
    └── QuestionError          a question can't be asked (empty, too long)

Each carries what was wrong, where, and what to do; ``str(error)`` is one line of the three.
"""

from __future__ import annotations


class KgqaError(Exception):
    """Root of the tree.

    Args:
        what: what was wrong, as a sentence without its full stop.
        where: the file and line, URL, flag or query it was found in; empty if ``what`` says it.
        fix: what to do about it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what)  # one argument and the attributes: so it can be pickled and copied

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}. {self.fix}" if self.fix else line


class ConfigError(KgqaError):
    """A setting, flag or URL is wrong."""


class InputError(KgqaError):
    """A file that was given can't be read as what it should be."""


class SchemaError(InputError):
    """A schema file or object is wrong."""


class MappingError(InputError):
    """A mapping file is wrong, or doesn't fit the file that it is for."""


class TooManyRejects(InputError):
    """More lines of an input are bad than was allowed."""


class StoreError(KgqaError):
    """A graph store failed."""


class StoreUnavailable(StoreError):
    """The store isn't there, or doesn't answer."""


class StoreAccessDenied(StoreError):
    """The store refused the user, the password or the operation."""


class StoreBusy(StoreError):
    """The store is written to so often that no one state of it could be read whole."""


class StoreVersionError(StoreError):
    """The store was written by a newer kgqa, or isn't a kgqa store at all."""


class CheckpointError(KgqaError):
    """A model checkpoint can't be used."""


class FingerprintMismatch(CheckpointError):
    """A checkpoint belongs to another schema or another encoder."""


class EncoderError(KgqaError):
    """No text encoder could be found or loaded."""


class QuestionError(KgqaError):
    """A question can't be asked."""
