# Two commands do everything from a fresh clone: `make demo` and `make test`. While you write: `make quick`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# 3.14 where there is one.
OTHER_PYTHONS = 3.10 3.12 3.13 $(if $(shell command -v $(call python,3.14)),3.14)
TESTS ?= tests
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' litellm_qwen_ai/_version.py)
INTO_WHEEL := $(BIN)/python -m pip --python .venv-wheel/bin/python
# What `make quick` runs: pure code and its tables, no process, no proxy, no store but files.
QUICK := tests/chat tests/test_models.py tests/test_plans.py tests/test_redaction.py tests/test_retry_after.py tests/test_settings.py

# Without it pip keeps what an older environment has, and the tests would prove that of a LiteLLM which nobody gets today.
EAGER := --upgrade --upgrade-strategy eager
# LiteLLM 1.91 leaves sockets of its async client open: what the collector says of them is not ours.
OPEN_SOCKETS := -W ignore::pytest.PytestUnraisableExceptionWarning

# $(call venv,FOLDER[,PYTHON]): a virtual environment, if it is not there yet, with a pip that knows groups.
define venv
test -x $(1)/bin/python || $(or $(2),$(PYTHON)) -m venv $(1)
$(1)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
endef
# $(call python,3.12): pyenv's interpreters first, as its shims answer for versions that are not switched on.
python = $(or $(lastword $(sort $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/$(1).*/bin/python))),python$(1))

export LITELLM_LOCAL_MODEL_COST_MAP := True

.PHONY: help bench bench-quick bench-newest bench-why demo test quick lint types unit wheel wheel-proxy sbom check-release docs site pictures test-all test-oldest test-oldest-proxy test-newest newest test-clients conformance drills fuzz soak mutants format clean

help: ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# pip --quiet says nothing for minutes: each install says first what it brings, and how long that takes.
$(READY): pyproject.toml
	@echo "Setting up $(VENV), this once: LiteLLM with its proxy, and what the tests need. One to three minutes, on a busy machine up to ten."
	$(call venv,$(VENV))
	$(BIN)/python -m pip install --quiet $(EAGER) --editable . --group dev
	@touch $@
	@echo "$(VENV) is ready."

# The group of the same name, for what needs an environment of its own.
.venv-%/.ready: pyproject.toml
	@echo "Setting up $(@D), this once: LiteLLM, and the group $* of pyproject.toml. One to three minutes, on a busy machine up to ten."
	$(call venv,$(@D))
	$(@D)/bin/python -m pip install --quiet --editable . --group $*
	@touch $@

demo: $(READY) ## log in to the sandbox and run the main job through LiteLLM
	@echo "The demo takes half a minute, most of it the start of LiteLLM's proxy; on a busy machine two."
	$(BIN)/litellm-qwen-ai demo

test: lint types unit wheel ## lint, types, all tests, and a smoke test of the built wheel

# LiteLLM alone takes seconds to load, in each process: two are enough for what takes so little.
quick: $(READY) ## ruff, and what a change breaks first, in 20 s; TESTS=tests/oauth or a file for another part
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pytest -q -n 2 -m 'not proxy' $(if $(filter command environment,$(firstword $(origin TESTS))),$(TESTS),$(QUICK))

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	@echo "All tests, on every core: some six minutes on two of them, and more on a busy machine. pytest says how far it is."
	$(BIN)/pytest -n auto

# There is nothing in .venv-wheel but what the wheel brings along, so no pip.
wheel: $(READY)
	@echo "Building the wheel, and installing it in .venv-wheel to try it. One to two minutes."
	rm -rf dist
	$(BIN)/python -m build --quiet
	test -x .venv-wheel/bin/python || $(PYTHON) -m venv --without-pip .venv-wheel
	$(INTO_WHEEL) install --quiet $(EAGER) dist/*.whl
	$(INTO_WHEEL) install --quiet --force-reinstall --no-deps dist/*.whl
	cd dist && ../.venv-wheel/bin/python -I -W error::ResourceWarning ../tests/package/smoke.py

# Outside the checkout, so that nothing but the installed wheel can answer.
wheel-proxy: wheel ## the demo, with its proxy, from the built wheel
	@echo "Installing the wheel with LiteLLM's proxy in .venv-wheel-proxy. One to three minutes, on a busy machine up to ten."
	$(call venv,.venv-wheel-proxy)
	.venv-wheel-proxy/bin/python -m pip install --quiet $(EAGER) "$$(ls dist/*.whl)[proxy]"
	.venv-wheel-proxy/bin/python -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	cd dist && ../.venv-wheel-proxy/bin/litellm-qwen-ai demo

sbom: wheel ## what the wheel brings along, as a CycloneDX list: build/sbom.cdx.json
	mkdir -p build
	sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml > build/pyproject.toml
	$(BIN)/cyclonedx-py environment --pyproject build/pyproject.toml --mc-type library --output-reproducible \
	  --output-file build/sbom.cdx.json .venv-wheel/bin/python

check-release: ## whether TAG=v1.2.3 is the version, dated in the changelog, and holds all of it
	@test "$(TAG)" = "v$(VERSION)" || \
	  { echo "The tag is '$(TAG)', the version in litellm_qwen_ai/_version.py is $(VERSION): they must agree." >&2; exit 1; }; \
	grep -qE "^## \[$(VERSION)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$$" CHANGELOG.md || \
	  { echo "CHANGELOG.md has no dated section for $(VERSION)." >&2; exit 1; }; \
	! sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/p' CHANGELOG.md | grep -q '^- ' || \
	  { echo "CHANGELOG.md still has lines under Unreleased: move them to $(VERSION)." >&2; exit 1; }

docs: $(READY) ## make the generated parts of README.md and docs/ anew, and the pictures of terminals
	$(BIN)/python docs/generate.py

site: .venv-site/.ready ## README.md, docs/ and the API as a site: site/index.html; a dead link or any other warning is an error
	rm -rf site
	.venv-site/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --conf-dir docs --doctree-dir build/site . site
	@echo "The site is built: open site/index.html"

pictures: $(READY) ## make the pictures of the proxy's page anew, in Chromium
	$(BIN)/pytest tests/proxy/test_browser.py tests/proxy/test_states.py
	for state in many waiting signed-in; do \
	  cp .ci/out/page-$$state-1000-light.png docs/images/page-$$state-desktop.png || exit 1; done
	cp .ci/out/page-waiting-390-light.png docs/images/page-waiting-phone.png
	$(BIN)/python docs/shrink.py docs/images/page-*.png

format: $(READY) ## put the code in its standard form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test-all: ## `make test`, then the tests on every supported Python, the oldest and the newest LiteLLM
	test "$(TESTS)" = tests # part of them proves nothing that README.md could say
	rm -f $(READY) # so that it is brought up to what pip resolves today
	$(MAKE) test wheel-proxy $(OTHER_PYTHONS:%=test-python-%) test-oldest test-oldest-proxy test-newest
	$(BIN)/python docs/ran_on.py .venv $(OTHER_PYTHONS:%=.venv-%) .venv-oldest .venv-oldest-proxy .venv-newest
	$(BIN)/python docs/generate.py

test-python-%:
	@echo "The tests on Python $*. Up to three minutes more, to bring .venv-$* up to what pip resolves today."
	$(call venv,.venv-$*,$(call python,$*))
	.venv-$*/bin/python -m pip install --quiet $(EAGER) --editable . --group test
	.venv-$*/bin/pytest -n auto $(TESTS)

test-oldest: ## the tests (or TESTS=...) on the oldest supported release of each dependency
	@echo "The tests on tests/oldest.txt. Up to three minutes more, to install it in .venv-oldest."
	$(call venv,.venv-oldest)
	.venv-oldest/bin/python -m pip install --quiet $(EAGER) --editable . --group test-core --constraint tests/oldest.txt
	.venv-oldest/bin/pytest -n auto -m 'not proxy' $(OPEN_SOCKETS) $(TESTS)

# A proxy asks for a later LiteLLM (pyproject.toml), and that for later releases of other dependencies than the oldest.
test-oldest-proxy: ## the tests of the proxy's page and of real proxies on the oldest LiteLLM that the extra `proxy` takes
	@echo "The tests of a proxy on the oldest LiteLLM for it. Up to three minutes more, to install it in .venv-oldest-proxy."
	$(call venv,.venv-oldest-proxy)
	.venv-oldest-proxy/bin/python -m pip install --quiet $(EAGER) --editable . --group test \
	  "$$(sed -n 's/^proxy = ."litellm.proxy.>=\([0-9.]*\)".*/litellm==\1/p' pyproject.toml)"
	.venv-oldest-proxy/bin/pytest -n auto $(OPEN_SOCKETS) tests/proxy tests/demo tests/litellm/test_store.py

# LiteLLM's newest release may pin packages of its own that cannot be had everywhere: it is put over the one that
# resolves, with all else that its proxy needs.
newest:
	@echo "Bringing .venv-newest up to the newest LiteLLM. Up to three minutes."
	$(call venv,.venv-newest)
	.venv-newest/bin/python -m pip install --quiet $(EAGER) --editable . --group test
	.venv-newest/bin/python -m pip install --quiet --upgrade --no-deps litellm
	.venv-newest/bin/python tests/proxy_needs.py > .venv-newest/needs.txt
	.venv-newest/bin/python -m pip install --quiet --requirement .venv-newest/needs.txt

test-newest: newest ## the tests (or TESTS=...) on the newest LiteLLM
	.venv-newest/bin/pytest -n auto $(TESTS)

test-clients: $(READY) ## real clients from PyPI against the sandbox; makes docs/clients.md
	$(BIN)/python tests/clients/run.py --write

conformance: $(READY) ## suites of LangChain, openai, anthropic and instructor against the sandbox; makes docs/conformance.md
	@echo "The first time some minutes more, to install each suite in .venv-conformance-<name>."
	$(BIN)/python tests/conformance/run.py --write

drills: $(READY) ## races, crashes, store faults, clocks and the like at full size; makes docs/drills.md
	PYTHONPATH=tests $(BIN)/python -m drills --write

fuzz: $(READY) ## look for bytes that break a decoder, FUZZ_SECONDS=60 for each of four targets (Python 3.11 to 3.13)
	@echo "Adding atheris to $(VENV), then FUZZ_SECONDS for each of four targets."
	$(BIN)/python -m pip install --quiet --only-binary atheris --group fuzz || \
	  { echo "atheris has no wheel for this Python: try make clean fuzz PYTHON=python3.12" >&2; exit 1; }
	PYTHONPATH=tests $(BIN)/python -m fuzz

soak: $(READY) ## ten minutes (SOAK_SECONDS=600) of mixed traffic, then 1,000 streams at once; makes docs/soak.md
	PYTHONPATH=tests $(BIN)/python -W ignore -m drills.soak --write

# A sample that anyone can draw again: N=45 of each of FOLDERS, or N=ALL (a day); another SEED adds others to what was tried.
mutants: .venv-mutants/.ready ## change the code, and see whether a test notices (an hour; Python 3.11 or newer); makes docs/mutants.md, but not of some FOLDERS
	@echo "Some seconds for each mutant."
	nice .venv-mutants/bin/python tests/mutants/run.py $(if $(FOLDERS),,--write) $(if $(N),-n $(N)) $(if $(SEED),--seed $(SEED)) $(FOLDERS)

bench: .venv-bench/.ready ## measure qwen_ai/ beside LiteLLM's own routes, in some twelve minutes
	.venv-bench/bin/python -m bench

bench-quick: .venv-bench/.ready ## the same in under a minute: fewer lanes, rounds and rows
	.venv-bench/bin/python -m bench --quick

bench-newest: newest ## the same on the newest LiteLLM, in two minutes
	.venv-newest/bin/python -m bench --newest

# Both belong to docs/performance.md, and are measured when something in them may have changed.
bench-why: .venv-bench/.ready ## where the time goes, and what a user can still switch (two minutes)
	.venv-bench/bin/python -m bench --where
	.venv-bench/bin/python -m bench --options

clean: ## remove what was built
	rm -rf dist build site .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis
