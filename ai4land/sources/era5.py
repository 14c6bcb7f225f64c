"""ERA5 and ERA5-Land monthly means, as the Climate Data Store (CDS) delivers them.

Traps: a request of several variables comes back as a zip archive even where its name ends in ``.nc``; its members
stamp the same month at 00 and at 06 UTC. In monthly means precipitation and radiation are per day, whether the file
says "m" or "m day-1", "J m**-2" or "J m-2 day-1". Older files are int16 with a scale of their own each. Preliminary
months (ERA5T) may sit on a second place of ``expver``. Packing leaves small negative precipitation.
"""

import zipfile
import zlib
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from ai4land.checks import check_same_grid
from ai4land.grid import grid_of
from ai4land.sources.archive import DAMAGED, unpack
from ai4land.sources.canonical import canonical, with_bounds
from ai4land.sources.climate import check_months, read_climate_variables, variable_attributes
from ai4land.sources.registry import InputFile

_DAY = 86400  # s
_MONTHS = 12  # in a chunk: 50 MB of the globe at 0.25 degree
# m of water a day to kg m-2 s-1 at 1000 kg m-3; J m-2 a day to W m-2.
_FACTORS = {"none": 1.0, "depth_per_day": 1000 / _DAY, "energy_per_day": 1 / _DAY}


def _members(file: InputFile) -> list[Path]:
    """The NetCDF files that a file is or holds; an archive is unpacked beside itself, once for its content."""
    path = file.path
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            return [path]
    try:
        with zipfile.ZipFile(path) as bundle:
            content = ",".join(f"{m.filename}:{m.CRC}" for m in bundle.infolist())
    except DAMAGED as error:
        raise ValueError(f"{path}: damaged zip archive ({error}); delete it and fetch it again.") from None
    folder = path.with_name(f"{path.name}-{zlib.crc32(content.encode()):08x}")
    if not folder.is_dir():
        with TemporaryDirectory(dir=path.parent) as temporary:
            fresh = Path(temporary) / "members"
            unpack(path, fresh, file.dataset, r".*\.nc")
            try:
                fresh.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another job was faster
                    raise
    return sorted(folder.rglob("*.nc"))


def _check_units(data: xr.Dataset, path: Path) -> None:
    table = read_climate_variables().set_index("era5")
    for name in data.data_vars:
        units, known = str(data[name].attrs.get("units")).replace("**", ""), table.loc[str(name), "era5_units"]
        if units not in known.split(";"):
            raise ValueError(f"{path}: units of {name} are {units!r}, expected {known!r}; is this the CDS's own file?")


def _open_part(path: Path) -> xr.Dataset:
    """One NetCDF file, unpacked by its own scale: the variables known of it, by month."""
    data = xr.open_dataset(path)
    data = data[[name for name in read_climate_variables()["era5"] if name in data]]
    data = data.drop_vars([name for name in data.coords if name not in data.dims])
    axis = next((name for name in ("valid_time", "time") if name in data.dims), None)
    if axis is None or data[axis].dtype.kind != "M":
        raise ValueError(f"{path}: dimensions are {dict(data.sizes)}, expected dates along valid_time or time.")
    _check_units(data, path)
    data = data.chunk({axis: _MONTHS})
    if "expver" in data.dims:
        versions = [data.isel(expver=i, drop=True) for i in range(data.sizes["expver"])]
        data = reduce(lambda final, preliminary: final.fillna(preliminary), versions)
    data = canonical(data.squeeze([d for d in ("number",) if d in data.dims], drop=True), path)
    if set(data.dims) - {"bnds"} != {"time", "lat", "lon"}:
        raise ValueError(f"{path}: dimensions are {dict(data.sizes)}, expected time, latitude and longitude.")
    return data.assign_coords(time=data["time"].to_numpy().astype("datetime64[M]").astype("datetime64[ns]"))


def _open_file(file: InputFile) -> xr.Dataset:
    parts = [_open_part(path) for path in _members(file)]
    for part in parts[1:]:
        check_same_grid(grid_of(part), grid_of(parts[0]), f"{file.path}: its members")
        if not np.array_equal(part["time"], parts[0]["time"]):
            raise ValueError(f"{file.path}: its members hold different months; fetch it again in one request.")
    found = [str(name) for part in parts for name in part.data_vars]
    wanted = list(read_climate_variables()["era5"])
    if sorted(found) != sorted(wanted):
        raise ValueError(f"{file.path}: variables are {found}, expected each of {wanted} once; request them together.")
    fields = {name: part[name].variable for part in parts for name in part.data_vars}
    return xr.Dataset(fields, parts[0].coords)


def open_era5_netcdf(files: list[InputFile], version: str) -> xr.Dataset:
    """Monthly climate of ERA5 (0.25 degree) or ERA5-Land (0.1 degree).

    Parameters
    ----------
    files : list of InputFile
        NetCDF files, or zip archives of them under the same name, of any number of months each: of ERA5 or of
        ERA5-Land, one window. An archive is unpacked to a folder beside it.
    version : str
        ``ERA5`` or ``ERA5-Land``.

    Returns
    -------
    xarray.Dataset, (time, lat, lon) float32, lazy, twelve months a chunk at most
        ``air_temperature`` (K), ``precipitation_flux`` (kg m-2 s-1), ``surface_downwelling_shortwave_flux`` (W m-2),
        the last two not below 0, and ``soil_moisture_1`` to ``_4`` (m3 m-3); NaN missing, in ERA5-Land over sea.
        ``time`` is the first of the month, datetime64[ns].

    Raises
    ------
    ValueError
        If a month is missing or there twice, a variable is missing, units or cells are other ones, or an archive is
        damaged.

    References
    ----------
    ERA5, doi:10.24381/cds.f17050d7; ERA5-Land, doi:10.24381/cds.68d2bb30. Accumulated variables of monthly means:
    ECMWF, confluence.ecmwf.int, page 197702790.
    """
    parts = sorted((_open_file(file) for file in files), key=lambda part: part["time"].to_numpy()[0])
    for part in parts[1:]:
        check_same_grid(grid_of(part), grid_of(parts[0]), f"{version}: files under {files[0].path.parent}")
    # Coordinates may differ in the last digits between files: take the first file's.
    parts = [part.assign_coords(lat=parts[0]["lat"], lon=parts[0]["lon"]) for part in parts]
    data = xr.concat(parts, "time", data_vars="all", coords="minimal", compat="override", join="exact").sortby("time")
    check_months(data["time"], f"{version}: files under {files[0].path.parent}")
    fields = {}
    for name, row in read_climate_variables().iterrows():
        field = (data[row["era5"]] * _FACTORS[row["conversion"]]).astype(np.float32)
        field = field.clip(min=0) if row["join"] == "multiplicative" else field
        field.attrs, field.encoding = variable_attributes(str(name)), {}
        fields[name] = field
    return with_bounds(xr.Dataset(fields, attrs={"version": version}))
