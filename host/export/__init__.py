"""`host export`: a network as a folder of C for a product's own firmware, without link, host or Python.

sources.py says which files of the firmware the network's kernels need, render.py writes what is its own (plan, header,
example, README), folder.py puts it all together, size.py says how much flash the code takes.
"""
