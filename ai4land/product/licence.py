"""Whom a product must cite."""

import pandas as pd

from ai4land.sources.registry import dataset_row


def citations(inputs: list[dict]) -> pd.DataFrame:
    """Data sets of a product's inputs, one row each.

    Returns
    -------
    pandas.DataFrame
        Columns role, dataset, files, licence, doi, citation, title; the last two from ``data/registry.csv``.
    """
    table = pd.DataFrame(inputs).groupby(["role", "dataset", "licence", "doi"], as_index=False).agg(
        files=("file", "size")
    )  # fmt: skip
    rows = [dataset_row(name) for name in table["dataset"]]
    return table.assign(citation=[r["citation"] for r in rows], title=[r["title"] for r in rows])
