import numpy as np
import pytest

from ai4land.legend import class_codes, read_legend
from ai4land.targets import TARGETS, parse_targets, read_target, read_targets


def changed(old: str, new: str) -> str:
    """The table with one text replaced, which must be there."""
    text = TARGETS.read_text()
    assert old in text
    return text.replace(old, new, 1)


def test_every_target_comes_after_those_that_it_follows():
    targets = read_targets()
    assert list(targets) == ["land_use", "land_cover", "leaf_area_index"]
    for number, one in enumerate(targets.values()):
        assert set(one.follows) <= set(list(targets)[:number])


def test_order_in_the_file_does_not_matter():
    first, rest = TARGETS.read_text().split("land_cover:\n", 1)
    text = "land_cover:\n" + rest + first.split("\n", 2)[2]
    assert list(parse_targets(text)) == list(read_targets())


def test_water_comes_from_the_legend():
    for name in ("land_use", "land_cover"):
        legend = read_legend(name)
        codes, water = set(class_codes(legend)), set(read_target(name).water)
        assert water and water == codes - set(class_codes(legend, land_only=True))
        assert not legend.set_index("code").loc[sorted(water), "land"].any()


def test_packed_values_reach_the_whole_range():
    leaves = read_target("leaf_area_index")
    assert leaves.range is not None and leaves.packing.scale_factor is not None
    assert leaves.range[1] / leaves.packing.scale_factor <= np.iinfo(leaves.packing.dtype).max
    assert not leaves.range[0] <= leaves.packing.missing * leaves.packing.scale_factor <= leaves.range[1]


def test_roles_that_targets_need_are_inputs_of_a_run():
    from ai4land.runs import Inputs

    assert {role for one in read_targets().values() for role in one.needs} <= set(Inputs.model_fields)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("decide: value", "decid: value", r"targets\.yml, leaf_area_index: decide: Field required; decid: Extra"),
        ("follows: []", "follows: [leaf_area_index]", r"targets\.yml, \w+: follows itself, .*leaf_area_index.*leave"),
        ("follows: [land_use]", "follows: [land_cover]", r"land_cover: follows itself, land_cover -> land_cover"),
        ("follows: [land_use]", "follows: [land]", r"land_cover: follows \['land'\], which are no targets"),
        ("legend: land_cover", "legend: land_covr", r"land_cover: legend land_covr does not exist; .*'land_cover_22'"),
        ("land_cover_22,", "land_cover_23,", r"land_cover: legend land_cover_23 does not exist"),
        ("  units: m2 m-2\n", "", r"leaf_area_index: range \[0.0, 10.0\] without units; add units"),
        ("range: [0.0, 10.0]", "range: [10.0, 0.0]", r"leaf_area_index: range \[10.0, 0.0\]: give the smallest"),
        ("steps: 12", "steps: 7", r"leaf_area_index: steps: Input should be 1 or 12"),
        ("pools: luh2_pools", "pools: luh3_pools", r"land_use: pools: no table data/luh3_pools.csv"),
        ("  pools: luh2_pools\n", "", r"land_use: pools None with decide matched_areas: "),
        ("blend: mean", "blend: vote", r"leaf_area_index: decide value and blend vote do not fit a quantity"),
        ("missing: 0}", "missing: 256}", r"land_cover: packing: missing 256 is no uint8; .* 0 to 255"),
        ("scale_factor: 0.01", "scale_factor: 0.0001", r"leaf_area_index: int16 in steps of 0.0001 does not reach 10"),
        ("kind: quantity", "kind: classes", r"leaf_area_index: kind is classes, but no legend is named; add legend"),
        ("predictors: [land_use, climate", "predictors: [soil_use, climate", r"land_cover: predictors: 0: Input"),
    ],
)  # fmt: skip
def test_a_wrong_block_is_named_in_one_line(old, new, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_targets(changed(old, new))
    assert "\n" not in str(error.value)


def test_a_table_that_is_no_table_is_refused():
    with pytest.raises(ValueError, match=r"targets\.yml: expected one block of keys a target"):
        parse_targets("land_use: classes\n")


def test_an_unknown_target_names_those_that_there_are():
    with pytest.raises(ValueError, match=r"target 'leaf_area': .*'leaf_area_index'.*add a block"):
        read_target("leaf_area")
