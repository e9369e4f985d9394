# Everything an engineer or a build machine does with Cairn. Each target installs what it lacks, once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SWIFT   ?= swift
PYTHON  ?= python3
# Where `make run` keeps its data, and the address it serves.
DATA    ?= cairn-data
LISTEN  ?= 127.0.0.1:9000
# How many seeds the simulator tries; `make test-long` tries LONG_SEEDS more.
SEEDS   ?= 2000
LONG_SEEDS ?= 100000
# How many of them run a whole cluster.
CLUSTER_SEEDS ?= 150
LONG_CLUSTER_SEEDS ?= 10000
# Each flips 5,000 bits.
ROT_SEEDS ?= 20
# `make test-long` tries every so many-th crash point.
STRIDE  ?= 1
# Options of the mutants' runner: `make test-mutants MUTANTS="--only drop-fsync"`.
MUTANTS ?=
# Which tests the sanitizers watch, a regular expression; all when empty: `make test-thread WATCHED=EngineTests`.
WATCHED ?=
# How long each fuzzer runs, and which of them (all when empty).
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
# The client tests of `make test`, in two rows that take about as long: one runs after the Swift tests, the other, with
# faults and clusters, beside both.
AFTER_SWIFT := $(addprefix Tests/Clients/,test_boto3_objects.py test_boto3_buckets.py test_boto3_multipart.py \
           test_awscli.py test_other_clients.py test_conformance.py test_completions.py test_refused_requests.py \
           test_bad_input.py test_subresources.py test_signature.py test_trailers.py test_tls.py test_secrets.py \
           test_open_files.py test_first_start.py test_serve_refusals.py test_removed_files.py \
           test_damaged_state.py test_beside.py test_stop.py test_metrics.py test_disks_lost.py test_growth.py \
           test_disk_full.py::test_deletes_one_by_one_on_small_full_disks test_crash_points.py)
BESIDE_SWIFT := $(addprefix Tests/Clients/,test_copied_node.py test_failing_rebuild.py test_storage_classes.py \
           test_disk_faults.py test_raw_disks.py test_salvage.py test_metadata_full.py \
           test_power_cuts.py::test_a_few_power_cuts test_cluster.py test_cluster_changes.py test_node_disks.py \
           test_take_over.py test_histories.py test_linearizable.py test_deployment.py test_package.py \
           test_flips.py::test_more_flips_than_parities_are_refused_and_listed)
# What pytest runs: `make test-clients CLIENTS="Tests/Clients -m 'not long'"` is the quick part.
CLIENTS ?= $(AFTER_SWIFT) $(BESIDE_SWIFT)
stamps  := .build/stamps
# Inside what it vouches for, so that it goes when that goes.
python  := .venv/complete
cairn   := .build/release/cairn
# Preloaded into servers by tests that kill or fail them at the n-th file call.
faults  := .build/faults/faults.so
# A failure is said once more at the end: hundreds of tests may pass after it.
swift-log := .build/swift-tests.log
simulator-log := .build/simulator.log

.PHONY: help run build simulator test build-tests test-swift test-simulator test-clients test-long test-mutants \
        test-thread test-address check-mutants faults fuzz demo bench deb format lint clean

help:
	@echo "make run     build and serve S3 on $(LISTEN), data in ./$(DATA)"
	@echo "make test    Swift tests, simulator, real S3 clients"
	@echo "make test-long  every client test, crash point and pair of faults: kills, full disks, memory; and 100,000 seeds"
	@echo "make test-mutants  plant known bugs, one at a time, and prove that a test notices each"
	@echo "make test-thread, make test-address  Swift tests under the thread and the address sanitizer; WATCHED=FILTER"
	@echo "make fuzz    fuzz every decoder for FUZZ_SECONDS=$(FUZZ_SECONDS) each and keep what reaches more of it"
	@echo "make demo    lose two disks and more while serving a study, and read it back"
	@echo "make bench   measure this machine"
	@echo "make deb     make the Debian package in .build/deb: program, libraries, units, manual; and look at it"
	@echo "make format  format the Swift sources in place; make lint only looks, at the Python too"

run: build
	exec $(cairn) serve --data $(DATA) --listen $(LISTEN)

build: $(stamps)/build-packages
	$(SWIFT) build -c release --product cairn

# One configuration only: the tests build what they test, and the programs beside it. The other tests wait much of their
# time, for disks and clients: they run in two rows, and the simulator has what they leave of the processors.
test: check-mutants build-tests $(faults) $(stamps)/client-packages $(stamps)/package-packages $(python)
	Scripts/test/beside $(simulator-log) "$(part) test-simulator" \
	    "$(part) test-swift && $(call clients-part,$(filter $(AFTER_SWIFT),$(CLIENTS)))" \
	    "$(call clients-part,$(filter-out $(AFTER_SWIFT),$(CLIENTS)))"

part = $(MAKE) --old-file=build-tests
# Without files pytest would run all.
clients-part = $(if $(strip $(1)),$(part) test-clients CLIENTS='$(strip $(1))',true)

build-tests: $(stamps)/build-packages
	$(SWIFT) build -c release --build-tests

# For working on it: the tests need not be built.
simulator: $(stamps)/build-packages
	$(SWIFT) build -c release --product simulator

test-swift: build-tests
	$(SWIFT) test -c release --skip-build --disable-xctest --no-parallel 2>&1 | tee $(swift-log) \
	    || { echo "Failed:"; grep -a '✘' $(swift-log); exit 1; }

# Every client test, with kills, full disks, memory and salvage, and with every crash point; and many more seeds.
test-long: build-tests $(faults) $(stamps)/client-packages $(stamps)/package-packages $(python)
	CAIRN_TEST_POINTS_STRIDE=$(STRIDE) CAIRN_TEST_PAIRS=all CAIRN_TEST_MEMORY_MIB=1024 CAIRN_TEST_EIO_SECONDS=60 \
	    CAIRN_TEST_FULL_SMALL_OBJECTS=200000 CAIRN_BINARY=$(cairn) \
	    .venv/bin/python -m pytest Tests/Clients
	.build/release/simulator run --first-seed $$(( $(SEEDS) + 1 )) --seeds $(LONG_SEEDS)
	.build/release/simulator run --scenario cluster --first-seed $$(( $(CLUSTER_SEEDS) + 1 )) \
	    --seeds $(LONG_CLUSTER_SEEDS)

# A build of its own, in .build/mutants: the first takes as long as a clean build, the next only what changed.
test-mutants: $(stamps)/build-packages
	$(PYTHON) Tests/Mutants/run.py $(MUTANTS)

# Builds of their own, in .build/thread and .build/address: the first of each takes as long as a clean build. What is
# known to be a false alarm, and why, is in Tests/Sanitizers.
test-thread test-address: test-%: $(stamps)/build-packages
	CAIRN_SANITIZED=1 nice $(SWIFT) build -c release --build-tests --sanitize=$* --scratch-path .build/$*
	Scripts/sanitizers/run $* .build/$* $(WATCHED)

# A change that a patch no longer fits is to be noticed at once, and not when the mutants are built next.
check-mutants:
	$(PYTHON) Tests/Mutants/run.py --check

test-simulator: build-tests
	.build/release/simulator self-test
	.build/release/simulator run --seeds $(SEEDS)
	.build/release/simulator run --scenario cluster --seeds $(CLUSTER_SEEDS)
	.build/release/simulator run --scenario rot --seeds $(ROT_SEEDS)

test-clients: build-tests $(faults) $(stamps)/client-packages $(stamps)/package-packages $(python)
	CAIRN_BINARY=$(cairn) .venv/bin/python -m pytest $(CLIENTS)

faults: $(faults)

$(faults): $(wildcard Tests/Faults/*) $(stamps)/build-packages
	@mkdir -p $(@D)
	$(CC) -shared -fPIC -O2 -Wall -Wextra -Werror -o $@ $(filter %.c,$^)

# Instrumented for libFuzzer and with the address sanitizer, in a build folder of its own. (gold cannot link it.)
fuzz: $(stamps)/build-packages
	CAIRN_FUZZERS=1 $(SWIFT) build -c release --product fuzzer --scratch-path .build/fuzz \
	    --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
	Scripts/fuzz/run .build/fuzz/release/fuzzer $(FUZZ_SECONDS) $(FUZZ_TARGETS)

demo: build $(stamps)/client-packages $(python)
	.venv/bin/python Scripts/demo/demo.py --binary $(cairn)

bench: build
	Benchmarks/table --binary $(cairn)

# VERSION, DEBFULLNAME and DEBEMAIL of the environment go into it.
deb: build $(stamps)/package-packages $(python)
	Scripts/package/deb $(cairn) .build/deb .build/checkouts
	CAIRN_BINARY=$(cairn) CAIRN_PACKAGE=.build/deb/cairn.deb .venv/bin/python -m pytest Tests/Clients/test_package.py

format:
	$(SWIFT) format format --in-place --parallel --recursive Package.swift Sources Tests

lint: $(python)
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests
	.venv/bin/python -m pyflakes Benchmarks Cluster Scripts Tests

clean:
	rm -rf .build .venv

$(stamps)/%-packages: Scripts/setup/packages
	Scripts/setup/packages $*
	@mkdir -p $(@D) && touch $@

$(python): Tests/Clients/requirements.txt Scripts/setup/python
	PYTHON=$(PYTHON) Scripts/setup/python .venv Tests/Clients/requirements.txt
	@touch $@

# The order of the parts of `test` matters for reading its output, also with -j.
.NOTPARALLEL:
