"""The run `tiny` as tests of land use alone take it."""

from ai4land.runs import Run, read_run

_OF_VEGETATION = {
    "land_cover", "leaf_area_index", "climate", "climate_history", "climate_scenarios", "co2", "co2_scenarios",
}  # fmt: skip


def tiny_land_use() -> Run:
    """Run `tiny` without land cover, leaf area and their inputs."""
    run = read_run("tiny")
    inputs = type(run.inputs)(**run.inputs.model_dump(exclude=_OF_VEGETATION))
    return run.model_copy(update={"inputs": inputs, "vegetation": None})
