"""The token of the user: in no output and no file, and for no host but the Hub."""

from __future__ import annotations

from pathlib import Path

import hub_slow
import pytest
from folders import contents
from hub_slow import Answer, status
from hub_steps import Step, licensed, run_steps
from loopback_hub import LoopbackHub
from numbered import numbered_image, png

ENVIRONMENT, FILE = "hf_inTheEnvironment1234567890abcdef", "hf_inTheFile1234567890abcdefghijkl"
FILES = {name: bytes(5000) for name in ("model.safetensors", "onnx/sampler.onnx")} | {
    "config.json": b"{}"
}


def repeating(number: int, *headers: str) -> Answer:
    """A status whose headers and body repeat both tokens, as a hostile server may."""
    text = f"not for {ENVIRONMENT} or Bearer {FILE}"
    return status(number, f"X-Error-Message: {text}", *headers, body=f'{{"error": "{text}"}}')


FAILURES: dict[str, Answer] = {
    **{str(number): repeating(number) for number in (401, 403, 404, 429, 500)},
    "later": repeating(429, "Retry-After: 99999999", 'RateLimit: "api";r=0;t=99999999'),
    "garbage": hub_slow.not_json,
    "closed": hub_slow.closed,
    "silent": hub_slow.silent,
    "lost": status(302, f"Location: /lost?token={ENVIRONMENT}"),
}

COMMANDS = (
    ["pull", "{}", "pulled"],
    ["sample", "{}"],
    ["sample", "{}", "--backend", "onnx"],
    ["verify", "{}"],
    ["data", "{}"],
    ["evaluate", "{}"],
)


def check(steps: list[Step], root: Path) -> None:
    for step in steps:
        for token in (ENVIRONMENT, FILE):
            assert token not in step.out + step.err
    for name, data in contents(root).items():
        if name != "home/token":
            assert ENVIRONMENT.encode() not in (data or b""), name
            assert FILE.encode() not in (data or b""), name


def planted(hub: LoopbackHub, home: Path, where: str) -> dict[str, str]:
    """The environment of a process with the token in the environment or in the token file."""
    home.mkdir(exist_ok=True)
    (home / "token").write_text(FILE)
    token = ENVIRONMENT if where == "environment" else None
    return hub.environment(home, token, hurry=True) | {"ZOO_HUB_TIMEOUT": "1"}


def accept(hub: LoopbackHub, where: str) -> None:
    """Lets the planted token read and write."""
    token = ENVIRONMENT if where == "environment" else FILE
    hub.tokens = type(hub.tokens)(write=token, read="hf_other")


@pytest.mark.parametrize("where", ["environment", "file"])
@pytest.mark.parametrize("phase", ["first", "file"])
def test_no_command_prints_or_stores_the_token(
    where: str, phase: str, hub: LoopbackHub, tmp_path: Path
) -> None:
    accept(hub, where)
    for name, answer in FAILURES.items():
        hub.create(f"tester/{name}", files=FILES)
        hub.create(f"tester/{name}", "dataset", {"a/1.png": png(numbered_image(1))})
        path = f"tester/{name}" if phase == "first" else f"models/tester/{name}/"
        hub.play(answer, path)
    steps = [
        [part.format(f"tester/{name}") for part in [*command, "--debug"]]
        for name in FAILURES
        for command in COMMANDS
    ]
    environment = planted(hub, tmp_path / "home", where)
    _, *done = run_steps(
        environment, tmp_path, "import signal; signal.alarm(500)", *steps, torch=False
    )
    check(done, tmp_path)
    if phase == "first":
        for command, step in zip(steps, done, strict=True):
            assert step.status in (1, 2), (command, step)
            last = step.err.strip().splitlines()[-1]
            assert last.startswith("zoo: "), (command, last)
            assert "internal error" not in last
            assert "failed in zoo_" not in last
    assert any(request.token for request in hub.log)


@pytest.mark.parametrize("where", ["environment", "file"])
def test_no_push_prints_or_stores_the_token(
    where: str, exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    accept(hub, where)
    licensed(exported("vae").path, tmp_path / "vae")
    for name, answer in FAILURES.items():
        hub.play(answer, f"tester/{name}-commit/commit/")
        hub.play(answer, f"tester/{name}-upload.git/info/lfs/")
        hub.play(answer, f"tester/{name}-all")
    parts = ("commit", "upload", "all")
    push = [
        ["push", "vae", f"tester/{name}-{part}", "--debug"] for name in FAILURES for part in parts
    ]
    environment = planted(hub, tmp_path / "home", where)
    _, *done, good = run_steps(
        environment,
        tmp_path,
        "import signal; signal.alarm(500)",
        *push,
        ["push", "vae", "tester/good"],
    )
    check([*done, good], tmp_path)
    assert good.status == 0
    for step in done:
        assert step.status in (1, 2), step
        assert step.err.strip().splitlines()[-1].startswith("zoo: ")


def test_the_token_is_not_sent_to_another_host(hub: LoopbackHub, tmp_path: Path) -> None:
    accept(hub, "file")
    away = {
        "pages": ("/tree/", status(200, f'Link: <{hub.storage}/away>; rel="next"', body="[]")),
        "info": ("/api/models/tester/info", hub_slow.redirect(f"{hub.storage}/away")),
        "tree": ("/tree/", hub_slow.redirect(f"{hub.storage}/away")),
        "head": ("/resolve/", hub_slow.redirect(f"{hub.storage}/away")),
        "get": ("/api/resolve-cache/", hub_slow.redirect(f"{hub.storage}/away")),
    }
    for name, (path, answer) in away.items():
        for kind in ("model", "dataset"):
            files = {"config.json": b"{}", "model.safetensors": bytes(5000), "a/1.png": b"png"}
            hub.create(f"tester/{name}", kind, files)
        for place in (f"models/tester/{name}{path}", f"/tester/{name}{path}"):
            hub.play(answer, place if path.startswith(("/tree", "/res")) else path)
    steps = [
        [command, f"tester/{name}", *([name] if command == "pull" else [])]
        for name in away
        for command in ("pull", "sample", "data")
    ]
    done = run_steps(planted(hub, tmp_path / "home", "file"), tmp_path, *steps, torch=False)
    check(done, tmp_path)
    sent = hub.requests(path="/away")
    assert sent
    assert not [request for request in sent if request.token]
    assert {request.host for request in hub.log if request.token} == {hub.url}
