"""Which fields a network of land cover or leaf area was trained with, and which raw inputs they are made of."""

from ai4land.legend import read_legend
from ai4land.models.green_inputs import CLASSES, COVER, HEADS, USE, GreenInputs
from ai4land.samples.predictors import RADII, cover_groups
from ai4land.vegetation import MONTHS

AIR = "air_temperature"  # of which there are a coldest and a warmest month
ZONES = "abcde"  # main climate groups


class FieldNames:
    """Names of layers that a network was trained with, out of those of its statistics.

    Parameters
    ----------
    inputs : GreenInputs
        With the statistics of training.

    Attributes
    ----------
    static, states, climate : list of str
        Still layers, LUH2's states and climate variables.
    zones : bool
        Whether there are climate zones.
    prior, maps : bool
        Whether something of the prior year, and a map of the target year, is given.
    before : int
        Months that have the climate of the month before: twelve, or January alone.

    Raises
    ------
    ValueError
        If the network has several heads, or one of land use, or fields in an order that `GreenInputs` does not make.
    """

    def __init__(self, inputs: GreenInputs) -> None:
        if len(inputs.heads) != 1 or USE in inputs.heads:
            raise ValueError(
                f"heads {inputs.heads}: a graph has one, {HEADS[1]} or {HEADS[2]}; export them one by one."
            )
        known, self.given, self.head = list(inputs.statistics), inputs.given, inputs.heads[0]
        self.prior = self.given.prior_cover or self.given.prior_leaves
        self.maps = self.given.land_use or self.given.land_cover
        self.states = [n.removeprefix("luh2_") for n in known if n.startswith("luh2_")]
        self.climate = [n.removeprefix("annual_") for n in known if n.startswith("annual_")]
        self.zones = f"climate_{ZONES[0]}" in known
        self.before = MONTHS if self.given.coupled or inputs.each_month else 1
        first, last = self._of_maps(), self._coarse()
        self.static = [n for n in known if n not in {*first, *last}]
        if known != [*first, *self.static, *last]:
            odd = sorted(set(known) ^ {*first, *last} - set(self.static)) or known
            raise ValueError(f"fields {odd[:3]} are not in the order that inputs are made in; train the network again.")

    def shares(self, radius: int) -> list[str]:
        """Shares of the land-use classes in boxes."""
        return [f"land_use_{n}_{radius}" for n in _classes(USE)]

    def of_climate(self) -> list[str]:
        """Fields that climate makes, variable by variable: of the year, of its months, of the months before."""
        now, before = [] if self.given.coupled else [""] * MONTHS, ["_before"] * self.before
        return [name for n in self.climate for name in (f"annual_{n}", *(f"{n}{end}" for end in now + before))]

    def _of_maps(self) -> list[str]:
        given, groups, out = self.given, list(cover_groups().values()), []
        if given.land_use:
            out += [f"land_use_{n}" for n in _classes(USE)] + [n for r in RADII for n in self.shares(r)]
            out += [f"prior_land_use_{n}" for n in _classes(USE)] * self.prior
        if given.land_cover:
            out += [f"land_cover_{n}" for n in groups] + [f"land_cover_before_{n}" for n in groups] * self.prior
        out += [f"prior_land_cover_{n}" for n in _classes(COVER)] * given.prior_cover
        return out + ["hidden", "years"] * self.prior

    def _coarse(self) -> list[str]:
        out = [f"climate_{z}" for z in ZONES] * self.zones + [f"luh2_{n}" for n in self.states]
        if self.given.climate:
            out += [f"annual_{n}" for n in self.climate] + ["coldest_month", "warmest_month", "co2"]
            ends = ["_before"] if self.given.coupled else ["", "_before"]
            out += [f"{n}{end}" for n in self.climate for end in ends]
        return out + ["prior_leaf_area"] * self.given.prior_leaves

    @property
    def inputs(self) -> list[str]:
        """Raw inputs that the graph has, in its order."""
        given, prior = self.given, self.prior
        needed = {
            "land_use": given.land_use,
            "land_use_before": given.land_use and prior,
            "land_cover": given.land_cover,
            "land_cover_before": given.prior_cover or (given.land_cover and prior) or not self.maps,
            "leaf_area_index_before": given.prior_leaves,
            "hidden": prior or not self.maps,
            "valid": True,
            "static": bool(self.static),
            "koppen": self.zones,
            "states": bool(self.states),
            "start": bool(self.states),
            "climate": given.climate,
            "climate_start": given.climate,
            "climate_step": given.climate,
            "co2": given.climate,
            "years": prior or self.head == COVER,
        }
        return [name for name, there in needed.items() if there]


def _classes(legend: str) -> list[str]:
    """Names of the classes of a legend, in the order of their codes."""
    return read_legend(legend).set_index("code")["name"][CLASSES[legend]].tolist()
