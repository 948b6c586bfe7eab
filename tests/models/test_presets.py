import pytest
from huggingface_hub.utils import validate_repo_id

from soul_core.data.schema import ForgetTask
from soul_core.data.tasks import load_task
from soul_core.models.presets import PRESETS, TOKENIZERS_ELSEWHERE, gold_for, nearest_presets

TOFU_10 = ForgetTask(name="tofu:forget10", forget=(), retain=())


def test_the_pocket_model_s_gold_is_the_one_its_task_names():
    for split in ("forget01", "forget05", "forget10"):
        assert gold_for("pocket", load_task(f"invented-authors:{split}")) == f"pocket-gold-{split}"


def test_hand_picked_authors_have_no_gold():
    task = load_task("invented-authors:authors=" + load_task("invented-authors:forget01").subjects[0])
    assert gold_for("pocket", task) == ""


@pytest.mark.parametrize(("split", "retain"), [("forget01", 99), ("forget05", 95), ("forget10", 90)])
def test_a_published_model_s_gold_was_trained_on_what_the_split_retains(split: str, retain: int):
    task = ForgetTask(name=f"tofu:{split}", forget=(), retain=())
    model = "open-unlearning/tofu_Llama-3.2-1B-Instruct"
    assert gold_for(f"{model}_full", task) == f"{model}_retain{retain}"


def test_there_is_no_gold_across_worlds_or_for_models_of_one_s_own():
    assert gold_for("pocket", TOFU_10) == ""
    assert gold_for("open-unlearning/tofu_Llama-3.2-1B-Instruct_full", load_task("invented-authors:forget10")) == ""
    assert gold_for("some/model", TOFU_10) == ""
    assert gold_for("locuslab/tofu_ft_llama2-7b", TOFU_10) == ""


def test_every_preset_is_found_under_its_own_name_and_every_hub_id_is_valid():
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert preset.sentence.endswith(".")
        if preset.source == "hub":
            assert preset.where == name
            for hub_id in (preset.where, *preset.golds.values()):
                validate_repo_id(hub_id)
        else:
            assert set(preset.golds.values()) <= set(PRESETS)
    for hub_id in (*TOKENIZERS_ELSEWHERE, *TOKENIZERS_ELSEWHERE.values()):
        validate_repo_id(hub_id)


def test_the_nearest_preset_comes_first():
    assert nearest_presets("pockt") == ["pocket"]
    assert set(nearest_presets("pocket-gold-forget1")) == {"pocket-gold-forget01", "pocket-gold-forget10"}
    assert nearest_presets("xyz") == []
