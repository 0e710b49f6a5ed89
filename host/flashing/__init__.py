"""Writes firmware and plan to a board by one of several methods: see README.md beside this file.

plan.py says what is to be written, choice.py which probe, chips.py how a chip is recognised; each
method is one module with `write(job, ...) -> Outcome`; flash.py chooses the method and is what `host flash` calls.
"""
