import annotated_types
import pytest
from fixed_tokens import OPTIONS, case

from soul_core.config import ObjectiveConfig
from soul_core.errors import ConfigError
from soul_core.objectives import OBJECTIVES, Criterion, options_of

SETTINGS = [(name, setting) for name, objective in OBJECTIVES.items() for setting in objective.fields]
TRAINED = [(name, setting) for name, setting in SETTINGS if OBJECTIVES[name].forget and setting != "layer"]


def bounds(name, setting):
    """The values just outside of what is allowed, and the outermost that are."""
    outside, inside = [], []
    step = 1 if OBJECTIVES[name].fields[setting].annotation is int else 1e-6
    for rule in OBJECTIVES[name].fields[setting].metadata:
        match rule:
            case annotated_types.Gt(gt=least):
                outside.append(least)
                inside.append(least + step)
            case annotated_types.Ge(ge=least):
                outside.append(least - step)
                inside.append(least)
            case annotated_types.Le(le=most):
                outside.append(most + step)
                inside.append(most)
    return outside, inside


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_every_setting_has_a_title_a_description_and_the_source_of_its_default(name, setting):
    field = OBJECTIVES[name].fields[setting]
    assert field.title and field.title[0] != " "
    assert field.description and field.description.endswith(".")
    assert field.json_schema_extra["source"]
    assert options_of(ObjectiveConfig(name=name))[setting] == field.default


WORDS = (("influence", "solver"), ("icul", "shots_as"))


@pytest.mark.parametrize(("name", "setting"), [pair for pair in SETTINGS if pair not in WORDS])
def test_a_value_out_of_bounds_is_a_sentence_with_the_settings_title_and_the_value(name, setting):
    outside, inside = bounds(name, setting)
    assert len(outside) == 2, "every number is bounded on both sides"
    for value in inside:
        assert options_of(ObjectiveConfig(name=name, **{setting: value}))[setting] == value
    title = OBJECTIVES[name].fields[setting].title
    for value in outside:
        with pytest.raises(ConfigError) as told:
            options_of(ObjectiveConfig(name=name, **{setting: value}))
        assert str(told.value).startswith(f"{title} is {value!r}, but it should be ")


def test_a_solver_that_does_not_exist_is_a_sentence():
    with pytest.raises(ConfigError, match="Solver is 'newton', but it should be 'diagonal' or 'cg'"):
        options_of(ObjectiveConfig(name="influence", solver="newton"))


def test_a_setting_of_another_objective_is_not_taken():
    with pytest.raises(ConfigError, match="There is no setting “beta”"):
        options_of(ObjectiveConfig(name="graddiff", beta=0.1))
    with pytest.raises(ConfigError, match=r"There is no setting “steerng”\. Did you mean “steering”\?"):
        options_of(ObjectiveConfig(name="rmu", steerng=0.1))


@pytest.mark.parametrize(("name", "setting"), TRAINED)
def test_every_setting_changes_the_loss(name, setting):
    def total_after_a_step(**options):
        criterion = Criterion(ObjectiveConfig(name=name, **{**OPTIONS.get(name, {}), **options}))
        criterion.stepped(3.0)
        return criterion(case().likelihoods).total.item()

    usual = OPTIONS.get(name, {}).get(setting, OBJECTIVES[name].fields[setting].default)
    other = 0 if isinstance(usual, int) else usual + 0.25
    assert total_after_a_step(**{setting: other}) != pytest.approx(total_after_a_step(), rel=1e-3)


def test_the_settings_are_these():
    found = {name: tuple(objective.fields) for name, objective in OBJECTIVES.items() if objective.fields}
    assert found == {
        "wga": ("beta",),
        "satimp": ("saturation", "importance"),
        "npo": ("beta",),
        "simnpo": ("beta", "delta"),
        "dpo": ("beta",),
        "undial": ("beta",),
        "ceu": ("spared",),
        "pdu": ("budget", "dual_rate"),
        "rmu": ("steering", "layer"),
        "input-based": ("max_subjects",),
        "icul": ("wrong_shots", "right_shots", "shots_as"),
        "influence": ("solver", "damping", "iterations", "curvature_batches", "retain_rise"),
    }
