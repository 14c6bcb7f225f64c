"""Started by torchrun in test_together.py: trains a small network in as many processes as there are.

Arguments: folder of results, parts of a step, step to die in (0: none).
"""

import os
import sys
from pathlib import Path

import numpy as np
from conftest import changing_maps, make_cube

from ai4land.devices import connect
from ai4land.models.neural import Neural
from ai4land.runs import Experiment
from ai4land.samples import make_split
from ai4land.samples.windows import WindowSampler
from ai4land.train import Schedule

folder, parts, fatal = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cube = make_cube(changing_maps())
experiment = Experiment(start=1995, train=(1980, 1992), validation=(1993, 1995), test=(1996, 2005))
split = make_split("forecast", experiment, cube, None, 1)
if fatal:
    draw = WindowSampler.draw

    def dies(self, number, count):
        if self.seed == 3 and number >= fatal * parts:
            os._exit(9)
        return draw(self, number, count)

    WindowSampler.draw = dies
schedule = Schedule(steps=8, every=4, precision="fp32", parts=parts)
fabric = connect("fp32", int(os.environ.get("WORLD_SIZE", 1)))
model = Neural(schedule, 48, 2, base=4, seed=3, checkpoints=folder, fabric=fabric).fit(cube, split)
if fabric.is_global_zero:
    model.save(folder / "model")
    np.savetxt(folder / "loss.txt", model.history[["training_loss", "validation_loss"]])
