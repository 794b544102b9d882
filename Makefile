# What people type: make demo, make test, make check, make bench, make wheel. Everything lives in .venv and target.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(HOME)/.cargo/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup tools demo test test-rust test-python test-interop check format docs bench wheel wheel-test clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

tools:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is missing ('$(PYTHON)' is not one). Get it from https://www.python.org/downloads/"; \
	  echo "or your system's packages (with venv), or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@command -v cargo >/dev/null || { \
	  echo "Rust (cargo) is missing. Get it from https://rustup.rs:"; \
	  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"; exit 1; }

$(BIN)/.installed: pyproject.toml | tools
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'maturin>=1.7,<2'
	$(BIN)/maturin develop --release --quiet --extras plot,test,dev
	@touch $@

setup: tools $(BIN)/.installed ## .venv with everything, extension compiled and installed
	@$(BIN)/maturin develop --release --quiet --skip-install

demo: setup ## the clinic tutorial on its own data, with its pictures
	$(BIN)/python examples/clinic_tutorial.py

test: test-rust test-python ## Rust and Python tests

# Optimised across crates they would take twice as long to link.
test-rust: tools
	CARGO_PROFILE_RELEASE_LTO=off cargo test --release --no-default-features --lib --tests --quiet

test-python: setup
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m 'not packaging and not alone'
	$(BIN)/python -m pytest -m alone

# marginaleffects and maketables bring fifty packages of their own, and an older polars.
INTEROP := target/interop
test-interop: setup ## the adapters against the packages they are for (installed beside, not in .venv)
	$(BIN)/maturin build --release --quiet --out $(INTEROP)/wheel
	$(PYTHON) -m venv $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet pytest pyarrow "$$(ls $(INTEROP)/wheel/*.whl)[interop]"
	$(INTEROP)/bin/python -m pytest tests/test_interop.py tests/test_model_comparison.py

check: setup ## formatting, lints, types
	cargo fmt --check
	cargo clippy --release --all-targets --no-default-features --quiet -- -D warnings
	cargo clippy --release --all-targets --features python --quiet -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup ## format Rust and Python
	cargo fmt
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

bench: setup ## time and memory against other packages (installs them beside, not in .venv)
	$(BIN)/python benchmarks/run.py

$(BIN)/.docs: pyproject.toml $(BIN)/.installed
	$(BIN)/python -m pip install --quiet 'mixedmodels[docs]'
	@touch $@

# Pictures and numbers are made anew, in docs/_build; Sphinx fetches nothing.
docs: setup $(BIN)/.docs ## the documentation site, and docs/tutorial.md; open docs/_build/html/index.html
	$(BIN)/python docs/make_tutorial.py
	$(BIN)/python docs/make_gallery.py
	PYTHONPATH=tests $(BIN)/python docs/make_certificate.py
	$(BIN)/python -m sphinx --builder html --fail-on-warning --quiet \
	  --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo "the site: $(CURDIR)/docs/_build/html/index.html"

# On Linux zig links against an old glibc, so that the wheel runs on any distribution since 2014.
PORTABLE := $(if $(filter Linux,$(shell uname -s)),--zig --compatibility manylinux2014)

wheel: $(BIN)/.installed ## sdist and wheel in dist/
	rm -rf dist
	$(BIN)/maturin sdist --out dist
	$(if $(PORTABLE),$(BIN)/python -m pip install --quiet ziglang)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build --release $(PORTABLE) --out dist

wheel-test: wheel ## both installed in empty environments, a model fitted in each
	$(BIN)/python -m pytest -m packaging tests/test_packaging.py

clean:
	rm -rf target dist $(VENV) benchmarks/.venvs docs/_build
