"""Form fields say what the settings say."""

import gradio as gr
import pytest
from pydantic import Field

from soul_core.config import AskConfig, ObjectiveConfig, OptimizerConfig, RaceConfig, Settings
from soul_core.ui.fields import bounds_of, choices_of, field_for, help_of, title_of


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        (RaceConfig, "epochs", "1 to 100"),  # ge=1, le=100
        (RaceConfig, "seed", "0 to 2,147,483,647"),  # 2**31 - 1, not rounded to 2.14748e+09
        (OptimizerConfig, "lr", "above 0 to 1"),  # gt=0, le=1
        (OptimizerConfig, "beta1", "0 and below 1"),  # ge=0, lt=1
        (RaceConfig, "precision", ""),  # a choice has no bounds
    ],
)
def test_bounds_are_those_of_the_field(settings, name, words):
    assert bounds_of(settings, name) == words


def test_help_joins_description_bounds_and_source():
    said = help_of(OptimizerConfig, "rho")
    assert said.startswith("Sophia's curvature scale")
    assert said.endswith("Above 0 to 1,000,000. Default: SOUL release, TOFU.")


def test_title_falls_back_to_the_name():
    assert title_of(ObjectiveConfig, "gamma") == "γ"


def test_a_literal_becomes_a_dropdown_with_its_words_and_a_number_does_not():
    assert choices_of(OptimizerConfig, "curvature") == ("gnb", "hutchinson", "squared-gradient")
    assert choices_of(OptimizerConfig, "lr") == ()
    dropdown = field_for(OptimizerConfig, "curvature")
    assert [value for _, value in dropdown.choices] == ["gnb", "hutchinson", "squared-gradient"]
    assert dropdown.value == "gnb"


def test_the_box_takes_the_field_default_and_a_step_of_its_size():
    box = field_for(OptimizerConfig, "lr", value=3e-4)
    assert box.value == 3e-4
    assert box.step == pytest.approx(1e-4)  # 10 ** floor(log10(3e-4))
    assert field_for(AskConfig, "temperature").value == 0.0


def test_the_box_leaves_bounds_to_the_settings_whose_sentence_names_the_field():
    box = field_for(RaceConfig, "epochs")
    assert box.preprocess(0) == 0  # Gradio's own check would raise “Value 0 is less than minimum value 1.”


class Further(Settings):
    """What a person's own objective may have."""

    layers: str = Field(default="all", title="Layers")
    loud: bool = Field(default=True, title="Loud")


def test_words_and_yes_or_no_have_fields_of_their_own():
    assert isinstance(field_for(Further, "layers"), gr.Textbox)
    assert isinstance(field_for(Further, "loud", visible=False), gr.Checkbox)
    assert not field_for(Further, "loud", visible=False).visible


def test_the_page_may_have_its_own_words_for_a_choice():
    field = field_for(ObjectiveConfig, "retain", value="kl", choices=[("NLL", "nll"), ("KL", "kl")], info="Protects.")
    assert (field.choices, field.value, field.info) == ([("NLL", "nll"), ("KL", "kl")], "kl", "Protects.")
