"""The twin Earth: a made-up planet in the publishers' formats, for runs without real data.

No reader knows of it. Nothing in it is tuned to flatter a model; all that is made from it is synthetic.
"""

from ai4land.twin.files import write_twin
from ai4land.twin.land_use import Land, land_use

__all__ = ["Land", "land_use", "write_twin"]
