# make demo    build, and show every NAT type at work in network namespaces
# make test    build, and pass every test
# make lint    types, lint and format
# make sanitize  all compiled code, and a flooded NAT, under AddressSanitizer and UBSan
# make fuzz    random inputs, for FUZZ_SECONDS in all (120); make fuzz FUZZ=--help
# make man     write the manual pages to build/man
# make completion  write completion for bash, zsh and fish to build/completion
# make pictures  redraw docs/demo.svg and docs/top.svg from the demo and `ratsnake top`
# make bench   build, install load generators, and measure; make bench BENCH=--quick in a minute
# make profile  show where the time goes under load, with perf; make profile PROFILE="tcp-1-out --null"
# make soak    an hour of floods, reloads and mishaps; make soak SOAK="--seconds 300 --seed 7"
# make clean   remove what the other targets created

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint sanitize fuzz man completion pictures bench profile soak clean build

demo: build
	@$(BIN)/ratsnake demo

# As many at once as there are processors, in one run: a test with a NAT between network namespaces
# waits most of the time, and others use the processor meanwhile.
test: build $(VENV)/test-extras
	@$(BIN)/python -m pytest -n auto --dist worksteal --ignore=tests/sanitized tests

lint: $(VENV)/lint-extras
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

sanitize: build $(VENV)/test-extras
	@sh tools/sanitize.sh

FUZZ_SECONDS := 120
FUZZ :=

fuzz: $(VENV)/fuzz-extras
	@sh tools/sanitized.sh
	@$(BIN)/python tools/fuzz.py --seconds $(FUZZ_SECONDS) $(FUZZ)

man completion: $(VENV)/docs-extras
man: tools/manual.py
	@$(BIN)/python $< build/man

completion: tools/completion.py
	@$(BIN)/python $< build/completion

pictures: build $(VENV)/pictures-extras
	@$(BIN)/python tools/pictures

BENCH :=

bench: build $(VENV)/bench-extras
	@sh tools/bench_programs.sh
	@$(BIN)/ratsnake bench --json build/bench.json --plot build/bench.svg $(BENCH)

PROFILE :=

profile: build
	@sh tools/profile.sh $(PROFILE)

SOAK :=

soak: build $(VENV)/test-extras
	@PYTHONPATH=tests $(BIN)/python tests/soak $(SOAK)

build: $(VENV)/installed
	@$(BIN)/python tools/build.py

$(VENV)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "ratsnake needs Python 3.10 or newer; name one with make PYTHON=..."; exit 1; }
	@echo "creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "Python's venv module is not complete here (Debian: apt install python3-venv)."; exit 1; }
	@touch $@

$(VENV)/installed: $(VENV)/pip pyproject.toml
	@echo "installing what the build needs ..."
	@$(BIN)/python -m pip install -q "setuptools>=77" "cython>=3.1"
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e .
	@touch $@

$(VENV)/test-extras: $(VENV)/installed
	@echo "installing what the tests need ..."
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[test,bench]"
	@touch $@

$(VENV)/docs-extras: $(VENV)/installed
	@echo "installing what the documentation needs ..."
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[docs]"
	@touch $@

$(VENV)/fuzz-extras: $(VENV)/installed
	@echo "installing the fuzzer ..."
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[fuzz]"
	@touch $@

$(VENV)/pictures-extras: $(VENV)/installed
	@echo "installing what the pictures need ..."
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[pictures]"
	@touch $@

$(VENV)/lint-extras: $(VENV)/installed
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[lint]"
	@touch $@

$(VENV)/bench-extras: $(VENV)/installed
	@echo "installing what the plot needs ..."
	@RATSNAKE_INTERPRETED=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[bench]"
	@touch $@

clean:
	rm -rf $(VENV) build src/ratsnake.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests \( -name '*.so' -o -name '__pycache__' \) -prune -exec rm -rf {} +
