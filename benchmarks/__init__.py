"""Measurements: python -m benchmarks NAME, results in benchmarks/results. Nothing here is part of Citewire."""
