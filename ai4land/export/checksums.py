"""Whether the files of a bundle are those that were released."""

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"


def check_sums(folder: Path) -> set[str]:
    """Refuse a bundle of which a file is missing or changed.

    Parameters
    ----------
    folder : pathlib.Path
        With a file ``SHA256SUMS`` as sha256sum writes it, which lists ``model.json`` too.

    Returns
    -------
    set of str
        Names of the files listed.

    Raises
    ------
    ValueError
        If a file is not there, or is not the one that was released.
    """
    if not (folder / SUMS).is_file():
        raise ValueError(f"{folder}: no {SUMS}; is this the folder of an emulator?")
    lines = [line.split(maxsplit=1) for line in (folder / SUMS).read_text().splitlines()]
    listed = {name.strip().removeprefix("*"): digest for digest, name in lines}
    for name, digest in {"model.json": "", **listed}.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{path}: listed in {SUMS} and not there; get the bundle again.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != digest:
            raise ValueError(f"{path}: SHA-256 is {found}, {SUMS} has {digest or 'none'}; get the bundle again.")
    return set(listed)
