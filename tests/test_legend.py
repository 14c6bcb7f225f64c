import numpy as np
import pytest

from ai4land.legend import DATA, class_codes, flag_attributes, read_crosswalk, read_legend, recode

VERSIONS = ["1.0", "1.0-f", "2.0", "2.1-crop"]
# HILDA+ legend page: codes of each version.
HILDA = {
    "1.0": {0, 11, 22, 33, 44, 55, 66, 77, 99},
    "1.0-f": {0, 11, 22, 33, 40, 41, 42, 43, 44, 45, 55, 66, 77, 99},
    "2.0": {0, 11, 22, 23, 24, 33, 40, 41, 42, 43, 44, 45, 55, 66, 77, 99},
    "2.1-crop": {0, 11, 22, 23, 24, 33, 40, 41, 42, 43, 44, 45, 55, 66, 77, 99},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_code_of_every_hilda_plus_version_is_mapped_with_a_reason(version):
    table = read_crosswalk(f"hilda_plus_v{version}", "land_use")
    assert set(table["source_code"]) == HILDA[version]
    assert (table["reason"].str.len() > 0).all()
    assert set(table["code"]) == {0, 1, 2, 3, 4, 5, 6, 7, 255}


def test_code_44_is_all_forest_in_v1_and_one_forest_type_later():
    names = {
        v: read_crosswalk(f"hilda_plus_v{v}", "land_use").set_index("source_code")["source_name"] for v in VERSIONS
    }
    assert names["1.0"][44] == "forest"
    assert names["1.0-f"][44] == "forest_deciduous_broadleaf"


def test_unknown_code_is_refused_and_named():
    with pytest.raises(ValueError, match=r"1990.*codes \[13\]"):
        recode(np.array([[11, 13]], np.uint8), read_crosswalk("hilda_plus_v1.0", "land_use"), "HILDA+, 1990")


def test_a_v2_code_is_refused_in_a_v1_map():
    with pytest.raises(ValueError, match=r"codes \[23\].*version"):
        recode(np.array([23], np.uint8), read_crosswalk("hilda_plus_v1.0", "land_use"))


def test_koppen_numbers_of_rubel_and_beck_meet_in_the_same_zone():
    table = read_crosswalk("koppen_rubel_2017", "koppen_geiger").set_index("source_name")["code"]
    legend = read_legend("koppen_geiger").set_index("label")["code"]
    for zone in ("Af", "BWh", "Csa", "Cfb", "Dfc", "ET", "EF"):
        assert table[zone] == legend[zone]
    assert table["Ocean"] == 0
    assert table["As"] == legend["Aw"]


def test_land_classes_and_flags():
    legend = read_legend("land_use")
    assert class_codes(legend, land_only=True).tolist() == [1, 2, 3, 4, 5, 6]
    flags = flag_attributes(legend)
    assert len(flags["flag_values"]) == len(flags["flag_meanings"].split()) == 8


def test_missing_tables_name_what_there_is():
    with pytest.raises(FileNotFoundError, match="known legends"):
        read_legend("landuse")
    with pytest.raises(FileNotFoundError, match="known crosswalks"):
        read_crosswalk("hilda_plus_v9", "land_use")


def test_crosswalk_targets_are_all_in_their_legend():
    paths = sorted((DATA / "crosswalks").glob("*.csv"))
    assert paths
    for path in paths:
        source, target = path.stem.split("-to-")
        assert len(read_crosswalk(source, target)) > 0
