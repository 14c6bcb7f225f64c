"""The second phase of a run: land cover every year and leaf area index every month, from land use and climate."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ai4land.experiments import Experiment

MONTHS = 12
FIRST_YEAR, LAST_YEAR = 1850, 2100  # of the product
_KNOBS = {"start", "train", "validation", "test", "leads"}  # of an experiment


class Vegetation(BaseModel):
    """Land cover and leaf area of a run.

    Parameters
    ----------
    regions : tuple of str
        Those of the run that have them; all where absent. They must lie side by side.
    land_cover, leaf_area : dict of str to Experiment
        Experiments by name; a year's map, or season, is predicted from that of ``start``, and from any other year of
        training. They have train and validation years, and no knobs of land use alone.
    reference : int
        Year that the product is stepped from, back to 1850 and on to 2100: one that has land cover and leaf area.
    every : int
        Years between two years of the product.
    scenario : str, optional
        Land use, climate and CO2 of the product after the reference; none stops it there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    regions: tuple[str, ...] = ()
    land_cover: dict[str, Experiment] = Field(min_length=1)
    leaf_area: dict[str, Experiment] = Field(min_length=1)
    reference: int
    every: int = Field(1, ge=1)
    scenario: str | None = None

    @model_validator(mode="after")
    def _learn_by_years(self) -> "Vegetation":
        for target in ("land_cover", "leaf_area"):
            for name, one in getattr(self, target).items():
                if not (one.train and one.validation):
                    raise ValueError(f"{target}, {name}: needs train years and validation years; add them")
                if other := sorted(one.model_fields_set - _KNOBS):
                    raise ValueError(f"{target}, {name}: {other} are of land use alone; leave them out")
        return self

    @property
    def years(self) -> list[int]:
        """Years of maps and seasons that the cube must have, ascending."""
        experiments = [*self.land_cover.values(), *self.leaf_area.values()]
        return sorted({self.reference, *(year for one in experiments for year in one.observed)})

    @property
    def leaf_years(self) -> list[int]:
        """Years of leaf area among them."""
        return sorted({self.reference, *(year for one in self.leaf_area.values() for year in one.observed)})

    @property
    def product_years(self) -> list[int]:
        """Years of the product, ascending; after the reference only with a scenario."""
        past = range(self.reference, FIRST_YEAR - 1, -self.every)
        return sorted({*past, *(range(self.reference, LAST_YEAR + 1, self.every) if self.scenario else ())})
