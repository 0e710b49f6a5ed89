"""Demo mode of a device: the demo block in its flash, and the lines that it prints. firmware/app/demo/README.md"""
