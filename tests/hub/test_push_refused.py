"""Runs that cannot be pushed and refusals of the Hub: one sentence each, and nothing is written."""

from __future__ import annotations

import math
import traceback
from pathlib import Path

import pytest
from folders import contents
from hub_steps import append, licensed, run_steps, upload
from loopback_hub import LoopbackHub, loopback_hub

from zoo import ZooError
from zoo_hub.address import Address
from zoo_hub.client import hub_errors

REPORT = """import json
with open({path!r}) as file: report = json.load(file)
report{key} = {value}
with open({path!r}, "w") as file: json.dump(report, file)"""


def report(run: str, key: str, value: str) -> str:
    return REPORT.format(path=f"{run}/onnx/sampler.json", key=key, value=value)


def remove(path: str) -> str:
    return f"import os\nos.unlink({path!r})"


def write(path: str, text: str) -> str:
    return f"with open({path!r}, 'w') as file: file.write({text!r})"


INVALID = {
    "weights": write("weights/model.safetensors", "0" * 99),
    "config": write("config/config.json", "{}"),
    "license": write("license/README.md", "---\nlicence: mit\n---\n"),
    "yaml": write("yaml/README.md", "---\n[\n---\n"),
    "name": write("name/onnx/nul.onnx", "x"),
    "card": remove("card/README.md"),
    "report": remove("report/onnx/sampler.json"),
    "file": append("file/onnx/sampler.onnx", " "),
    "other": report("other", "['weights_sha256']", "'0'"),
    "parity": report("parity", "['outputs']['image']['max_abs_error_float64']", "1.0"),
    "nan": report("nan", "['outputs']['image']['max_abs_error_float64']", "float('nan')"),
}


def test_a_run_with_a_defect_is_refused(exported, hub: LoopbackHub, tmp_path: Path) -> None:
    steps: list[list[str] | str] = []
    for name, code in INVALID.items():
        licensed(exported("vae").path, tmp_path / name)
        steps += [code, ["push", name, "tester/vae"]]
    environment = hub.environment(tmp_path / "home", hub.tokens.write)
    more = [["push", "card", "nowhere"], ["push", "card", "a/b/c"], ["push", "none", "a/b"]]
    done = run_steps(environment, tmp_path, *steps, *more)
    errors = dict(zip(INVALID, (step.sentence for step in done[1:-3:2]), strict=True))
    assert errors["weights"].startswith("weights/model.safetensors cannot be read as safetensors")
    assert errors["config"].startswith("config is not a run folder")
    assert errors["license"].startswith("license/README.md has no license in its metadata")
    assert errors["license"].endswith("with zoo card license --license apache-2.0")
    assert errors["yaml"] == "the metadata of yaml/README.md cannot be read: fix it"
    assert errors["name"] == (
        'name has a file "onnx/nul.onnx", which is a device on Windows: rename it'
    )
    assert errors["card"].endswith("the model card of the Hub: zoo card writes it")
    for name, reason in {
        "report": "has no parity report beside it",
        "file": "is not the file of its parity report",
        "other": "was exported from other weights than the run's",
        "parity": "does not agree with the network, image differs by 1, the tolerance is",
        "nan": "does not agree with the network, image differs by nan, the tolerance is",
    }.items():
        assert errors[name].startswith(f"{name}/onnx/sampler.onnx {reason}")
        assert errors[name].endswith(f"zoo export {name} writes the graphs again")
    no_name, too_long, no_run = done[-3:]
    assert no_name.sentence == "nowhere is not a Hub repository: name one as user/repo"
    assert too_long.sentence == "a/b/c is not a Hub repository: name one as user/repo"
    assert no_run.sentence == "there is no run folder none"
    assert {step.status for step in done[1:-3:2]} == {1, 2}
    assert not hub.requests("POST")
    assert not hub.repositories


def test_refusals_of_the_hub_are_one_sentence_and_write_nothing(
    exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    run = licensed(exported("vae").path, tmp_path / "vae")
    before = contents(run)
    token = "import os\nos.environ['HF_TOKEN'] = {!r}".format
    for status in (401, 403, 429, 500):
        hub.fail(status, path=f"tester/r{status}/commit", times=math.inf)

    def overtake() -> None:
        hub.repository("tester/r412").write({"theirs": b""})

    hub.first(overtake, path="tester/r412/commit")
    hub.lose(path="tester/lost/commit")
    hub.create("tester/late")
    licensed(run, tmp_path / "word")
    licensed(run, tmp_path / "lost")
    unknown = "hf_" + "x" * 34
    steps = [
        token(""),
        ["push", "vae", "tester/vae"],
        token(unknown),
        ["push", "vae", "tester/vae", "--debug"],
        token(hub.tokens.read),
        ["push", "vae", "tester/late"],
        token(hub.tokens.write),
        ["push", "vae", "somebody/vae"],
        *(["push", "vae", f"tester/r{status}", "--debug"] for status in (401, 403, 412, 429, 500)),
        ["push", "lost", "tester/lost"],
        ["push", "lost", "tester/lost"],
        write("word/README.md", "---\nlicense: whatever\n---\n"),
        ["push", "word", "tester/word"],
    ]
    environment = hub.environment(tmp_path / "home", hurry=True)
    done = run_steps(environment, tmp_path, *steps)
    login = (
        "run hf auth login, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"
    )
    assert done[1].sentence == f"pushing to tester/vae needs a token with write permission: {login}"
    errors = [step.err.strip().rpartition("zoo: ")[2] for step in done]  # below a traceback
    assert errors[3] == f"the Hub does not accept the token for tester/vae: {login}"
    assert done[5].sentence.startswith(
        "the token has no permission for tester/late (Forbidden: you"
    )
    assert done[7].sentence.startswith("the token has no permission for somebody/vae (You don't")
    assert errors[8].startswith("the Hub does not accept the token for tester/r401")
    assert errors[9].startswith("the token has no permission for tester/r403")
    assert errors[10] == (
        "tester/r412 was changed by somebody else, so nothing was written: try again"
    )
    assert errors[11].startswith("the Hub received too many requests for tester/r429")
    assert errors[12].startswith("the Hub failed on tester/r500 with status 500")
    assert done[13].sentence.startswith(
        "the connection was lost while transferring files of tester/lost"
    )
    assert "is up to date" in done[14].err
    assert done[16].sentence.startswith(
        'the Hub rejects README.md of tester/word: "license" must be one of [apache-2.0,'
    )
    assert [step.status for step in done] == [0, 1] * 4 + [1] * 6 + [0, 0, 1]
    made = {name: len(hub.commits(name)) for _, name in hub.repositories}
    assert made.pop("tester/lost") == made.pop("tester/r412") == 2
    assert {*made.values()} == {1}
    assert hub.files("tester/r412").keys() == {".gitattributes", "theirs"}
    for step in done:
        for secret in (hub.tokens.write, hub.tokens.read, unknown):
            assert secret not in step.out + step.err
    assert contents(run) == before, "the run's card changes only after a commit"
    assert 'zoo.load("tester/lost")' in (tmp_path / "lost/README.md").read_text("utf-8")


def test_a_token_in_an_error_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "of another kind")
    for secret in ("hf_abcdefghijkl", "Bearer xyz-123", "of another kind"):
        with pytest.raises(ZooError) as error, hub_errors(Address("a/b")):
            raise RuntimeError(f"not known: {secret}, go away")
        text = "".join(traceback.format_exception(error.value))
        assert secret.split()[-1] not in text
        assert "the Hub client failed on a/b: RuntimeError: not known: " in text


def test_nothing_is_pushed_offline(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ZooError) as error:
        trained.push("tester/glow")
    assert str(error.value) == (
        "HF_HUB_OFFLINE is set, so nothing is pushed to tester/glow: unset it"
    )


def test_an_unreachable_hub_is_one_sentence(exported, tmp_path: Path) -> None:
    licensed(exported("vae").path, tmp_path / "vae")
    with loopback_hub() as gone:
        environment = gone.environment(tmp_path / "home", gone.tokens.write, hurry=True)
    done = run_steps(
        environment,
        tmp_path,
        ["push", "vae", "tester/vae"],
        ["pull", "tester/vae", "x"],
        ["sample", "tester/vae"],
    )
    error = f"the Hub at {gone.url} cannot be reached (ConnectError): check the network, or HF_ENDP"
    for step in done[:2]:
        assert step.sentence.startswith(error)
    sampled = done[2]
    assert sampled.sentence.startswith(f"no run folder tester/vae exists, and {error}")
    assert sampled.err.splitlines()[:-1] == ["the Hub did not answer: trying again"]
    assert {step.status for step in done} == {1}
    assert not (tmp_path / "x").exists()


def test_a_push_completes_after_an_interrupted_upload(
    exported, hub: LoopbackHub, tmp_path: Path
) -> None:
    licensed(exported("vae").path, tmp_path / "vae")
    environment = hub.environment(tmp_path / "home", hub.tokens.write, hurry=True)
    hub.cut("PUT", after=1000, times=math.inf)
    (cut,) = run_steps(environment, tmp_path, ["push", "vae", "tester/vae"])
    assert (cut.status, cut.sentence) == (
        1,
        "the connection was lost while transferring files of tester/vae: try again, files that "
        "arrived are not sent twice",
    )
    assert len(hub.commits("tester/vae")) == 1
    hub.faults.waiting.clear()
    push = ["push", "vae", "tester/vae"]
    done = run_steps(environment, tmp_path, push, upload("notes.txt", "kept"), push)
    assert [step.status for step in done] == [0, 0, 0]
    assert len(hub.commits("tester/vae")) == 3
    assert hub.files("tester/vae")["config.json"] == (tmp_path / "vae/config.json").read_bytes()
