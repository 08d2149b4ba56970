"""The models that genzoo ships, and the promises that every plugin keeps."""

SHIPPED = ("dcgan", "glow", "nice", "realnvp", "sngan", "vae")

PROMISES = [
    *("imports", "presets", "described", "card", "remembered", "builds", "draws", "choices"),
    *("trains", "learns", "scores", "encodes", "range", "repeats", "varies", "alone", "loads"),
    *("reloads", "unchanged", "resumes", "inverts", "density", "graphs", "exports"),
]
