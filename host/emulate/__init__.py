"""A board's own image, run by an instruction emulator over models of the chip's registers; see README.md."""
