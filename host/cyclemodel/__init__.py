"""Models the cycles that a Cortex-M4 or Cortex-M7 of a real chip would take, from what QEMU executes.

A plugin counts, in QEMU, which blocks each step of a plan runs and what they read and write (plugin/, windows.py);
the blocks are decoded (decode.py) and timed (m4.py; m7_pipeline.py) behind a model of the chip's flash and caches
(chips.py); account.py adds up; model.py runs it all and keeps the results. CALIBRATION.md says how far to trust
them. Modelled numbers are never called measured.
"""
