# SPDX-License-Identifier: Apache-2.0
# The two commands of the README are `make conform` and `make test`; `make help` lists the rest.

SWIFT ?= swift
PREFIX ?= /usr/local
PYTHON := build/venv/bin/python
GENERATOR := Conformance/Generator
# Further options for the conformance run, e.g. make conform OPTIONS='--level driver'
OPTIONS ?=
# Lists of files for xargs; generated files say themselves that they are not to be formatted. Templates have holes.
C_SOURCES = git ls-files -z -- '*.c' '*.h' '*.cpp' '*.hpp' ':!Templates'
SWIFT_SOURCES = git ls-files -z -- '*.swift' ':!Templates'

.DEFAULT_GOAL := help
.PHONY: help setup data golden build conform compare-onnx numerics vendors test full generator-tests check lint format install dist docs clean

help:
	@echo 'make conform             set up, build, run the conformance suite on the reference CPU plugin (OPTIONS=...)'
	@echo 'make test                set up, build, run the tests'
	@echo 'make full                what CI tries a part of: every network in every split over two chips and the CPU'
	@echo 'make vendors             build the plugins of VendorExamples as vendors do, and run the suite on each'
	@echo 'make check               formatting, build, tests'
	@echo 'make build               the command line and the reference plugin, in release'
	@echo 'make setup               install what is missing, without building'
	@echo 'make data                export the ONNX corpus and the networks to build/'
	@echo 'make golden              make the golden results of operators in Conformance/Golden anew'
	@echo 'make format              format the sources in place'
	@echo 'make compare-onnx        ONNX Runtime and the ONNX reference by the same criteria: makes the tables of docs/onnx-corpus.md anew'
	@echo 'make numerics            the bounds tried against right and wrong arithmetic: makes the tables of docs/numerics.md anew'
	@echo 'make install PREFIX=DIR  install to DIR (default: $(PREFIX))'
	@echo 'make dist                an archive in build/dist that runs without Swift, Python or a network'
	@echo 'make docs                the documentation as a DocC site in build/docc'
	@echo 'make clean               remove .build and build'

setup:
	@scripts/setup.sh

# Each of the generators does nothing where its folder is up to date.
data: setup
	@$(PYTHON) $(GENERATOR)/export_corpus.py --output build/corpus
	@$(PYTHON) $(GENERATOR)/refill_networks.py --output build/networks

golden: setup
	@$(PYTHON) $(GENERATOR)/golden_operators.py --output Conformance/Golden/operators

build: setup
	$(SWIFT) build -c release

conform: build data
	@.build/release/southbridge conform cpu $(OPTIONS)

compare-onnx: build data
	@scripts/compare-onnx.sh

# Every count is in build/numerics.log.
numerics: setup
	$(SWIFT) build -c release --product numerics-study
	@.build/release/numerics-study docs/numerics.md $(PYTHON) Conformance/Bridges/numerics_numpy.py build/numerics.log

vendors: build data
	@scripts/vendors.sh

test: data generator-tests
	$(SWIFT) build -c release --build-tests
	$(SWIFT) test -c release --skip-build

full: data
	$(SWIFT) build -c release --build-tests
	SOUTHBRIDGE_FULL=1 $(SWIFT) test -c release --skip-build --filter NetworkPlacementTests

generator-tests: data
	@cd $(GENERATOR) && ../../$(PYTHON) -m unittest discover --pattern '*_tests.py'
	@cd Conformance/Bridges && ../../$(PYTHON) -m unittest discover --pattern '*_tests.py'

lint:
	@command -v clang-format >/dev/null || { echo 'error: clang-format is missing: apt-get install clang-format' >&2; exit 1; }
	@$(SWIFT_SOURCES) | xargs -0 -r $(SWIFT) format lint --strict --parallel
	@$(C_SOURCES) | xargs -0 -r clang-format --dry-run -Werror

format:
	@$(SWIFT_SOURCES) | xargs -0 -r $(SWIFT) format --in-place --parallel
	@$(C_SOURCES) | xargs -0 -r clang-format -i

check: lint build test

install: build data
	@scripts/install.sh '$(DESTDIR)$(PREFIX)'

dist: build data
	@scripts/dist.sh

docs: build
	@scripts/docc.py build/docc

clean:
	rm -rf .build build
