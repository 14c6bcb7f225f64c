"""A region gives its fields by name, year and window; what is not there is refused in one line."""

import pickle

import numpy as np
import pytest
from conftest import make_cube
from regions import luh2_layers

from ai4land.samples import region_store
from ai4land.samples.region import Layer

WINDOW = slice(25, 60), slice(50, 90)


@pytest.fixture(scope="module")
def region(changing_cube):
    states = np.arange(2 * 3 * 16, dtype=np.float32).reshape(2, 3, 4, 4)
    luh2 = luh2_layers([1990, 1991], ["a", "b", "c"], states, states)
    return changing_cube.with_fields(**luh2, co2={1990: 354.2})


def test_a_part_of_a_region_has_its_maps_its_coarse_cells_and_its_place(region):
    part, deeper = region.cut(WINDOW), region.cut(WINDOW).cut((slice(25, 35), slice(0, 25)))
    assert part.corner == (25, 50) and deeper.corner == (50, 50) and part.grid.same_as(region.grid.cut(*WINDOW))
    for name in ("land_use", "elevation"):
        year = 1990 if name == "land_use" else None
        np.testing.assert_array_equal(part.field(name, year), region.field(name, year, WINDOW))
        np.testing.assert_array_equal(deeper.field(name, year), region.field(name, year)[50:60, 50:75])
    assert part.field("luh2_state", 1991).shape == (3, *part.grid_of("luh2_state").shape)
    np.testing.assert_array_equal(part.field("luh2_state", 1991), region.field("luh2_state", 1991)[:, 1:3, 2:4])
    np.testing.assert_array_equal(deeper.field("land_use_fraction", 1990),
                                  region.field("land_use_fraction", 1990)[:, 2:3, 2:3])  # fmt: skip
    thin = slice(1, None, 3), slice(None, 20, 4)
    np.testing.assert_array_equal(part.field("land_use", 1990, thin), region.field("land_use", 1990)[26:60:3, 50:70:4])
    assert part.field("co2", 1990) == 354.2


def test_a_part_that_would_cut_coarse_cells_is_refused(region):
    with pytest.raises(ValueError, match="region here: a part from cell 10, 50 would cut coarse cells; begin it at"):
        region.cut((slice(10, 60), slice(50, 90)))


def test_other_values_replace_all_years_of_a_field_or_some(region):
    other = np.full(region.grid.shape, 3, np.uint8)
    assert region.with_fields(land_use={1990: other}).years("land_use") == [1990]
    some = region.with_years(land_use={1990: other, 2050: other})
    assert some.years("land_use") == [*range(1980, 2010), 2050]
    assert (some.field("land_use", 1990) == 3).all() and (some.field("land_use", 2050, WINDOW) == 3).all()
    np.testing.assert_array_equal(some.field("land_use", 1991), region.field("land_use", 1991))
    assert (region.field("land_use", 1990) != 3).all(), "the region itself stays as it was"
    assert region.with_fields(luh2_state={1990: np.zeros((3, 4, 4))}).names("luh2_state") == ["a", "b", "c"]


def test_a_field_or_a_year_that_is_not_there_is_named_with_those_that_are(region):
    with pytest.raises(ValueError, match="region here: no field 'slope'; it has co2, data_area, elevation, land_use, "):
        region.field("slope")
    with pytest.raises(ValueError, match="region here: CO2 has no year 1991, there are 1990-1990; name co2 .and co2_"):
        region.field("co2", 1991)
    with pytest.raises(ValueError, match="land use has no year None, there are 1980-2009"):
        region.field("land_use")
    with pytest.raises(ValueError, match="region here: elevation stands still, and 1990 is asked for; leave the year"):
        region.field("elevation", 1990)
    with pytest.raises(ValueError, match="climate has no year 1990, there are none; .*climate_history and climate_"):
        region.with_fields(climate=Layer(max, ())).field("climate", 1990)


def test_years_are_read_once_while_they_fit_and_a_copy_of_the_region_reads_anew():
    read = []

    def count(year, window):
        read.append(year)
        return np.full((4, 4), year)[window]

    window = slice(0, 2), slice(1, 3)
    for kept, wanted in ((None, [1, 2]), (32, [1, 2, 1]), (8, [1, 1, 2, 1])):
        read.clear()
        layer = region_store._Kept(count, 16, kept) if kept != 32 else region_store._Kept(count, 32, kept)
        for year in (1, 1, 2, 1):
            assert (layer(year, window) == year).all()
        assert read == wanted
    handed = region_store._Kept(count, 16, 64)(1, window)
    handed[:] = 0
    assert (region_store._Kept(count, 16, 64)(1, window) == 1).all()


def test_a_region_survives_the_way_to_a_worker(region):
    away = pickle.loads(pickle.dumps(region))
    np.testing.assert_array_equal(away.field("land_use", 1985), region.field("land_use", 1985))


def test_layers_that_stand_still_come_in_the_order_of_their_names():
    cube = make_cube({1990: np.full((25, 25), 4, np.uint8)})
    zones = np.zeros((25, 25), np.uint8)
    assert cube.with_fields(slope=zones, aspect_sin=zones, koppen=zones).static == [
        "aspect_sin", "elevation", "koppen", "slope"
    ]  # fmt: skip
    assert "koppen" not in cube and "elevation" in cube
