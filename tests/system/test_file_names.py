"""Names of files in repositories."""

from __future__ import annotations

import pytest

from zoo.system.file_names import problem_in

GOOD = [
    "config.json",
    ".gitattributes",
    "onnx/sampler.onnx",
    "samples/é #1.json",
    "samples/e\u0301.json",
    "a b/c d",
    "console.txt",
    "com10.txt",
    "nul-model.json",
    "a..b",
    "...a",
    "日本語/模型.onnx",
    "n" * 255,
    "é" * 127,
    "/".join(["d" * 200] * 5),
]

BAD = {
    "leads out of its folder": [
        *("", "/", "/etc/passwd", "a//b", "a/", "./a", "a/./b", ".", ".."),
        *(
            "../a",
            "a/../../b",
            "a/..",
            "..\\a",
            "a\\b",
            "\\\\host\\share",
            "C:\\a",
            "C:/a",
            "c:a",
            "a:b",
        ),
    ],
    "has a control character": ["a\0b", "a\nb", "a\x1b[2J", "a\x7f", "a\x85", "a\ud800"],
    "has the character": ["ab:c", "dir/x:y", "a<b", "a>b", 'a"b', "a|b", "a?", "a*"],
    "ends with a dot or a space": ["a.", "a ", "a. ", "a. /b", "b./c", "...", "a/ "],
    "is a device on Windows": [
        *("CON", "con", "NUL", "nul.txt", "COM1.txt", "Lpt9.tar.gz", "aux/a", "a/PRN", "nul .txt"),
        *("COM¹", "CONIN$", "conout$", "a/com0"),
    ],
    "is too long": ["n" * 256, "é" * 128, "a/" + "n" * 256 + "/b", "/".join(["d" * 200] * 6)],
}

COLLIDING = [
    ("a", "A"),
    ("onnx/a", "onnx/A"),
    ("onnx/a", "ONNX/b"),
    ("é", "e\u0301"),
    ("É", "e\u0301"),
    ("straße", "STRASSE"),
    ("a/b", "a"),
    ("a", "A/b"),
    ("ﬁ", "FI"),
]


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_valid(name: str) -> None:
    assert problem_in([name, "other", name]) is None


def test_different_names_are_valid_together() -> None:
    assert problem_in(["a/b", "a/c", "b", "ab", "a.b", "ss", "s"]) is None


@pytest.mark.parametrize(
    ("name", "reason"), [(name, reason) for reason, names in BAD.items() for name in names]
)
def test_a_name_is_refused_with_its_reason(name: str, reason: str) -> None:
    problem = problem_in(["good", name])
    assert problem is not None
    assert f", which {reason}" in problem
    assert problem.isprintable()
    assert problem.isascii()
    assert len(problem) < 800


@pytest.mark.parametrize(("first", "second"), COLLIDING)
def test_two_names_of_one_file_are_refused(first: str, second: str) -> None:
    for names in ((first, second), (second, first)):
        problem = problem_in(names)
        assert problem is not None
        assert "which some systems do not tell from" in problem
