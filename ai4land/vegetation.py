"""The second phase of a run: land cover every year and leaf area index every month, from land use and climate."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

Years = tuple[int, int]
MONTHS = 12
FIRST_YEAR, LAST_YEAR = 1850, 2100  # of the product


class VegetationExperiment(BaseModel):
    """What models of land cover or leaf area may learn from, and what they are judged on.

    Parameters
    ----------
    start : int
        Year whose map, or season, is the prior of every test year; it is known when test years are predicted.
    train, validation : tuple of int
        First and last year that may be learned from, each from the others; validation stops the training.
    test : tuple of int
        First and last test year; before ``start`` is a hindcast, after it a forecast.
    leads : tuple of int
        Years from ``start`` that are predicted and judged; every test year where absent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: int
    train: Years
    validation: Years
    test: Years
    leads: tuple[int, ...] = ()

    @property
    def targets(self) -> list[int]:
        """Test years in the order of their lead."""
        years = range(self.test[0], self.test[1] + 1)
        chosen = [y for y in years if not self.leads or abs(y - self.start) in self.leads]
        return chosen if self.start < self.test[0] else chosen[::-1]

    @property
    def sign(self) -> int:
        """1 in a forecast, -1 in a hindcast."""
        return 1 if self.start < self.test[0] else -1

    @property
    def known(self) -> list[int]:
        """Every year that the experiment needs, ascending."""
        spans = (self.train, self.validation)
        return sorted({self.start, *self.targets, *(y for a, b in spans for y in range(a, b + 1))})

    @model_validator(mode="after")
    def _consistent(self) -> "VegetationExperiment":
        held = set(range(self.test[0], self.test[1] + 1))
        if self.start in held:
            raise ValueError(f"start {self.start} lies inside the test years {self.test}")
        if not self.targets:
            raise ValueError(f"no test year of {self.test} is {self.leads} years from start {self.start}")
        spans = {name: set(range(y[0], y[1] + 1)) for name in ("train", "validation") for y in [getattr(self, name)]}
        for name, years in spans.items():
            if not years:
                raise ValueError(f"{name} years {getattr(self, name)} are none; give the first year first")
            if years & held:
                raise ValueError(f"{name} years {getattr(self, name)} overlap the test years {self.test}")
        if spans["train"] & spans["validation"]:
            raise ValueError(f"train years {self.train} overlap the validation years {self.validation}")
        return self


class Vegetation(BaseModel):
    """Land cover and leaf area of a run.

    Parameters
    ----------
    regions : tuple of str
        Those of the run that have them; all where absent. They must lie side by side.
    land_cover, leaf_area : dict of str to VegetationExperiment
        Experiments by name.
    reference : int
        Year that the product is stepped from, back to 1850 and on to 2100: one that has land cover and leaf area.
    every : int
        Years between two years of the product.
    scenario : str, optional
        Land use, climate and CO2 of the product after the reference; none stops it there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    regions: tuple[str, ...] = ()
    land_cover: dict[str, VegetationExperiment] = Field(min_length=1)
    leaf_area: dict[str, VegetationExperiment] = Field(min_length=1)
    reference: int
    every: int = Field(1, ge=1)
    scenario: str | None = None

    @property
    def years(self) -> list[int]:
        """Years of maps and seasons that the cube must have, ascending."""
        experiments = [*self.land_cover.values(), *self.leaf_area.values()]
        return sorted({self.reference, *(year for one in experiments for year in one.known)})

    @property
    def leaf_years(self) -> list[int]:
        """Years of leaf area among them."""
        return sorted({self.reference, *(year for one in self.leaf_area.values() for year in one.known)})

    @property
    def product_years(self) -> list[int]:
        """Years of the product, ascending; after the reference only with a scenario."""
        past = range(self.reference, FIRST_YEAR - 1, -self.every)
        return sorted({*past, *(range(self.reference, LAST_YEAR + 1, self.every) if self.scenario else ())})
