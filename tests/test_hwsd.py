"""HWSD v2 on a tiny ESRI raster and an SQLite copy of its table, and the names of soil textures."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from ai4land.legend import read_crosswalk, read_legend, recode
from ai4land.sources.hwsd import open_hwsd_bil, read_hwsd_texture
from ai4land.sources.registry import InputFile

CELL = 1 / 120  # 30 arc-seconds
COLUMNS = "ID TEXT, HWSD2_SMU_ID INTEGER, SEQUENCE INTEGER, SHARE INTEGER, WRB2 TEXT, LAYER TEXT, TOPDEP INTEGER, "
COLUMNS += "BOTDEP INTEGER, SAND INTEGER, SILT INTEGER, CLAY INTEGER"
DEPTHS = [(0, 20), (20, 40), (40, 60), (60, 80), (80, 100), (100, 150), (150, 200)]  # D1 to D7


def layers(unit, sequence, share, textures):
    """Rows of one soil unit, one a depth layer."""
    return [
        (str(unit), unit, sequence, share, "XX", f"D{n + 1}", *DEPTHS[n], *texture)
        for n, texture in enumerate(textures)
    ]


# Unit 7: one soil, sandier from 1 m down. Unit 9: 60 % of a soil, 40 % of another. Unit 11: 70 % water, 30 % a soil
# of 40 cm on rock. Unit 12: all water.
ROWS = [
    *layers(7, 1, 100, [(40, 35, 25)] * 4 + [(20, 35, 45)] + [(90, 5, 5)] * 2),
    *layers(9, 1, 60, [(80, 10, 10)] * 7),
    *layers(9, 2, 40, [(30, 30, 40)] * 7),
    *layers(11, 1, 70, [(None, -1, -9)] * 7),
    *layers(11, 2, 30, [(50, 30, 20), (30, 30, 40)] + [(-7, -7, -7)] * 5),
    *layers(12, 1, 100, [(-4, -4, -4)] * 7),
]


def write_hwsd(folder, units, rows=ROWS, columns=COLUMNS):
    raster, table = folder / "HWSD2.bil", folder / "HWSD2.sqlite"
    values = np.asarray(units, np.uint16)
    profile = {
        "driver": "EHdr", "dtype": "uint16", "count": 1, "height": values.shape[0], "width": values.shape[1],
        "crs": "EPSG:4326", "transform": from_origin(10, 46, CELL, CELL), "nodata": 65535,
    }  # fmt: skip
    with rasterio.open(raster, "w", **profile) as data:
        data.write(values, 1)
    assert (folder / "HWSD2.hdr").exists() and (folder / "HWSD2.prj").exists()
    with closing(sqlite3.connect(table)) as data:
        data.execute(f"CREATE TABLE HWSD2_LAYERS ({columns})")
        data.executemany(f"INSERT INTO HWSD2_LAYERS VALUES ({', '.join('?' * len(rows[0]))})", rows)
        data.commit()
    return [InputFile("hwsd_v2", path, {"part": path.suffix[1:]}) for path in (raster, table)]


def test_texture_is_weighted_by_share_and_thickness_of_the_upper_metre(tmp_path):
    write_hwsd(tmp_path, [[7, 7], [7, 7]])
    texture = read_hwsd_texture(tmp_path / "HWSD2.sqlite")
    # 80 cm of 40 % and 20 cm of 20 %; the layers below 1 m do not count.
    assert texture["sand"][7] == pytest.approx(0.36)
    assert texture["sand"][9] == pytest.approx(0.6 * 0.8 + 0.4 * 0.3)
    # Water has no texture; the soil on rock counts by its two layers.
    assert texture["sand"][11] == pytest.approx(0.4) and texture["clay"][11] == pytest.approx(0.3)
    assert texture.loc[12].isna().all()
    assert texture.drop(12).sum(axis=1).to_numpy() == pytest.approx(1)


def test_every_cell_takes_the_texture_of_its_unit_lazily_on_the_canonical_grid(tmp_path):
    soil = open_hwsd_bil(write_hwsd(tmp_path, [[7, 9, 65535], [12, 11, 0]]), "2.0")
    sand = soil["sand_fraction"]
    assert sand.chunks is not None and sand.dtype == np.float32 and sand.attrs["units"] == "1"
    np.testing.assert_allclose(sand, [[0.36, 0.6, np.nan], [np.nan, 0.4, np.nan]], rtol=1e-6)
    np.testing.assert_allclose(soil["lat"], [46 - CELL / 2, 46 - 1.5 * CELL])
    assert set(soil.data_vars) == {"sand_fraction", "silt_fraction", "clay_fraction"} and "lat_bnds" in soil.coords
    assert "NC" in soil.attrs["license"] and soil.attrs["depths"] == "0-100cm"


def test_the_largest_identifier_is_not_taken_for_a_negative_number(tmp_path):
    files = write_hwsd(tmp_path, [[49830, 49830], [7, 65535]], [*ROWS, *layers(49830, 1, 100, [(10, 20, 70)] * 7)])
    header = tmp_path / "HWSD2.hdr"
    header.write_text("\n".join(line for line in header.read_text().splitlines() if "PIXELTYPE" not in line))
    np.testing.assert_allclose(open_hwsd_bil(files, "2.0")["clay_fraction"][0], [0.7, 0.7])


def test_a_unit_that_the_table_lacks_is_refused_on_reading(tmp_path):
    soil = open_hwsd_bil(write_hwsd(tmp_path, [[7, 9], [8, 11]]), "2.0")
    with pytest.raises(ValueError, match=r"HWSD2.bil: mapping units \[8\] are not in the table"):
        soil.compute()


def test_missing_files_tables_and_other_units_are_refused(tmp_path):
    files = write_hwsd(tmp_path, [[7, 7], [7, 7]])
    with pytest.raises(ValueError, match=r"found \['HWSD2.bil'\], expected HWSD2.bil and HWSD2.sqlite"):
        open_hwsd_bil(files[:1], "2.0")
    other, permille = [*ROWS[0][:-1], "x"], [*ROWS[0][:-3], 400, 350, 250]
    for columns, row, message in (
        (COLUMNS.replace("CLAY", "TEXTURE"), other, "no HWSD2_LAYERS with columns .*no such column: CLAY"),
        (COLUMNS, permille, "sand, silt or clay up to 400.*expected per cent"),
    ):
        (tmp_path / "HWSD2.sqlite").unlink()
        with pytest.raises(ValueError, match=message):
            open_hwsd_bil(write_hwsd(tmp_path, [[7, 7], [7, 7]], [row], columns), "2.0")


def test_soil_textures_of_both_orders_meet_by_name_and_not_by_number():
    codes = read_legend("soil_texture").set_index("name")["code"]
    hwsd, usda = (read_crosswalk(name, "soil_texture") for name in ("hwsd_usda_13", "usda_12"))
    for name in codes.index.drop(["clay", "no_data"]):
        for table in (hwsd, usda):
            assert table.set_index("source_name")["code"][name] == codes[name], name
    # Clay is 1 (heavy) and 3 (light) in one order, 12 in the other; sand is 13 and 1.
    assert set(recode(np.array([1, 3], np.uint8), hwsd)) == {codes["clay"]} == set(recode(np.uint8([12]), usda))
    assert recode(np.uint8([13]), hwsd) == codes["sand"] == recode(np.uint8([1]), usda)
    with pytest.raises(ValueError, match=r"codes \[13\]"):
        recode(np.array([13], np.uint8), usda)
