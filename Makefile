# Two ways in: `make demo` and `make test`. Both set up a virtual environment first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# glibc's allocator returns large blocks to the system at once, and torch on a CPU then waits for pages to be cleared:
# keeping them makes scoring and training a good deal faster.
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 100000000000
export MALLOC_TOP_PAD_ ?= 1000000000
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test lint clean

$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(BIN)/.installed  ## score two summaries of an article with the embedded model
	$(BIN)/quals explain --example

test: $(BIN)/.installed  ## the test suite
	# A process for each core; threads of several would wait for each other.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile

lint: $(BIN)/.installed  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy metrics/quals metrics/factcc metrics/qags trainer_ext benchmarks

clean:
	rm -rf $(VENV) build dist
