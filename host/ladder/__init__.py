"""The teaching ladder: rungs.py has its rungs, climb.py runs them; README.md tells the story."""
