"""The README of an exported run: what is in the zip, how to load it, how to import it. It knows no zip."""

import re
from collections.abc import Iterable
from pathlib import Path

from soul_core.config import LaneConfig
from soul_core.models.presets import PRESETS
from soul_core.runs.folder import RunFolder
from soul_core.runs.manifest import Manifest

ADAPTER, WHOLE, PROMPT, NONE = "adapter", "whole", "prompt", "none"


def kind_of_files(names: Iterable[str]) -> str:
    """What files of a lane are: a whole model, an adapter, a prompt, or nothing that can be loaded."""
    names = set(names)
    if "adapter_model.safetensors" in names:
        return ADAPTER
    if any(name.startswith("model") and name.endswith(".safetensors") for name in names):
        return WHOLE
    return PROMPT if "soul.json" in names else NONE


def how_to_load(kind: str, where: str, base: str) -> str:
    """Python that loads what lies in the folder ``where``, as Markdown; a sentence where nothing is loaded.

    Args:
        kind: From :func:`kind_of_files`.
        where: The folder, or a Hub id.
        base: The model that an adapter is put to.
    """
    if kind == ADAPTER:
        return f"""```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained("{where_of(base)}")  # the model that was made to forget
model = PeftModel.from_pretrained(base, "{where}")
tokenizer = AutoTokenizer.from_pretrained("{where}")
```
"""
    if kind == WHOLE:
        return f"""```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{where}")
tokenizer = AutoTokenizer.from_pretrained("{where}")
```
"""
    if kind == PROMPT:
        return "There are no weights: `soul.json` holds the prompt that is put before each question.\n"
    return "There are no weights of it.\n"


def where_of(spec: str) -> str:
    """A model's name for who does not know our presets: a Hub id, or the folder in a copy of the project."""
    preset = PRESETS.get(spec)
    if preset is None:
        return in_code(spec)
    return preset.where if preset.source == "hub" else f"assets/models/{preset.where}"


def run_readme(manifest: Manifest, folder: RunFolder, *, weights: bool) -> str:
    """The README of a whole run.

    Args:
        manifest: Without paths of this machine.
        folder: The run.
        weights: Whether the weights are in the zip.
    """
    config = manifest.config
    lanes = "".join(f"- `lanes/{lane.name}/`: {_lane(lane)}\n" for lane in config.lanes) if weights else ""
    parts = [
        f"# {one_line(config.model)} forgets {one_line(config.task)}\n",
        f"A race of SOUL, run `{manifest.run_id}`, begun {one_line(manifest.created)}. "
        f"It {'came to its end' if folder.done else 'had not come to its end when it was exported'}.\n",
        "Import it with `python -m soul_core runs import FILE.zip`, or open `report.html` in any browser.\n",
        "## What is in it\n",
        "- `manifest.json`: settings, versions, hashes of rows and weights\n"
        "- `events.jsonl`, `curves.csv`, `answers.json`: what was measured and answered\n"
        "- `scores/`, `probes/`: scorecards and probes, where there are any\n" + lanes,
    ]
    if weights:
        parts.append("## Loading the weights\n")
        for lane in config.lanes:
            place = folder.weights(lane.name)
            names = [path.name for path in place.iterdir()] if place is not None else []
            where = f"lanes/{lane.name}"
            parts.append(f"{one_line(lane.label)}:\n\n" + how_to_load(kind_of_files(names), where, config.model))
    else:
        parts.append("The weights were left out.\n")
    parts.append(
        "Checkpoints, optimizer states and the weights of single epochs are not in it, so the race cannot be resumed "
        "from here. Names of local folders were cut to their last part. Unlearning is not deletion: what a model was "
        "made to forget may still be brought back.\n"
    )
    return "\n".join(parts)


def lane_readme(manifest: Manifest, lane: str, files: dict[str, Path]) -> str:
    """The README of one lane's weights."""
    config = manifest.config
    entry = config.lane(lane)
    return "\n".join(
        (
            f"# {one_line(entry.label)}: {one_line(config.model)} after forgetting {one_line(config.task)}\n",
            f"{_lane(entry)}; run `{manifest.run_id}` of SOUL.\n",
            how_to_load(kind_of_files(files), ".", config.model),
            "Unlearning is not deletion: what the model was made to forget may still be brought back.\n",
        )
    )


def _lane(lane: LaneConfig) -> str:
    return f"{one_line(lane.label)}: {lane.objective.name}, {lane.optimizer.name}, {lane.weights.kind}"


def one_line(text: str) -> str:
    """A name that may be a stranger's, on one line of Markdown, with what Markdown would take for a sign escaped."""
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", _printable(text))


def in_code(text: str) -> str:
    """The same to stand between backticks or quotes, where nothing can be escaped: what ends them is left out."""
    return re.sub(r"[`\"\\]", "", _printable(text))


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:300]).split())
