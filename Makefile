# Everything here needs only Python >= 3.11 with pip, and make. `make PYTHON=python3.13 test` picks another one.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
INSTALLED := $(VENV)/installed
PIP_INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help venv demo test thorough lint bench mutation clean

help:
	@echo "make test    run the whole suite     (ARGS='-k resume' is passed on to pytest)"
	@echo "make thorough  run what takes minutes and 'make test' leaves out, such as all of torch through every format"
	@echo "make lint    ruff and mypy"
	@echo "make demo    see the plugin find what a checkpoint forgot"
	@echo "make bench   compare with the alternatives"
	@echo "make mutation  break the code in small ways and see whether a test notices: hours, see tests/MUTATION.md"
	@echo "make venv    only set up $(VENV)"
	@echo "make clean   remove what the other targets made"

venv: $(INSTALLED)

# pip first: the one that comes with Python may be too old for --group. __init__.py holds the version.
$(INSTALLED): pyproject.toml constraints.txt pytest_ckpt/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "pytest-ckpt needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --upgrade pip
	$(PIP_INSTALL) --editable '.[all]' --group dev
	@touch $@

demo: $(INSTALLED)
	$(VENV)/bin/python examples/digits_workspace/demo.py

# -n auto comes from pyproject.toml.
test: $(INSTALLED)
	$(VENV)/bin/pytest $(ARGS)

# The page of results is written anew only if nothing was left out.
thorough: $(INSTALLED)
	$(VENV)/bin/pytest -m thorough --junitxml=.thorough.xml $(ARGS)
	$(VENV)/bin/python tests/torch_catalogue/write_torch_page.py .thorough.xml docs/torch_catalogue.md

lint: $(INSTALLED)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy tests/plugin/conftest.py
	$(VENV)/bin/mypy tests/devices/conftest.py
	$(VENV)/bin/mypy tests/strategies/conftest.py

# Without the rivals their rows say what to install.
bench: $(INSTALLED)
	test -d .rivals || $(PIP_INSTALL) --no-deps --target .rivals --group rivals || true
	$(VENV)/bin/python -m benchmarks $(ARGS)

# A forked process hangs at torch's threads. What is compared and captured is judged by its own tests alone.
MUTMUT := OMP_NUM_THREADS=1 $(VENV)/bin/mutmut
mutation: $(INSTALLED)
	$(PIP_INSTALL) --group mutation
	PYTEST_ADDOPTS=--deselect=tests/checks $(MUTMUT) run $(ARGS) 'pytest_ckpt.comparison.*' 'pytest_ckpt.state.*'
	$(MUTMUT) run $(ARGS) 'pytest_ckpt.checks.*'
	$(MUTMUT) results
	$(MUTMUT) results --all true | sed -n 's/.*pytest_ckpt\.\([a-z]*\)\..*: /\1 /p' | sort | uniq -c

clean:
	rm -rf $(VENV) .ci/venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .rivals .thorough.xml build dist mutants
	find . -name __pycache__ -prune -exec rm -rf {} +
