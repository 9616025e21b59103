"""Measuring: metrics over whole answer sets, benchmarks, and the rows they are recorded in."""
