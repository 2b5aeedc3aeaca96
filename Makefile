# Two ways in: `make demo` and `make test`. Both set up a virtual environment first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOWEST ?= .venv-lowest

# glibc's allocator returns large blocks to the system at once, and torch on a CPU then waits for pages to be cleared:
# keeping them makes scoring and training a good deal faster.
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 100000000000
export MALLOC_TOP_PAD_ ?= 1000000000
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test test-lowest lint clean

# What scoring needs and no more. A torch without CUDA is smaller: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
$(BIN)/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable .
	touch $@

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(BIN)/.core  ## score a right and a wrong summary of a report with the embedded model
	$(BIN)/quals explain --example

test: $(BIN)/.installed  ## the test suite
	# A process for each core; threads of several would wait for each other.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile

# The oldest releases that pyproject.toml claims to work with. torch alone stays as in constraints.txt. uv takes the newest
# fsspec first, and so would miss the oldest datasets if it were not told.
$(LOWEST)/.installed: pyproject.toml constraints.txt $(BIN)/.installed
	$(PYTHON) -m venv $(LOWEST)
	echo 'datasets<5.1' | $(BIN)/uv pip compile --quiet --resolution lowest-direct --extra dev --constraint constraints.txt \
		--python $(LOWEST)/bin/python --output-file $(LOWEST)/versions.txt - pyproject.toml
	# Compiling all modules ahead takes a minute, and a third of the tests imports few of them.
	$(LOWEST)/bin/python -m pip install --quiet --no-compile --constraint $(LOWEST)/versions.txt --editable ".[dev]"
	touch $@

test-lowest: $(LOWEST)/.installed  ## the tests (or TESTS=...) with the oldest releases that pyproject.toml allows
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -W default -n auto --dist loadfile $(TESTS)

lint: $(BIN)/.installed  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy metrics/quals metrics/factcc metrics/qags trainer_ext benchmarks
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) $(LOWEST) build dist
