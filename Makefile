# `make quickstart` and `make test` do all the setup. Requires GNU make 3.81 or newer.
#
#   PYTHON=python3.12 make …   the interpreter of .venv (3.11 or newer)
#   EXTRA=cpu make …           the extra to install, cpu or gpu; gpu by default if nvidia-smi
#                              works. Changing it recreates .venv.
#   DATA=PATH make study       the study's data, if not from the Hub
#   MNIST=PATH FASHION_MNIST=PATH make reference    the same for the reference runs
#   JOBS=4 make test           test processes; two need a core, since they wait often, and 2 GB each
#   TORCH_INDEX=URL make …     an extra index for torch, such as its own of CPU builds
#
# A change of pyproject.toml or constraints.txt updates .venv.

PYTHON ?= python3
TORCH_INDEX ?=
JOBS ?= 3
DATA ?= cifar10
MNIST ?= mnist
FASHION_MNIST ?= fashion_mnist

ifndef EXTRA
EXTRA := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
endif
OTHER := $(filter-out $(EXTRA),cpu gpu)
ifneq ($(words $(OTHER)),1)
$(error EXTRA must be cpu or gpu, not '$(EXTRA)')
endif

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(EXTRA)

# --extra-index-url, not --index-url, because an index of torch builds lacks other packages. Its
# builds of torch win: 2.13.0+cpu counts as newer than 2.13.0 and meets the pin in constraints.txt.
INDEX := $(if $(strip $(TORCH_INDEX)),--extra-index-url "$(strip $(TORCH_INDEX))")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help quickstart test test-slow test-gpu golden study reference bench bench-gpu peers wheel clean

help:  ## show this
	@echo "genzoo: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
	@echo "Set PYTHON, EXTRA or TORCH_INDEX before it: see the first lines of the Makefile."

# One thread: so small a network gains little from a second one, and threads that wait for each other
# make it six times slower on a busy machine.
quickstart: $(INSTALLED)  ## train a Glow on handwritten digits: two minutes on two CPU cores
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/zoo train glow
	@echo "The command zoo is in $(BIN): run   . $(BIN)/activate   first."

test: $(INSTALLED)  ## lint, check types and run the tests that are not slow
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-slow: $(INSTALLED)  ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow -n 2 --dist loadgroup

test-gpu: $(INSTALLED)  ## run the tests for NVIDIA GPUs: a table, and runs/gpu/checks.json
	$(BIN)/python benchmarks/gpu/checks.py --out runs/gpu

golden: $(INSTALLED)  ## compare every model's numbers with this machine's golden record: 4 minutes
	$(BIN)/python benchmarks/golden/golden.py compare

study: $(INSTALLED)  ## compare parts of Glow, benchmarks/glow_study: half an hour on one CPU core
	$(BIN)/python benchmarks/glow_study/study.py --data "$(DATA)" --out runs/glow_study

reference: $(INSTALLED)  ## train and measure every model for its card: an hour and a half on a CPU
	$(BIN)/python benchmarks/reference/reference.py --out runs/reference --mnist "$(MNIST)" \
	  --fashion-mnist "$(FASHION_MNIST)" --publish .

bench: peers  ## measure speed and memory beside other libraries: 28 minutes on two CPU cores
	$(BIN)/python benchmarks/speed/bench.py --device cpu --out runs/bench \
	  --publish benchmarks/results

bench-gpu: peers  ## the same on an NVIDIA GPU
	$(BIN)/python benchmarks/speed/bench.py --device cuda --out runs/bench-gpu \
	  --publish benchmarks/results

peers: $(INSTALLED)
	-$(BIN)/python -m pip install --disable-pip-version-check --no-deps \
	  normflows==1.7.3 pythae==0.1.2 cloudpickle torch-mimicry==0.1.16

wheel: $(INSTALLED)  ## build the wheel and the sdist into dist/
	$(BIN)/python -m hatchling build -d dist

clean:  ## remove .venv, dist/ and caches; runs/ stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv without a working pip is incomplete, or its Python is gone: recreate it.
$(INSTALLED): pyproject.toml constraints.txt
	@rm -f $(VENV)/.installed-$(EXTRA)
	@if test -e $(VENV)/.installed-$(OTHER); then \
	  echo "$(VENV) has the extra $(OTHER): recreating it with $(EXTRA)"; rm -rf $(VENV); fi
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  version=`"$(PYTHON)" -c 'import platform; print(platform.python_version())' 2>/dev/null`; \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "genzoo needs Python 3.11 or newer, and $(PYTHON) is $${version:-not found}:" \
	      "set another one, as in   PYTHON=python3.12 make" >&2; exit 1; }; \
	  "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot create virtual environments: install its venv module" \
	      "(Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	  echo "Creating $(VENV) with Python $$version"; \
	  rm -rf $(VENV) && "$(PYTHON)" -m venv $(VENV); }
	@echo "Installing genzoo[$(EXTRA),dev] into $(VENV): a few minutes the first time"
	$(BIN)/python -m pip install --disable-pip-version-check $(INDEX) \
	  -c constraints.txt -e ".[$(EXTRA),dev]"
	@touch $@
