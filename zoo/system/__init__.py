"""The machine underneath: devices, memory, files, processes and the terminal."""
