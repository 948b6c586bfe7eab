"""The memory that is told before a race is what its process then takes, measured from outside."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from soul_core.config import Checkpointing, RaceConfig, WeightKind, WeightsConfig
from soul_core.models.loading import load_model
from soul_core.session import estimate as estimate_module
from soul_core.session.command import command_of
from soul_core.session.estimate import estimate
from soul_core.session.presets import lanes_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what a process has besides models was measured on Linux"),
]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of 51 million weights with the pocket model's tokenizer: models dominate."""
    pocket, folder = load_model("pocket"), tmp_path_factory.mktemp("wide")
    config = LlamaConfig(
        vocab_size=pocket.model.config.vocab_size,
        hidden_size=640,
        intermediate_size=1728,
        num_hidden_layers=10,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        eos_token_id=pocket.tokenizer.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    pocket.tokenizer.save_pretrained(folder)
    return str(folder)


def race_of(
    model: str,
    *,
    weights: WeightKind = "float32",
    batch_size: int = 8,
    checkpointing: Checkpointing = "auto",
    epochs: int = 1,
) -> RaceConfig:
    return RaceConfig(
        model=model,
        task="invented-authors:forget01",
        lanes=lanes_for("same-settings", "graddiff", weights=WeightsConfig(kind=weights)),
        epochs=epochs,
        batch_size=batch_size,
        checkpointing=checkpointing,
        precision="float32",
        eval_rows=8,
        max_new_tokens=8,
    )


# The process says itself what it took at most: what its parent is told counts the parent's own memory at the start.
RACE = """
import re, sys
from pathlib import Path
from soul_core.cli.main import main
code = main(sys.argv[2:])
Path(sys.argv[1]).write_text(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


def used_mb(config: RaceConfig, out: Path) -> float:
    """Peak resident memory of the race's own process, in MiB."""
    _, _, _, *words = command_of(config, out=str(out)).split()
    peak = out.parent / "peak"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", RACE, str(peak), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(peak.read_text(encoding="utf-8")) / 1024


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("pocket", {}),
        ("pocket", {"batch_size": 20, "checkpointing": "on"}),
        ("wide", {"epochs": 2}),
        ("wide", {"weights": "lora"}),
    ],
)
def test_the_estimate_is_within_ten_percent_of_what_the_process_then_takes(
    model, settings, wide, tmp_path, monkeypatch
):
    config = race_of(wide if model == "wide" else model, **settings)
    # Times are measured elsewhere; here they would take longer than the races.
    for timed in ("_lane_seconds", "_asking_seconds"):
        monkeypatch.setattr(estimate_module, timed, lambda *_: 0.0)
    told = estimate(config).memory_mb
    assert told / used_mb(config, tmp_path / "run") == pytest.approx(1.0, abs=0.1)
