"""Configuration: the sections of a run, and the resolution of presets, files and flags."""
