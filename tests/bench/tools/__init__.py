"""Programs that the benchmarks compare with; run in an environment of their own."""
