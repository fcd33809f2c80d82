# Thin wrappers: bootstrap.py makes .venv (no root) and runs the command in it.
PYTHON ?= python3
RUN = $(PYTHON) bootstrap.py

.PHONY: help demo test check bench campaign exercise clean

help:
	@echo "make demo      start a field: a vehicle, a team, central, links going up and down (演示)"
	@echo "make test      the tests, at most 3 minutes (测试)"
	@echo "make check     ruff, mypy strict, the floors test (检查)"
	@echo "make bench     every benchmark, one JSON object each (测量)"
	@echo "make campaign  the long runs: mutations, forgeries, power cuts (长测)"
	@echo "make exercise  the acceptance exercise over its whole grid (演练)"

demo:
	@$(RUN) sanduan demo $(ARGS)

test:
	@$(RUN) --extra test python -m pytest -n 3 -m "not campaign" $(ARGS)

check:
	@$(RUN) --extra test --extra check ruff check .
	@$(RUN) --extra test --extra check ruff format --check .
	@$(RUN) --extra test --extra check mypy
	@$(RUN) --extra test --extra check python -m pytest tests/test_floors.py

bench:
	@$(RUN) --extra test python -m bench all $(ARGS)

campaign:
	@$(RUN) --extra test python -m pytest -m campaign --timeout 3600 $(ARGS)

exercise:
	@$(RUN) --extra test python -m bench exercise $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
