"""The handwritten digits in the package: 1,797 images of 8x8 pixels, CC BY 4.0.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49; the values are those of scikit-learn's
``load_digits``. Every copy of digits.npz must come with digits.txt, its attribution.
"""

from __future__ import annotations

from importlib import resources

from zoo.data.names import DIGITS, KNOWN
from zoo.data.source import Source, StoredSplit
from zoo.data.tables.arrays import ArrayImages

MAX_VALUE = 16
"""The largest value in the file, which becomes 255."""


def open_digits() -> Source:
    """Returns the digits as one split of uint8 images, ``value * 255 // 16``, in file order."""
    import numpy as np

    with (
        resources.files("zoo.data").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        values, labels = archive["images"], archive["labels"]
    images = (values.astype(np.uint16) * 255 // MAX_VALUE).astype(np.uint8)
    split = StoredSplit(ArrayImages(images, DIGITS), labels.astype(np.int64))
    return Source(
        DIGITS,
        {"train": split},
        tuple("0123456789"),
        KNOWN[DIGITS].license,
        kind="the digits in the package",
    )
