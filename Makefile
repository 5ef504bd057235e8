# Every target prepares what it needs: the first run on a fresh machine makes the environment.

# PYTHON=/path/to/python3 chooses the interpreter of the environment; ARGS='...' reaches the job.
PYTHON ?=
ARGS ?=
PY := .venv/bin/python
PEER_PY := .peers/bin/python
# A moved or copied checkout must not use an environment that points at the old place.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
TRAIN_READY := .venv/.train-$(HERE)
TEST_READY := .venv/.test-$(HERE)
PEERS_READY := .peers/.peers-$(HERE)

.PHONY: help train test lint types docs doctest parity peers bench clean
.DELETE_ON_ERROR:

help:
	@echo "make train    train the default network; options: make train ARGS='--epochs 5 -T 8'"
	@echo "make test     lint, types, docs, then every test (what CI runs)"
	@echo "make lint     ruff check and ruff format --check"
	@echo "make types    mypy over the package as it is installed"
	@echo "make docs     HTML pages in docs/_build/html, warnings are errors"
	@echo "make doctest  the examples in the docstrings alone"
	@echo "make parity   compare with other frameworks, in an environment of their own"
	@echo "make peers    time whole networks beside those of other frameworks, in that environment"
	@echo "make bench    run every script in benchmarks/"
	@echo "make clean    remove what was built; environments and runs/ stay"

train: $(TRAIN_READY)
	.venv/bin/spikeframe train $(ARGS)

# pytest comes last, so that its summary is what one sees. A process per core, each of one thread.
test: lint types docs
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist worksteal $(ARGS)

lint: $(TEST_READY)
	$(PY) -m ruff check
	$(PY) -m ruff format --check

# mypy does not follow the import hook of an editable install, so it gets the installed layout as
# links: spikeframe/ with kernels/ inside.
types: $(TEST_READY)
	@rm -rf build/types && mkdir -p build/types/spikeframe
	@ln -s "$(CURDIR)"/spikeframe/* "$(CURDIR)"/kernels build/types/spikeframe/
	cd build/types && ../../$(PY) -m mypy --config-file ../../pyproject.toml \
		--cache-dir ../../.mypy_cache -p spikeframe

docs: $(TEST_READY)
	@rm -rf docs/api
	$(PY) -m sphinx -W --keep-going --quiet -b html docs docs/_build/html

doctest: $(TEST_READY)
	$(PY) -m pytest tests/house/test_doctests.py $(ARGS)

# The import comes first: with a peer missing, every comparison would skip and look green.
parity: $(PEERS_READY)
	$(PEER_PY) -c 'import norse, snntorch, spikingjelly, tonic'
	$(PEER_PY) -m pytest -m parity -rs $(ARGS)

# Here too: a table without a peer would look like a lead.
peers: $(PEERS_READY)
	$(PEER_PY) -c 'import norse, sinabs, snntorch, spikingjelly'
	$(PEER_PY) benchmarks/peers.py $(ARGS)

bench: $(TEST_READY)
	@set -e; for script in benchmarks/*.py; do echo "$$script"; $(PY) "$$script" $(ARGS); done

clean:
	rm -rf build dist docs/_build docs/api docs/gallery .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find spikeframe kernels tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(TRAIN_READY): pyproject.toml constraints.txt $(PY)
	$(PY) -m pip install -c constraints.txt -e '.[train]'
	@touch $@

$(TEST_READY): pyproject.toml constraints.txt $(PY)
	$(PY) -m pip install -c constraints.txt -e '.[test]'
	@touch $@ $(TRAIN_READY)

# The peers pin old versions of what they barely use: --no-deps, with their needs listed by us.
$(PEERS_READY): pyproject.toml constraints.txt $(PEER_PY)
	$(PEER_PY) -m pip install -c constraints.txt -e '.[parity]'
	$(PEER_PY) -m pip install --no-deps spikingjelly==2.0.0 snntorch==1.0.0 norse==1.1.0 \
		tonic==1.7.0 sinabs==3.1.3
	@touch $@

$(PY) $(PEER_PY):
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
			2>/dev/null; then \
			"$$python" -m venv --clear $(firstword $(subst /, ,$@)) && exit; \
			rm -rf $(firstword $(subst /, ,$@)); exit 1; \
		fi; \
	done; \
	echo "spikeframe needs Python 3.11 or newer with venv (Debian: python3-venv), found none;" \
		"name one: make PYTHON=/path/to/python3" >&2; exit 1
