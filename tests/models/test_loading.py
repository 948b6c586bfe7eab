import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import logging as hf_logging

from soul_core.errors import ModelError
from soul_core.models.loading import copy_of, load_model
from tests.tiny import ARCHITECTURES, tiny_model, tiny_tokenizer

Folders = Callable[[str], Path]


@pytest.fixture
def folder(tiny_model_folder: Folders, tmp_path: Path) -> Path:
    """A copy of the tiny Llama that a test may spoil."""
    return Path(shutil.copytree(tiny_model_folder("llama"), tmp_path / "model"))


def edit(path: Path, **values: Any) -> None:
    """Set entries of a JSON file; None takes the entry out."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def sentence(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(str(folder))
    return str(caught.value).replace(f"“{folder}”", "“it”")


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_loads_frozen_in_fp32_and_gives_the_saved_model_s_logits(
    arch: str, tiny_model_folder: Folders
):
    loaded = load_model(str(tiny_model_folder(arch)))
    ids = torch.tensor([[5, 17, 42, 8]])
    torch.testing.assert_close(loaded.model(ids).logits, tiny_model(arch)(ids).logits)
    assert not loaded.model.training
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.template.name == "Question and answer"


def test_bf16_weights_become_fp32_of_the_same_value(folder: Path):
    weights = load_file(folder / "model.safetensors")
    save_file({k: v.bfloat16() for k, v in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    edit(folder / "config.json", dtype="bfloat16")
    loaded = load_model(str(folder)).model.state_dict()
    expected = weights["lm_head.weight"].bfloat16().float()
    assert loaded["lm_head.weight"].dtype == torch.float32
    assert torch.equal(loaded["lm_head.weight"], expected)


def test_dropout_is_off_so_that_two_training_passes_agree(tiny_model_folder: Folders):
    # GPT-2's default is 0.1 in three places.
    loaded = load_model(str(tiny_model_folder("gpt2")))
    model = copy_of(loaded).train()
    ids = torch.arange(60).view(2, 30)
    assert torch.equal(model(ids).logits, model(ids).logits)
    assert loaded.notes[0].startswith("Dropout is switched off")


def test_a_missing_pad_token_is_filled_in_and_the_embedding_keeps_its_rows(folder: Path):
    loaded = load_model(str(folder))
    assert loaded.tokenizer.pad_token_id == loaded.tokenizer.eos_token_id == 0
    assert loaded.model.get_input_embeddings().weight.shape[0] == 300
    assert "no usable pad token" in loaded.notes[-1]
    tiny_tokenizer(pad=True).save_pretrained(folder)
    again = load_model(str(folder))
    assert (again.tokenizer.pad_token_id, again.notes) == (1, ())


def test_a_pad_token_without_a_row_in_the_model_is_not_used(folder: Path):
    # The published TOFU Llama 2 has this: token 32000 for a model of 32000 rows.
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{n}|>" for n in range(300 - len(tokenizer))]})
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    assert tokenizer.pad_token_id == 300
    tokenizer.save_pretrained(folder)
    assert load_model(str(folder)).tokenizer.pad_token_id == 0


@pytest.mark.parametrize("arch", ["gpt2", "qwen2"])
def test_a_copy_is_trainable_keeps_weights_tied_and_leaves_the_original_alone(arch: str, tiny_model_folder: Folders):
    loaded = load_model(str(tiny_model_folder(arch)))
    before = loaded.model.get_input_embeddings().weight.clone()
    copied = copy_of(loaded)
    assert all(p.requires_grad for p in copied.parameters())
    assert copied.get_input_embeddings().weight is copied.get_output_embeddings().weight
    assert sum(p.numel() for p in copied.parameters()) == loaded.parameters
    with torch.no_grad():
        copied.get_output_embeddings().weight.zero_()
    assert copied.get_input_embeddings().weight.abs().sum() == 0
    assert torch.equal(loaded.model.get_input_embeddings().weight, before)
    assert not any(p.requires_grad for p in loaded.model.parameters())


def test_the_fingerprint_changes_with_the_weights_and_with_nothing_else(folder: Path):
    first = load_model(str(folder)).fingerprint
    assert len(first) == 64
    edit(folder / "config.json", note="something else")
    os.utime(folder / "model.safetensors", (0, 0))
    assert load_model(str(folder)).fingerprint == first
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] += 1e-3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_model(str(folder)).fingerprint != first


def test_loading_says_nothing_and_leaves_the_settings_of_transformers_as_they_were(
    folder: Path, capfd: pytest.CaptureFixture[str]
):
    edit(folder / "config.json", num_hidden_layers=1)  # transformers would print a report about layer 2
    level = hf_logging.get_verbosity()
    capfd.readouterr()
    loaded = load_model(str(folder))
    assert capfd.readouterr() == ("", "")
    assert hf_logging.get_verbosity() == level
    assert loaded.notes[0] == (
        "9 tensors of the weight files are not used by its architecture, first model.layers.1.input_layernorm.weight."
    )


def test_weights_in_several_files_load_and_a_missing_one_is_named(folder: Path):
    whole = load_model(str(folder)).model.state_dict()
    (folder / "model.safetensors").unlink()
    tiny_model("llama").save_pretrained(folder, max_shard_size="50KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    split = load_model(str(folder)).model.state_dict()
    assert all(torch.equal(split[name], whole[name]) for name in whole)
    shards[1].unlink()
    assert sentence(folder) == (
        f"“it” lacks 1 of its {len(shards)} weight files, first {shards[1].name}. Download or copy it again."
    )


def test_an_index_that_points_outside_the_folder_is_refused(folder: Path):
    (folder / "model.safetensors").rename(folder.parent / "other.safetensors")
    index = {"weight_map": {"lm_head.weight": "../other.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "does not list the model's own weight files" in sentence(folder)


def test_pickled_weights_are_never_opened(folder: Path):
    (folder / "model.safetensors").unlink()
    opened = folder / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (opened,)

    torch.save(Trap(), folder / "pytorch_model.bin")
    assert sentence(folder) == (
        "“it” has its weights as pytorch_model.bin; only safetensors are read, since opening the other formats can "
        "run code. Convert it where you trust it: load it with transformers and call save_pretrained."
    )
    assert not opened.exists()


def test_a_repository_s_own_code_is_never_run(folder: Path):
    ran = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Config: ...\nclass Model: ...\n")
    edit(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Config"})
    assert sentence(folder) == (
        "“it” needs Python code from its own repository, which is never run here. Choose a model whose architecture "
        "is part of transformers."
    )
    # Where transformers has the architecture itself, the repository's version is passed over.
    edit(folder / "config.json", model_type="llama", auto_map={"AutoModelForCausalLM": "evil.Model"})
    load_model(str(folder))
    edit(folder / "tokenizer_config.json", tokenizer_class="Evil", auto_map={"AutoTokenizer": ["evil.Model", None]})
    assert sentence(folder).startswith("The tokenizer of “it” cannot be used (")
    assert not ran.exists()


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "one byte short": (cut, "model.safetensors of “it” is cut short or damaged ("),
    "not safetensors": (
        lambda f: (f / "model.safetensors").write_bytes(b"x" * 100),
        "model.safetensors of “it” is cut short or damaged (",
    ),
    "LFS pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
        "model.safetensors of “it” is a Git LFS pointer, not the weights. Run “git lfs pull” in its folder.",
    ),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(),
        "“it” has no weights: neither model.safetensors nor model.safetensors.index.json.",
    ),
    "no config": (
        lambda f: (f / "config.json").unlink(),
        "“it” has no config.json, so it is no model. Give the folder that holds it.",
    ),
    "config cut short": (
        lambda f: (f / "config.json").write_text('{"model_type": '),
        "config.json of “it” cannot be read (JSONDecodeError). Download or copy it again.",
    ),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), "config.json of “it” is not a JSON object."),
    "adapter": (adapter, "“it” is an adapter, not a whole model. Merge it into its base model"),
    "masked language model": (
        lambda f: edit(f / "config.json", model_type="bert", architectures=["BertForMaskedLM"]),
        "“it” is a BertForMaskedLM, not a causal language model (one that continues a text).",
    ),
    "encoder-decoder": (
        lambda f: edit(f / "config.json", model_type="t5", architectures=None),
        "“it” is a t5, not a causal language model (one that continues a text).",
    ),
    "encoder-decoder that could be cut in half": (
        lambda f: edit(f / "config.json", model_type="bart", architectures=None, is_encoder_decoder=True),
        "“it” is a bart, not a causal language model (one that continues a text).",
    ),
    "unknown type": (
        lambda f: edit(f / "config.json", model_type="newest"),
        "“it” is of a type (newest) that transformers does not know. Choose another model.",
    ),
    "quantized": (
        lambda f: edit(f / "config.json", quantization_config={"quant_method": "gptq"}),
        "“it” is quantized, so its weights cannot be trained. Choose the version that is not quantized.",
    ),
    "impossible value": (
        lambda f: edit(f / "config.json", hidden_size="wide"),
        "config.json of “it” cannot be used (",
    ),
    "other width": (
        lambda f: edit(f / "config.json", hidden_size=64),
        "The weights of “it” do not fit its config.json: lm_head.weight is 300×32, not 300×64. Download",
    ),
    "a layer too few": (
        lambda f: edit(f / "config.json", num_hidden_layers=3),
        "“it” lacks 9 of the weights that its config.json asks for, first model.layers.2.input_layernorm.weight; "
        "they would be random.",
    ),
    "no tokenizer": (
        without_tokenizer,
        "“it” has no tokenizer (no tokenizer.json). Put the tokenizer's files beside its weights.",
    ),
    "broken tokenizer": (
        lambda f: (f / "tokenizer.json").write_text("{}"),
        "The tokenizer of “it” cannot be used (KeyError 'added_tokens'). Choose another model.",
    ),
    "no end of text": (
        lambda f: edit(f / "tokenizer_config.json", eos_token=None),
        "The tokenizer of “it” has no end-of-text token, so no answer could end.",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_model_that_cannot_be_used_says_why(how: str, folder: Path):
    spoil, beginning = BROKEN[how]
    spoil(folder)
    assert sentence(folder).startswith(beginning)


def test_a_tokenizer_with_more_tokens_than_the_model_has_rows_is_refused(folder: Path):
    weights = load_file(folder / "model.safetensors")
    small = {k: v[:200].clone() if v.shape[0] == 300 else v for k, v in weights.items()}
    save_file(small, folder / "model.safetensors", metadata={"format": "pt"})
    edit(folder / "config.json", vocab_size=200)
    tokens = len(tiny_tokenizer())
    assert sentence(folder) == (
        f"The tokenizer of “it” has {tokens} tokens, but the model has rows for 200. They do not belong together; "
        "put the model's own tokenizer beside its weights."
    )
