"""The twin Earth's weather and carbon dioxide: explicit functions of place and time, in months and dekads alike.

A cycle of the year that turns round at the equator, anomalies that move, and a warming that follows carbon dioxide:
one smooth curve, then one for each scenario; no measured number.
"""

import numpy as np

from twin_earth.earth import climate, fine_position
from twin_earth.land_use import scenario_growth
from twin_earth.noise import MovingNoise

BASE, _RISE, _PACE = 270.0, 100.0, 55.0  # ppm, ppm in excess at present, years in which the excess grows e-fold
PRESENT = 2005.0  # middle of 1991-2020, the period of the present climate
_SENSITIVITY = 4.0  # degree Celsius of warming for e times the carbon dioxide
_FORK, _END = 2015.0, 2100.0
_SCALES = (600.0, 200.0)  # fine cells: extent of warm and wet spells
_SPELL = 0.5  # years between two independent spells
_WARMEST = 0.55  # of the year, in the north
_SOLAR = 1361.0 * 86400  # J m-2 day-1


def carbon_dioxide(year: float | np.ndarray, scenario: str = "") -> np.ndarray:
    """Carbon dioxide of the air, global mean.

    Parameters
    ----------
    year : float or numpy.ndarray
    scenario : str
        A key of ``SCENARIOS``; up to 2015 all agree. By 2100 the curve has led to the scenario's warming, then it
        stays.

    Returns
    -------
    numpy.ndarray, shape of ``year``, float64
        ppm.
    """
    year = np.asarray(year, float)
    grown = _RISE * np.exp((np.minimum(year, _FORK) - PRESENT) / _PACE)
    start, slope = BASE + _RISE * np.exp((_FORK - PRESENT) / _PACE), _RISE * np.exp((_FORK - PRESENT) / _PACE) / _PACE
    end = (BASE + _RISE) * np.exp(scenario_growth(scenario)[3] / _SENSITIVITY)
    # Cubic from the history's value and slope to a level end.
    s = np.clip((year - _FORK) / (_END - _FORK), 0, 1)
    bent = start + (end - start) * s * s * (3 - 2 * s) + slope * (_END - _FORK) * s * (1 - s) ** 2
    return np.where(year <= _FORK, BASE + grown, bent)


def warming(year: float | np.ndarray, scenario: str = "") -> np.ndarray:
    """Warming since the present climate of 1991-2020, degree Celsius; before it negative, by 2100 the scenario's."""
    return _SENSITIVITY * np.log(carbon_dioxide(year, scenario) / (BASE + _RISE))


class Weather:
    """Weather of a grid.

    Parameters
    ----------
    lat, lon : numpy.ndarray, shapes (rows,) and (cols,)
        Degrees.
    height : numpy.ndarray, shape (rows, cols)
        Elevation, m.
    spells : int, optional
        Seed of the warm and wet spells, ``seed`` where absent: another one is other weather in the same climate.

    Attributes
    ----------
    mean, rain : numpy.ndarray, shape (rows, cols)
        Annual mean temperature (degree Celsius) and precipitation (mm) of the present.
    """

    def __init__(
        self, lat: np.ndarray, lon: np.ndarray, height: np.ndarray, seed: int, spells: int | None = None,
        scenario: str = "",
    ) -> None:  # fmt: skip
        self.lat, self.scenario = lat[:, None], scenario
        self.mean, self.rain = climate(lat, lon, height, seed)
        y, x = fine_position(lat, lon)
        drawn = seed if spells is None else spells
        self.warm, self.wet = (MovingNoise(y, x, _SCALES, _SPELL, drawn, layer) for layer in (111, 112))
        size = np.abs(self.lat)
        # Rain falls in summer in the tropics and in the north, in winter around 36 degrees.
        part = 0.8 * np.exp(-((size / 18) ** 2)) - 0.5 * np.exp(-(((size - 36) / 7) ** 2))
        self.rain_cycle = np.tanh(self.lat / 6) * (part + 0.3 * np.clip((size - 45) / 10, 0, 1))
        usual = self.rain / 365.25 / (0.3 + 0.12 * np.clip(self.mean, 0, None))  # rain over what could evaporate
        self.now: dict[float, np.ndarray] = {}  # temperature at the time asked for last
        self.usual_moisture = usual / (usual + 0.7)

    def _wave(self, time: float) -> float:
        return float(np.cos(2 * np.pi * (time - _WARMEST)))

    def temperature(self, time: float) -> np.ndarray:
        """Temperature at 2 m at a decimal year, degree Celsius, shape (rows, cols)."""
        if time not in self.now:
            self.now = {time: self._temperature(time)}
        return self.now[time]

    def _temperature(self, time: float) -> np.ndarray:
        cycle = 20 * np.sin(np.radians(self.lat)) * self._wave(time)
        return self.mean + cycle + float(warming(time, self.scenario)) + 3.0 * self.warm.at(time)

    def rainfall(self, time: float) -> np.ndarray:
        """Precipitation at a decimal year, mm day-1, shape (rows, cols)."""
        daily = self.rain / 365.25 * (1 + self.rain_cycle * self._wave(time))
        return daily * np.clip(1 + 0.9 * self.wet.at(time), 0.05, None)

    def sunshine(self, time: float) -> np.ndarray:
        """Solar radiation that reaches the ground at a decimal year, J m-2 day-1, shape (rows, cols)."""
        phi, tilt = np.radians(self.lat), np.radians(-23.44) * np.cos(2 * np.pi * (time + 10 / 365.25))
        half = np.arccos(np.clip(-np.tan(np.clip(phi, -1.57, 1.57)) * np.tan(tilt), -1, 1))  # half the day, radians
        top = _SOLAR / np.pi * (half * np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.sin(half))
        return top * (0.72 - 0.3 * np.clip(self.rainfall(time) / 8, 0, 1))

    def moisture(self, time: float, damping: float = 1.0) -> np.ndarray:
        """Soil moisture, 0 (dry) to 1, shape (rows, cols); ``damping`` is the share of the cycle that is left."""
        now = self.rainfall(time) / (0.3 + 0.12 * np.clip(self.temperature(time), 0, None))
        return self.usual_moisture * (1 - damping) + now / (now + 0.7) * damping
