"""Fake installed plugins."""

from __future__ import annotations

from pathlib import Path


class Site:
    """A folder on the path with fake distributions, found like installed ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: list[str] = []

    def add(self, name: str, code: str, entry: str | None = None, version: str = "1.0") -> None:
        """Adds a distribution with one module, ``name`` with underscores, as entry point."""
        module = name.replace("-", "_")
        info = self.path / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(f"[zoo]\n{entry or name} = {module}\n")
        (self.path / f"{module}.py").write_text(code)
        self.modules.append(module)
