"""The handwritten digits that come with the zoo: 1,797 pictures of 8x8 pixels, CC BY 4.0.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998, https://doi.org/10.24432/C50P49; the values are those of scikit-learn's
``load_digits``. The file beside this one, digits.txt, goes where digits.npz goes.
"""

from __future__ import annotations

from importlib import resources

from zoo.data.arrays import ArrayPictures
from zoo.data.names import DIGITS, KNOWN
from zoo.data.source import Part, Source

HIGHEST = 16
"""The largest value in the file, ink all over; 255 in the picture."""


def open_digits() -> Source:
    """The digits as one split of uint8 pictures, ``value * 255 // 16``, in the file's order."""
    import numpy as np

    with (
        resources.files("zoo.data").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        values, labels = archive["images"], archive["labels"]
    images = (values.astype(np.uint16) * 255 // HIGHEST).astype(np.uint8)
    part = Part(ArrayPictures(images, DIGITS), labels.astype(np.int64))
    return Source(DIGITS, {"train": part}, tuple("0123456789"), KNOWN[DIGITS].license)
