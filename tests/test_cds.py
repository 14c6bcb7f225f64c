"""Requests to the Climate Data Store, played by a local server: what is asked, kept, refused and said. No network."""

import datetime
import errno
import logging
import shutil
import stat
import traceback
import zipfile

import pytest
import yaml
from cds_server import FILE, TOKEN, CdsServer, problem
from pooch import get_logger
from test_fetch import certificates, make_zip  # noqa: F401

from ai4land.sources import cds
from ai4land.sources.cds import fetch_cds, read_cds_requests

MONTHS = ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"]
ERA5 = {
    "product_type": ["monthly_averaged_reanalysis"],
    "variable": [
        "2m_temperature", "total_precipitation", "surface_solar_radiation_downwards", "volumetric_soil_water_layer_1",
        "volumetric_soil_water_layer_2", "volumetric_soil_water_layer_3", "volumetric_soil_water_layer_4",
    ],
    "year": ["2000"], "month": MONTHS, "time": ["00:00"], "data_format": "netcdf", "download_format": "unarchived",
}  # fmt: skip
LAND_COVER = {"variable": "all", "year": ["2000"], "version": ["v2_0_7cds"]}
LAI = {
    "variable": ["lai"], "satellite": ["spot"], "sensor": "vgt", "horizontal_resolution": ["1km"],
    "product_version": "v1", "year": ["2000"], "month": MONTHS, "nominal_day": ["10", "20", "28", "29", "30", "31"],
}  # fmt: skip
CRETE = (23.51, 34.8, 26.32, 35.7)
HDF, CDF = b"\x89HDF\r\n\x1a\n" + b"four" * 99, b"CDF\x01" + b"three" * 99


@pytest.fixture
def naps(monkeypatch):
    """Seconds that were asked for instead of slept."""
    asked = []
    monkeypatch.setattr("time.sleep", asked.append)
    return asked


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without credentials."""
    for name in ("CDSAPI_URL", "CDSAPI_KEY", "CDSAPI_RC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def server(home, naps):
    with CdsServer() as store:
        (home / ".cdsapirc").write_text(f"url: {store.url('/api')}\nkey: {TOKEN}\n")
        yield store


@pytest.fixture
def lines():
    """What is said on stderr."""
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    get_logger().addHandler(handler)
    yield said
    get_logger().removeHandler(handler)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "era5_monthly" / "era5_monthly_2000.nc"


def get(target, dataset="era5_monthly", year=2000, window=None, **options):
    return fetch_cds(dataset, year, window, target, **{"progress": False, "tries": 3, "longest_wait": 2.5} | options)


def refused(target, kind, *words, **options):
    """Text of the error: one line, of this kind, with these words and without the key; no file is left behind."""
    with pytest.raises(kind) as failure:
        get(target, **options)
    shown = "".join(traceback.format_exception(failure.value))
    text = str(failure.value)
    assert type(failure.value) is kind and "\n" not in text and TOKEN not in shown
    assert all(word in text for word in words), text
    assert not target.exists() and not list(target.parent.glob("*.part")) + list(target.parent.glob("*.new"))
    return text


def posts(server):
    return [r for r in server.log if r.path.endswith("/execution")]


# ---- what is asked


@pytest.mark.parametrize("dataset, process, fields", [
    ("era5_monthly", "reanalysis-era5-single-levels-monthly-means", ERA5),
    ("era5_land_monthly", "reanalysis-era5-land-monthly-means", ERA5),
    ("esa_cci_land_cover_cds", "satellite-land-cover", LAND_COVER),
    ("c3s_land_cover", "satellite-land-cover", LAND_COVER | {"year": ["2016"], "version": ["v2_1_1"]}),
    ("lai_c3s_v1", "satellite-lai-fapar", LAI),
])  # fmt: skip
def test_the_request_that_arrives_is_the_forms_with_the_year_filled_in(server, target, dataset, process, fields):
    assert get(target, dataset, int(fields["year"][0])) == target
    assert server.asked == [(process, {"inputs": fields})]


# Crete: 23.51 to 26.32 E, 34.8 to 35.7 N, widened to whole cells and one more, in the order N, W, S, E.
# 0.25: 35.75 + 0.25, 23.5 - 0.25, 34.75 - 0.25, 26.5 + 0.25. 0.1: 35.7 and 34.8 are edges: 35.7 + 0.1, 23.5 - 0.1,
# 34.8 - 0.1, 26.4 + 0.1. 1/360: 35.7 = 12852, 34.8 = 12528, 23.51 = 8463.6, 26.32 = 9475.2 cells: 12853, 8462, 12527,
# 9477. 1/112: 3998.4, 2633.12, 3897.6, 2947.84 cells: 4000, 2632, 3896, 2949.
@pytest.mark.parametrize("dataset, area", [
    ("era5_monthly", [36.0, 23.25, 34.5, 26.75]),
    ("era5_land_monthly", [35.8, 23.4, 34.7, 26.5]),
    ("esa_cci_land_cover_cds", [35.702778, 23.505556, 34.797222, 26.325]),
    ("lai_c3s_v1", [35.714286, 23.5, 34.785714, 26.330357]),
])  # fmt: skip
def test_a_window_is_widened_to_whole_cells_and_one_more_as_north_west_south_east(server, target, dataset, area):
    get(target, dataset, window=CRETE)
    assert server.asked[0][1]["inputs"]["area"] == area


def test_an_area_ends_at_the_poles_and_the_date_line(server, target):
    get(target, window=(-180, -89.9, 180, 90))
    assert server.asked[0][1]["inputs"]["area"] == [90, -180, -90, 180]


def test_a_data_set_that_the_store_does_not_cut_is_asked_whole(server, target, tmp_path, monkeypatch):
    change_requests(tmp_path, monkeypatch, "era5_monthly", cell=None)
    get(target, window=CRETE)
    assert "area" not in server.asked[0][1]["inputs"]


def test_every_value_of_the_table_is_text_and_every_page_is_its_data_sets():
    def leaves(value):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part) if isinstance(part, list) else [part]

    for entry in read_cds_requests().values():  # YAML reads 00:00 and 01 as numbers
        assert all(isinstance(leaf, str) for leaf in leaves(entry.request))
        assert f"/datasets/{entry.id}?" in entry.page


@pytest.mark.parametrize("options, words", [
    ({"dataset": "era6"}, ("era6: no request in", "c3s_land_cover")),
    ({"year": 1939}, ("era5_monthly 1939: the whole years of the CDS are 1940 to",)),
    ({"dataset": "c3s_land_cover", "year": 2023}, ("c3s_land_cover 2023:", "2016 to 2022")),
    ({"year": datetime.date.today().year}, ("whole years",)),
    ({"window": (10, 40, 5, 45)}, ("window (10, 40, 5, 45)", "west, south, east, north")),
    ({"window": (170, 40, 190, 45)}, ("within -180 to 180",)),
])  # fmt: skip
def test_what_the_store_cannot_have_is_refused_before_anything_is_asked(server, target, options, words):
    refused(target, ValueError, *words, **options)
    assert server.log == []


# ---- what is kept


def test_a_finished_file_is_not_asked_for_again(server, target):
    get(target)
    assert target.read_bytes() == server.pages[FILE].body and [p.name for p in target.parent.iterdir()] == [target.name]
    server.log.clear()
    assert get(target) == target and server.log == []


def test_a_finished_file_needs_no_key(server, target, home):
    get(target)
    (home / ".cdsapirc").unlink()
    assert get(target) == target


@pytest.mark.parametrize("body", [HDF, CDF])
def test_netcdf_alone_in_an_archive_is_unpacked(server, target, body):
    name = "C3S-LC-L4-LCCS-Map-300m-P1Y-2016-v2.1.1.area-subset.36.27.34.23.nc"
    server.pages[FILE].body = make_zip({name: body})
    assert get(target, "c3s_land_cover", 2016).read_bytes() == body
    assert [p.name for p in target.parent.iterdir()] == [target.name]


def test_an_archive_of_several_files_stays_as_it_is(server, target):
    two = {f"data_stream-moda_stepType-{kind}.nc": HDF for kind in ("avgua", "avgad")}
    server.pages[FILE].body = make_zip(two)
    with zipfile.ZipFile(get(target)) as bundle:
        assert sorted(bundle.namelist()) == sorted(two)


PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize("body", [
    PAGE, b'{"title": "gone"}', b"", make_zip({"readme.txt": b"sorry"}), make_zip({"a.nc": PAGE}),
    make_zip({"a.nc": HDF})[:-30],
], ids=["page", "json", "empty", "text", "page inside", "cut archive"])  # fmt: skip
def test_what_is_no_netcdf_is_set_aside_and_said(server, target, body):
    server.pages[FILE].body = body
    bad = target.with_name("era5_monthly_2000.nc.bad")
    refused(target, ValueError, "era5_monthly 2000: the CDS sent", f"{len(body)} bytes", repr(body[:20])[:-1], str(bad))
    assert bad.read_bytes() == body
    server.pages[FILE].body = HDF
    assert get(target).read_bytes() == HDF  # the next call asks again


def test_a_web_page_of_another_size_than_announced_is_called_so_too(server, target):
    server.pages[FILE].body, server.size = PAGE, 123456
    refused(target, ValueError, "<!DOCTYPE html>", "no NetCDF")
    assert target.with_name("era5_monthly_2000.nc.bad").read_bytes() == PAGE


def test_a_full_disk_is_said_in_one_line(server, target, monkeypatch):
    server.pages[FILE].body = make_zip({"a.nc": HDF})

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    with pytest.raises(OSError, match=f"era5_monthly 2000: the disk of {target.parent} is full") as failure:
        get(target)
    assert failure.value.errno == errno.ENOSPC and "\n" not in str(failure.value)
    assert list(target.parent.iterdir()) == []


# ---- the key


@pytest.mark.parametrize("text", [None, "", "url: https://x/api\n", f"key: {TOKEN}\n", "url:\nkey:\n"])
def test_missing_credentials_are_said_before_anything_is_asked(server, target, home, text):
    (home / ".cdsapirc").unlink()
    if text is not None:
        (home / ".cdsapirc").write_text(text)
    refused(target, PermissionError, "era5_monthly 2000", "~/.cdsapirc", "CDSAPI_URL and CDSAPI_KEY",
            "https://cds.climate.copernicus.eu/profile", "'url: https://cds.climate.copernicus.eu/api'",
            "'key: <token>'")  # fmt: skip
    assert server.log == [] and not target.parent.exists()


@pytest.mark.parametrize("path, key", [("/api/v2", TOKEN), ("/api", f"12345:{TOKEN}")])
def test_credentials_of_the_old_store_are_said_before_anything_is_asked(server, target, monkeypatch, path, key):
    monkeypatch.setenv("CDSAPI_URL", server.url(path))
    monkeypatch.setenv("CDSAPI_KEY", key)
    refused(target, PermissionError, "are of the old store", "'key: <token>'")
    assert server.log == []


def test_credentials_of_the_environment_are_enough(server, target, home, monkeypatch):
    (home / ".cdsapirc").unlink()
    monkeypatch.setenv("CDSAPI_URL", server.url("/api/"))
    monkeypatch.setenv("CDSAPI_KEY", TOKEN)
    assert get(target) == target


def test_an_unknown_key_is_said_without_it(server, target, home):
    (home / ".cdsapirc").write_text(f"url: {server.url('/api')}\nkey: not-{TOKEN}\n")
    refused(target, PermissionError, "does not know the key", "401", "operation not allowed", "/profile")


def test_the_key_is_in_no_line_even_where_the_server_repeats_it(server, target, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    echo = problem(400, "invalid request", detail=f"PRIVATE-TOKEN: {TOKEN}")
    server.faults = {"job": [(503, {}, b"")], "results": [echo]}
    text = refused(target, ValueError, "PRIVATE-TOKEN: <key>", progress=True)
    server.pages[FILE].body = f"<html>{TOKEN}".encode()
    refused(target, ValueError, "<html><key>", progress=True)
    shown = capfd.readouterr()
    assert "invalid request" in text and TOKEN not in caplog.text + shown.err + shown.out


# ---- refusals and faults


@pytest.mark.parametrize("dataset", read_cds_requests())
def test_licences_that_are_not_accepted_are_named_with_their_page(server, target, dataset):
    server.accepted = False
    entry = read_cds_requests()[dataset]
    year = entry.years[0]
    page = f"https://cds.climate.copernicus.eu/datasets/{entry.id}?tab=download#manage-licences"
    refused(target, PermissionError, f"{dataset} {year}: licences are not accepted", page, dataset=dataset, year=year)


def test_a_request_that_is_too_large_is_not_mistaken_for_a_licence(server, target):
    text = "Your request is too large, please reduce your selection."
    server.faults["execution"] = [problem(403, "cost limits exceeded", detail=text)]
    assert "licences are not" not in refused(target, ValueError, "cost limits exceeded", text)


def change_requests(tmp_path, monkeypatch, dataset, **fields):
    table = yaml.safe_load(cds.REQUESTS.read_text())
    table[dataset] |= fields
    (tmp_path / "cds_requests.yml").write_text(yaml.safe_dump(table))
    monkeypatch.setattr(cds, "REQUESTS", tmp_path / "cds_requests.yml")


def test_a_version_with_dots_is_refused_by_the_store_and_the_table_named(server, target, tmp_path, monkeypatch):
    request = {"variable": "all", "year": ["{year}"], "version": ["v2.1.1"]}
    change_requests(tmp_path, monkeypatch, "c3s_land_cover", request=request)
    refused(target, ValueError, "c3s_land_cover 2016: the CDS refuses the request", "400", "valid combination",
            "cds_requests.yml", "datasets/satellite-land-cover", dataset="c3s_land_cover", year=2016)  # fmt: skip


def test_a_misspelt_field_of_the_table_is_refused(tmp_path, monkeypatch):
    change_requests(tmp_path, monkeypatch, "c3s_land_cover", cells=1)
    with pytest.raises(TypeError, match="cells"):
        read_cds_requests()


def test_a_data_set_that_is_gone_is_said(server, target):
    server.processes.clear()
    refused(target, ValueError, "era5_monthly 2000", "404", "not found", "reanalysis-era5-single-levels-monthly-means")


@pytest.mark.parametrize("state", ["failed", "rejected"])
def test_a_job_that_fails_says_why(server, target, state):
    server.states = ["accepted", state]
    refused(target, ValueError, "era5_monthly 2000: the job failed", "MarsNoDataError MARS returned no data")


def test_a_job_that_was_dismissed_is_said(server, target):
    server.states = ["dismissed"]
    refused(target, ValueError, "era5_monthly 2000: the job failed", "dismissed")


def test_the_queue_is_waited_for_with_growing_pauses_and_told_in_a_line_a_state(server, target, naps, lines):
    server.states = ["accepted", "accepted", "running", "running", "successful"]
    get(target, progress=True)
    assert lines == [
        f"era5_monthly 2000: status has been updated to {s}" for s in ("accepted", "running", "successful")
    ]
    assert naps == [1.0, 1.5, 2.25, 2.5]  # the client's own steps, up to longest_wait


def test_a_new_try_is_told(server, target, lines):
    server.faults["execution"] = [(503, {}, b"")]
    get(target, progress=True)
    assert lines[0] == "era5_monthly 2000: Recovering from HTTP error [503 Service Unavailable], attempt 1 of 3"
    assert lines[1] == "era5_monthly 2000: Retrying in 2.5 seconds" and len(lines) == 3


@pytest.mark.parametrize("severity, told", [("info", False), ("warning", True), ("error", True)])
def test_warnings_of_the_store_are_told_and_its_news_are_not(server, target, lines, severity, told):
    server.faults["news"] = [(200, {}, {"messages": [{"content": "The store\ncloses", "severity": severity}]})]
    get(target, progress=True)
    assert ("era5_monthly 2000: The store closes" in lines) == told and len(lines) == 1 + told


def test_without_progress_nothing_is_said(server, target, capfd):
    server.faults["job"] = [(503, {}, b"")]
    get(target)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("step, status", [
    ("news", 503), ("process", 503), ("execution", 500), ("execution", 429), ("job", 503), ("results", 503),
])  # fmt: skip
def test_a_passing_failure_at_any_step_is_tried_again(server, target, naps, step, status):
    server.faults[step] = [(status, {}, b"")]
    assert get(target) == target and naps == [2.5] and len(server.asked) == 1


def test_the_wait_that_the_server_asks_for_is_kept(server, target, naps):
    server.faults["execution"] = [(429, {"Retry-After": "17"}, b"")]
    assert get(target) == target and naps == [17] and [r.status for r in posts(server)] == [429, 201]


def test_a_server_that_stays_away_is_given_up_after_the_tries(server, target, naps):
    server.faults["execution"] = [(503, {}, b"")] * 9
    refused(target, ConnectionError, "era5_monthly 2000", "503", "run again")
    assert len(posts(server)) == 3 and naps == [2.5, 2.5]


def test_no_server_at_all_is_said(server, target, monkeypatch):
    server.shutdown()
    server.server_close()
    refused(target, ConnectionError, "era5_monthly 2000", server.url("/api"), "run again")
    server.shutdown = server.server_close = lambda: None


def test_a_page_in_place_of_an_answer_is_said(server, target):
    server.faults["process"] = [(200, {}, PAGE)]
    refused(target, ConnectionError, "era5_monthly 2000", server.url("/api"), "did not give the file")


def test_a_download_that_breaks_off_is_continued(server, target):
    mebi = 1 << 20  # the client writes whole pieces of 1 MiB
    server.pages[FILE].body = HDF + bytes(3 * mebi)
    server.pages[FILE].cuts = [mebi + 5, mebi + 5]
    get(target)
    assert [r.range for r in server.requests(FILE)] == [None, f"bytes={mebi}-", f"bytes={2 * mebi}-"]
    assert target.read_bytes() == server.pages[FILE].body


def test_a_download_that_keeps_breaking_off_is_said(server, target):
    server.pages[FILE].cuts = [30_000] * 3
    refused(target, ConnectionError, "era5_monthly 2000", "did not give the file", "run again")


def test_a_file_that_is_gone_is_said(server, target):
    server.pages[FILE].statuses = [(404, {})]
    refused(target, ConnectionError, "era5_monthly 2000", "0 byte(s) out of")


def test_a_certificate_that_cannot_be_verified_is_said_and_the_setting_named(
    home, naps, target, certificates, monkeypatch, tmp_path  # noqa: F811
):  # fmt: skip
    with CdsServer(certificates / "leaf.pem", certificates / "leaf.key") as store:
        (home / ".cdsapirc").write_text(f"url: {store.url('/api')}\nkey: {TOKEN}\nverify: 0\n")
        refused(target, ConnectionError, "era5_monthly 2000: the certificate", "REQUESTS_CA_BUNDLE")
        assert store.log == [] and naps == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "bundle.pem"))
        assert get(target) == target


def test_the_file_of_the_key_is_left_alone(server, target, home):
    (home / ".cdsapirc").chmod(0o600)
    before = (home / ".cdsapirc").read_bytes()
    get(target)
    assert (home / ".cdsapirc").read_bytes() == before and stat.S_IMODE((home / ".cdsapirc").stat().st_mode) == 0o600
