"""The models that genzoo ships and the names of all promises."""

SHIPPED = ("dcgan", "glow", "nice", "realnvp", "sngan", "vae")

PROMISES = [
    *("imports", "presets", "descriptions", "card", "config", "builds", "samples", "choices"),
    *("trains", "learns", "scores", "encodes", "range", "deterministic", "varies", "independent"),
    *("loads", "reloads", "unchanged", "resumes", "inverts", "density", "graphs", "exports"),
]
