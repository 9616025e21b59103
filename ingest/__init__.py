"""Loading: parse, map, validate, batch, write. Knows graph_schema alone, and writes to whatever store it is given."""

from ingest.expand import expand
from ingest.options import LoadOptions
from ingest.pipeline import load
from ingest.records import Reason, Reject, Rejected
from ingest.report import FileReport, LoadReport, Progress, ProgressCallback
from ingest.sources import Source

__all__ = [
    "FileReport",
    "LoadOptions",
    "LoadReport",
    "Progress",
    "ProgressCallback",
    "Reason",
    "Reject",
    "Rejected",
    "Source",
    "expand",
    "load",
]
