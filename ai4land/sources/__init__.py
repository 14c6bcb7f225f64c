"""One file a data set: from the publisher's files to canonical lazy xarray on the data's own grid."""

from ai4land.sources.inputs import find_inputs, inventory, needs
from ai4land.sources.readers import open_input
from ai4land.sources.registry import InputFile, dataset_row, find_files
from ai4land.sources.supply import fetch_missing

__all__ = ["InputFile", "dataset_row", "fetch_missing", "find_files", "find_inputs", "inventory", "needs", "open_input"]
