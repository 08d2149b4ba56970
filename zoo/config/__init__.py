"""Configuration: the sections of a run and how presets, files and flags are resolved."""
