# ai4land: the paper, run end to end. `make` prints help; README.md explains; data/runs/ holds the runs.
SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
.SECONDARY:
.DELETE_ON_ERROR:

# Two steps at a time, unless -j says otherwise: each takes the threads that its run.yml gives it, one by default.
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j2
endif

RUN ?= demo
RAW ?= data/raw/$(RUN)
ifeq ($(strip $(RAW)),)
override RAW := data/raw/$(RUN)
endif
OUT := data/results/$(RUN)

# RUN=<run>-twin is the same run on the twin Earth.
SETTINGS := data/runs/$(RUN:%-twin=%)
RUNS := $(notdir $(patsubst %/,%,$(dir $(wildcard data/runs/*/run.yml))))
ifeq ($(filter $(notdir $(SETTINGS)),$(RUNS)),)
$(error RUN=$(RUN): no $(SETTINGS)/run.yml; runs are: $(RUNS))
endif

# --- environment: the active conda environment, or a virtual environment made here -------------------
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ifneq ($(and $(CONDA_PREFIX),$(filter-out base,$(CONDA_DEFAULT_ENV))),)
ENV := $(CONDA_PREFIX)
else
ENV := $(CURDIR)/.venv
endif
BIN   := $(ENV)/bin
READY := $(ENV)/.ai4land-$(shell cksum requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
NO_PYTHON := ai4land needs Python 3.11 or newer; none found. Install it, or give PYTHON=/path/to/python3.

$(READY): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "Making the environment in $(ENV): about 2 minutes and 2.5 GB, once."
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(ENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Arrays of some megabytes come and go: memory that the C library keeps is not faulted in again.
export MALLOC_MMAP_THRESHOLD_ := 33554432
export MALLOC_TRIM_THRESHOLD_ := 268435456
export MALLOC_TOP_PAD_ := 33554432

# --- the paper ---------------------------------------------------------------------------------------
# REGIONS follows run.yml: one row "regions: [a, b]".
REGIONS := $(shell sed -n 's/^regions: *\[\(.*\)\] *$$/\1/p' $(SETTINGS)/run.yml 2>/dev/null | tr ',' ' ')
# Runs with a stepwise experiment are stepped year by year and stitched into a product.
STEPWISE := $(shell grep -l 'stepwise: *true' $(SETTINGS)/run.yml 2>/dev/null)
# Land cover and leaf area, where run.yml has a section "vegetation"; its own row "  regions: [a, b]" may name some regions.
VEGETATION := $(shell grep -l '^vegetation:' $(SETTINGS)/run.yml 2>/dev/null)
GREEN := $(if $(VEGETATION),$(or $(shell sed -n '/^vegetation:/,$$s/^  regions: *\[\(.*\)\] *$$/\1/p' $(SETTINGS)/run.yml | tr ',' ' '),$(REGIONS)))
THREADS := $(or $(shell sed -n 's/^threads: *//p' $(SETTINGS)/run.yml 2>/dev/null),1)
# Where all regions share one network, it is trained before them; the trees wait for the cubes too, so that it begins first.
SHARED := $(if $(shell grep '^weights: *shared' $(SETTINGS)/run.yml 2>/dev/null),$(OUT)/shared/costs-unet.csv)
# Regions that the halo of a region may reach: those within 2 degrees of it.
near    = $(filter $(REGIONS),$(shell awk -F, 'NR == FNR {if ($$1 == "$(1)") {w = $$2; s = $$3; e = $$4; n = $$5}; next} \
    FNR > 1 && $$2 <= e + 2 && $$4 >= w - 2 && $$3 <= n + 2 && $$5 >= s - 2 {print $$1}' data/regions.csv data/regions.csv))
greens  = $(foreach r,$(GREEN),$(OUT)/$(r)/$(1).ipynb)
steps   = $(foreach r,$(REGIONS),$(OUT)/$(r)/$(1).ipynb)
knobs   = $(wildcard $(SETTINGS)/$(1).yml)
# What a step needs beside the notebooks before it, which its rule names: the code and tables that imports lead to, the run
# and the step's knobs. Commands that make no step do not ask for it: they work while a notebook is half written.
COMMANDS := test environment lint data-report plan lab bench figures lock clean help
ifneq ($(filter-out $(COMMANDS),$(MAKECMDGOALS)),)
NEEDS := $(shell $(or $(wildcard $(BIN)/python),$(PYTHON),$(error $(NO_PYTHON))) -I -S prerequisites.py $(wildcard notebooks/*.ipynb) ai4land.execute ai4land.fit)
$(if $(NEEDS),,$(error No prerequisites; the line above says why))
$(foreach line,$(NEEDS),$(eval NEEDS_$(subst |, ,$(line))))
endif
needs = $(NEEDS_$(1)) $(NEEDS_ai4land.execute) $(SETTINGS)/run.yml $(call knobs,$(1))

# Execute $< into $@ with the run's knobs; -r arguments are $(1).
define execute
@PATH="$(BIN):$$PATH" $(BIN)/python -m ai4land.execute $< $@ -f $(SETTINGS)/$(basename $(@F)).yml -r run $(RUN) $(1)
endef

all: $(OUT)/08-figures.ipynb $(if $(STEPWISE),$(OUT)/13-examine-rollouts.ipynb) $(OUT)/12-export.ipynb  ## run the whole paper for RUN: data to product, scores and figures
	@echo "Figures and tables: $(OUT)/figures, $(OUT)/scores.csv"

$(OUT)/01-download.ipynb: notebooks/01-download.ipynb $(call needs,01-download) | $(READY)
	$(call execute,-r raw $(abspath $(RAW)))
$(OUT)/%/02-regrid.ipynb: notebooks/02-regrid.ipynb $(OUT)/01-download.ipynb $(call needs,02-regrid) | $(READY)
	$(call execute,-r region $* -r raw $(abspath $(RAW)))
$(OUT)/shared/costs-unet.csv: notebooks/03-train-unet.ipynb $(call steps,02-regrid) $(NEEDS_ai4land.fit) $(SETTINGS)/run.yml $(call knobs,03-train-unet) | $(READY)
	@mkdir -p $(@D) && echo "shared network: training on all regions; log $(@D)/fit.log"
	@PATH="$(BIN):$$PATH" OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m ai4land.fit $(RUN) shared 2>&1 | tee -a $(@D)/fit.log
$(OUT)/%/03-train-unet.ipynb: notebooks/03-train-unet.ipynb $(OUT)/%/02-regrid.ipynb $(SHARED) $(call needs,03-train-unet) | $(READY)
	$(call execute,-r region $* -r raw $(abspath $(RAW)))
$(OUT)/%/04-train-trees.ipynb: notebooks/04-train-trees.ipynb $(OUT)/%/02-regrid.ipynb $(call needs,04-train-trees) | $(if $(SHARED),$(call steps,02-regrid)) $(READY)
	$(call execute,-r region $* -r raw $(abspath $(RAW)))
.SECONDEXPANSION:
$(OUT)/%/06-reconstruct.ipynb: notebooks/06-reconstruct.ipynb $(OUT)/%/03-train-unet.ipynb $$(foreach r,$$(call near,$$*),$(OUT)/$$(r)/02-regrid.ipynb) $(call needs,06-reconstruct) | $(READY)
	$(call execute,-r region $*)
$(OUT)/07-stitch.ipynb: notebooks/07-stitch.ipynb $(call steps,06-reconstruct) $(call needs,07-stitch) | $(READY)
	$(call execute)
$(OUT)/05-evaluate.ipynb: notebooks/05-evaluate.ipynb $(call steps,03-train-unet) $(call steps,04-train-trees) $(if $(STEPWISE),$(call steps,06-reconstruct)) $(if $(GREEN),$(call greens,09-land-cover) $(call greens,10-leaf-area) $(OUT)/11-joint-model.ipynb) $(call needs,05-evaluate) | $(READY)
	$(call execute)
$(OUT)/08-figures.ipynb: notebooks/08-figures.ipynb $(OUT)/05-evaluate.ipynb $(if $(STEPWISE),$(OUT)/07-stitch.ipynb) $(call needs,08-figures) | $(READY)
	$(call execute,-r raw $(abspath $(RAW)))
$(OUT)/13-examine-rollouts.ipynb: notebooks/13-examine-rollouts.ipynb $(OUT)/05-evaluate.ipynb $(OUT)/07-stitch.ipynb $(call needs,13-examine-rollouts) | $(READY)
	$(call execute)
$(OUT)/%/09-land-cover.ipynb: notebooks/09-land-cover.ipynb $(OUT)/%/02-regrid.ipynb $(call needs,09-land-cover) | $(READY)
	$(call execute,-r region $*)
$(OUT)/%/10-leaf-area.ipynb: notebooks/10-leaf-area.ipynb $(OUT)/%/02-regrid.ipynb $(call needs,10-leaf-area) | $(READY)
	$(call execute,-r region $*)
$(OUT)/11-joint-model.ipynb: notebooks/11-joint-model.ipynb $(OUT)/$(firstword $(GREEN))/02-regrid.ipynb $(call needs,11-joint-model) | $(READY)
	$(call execute,-r region $(firstword $(GREEN)))
# Land cover and leaf area follow the product's land use.
$(OUT)/%/14-roll-vegetation.ipynb: notebooks/14-roll-vegetation.ipynb $(OUT)/%/09-land-cover.ipynb $(OUT)/%/10-leaf-area.ipynb $(OUT)/07-stitch.ipynb $$(foreach r,$$(call near,$$*),$(OUT)/$$(r)/02-regrid.ipynb) $(call needs,14-roll-vegetation) | $(READY)
	$(call execute,-r region $*)
$(OUT)/15-stitch-vegetation.ipynb: notebooks/15-stitch-vegetation.ipynb $(call greens,14-roll-vegetation) $(call needs,15-stitch-vegetation) | $(READY)
	$(call execute)
# The emulators, with the scores on their card; the host models' files are of the products.
$(OUT)/12-export.ipynb: notebooks/12-export.ipynb $(OUT)/05-evaluate.ipynb $(if $(STEPWISE),$(OUT)/07-stitch.ipynb) $(if $(GREEN),$(OUT)/15-stitch-vegetation.ipynb) $(call needs,12-export) | $(READY)
	$(call execute,-r region $(firstword $(GREEN) $(REGIONS)))

# --- the rest ----------------------------------------------------------------------------------------
test: $(READY)  ## run every test; RAW=<folder> adds those on real data
	OMP_NUM_THREADS=1 RAW=$(if $(filter command line environment,$(origin RAW)),$(abspath $(RAW))) $(BIN)/python -m pytest -q -n 2 --dist loadgroup

environment: $(READY)  ## make the environment: .venv, or the active conda environment

lint: $(READY)  ## ruff, mypy, stripped notebooks, import order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy && $(BIN)/mypy prerequisites.py
	$(BIN)/nbstripout --verify notebooks/*.ipynb
	$(BIN)/python -m pytest -q tests/test_repository.py

data-report: $(READY)  ## print what RUN will fetch: from where, how many GB, licences, accounts
	@$(BIN)/python -m ai4land.sources.report $(RUN) $(abspath $(RAW))

plan: $(READY)  ## print what RUN will take before anything is fetched: downloads, disk, jobs, hours; DEVICE=<of data/rates.csv>
	@$(BIN)/python -m ai4land.plan $(RUN) $(abspath $(RAW)) $(if $(DEVICE),--device $(DEVICE))

lab: $(READY)  ## open the notebooks in JupyterLab
	PATH="$(BIN):$$PATH" $(BIN)/jupyter lab --notebook-dir .

bench: $(READY)  ## measure, side by side, what must be fast; prints ratios
	$(BIN)/python benchmarks/aggregation.py
	$(BIN)/python benchmarks/network.py
	$(BIN)/python benchmarks/allocation.py
	$(BIN)/python benchmarks/trees.py
	$(BIN)/python benchmarks/rates.py
	$(BIN)/python benchmarks/export.py

figures: | $(READY)  ## copy figures and tables of RUN that README.md shows to figures/, and its table with them
	@[ -d $(OUT)/figures ] || { echo "No figures of run $(RUN) yet: make all RUN=$(RUN) first." >&2; exit 1; }
	@for f in $(OUT)/figures/*.png $(OUT)/figures/*.csv; do \
	    to=figures/$(RUN)-$$(basename $$f); if [ -e $$to ] || [[ $$f = *.csv ]] || grep -qF $$to README.md REPRODUCING.md; then cp "$$f" $$to; fi; done
	@$(BIN)/python figures/readme_table.py $(RUN)
	@ls figures

lock:  ## write requirements.lock anew from pyproject.toml
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet '.[dev]'
	{ sed -n '/^#/p' requirements.lock; build/lock/bin/pip freeze --all | grep -v -e '^ai4land' -e '^pip==' | sed 's/+cpu//'; } > build/requirements.lock
	mv build/requirements.lock requirements.lock

clean:  ## remove what was made for RUN; raw data stay
	rm -rf $(OUT) data/processed/$(RUN)

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n",$$1,$$2}' $(MAKEFILE_LIST)
	@echo "  RUN=<run>  one of: $(RUNS) (default demo; <run>-twin: on the made-up planet)   RAW=<folder>  where raw files are"

.PHONY: all $(COMMANDS)
