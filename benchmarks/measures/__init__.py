"""What is measured: one module for each `python -m benchmarks NAME`, and their suites."""
