"""A Hub that is silent, slow or endless: each command ends with one sentence."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hub_slow
import pytest
from hub_slow import Answer
from hub_steps import Step, licensed, run_steps
from loopback_hub import LoopbackHub
from numbered import numbered_image, png

SLOW = "less than 1 kB/s for 1 s"
CEILING = "import signal; signal.alarm(200)"
"""A command that does not end is an error."""

ENDINGS: dict[str, tuple[Answer, str, str]] = {
    "listing-silent": (hub_slow.silent, "", SLOW),
    "listing-head": (hub_slow.silent_after_head, "/tree/", SLOW),
    "listing-drip": (hub_slow.drip_body, "/tree/", SLOW),
    "listing-drip-head": (hub_slow.drip_head, "/tree/", SLOW),
    "listing-endless": (hub_slow.endless_body, "/tree/", "sent more than 16,777,216 bytes"),
    "listing-large": (hub_slow.larger_body, "/tree/", "sent more than 16,777,216 bytes"),
    "listing-packed": (hub_slow.unpacking_body, "/tree/", "sent compressed data"),
    "listing-head-endless": (hub_slow.endless_head, "/tree/", "the connection was lost"),
    "file-silent": (hub_slow.silent, "cdn", SLOW),
    "file-head": (hub_slow.silent_after_head, "cdn", SLOW),
    "file-half": (hub_slow.silent_within_body, "cdn", SLOW),
    "file-drip": (hub_slow.drip_body, "cdn", SLOW),
    "file-drip-head": (hub_slow.drip_head, "cdn", SLOW),
    "file-endless": (hub_slow.endless_body, "cdn", "sent more than 50,000 bytes"),
    "file-large": (hub_slow.larger_body, "cdn", "sent more than 50,000 bytes"),
}
"""How the Hub answers requests to one repository, for what, and the message of ``zoo pull``."""


FILES = {name: bytes(50_000) for name in ("model.safetensors", "onnx/sampler.onnx")} | {
    "config.json": b"{}"
}


def create(hub: LoopbackHub, name: str, files: dict[str, bytes], kind: str = "model") -> None:
    """A repository whose requests are answered as ENDINGS says."""
    answer, path, _ = ENDINGS[name]
    hub.create(f"tester/{name}", kind, files)
    kinds = f"{kind}s/tester/{name}"
    hub.play(answer, f"/cdn/{kinds}/" if path == "cdn" else f"/api/{kinds}{path}", "GET")


def impatient(hub: LoopbackHub, home: Path, token: str | None = None) -> dict[str, str]:
    return hub.environment(home, token, hurry=True) | {"ZOO_HUB_TIMEOUT": "1"}


def pulled(hub: LoopbackHub, tmp_path: Path, *names: str) -> list[str]:
    """How a pull of each repository ends."""
    pulls = [["pull", f"tester/{name}", name] for name in names]
    environment = impatient(hub, tmp_path / "home")
    _, *done = run_steps(environment, tmp_path, CEILING, *pulls, torch=False)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert {step.status for step in done} == {1}
    return [step.sentence for step in done]


@pytest.mark.parametrize("what", ["listing", "file"])
def test_a_pull_from_a_slow_hub_ends(what: str, hub: LoopbackHub, tmp_path: Path) -> None:
    names = [name for name in ENDINGS if name.startswith(what) and SLOW in ENDINGS[name]]
    for name in names:
        create(hub, name, FILES)
    for name, sentence in zip(names, pulled(hub, tmp_path, *names), strict=True):
        server = (hub.storage if what == "file" else hub.url).removeprefix("http://")
        file = "model.safetensors of " * (what == "file")
        assert sentence == (
            f"{file}tester/{name} was not transferred: {server} sent {SLOW}; check the network and "
            "try again, or set ZOO_HUB_TIMEOUT to more seconds"
        )


def test_a_pull_of_more_than_a_hub_stated_ends(hub: LoopbackHub, tmp_path: Path) -> None:
    names = [name for name in ENDINGS if SLOW not in ENDINGS[name]]
    for name in names:
        create(hub, name, FILES)
    for name, sentence in zip(names, pulled(hub, tmp_path, *names), strict=True):
        assert f"tester/{name}" in sentence
        assert ENDINGS[name][2] in sentence
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size < 10**6


def test_redirects_without_end_are_not_followed(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create("tester/loop", files=FILES)
    hub.play(hub_slow.redirect("/api/models/tester/loop/again"), "/tester/loop")
    assert "cannot be reached (TooManyRedirects)" in pulled(hub, tmp_path, "loop")[0]


def test_a_listing_without_end_is_not_read_on(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create("tester/pages", files=FILES)
    link = f'Link: <{hub.url}/api/models/tester/pages/tree/main?cursor=1>; rel="next"'
    hub.play(hub_slow.status(200, link, body="[]"), "/tester/pages/tree/")
    (sentence,) = pulled(hub, tmp_path, "pages")
    assert sentence == (
        f"tester/pages was not transferred: {hub.url[7:]} sent more than 1,000 pages; check "
        "HF_ENDPOINT"
    )


@pytest.mark.parametrize("name", ["listing-silent", "file-drip"])
def test_each_command_that_reads_a_run_gives_up(
    name: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    create(hub, name, FILES)
    if name == "listing-silent":
        hub.play(hub_slow.silent, f"/tester/{name}/resolve/", "HEAD")
    run = f"tester/{name}"
    commands = [["sample"], ["sample", "--backend", "onnx"], ["verify"], ["evaluate"]]
    load = f"import zoo\ntry: zoo.load({run!r})\nexcept zoo.ZooError as error: print(error)"
    steps = [[command, run, *options] for command, *options in commands]
    environment = impatient(hub, tmp_path / "home")
    _, *done, loaded = run_steps(environment, tmp_path, CEILING, *steps, load, torch=False)
    for message in [step.sentence for step in done] + [loaded.out]:
        assert f" of {run} was not transferred: " in message
        assert SLOW in message


def test_a_pause_that_a_hub_asks_for_is_bounded(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create("tester/busy", files=FILES)
    waits = ("Retry-After: " + "9" * 5000, 'RateLimit: "api";r=0;t=99999999')
    hub.play(hub_slow.status(429, *waits), "/tester/busy")
    record = "import time; slept = [0]; time.sleep = slept.append"
    environment = impatient(hub, tmp_path / "home")
    steps = [CEILING, record, ["pull", "tester/busy", "x"]]
    *_, pulled, total = run_steps(environment, tmp_path, *steps, "print(sum(slept))", torch=False)
    assert pulled.sentence.startswith("the Hub received too many requests for tester/busy")
    assert float(total.out) < 60


@pytest.fixture
def silent_storage() -> Iterator[str]:
    """The address of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def use(storage: str, hub: LoopbackHub, tmp_path: Path) -> None:
    """Lets the hub transfer large objects through Xet, whose server is ``storage``."""
    hub.use_xet(tmp_path / "xet").url = storage


def test_a_download_from_a_silent_xet_storage_ends(
    silent_storage: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    use(silent_storage, hub, tmp_path)
    repository = hub.create("tester/xet", files=FILES)
    for files in (commit.files for commit in repository.commits("main")):
        for name, blob in files.items():
            files[name] = replace(blob, xet="ab" * 32 if blob.large else None)
    environment = impatient(hub, tmp_path / "home")
    _, step = run_steps(environment, tmp_path, CEILING, ["pull", "tester/xet", "x"], torch=False)
    assert step.status == 1
    assert f"of tester/xet was not transferred: Xet transferred {SLOW}" in step.sentence


def images() -> dict[str, bytes]:
    return {
        f"train/{name}/{i}.png": png(numbered_image(i))
        for i, name in enumerate(["wren", "eel", "wren", "eel"])
    }


@pytest.mark.parametrize("path", ["/api/datasets/", "/datasets/", "/cdn/datasets/"])
def test_a_dataset_of_a_hub_that_is_silent_ends(
    path: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    hub.create("tester/images", "dataset", images())
    hub.play(hub_slow.silent, f"{path}tester/images")
    environment = impatient(hub, tmp_path / "home")
    _, step = run_steps(environment, tmp_path, CEILING, ["data", "tester/images"], torch=False)
    assert step.status == 1
    assert SLOW in step.sentence
    assert "dataset tester/images was not transferred" in step.sentence


def pushed(run: Path, hub: LoopbackHub, tmp_path: Path, *options: str) -> Step:
    licensed(run, tmp_path / "vae")
    environment = impatient(hub, tmp_path / "home", hub.tokens.write)
    _, step = run_steps(environment, tmp_path, CEILING, ["push", "vae", "tester/vae", *options])
    return step


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/tester/vae",
        "/api/repos/create",
        "/tree/",
        "/api/validate-yaml",
        "/preupload/",
        "info/lfs/objects/batch",
        "/lfs/models/",
        "/commit/",
    ],
)
def test_a_push_to_a_hub_that_is_silent_ends(
    path: str, exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    hub.play(hub_slow.silent, path)
    step = pushed(exported("vae").path, hub, tmp_path)
    assert step.status == 1
    assert f"tester/vae was not transferred: {hub.url[7:].partition(':')[0]}"[:30] in step.sentence
    assert SLOW in step.sentence


def test_an_upload_that_is_not_read_ends(exported, hub: LoopbackHub, tmp_path: Path) -> None:
    hub.ignore("/lfs/models/", "PUT")
    step = pushed(exported("vae").path, hub, tmp_path)
    assert re.search(f"tester/vae was not transferred: .* (took|sent) {SLOW}", step.sentence)
    assert len(hub.commits("tester/vae")) == 1


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_the_time_must_be_a_number(text: str, hub: LoopbackHub, tmp_path: Path) -> None:
    environment = hub.environment(tmp_path / "home") | {"ZOO_HUB_TIMEOUT": text}
    (step,) = run_steps(environment, tmp_path, ["pull", "tester/vae", "x"], torch=False)
    assert step.sentence == (f"ZOO_HUB_TIMEOUT is {text!r}: set it to a number of seconds above 0")
    assert step.status == 2


def test_an_upload_to_a_silent_xet_storage_ends(
    silent_storage: str, exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    use(silent_storage, hub, tmp_path)
    step = pushed(exported("vae").path, hub, tmp_path)
    assert step.status == 1
    assert f"tester/vae was not transferred: Xet transferred {SLOW}" in step.sentence
