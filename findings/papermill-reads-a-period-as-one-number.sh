#!/usr/bin/env bash
# papermill -p turns 1960_2000 into the integer 19602000.
#
# Expected: a value that is no plain number, such as a period or a tile "1960_2000", arrives as text.
# Happens:  the value is tried as a Python integer, and Python integers may hold underscores. "-p period 1960_2000" is
#           19602000, "-p tile 10_20" is 1020 and "-p zone 07" is 7. YAML files given with -f do the same to the first
#           two, by YAML 1.1's rule for integers. No warning.
# Versions: papermill 2.7.0 (PyYAML 6).
# Seen:     period = 19602000, tile = 1020, zone = 7.
# Matters:  years, tiles and UTM zones are written like this in file names. The run goes on with another number, and
#           fails far away or, with a lookup that has a default, nowhere. Pass text with -r, and quote it in YAML.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    papermill==2.7.0 ipykernel==7.4.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import json
import pathlib
import subprocess
import sys

cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "execution_count": None}
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
book = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel}
book["cells"] = [cell | {"source": 'period = "all"\ntile = "all"\nzone = "all"'}]
pathlib.Path("in.ipynb").write_text(json.dumps(book))
words = ["-p", "period", "1960_2000", "-p", "tile", "10_20", "-p", "zone", "07"]
papermill = [sys.executable, "-m", "papermill", "--prepare-only", "--no-progress-bar"]
subprocess.run([*papermill, "in.ipynb", "out.ipynb", *words], check=True)
found = json.loads(pathlib.Path("out.ipynb").read_text())["metadata"]["papermill"]["parameters"]
pathlib.Path("knobs.yml").write_text("period: 1960_2000\ntile: 10_20\n")
subprocess.run([*papermill, "in.ipynb", "yaml.ipynb", "-f", "knobs.yml"], check=True)
from_file = json.loads(pathlib.Path("yaml.ipynb").read_text())["metadata"]["papermill"]["parameters"]
print(f"-p: {found}, -f: {from_file}")
if found != {"period": 19602000, "tile": 1020, "zone": 7} or from_file != {"period": 19602000, "tile": 1020}:
    raise SystemExit("CHANGED: papermill keeps values with underscores as text.")
print("as described")
EOF
