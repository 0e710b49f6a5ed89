"""MLPerf Tiny: what a board needs to answer the benchmark's runner. firmware/app/mlperf/MLPERF.md"""
