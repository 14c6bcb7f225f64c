import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ai4land import legend as tables
from ai4land.legend import class_codes, crosswalk_weights, flag_attributes, read_crosswalk, read_legend, recode


@pytest.fixture
def crosswalk_file(tmp_path, monkeypatch):
    """Writes a crosswalk of made-up classes to the legend of land use, in a data folder of its own."""
    (tmp_path / "legends").mkdir()
    (tmp_path / "crosswalks").mkdir()
    read_legend("land_use").to_csv(tmp_path / "legends" / "land_use.csv", index=False)
    monkeypatch.setattr(tables, "DATA", tmp_path)

    def write(*rows, columns="source_code,source_name,code,weight,reason"):
        (tmp_path / "crosswalks" / "made_up-to-land_use.csv").write_text("\n".join([columns, *rows]))

    return write


def test_unknown_code_is_refused_and_named():
    with pytest.raises(ValueError, match=r"1990.*codes \[13\]"):
        recode(np.array([[11, 13]], np.uint8), read_crosswalk("hilda_plus_v1.0", "land_use"), "HILDA+, 1990")


def test_a_v2_code_is_refused_in_a_v1_map():
    with pytest.raises(ValueError, match=r"codes \[23\].*version"):
        recode(np.array([23], np.uint8), read_crosswalk("hilda_plus_v1.0", "land_use"))


def test_land_classes_and_flags():
    legend = read_legend("land_use")
    assert class_codes(legend, land_only=True).tolist() == [1, 2, 3, 4, 5, 6]
    flags = flag_attributes(legend)
    assert len(flags["flag_values"]) == len(flags["flag_meanings"].split()) == 8


@pytest.mark.parametrize(
    ("name", "classes", "no_data"),
    [("land_use", 8, 255), ("koppen_geiger", 31, None), ("land_cover", 37, 0), ("ipcc", 10, 255),
     ("ifs_vegetation", 20, 255), ("land_use_13", 15, 255)],
)  # fmt: skip
def test_no_data_is_the_row_of_that_name_and_no_class(name, classes, no_data):
    legend = read_legend(name)
    codes, flags = class_codes(legend), flag_attributes(legend)
    assert len(codes) == len(flags["flag_values"]) == len(flags["flag_meanings"].split()) == classes
    assert set(legend["code"]) - set(codes) == (set() if no_data is None else {no_data})
    assert legend["color"].str.fullmatch("#[0-9a-f]{6}").all() and legend["label"].str.len().all()
    assert not legend["land"][legend["name"] == "no_data"].any()


def test_land_cover_has_the_publishers_codes_names_and_colours():
    legend = read_legend("land_cover").set_index("code")
    # Codes of the product user guide: 22 classes of level 1, 15 regional sub-classes, no data.
    sub_classes = [11, 12, 61, 62, 71, 72, 81, 82, 121, 122, 151, 152, 153, 201, 202]
    assert legend.index.tolist() == sorted([0, *range(10, 230, 10), *sub_classes])
    assert legend["name"][160] == "tree_cover_flooded_fresh_or_brakish_water"  # the publisher's spelling
    assert legend.index[~legend["land"]].tolist() == [0, 210]
    # The header has 37 colours for 38 flags: black for no data must not shift them.
    assert legend["color"][[10, 50, 190, 210, 220]].tolist() == ["#ffff64", "#006400", "#c31400", "#0046c8", "#ffffff"]


def test_missing_tables_name_what_there_is():
    with pytest.raises(FileNotFoundError, match="known legends"):
        read_legend("landuse")
    with pytest.raises(FileNotFoundError, match="known crosswalks"):
        read_crosswalk("hilda_plus_v9", "land_use")


def test_a_table_without_weights_has_weight_1():
    assert read_crosswalk("hilda_plus_v1.0", "land_use")["weight"].tolist() == [1.0] * 9


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["30,mosaic,2,0.6,a", "30,mosaic,2,0.4,b"], r"source codes \[30\] listed twice"),
        (["30,mosaic,2,0.6,a", "30,mosaic,5,0.3,b"], r"sum to \{30: 0.8999"),
        (["30,mosaic,2,1.5,a", "30,mosaic,5,-0.5,b"], "expected positive ones"),
        (["30,mosaic,9,1,a"], r"target codes \[9\] are not in legend land_use"),
    ],
)
def test_bad_crosswalks_are_refused_in_one_line(crosswalk_file, rows, message):
    crosswalk_file(*rows)
    with pytest.raises(ValueError, match=message) as refused:
        read_crosswalk("made_up", "land_use")
    assert "made_up-to-land_use.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_a_source_code_of_two_rows_without_weights_is_refused(crosswalk_file):
    crosswalk_file("30,mosaic,2,a", "30,mosaic,5,b", columns="source_code,source_name,code,reason")
    with pytest.raises(ValueError, match=r"sum to \{30: 2.0\}"):
        read_crosswalk("made_up", "land_use")


def test_a_map_is_not_recoded_by_a_table_that_splits_a_class():
    table = read_crosswalk("land_cover", "ifs_vegetation")
    with pytest.raises(
        ValueError, match=r"2015: the crosswalk splits codes \[12, 30, 40.*crosswalk_weights"
    ) as refused:
        recode(np.array([10], np.uint8), table, "2015")
    assert "\n" not in str(refused.value)


def test_weights_share_out_class_fractions_and_keep_their_sum(crosswalk_file):
    crosswalk_file("0,no_data,255,1,a", "30,mosaic,2,0.6,b", "30,mosaic,5,0.4,c", "60,tree,4,1,d", "9,grass,5,1,e")
    weights = crosswalk_weights(read_crosswalk("made_up", "land_use"), read_legend("land_use"))
    assert weights.dims == ("source_code", "cover_class") and weights["source_code"].to_numpy().tolist() == [30, 60, 9]
    assert weights["cover_class"].to_numpy().tolist() == list(range(8))
    fraction = xr.DataArray([[0.5, 0.3, 0.2]], {"cover_class": [30, 60, 9]}, ("cell", "cover_class"))
    shares = xr.dot(fraction.rename(cover_class="source_code"), weights, dim="source_code")
    # cropland 0.5 * 0.6; forest 0.3; grass/shrubland 0.5 * 0.4 + 0.2
    np.testing.assert_allclose(shares[0], [0, 0, 0.3, 0, 0.3, 0.4, 0, 0])


def test_weights_take_names_as_source_codes():
    weights = crosswalk_weights(read_crosswalk("luh2", "land_use"), read_legend("land_use"))
    assert float(weights.sel(source_code="range", cover_class=3)) == 1 and float(weights.sum()) == weights.shape[0]


def test_a_code_listed_twice_in_a_legend_is_refused(crosswalk_file, tmp_path):
    doubled = pd.concat([read_legend("land_use")] * 2)
    doubled.to_csv(tmp_path / "legends" / "doubled.csv", index=False)
    with pytest.raises(ValueError, match="code .* listed twice"):
        read_legend("doubled")
