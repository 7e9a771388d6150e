# Fresh machine: `make demo` and `make test` need Python >= 3.10, make and a package index, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2

export OMP_WAIT_POLICY := passive

# What computes, and so could come out otherwise on another processor: `make test-portable` runs it as if on several.
ARITHMETIC := tests/net tests/train tests/retrain/test_trainer.py tests/space tests/split tests/method tests/stats tests/test_every_combination.py \
	tests/benchmarks/test_naive.py tests/benchmarks/test_regret.py tests/benchmarks/test_guard.py \
	tests/search/test_trainer.py tests/search/test_evaluator.py tests/search/test_matching.py tests/search/test_trust.py \
	tests/search/test_schedule.py tests/search/test_stability.py tests/rank/test_evaluate.py \
	tests/study/record/test_training.py tests/study/record/test_supernet.py tests/study/record/test_tuning.py
# What trains: `.ci/run` runs it as if on the two kinds of processor whose kernels differ most from the usual ones.
TRAINS := tests/net tests/train tests/retrain/test_trainer.py tests/split tests/method tests/test_every_combination.py tests/benchmarks/test_naive.py \
	tests/search/test_trainer.py tests/search/test_trust.py tests/study/record/test_training.py
SETTINGS := ONEDNN_MAX_CPU_ISA=SSE41 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=default \
	GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA
# Processes that tests start beside each other do not fight for the cores either.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
PARTS := kills damage full_disks two_writers clocks grace not_finite bad_images positions lost_workers effective_time
QUICK := -m "not slow"

.PHONY: demo test test-all survival test-portable test-training lint clean

# A folder of its own each time: nothing is overwritten.
demo: DEMO := runs/demo-$(shell date +%Y%m%d-%H%M%S)
demo: $(VENV)/.demo
	$(BIN)/cleave search --out $(DEMO)/search
	$(BIN)/cleave train $(DEMO)/search --from supernet --epochs 3 --out $(DEMO)/network
	$(BIN)/cleave export $(DEMO)/network --format onnx --out $(DEMO)/export
	$(BIN)/cleave report $(DEMO)/search $(DEMO)/network --out $(DEMO)/report.html

test: $(VENV)/.test
	$(PYTEST) $(QUICK) --durations=20

test-all: $(VENV)/.test
	CLEAVE_FUZZ=$${CLEAVE_FUZZ:-160} $(PYTEST) -m "not survival" --durations=20

# Everything that befalls runs, in parts of less than an hour: docs/reliability.md. One part: make survival PARTS=kills
survival: $(VENV)/.test
	@set -e; for part in $(PARTS); do echo "== $$part"; $(PYTEST) -q tests/survival/test_$$part.py; done

test-portable: $(VENV)/.test
	@set -e; for setting in $(SETTINGS); do echo "== $$setting"; env "$$setting" $(PYTEST) -q $(QUICK) $(ARITHMETIC); done

test-training: $(VENV)/.test
	@set -e; for setting in ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=default; do \
		echo "== $$setting"; env "$$setting" $(PYTEST) -q $(QUICK) $(TRAINS); done

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "cleave needs Python 3.10 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[export]'
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/.lint: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test,lint]'
	@touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
