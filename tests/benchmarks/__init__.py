"""The benchmarks still run: how fast anything is, is no matter of a test."""
