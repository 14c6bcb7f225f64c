"""Icosahedral grids in the layout of ICON's grid files, small: bisection of the icosahedron, no spring dynamics."""

from pathlib import Path

import netCDF4
import numpy as np

RADIUS = 6.371229e6  # m, of ICON
LEAD = 0.1  # radians: turned, so that no vertex lies on the date line of a lattice


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """12 vertices, one at each pole, and 20 triangles counter-clockwise from outside."""
    ring = np.arctan(0.5)
    lon = np.arange(5) * 2 * np.pi / 5 + LEAD
    upper = np.stack([np.cos(ring) * np.cos(lon), np.cos(ring) * np.sin(lon), np.full(5, np.sin(ring))], -1)
    lon = lon + np.pi / 5
    lower = np.stack([np.cos(ring) * np.cos(lon), np.cos(ring) * np.sin(lon), np.full(5, -np.sin(ring))], -1)
    points = np.concatenate([[[0, 0, 1.0]], upper, lower, [[0, 0, -1.0]]])
    a, b = np.arange(5), (np.arange(5) + 1) % 5
    faces = [np.stack([np.zeros(5, int), 1 + a, 1 + b], 1), np.stack([1 + a, 6 + a, 1 + b], 1),
             np.stack([1 + b, 6 + a, 6 + b], 1), np.stack([np.full(5, 11), 6 + b, 6 + a], 1)]  # fmt: skip
    return points, np.concatenate(faces)


def bisect(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four triangles from each one."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    pairs, number = np.unique(edges, axis=0, return_inverse=True)
    middle = points[pairs].sum(1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    m = len(points) + number.reshape(-1, 3)
    a, b, c = faces.T
    triangles = [(a, m[:, 0], m[:, 2]), (m[:, 0], b, m[:, 1]), (m[:, 2], m[:, 1], c), (m[:, 0], m[:, 1], m[:, 2])]
    parts = [np.stack(t, 1) for t in triangles]
    return np.concatenate([points, middle]), np.stack(parts, 1).reshape(-1, 3)


def triangle_areas(corners: np.ndarray) -> np.ndarray:
    """Area on the unit sphere of triangles, (cell, 3, xyz), by Van Oosterom and Strackee (1983)."""
    a, b, c = np.moveaxis(corners, 1, 0)
    triple = (a * np.cross(b, c)).sum(-1)
    return 2 * np.arctan2(triple, 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1))


def write_icon_grid(
    path: Path, level: int, uuid: str = "00000000-0000-4000-8000-000000000000", **leave_out: bool
) -> Path:
    """Grid R01B<level>; ``leave_out`` names variables that are not written."""
    points, faces = _icosahedron()
    for _ in range(level):
        points, faces = bisect(points, faces)
    corners = points[faces]
    centre = corners.sum(1)
    lon, lat = np.arctan2(points[:, 1], points[:, 0]), np.arcsin(points[:, 2])
    fields = {
        "clon": (("cell",), np.arctan2(centre[:, 1], centre[:, 0])),
        "clat": (("cell",), np.arcsin(centre[:, 2] / np.linalg.norm(centre, axis=1))),
        "clon_vertices": (("cell", "nv"), lon[faces]), "clat_vertices": (("cell", "nv"), lat[faces]),
        "vlon": (("vertex",), lon), "vlat": (("vertex",), lat), "vertex_of_cell": (("nv", "cell"), faces.T + 1),
        "cell_area": (("cell",), triangle_areas(corners) * RADIUS**2),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as data:
        for name, size in {"cell": len(faces), "vertex": len(points), "nv": 3}.items():
            data.createDimension(name, size)
        for name, (dims, values) in fields.items():
            if name in leave_out:
                continue
            made = data.createVariable(name, "i4" if values.dtype.kind == "i" else "f8", dims)
            made[:] = values
            if "lon" in name or "lat" in name:
                made.units = "radian"
        data["clon"].setncatts({"bounds": "clon_vertices", "standard_name": "grid_longitude"})
        data["clat"].setncatts({"bounds": "clat_vertices", "standard_name": "grid_latitude"})
        attributes = {"title": "ICON grid description", "grid_root": np.int32(1), "grid_level": np.int32(level),
                      "number_of_grid_used": np.int32(999), "uuidOfHGrid": uuid}  # fmt: skip
        data.setncatts({k: v for k, v in attributes.items() if v is not None})
    return path
