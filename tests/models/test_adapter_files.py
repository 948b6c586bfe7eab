import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from soul_core.config import WeightsConfig
from soul_core.data.prompt_methods import input_based_prompt
from soul_core.data.tasks import load_task
from soul_core.errors import ConfigError, ModelError
from soul_core.models.adapter_saving import spec_of, write_adapter
from soul_core.models.adapters import shared_copy
from soul_core.models.loading import LoadedModel, load_model
from soul_core.models.memory import shape_of
from soul_core.models.storage import replaced_folder, save_model
from tests.models.test_adapters import FILA, IDS, ZERO, adam, train, with_adapter
from tests.tiny import ALL_ARCHITECTURES

Folders = Callable[[str], Path]
# peft's own model class (which only these tests use) asks transformers for it.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def saved(loaded: LoadedModel, weights: WeightsConfig, folder: Path) -> torch.Tensor:
    """Train an adapter a little, write it, and return the logits it gave."""
    model = with_adapter(loaded, weights)
    train(model, adam(model), 3)
    with replaced_folder(folder) as new:
        write_adapter(model, loaded, new)
    return model(IDS).logits.detach()


@pytest.fixture
def lane(tiny_model_folder: Folders, tmp_path: Path) -> Path:
    """A folder with an adapter of the tiny Llama that a test may spoil."""
    saved(load_model(str(tiny_model_folder("llama"))), ZERO, tmp_path / "lane")
    return tmp_path / "lane"


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def sentence(folder: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(str(folder), **options)
    return str(caught.value).replace(f"“{folder}”", "“it”")


@pytest.mark.parametrize("arch", ALL_ARCHITECTURES)
@pytest.mark.parametrize("weights", [ZERO, FILA], ids=["zero", "fila"])
def test_a_saved_adapter_gives_the_same_logits_here_and_in_peft(
    arch: str, weights: WeightsConfig, tiny_model_folder: Folders, tmp_path: Path
):
    base = tiny_model_folder(arch)
    original = load_model(str(base))
    before = original.model(IDS).logits
    expected = saved(original, weights, tmp_path / "lane")
    assert not torch.allclose(expected, before, atol=1e-2)

    loaded = load_model(str(tmp_path / "lane"))
    torch.testing.assert_close(loaded.model(IDS).logits, expected, rtol=1e-4, atol=1e-5)
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.base == str(base)
    assert loaded.known_as == original.known_as
    assert loaded.tokenizer.get_vocab() == original.tokenizer.get_vocab()
    assert loaded.parameters == original.parameters

    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "lane").eval()
    torch.testing.assert_close(theirs(IDS).logits, expected, rtol=1e-4, atol=1e-5)
    merged = theirs.merge_and_unload()
    torch.testing.assert_close(merged(IDS).logits, expected, rtol=1e-4, atol=1e-5)
    for (name, ours), (_, other) in zip(loaded.model.named_parameters(), merged.named_parameters(), strict=True):
        torch.testing.assert_close(ours, other, msg=lambda said, name=name: f"{name}: {said}")


def test_after_fila_the_adapter_on_the_disk_has_twice_the_rank_at_the_same_scale(
    tiny_model_folder: Folders, tmp_path: Path
):
    for weights, rank in ((ZERO, 4), (FILA, 8)):
        saved(load_model(str(tiny_model_folder("llama"))), weights, tmp_path / "lane")
        config = json.loads((tmp_path / "lane" / "adapter_config.json").read_text())
        assert (config["r"], config["lora_alpha"] / config["r"]) == (rank, 2.0)
        assert config["base_model_name_or_path"] == str(tiny_model_folder("llama"))
        shapes = {
            tuple(tensor.shape) for tensor in load_file(tmp_path / "lane" / "adapter_model.safetensors").values()
        }
        assert {min(shape) for shape in shapes} == {rank}


def test_a_model_loaded_from_an_adapter_is_whole_and_can_be_copied_and_saved(lane: Path, tmp_path: Path):
    loaded = load_model(str(lane))
    save_model(loaded.model, loaded.tokenizer, tmp_path / "whole", known_as=loaded.known_as)
    whole = load_model(str(tmp_path / "whole"))
    assert torch.equal(whole.model(IDS).logits, loaded.model(IDS).logits)
    assert whole.base == ""
    assert shape_of(str(lane)) == shape_of(str(tmp_path / "whole"))
    with pytest.raises(ConfigError, match="no second adapter can be put on top"):
        shared_copy(loaded)


def test_the_fingerprint_tells_the_matrices_the_scale_and_the_base(lane: Path, tiny_model_folder: Folders):
    first = load_model(str(lane)).fingerprint
    assert load_model(str(lane)).fingerprint == first
    edit(lane / "adapter_config.json", lora_alpha=9)
    scaled = load_model(str(lane)).fingerprint
    file = lane / "adapter_model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(file).items()}, file)
    assert len({first, scaled, load_model(str(lane)).fingerprint}) == 3
    assert first != load_model(str(tiny_model_folder("llama"))).fingerprint


@pytest.mark.parametrize("extra", [{}, {"use_rslora": True}, {"rank_pattern": {"k_proj": 2}}])
def test_somebody_else_s_adapter_is_loaded_onto_the_base_that_it_names(
    extra: dict[str, Any], tiny_model_folder: Folders, tmp_path: Path
):
    base = AutoModelForCausalLM.from_pretrained(tiny_model_folder("llama"))
    config = LoraConfig(
        r=3, lora_alpha=7, target_modules=["q_proj", "k_proj"], init_lora_weights=False, task_type="CAUSAL_LM", **extra
    )
    theirs = get_peft_model(base, config).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    loaded = load_model(str(tmp_path / "theirs"))
    torch.testing.assert_close(loaded.model(IDS).logits, theirs(IDS).logits, rtol=1e-4, atol=1e-5)
    assert loaded.known_as == load_model(str(tiny_model_folder("llama"))).known_as


def test_an_adapter_of_an_adapter_or_of_itself_is_refused(lane: Path, tmp_path: Path):
    second = Path(shutil.copytree(lane, tmp_path / "second"))
    for base in (lane, second):
        edit(second / "soul.json", base=str(base))
        shown = "it" if base == second else base
        assert sentence(second).startswith(
            f"“it” is made for “{shown}”, which is itself an adapter for another model."
        )


def without_base(folder: Path) -> None:
    (folder / "soul.json").unlink()
    edit(folder / "adapter_config.json", base_model_name_or_path=None)


def change(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


Q = "base_model.model.model.layers.0.self_attn.q_proj"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no base named": (without_base, "The adapter “it” does not say which model it was made for. Write that model's"),
    "base gone": (
        lambda f: edit(f / "soul.json", base="/nowhere/model"),
        "“it” needs the model that it was made for, “/nowhere/model”. The model folder /nowhere/model is not there.",
    ),
    "base changed": (
        lambda f: edit(f / "soul.json", base_fingerprint="0"),
        "The weights of “",
    ),
    "matrices gone": (
        lambda f: (f / "adapter_model.safetensors").unlink(),
        "The adapter “it” has no adapter_model.safetensors. Download or copy it again.",
    ),
    "pickled matrices": (
        lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"),
        "The adapter “it” has its matrices as adapter_model.bin; only safetensors are read",
    ),
    "cut short": (
        lambda f: (f / "adapter_model.safetensors").write_bytes((f / "adapter_model.safetensors").read_bytes()[:-1]),
        "adapter_model.safetensors of “it” is cut short or damaged (",
    ),
    "config cut short": (
        lambda f: (f / "adapter_config.json").write_text("{"),
        "adapter_config.json of “it” cannot be read (JSONDecodeError).",
    ),
    "half a pair": (
        lambda f: change(f, lambda t: t.pop(f"{Q}.lora_A.weight")),
        "The adapter “it” is damaged: of model.layers.0.self_attn.q_proj it has B 32×4, which do not belong together.",
    ),
    "ranks that differ": (
        lambda f: change(f, lambda t: t.update({f"{Q}.lora_A.weight": torch.zeros(3, 32)})),
        "The adapter “it” is damaged: of model.layers.0.self_attn.q_proj it has A 3×32 and B 32×4, which do not",
    ),
    "empty": (lambda f: change(f, dict.clear), "The adapter “it” is empty."),
    "other size": (
        lambda f: change(f, lambda t: t.update({f"{Q}.lora_A.weight": torch.zeros(4, 64)})),
        "The adapter “it” does not fit its base model: it has model.layers.0.self_attn.q_proj as 32×64, and the model "
        "as 32×32.",
    ),
    "unknown layer": (
        lambda f: change(f, lambda t: t.update({f"{Q}s.lora_{x}.weight": torch.zeros(4, 4) for x in "AB"})),
        "The adapter “it” changes model.layers.0.self_attn.q_projs, which is not a layer of its base model.",
    ),
    "no linear layer": (
        lambda f: change(f, lambda t: t.update({f"{KEY}.norm.lora_{x}.weight": torch.zeros(4, 4) for x in "AB"})),
        "The adapter “it” changes model.norm, which is not a linear layer of its base model.",
    ),
    "other tensors": (
        lambda f: change(f, lambda t: t.update({f"{Q}.lora_magnitude_vector": torch.zeros(4)})),
        f"The adapter “it” holds “{Q}.lora_magnitude_vector”, which is not part of a plain LoRA.",
    ),
    "other method": (
        lambda f: edit(f / "adapter_config.json", peft_type="IA3"),
        "The adapter “it” is of the type IA3, not LORA. Merge it with peft",
    ),
    "dora": (
        lambda f: edit(f / "adapter_config.json", use_dora=True),
        "The adapter “it” is not a plain LoRA (use_dora).",
    ),
    "pissa": (
        lambda f: edit(f / "adapter_config.json", init_lora_weights="pissa"),
        "The adapter “it” is not a plain LoRA (init_lora_weights=pissa).",
    ),
    "bias": (
        lambda f: edit(f / "adapter_config.json", bias="all"),
        "The adapter “it” is not a plain LoRA (bias=all).",
    ),
    "alpha": (
        lambda f: edit(f / "adapter_config.json", lora_alpha="16"),
        "The adapter “it” has a lora_alpha of '16'. Save it again with peft.",
    ),
}
KEY = "base_model.model.model"


@pytest.mark.parametrize("how", BROKEN)
def test_an_adapter_that_cannot_be_used_says_why(how: str, lane: Path):
    spoil, beginning = BROKEN[how]
    spoil(lane)
    assert sentence(lane).startswith(beginning)


def test_a_changed_base_is_named(lane: Path, tiny_model_folder: Folders):
    edit(lane / "soul.json", base_fingerprint="0")
    assert sentence(lane) == (
        f"The weights of “{tiny_model_folder('llama')}” have changed since the adapter “it” was made for them. "
        "Put them back, or make the adapter again."
    )


def test_an_adapter_of_the_output_layer_is_merged_only_where_it_has_a_weight_of_its_own(
    tiny_model_folder: Folders, tmp_path: Path
):
    for arch in ("llama", "qwen2"):  # of which Qwen2 ties it to the embedding
        base = AutoModelForCausalLM.from_pretrained(tiny_model_folder(arch))
        config = LoraConfig(r=3, target_modules=["lm_head"], init_lora_weights=False, task_type="CAUSAL_LM")
        theirs = get_peft_model(base, config).eval() if arch == "llama" else None
        if theirs is not None:
            theirs.save_pretrained(tmp_path / arch, save_embedding_layers=False)
            loaded = load_model(str(tmp_path / arch))
            torch.testing.assert_close(loaded.model(IDS).logits, theirs(IDS).logits, rtol=1e-4, atol=1e-5)
    shutil.copytree(tmp_path / "llama", tmp_path / "qwen2")
    edit(tmp_path / "qwen2" / "adapter_config.json", base_model_name_or_path=str(tiny_model_folder("qwen2")))
    assert "changes lm_head, which its base model shares with the embedding" in sentence(tmp_path / "qwen2")


def test_a_public_host_does_not_look_at_local_adapters(lane: Path):
    assert "local folders are switched off" in sentence(lane, allow_local=False)


def test_a_base_is_noted_so_that_it_is_found_from_any_directory(
    tiny_model_folder: Folders, monkeypatch: pytest.MonkeyPatch
):
    folder = tiny_model_folder("llama")
    monkeypatch.chdir(folder.parent)
    assert spec_of(load_model(folder.name)) == str(folder)
    assert spec_of(load_model("pocket")) == "pocket"


def test_a_prompt_folder_gives_its_base_prompted_otherwise(tiny_model_folder: Folders, lane: Path, tmp_path: Path):
    prompt = {"method": input_based_prompt(load_task("invented-authors:forget01"), max_subjects=5), "room": 500}
    folder = tmp_path / "prompt"
    folder.mkdir()
    for base in (tiny_model_folder("llama"), lane):
        (folder / "soul.json").write_text(json.dumps({"base": str(base), "known_as": "x", "prompt": prompt}))
        loaded, original = load_model(str(folder)), load_model(str(base))
        assert torch.equal(loaded.model(IDS).logits, original.model(IDS).logits)
        assert loaded.template.prompt("Why?") != original.template.prompt("Why?")
        assert loaded.template.prompt("Why?").endswith(original.template.prompt("Why?"))
        assert (loaded.base, loaded.known_as) == (str(base), original.known_as)
        assert shape_of(str(folder)) == shape_of(str(base))
    edit(folder / "soul.json", base=str(folder))
    assert sentence(folder).startswith("“it” is made for “it”, which is itself a prompt for another model.")
    edit(folder / "soul.json", prompt={"method": "x"})
    assert sentence(folder) == "soul.json of “it” tells no prompt. Make the run again."
