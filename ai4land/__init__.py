"""Annual land use at 1 km, learned from coarse land-use fractions, relief, climate zones and a prior map."""

__version__ = "0.1.0"
