"""Loading: parse, map, validate, batch, write. Knows graph_schema alone, and writes to whatever store it is given."""

from ingest.comparing import Change
from ingest.expand import expand
from ingest.mapping_file import MappingFile
from ingest.mapping_plan import files as files_of
from ingest.options import LoadOptions
from ingest.pipeline import load
from ingest.quarantine import Quarantine
from ingest.records import Reason, Reject, Rejected
from ingest.replacing import Difference, Ledger, Replaced, difference, replace
from ingest.report import FileReport, LoadReport, Progress, ProgressCallback
from ingest.sources import Source
from ingest.suggest import suggest
from ingest.targets import DryRun

__all__ = [
    "Change",
    "Difference",
    "DryRun",
    "FileReport",
    "Ledger",
    "LoadOptions",
    "LoadReport",
    "MappingFile",
    "Progress",
    "ProgressCallback",
    "Quarantine",
    "Reason",
    "Reject",
    "Rejected",
    "Replaced",
    "Source",
    "difference",
    "expand",
    "files_of",
    "load",
    "replace",
    "suggest",
]
