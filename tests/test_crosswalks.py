"""The class tables against the publishers' lists of codes, and against each other."""

import numpy as np
import pytest

from ai4land.legend import DATA, class_codes, read_crosswalk, read_legend, recode

# HILDA+ legend page: codes of each version.
FOREST_TYPES = {40, 41, 42, 43, 44, 45}
ALL_VERSIONS = {0, 11, 22, 33, 44, 55, 66, 77, 99}
# flag_values of lccs_class in ESA's files.
LAND_COVER = {
    0, 10, 11, 12, 20, 30, 40, 50, 60, 61, 62, 70, 71, 72, 80, 81, 82, 90, 100, 110, 120, 121, 122, 130, 140, 150,
    151, 152, 153, 160, 170, 180, 190, 200, 201, 202, 210, 220,
}  # fmt: skip
LUH3 = "primf primn secdf secdn pastr range urban c3ann c4ann c3per c4per c3nfx pltns icwtr"
SOURCES = {
    "hwsd_usda_13": set(range(1, 14)) | {255},
    "usda_12": set(range(1, 13)) | {255},
    "hilda_plus_v1.0": ALL_VERSIONS,
    "hilda_plus_v1.0-f": ALL_VERSIONS | FOREST_TYPES,
    "hilda_plus_v2.0": ALL_VERSIONS | FOREST_TYPES | {23, 24},
    "hilda_plus_v2.1-crop": ALL_VERSIONS | FOREST_TYPES | {23, 24},
    "koppen_beck_2023": set(range(31)),
    "koppen_rubel_2017": set(range(1, 33)) | {0},
    "land_cover": LAND_COVER,
    "luh2": set(LUH3.split()),
}
PATHS = sorted((DATA / "crosswalks").glob("*.csv"))
HILDA = [s for s in SOURCES if s.startswith("hilda_plus")]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_every_code_of_the_source_goes_somewhere_with_a_reason(path):
    source, target = path.stem.split("-to-")
    assert source in SOURCES, "list the publisher's codes of this source above"
    table = read_crosswalk(source, target)  # checks target codes and that weights sum to 1
    assert set(table["source_code"]) == SOURCES[source]
    assert (table["reason"].str.len() > 3).all() and (table["source_name"].str.len() > 0).all()


@pytest.mark.parametrize("target", ["land_use", "ipcc", "ifs_vegetation"])
def test_land_cover_goes_by_its_own_names_and_only_no_data_to_no_data(target):
    table = read_crosswalk("land_cover", target)
    names = read_legend("land_cover").set_index("code")["name"]
    assert (table["source_name"].to_numpy() == names[table["source_code"]].to_numpy()).all()
    assert table["source_code"][table["code"] == 255].tolist() == [0]


def test_regional_sub_classes_of_a_map_reach_the_right_class_of_8():
    cover = np.array([
        [10, 11, 12, 20, 30],  # cropland
        [60, 61, 62, 71, 72],
        [81, 82, 90, 160, 170],  # two rows of forest
        [120, 121, 122, 130, 180],  # grass/shrubland
        [151, 152, 153, 201, 202],  # other land
        [190, 210, 220, 0, 150],  # urban, water, ice and sparse vegetation (other land), no data
    ], np.uint8)  # fmt: skip
    expected = [[2] * 5, [4] * 5, [4] * 5, [5] * 5, [6] * 5, [1, 7, 6, 255, 6]]
    assert recode(cover, read_crosswalk("land_cover", "land_use")).tolist() == expected


# Groups of public code that follows ESA's product user guide.
IPCC = {
    "agriculture": [10, 11, 12, 20, 30, 40],
    "forest": [50, 60, 61, 62, 70, 71, 72, 80, 81, 82, 90, 100, 160, 170],
    "grassland": [110, 130], "wetland": [180], "settlement": [190], "shrubland": [120, 121, 122],
    "sparse": [140, 150, 151, 152, 153], "bare": [200, 201, 202], "water": [210], "snow_ice": [220], "no_data": [0],
}  # fmt: skip


def test_ipcc_groups_are_those_of_the_user_guide():
    table = read_crosswalk("land_cover", "ipcc")
    code = read_legend("ipcc").set_index("name")["code"]
    for name, members in IPCC.items():
        assert table["source_code"][table["code"] == code[name]].tolist() == members, name


def test_a_sub_class_never_leaves_the_class_of_which_it_is_a_part():
    for target in ("land_use", "ipcc"):
        code = read_crosswalk("land_cover", target).set_index("source_code")["code"]
        assert all(code[c] == code[c // 10 * 10] for c in LAND_COVER), target


# Default_LCCS2PFT_LUT.csv of ESA's user tools (Poulter et al. 2015, table 2), per cent of: broadleaf evergreen,
# broadleaf deciduous, needleleaf evergreen, needleleaf deciduous trees; the same of shrubs; natural grass, managed
# grass, bare soil, water.
TREES_AND_SHRUBS = [6, 5, 3, 4, 16, 17, 16, 17]  # IFS types of the first eight
LUT = {
    12: [0, 0, 0, 0, 0, 50, 0, 0, 0, 50, 0, 0],
    30: [5, 5, 0, 0, 5, 5, 5, 0, 15, 60, 0, 0],
    40: [5, 5, 0, 0, 7.5, 10, 7.5, 0, 25, 40, 0, 0],
    62: [0, 30, 0, 0, 0, 25, 0, 0, 35, 0, 10, 0],
    72: [0, 0, 30, 0, 0, 5, 5, 0, 30, 0, 30, 0],
    82: [0, 0, 0, 30, 0, 5, 5, 0, 30, 0, 30, 0],
    100: [10, 20, 5, 5, 5, 10, 5, 0, 40, 0, 0, 0],
    110: [5, 10, 5, 0, 5, 10, 5, 0, 60, 0, 0, 0],
    160: [30, 30, 0, 0, 0, 0, 0, 0, 20, 0, 0, 20],
    170: [60, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 20],
    190: [0, 2.5, 2.5, 0, 0, 0, 0, 0, 15, 0, 75, 5],
}


@pytest.mark.parametrize("code", LUT)
def test_mixtures_are_split_between_ifs_types_as_the_publishers_table_has_them(code):
    grass = 13 if code == 160 else 7  # grass of flooded forest is marsh
    expected = dict.fromkeys([*TREES_AND_SHRUBS, grass, 1, 8, 14], 0.0)
    for ifs, share in zip([*TREES_AND_SHRUBS, grass, 1, 8, 14], LUT[code], strict=True):
        expected[ifs] += share / 100
    table = read_crosswalk("land_cover", "ifs_vegetation")
    found = table[table["source_code"] == code].set_index("code")["weight"].to_dict()
    assert found == pytest.approx({ifs: share for ifs, share in expected.items() if share > 0})


def test_ifs_types_have_the_numbers_and_layers_of_the_ifs():
    legend = read_legend("ifs_vegetation").set_index("code")
    layer = legend.drop(index=255)["vegetation"]
    assert layer.index[layer == "high"].tolist() == [3, 4, 5, 6, 18, 19]
    assert layer.index[layer == "low"].tolist() == [1, 2, 7, 9, 10, 11, 13, 16, 17, 20]
    # Other models with these names swap the two broadleaf types.
    assert legend["name"][[5, 6]].tolist() == ["deciduous_broadleaf_trees", "evergreen_broadleaf_trees"]


def test_code_44_is_all_forest_in_v1_and_one_forest_type_later():
    for version, code, name in (("1.0", 40, "forest"), ("1.0-f", 44, "forest_deciduous_broadleaf")):
        row = read_crosswalk(f"hilda_plus_v{version}", "land_use_13").set_index("source_code").loc[44]
        assert (row["code"], row["source_name"]) == (code, name)


@pytest.mark.parametrize("source", HILDA)
def test_the_13_classes_merge_to_the_8(source):
    fine = read_crosswalk(source, "land_use_13").set_index("source_code")["code"]
    coarse = read_crosswalk(source, "land_use").set_index("source_code")["code"]
    # What v2.0 calls each of the 13 classes, by its own code, is merged to 8 by v2.0's table.
    merge = read_crosswalk("hilda_plus_v2.0", "land_use").set_index("source_code")["code"].to_dict() | {255: 255}
    assert {s: merge[c] for s, c in fine.items()} == coarse.to_dict()


def test_land_use_13_has_thirteen_classes_of_land():
    land = class_codes(read_legend("land_use_13"), land_only=True).tolist()
    assert land == [11, 22, 23, 24, 33, 40, 41, 42, 43, 44, 45, 55, 66]


def test_koppen_numbers_of_rubel_and_beck_meet_in_the_same_zone():
    table = read_crosswalk("koppen_rubel_2017", "koppen_geiger").set_index("source_name")["code"]
    legend = read_legend("koppen_geiger").set_index("label")["code"]
    for zone in ("Af", "BWh", "Csa", "Cfb", "Dfc", "ET", "EF"):
        assert table[zone] == legend[zone]
    assert table["Ocean"] == 0
    assert table["As"] == legend["Aw"]


def test_both_pasture_states_of_luh2_are_pasture_and_the_reason_says_what_others_do():
    table = read_crosswalk("luh2", "land_use").set_index("source_code")
    assert table["code"][["pastr", "range"]].tolist() == [3, 3] and "fstnf" in table["reason"]["range"]
    assert all("separable" in table["reason"][state] for state in ("primf", "primn", "secdn", "icwtr"))
