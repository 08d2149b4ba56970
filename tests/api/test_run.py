"""A trained run in Python and on the command line: reproducible samples and exact latents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sealed import write_weights

import zoo
from zoo.errors import UsageError, ZooError
from zoo.report.grids import grid, to_bytes

LIKELIHOOD = ("bits_per_dim",)


def test_two_processes_and_the_api_generate_the_same_images(
    process, trained: zoo.Run, tmp_path: Path
) -> None:
    arrays = []
    for name in ("a.npy", "b.npy"):
        out = tmp_path / name
        done = process("sample", trained.path, "-n", 16, "--seed", 0, "-o", out)
        assert (done.status, done.out) == (0, f"{out}\n")
        arrays.append(np.load(out))
    assert np.array_equal(*arrays)
    assert np.array_equal(zoo.load(trained.path).sample(16, seed=0).numpy(), arrays[0])
    assert arrays[0].dtype == np.float32
    assert arrays[0].shape == (16, 1, 8, 8)


def test_the_number_of_samples_does_not_change_an_image(trained: zoo.Run) -> None:
    whole = trained.sample(40, seed=3)
    for n in (1, 4, 16, 17):
        assert torch.equal(trained.sample(n, seed=3), whole[:n])
    assert not torch.equal(trained.sample(4, seed=4), whole[:4])


def test_temperature_scales_the_latents(trained: zoo.Run) -> None:
    constant = trained.sample(3, temperature=0.0)
    assert torch.equal(constant[0], constant[1])
    assert torch.equal(trained.sample(3), trained.sample(3, temperature=0.7))
    from zoo.sampling import latents

    z = torch.from_numpy(latents.draw(3, 64, seed=5))
    assert torch.equal(trained.sample(3, seed=5, temperature=0.5), trained.decode(z * 0.5))


def test_real_images_are_reconstructed_from_their_latents(trained: zoo.Run) -> None:
    data = trained.open_data()
    levels = torch.from_numpy(np.stack([data.splits["test"][i][0] for i in range(40)])) >> 4
    images = levels / 15
    z = trained.encode(images)
    assert z.shape == (40, 64)
    assert torch.allclose(trained.decode(z), images, atol=1e-4)
    assert trained.log_prob(images).shape == (40,)


def test_bits_per_dim_of_images_agrees_with_the_evaluation(trained: zoo.Run) -> None:
    data = trained.open_data()
    test = data.splits["test"]
    images = torch.from_numpy(np.stack([test[i][0] for i in range(len(test))])) / 255
    bits = trained.bits_per_dim(((images * 255).to(torch.uint8) >> 4) / 15)
    score = trained.evaluate(metrics=LIKELIHOOD)["bits_per_dim"]
    protocol = score.protocol
    assert (protocol.images, protocol.split, protocol.data) == (90, "test", "digits")
    assert bits.mean().item() == pytest.approx(score.value, abs=3 * score.standard_error)
    assert score.standard_error == pytest.approx(bits.std().item() / 90**0.5, rel=0.2)


def test_other_data_are_scored_at_the_size_of_the_run(trained: zoo.Run, tmp_path: Path) -> None:
    """Larger images are resized and converted to grayscale; a missing split is an error."""
    for i in range(18):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i:02}.png")
    (metric,) = trained.evaluate(str(tmp_path), metrics=LIKELIHOOD)
    assert (metric.protocol.images, metric.standard_error) == (1, None)
    for i in range(2, 18):  # too few for three splits
        (tmp_path / f"{i:02}.png").unlink()
    with pytest.raises(ZooError, match="has no validation split to score"):
        trained.evaluate(str(tmp_path), split="validation")


def test_a_likelihood_that_is_not_finite_names_its_image(trained_copy: Path) -> None:
    run = zoo.load(trained_copy)
    with torch.no_grad():
        run.network.flow.prior.mean.fill_(float("nan"))
    with pytest.raises(ZooError, match="image 0 of the test split has no finite likelihood"):
        run.evaluate()


def test_images_that_are_not_finite_are_not_written(commands, trained_copy: Path, here) -> None:
    from safetensors.torch import load_file

    weights = load_file(trained_copy / "model.safetensors")
    weights["flow.prior.mean"].fill_(float("inf"))
    write_weights(trained_copy, weights)
    message = commands.fails(1, "sample", trained_copy, "-n", 4, "-o", "x.png")
    assert message.startswith("4 of 4 images are not finite: use a lower --temperature")
    assert list(here.iterdir()) == []


def test_a_grid_never_overwrites_another(commands, trained: zoo.Run, here) -> None:
    names = [commands("sample", trained.path, "-n", 1).out.strip() for _ in range(3)]
    assert names == ["grid.png", "grid-2.png", "grid-3.png"]


def test_interpolation_goes_from_sample_to_sample(trained: zoo.Run) -> None:
    rows = trained.interpolate(rows=2, columns=5, seed=1).unflatten(0, (2, 5))
    ends = trained.sample(4, seed=1)
    assert torch.allclose(rows[:, 0], ends[0::2], atol=1e-5)
    assert torch.allclose(rows[:, -1], ends[1::2], atol=1e-5)
    assert not torch.equal(rows[:, 2], rows[:, 0])


def test_a_conditional_run_takes_labels(commands, here) -> None:
    run = zoo.train(
        "glow", steps=20, out="run", quiet=True,
        config={"depth": 1, "width": 8, "conditional": True},
    )  # fmt: skip
    with torch.no_grad():
        run.network.flow.prior.by_class.weight.normal_()
    assert torch.equal(run.sample(10), run.sample(10, labels=[*range(10)]))
    sevens = run.sample(10, labels=7)
    assert torch.equal(sevens[7], run.sample(10)[7])
    assert not torch.equal(sevens[0], run.sample(10)[0])
    latents = run.encode(sevens, labels=7)
    assert torch.allclose(run.decode(latents, labels=7), sevens, atol=1e-4)
    with pytest.raises(UsageError, match="there is no class 10 among 0, 1, 2"):
        run.sample(2, labels=10)
    assert run.evaluate(metrics=LIKELIHOOD)["bits_per_dim"].protocol.images == 90
    assert commands("sample", "run", "--label", 3, "-n", 4, "-o", "x.png").status == 0


def test_labels_and_shapes_that_do_not_fit_are_refused(trained: zoo.Run) -> None:
    for call, message in (
        (lambda: trained.sample(0), "at least 1, got 0"),
        (lambda: trained.sample(2, labels=1), "unconditional"),
        (lambda: trained.encode(torch.zeros(2, 3, 8, 8)), r"float \[N, 1, 8, 8\]"),
        (lambda: trained.encode(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)), r"torch\.uint8"),
        (lambda: trained.decode(torch.zeros(2, 63)), r"\[N, 64\], got \[2, 63\]"),
    ):
        with pytest.raises(UsageError, match=message):
            call()


def test_the_path_of_the_data_is_stored_only_beside_the_checkpoints(here, tmp_path: Path) -> None:
    folder = tmp_path / "secret" / "birds"
    folder.mkdir(parents=True)
    for i in range(40):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / f"{i}.png")
    run = zoo.train(
        "glow", data=folder, steps=2, out="run", quiet=True, config={"depth": 1, "width": 8}
    )
    for name in ("config.json", "README.md", "metrics.jsonl"):
        assert "secret" not in (run.path / name).read_text()
    assert json.loads((run.path / "config.json").read_text())["config"]["data"]["source"] == "birds"
    assert run.folder.read_data_record() == {"source": str(folder), "images": 36}
    (metric,) = zoo.load("run").evaluate(metrics=LIKELIHOOD)
    assert metric.protocol.data == "birds"
    resumed = zoo.train("glow", out="run", resume=True, steps=4, quiet=True)
    assert resumed.path == Path("run")


def test_the_card_is_the_models_own_with_this_runs_facts(trained: zoo.Run) -> None:
    card = (trained.path / "README.md").read_text()
    assert "Glow on digits" in card
    assert "| steps | 24 |" in card
    assert "kingma2018glow" in card
    assert "$" not in card.replace("$ ", "")


def test_a_grid_has_whole_enlarged_images_and_a_margin() -> None:
    images = np.zeros((3, 1, 8, 8), np.float32)
    images[1] = 1
    sheet = np.asarray(grid(images, columns=2))
    assert sheet.shape == (2 * 72 + 8, 2 * 72 + 8)
    assert (sheet[8:72, 8:72] == 0).all()
    assert (sheet[8:72, 80:144] == 255).all()
    assert (sheet[:8] == 128).all()
    assert (sheet[80:, 80:] == 128).all()


def test_images_are_rounded_to_the_nearest_byte() -> None:
    values = np.array([[[[0.0, 1.0, 0.5, 2.0, -1.0, np.nan, 0.1 / 255]]]], np.float32)
    assert to_bytes(values).ravel().tolist() == [0, 255, 128, 255, 0, 0, 0]
