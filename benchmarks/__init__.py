"""Measurements of Citewire: harness/ runs them, measures/ has what is measured, adapter/ trained the adapter.

`python -m benchmarks NAME`; results are in benchmarks/results. Nothing here is part of the installed package.
"""
