"""Makes docs/performance.md: runs the benchmarks, takes medians, draws, writes."""
