"""Counts every kernel on a grid of shapes: cases.py has them, measure.py runs them, compare.py finds what got worse."""
