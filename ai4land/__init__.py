"""Annual land use at 1 km, learned from coarse land-use fractions, relief, climate zones and a prior map."""

import hashlib
from pathlib import Path

__version__ = "0.1.0"


def source_digest() -> str:
    """SHA-256 of the module's own source: what was half made by other code is not gone on with."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
