# Two words do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1

.PHONY: demo test test-all bench lint docs clean

demo: export AWS_AUTO_HOME := demo-out/workspace
demo: export AWS_AUTO_TARGET := local
demo: $(VENV)/.demo          ## the main job on the simulated account: no AWS, no server
	$(BIN)/aws-auto ml deploy-pipeline --pipeline-type complete \
	  --ai-features cost-optimization,predictive-scaling,anomaly-detection \
	  --auto-scaling enabled --monitoring comprehensive --yes
	$(BIN)/aws-auto ml train-models --models cost-optimizer,anomaly-detector,demand-forecaster \
	  --data-source sample --training-schedule weekly --report demo-out/train.html
	$(BIN)/aws-auto ml monitor --dashboard grafana --alerts slack --drift-detection enabled --report demo-out/monitor.html
	$(BIN)/aws-auto ml detect --window 4d --report demo-out/incidents.html
	$(BIN)/aws-auto ml recommend --report demo-out/savings.html
	$(BIN)/aws-auto ml simulate scaling --report demo-out/scaling.html
	@echo "look at train.html, monitor.html, incidents.html, savings.html and scaling.html in demo-out/"

test: lint $(VENV)/.browser .venv-ministack/.done   ## lint and every test under ten seconds
	$(BIN)/pytest -m "not slow" --cov --cov-report=term:skip-covered

test-all: lint $(VENV)/.browser .venv-ministack/.done   ## also the slow tests
	$(BIN)/pytest --cov

bench: $(VENV)/.dev          ## accuracy and speed, printed as tables and JSON
	$(BIN)/python bench/run.py

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-ministack .aws-auto demo-out

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/pip install -e '.[report,serve]'
	@touch $@

# pip of Python 3.11 does not know dependency groups yet, so the list is read from pyproject.toml.
# torch comes first: with it in place no later range can pull a CUDA build.
$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['dev'], sep='\n')" > $(VENV)/dev.txt
	$(BIN)/pip install $$(head -1 $(VENV)/dev.txt)
	$(BIN)/pip install -r $(VENV)/dev.txt -e '.[deep,serve,report,tune]'
	@touch $@

# The emulator pins its own botocore, so it lives in an environment of its own.
.venv-ministack/.done:
	$(PYTHON) -m venv .venv-ministack
	.venv-ministack/bin/pip install ministack==1.5.33
	@touch $@

# Reports are looked at in a real browser; without one (and without the right to install it) those tests skip.
$(VENV)/.browser: $(BIN)/python
	@command -v chromium >/dev/null || (command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null) \
	  || echo "no chromium: the browser tests will skip"
	@touch $@
