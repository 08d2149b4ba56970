"""``zoo compare``: the table, notes on metrics that are not comparable, and the plot."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sealed import write_weights

import zoo
from zoo.errors import UsageError
from zoo.report.comparison import Entry, compare, differences, names_of, shared_metrics
from zoo.report.curves import save_curve
from zoo.report.grids import columns_in, grid
from zoo.report.sheet import PANEL, save_comparison


@pytest.fixture(scope="module")
def colored(tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A run of other data: 40 RGB images of 80x80 pixels."""
    folder = tmp_path_factory.mktemp("data") / "noise"
    folder.mkdir()
    for i in range(40):
        pixels = np.random.default_rng(i).integers(0, 256, (80, 80, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return zoo.train(
        "glow",
        data=folder,
        steps=2,
        batch_size=4,
        config={"levels": 1, "depth": 1, "width": 4, "training.log_every": 1},
        out=tmp_path_factory.mktemp("runs") / "a name|with everything in it",
        device="cpu",
        quiet=True,
    )


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list:
    """Records every saved matplotlib figure."""
    from matplotlib.figure import Figure

    saved, save = [], Figure.savefig

    def savefig(figure: Figure, *arguments: object, **options: object) -> None:
        saved.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return saved


def entries(*runs: zoo.Run) -> list[Entry]:
    return [Entry(str(run.source or run.path), run, run.folder) for run in runs]


def texts(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def cells(output: str) -> list[dict[str, str]]:
    """The rows of Markdown tables, joined, by the heads of their columns."""
    joined: list[dict[str, str]] = []
    for table in re.findall(r"(?:^\|.*\|\n)+", output, re.MULTILINE):
        assert len({len(line) for line in table.splitlines()}) == 1
        lines = [line.replace("\\|", "/") for line in table.splitlines()]
        heads, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
        joined = joined or [{} for _ in rows]
        for row, values in zip(joined, rows, strict=True):
            row |= dict(zip(heads, values, strict=True))
    return joined


def prose(output: str) -> str:
    """The output in one line, as if no line were wrapped."""
    return " ".join(output.split())


def test_a_row_has_the_logged_metrics_of_a_run(
    commands, trained: zoo.Run, colored: zoo.Run, here
) -> None:
    result = commands("compare", trained.path, colored.path)
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[-1] == "plot: compare.png"
    first, second = cells(result.out)
    lines = trained.folder.read_metrics()
    assert first["run"] == "glow-digits"
    assert first["model"] == "glow"
    assert first["image"] == "1x8x8, 4 bits"
    assert first["parameters"] == f"{sum(p.numel() for p in trained.network.parameters()):,}"
    assert first["steps"] == "24"
    assert first["bits per dim"] == f"{lines[-1]['bits_per_dim']:.4f}"
    assert first["validation bits per dim"] == f"{lines[-1]['validation_bits_per_dim']:.4f}"
    assert second["run"] == "a name/with everything in it"
    assert (second["data"], second["image"]) == ("noise", "3x80x80, 4 bits")
    assert max(map(len, result.out.splitlines())) <= 80


def test_json_is_one_document(commands, trained: zoo.Run, colored: zoo.Run, here) -> None:
    result = commands("compare", trained.path, colored.path, "--json", "-o", "x.png")
    assert (result.status, result.err) == (0, "")
    found = json.loads(result.out, parse_constant=pytest.fail)
    assert [*found] == ["runs", "remarks", "plot", "groups"]
    first, second = found["runs"]
    assert first["path"] == str(trained.path)
    shape = {"channels": 1, "size": 8, "classes": 10, "bits": 4}
    assert first["image"] == {**shape, "class_names": [*"0123456789"]}
    speeds = [line["images_per_second"] for line in trained.folder.read_metrics()]
    assert first["images_per_second"] == pytest.approx(np.median(speeds))
    assert (first["metrics"], first["stale"]) == ({}, False)
    assert second["steps"] == 2
    assert found["plot"] == "x.png"
    assert Path("x.png").exists()


def test_differences_in_the_data_are_reported(trained: zoo.Run, colored: zoo.Run) -> None:
    (said,) = differences(compare(entries(trained, colored)))
    assert said == (
        "The runs differ in data (digits, noise) and image (1x8x8, 3x80x80): losses and bits per "
        "dim are not comparable."
    )


def measure(commands, folder: Path, *arguments: object) -> dict:
    """Returns the bits/dim entry of metrics.json after ``zoo evaluate``."""
    result = commands("evaluate", folder, "--metric", "bits_per_dim", *arguments, "--json")
    assert result.status == 0, result
    (metric,) = json.loads(result.out)["metrics"]
    return metric


def test_metrics_are_shown_with_their_protocols(commands, trained_copy: Path, here) -> None:
    other, third = (Path(shutil.copytree(trained_copy, here / name)) for name in ("other", "third"))
    splits = {trained_copy: "test", other: "validation", third: "test"}
    scores = [measure(commands, folder, "--split", split) for folder, split in splits.items()]
    result = commands("compare", trained_copy, other, third, "-o", "x.png")
    rows = [row["bits/dim, measured"] for row in cells(result.out)]
    assert rows[1] == f"{scores[1]['value']:.4f} ± {scores[1]['standard_error']:.4f} [2]"
    assert [row[-3:] for row in rows] == ["[1]", "[2]", "[1]"]
    assert f" [2] {scores[1]['protocol_text']}." in prose(result.out)
    difference = "differ in split (test, validation): they are not comparable."
    assert f"The measured bits/dim {difference}" in prose(result.out)
    same = commands("compare", trained_copy, third, "-o", "x.png").out
    assert "differ in" not in same
    assert same.count("[1]") == 3


def test_metrics_of_different_seeds_are_comparable(commands, trained_copy: Path, here) -> None:
    other = Path(shutil.copytree(trained_copy, here / "other"))
    measure(commands, trained_copy)
    measure(commands, other, "--seed", 1)
    rows = compare(entries(zoo.load(trained_copy), zoo.load(other)))
    assert [[*row.metrics] for row in rows] == [["bits_per_dim"]] * 2
    assert [str(row.metrics["bits_per_dim"].protocol)[-6:] for row in rows] == ["seed 0", "seed 1"]
    assert differences(rows) == []


def change(folder: Path, **fields: object) -> None:
    """Changes protocol fields of the only metric in metrics.json."""
    values = json.loads((folder / "metrics.json").read_text())
    values["metrics"][0]["protocol"] |= fields
    (folder / "metrics.json").write_text(json.dumps(values))


def test_different_methods_are_reported(commands, trained_copy: Path, here) -> None:
    other = Path(shutil.copytree(trained_copy, here / "other"))
    for folder in (trained_copy, other):
        measure(commands, folder)
    change(other, method="exact")
    rows = compare(entries(zoo.load(trained_copy), zoo.load(other)))
    assert differences(rows) == ["The measured bits/dim differ in their method: see [1] and [2]."]
    change(other, temperature=0.5)
    (said,) = differences(compare(entries(zoo.load(trained_copy), zoo.load(other))))
    assert said.startswith("The measured bits/dim differ in temperature (none, 0.5): they are not")


def test_metrics_of_earlier_weights_are_left_out_and_reported(
    commands, trained_copy: Path, here
) -> None:
    from zoo.runs.weights import load_tensors

    other = Path(shutil.copytree(trained_copy, here / "other"))
    for folder in (trained_copy, other):
        measure(commands, folder)
    weights = load_tensors(other / "model.safetensors")
    weights["flow.prior.mean"] += 1
    write_weights(other, weights)
    first, second = rows = compare(entries(zoo.load(trained_copy), zoo.load(other)))
    assert (len(first.metrics), len(second.metrics)) == (1, 0)
    assert "The metrics of other are of earlier weights" in differences(rows)[-1]


def test_a_run_that_logged_nothing_has_empty_cells(commands, trained_copy: Path, here) -> None:
    other = Path(shutil.copytree(trained_copy, here / "other"))
    (other / "metrics.jsonl").unlink()
    result = commands("compare", trained_copy, other, "-o", "x.png")
    assert (result.status, result.err) == (0, "")
    row = cells(result.out)[1]
    for name in ("steps", "epochs", "minutes", "images/s", "bits per dim"):
        assert row[name] == "-"
    (trained_copy / "metrics.jsonl").write_text('{"step": 3, "loss": NaN, "note": "x"}\n{"st')
    result = commands("compare", trained_copy, other, "--json", "-o", "x.png")
    first = json.loads(result.out, parse_constant=pytest.fail)["runs"][0]
    assert (first["steps"], first["minutes"], first["logged"]) == (3, None, {})


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["x/run", "y/run", "y/other"], ["x/run", "y/run", "y/other"]),
        (["x/1/run", "y/1/run"], ["x/1/run", "y/1/run"]),
        (["run", "inner/run/../run"], None),
    ],
)
def test_names_are_the_shortest_distinct_suffixes(here, paths, names) -> None:
    Path("inner/run").mkdir(parents=True)
    if names:
        assert names_of([Path(path) for path in paths]) == names
    else:
        assert names_of([Path(path) for path in paths])[1] == "inner/run"


# The plot


def test_each_run_has_samples_of_the_seed_under_its_name(
    trained: zoo.Run, colored: zoo.Run, here, figures
) -> None:
    rows = compare(entries(trained, colored))
    save_comparison(Path("x.png"), entries(trained, colored), rows, seed=5)
    pixels = np.asarray(Image.open("x.png").convert("RGB"))
    for run, count, left in ((trained, 36, 32), (colored, 16, 32 + PANEL + 32)):
        sheet = np.asarray(grid(run.sample(count, seed=5).numpy()).convert("RGB"))
        height, width = sheet.shape[:2]
        assert width <= PANEL
        places = [
            top
            for top in range(len(pixels) - height)
            if (pixels[top : top + height, left : left + width] == sheet).all()
        ]
        assert len(places) == 1, run.path
    (figure,) = figures
    assert "glow-digits" in texts(figure)
    assert "a name|with everything in it" in texts(figure)
    assert (
        "Samples of seed 5. Thin lines are training metrics, lines with dots validation metrics."
        in texts(figure)
    )
    assert any(text.startswith("The runs differ in data") for text in texts(figure))


def test_curves_are_plotted_over_steps_and_over_minutes(
    trained: zoo.Run, colored: zoo.Run, here, figures
) -> None:
    runs = [trained, colored]
    rows = compare(entries(*runs))
    assert shared_metrics(rows) == ["bits_per_dim"]
    save_comparison(Path("x.png"), entries(*runs), rows)
    steps, minutes = figures[0].axes
    assert [axes.get_xlabel() for axes in (steps, minutes)] == ["step", "minutes"]
    assert steps.get_ylabel() == "bits per dim"
    lines = trained.folder.read_metrics()
    key = "bits_per_dim"
    training, validation, *others = steps.lines
    assert list(training.get_xdata()) == [line["step"] for line in lines]
    assert list(training.get_ydata()) == [line[key] for line in lines]
    assert list(validation.get_xdata()) == [12, 24]
    assert {line.get_color() for line in (training, validation)} == {"C0"}
    assert {line.get_color() for line in others} == {"C1"}
    assert list(minutes.lines[0].get_xdata()) == [line["seconds"] / 60 for line in lines]


def test_metrics_of_a_single_run_have_no_curve(trained_copy: Path, here, figures) -> None:
    other = Path(shutil.copytree(trained_copy, here / "other"))
    (other / "metrics.jsonl").write_text('{"step": 1, "critic_loss": 0.5}\n')
    runs = [zoo.load(trained_copy), zoo.load(other)]
    rows = compare(entries(*runs))
    assert shared_metrics(rows) == []
    save_comparison(Path("x.png"), entries(*runs), rows)
    assert figures[0].axes == []


def test_images_that_are_not_finite_are_reported(
    trained_copy: Path, trained, here, figures
) -> None:
    import torch

    broken = zoo.load(trained_copy)
    with torch.no_grad():
        broken.network.flow.prior.mean.fill_(float("nan"))
    runs = [broken, trained]
    save_comparison(Path("x.png"), entries(*runs), compare(entries(*runs)))
    assert "36 of 36 images are not finite" in texts(figures[0])


def test_six_runs_with_long_names_fill_two_rows(trained_copy: Path, here, figures) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    names = [f"run-{i}-" + "very-" * length + "long" for i, length in enumerate([0, 9, 12, 40] * 2)]
    runs = [zoo.load(shutil.copytree(trained_copy, here / name)) for name in names[:6]]
    save_comparison(Path("x.png"), entries(*runs), compare(entries(*runs)))
    assert Image.open("x.png").width == 3 * (PANEL + 32) + 32
    bold = [text for text in figures[0].texts if text.get_weight() == "bold"]
    assert max(len(text.get_text()) for text in bold) <= 52
    renderer = FigureCanvasAgg(figures[0]).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in bold]
    assert len(bold) > 6
    assert all((box.x0 - 64) % (PANEL + 32) < 1 and box.width < PANEL for box in boxes)


def test_an_existing_plot_is_never_overwritten(
    commands, trained: zoo.Run, colored: zoo.Run, here
) -> None:
    for _ in range(2):
        assert commands("compare", trained.path, colored.path).status == 0
    assert sorted(path.name for path in here.iterdir()) == ["compare-2.png", "compare.png"]


@pytest.mark.parametrize(
    ("size", "count"), [(2, 6), (8, 6), (28, 7), (32, 6), (48, 8), (64, 6), (96, 4), (128, 3)]
)
def test_as_many_images_as_fit_in_a_panel(size: int, count: int) -> None:
    assert columns_in(size, PANEL) == count
    assert grid(np.zeros((count**2, 1, size, size), np.float32)).width <= PANEL


def test_a_runs_own_curve_has_a_panel_for_each_metric(here, figures) -> None:
    lines = [{"step": i, "loss": 9 - i, "kl": i, "validation_kl": 2 * i} for i in range(5)]
    save_curve(Path("curve.png"), lines, ["loss", "kl"])
    loss, kl = figures[0].axes
    assert [axes.get_ylabel() for axes in (loss, kl)] == ["loss", "kl"]
    assert list(loss.lines[0].get_ydata()) == [9, 8, 7, 6, 5]
    assert list(kl.lines[1].get_ydata()) == [0, 2, 4, 6, 8]
    assert [text.get_text() for text in kl.get_legend().get_texts()] == ["training", "validation"]
    assert Image.open("curve.png").format == "PNG"


# Bad input


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "Missing argument 'RUN RUN...'"),
        (["run"], 2, "a comparison needs at least two runs, got 1"),
        (["run", "./run"], 2, "run is named twice: name each run once"),
        (["run", "link"], 2, "link is named twice: name each run once"),
        (["run", "nowhere"], 2, "there is no run folder nowhere"),
        (["run", "."], 2, ". is not a run folder: it has no config.json"),
        (["run", "bare"], 1, "bare has no weights yet: resume with zoo train glow --out bare"),
        (["run", "damaged"], 1, "metrics.json is damaged: measure again with zoo evaluate damaged"),
        (["run", "other", "-o", "x.npy"], 2, "-o x.npy: the file name must end in .png"),
        (["run", "other", "-o", "x.png"], 2, "-o x.png: the file name must end in .png"),
        (["run", "other", "--device", "gpu"], 2, "there is no device 'gpu'"),
        (["run", "other", "--seed", "-1"], 2, "-1 is not in the range x>=0"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    commands, here, trained_copy, arguments, status, said
) -> None:
    for name in ("run", "other", "bare", "damaged"):
        shutil.copytree(trained_copy, name)
    Path("bare/model.safetensors").unlink()
    Path("damaged/metrics.json").write_text("[1")
    Path("link").symlink_to("run")
    Path("x.png").mkdir()
    before = sorted(here.iterdir())
    assert said in commands.fails(status, "compare", *arguments)
    assert sorted(here.iterdir()) == before


def test_compare_in_python_refuses_one_run(trained: zoo.Run) -> None:
    with pytest.raises(UsageError, match="at least two runs, got 1"):
        compare(entries(trained))
