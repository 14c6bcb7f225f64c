"""The registry of inputs and the table of published scores: complete, consistent, and no name in two data sets."""

import csv
import re
from collections import Counter
from itertools import product
from pathlib import PurePosixPath
from string import Formatter
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import yaml

from ai4land.legend import DATA
from ai4land.runs import Inputs
from ai4land.sources.archive import matches
from ai4land.sources.readers import READERS
from ai4land.sources.registry import read_registry

TABLE = read_registry()
CLAIMS = pd.read_csv(DATA / "claims.csv", dtype=str, keep_default_na=False)

# Hashes that a publisher, or public code that fetched the file, states; none was recomputed.
PUBLISHED = {
    "luh2_static": "md5:110211fdfd0f85044d203e9c71114165",
    "luh2_v2f_ssp119_states": "md5:9aacafe0b06df7ead4a65dd494f1b23d",
    "luh2_v2f_ssp245_states": "md5:8d2cd5ca241678c56d8b92464f79d97e",
    "luh2_v2f_ssp370_states": "md5:18a7d1f1d7f687606fe6f7cba476d925",
    "luh2_v2f_ssp460_states": "md5:aad9baa5d03c6efc155f027387b118ca",
    "luh2_v2f_ssp585_states": "md5:5f8b277e03c02fca569158a6234f2c3e",
    "luh3_states": "sha256:f92d59eeff29f74733807459e8f9eae915e271d527c7e79bb6849725b9bb3686",
    "luh3_static": "sha256:2157d81e43a460d79cee6d4e864279c5df5e381e391f561df1d42c3f8ede4ab0",
    "luh3_states_3_1_2": "sha256:8b376ed855dc11b8a3263c16353830df945036639272a670b0129ef6cd3e747f",
    "luh3_static_3_1_2": "sha256:97565e05039f9208f2b42a308cf9c4a18425ad603dd52a676c2a890dcef9b777",
    "luh3_scenario_vl_states": "sha256:0f34bb1b89d859cc428aaf964da6c30aabd1a4bbb66e58ac8daadd62d3f277d9",
    "luh3_scenario_h_states": "sha256:d6b71ebad0222522fdaa37d3f13bb611134b30e261fdf50283bc86781a099397",
    "hilda_plus_v2": "md5:56fe959df25d8efbc542b90cf971945f",
    "gebco_2025": "md5:cd18ddc4162134465af310f714d50f01",
}

# Names as the publishers write them, where the address does not show them: members of archives, requests, shares.
MEMBERS = {
    "hilda_plus_v1": "hildap_vGLOB-1.0_geotiff_wgs84/hildap_GLOB-v1.0_lulc-states/"
    "hilda_plus_2015_states_GLOB-v1-0_base-map_wgs84-nn.tif",
    "hilda_plus_v1f": "hildaplus_vGLOB-1.0-f_states.nc",
    "hilda_plus_v1_change_layers": "HILDAplus_vGLOB-1.0_luc_pasture-rangeland_change_1960-2019_wgs84.tif",
    "hilda_plus_v2": "hildap_vGLOB-2.0_geotiff_wgs84/states/hilda_plus_states_1960_GLOB-v2_wgs84.tif",
    "hilda_plus_v2_netcdf": "hildap_vGLOB-2.0_netCDF_extended-time/hildaplus_GLOB-2-0_states.nc",
    "hilda_plus_v2f_netcdf": "hildap_vGLOB-2.0-forest_netcdf/hildaplus_GLOB-2-0-f_states.nc",
    "hilda_plus_v21_crop": "hildaplus_GLOB-2-1-crop_states.nc",
    "hilda_plus_v21_crop_geotiff": "states/hilda_plus_states_1960_GLOB-v2_forest-crop_near_wgs84.tif",
    "gebco_2026": "GEBCO_2026.nc",
    "koppen_beck_2023": "1991_2020/koppen_geiger_0p00833333.tif",
    "koppen_beck_2023_history": "1901_1930/koppen_geiger_0p00833333.tif",
    "koppen_beck_2023_future": "2071_2099/ssp585/koppen_geiger_0p00833333.tif",
    "esa_cci_land_cover_cds": "ESACCI-LC-L4-LCCS-Map-300m-P1Y-1992-v2.0.7cds.nc",
    "c3s_land_cover": "C3S-LC-L4-LCCS-Map-300m-P1Y-2022-v2.1.1.area-subset.45.5.40.-1.nc",
    "lai_cgls_1km": "c_gls_LAI-RT6_201906100000_GLOBE_PROBAV_V2.0.2.nc",
    "lai_cgls_300m": "c_gls_LAI300_202101100000_GLOBE_OLCI_V1.1.2.nc",
    "lai_c3s_v1": "c3s_LAI_20100110000000_GLOBE_VGT_V1.0.1.nc",
    "isimip3b_ssp370": "ukesm1-0-ll_r1i1p1f2_w5e5_ssp370_rsds_global_daily_2021_2030.nc",
    "lai_glass": "GLASS01B01.V60.A2020249.2022138.tif",
    "co2_cmip7_scenarios": "co2_input4MIPs_GHGConcentrations_ScenarioMIP_CR-h-1-1-0_gm_2022-2100.nc",
    "population_ssp": "population_ssp2_30arcmin_annual_2015_2100.nc",
}


def values_of(series):
    """Values by placeholder: ``year=1992-2015`` is a range, ``layer=sand|silt`` a list."""
    values = {}
    for part in filter(None, series.split(";")):
        name, text = part.split("=")
        span = re.fullmatch(r"(\d{4})-(\d{4})", text)
        values[name] = [str(y) for y in range(int(span[1]), int(span[2]) + 1)] if span else text.split("|")
    return values


def addresses(row):
    """All addresses of a row, its mirrors' too, with the placeholders filled."""
    values = values_of(row["series"])
    for url in (row["url"], *row["mirrors"].split()):
        for chosen in product(*values.values()):
            yield url.format(**dict(zip(values, chosen, strict=True)))


def file_names(row):
    """Names that a program would save the files under, where the address ends with one."""
    if row["method"] not in ("file", "cog", "netcdf"):
        return []
    names = [PurePosixPath(unquote(urlsplit(url).path)).name for url in addresses(row)]
    return [name for name in names if PurePosixPath(name).suffix not in (".zip", "")]


def datasets_of(name):
    return {dataset for dataset, pattern in TABLE["pattern"].items() if matches(pattern, "raw", name)}


@pytest.mark.parametrize("dataset", TABLE.index)
def test_a_row_says_what_it_is_and_where_a_person_reads_about_it(dataset):
    row = TABLE.loc[dataset]
    for column in ("reader", "version", "pattern", "url", "licence", "landing", "citation", "title"):
        assert row[column] == row[column].strip() != "", column
    assert row["access"] in {"open", "account", "manual"}
    assert row["reader"] in {*READERS, "none"}
    assert re.fullmatch(r"https?://\S+", row["landing"])
    assert re.fullmatch(r"|10\.\d{4,}/\S+", row["doi"]) and re.fullmatch(r"|\d+", row["bytes"])
    assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", row["hash"])
    assert re.fullmatch(r"|\d+(\.\d+)?", row["gigabytes"]) and row["gigabytes"] != "0"


@pytest.mark.parametrize("dataset", TABLE.index)
def test_a_program_has_a_way_to_what_is_open_and_none_to_what_needs_a_person(dataset):
    row = TABLE.loc[dataset]
    allowed = {"open": {"file", "cog", "netcdf"}, "account": {"cds", ""}, "manual": {""}}[row["access"]]
    assert row["method"] in allowed
    suffix = PurePosixPath(urlsplit(next(addresses(row))).path).suffix
    assert (row["method"] != "cog" or suffix == ".tif") and (row["method"] != "netcdf" or suffix == ".nc")


@pytest.mark.parametrize("dataset", TABLE.index)
def test_placeholders_of_the_addresses_are_those_of_the_series(dataset):
    row = TABLE.loc[dataset]
    wanted = {"year"} if row["method"] == "cds" else set(values_of(row["series"]))
    for url in (row["url"], *row["mirrors"].split()):
        found = {name for _, name, _, _ in Formatter().parse(url) if name is not None}
        assert found == (set() if row["method"] == "cds" else wanted), url
        assert re.fullmatch(r"https?://[^\s{}]+", re.sub(r"\{\w+\}", "x", url))
    assert set(values_of(row["series"])) == wanted and all(values_of(row["series"]).values())


def test_a_range_of_years_and_a_product_of_lists_are_told_apart():
    assert values_of("year=1992-1994") == {"year": ["1992", "1993", "1994"]}
    assert values_of("layer=sand|clay;depth=0-5cm|5-15cm")["depth"] == ["0-5cm", "5-15cm"]
    assert len(file_names(TABLE.loc["soilgrids"])) == 3 * 6
    assert len(file_names(TABLE.loc["esa_cci_land_cover"])) == 24
    years = [re.findall(r"\d{4}", d) for d in values_of(TABLE.loc["isimip3b_historical", "series"])["decade"]]
    assert [y for first, last in years for y in range(int(first), int(last) + 1)] == list(range(1850, 2015))
    years = [re.findall(r"\d{4}", d) for d in values_of(TABLE.loc["isimip3b_ssp585", "series"])["decade"]]
    assert [y for first, last in years for y in range(int(first), int(last) + 1)] == list(range(2015, 2101))


@pytest.mark.parametrize("dataset", TABLE.index)
def test_a_file_is_found_under_the_name_of_its_address_by_its_own_data_set_alone(dataset):
    assert all(datasets_of(name) == {dataset} for name in file_names(TABLE.loc[dataset]))


@pytest.mark.parametrize("dataset", MEMBERS)
def test_a_publishers_file_belongs_to_one_data_set(dataset):
    assert datasets_of(MEMBERS[dataset]) == {dataset}


@pytest.mark.parametrize("dataset", TABLE.index[TABLE["pattern"].str.contains(r"\(\?P<year>")])
def test_every_year_of_a_series_is_in_its_pattern(dataset):
    row = TABLE.loc[dataset]
    for name, year in zip(file_names(row), values_of(row["series"]).get("year", []), strict=False):
        assert re.fullmatch(row["pattern"], name)["year"] == year


def test_no_address_is_in_two_rows_but_archives_and_requests_that_hold_several_data_sets():
    shared = Counter(url for _, row in TABLE.iterrows() for url in set(addresses(row)))
    for url in (url for url, count in shared.items() if count > 1):
        rows = TABLE[[url in addresses(row) for _, row in TABLE.iterrows()]]
        assert not any(file_names(row) for _, row in rows.iterrows()), url
        assert rows["pattern"].is_unique


def test_published_hashes_are_in_their_rows_and_no_others_are():
    assert TABLE.loc[TABLE["hash"] != "", "hash"].to_dict() == PUBLISHED


def test_the_retracted_and_the_faulty_release_are_not_offered():
    text = (DATA / "registry.csv").read_text()
    assert "ndownloader.figshare.com/files/45057352" not in text  # Koeppen-Geiger 2023 v1: an error of calculation
    assert "landState-3-0" not in text  # LUH3 3-0: spikes


def test_licences_that_bind_the_product_say_so():
    assert TABLE.loc[TABLE.index.str.startswith(("luh2", "luh3")), "licence"].unique().tolist() == ["CC-BY-SA-4.0"]
    limited = TABLE["licence"].str.contains("-NC-")
    assert limited.any() and TABLE.loc[limited, "licence"].str.endswith("(non-commercial)").all()


def test_an_address_that_nobody_published_is_called_inferred():
    for dataset in ("luh3_states_3_1_2", "hilda_plus_v2_netcdf", "population_histsoc_1850_1900", "co2_cmip6_history"):
        assert "inferred" in TABLE.loc[dataset, "title"]


@pytest.mark.parametrize("dataset", TABLE.index[TABLE["method"] == "cds"])
def test_a_series_of_the_climate_data_store_can_be_asked_for_in_all_its_years(dataset):
    first, last = yaml.safe_load((DATA / "cds_requests.yml").read_text())[dataset]["years"]
    years = [int(year) for year in values_of(TABLE.loc[dataset, "series"])["year"]]
    assert years[0] == first and years[-1] == (last or years[-1])
    if "(?P<date>" not in TABLE.loc[dataset, "pattern"]:  # else one archive a year, of one file a date
        assert datasets_of(f"{dataset}_{first}.nc") == {dataset}  # as the answer is saved


def test_inputs_of_every_run_are_in_the_registry():
    for path in sorted((DATA / "runs").glob("*/run.yml")):
        inputs = Inputs(**yaml.safe_load(path.read_text()).get("inputs", {}))
        for _, value in inputs:
            names = value.values() if isinstance(value, dict) else [value]
            assert {name for name in names if name} <= set(TABLE.index), path


# ---- published scores


def test_a_published_score_is_a_number_and_says_what_was_measured_and_who_says_so():
    assert list(CLAIMS.columns) == [
        "run", "experiment", "target", "model", "member", "lead", "metric", "value", "digits", "kind", "source", "what",
    ]  # fmt: skip
    for column in set(CLAIMS.columns) - {"experiment", "lead"}:
        assert (CLAIMS[column].str.strip() != "").all(), column
    assert set(CLAIMS["kind"]) == {"reproduced", "reference", "paper"}
    assert CLAIMS["lead"].str.fullmatch(r"|\d+").all()
    shown = [round(float(v), int(d)) == float(v) for v, d in zip(CLAIMS["value"], CLAIMS["digits"], strict=True)]
    assert all(shown)


def test_only_the_uk_case_claims_to_be_reproduced():
    assert set(CLAIMS.loc[CLAIMS["kind"] == "reproduced", "run"]) == {"uk"}


def test_two_claims_of_one_score_differ_in_what_they_measured():
    key = ["run", "experiment", "target", "model", "member", "lead", "metric"]
    for _, same in CLAIMS.groupby(key):
        assert same["what"].is_unique


def test_the_table_of_claims_is_plain_csv_with_one_width():
    with (DATA / "claims.csv").open(newline="") as stream:
        assert {len(row) for row in csv.reader(stream)} == {len(CLAIMS.columns)}
