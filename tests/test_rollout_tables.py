import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import confusion_matrix

from ai4land import plot
from ai4land.evaluate import (
    areas_by_year,
    calibration_by_lead,
    changes_by_year,
    count_calibration,
    count_maps,
    counts_with_keys,
    drift_table,
    join_table,
    null_resolutions,
    patch_sizes,
    read_annual,
    rollout_annual,
    score_run,
    texture_by_year,
    transition_table,
)
from ai4land.evaluate.texture import ANNUAL_COLUMNS
from ai4land.grid import Grid
from ai4land.legend import read_legend
from ai4land.runs import Run

STEP = {"stepwise": True, "coarse": "luh2", "trained_as": "forecast"}


@pytest.fixture
def run():
    """Maps of 2000 to 2012; a rollout forward with two members and one without allocation, and one backward."""
    return Run(
        name="r", title="t", source="s", regions=("crete",), years=(2000, 2012),
        inputs={"land_use": "a", "elevation": "b", "koppen": "c", "luh2": "d"},
        experiments={
            "forecast": {"start": 2006, "train": (2000, 2004), "validation": (2005, 2006), "test": (2007, 2012)},
            "ahead": {"start": 2006, "test": (2007, 2012), "members": 2, **STEP},
            "free": {"start": 2006, "test": (2007, 2012), "allocation": False, **STEP},
            "behind": {"start": 2003, "train": (2004, 2010), "validation": (2011, 2012), "test": (2000, 2002)},
            "back": {"start": 2003, "test": (2000, 2002), **STEP, "trained_as": "behind"},
        },
    )  # fmt: skip


GRID = Grid(40.0, 20.0, 0.01, 0.01, 50, 50)


def field(maps):
    return xr.DataArray(np.stack([*maps.values()]), {"time": [*maps], **GRID.coords()}, ("time", "lat", "lon"))


@pytest.fixture
def annual(run):
    """Each year 50 cells of forest become cropland, from the north; rollouts keep the start map, draws change more."""
    seen = {}
    for year in range(2000, 2013):
        m = np.full((50, 50), 4, np.uint8)
        m[: year - 1999] = 2
        m[:, 0] = 0
        seen[year] = m
    rolled = {("ahead", k): {y: seen[min(2012, y + k)] for y in range(2007, 2013)} for k in (0, 1)}
    rolled["free", 0] = {y: seen[2006] for y in range(2007, 2013)}
    rolled["back", 0] = {y: seen[2003] for y in (2002, 2001, 2000)}
    fraction = np.zeros((20, 8, 2, 2), np.float32)
    fraction[:, 2] = np.linspace(0.1, 0.29, 20)[:, None, None]  # LUH2's cropland gains 1 % of the cell a year
    fraction[:, 4] = 0.7 - fraction[:, 2]
    luh2 = {"ahead": dict(zip(range(1995, 2015), fraction, strict=True))}
    return rollout_annual(run, field(seen), {key: field(maps) for key, maps in rolled.items()}, luh2)


def test_annual_counts_hold_every_series_with_the_start_map_and_luh2_in_its_years_only(annual):
    years = annual.groupby(["experiment", "model", "member"])["year"].agg(["min", "max"])
    assert {k: tuple(v) for k, v in zip(years.index, years.to_numpy().tolist(), strict=True)} == {
        ("observed", "observed", "all"): (2000, 2012), ("ahead", "unet+allocation", "all"): (2006, 2012),
        ("ahead", "unet+allocation", "draw_1"): (2006, 2012), ("free", "unet", "all"): (2006, 2012),
        ("back", "unet+allocation", "all"): (2000, 2003), ("ahead", "luh2", "all"): (2006, 2012),
    }  # fmt: skip


def test_regions_add_up_and_one_that_lacks_is_named(annual, run, tmp_path):
    two = run.model_copy(update={"regions": ("crete", "uk_north")})
    for region in two.regions:
        (tmp_path / region).mkdir()
    annual.assign(region="crete").to_csv(tmp_path / "crete" / "06-annual.csv", index=False)
    with pytest.raises(FileNotFoundError, match="uk_north"):
        read_annual(tmp_path, two)
    annual.assign(region="uk_north").to_csv(tmp_path / "uk_north" / "06-annual.csv", index=False)
    both = read_annual(tmp_path, two)
    keys = [c for c in both.columns if c != "value"]
    one = annual.groupby(keys)["value"].sum()
    pd.testing.assert_series_equal(both.set_index(keys)["value"].sort_index(), 2 * one.sort_index())


def test_areas_are_shares_of_land_and_luh2_is_moved_from_the_start_map(annual, run):
    areas = (
        areas_by_year(annual, run).set_index(["experiment", "model", "member", "year", "class"])["percent"].sort_index()
    )
    # Rows of cropland over 50; areas of rows differ by less than a percent over half a degree.
    assert areas["observed", "observed", "all", 2004, "cropland"] == pytest.approx(100 * 5 / 50, rel=0.01)
    # LUH2's cropland grows by 6 x 1 % of whole cells from 2006 to 2012; 49 of 50 columns are land.
    start = areas["observed", "observed", "all", 2006, "cropland"]
    assert areas["ahead", "luh2", "all", 2006, "cropland"] == pytest.approx(start)
    assert areas["ahead", "luh2", "all", 2012, "cropland"] == pytest.approx(start + 6 * 50 / 49, rel=1e-4)
    classes = areas["ahead", "luh2", "all", 2012].index
    assert "other_land" not in classes and "cropland" in classes


def test_drift_is_the_quantity_disagreement_in_the_last_year_beside_persistence(annual, run):
    drift = drift_table(areas_by_year(annual, run), run, ["ahead", "free"])
    # 2006: 7 rows of cropland; 2012: 13. Twelve percent of the land became cropland, so as much forest is gone.
    assert drift["ahead", "unet+allocation", "all"] == pytest.approx(0, abs=1e-9)
    assert drift["free", "unet", "all"] == pytest.approx(100 * 6 / 50, rel=0.01)
    assert drift["free", "persistence", "all"] == pytest.approx(drift["free", "unet", "all"])


def test_changes_are_per_cent_of_the_land_and_nan_where_the_maps_to_tell_are_not_there(annual):
    changes = changes_by_year(annual).set_index(["experiment", "member", "year"])
    seen = changes.loc["observed", "all"]
    assert seen["changed"].to_numpy() == pytest.approx(np.full(12, 100 / 50), rel=0.01)
    # 2000 to 2012: six maps before and five after a change are there in 2006 and 2007.
    assert seen.index[seen["lasting"].notna()].tolist() == [2006, 2007]
    assert seen.loc[2006, "lasting"] == pytest.approx(seen.loc[2006, "changed"])
    assert seen.loc[2007, "undone"] == 0


def test_a_rollout_backward_changes_where_it_leaves_its_start_map(annual):
    changes = changes_by_year(annual).set_index(["experiment", "member", "year"])["changed"]
    assert changes["back", "all"].to_dict() == {2001: 0, 2002: 0, 2003: 0}
    # The draw is a year ahead: two rows change in its first year, none in its last.
    assert changes["ahead", "draw_1", 2007] == pytest.approx(2 * changes["ahead", "all", 2007], rel=1e-3)
    assert changes["ahead", "draw_1", 2012] == 0


def test_edges_and_the_mean_patch_by_hand():
    rows = [("edges", "forest", -1, 4.0), ("edges", "urban", -1, 4.0), ("pairs", "all", -1, 10.0),
            ("patch_cells_squared", "forest", -1, 10.0), ("area", "forest", -1, 4.0), ("area", "urban", -1, 2.0),
            ("patch_cells_squared", "urban", -1, 4.0), ("patches", "forest", 2, 1.0), ("patches", "urban", 2, 1.0),
            ("patches", "forest", 1, 1.0)]  # fmt: skip
    annual = pd.DataFrame(
        [(2000, s, "cells", c, "all", size, v) for s, c, size, v in rows], columns=ANNUAL_COLUMNS
    ).assign(experiment="e", model="m", member="all")
    # Four unlike pairs of ten; forest has patches of 3 and 1, urban one of 2: (9 + 1 + 4) / 6 cells.
    one = texture_by_year(annual).iloc[0]
    assert one["edges"] == pytest.approx(40) and one["patch_cells"] == pytest.approx(14 / 6)
    sizes = patch_sizes(annual).set_index("size")["patches"]
    assert sizes[2] == pytest.approx(1e6 * 2 / 6) and sizes[1] == pytest.approx(1e6 / 6)


def test_the_join_has_mean_changes_a_year_on_both_sides(annual, run):
    table = join_table(annual, run, [2006], window=5).set_index(["experiment", "member", "join", "side", "quantity"])
    table = table.sort_index()
    seen = table["percent"]["observed", "all", 2006]
    assert seen["before", "cropland"] == pytest.approx(100 / 50, rel=0.01) and seen["before", "forest"] < 0
    assert seen["after", "changed"] == pytest.approx(100 / 50, rel=0.01)
    # The draw, a year ahead: two rows, then one in each of four years.
    assert table["percent"]["ahead", "draw_1", 2006, "after", "changed"] == pytest.approx(6 / 5 * 100 / 50, rel=0.01)
    assert table["percent"]["free", "all", 2006, "after", "cropland"] == 0
    assert ("free", "all", 2006, "before", "cropland") not in table.index  # it has no years before its start


@pytest.fixture
def counts():
    """Two leads of a model that is right in blocks of ten cells only, its neighbour's change being its own."""
    rng = np.random.default_rng(1)
    prior = rng.choice([2, 4], GRID.shape).astype(np.uint8)
    tables = []
    for lead in (1, 5):
        observed = prior.copy()
        observed[2:45:4] = 1
        simulated = np.roll(observed, 1, 0)
        simulated = np.where(simulated == 1, 1, prior).astype(np.uint8)
        for model, made in (("persistence", prior), ("unet+allocation", simulated)):
            part = [count_maps(prior, observed, made, np.ones(GRID.shape, bool), GRID)]
            if model != "persistence":
                chance = np.full(GRID.shape, 0.9 if lead == 1 else 0.5, np.float32)
                part.append(count_calibration(chance, made == observed, np.ones(GRID.shape, bool), GRID))
            keys = {"experiment": "ahead", "model": model, "member": "all", "fold": "all", "region": "crete"}
            tables.append(counts_with_keys(pd.concat(part), **keys, lead=str(lead)))
    return pd.concat(tables, ignore_index=True), prior, observed, simulated


def test_null_resolution_by_lead_is_where_shifted_change_falls_into_the_same_block(counts, run):
    scores = score_run(counts[0], run)
    table = null_resolutions(scores, ["ahead"])
    # Rows 2, 6, 10, ... are predicted one row too far south: blocks of 2 rows (2-3, 6-7, ...) hold both.
    assert table[["lead", "model", "cells"]].to_numpy().tolist() == [
        [1, "unet+allocation", 2.0], [5, "unet+allocation", 2.0],
    ]  # fmt: skip


def test_transitions_equal_scikit_learn_where_cells_have_one_area(counts):
    table, prior, observed, simulated = counts
    made = transition_table(table)
    made = made[(made["model"] == "unet+allocation") & (made["lead"] == 5)]
    for source, to in (("observed", observed), ("simulated", simulated)):
        want = 100 * confusion_matrix(prior.ravel(), to.ravel(), labels=[1, 2, 4]) / prior.size
        have = made[made["source"] == source].pivot_table(index="class", columns="to_class", values="percent")
        have = have.reindex(index=["urban", "cropland", "forest"], columns=["urban", "cropland", "forest"]).fillna(0)
        # Rows of half a degree differ in area by less than one percent.
        np.testing.assert_allclose(have.to_numpy(), want, atol=0.3)
        assert have.to_numpy().sum() == pytest.approx(100)


def test_calibration_is_told_apart_by_lead(counts):
    table, _, observed, simulated = counts
    right = (observed == simulated).mean()
    bins = calibration_by_lead(table).set_index("lead")
    assert bins["confidence"].to_dict() == {1: pytest.approx(0.9), 5: pytest.approx(0.5)}
    assert bins["accuracy"].to_dict() == {1: pytest.approx(right), 5: pytest.approx(right)}


def lines_of(axes):
    return [line for line in axes.get_lines() if len(line.get_xdata()) > 2]


def test_figures_by_year_draw_every_series_and_its_members(annual, run):
    areas, legend = areas_by_year(annual, run), read_legend("land_use")
    figure = plot.plot_drift(areas, legend, ["ahead", "free", "back"], [2003, 2006], 1960, "s", True)
    cropland = next(a for a in figure.axes if a.get_title(loc="left") == "Cropland")
    # Observed, three rollouts, LUH2's change in one; the joins are lines of two points.
    assert len(lines_of(cropland)) == 5 and len(cropland.collections) == 3
    assert "SYNTHETIC" in figure.get_supxlabel()
    drawn = {tuple(np.asarray(line.get_ydata()).round(6)) for line in lines_of(cropland)}
    seen = areas[(areas["model"] == "observed") & (areas["class"] == "cropland")].sort_values("year")["percent"]
    assert tuple(seen.round(6)) in drawn
    plot.plot_changes(changes_by_year(annual), ["ahead", "back"], [2003], 2005, "s", False)
    plot.plot_texture(texture_by_year(annual), patch_sizes(annual), ["ahead", "back"], [2003], 1960, "s", False)


def test_figures_by_lead_put_the_past_to_the_left_and_shade_reconstructed_maps(counts, run):
    scores = score_run(counts[0], run)
    back = scores.assign(experiment="back")
    scores = pd.concat([scores, back])
    pooled = scores[(scores["region"] == "all") & (scores["fold"] == "all") & (scores["weight"] == "cells")]
    names = ["back", "ahead"]
    figure = plot.plot_skill(pooled, {"figure_of_merit": "f"}, run, names, 2001, "s", False)
    past, ahead = figure.axes
    assert past.get_xlim()[0] > past.get_xlim()[1] and ahead.get_xlim()[0] < ahead.get_xlim()[1]
    assert len(past.patches) == 1 and not ahead.patches  # 2003 - 5 is before 2001
    plot.plot_null_resolution(null_resolutions(scores, names), 0.01, run, names, 2001, "s", False)
    errors = pooled[pooled["metric"] == "expected_calibration_error"]
    reliability = calibration_by_lead(pd.concat([counts[0], counts[0].assign(experiment="back")]))
    plot.plot_calibration(reliability, errors, run, names, 2001, "s", False)
    table = transition_table(counts[0])
    table = table[(table["model"] == "unet+allocation") & (table["lead"] == 5)]
    plot.plot_transitions(table, read_legend("land_use"), ["ahead"], "s", False)
