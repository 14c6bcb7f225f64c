"""The product: stores of a run's land use with confidence and source, what it does at 0.25 degree, and exports."""

from ai4land.product.exports import write_cog, write_netcdf
from ai4land.product.fields import area_residual, coarse_shares, luh2_difference, product_areas
from ai4land.product.fill import fill_product
from ai4land.product.report import write_readme
from ai4land.product.rollouts import rollout_path
from ai4land.product.seams import count_apart, count_seams, hard_joins
from ai4land.product.stac import write_stac
from ai4land.product.store import open_product
from ai4land.product.years import Years, product_stores

__all__ = [
    "Years", "area_residual", "coarse_shares", "count_apart", "count_seams",
    "fill_product", "hard_joins", "luh2_difference", "open_product", "product_areas", "product_stores",
    "rollout_path", "write_cog", "write_netcdf", "write_readme", "write_stac",
]  # fmt: skip
