"""Measures speed; judges nothing. ``python -m tests.benchmarks`` prints one table (docs/performance.md explains it)."""
