"""Float networks to int8 ones: ranges from samples, the published scheme, and how much the result differs.

floats      what operators compute on float32
samples     samples as real numbers
ranges      the range of each tensor over them
convert     float graph and ranges to int8 graph
compare     float against int8
files       one `host quantize` from file to file, as a library function
"""
