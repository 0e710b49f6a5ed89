"""A network running on a device, watched: sources of inputs, what is known about the frames, and how it is shown.

sources.py gives inputs without end, watch.py runs them on a device frame by frame, state.py keeps what the frames tell,
view.py draws it. Only sources.py and watch.py touch files and devices.
"""
