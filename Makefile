# Names the usual commands; Meson builds and tests, tools/ sets up. Run `make` for the list.

PYTHON ?= /usr/bin/python3
MESON ?= /usr/bin/meson
BUILD := build
OUT ?= out
VIDEO ?=
PHOTO := .local/data/scikit-image/astronaut.png
MAKE_SAMPLE := .local/tools-venv/bin/python tools/sample/make_sample.py

# The checkout's own private folder; a folder set for installed copies is not for this.
unexport VRSEG_LOCAL_DIR
export PYTHON MESON OUT VIDEO

# What is fetched when nothing else is asked for, and where the tests find it: in the checkout, so
# that they do not depend on the user's own folder of models.
MODELS := selfie selfie-landscape
check check-gpu tidy: export VRSEG_MODELS_DIR := $(CURDIR)/.local/models

.PHONY: help demo check check-full check-gpu tidy setup cuda build models sample peers torch install clean
.PHONY: check-packages check-slurm check-tools clip documents abi wheel tour reference
.NOTPARALLEL:
.SUFFIXES:

help: ## prints this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1  /p' Makefile | \
	  while read -r make name text; do printf '%s %-9s %s\n' "$$make" "$$name" "$$text"; done

demo: build models $(if $(VIDEO),,clip) ## runs the sample clip, or VIDEO=FILE
	@tools/demo.sh $(BUILD)/vrseg

tour: build models clip ## shows in six parts what vrseg does on this machine
	@mkdir -p $(OUT)
	@$(BUILD)/examples/tour --folder $(OUT)

check: check-packages check-tools build models ## builds and runs all tests
	@tools/check/check.sh $(BUILD)

check-full: export VRSEG_STRESS_OPERATIONS := 100000000
check-full: export VRSEG_SOAK_FRAMES := 200000
check-full: export VRSEG_KILLS := 50
check-full: export VRSEG_ANALYZER := deep
check-full: check-slurm check ## as check, but with the long runs: 10^8 operations on the queues, soak, 50 kills, Slurm

tidy: check-packages check-tools build ## runs the checks of style alone
	@tools/check/check.sh $(BUILD) --suite tidy

setup: ## installs what is missing: Debian packages, the engines, the tools' Python packages
	@tools/setup/packages.sh base
	@$(PYTHON) tools/setup/setup.py --gpu onnx runtime onnxruntime tools data

build: setup ## builds into build/, the program is build/vrseg
	@test -f $(BUILD)/build.ninja || $(MESON) setup $(BUILD)
	@test ! .local/onnxruntime/.stamp -nt $(BUILD)/build.ninja || \
	  $(MESON) setup --reconfigure $(BUILD)
	@$(MESON) compile -C $(BUILD)

models: setup ## fetches and converts the default weights to where the program looks for them
	@$(PYTHON) tools/models/fetch.py $(MODELS) >/dev/null

cuda: setup ## installs NVIDIA's compiler for the GPU's kernels into .local/cuda
	@$(PYTHON) tools/setup/setup.py cuda
	@test ! -f $(BUILD)/build.ninja || $(MESON) setup --reconfigure $(BUILD)

check-gpu: export VRSEG_REQUIRE_CUDA := 1
check-gpu: check-packages build models ## runs the tests that need an NVIDIA GPU
	@$(MESON) compile -C $(BUILD) cuda_release
	@tools/check/check.sh $(BUILD) --suite gpu

sample: clip ## makes the sample clip, plain and stereo
	@$(MAKE_SAMPLE) --stereo $(PHOTO) .local/sample/sample-sbs.mp4

peers: setup ## installs what bench/peers compares with, into an environment of its own
	@$(PYTHON) tools/setup/setup.py peers

torch: setup ## installs PyTorch, 4.3 GB, for tools/vrseg-export, -train and -quantize
	@$(PYTHON) tools/setup/setup.py torch

wheel: build ## builds the Python package's wheel into build/python/dist
	@$(PYTHON) -B tools/python/build.py --out $(BUILD)/python/source --libraries $(BUILD)/src \
	  --wheel $(BUILD)/python/dist

reference: check-packages ## writes the reference of the C interface, from the headers, into build/reference
	@mkdir -p $(BUILD)/reference
	@VRSEG_REFERENCE=$(BUILD)/reference VRSEG_PYTHON=$(PYTHON) doxygen docs/Doxyfile
	@echo "$(BUILD)/reference/index.html"

abi: ## records the binary interface of the public headers in abi/vrseg.abi
	@$(PYTHON) -B tools/abi/abi.py listing --include include --out abi/vrseg.abi

install: build ## installs program, libraries, headers and manual; PREFIX=DIR chooses where
	@test -z "$(PREFIX)" || $(MESON) configure $(BUILD) --prefix "$(abspath $(PREFIX))"
	@$(MESON) install -C $(BUILD)

documents: build ## writes what is made from the option table: docs/options.md, the schema
	@$(BUILD)/vrseg docs options > docs/options.md
	@$(BUILD)/vrseg config --schema > configs/vrseg.schema.json

clean: ## removes build/ and out/; what was downloaded stays in .local/
	rm -rf $(BUILD) out

clip: setup
	@$(MAKE_SAMPLE) $(PHOTO) .local/sample/sample.mp4

check-packages:
	@tools/setup/packages.sh base check

# Without these the tests that want them skip.
check-tools: setup
	@tools/setup/packages.sh browser || echo "No Chromium: pages are not opened in it."
	@$(PYTHON) tools/setup/setup.py check perfetto || \
	  echo "Types are not checked, or traces not opened in Perfetto's viewer."

# Without it the test of the job array skips.
check-slurm:
	@tools/setup/packages.sh slurm || echo "No Slurm: the job array is not queued on one."
