# The entry points. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# No model hub is asked and nothing is reported home.
export HF_HUB_OFFLINE := 1
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

.PHONY: help install demo test test-faults lint sample docs clean benchmark-quality test-fuzz audit
.PHONY: benchmark-serving benchmark-features

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 22

install: $(INSTALLED)  ## make .venv with everything for training, serving and tests

# torch comes first and alone, so that pip takes the CPU build where one is offered (README, "Install").
# Where the system lacks the OpenMP runtime that LightGBM needs, it is installed (Debian, as root).
$(INSTALLED): pyproject.toml constraints.txt
	@ldconfig -p 2>/dev/null | grep -q libgomp.so.1 || ! command -v apt-get >/dev/null || \
	  { apt-get update -q && apt-get install -qy libgomp1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,test]'
	@$(BIN)/python -m compileall -q src serving
	@touch $@

demo: install  ## from simulated conversations to a served prediction, in a few minutes
	$(BIN)/python pipelines/demo.py

# In CI the store's tests must run on PostgreSQL too; elsewhere they do where one answers, and say so where none does.
ifdef CI
test: export HANDOFF_TEST_POSTGRES ?= postgresql+psycopg://postgres@127.0.0.1/postgres
test: postgres
endif
# Two trainings at once on two cores wait for each other's threads: asleep, not spinning (minutes instead of seconds).
test: export OMP_WAIT_POLICY := passive
test: export GOMP_SPINCOUNT := 0
test: install lint  ## everything that the tests need, then the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

.PHONY: postgres
postgres:  ## start a PostgreSQL for the store's tests (Debian, as root)
	.ci/postgres

# All faults in full, with a table: see docs/performance.md. PostgreSQL as in CI, where one can be had.
test-faults: export HANDOFF_TEST_POSTGRES ?= postgresql+psycopg://postgres@127.0.0.1/postgres
test-faults: install postgres  ## break everything the service stands on, under load, and count what is lost
	$(BIN)/python -m tests.faults

test-fuzz: install  ## twenty thousand hostile requests to a real worker, then Schemathesis; a few minutes
	$(BIN)/python -m tests.safety.fuzz --requests 20000

audit: install  ## the locked dependencies, their licences, and known holes where pip-audit can be asked
	$(BIN)/python -m tests.safety.audit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

sample: install  ## simulate data/sample again
	$(BIN)/handoff simulate --conversations 2000 --seed 7 --out data/sample

docs: install  ## write the tables in README.md and docs/ again from the code
	$(BIN)/handoff tables README.md docs/*.md

benchmark-serving: install  ## how fast it answers, beside doing nothing and beside MLflow: docs/performance.md
	$(BIN)/python -m benchmarks.serving --encoders $(WRITE)

benchmark-features: install  ## how fast features are built in bulk: docs/performance.md
	$(BIN)/python -m benchmarks.features $(WRITE)

benchmark-quality: install  ## fit and score on public sets, from HANDOFF_BENCHMARK_DATA (../shared/data): benchmarks/quality.md
	$(BIN)/handoff evaluate --suite public

clean:  ## remove what was made: models, runs, the sample; not the environment
	rm -rf data/sample data/processed models/escalation models/routing models/encoders mlruns mlartifacts mlflow.db .demo
