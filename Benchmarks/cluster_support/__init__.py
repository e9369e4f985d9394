"""What `Benchmarks/cluster` measures, one module for each question."""
