"""What the licences of a product's inputs demand of the product, and whom it must cite."""

import pandas as pd

from ai4land.sources.registry import dataset_row

_FREE = {"CC0-1.0", "public domain"}
_NAMED = {"CC-BY-4.0", "BSD-2-Clause"}  # want attribution only
MADE_UP_LICENCE = "none: synthetic"


def licence_of(inputs: list[dict]) -> str:
    """SPDX licence that a product must have, from the licences of its inputs.

    One share-alike licence among others that want attribution only is the product's. Where the inputs' terms are
    others, or contradict each other, all are named with AND: ask before you publish.

    Parameters
    ----------
    inputs : list of dict
        Input files with ``licence``.
    """
    have = {row["licence"] for row in inputs}
    if have <= {MADE_UP_LICENCE}:
        return MADE_UP_LICENCE
    demanding = have - _FREE - _NAMED
    if len(demanding) == 1 and (one := demanding.copy().pop()).startswith("CC-BY-SA"):
        return one
    if not demanding:
        return "CC-BY-4.0" if have & _NAMED else "CC0-1.0"
    return " AND ".join(sorted(have - _FREE))


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
