import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from soul_core.errors import ModelError
from soul_core.models import presets, source
from soul_core.models.loading import load_model
from soul_core.models.source import locate
from tests.models.local_hub import LocalHub

Folders = Callable[[str], Path]


def sentence(spec: str, **options: bool) -> str:
    with pytest.raises(ModelError) as caught:
        locate(spec, **options)
    return str(caught.value)


def test_a_hub_model_is_downloaded_once_and_then_also_loads_without_the_hub(
    hub: LocalHub, tiny_model_folder: Folders, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    hub.folders["maker/tiny"] = tiny_model_folder("llama")
    capfd.readouterr()
    fetched = load_model("maker/tiny")
    assert fetched.fingerprint == load_model(str(tiny_model_folder("llama"))).fingerprint
    assert fetched.known_as == "maker/tiny"
    asked = len(hub.requests)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load_model("maker/tiny").fingerprint == fetched.fingerprint
    assert len(hub.requests) == asked
    assert "%|" not in capfd.readouterr().err  # no progress bars


def test_without_weights_only_small_files_are_fetched(hub: LocalHub, tiny_model_folder: Folders):
    hub.folders["maker/tiny"] = tiny_model_folder("llama")
    folder = locate("maker/tiny", weights=False).folder
    assert (folder / "config.json").is_file()
    assert not list(folder.glob("*.safetensors"))
    assert not [request for request in hub.requests if "safetensors" in request]


def test_a_cache_with_the_small_files_only_does_not_pass_for_a_downloaded_model(
    hub: LocalHub, tiny_model_folder: Folders, monkeypatch: pytest.MonkeyPatch
):
    hub.folders["maker/tiny"] = tiny_model_folder("llama")
    locate("maker/tiny", weights=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate("maker/tiny", weights=False).folder.is_dir()
    assert sentence("maker/tiny") == (
        "Offline mode is on (HF_HUB_OFFLINE), and “maker/tiny” has not been downloaded before. Connect to the "
        "internet and try again, or choose the model “pocket”, which needs no network."
    )


def test_a_tokenizer_kept_elsewhere_is_fetched_from_there(hub: LocalHub, tiny_model_folder: Folders, tmp_path: Path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_model_folder("phi") / name, bare)
    hub.folders["locuslab/tofu_ft_phi-1.5"] = bare
    hub.folders["microsoft/phi-1_5"] = tiny_model_folder("phi")
    loaded = load_model("locuslab/tofu_ft_phi-1.5")
    assert loaded.template.name == "TOFU, Phi"
    assert not [request for request in hub.requests if "phi-1_5/" in request and "safetensors" in request]


def test_a_gated_model_says_how_to_get_in(hub: LocalHub):
    hub.refusals["meta/gated"] = (403, "GatedRepo")
    assert sentence("meta/gated") == (
        "“meta/gated” is gated: its owner approves who may download it. Ask for access on its Hugging Face page and "
        "log in with “hf auth login”, then try again."
    )


def test_a_model_the_hub_does_not_have_names_the_nearest_preset(hub: LocalHub):
    assert sentence("locuslab/tofu_ft_phi-15") == (
        "The Hugging Face Hub has no public model “locuslab/tofu_ft_phi-15”. Did you mean "
        "“locuslab/tofu_ft_phi-1.5”? A private one needs “hf auth login”."
    )
    assert "Check the spelling." in sentence("zzz/0")


def test_a_hub_that_fails_is_not_mistaken_for_a_wrong_name(hub: LocalHub):
    hub.refusals["maker/tiny"] = (500, "")
    assert sentence("maker/tiny").startswith("The Hugging Face Hub answered 500, and “maker/tiny” has not been")


def test_pickled_weights_are_refused_before_anything_is_downloaded(
    hub: LocalHub, tiny_model_folder: Folders, tmp_path: Path
):
    old = tmp_path / "old"
    shutil.copytree(tiny_model_folder("llama"), old)
    (old / "model.safetensors").rename(old / "pytorch_model.bin")
    hub.folders["maker/old"] = old
    assert sentence("maker/old") == (
        "“maker/old” has its weights as pytorch_model.bin; only safetensors are read, since opening the other formats "
        "can run code. Convert it where you trust it: load it with transformers and call save_pretrained."
    )
    assert not [request for request in hub.requests if "/resolve/" in request]


def test_a_model_larger_than_the_disk_is_refused_before_it_is_downloaded(
    hub: LocalHub, tiny_model_folder: Folders, monkeypatch: pytest.MonkeyPatch
):
    hub.folders["maker/huge"] = tiny_model_folder("llama")
    hub.sizes["model.safetensors"] = 16_000_000_000
    usage = namedtuple("usage", "total used free")(0, 0, 15_900_000_000)
    monkeypatch.setattr(source.shutil, "disk_usage", lambda _: usage)
    assert sentence("maker/huge").startswith("“maker/huge” is 16.0 GB, but ")
    assert "has only 15.9 GB left." in sentence("maker/huge")


def test_a_visitor_of_a_public_host_never_uses_the_host_s_login(
    hub: LocalHub, tiny_model_folder: Folders, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_operator")
    hub.folders["maker/tiny"] = tiny_model_folder("llama")
    locate("maker/tiny", allow_local=False)
    assert hub.tokens == {""}
    locate("maker/tiny")
    assert "Bearer hf_of_the_operator" in hub.tokens


@pytest.mark.usefixtures("no_hub")
def test_an_unreachable_hub_is_told_without_retries():
    started = time.monotonic()
    assert sentence("locuslab/tofu_ft_llama2-7b") == (
        "The Hugging Face Hub cannot be reached, and “locuslab/tofu_ft_llama2-7b” has not been downloaded before. "
        "Connect to the internet and try again, or choose the model “pocket”, which needs no network."
    )
    assert time.monotonic() - started < 10  # the client's own retries take half a minute


@pytest.mark.usefixtures("no_hub")
def test_a_misspelt_preset_is_named_without_asking_the_hub():
    assert sentence("pockt") == "There is no model “pockt”. Did you mean “pocket”?"


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("spec", ["two words", "a--b", "", "owner/naïve"])
def test_what_cannot_be_a_model_s_name_is_said_to_be_none(spec: str):
    assert sentence(spec).startswith(f"“{spec}” is no model: no preset such as “pocket”, no Hugging Face id")


@pytest.mark.parametrize("spec", ["/etc", "./x", "../x", "~/models", "a/b/c", "C:\\models"])
def test_a_path_is_refused_on_a_public_host_whether_or_not_it_is_there(spec: str):
    assert sentence(spec, allow_local=False) == (
        f"“{spec}” is a path, and local folders are switched off on this public host. Choose a model of the list or a "
        "Hugging Face id such as owner/name."
    )


@pytest.mark.usefixtures("no_hub")
def test_a_folder_with_the_shape_of_a_hub_id_is_not_looked_at_on_a_public_host(
    tiny_model_folder: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate("owner/name").folder == Path("owner/name")
    assert sentence("owner/name", allow_local=False).startswith("The Hugging Face Hub cannot be reached")


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path: Path):
    assert sentence(f"{tmp_path}/none") == (
        f"The model folder {tmp_path}/none is not there. Give the folder that holds config.json and the weights."
    )
    (tmp_path / "file").touch()
    assert " is a file, not a folder. " in sentence(f"{tmp_path}/file")


def test_a_shipped_model_that_was_left_out_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(presets, "POCKET_MODELS", tmp_path)
    assert sentence("pocket") == (
        "The model “pocket” is missing from this copy of the project. Restore the folder assets/models/pocket, or "
        "train it with “python -m soul_core train-pocket”."
    )
