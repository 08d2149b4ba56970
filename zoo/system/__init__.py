"""The machine: devices, memory, files, processes and the terminal."""
