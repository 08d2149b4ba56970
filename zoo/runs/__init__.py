"""Run folders: their files, their weights, and where runs come from."""
