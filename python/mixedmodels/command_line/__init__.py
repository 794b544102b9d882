"""The command line, for pipelines: `python -m mixedmodels`."""
