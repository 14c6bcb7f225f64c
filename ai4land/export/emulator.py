"""An emulator that a model steps year by year: ONNX Runtime and NumPy, no PyTorch.

>>> emulator = Emulator.load(Path("emulator"))
>>> state = emulator.start(maps, static, forcing, 2015)
>>> state = emulator.step(state, forcing, 2016)
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime
import xarray as xr

from ai4land.allocate import expected_map
from ai4land.export.checksums import SUMS, check_sums
from ai4land.export.forcing import class_fractions, cut_states, open_year
from ai4land.export.green_step import COVER, LEAVES, GreenStep, check_leaf_area, with_green
from ai4land.export.inputs import cut_layers, field_names, leads_to, step_direction
from ai4land.export.state import DIRECTIONS, check_map, check_state, make_state, next_state
from ai4land.export.step import Step, wanted_cells
from ai4land.export.window import find_domain, tiles
from ai4land.grid import grid_of
from ai4land.legend import NO_DATA
from ai4land.targets import read_target

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Emulator:
    """A bundle that was read.

    Parameters
    ----------
    about : dict
        Its ``model.json``.
    sessions : dict of str to onnxruntime.InferenceSession
        Its graphs by name.
    core : int
        Side of the part of a window that is decided at once, LUH2 cells; what is around it comes on top.
    """

    about: dict[str, Any]
    sessions: dict[str, onnxruntime.InferenceSession]
    core: int = 40

    @classmethod
    def load(cls, folder: Path, providers: tuple[str, ...] = ("CPUExecutionProvider",)) -> Self:
        """Read a bundle; executes no code of it.

        Parameters
        ----------
        folder : pathlib.Path
        providers : tuple of str
            Of ONNX Runtime, such as 'CUDAExecutionProvider' where its package for GPUs is installed.

        Raises
        ------
        ValueError
            If a file is missing or is not the one that was released, or the bundle is of another format.
        """
        sums = check_sums(Path(folder))
        about = json.loads((Path(folder) / "model.json").read_text())
        if about.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"{folder}: format_version is {about.get('format_version')}, this ai4land reads {FORMAT_VERSION}; "
                "install the version that the bundle names."
            )
        files = {name: graph["file"] for name, graph in about["graphs"].items()}
        if unlisted := sorted(set(files.values()) - sums):
            raise ValueError(f"{folder}: {unlisted} are not in {SUMS}; get the bundle again.")
        read = {n: onnxruntime.InferenceSession(Path(folder) / f, providers=list(providers)) for n, f in files.items()}
        return cls(about, read)

    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs of one graph by name, for named inputs as ``model.json`` describes them.

        Raises
        ------
        ValueError
            If there is no such graph, an input is missing, unknown or of another type or rank, or leaf area is not in
            m2 m-2.
        """
        if graph not in self.sessions:
            raise ValueError(f"the bundle has no graph {graph!r}, it has {sorted(self.sessions)}.")
        wanted = {one["name"]: one for one in self.about["graphs"][graph]["inputs"]}
        if set(wanted) != set(inputs):
            missing, more = sorted(set(wanted) - set(inputs)), sorted(set(inputs) - set(wanted))
            raise ValueError(f"{graph}: inputs {missing} are missing, {more} are unknown; see model.json.")
        for name, values in inputs.items():
            one = wanted[name]
            if str(values.dtype) != one["dtype"] or values.ndim != len(one["shape"]):
                raise ValueError(
                    f"{graph}: {name} is {values.dtype} {values.shape}, expected {one['dtype']} {one['shape']}."
                )
            if name.startswith(LEAVES):
                check_leaf_area(values, f"{graph}: {name}")
        names = [one.name for one in self.sessions[graph].get_outputs()]
        return dict(zip(names, self.sessions[graph].run(names, inputs), strict=True))

    def start(
        self, maps: xr.DataArray, static: xr.Dataset, forcing: xr.Dataset, year: int,
        land_cover: xr.DataArray | None = None, leaf_area_index: xr.DataArray | None = None,
    ) -> xr.Dataset:  # fmt: skip
        """State of a year whose map is known.

        Parameters
        ----------
        maps : xarray.DataArray, shape ([map,] lat, lon), uint8
            Land use of the year, then of the years that lie further from those to come (before it to go forward,
            after it to go backward); 255 is no data. Where there are fewer than the graph takes, the last stands for
            them; a coordinate ``time`` of calendar years says where they lead to.
        static : xarray.Dataset, (lat, lon)
            Layers of ``model.json`` by name, on the cells of the maps.
        forcing : xarray.Dataset, ([time,] lat, lon)
            LUH2 on its own grid; see `ai4land.export.forcing.open_year`.
        year : int
        land_cover, leaf_area_index : xarray.DataArray, optional
            Of the year, where they are to be stepped too; see `ai4land.export.green_step.with_green`.

        Returns
        -------
        xarray.Dataset
            See `ai4land.export.state.make_state`.

        Raises
        ------
        ValueError
            If maps, statics or forcing are not what the bundle was made for.
        """
        maps = maps if maps.ndim == 3 else maps.expand_dims("map")
        check_map(maps, "maps")
        direction = leads_to(maps, year)
        graph = self._graph(direction)
        named = field_names(graph)
        layers = cut_layers(static, maps, named["static"])
        fields, grid = open_year(forcing, named["states"], year)
        domain = find_domain(grid_of(maps), grid, self.about | graph)
        states = cut_states(fields, grid, domain, named["states"], year)
        number = np.minimum(np.arange(graph.get("priors", 1)), maps.shape[0] - 1)
        attributes: dict[str, Any] = {
            "year": int(year), "direction": DIRECTIONS[direction], "legend": "land_use",
            **{name: self.about[name] for name in ("title", "run", "software") if name in self.about},
            "synthetic": int(self.about.get("synthetic", False)),
        }  # fmt: skip
        state = make_state(
            domain, maps.to_numpy()[number], layers, dict(zip(named["states"], states, strict=True)),
            class_fractions(states, named["states"]), attributes,
        )  # fmt: skip
        return with_green(state, land_cover, leaf_area_index)

    def step(
        self, state: xr.Dataset, forcing: xr.Dataset, year: int, climate: xr.Dataset | None = None
    ) -> xr.Dataset:  # fmt: skip
        """State of the next year, or of the year before in a state that goes backward.

        Every LUH2 cell gets the areas that LUH2's change since the start year wants of it, in the cells that the graph
        finds most probable.

        Parameters
        ----------
        state : xarray.Dataset
            Of `start` or `step`, as it was or restored from disk.
        forcing : xarray.Dataset, ([time,] lat, lon)
            LUH2 with that year, on its own grid.
        year : int
            One after or before the state's.
        climate : xarray.Dataset, (time, lat, lon), optional
            Monthly means and ``co2``, needed where the state has land cover or leaf area; see
            `ai4land.export.green_step.cut_climate`.

        Raises
        ------
        ValueError
            If the year is no neighbour of the state's or lies behind it, or state or forcing are not the bundle's.
        """
        graph = self._graph(step_direction(state, year))
        named = field_names(graph)
        needed = [*named["static"], *named["states"]]
        domain = check_state(state, self.about | graph, needed, graph.get("priors", 1))
        fields, grid = open_year(forcing, named["states"], year)
        find_domain(domain.grid, grid, self.about | graph)
        states = cut_states(fields, grid, domain, named["states"], year)
        before = np.stack([state[name].to_numpy() for name in named["states"]])
        step = Step(
            partial(self.run, graph["name"]), graph, state, domain, {"states_before": before, "states": states},
            year - state.attrs["year"], *wanted_cells(state, domain, states, named["states"]),
        )  # fmt: skip
        labels, confidence = np.full(domain.grid.shape, NO_DATA, np.uint8), np.zeros(domain.grid.shape, np.float32)
        for tile in tiles(domain, self.core, graph["reach"], graph["multiple"]):
            labels[tile.part.output], confidence[tile.part.output] = step.decide(tile)
        made = next_state(state, domain, labels, confidence, dict(zip(named["states"], states, strict=True)), year)
        if not {COVER, LEAVES} & set(state):
            return made
        if climate is None:
            raise ValueError("the state has land cover or leaf area, which follow climate; give step climate too.")
        return self._step_green(GreenStep(self.run, state, made, domain, climate, self.core))

    def _step_green(self, step: GreenStep) -> xr.Dataset:
        """The state of a step with its land cover and season."""
        before, made, now = step.before, step.after, dict[str, np.ndarray]()
        direction = int(made.attrs["year"] - before.attrs["year"])
        if COVER in before:
            graph = self._graph(direction, COVER)
            p, prior = step.make(graph, now), before[COVER].to_numpy()
            now[COVER] = expected_map(read_target(COVER), p, prior, step.domain.corner)
        if LEAVES in before:
            now[LEAVES] = step.make(self._graph(direction, LEAVES), {n: v for n, v in now.items() if n == COVER})
        return made.assign({name: (before[name].dims, values, before[name].attrs) for name, values in now.items()})

    def _graph(self, direction: int, target: str = "land_use") -> dict[str, Any]:
        """Description of the graph of a target that goes in a direction, any where that is open yet; with its name."""
        fits = {DIRECTIONS[direction], "both"} if direction else {*DIRECTIONS.values(), "both"}
        for name, graph in self.about["graphs"].items():
            if graph["target"] == target and graph.get("direction", "both") in fits:
                return {**graph, "name": name}
        have = sorted(self.about["graphs"])
        raise ValueError(f"the bundle has no graph of {target} that goes {DIRECTIONS[direction]}; it has {have}.")
