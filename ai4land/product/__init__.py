"""The product: one store of a run's land use with its confidence, its source, and what it does at 0.25 degree."""

from ai4land.product.fields import area_residual, coarse_shares, luh2_difference, product_areas
from ai4land.product.fill import fill_product
from ai4land.product.store import Years, create_product, open_product, product_years

__all__ = [
    "Years", "area_residual", "coarse_shares", "create_product", "fill_product", "luh2_difference", "open_product",
    "product_areas", "product_years",
]  # fmt: skip
