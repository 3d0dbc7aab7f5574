"""What runs a measurement: data sets, the systems compared, kept answers and vectors, tables and results."""
