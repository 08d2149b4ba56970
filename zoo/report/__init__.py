"""Reports for people: model cards, comparisons, curves and image grids."""
