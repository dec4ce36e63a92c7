# Everything that is built or downloaded lives outside the checkout, in one cache; a virtual environment is keyed by
# the lock, the interpreter and the checkout, so that a changed lock or a second clone gets its own.
PYTHON ?= python3
CACHE := $(or $(POPULATE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/populate-operator)
# In Python, for macOS has no sha256sum.
DIGEST := import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])
KEY := $(shell { cat requirements.lock; $(PYTHON) --version; pwd; } | $(PYTHON) -c '$(DIGEST)')
VENV := $(CACHE)/venv-$(KEY)
PATH := $(VENV)/bin:$(PATH)
# Not /bin/sh, without which GNU make 3.81, as macOS has it, may look for a recipe's command on its own PATH.
SHELL := /bin/bash
READY := $(VENV)/.ready
export PATH
export POPULATE_CACHE := $(CACHE)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv installs the lock in seconds where pip takes minutes; it looks where pip would look.
export VIRTUAL_ENV := $(VENV)
export UV_CACHE_DIR := $(CACHE)/uv
# Else every process that a test starts compiles DataJoint and pandas anew, where Python is told to write no bytecode.
export UV_COMPILE_BYTECODE := 1
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX := $(PIP_INDEX_URL)
endif

.DEFAULT_GOAL := help
.PHONY: help setup test lint unit database cluster-test argocd-test docs demo cluster-demo bench chaos soak servers servers-down cluster cluster-down images generate lock release-check release-chart clean
# Most of a test is waiting, for processes and pods: several run side by side. With so small a chunk, in their order.
SERVERS_TEST := python -m tests.servers run python -m pytest --numprocesses=4 --dist=worksteal --durations=20
CLUSTER_TEST := python -m tests.cluster run python -m pytest tests/cluster --numprocesses=6 --maxschedchunk=1 --durations=20

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Pass arguments to pytest with ARGS, for example: make database ARGS='--engine postgresql-18 -x'"

setup: $(READY) ## Make the virtual environment (outside the checkout) and say where it is
	@echo "Ready: source $(VENV)/bin/activate"

# What the cluster needs of Go is built meanwhile, behind everything else: nothing where it was built before.
test: lint ## Lint, types, import contracts, every test on every server and on a cluster (with ARGS: those tests alone)
ifdef ARGS
	python -m tests.servers run python -m pytest $(ARGS)
else
	nice python -m tests.cluster programs & $(SERVERS_TEST); failed=$$?; wait; exit $$failed
	$(CLUSTER_TEST)
endif

lint: $(READY) ## Style, types, import contracts, insecure code, lock
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	bandit --quiet --configfile pyproject.toml --recursive jobs worker operator
	python .ci/lock.py --check

unit: $(READY) ## Tests that need no server
	python -m pytest tests/unit $(ARGS)

database: $(READY) ## Tests of the queue on real servers
	python -m pytest tests/database $(ARGS)

cluster-test: $(READY) ## Tests on a real Kubernetes
	$(CLUSTER_TEST) $(ARGS)

argocd-test: $(READY) ## Have a real Argo CD sync PopulateJobs from Git (built from source: a quarter of an hour the first time)
	python -m tests.cluster run python -m pytest tests/cluster/argo --durations=10 $(ARGS)

docs: $(READY) ## Build the site of the documentation in dist/site
	NO_MKDOCS_2_WARNING=1 mkdocs build

demo: $(READY) ## Populate a small pipeline on real recordings, and show what came out
	examples/cardio/demo.sh

cluster-demo: $(READY) ## The same in pods of a real Kubernetes, which is started unless one runs
	python -m tests.cluster demo

bench: $(READY) ## Measure the queue and the workers against DataJoint, on real servers
	python -m bench $(ARGS)

chaos: $(READY) ## Break things while keys are made, and count what became of each (hours; CHAOS_SECONDS=120 for a short one)
	python -m tests.chaos $(ARGS)

soak: $(READY) ## Keys come one by one for an hour: do memory, files and connections grow? (SOAK_SECONDS=120 for a short one)
	python -m tests.cluster run python -m tests.soak $(ARGS)

servers: $(READY) ## Start the database servers and leave them running, so that tests start at once
	python -m tests.servers up

servers-down: $(READY) ## Stop and remove the database servers
	python -m tests.servers down

cluster: $(READY) ## Start a Kubernetes with databases and images in it, unless one runs, and say how to use it
	python -m tests.cluster up

cluster-down: $(READY) ## Stop and remove the Kubernetes that `make cluster` started, and its databases
	python -m tests.cluster down

images: $(READY) ## Build the images of operator and worker, and load them into the cluster if one runs
	python -m tests.cluster images

generate: $(READY) ## Write anew what is made from definition, commands and chart: reference pages, README, deploy/, what tests compare
	python .ci/reference.py
	python -m tests.cluster.generated

lock: $(READY) ## Lock the dependencies of pyproject.toml anew (ARGS=--upgrade for newer versions)
	python .ci/lock.py $(ARGS)

release-check: $(READY) ## Make and judge all files of a release that need no registry, in dist/release
	python .ci/release.py check $(ARGS)

release-chart: $(READY) ## Package the chart with an image by its digest (ARGS='--image NAME@DIGEST')
	@python .ci/release.py chart $(ARGS)

clean: ## Remove this checkout's virtual environment and the tools' caches; servers and images stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): $(VENV)/.locked pyproject.toml
	uv pip install --quiet --no-deps --no-build-isolation --editable . --editable examples/cardio
	@touch $@

$(VENV)/.locked: requirements.lock
	@rm -rf $(VENV)
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Installing python3-venv (apt-get)"; \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes python3-venv >/dev/null; }
	@echo "Making a virtual environment in $(VENV) from requirements.lock (half a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@awk '/^[a-z]/ { on = /^uv==/ } on' requirements.lock > $(VENV)/uv.txt
	@pip install --quiet --require-hashes --requirement $(VENV)/uv.txt
	@uv pip install --quiet --require-hashes --requirement requirements.lock || { \
	  echo "uv cannot; trying pip, which may be configured otherwise (some minutes)"; \
	  pip install --quiet --require-hashes --requirement requirements.lock; }
	@touch $@
