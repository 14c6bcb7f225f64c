"""Downloads from a local server that behaves, and misbehaves, like the publishers'. No network."""

import csv
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_geotiff
from publisher import Publisher
from tiny_run import tiny_land_use

import ai4land
from ai4land.sources import archive, download, fetch, hosts, registry
from ai4land.sources.download import ResumingDownloader
from ai4land.sources.inputs import missing_inputs
from ai4land.sources.supply import fetch_missing

BODY = np.random.default_rng(0).bytes(300_000)
STATIC = "/LUH2/LUH2_v2h/staticData_quarterdeg.nc"
ROW = {"reader": "", "version": "1", "mirrors": "", "doi": "", "hash": "", "bytes": "", "licence": "CC-BY-4.0",
       "access": "open", "citation": "", "title": "A title"}  # fmt: skip
LUH2 = {"pattern": r"staticData_quarterdeg\.nc"}
HILDA = {"pattern": r"hilda_plus_states_(?P<year>\d{4})_GLOB-v2_wgs84\.tif"}


pytestmark = pytest.mark.usefixtures("direct")


@pytest.fixture
def rows(monkeypatch):
    """Registry of the test: a dict of rows by data set."""
    table = {}
    monkeypatch.setattr(registry, "read_registry", lambda: pd.DataFrame.from_dict(table, orient="index"))
    return table


@pytest.fixture
def get(tmp_path):
    """`fetch` to tmp_path/raw with tmp_path/hashes.lock, without waits."""

    def call(dataset, waits=(0, 0, 0), **options):
        getter = ResumingDownloader(False, waits, **{"timeout": 5} | options)
        return fetch.fetch(dataset, tmp_path / "raw", tmp_path / "hashes.lock", False, getter)

    return call


def md5(body):
    return "md5:" + hashlib.md5(body).hexdigest()


def luh2(server, rows, *mirrors, body=BODY, **row):
    rows["luh2_static"] = ROW | LUH2 | {"url": server.url(STATIC), "mirrors": " ".join(mirrors)} | row
    return server.add(STATIC, body)


def ranges(server, path=STATIC):
    return [r.range for r in server.requests(path)]


def leftovers(tmp_path):
    return sorted(p.name for p in (tmp_path / "raw").rglob("*") if p.suffix in (".part", ".json", ".lock", ".new"))


def pinned(tmp_path):
    with (tmp_path / "hashes.lock").open() as stream:
        return list(csv.reader(stream))


def test_a_file_arrives_once_under_its_name_with_an_honest_agent_and_leaves_nothing_else(server, rows, get, tmp_path):
    luh2(server, rows, hash=md5(BODY))
    target = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc"
    assert get("luh2_static") == get("luh2_static") == [target]
    assert target.read_bytes() == BODY and leftovers(tmp_path) == []
    assert len(server.log) == 1 and server.log[0].agent == f"ai4land/{ai4land.__version__}"
    assert not (tmp_path / "hashes.lock").exists()  # the publisher's hash is enough


def test_a_query_in_the_address_is_no_part_of_the_name(server, rows, get):
    server.add("/GEBCO_2025.nc", BODY)
    rows["gebco"] = ROW | {"pattern": r"GEBCO_2025\.nc", "url": server.url("/GEBCO_2025.nc?download=1")}
    assert [p.name for p in get("gebco")] == ["GEBCO_2025.nc"]
    assert server.log[0].path == "/GEBCO_2025.nc?download=1"


def test_the_first_download_without_a_hash_is_pinned_and_later_ones_must_match(server, rows, get, tmp_path):
    page = luh2(server, rows)
    (path,) = get("luh2_static")
    digest = hashlib.sha256(BODY).hexdigest()
    table = [["dataset", "file", "sha256", "bytes"], ["luh2_static", path.name, digest, "300000"]]
    assert pinned(tmp_path) == table
    path.unlink()
    page.body, page.etag = BODY[::-1], '"2"'
    with pytest.raises(ValueError, match=f"{hashlib.sha256(BODY[::-1]).hexdigest()}.*hashes.lock is {digest}"):
        get("luh2_static")
    assert pinned(tmp_path) == table and not path.exists()


def test_the_lock_file_is_sorted_and_keeps_the_rows_of_others(server, rows, get, tmp_path):
    for name in ("b", "a", "c"):
        server.add(f"/{name}.nc", name.encode())
        rows[name] = ROW | {"pattern": rf"{name}\.nc", "url": server.url(f"/{name}.nc")}
        get(name)
    assert [row[0] for row in pinned(tmp_path)] == ["dataset", "a", "b", "c"]
    assert [p.name for p in tmp_path.iterdir()].count("hashes.lock") == len(list(tmp_path.glob("hashes.lock*"))) == 1


def test_wrong_content_names_both_hashes_and_what_was_there_stays(server, rows, get, tmp_path):
    luh2(server, rows, hash=md5(b"right"), body=b"wrong")
    old = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"before")
    with pytest.raises(
        ValueError, match=rf"md5 is {md5(b'wrong')[4:]}, the publisher's is {md5(b'right')[4:]}.*aside as .*nc\.bad"
    ):
        get("luh2_static")
    assert old.read_bytes() == b"before" and leftovers(tmp_path) == []
    assert old.with_name("staticData_quarterdeg.nc.bad").read_bytes() == b"wrong"
    server.pages[STATIC].body = b"right"
    assert get("luh2_static") == [old] and old.read_bytes() == b"right"


def test_a_size_other_than_the_published_one_is_refused(server, rows, get):
    luh2(server, rows, bytes="300001")
    with pytest.raises(ValueError, match="300000 bytes, the publisher's size is 300001"):
        get("luh2_static")


def test_a_file_with_the_published_hash_that_is_there_touches_no_network(server, rows, get, tmp_path):
    luh2(server, rows, hash=md5(BODY))
    target = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc"
    target.parent.mkdir(parents=True)
    target.write_bytes(BODY)
    assert get("luh2_static") == [target] and server.log == []


def test_a_cut_connection_is_continued_where_it_ended(server, rows, get):
    luh2(server, rows, hash=md5(BODY)).cuts = [100_000, 50_000]
    get("luh2_static")
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]
    assert {r.if_range for r in server.log[1:]} == {'"1"'}


def test_a_download_that_failed_is_continued_by_the_next_call(server, rows, get, tmp_path):
    luh2(server, rows).cuts = [100_000]
    with pytest.raises(ConnectionError, match=r"100000 bytes read|100000 of 300000 bytes"):
        get("luh2_static", waits=())
    assert leftovers(tmp_path) == ["staticData_quarterdeg.nc.part", "staticData_quarterdeg.nc.part.json"]
    assert get("luh2_static")[0].read_bytes() == BODY and ranges(server)[1] == "bytes=100000-"


def test_many_cuts_are_no_failure_as_long_as_each_try_brings_bytes(server, rows, get):
    luh2(server, rows, hash=md5(BODY)).cuts = [30_000] * 9
    get("luh2_static", waits=(0,))
    assert len(server.log) == 10


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_in_between_is_started_anew(server, rows, get, if_range):
    page = luh2(server, rows)
    page.cuts, page.if_range = [100_000], if_range
    with pytest.raises(ConnectionError):
        get("luh2_static", waits=())
    page.body, page.etag = BODY[::-1], '"2"'
    assert get("luh2_static")[0].read_bytes() == BODY[::-1]


def test_a_weak_etag_is_no_proof_and_the_date_is_used(server, rows, get):
    page = luh2(server, rows)
    page.etag, page.modified, page.cuts = 'W/"1"', "Fri, 14 Oct 2016 00:00:00 GMT", [100_000]
    get("luh2_static")
    assert server.log[1].range == "bytes=100000-" and server.log[1].if_range == page.modified


def test_another_size_shows_a_changed_file_where_the_server_gives_no_validator(server, rows, get):
    page = luh2(server, rows)
    page.etag, page.cuts = None, [100_000]
    with pytest.raises(ConnectionError):
        get("luh2_static", waits=())
    page.body = BODY[::-1] + b"more"
    assert get("luh2_static")[0].read_bytes() == page.body
    assert ranges(server) == [None, "bytes=100000-", None]


def test_pieces_that_make_a_wrong_whole_are_fetched_anew(server, rows, get):
    page = luh2(server, rows, hash=md5(BODY))
    page.etag, page.cuts, page.body = None, [100_000], BODY[::-1]
    with pytest.raises(ConnectionError):
        get("luh2_static", waits=())
    page.body = BODY  # same size and no validator: only the hash shows that the beginning is of another file
    assert get("luh2_static")[0].read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_server_without_ranges_sends_all_again(server, rows, get):
    page = luh2(server, rows, hash=md5(BODY))
    page.cuts, page.ranges = [100_000], False
    assert get("luh2_static")[0].read_bytes() == BODY
    assert [r.status for r in server.log] == [200, 200]


def test_a_server_without_ranges_that_always_breaks_off_is_given_up(server, rows, get):
    page = luh2(server, rows)
    page.cuts, page.ranges = [100_000] * 20, False
    with pytest.raises(ConnectionError, match="run again"):
        get("luh2_static", waits=(0, 0))
    assert len(server.log) == 3  # the first, and one after each wait


def test_a_part_that_is_whole_is_not_fetched_again(server, rows, get, tmp_path):
    luh2(server, rows, hash=md5(BODY))
    part = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY)
    state = {"url": server.url(STATIC), "total": len(BODY), "ETag": '"1"', "Last-Modified": None}
    part.with_name(part.name + ".json").write_text(json.dumps(state))
    assert get("luh2_static")[0].read_bytes() == BODY
    assert [r.status for r in server.log] == [416]


def test_a_part_longer_than_the_file_is_started_anew(server, rows, get, tmp_path):
    luh2(server, rows, hash=md5(BODY))
    part = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY + b"more")
    state = {"url": server.url(STATIC), "total": len(BODY), "ETag": '"1"', "Last-Modified": None}
    part.with_name(part.name + ".json").write_text(json.dumps(state))
    assert get("luh2_static")[0].read_bytes() == BODY
    assert [r.status for r in server.log] == [416, 200]


@pytest.mark.parametrize("state", [None, "{", '{"url": "http://another/", "total": 9}'])
def test_a_part_of_unknown_origin_is_not_continued(server, rows, get, tmp_path, state):
    luh2(server, rows)
    part = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"rubbish")
    if state:
        part.with_name(part.name + ".json").write_text(state)
    assert get("luh2_static")[0].read_bytes() == BODY and ranges(server) == [None]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server, rows, get, status):
    luh2(server, rows).statuses = [(status, {}), (status, {})]
    get("luh2_static")
    assert [r.status for r in server.log] == [status, status, 200]


def test_tries_end_with_one_line_that_counts_them(server, rows, get):
    luh2(server, rows).statuses = [(503, {})] * 9
    with pytest.raises(ConnectionError, match=r"answered 503 Service Unavailable; tried 4 times") as failure:
        get("luh2_static")
    assert len(server.log) == 4 and "\n" not in str(failure.value)


def test_waits_grow_and_retry_after_is_honoured_as_seconds_and_as_a_date(server, rows, get, monkeypatch):
    slept = []
    monkeypatch.setattr(download.time, "sleep", slept.append)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    busy = [(503, {}), (429, {"Retry-After": "7"}), (429, {"Retry-After": date}), (429, {"Retry-After": "0"})]
    luh2(server, rows).statuses = busy
    get("luh2_static", waits=(1, 2, 3, 4))
    assert slept[:2] == [1, 7] and 27 < slept[2] <= 30 and slept[3] == 4


def test_a_server_that_asks_for_hours_is_left_for_the_mirror(server, rows, get, monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: pytest.fail(f"waits for {seconds} s"))
    luh2(server, rows, server.url("/mirror/staticData_quarterdeg.nc")).statuses = [(429, {"Retry-After": "7200"})]
    server.add("/mirror/staticData_quarterdeg.nc", BODY)
    assert get("luh2_static")[0].read_bytes() == BODY and len(server.log) == 2


def test_a_server_that_falls_silent_is_given_up_and_continued(server, rows, get):
    luh2(server, rows).stalls = [(131_072, 20)]
    began = time.monotonic()
    assert get("luh2_static", timeout=0.3)[0].read_bytes() == BODY
    assert time.monotonic() - began < 5 and ranges(server) == [None, "bytes=131072-"]


def test_nobody_listening_is_one_line(rows, get):
    rows["luh2_static"] = ROW | LUH2 | {"url": "http://127.0.0.1:9/staticData_quarterdeg.nc"}
    with pytest.raises(
        ConnectionError, match="luh2_static: not downloaded. http://127.0.0.1:9/.*tried 4 times"
    ) as failure:
        get("luh2_static")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("between", [" ", ";", " ; "])
def test_a_refusal_goes_to_the_next_mirror_at_once(server, rows, get, status, between):
    luh2(server, rows).statuses = [(status, {})]
    rows["luh2_static"]["mirrors"] = between.join(server.url(f"/{m}/staticData_quarterdeg.nc") for m in "ab")
    server.add("/b/staticData_quarterdeg.nc", BODY)
    assert get("luh2_static")[0].read_bytes() == BODY
    assert [r.status for r in server.log] == [status, 404, 200]


def test_a_mirror_with_wrong_content_is_passed_over(server, rows, get):
    luh2(server, rows, server.url("/mirror/staticData_quarterdeg.nc"), hash=md5(BODY)).body = b"wrong"
    server.add("/mirror/staticData_quarterdeg.nc", BODY)
    assert get("luh2_static")[0].read_bytes() == BODY


def test_every_failure_of_every_mirror_is_named(server, rows, get):
    luh2(server, rows, server.url("/gone/staticData_quarterdeg.nc")).statuses = [(403, {})]
    with pytest.raises(ConnectionError, match=r"_v2h/static.*answered 403 Forbidden; .*/gone/.*answered 404 Not Found"):
        get("luh2_static")


def test_a_mirror_with_a_name_of_its_own_is_pinned_by_that_name(server, rows, get, tmp_path):
    own = "multiple-states_gn_0850-2015.nc"
    server.add(f"/esgf/{own}", BODY)
    urls = {"url": server.url("/states.nc"), "mirrors": server.url(f"/esgf/{own}")}
    rows["luh2_v2h_states"] = ROW | {"pattern": rf"states\.nc|{own}"} | urls
    assert [p.name for p in get("luh2_v2h_states")] == [own] and pinned(tmp_path)[1][1] == own
    count = len(server.log)
    assert [p.name for p in get("luh2_v2h_states")] == [own] and len(server.log) == count


def test_a_redirect_is_followed_also_for_the_rest(server, rows, get):
    page = luh2(server, rows)
    page.redirect = "/store/42?signature=x"
    server.add("/store/42", BODY, cuts=[100_000])
    assert get("luh2_static")[0].read_bytes() == BODY
    assert ranges(server, "/store/42") == [None, "bytes=100000-"]


def test_a_server_that_wants_an_agent_gets_the_one_given(server, rows, get):
    luh2(server, rows).agent = "Mozilla"
    with pytest.raises(ConnectionError, match="answered 403 Forbidden"):
        get("luh2_static")
    get("luh2_static", headers={"User-Agent": "Mozilla/5.0"})
    assert [r.agent[:7] for r in server.log] == ["ai4land", "Mozilla"]


def test_a_web_page_is_not_taken_for_the_file(server, rows, get, tmp_path):
    luh2(server, rows).kind = "text/html; charset=utf-8"
    with pytest.raises(ConnectionError, match="a web page came in place of the file"):
        get("luh2_static")
    assert not (tmp_path / "hashes.lock").exists()


def test_a_body_without_a_length_is_read_to_its_end(server, rows, get):
    luh2(server, rows, hash=md5(BODY)).length = False
    assert get("luh2_static")[0].read_bytes() == BODY


def test_a_download_longer_than_the_free_space_is_not_begun(server, rows, get, monkeypatch, tmp_path):
    luh2(server, rows)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(OSError, match="the disk is full, 1 bytes are free .300000 bytes are still to come") as failure:
        get("luh2_static")
    assert failure.value.errno == errno.ENOSPC and "\n" not in str(failure.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_is_said_in_one_line(server, rows, get, tmp_path):
    luh2(server, rows)
    part = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(OSError, match="luh2_static: the disk is full.*make room and run again") as failure:
        get("luh2_static")
    assert failure.value.errno == errno.ENOSPC and "\n" not in str(failure.value) and len(server.log) == 1


@pytest.mark.parametrize("access", ["account", "manual"])
def test_what_needs_a_person_says_source_and_place_in_one_line(rows, get, tmp_path, access):
    rows["cci"] = ROW | {"pattern": r"cci\.nc", "url": "https://cds.example/cci", "access": access}
    with pytest.raises(FileNotFoundError, match=rf"access: {access}.*https://cds.example/cci.*raw/cci") as failure:
        get("cci")
    assert "\n" not in str(failure.value) and not (tmp_path / "raw").exists()


def test_an_address_that_is_a_folder_needs_a_person_too(rows, get):
    rows["soilgrids"] = ROW | {"pattern": r"sand\.tif", "url": "https://files.example/1000m/"}
    with pytest.raises(FileNotFoundError, match=r"https://files.example/1000m/.*sand"):
        get("soilgrids")


def test_a_row_whose_file_its_own_pattern_cannot_find_is_refused_before_the_download(server, rows, get):
    rows["odd"] = ROW | {"pattern": r"b\.nc", "url": server.url("/a.nc")}
    with pytest.raises(ValueError, match="odd: .*a.nc is no zip archive and not named b"):
        get("odd")
    assert server.log == []


def test_progress_shows_size_rate_and_remaining_time(server, rows, tmp_path, capfd):
    luh2(server, rows)
    fetch.fetch("luh2_static", tmp_path / "raw", tmp_path / "hashes.lock")
    shown = capfd.readouterr().err
    assert "staticData_quarterdeg.nc" in shown and "300k/300k" in shown and "B/s" in shown


def test_the_downloader_serves_pooch_too(server, tmp_path):
    import pooch

    server.add("/a.nc", BODY, cuts=[100_000])
    getter = ResumingDownloader(False, (0,))
    path = pooch.retrieve(server.url("/a.nc"), md5(BODY), fname="a.nc", path=tmp_path, downloader=getter)
    assert Path(path).read_bytes() == BODY and ranges(server, "/a.nc") == [None, "bytes=100000-"]


# ---- archives


def make_zip(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, body in members.items():
            bundle.writestr(name, body)
    return out.getvalue()


def hilda(server, rows, members, **row):
    path = "/dataset/974335/files/hildap_vGLOB-2.0_geotiff_wgs84.zip"
    rows["hilda_plus_v2"] = ROW | HILDA | {"url": server.url(path)} | row
    return server.add(path, make_zip(members))


def test_maps_of_the_publishers_archive_are_found_and_read(server, rows, get, tmp_path):
    tif = write_geotiff(tmp_path / "map.tif", np.full((4, 5), 44, np.uint8)).read_bytes()
    inside = "hildap_vGLOB-2.0_geotiff_wgs84"
    members = {f"{inside}/states/hilda_plus_states_{y}_GLOB-v2_wgs84.tif": tif for y in (1961, 1960)}
    page = hilda(server, rows, members | {f"{inside}/transitions/t_1960.tif": b"t", f"{inside}/Readme.md": b"r"})
    rows["hilda_plus_v2"] |= {"hash": md5(page.body), "bytes": str(len(page.body))}
    found = get("hilda_plus_v2")
    below = tmp_path / "raw" / "hilda_plus_v2"
    assert [p.relative_to(below).as_posix() for p in found] == sorted(members)
    assert all(p.read_bytes() == tif for p in found)
    assert sorted(p.name for p in below.rglob("*") if p.is_file()) == sorted(
        [*(p.name for p in found), "hildap_vGLOB-2.0_geotiff_wgs84.zip"]
    )
    found[0].write_bytes(b"cut short")
    assert get("hilda_plus_v2")[0].read_bytes() == tif and len(server.log) == 1  # unpacked again, not downloaded


def test_an_archive_without_a_zip_ending_is_known_by_its_content(server, rows, get):
    member = "1991_2020/koppen_geiger_0p00833333.tif"
    server.add("/files/61012822", redirect="/s3/koppen_geiger_tif.zip")
    server.add("/s3/koppen_geiger_tif.zip", make_zip({member: b"k", "1901_1930/koppen_geiger_0p00833333.tif": b"o"}))
    pattern = r"(.*/)?1991_2020/koppen_geiger_0p00833333\.tif"
    rows["koppen_beck_2023"] = ROW | {"pattern": pattern, "url": server.url("/files/61012822")}
    (path,) = get("koppen_beck_2023")
    assert path.as_posix().endswith(f"koppen_beck_2023/{member}") and path.read_bytes() == b"k"


NAME = "hilda_plus_states_1960_GLOB-v2_wgs84.tif"


@pytest.mark.parametrize("name", [f"../{NAME}", f"a/../../{NAME}", f"/tmp/{NAME}", f"..\\{NAME}"])
def test_a_member_that_leads_out_of_the_folder_is_refused(server, rows, get, tmp_path, name):
    hilda(server, rows, {f"good/{NAME}": b"good", name: b"evil"})
    with pytest.raises(ValueError, match="leads out of.*nothing was unpacked") as failure:
        get("hilda_plus_v2")
    assert "\n" not in str(failure.value)
    assert list(tmp_path.rglob("*.tif")) == [] and not Path("/tmp", NAME).exists()


def test_a_link_in_an_archive_is_refused(server, rows, get, tmp_path):
    link = zipfile.ZipInfo(f"states/{NAME}")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    hilda(server, rows, {link: b"../../../secret"})
    with pytest.raises(ValueError, match="is a link"):
        get("hilda_plus_v2")
    assert list(tmp_path.rglob("*.tif")) == []


def test_two_data_sets_of_one_archive_download_it_once(server, rows, get, tmp_path):
    members = {f"maps/{p}/koppen.tif": p.encode() for p in ("1901_1930", "1991_2020")}
    archive = {"url": server.url("/files/61012822")}
    server.add("/files/61012822", make_zip(members))
    for name, period in (("today", "1991_2020"), ("past", "1901_1930")):
        rows[name] = ROW | archive | {"pattern": rf"(.*/)?{period}/koppen\.tif"}
    assert [p.read_bytes() for n in ("today", "past") for p in get(n)] == [b"1991_2020", b"1901_1930"]
    assert len(server.log) == 1


def test_an_archive_without_the_wanted_files_says_what_it_holds(server, rows, get):
    hilda(server, rows, {"other/a.tif": b"a"})
    with pytest.raises(FileNotFoundError, match=r"no member is named hilda.*holds \['other/a.tif'\] of 1"):
        get("hilda_plus_v2")


def test_a_damaged_archive_without_a_known_hash_is_not_pinned(server, rows, get, tmp_path):
    page = hilda(server, rows, {NAME: BODY})
    good, page.body = page.body, page.body[:1000] + bytes(1000) + page.body[2000:]
    with pytest.raises(ValueError, match="no whole zip archive|is damaged"):
        get("hilda_plus_v2")
    page.body, page.etag = b"<html>", '"2"'
    with pytest.raises(ValueError, match="no whole zip archive"):
        get("hilda_plus_v2")
    assert not (tmp_path / "hashes.lock").exists()
    page.body = good
    assert get("hilda_plus_v2")[0].read_bytes() == BODY


def test_members_appear_together_or_not_at_all(server, rows, get, tmp_path, monkeypatch):
    hilda(server, rows, {f"hilda_plus_states_{y}_GLOB-v2_wgs84.tif": BODY for y in (1960, 1961)})
    copies, copy = [], shutil.copyfileobj

    def fail_at_the_second(source, sink, length):
        copies.append(sink)
        if len(copies) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, sink, length)

    monkeypatch.setattr(archive.shutil, "copyfileobj", fail_at_the_second)
    with pytest.raises(OSError, match="the disk is full"):
        get("hilda_plus_v2")
    assert list(tmp_path.rglob("*.tif")) == []
    monkeypatch.setattr(archive.shutil, "copyfileobj", copy)
    assert len(get("hilda_plus_v2")) == 2 and leftovers(tmp_path) == [] and len(server.log) == 1


# ---- runs


@pytest.fixture
def run():
    inputs = {"land_use": "hilda_plus_v2", "elevation": "gebco", "koppen": "koppen", "scenarios": {"ssp126": "luh2"}}
    run = tiny_land_use()
    return run.model_copy(update={"synthetic": False, "inputs": run.inputs.model_construct(**inputs)})


@pytest.fixture
def inputs(server, rows, run):
    """Registry and server of everything that ``run`` reads."""
    hilda(server, rows, {f"s/hilda_plus_states_{y}_GLOB-v2_wgs84.tif": b"map" for y in run.map_years})
    for name in ("gebco", "koppen", "luh2"):
        server.add(f"/{name}.nc", name.encode())
        rows[name] = ROW | {"pattern": rf"{name}\.nc", "url": server.url(f"/{name}.nc")}
    return rows


def lacking(run, tmp_path):
    return [need.dataset for need in missing_inputs(run, tmp_path / "raw")]


def fetch_run(run, tmp_path):
    getter = ResumingDownloader(False, (0, 0), timeout=5)
    return fetch_missing(run, tmp_path / "raw", tmp_path / "hashes.lock", False, getter)


def test_what_a_run_lacks_is_fetched_and_what_it_has_is_not_asked_for(server, inputs, run, tmp_path):
    cropped = tmp_path / "raw" / "mine" / "gebco.nc"
    cropped.parent.mkdir(parents=True)
    cropped.write_bytes(b"a window that suffices")
    assert lacking(run, tmp_path) == ["hilda_plus_v2", "koppen", "luh2"]
    assert len(fetch_run(run, tmp_path)) == len(run.map_years) + 2
    assert server.requests("/gebco.nc") == [] and lacking(run, tmp_path) == []
    count = len(server.log)
    assert fetch_run(run, tmp_path) == [] and len(server.log) == count


def test_a_year_that_no_map_has_makes_land_use_missing(server, inputs, run, tmp_path):
    fetch_run(run, tmp_path)
    next((tmp_path / "raw").rglob(f"hilda_plus_states_{run.map_years[1]}_*.tif")).unlink()
    assert lacking(run, tmp_path) == ["hilda_plus_v2"]
    count = len(server.log)
    fetch_run(run, tmp_path)  # from the archive that is there
    assert lacking(run, tmp_path) == [] and len(server.log) == count


def test_what_needs_a_person_is_said_before_anything_is_downloaded(server, inputs, run, tmp_path):
    inputs["luh2"]["access"] = "account"
    with pytest.raises(FileNotFoundError, match=r"luh2 \(A title\): no file named luh2.*Source:.*account"):
        fetch_run(run, tmp_path)
    assert server.log == []


def test_a_synthetic_run_never_reads_the_network(server, inputs, run, tmp_path):
    with pytest.raises(FileNotFoundError, match="no file named"):
        fetch_run(run.model_copy(update={"synthetic": True}), tmp_path)
    assert server.log == []


# ---- processes

SCRIPT = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
import pandas as pd
from ai4land.sources import fetch, registry
from ai4land.sources.download import ResumingDownloader
table = pd.DataFrame.from_dict(json.loads(sys.argv[1]), orient="index")
registry.read_registry = lambda: table
folder = Path(sys.argv[2])
fetch.fetch(table.index[0], folder / "raw", folder / "hashes.lock", False, ResumingDownloader(False, (0, 0)))
"""


def start(rows, tmp_path):
    command = [sys.executable, "-c", SCRIPT, json.dumps(rows), str(tmp_path)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)})


def test_a_download_killed_in_the_middle_is_continued(server, rows, get, tmp_path):
    page = luh2(server, rows, hash=md5(BODY))
    page.pace = (20_000, 0.2)
    process = start(rows, tmp_path)
    part = tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    arrived = part.stat().st_size
    assert 100_000 < arrived < len(BODY) and not part.with_suffix("").exists()
    page.pace = (1 << 20, 0)
    assert get("luh2_static")[0].read_bytes() == BODY
    assert ranges(server) == [None, f"bytes={arrived}-"] and leftovers(tmp_path) == []


def test_two_processes_at_once_download_one_file_once(server, rows, tmp_path):
    luh2(server, rows).pace = (50_000, 0.2)
    both = [start(rows, tmp_path) for _ in range(2)]
    assert [(p.communicate()[1], p.returncode) for p in both] == [(b"", 0)] * 2
    assert len(server.log) == 1 and leftovers(tmp_path) == []
    assert (tmp_path / "raw" / "luh2_static" / "staticData_quarterdeg.nc").read_bytes() == BODY


# ---- certificates


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Folder with root.pem, inner.pem (signed by root) and leaf.pem (signed by inner, for 127.0.0.1)."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make certificates with")
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    (folder / "leaf.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for name, signer in (("root", None), ("inner", "root"), ("leaf", "inner")):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]
        openssl(folder, "req", *key, "-new", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        extensions = ["-extfile", "leaf.ext" if name == "leaf" else "ca.ext", "-days", "2"]
        by = ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial"] if signer else []
        by = by or ["-signkey", "root.key"]
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *by, *extensions, "-out", f"{name}.pem")
    (folder / "bundle.pem").write_text((folder / "root.pem").read_text() + (folder / "inner.pem").read_text())
    return folder


@pytest.fixture
def incomplete(certificates):
    """A server that, like luh.umd.edu, does not send the certificate between its own and the root."""
    with Publisher(certificates / "leaf.pem", certificates / "leaf.key") as publisher:
        yield publisher


@pytest.mark.parametrize("trusted", [None, "root.pem"])
def test_an_incomplete_chain_is_refused_and_the_setting_named(incomplete, certificates, rows, get, trusted):
    luh2(incomplete, rows)
    with pytest.raises(
        ConnectionError, match="certificate of 127.0.0.1.*`certificates`.*REQUESTS_CA_BUNDLE"
    ) as failure:
        get("luh2_static", certificates=trusted and certificates / trusted)
    assert "\n" not in str(failure.value) and "tried" not in str(failure.value) and incomplete.log == []


@pytest.mark.parametrize("setting", ["certificates", "data/hosts.csv", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_missing_certificate_can_be_given(incomplete, certificates, rows, get, monkeypatch, setting):
    luh2(incomplete, rows)
    bundle = certificates / "bundle.pem"
    if setting == "certificates":
        get("luh2_static", certificates=bundle)
    elif setting == "data/hosts.csv":
        (certificates / "certificates").mkdir()
        shutil.copy(bundle, certificates / "certificates" / "here.pem")
        table = pd.DataFrame({"user_agent": ["Mozilla/5.0"], "certificates": ["here.pem"]}, ["127.0.0.1"])
        monkeypatch.setattr(hosts, "DATA", certificates)
        monkeypatch.setattr(hosts, "_hosts", lambda: table)
        get("luh2_static")
        assert incomplete.log[0].agent == "Mozilla/5.0"
    else:
        monkeypatch.setenv(setting, str(bundle))
        get("luh2_static")
    assert [r.status for r in incomplete.log] == [200]


def test_an_expired_certificate_is_refused_and_called_so(certificates, rows, get):
    signed = ["-CA", "inner.pem", "-CAkey", "inner.key", "-CAcreateserial", "-extfile", "leaf.ext", "-days", "-1"]
    try:
        openssl(certificates, "x509", "-req", "-in", "leaf.csr", *signed, "-out", "expired.pem")
    except subprocess.CalledProcessError:
        pytest.skip("this openssl makes no certificate that has expired")
    with Publisher(certificates / "expired.pem", certificates / "leaf.key") as publisher:
        luh2(publisher, rows)
        with pytest.raises(ConnectionError, match="certificate has expired"):
            get("luh2_static", certificates=certificates / "bundle.pem")
        assert publisher.log == []


def test_a_refused_certificate_goes_to_the_mirror(incomplete, server, rows, get):
    luh2(incomplete, rows, server.url(STATIC), hash=md5(BODY))
    server.add(STATIC, BODY)
    assert get("luh2_static")[0].read_bytes() == BODY
