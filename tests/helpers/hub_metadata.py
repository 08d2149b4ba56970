"""Validates the metadata of a README.md, with the error messages of the Hub."""

from __future__ import annotations

import re
from typing import Any

import yaml

BLOCK = re.compile(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\r|\n|$))")
_LICENSES = (
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0"
    " bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause"
    " bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0"
    " cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0"
    " cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0"
    " cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1"
    " eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research"
    " intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0"
    " openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license"
    " fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4"
    " grok2-community gemma unknown other"
)
SDKS = ("gradio", "docker", "static")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
HEADERS = tuple(f"cross-origin-{what}-policy" for what in ("embedder", "opener", "resource"))
_TASKS = (
    "any-to-any audio-classification audio-text-to-text audio-to-audio"
    " automatic-speech-recognition depth-estimation document-question-answering"
    " feature-extraction fill-mask graph-ml image-classification image-feature-extraction"
    " image-segmentation image-text-to-image image-text-to-text image-text-to-video image-to-3d"
    " image-to-image image-to-text image-to-video keypoint-detection mask-generation"
    " multiple-choice object-detection other question-answering reinforcement-learning robotics"
    " sentence-similarity summarization table-question-answering table-to-text"
    " tabular-classification tabular-regression tabular-to-text text-classification"
    " text-generation text-ranking text-retrieval text-to-3d text-to-audio text-to-image"
    " text-to-speech text-to-video time-series-forecasting token-classification translation"
    " unconditional-image-generation video-classification video-text-to-text video-to-video"
    " visual-document-retrieval visual-question-answering voice-activity-detection"
    " zero-shot-classification zero-shot-image-classification zero-shot-object-detection"
)
LICENSES, TASKS = _LICENSES.split(), _TASKS.split()


def validate(content: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about a README.md of a repository of this kind."""
    try:
        data = metadata(content)
    except yaml.YAMLError as error:
        return [" ".join(str(error).split())], []
    if not data:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(data, dict):
        return ['"value" must be of type object'], []
    errors = [*_common(data), *(_space(data) if kind == "space" else _model(data))]
    task = data.get("pipeline_tag")
    unknown = kind == "model" and task is not None and task not in TASKS
    return errors, [f'The pipeline tag "{task}" is not in the official list'] if unknown else []


def metadata(content: str) -> Any:
    """The YAML at the top of a README.md, or None; a duplicate key is an error."""
    match = BLOCK.search(content)
    return None if match is None else yaml.load(match[2], _Strict)


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"duplicated mapping key: {key}")
        return super().construct_mapping(node, deep)


def _common(data: dict[str, Any]) -> list[str]:
    errors = []
    license = data.get("license")
    ids = license if isinstance(license, list) else [] if license is None else [license]
    if any(id not in LICENSES for id in ids):
        errors.append(f'"license" must be one of [{", ".join([*LICENSES, "array"])}]')
    for key in ("tags", "models", "widget"):
        if not isinstance(data.get(key, []), list):
            errors.append(f'"{key}" must be an array')
    for key in ("datasets", "metrics", "base_model", "language"):
        if not isinstance(data.get(key, []), str | list):
            errors.append(f'"{key}" must be one of [array, string]')
    for key in ("tags", "datasets", "metrics"):
        values = data.get(key)
        for i, value in enumerate(values if isinstance(values, list) else ()):
            if not isinstance(value, str):
                errors.append(f'"{key}[{i}]" must be a string')
    return errors


def _model(data: dict[str, Any]) -> list[str]:
    errors = []
    for key in ("library_name", "pipeline_tag"):
        if not isinstance(data.get(key, ""), str):
            errors.append(f'"{key}" must be a string')
    if "model-index" in data:
        errors += _index(data["model-index"])
    return errors


def _index(models: Any) -> list[str]:
    if not isinstance(models, list):
        return ['"model-index" must be an array']
    errors: list[str] = []
    for i, model in enumerate(models):
        at = f"model-index[{i}]"
        errors += _requires(model, at, {"name": str, "results": list})
        for j, result in enumerate(_list(model, "results")):
            here = f"{at}.results[{j}]"
            errors += _requires(result, here, {"task": dict, "dataset": dict, "metrics": list})
            errors += _requires(_dict(result, "task"), f"{here}.task", {"type": str})
            names = {"type": str, "name": str}
            errors += _requires(_dict(result, "dataset"), f"{here}.dataset", names)
            for k, metric in enumerate(_list(result, "metrics")):
                errors += _requires(metric, f"{here}.metrics[{k}]", {"type": str, "value": object})
    return errors


_NAMES = {str: "a string", list: "an array", dict: "of type object"}


def _requires(value: Any, at: str, keys: dict[str, type]) -> list[str]:
    if not isinstance(value, dict):
        return [f'"{at}" must be of type object']
    errors = [f'"{at}.{key}" is required' for key in keys if value.get(key) is None]
    for key, kind in keys.items():
        if value.get(key) is not None and not isinstance(value[key], kind):
            errors.append(f'"{at}.{key}" must be {_NAMES[kind]}')
    return errors


def _list(value: Any, key: str) -> list[Any]:
    item = value.get(key) if isinstance(value, dict) else None
    return item if isinstance(item, list) else []


def _dict(value: Any, key: str) -> dict[str, Any]:
    """The object, or a valid one if it is missing, which is an error already."""
    item = value.get(key) if isinstance(value, dict) else None
    return item if isinstance(item, dict) else {"type": "", "name": ""}


def _space(data: dict[str, Any]) -> list[str]:
    errors = []
    if data.get("sdk") not in SDKS:
        errors.append(f'"sdk" must be one of [{", ".join(SDKS)}]')
    for key in ("colorFrom", "colorTo"):
        if data.get(key, "red") not in COLORS:
            errors.append(f'"{key}" must be one of [{", ".join(COLORS)}]')
    if len(str(data.get("short_description", ""))) > 60:
        long = "length must be less than or equal to 60 characters long"
        errors.append(f'"short_description" {long}')
    headers = data.get("custom_headers", {})
    if not isinstance(headers, dict):
        return [*errors, '"custom_headers" must be of type object']
    return errors + [
        f'"custom_headers.{name}" is not allowed' for name in headers if name not in HEADERS
    ]
