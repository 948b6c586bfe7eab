"""A race's settings as an address and as Python: there and back exactly, and whatever an address may hold."""

import json
import random
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from soul_core.cli.main import parsed
from soul_core.cli.race import config_of
from soul_core.config import LaneSetting, ObjectiveConfig, RaceConfig
from soul_core.errors import ConfigError
from soul_core.events import EpochReport
from soul_core.session.address import MAX_TROUBLES
from soul_core.session.changes import changed_lanes
from soul_core.session.command import command_of
from soul_core.session.methods import lane_of
from soul_core.session.presets import lanes_for
from soul_core.session.share import config_from_query, python_of, query_of
from tests.session.tiny_race import tiny_config, tiny_task, use_task

USUAL = RaceConfig(lanes=lanes_for("same-settings", "graddiff"))


def read(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def changed(*changes: tuple[str, str, object], methods: str = "", preset: str = "same-settings", **values: object):
    lanes = [lane_of(name, preset) for name in methods.split(",")] if methods else lanes_for(preset, "graddiff")
    lanes = changed_lanes(lanes, {}, [LaneSetting(*change) for change in changes])
    return RaceConfig(preset=preset, lanes=lanes, **values)


RACES = {
    "as it stands": USUAL,
    "numbers": changed(("so", "rho", 0.1 + 0.2), ("fo", "lr", 1e-05), epochs=2, warmup=1 / 3, seed=2**31 - 1),
    "the control alone": RaceConfig(lanes=(lanes_for("as-published", "po", control=True)[2],), preset="as-published"),
    "so before fo": RaceConfig(lanes=lanes_for("same-settings", "npo")[::-1]),
    "methods": changed(
        ("so-npo", "beta", 0.25), ("mine", "rank", 4), methods="so-npo,mine=fo-graddiff-lora,influence-cg,icul"
    ),
    "bf16 and hutchinson": changed(("so", "curvature", "hutchinson"), ("so", "weights", "bfloat16")),
    "a task with signs in it": changed(task="tofu:forget10#subjects=Basil M & Sons;Ünal=Yıldız, 50%", model="a/b-c.d"),
    "labels": USUAL.but(lanes=tuple(lane.but(label=f"{lane.label} & ü=1") for lane in USUAL.lanes)),
}


@pytest.mark.parametrize("config", RACES.values(), ids=RACES)
def test_an_address_sets_up_exactly_the_race_that_it_was_made_of(config: RaceConfig):
    setup = config_from_query(read(query_of(config, question="Who? a=b&c#d", extra={"lesson": "gold", "hide": ""})))
    assert setup.config == config
    assert (setup.question, setup.lesson, setup.hide, setup.troubles) == ("Who? a=b&c#d", "gold", (), ())


@pytest.mark.parametrize("config", [config for name, config in RACES.items() if name != "labels"])
def test_the_address_says_what_the_command_says(config: RaceConfig):
    assert config_of(parsed(shlex.split(command_of(config))[3:])) == config_from_query(read(query_of(config))).config


@pytest.mark.parametrize("config", RACES.values(), ids=RACES)
def test_the_python_makes_exactly_the_race_that_it_was_made_of(config: RaceConfig):
    source = python_of(config)
    names: dict[str, object] = {}
    exec(source[: source.index("folder = ")], names)  # noqa: S102
    assert names["config"] == config


@pytest.mark.slow
def test_the_python_runs(
    tiny_model_folder: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    use_task(monkeypatch, tiny_task())
    monkeypatch.chdir(tmp_path)
    exec(python_of(tiny_config(tiny_model_folder("llama"), epochs=1)), {})  # noqa: S102
    said = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in said[:-1]} == {"original", "fo", "so"}
    assert Path(said[-1]).is_file()
    assert EpochReport.__name__ in python_of(USUAL)


def test_the_address_of_the_usual_race_is_short():
    assert query_of(USUAL) == (
        "model=pocket&task=invented-authors:forget10&preset=same-settings&epochs=5&seed=0&objective=graddiff"
    )


def test_an_empty_address_is_the_usual_race():
    assert config_from_query({}).config == USUAL
    assert config_from_query({"__theme": "dark", "run": "x", "view": "y"}).troubles == ()


def test_a_setting_without_a_lane_holds_for_every_lane_that_has_it():
    setup = config_from_query({"methods": "fo-npo,so-graddiff", "beta": "0.2", "gamma": "3", "batch_size": "4"})
    npo, graddiff = (lane.objective for lane in setup.config.lanes)
    assert (npo.options["beta"], npo.gamma, graddiff.gamma, graddiff.options) == (0.2, 3.0, 3.0, {})
    assert (setup.config.batch_size, setup.troubles) == (4, ())


def test_weights_without_a_lane_take_the_presets_rate_for_those_weights():
    lanes = lanes_for("same-settings", "graddiff", weights=lane_of("fo-graddiff-lora", "same-settings").weights)
    assert config_from_query({"weights": "lora"}).config.lanes == lanes


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"epochs": "900"},
            "“epochs=900” in the address cannot be used: epochs is '900', but it should be at most 100; "
            "5 is used instead.",
        ),
        ({"preset": "fastest"}, "same-settings is used instead."),
        ({"objective": "npoo"}, "there is no objective “npoo”; graddiff is used instead."),
        ({"objective": "icul"}, "ICUL has no FO and SO; graddiff is used instead."),
        ({"lanes": "fo,turbo"}, "There is no lane “turbo”, as the address has it; fo run."),
        ({"methods": "so-nothing"}, "The address names no method that can run; FO and SO with GradDiff are used"),
        ({"so.rho": "-1"}, "ρ is '-1', but it should be greater than 0; the usual value is used instead."),
        ({"so.rhoo": "1"}, "a lane has no setting “rhoo”"),
        ({"xo.rho": "1"}, "xo.rho names no lane of this race"),
        ({"fo.init": "fila"}, "FO starts with FILA, which is a start of LoRA; the usual value is used instead."),
        ({"nix": "1"}, "There is no setting “nix”, as the address has it; it is left out."),
        ({"model": "a\x00b"}, "model in the address holds characters that cannot be typed"),
        ({"model": "\ud800"}, "model in the address holds characters that cannot be typed"),
        ({"model": "x" * 501}, "model in the address has 501 characters, and at most 500 are read"),
        ({"question": "x" * 2001}, "The question in the address has 2001 characters; at most 2000 can be asked."),
        ({"lesson": "../../etc"}, "“../../etc” in the address is no lesson; none is opened."),
        ({"hide": "advanced,<b>"}, "“<b>” in the address is no part of the page; it is not hidden."),
        ({"seed": ""}, "seed in the address is empty; the usual value is used."),
        ({"epochs": 3}, "“epochs” in the address is no text; it is left out."),
        ({"fo.label": "x" * 41}, "the usual name is used instead."),
    ],
)
def test_nonsense_is_left_out_with_one_sentence_that_shows_it(params: dict[str, str], said: str):
    setup = config_from_query(params)
    assert len([trouble for trouble in setup.troubles if said in trouble]) == 1
    assert setup.config == (USUAL if "lanes" not in params else USUAL.but(lanes=USUAL.lanes[:1]))


def test_what_is_right_stays_beside_what_is_wrong():
    setup = config_from_query({"epochs": "nine", "seed": "7", "so.rho": "0.5", "so.lr": "fast", "hide": "advanced,!"})
    assert (setup.config.epochs, setup.config.seed, setup.config.lane("so").optimizer.rho) == (5, 7, 0.5)
    assert setup.config.lane("so").optimizer.lr == USUAL.lane("so").optimizer.lr
    assert setup.hide == ("advanced",)
    assert len(setup.troubles) == 3


def test_settings_that_only_go_together_are_taken_together():
    setup = config_from_query({"fo.init": "fila", "fo.weights": "lora"})
    assert (setup.config.lane("fo").weights.init, setup.troubles) == ("fila", ())


def test_a_setting_that_comes_with_an_objective_may_stand_before_it():
    setup = config_from_query({"so.beta": "0.2", "so.rank": "4", "so.objective": "npo", "so.weights": "lora"})
    so = setup.config.lane("so")
    assert (so.objective.name, so.objective.options["beta"], so.weights.rank) == ("npo", 0.2, 4)
    assert setup.troubles == ()


def test_of_settings_that_conflict_the_others_stay():
    setup = config_from_query({"fo.init": "fila", "fo.lr": "0.5"})
    assert (setup.config.lane("fo").weights.init, setup.config.lane("fo").optimizer.lr) == ("zero", 0.5)


def test_many_troubles_are_summed_up():
    setup = config_from_query({f"nix{i}": "1" for i in range(150)})
    assert len(setup.troubles) == MAX_TROUBLES + 1
    assert setup.troubles[-1] == f"{150 - MAX_TROUBLES} more parts of the address were left out as well."
    assert max(len(trouble) for trouble in setup.troubles) < 500


def test_no_address_whatever_raises_and_every_answer_is_a_race_with_short_sentences():
    draw = random.Random(5)
    keys = [
        *RaceConfig.model_fields,
        *read(query_of(RACES["methods"])),
        "so.rho",
        "fo.init",
        "weights",
        "beta",
        "hide",
    ]
    keys += ["question", "lesson", "fo.label", "", ".", "a.b.c", "--x", "so.", ".rho", "objective", "lanes", "methods"]
    values = [
        "",
        "0",
        "-1",
        "nan",
        "inf",
        "1e999",
        "9" * 5000,
        "true",
        "None",
        "[]",
        "{}",
        "fila",
        "lora",
        "gnb",
        "a,b",
    ]
    values += [
        ",,,",
        "fo,so,sign",
        "so-npo,so-npo",
        "original=fo-npo",
        "=",
        "x=y=z",
        "<script>",
        "\x00",
        "\ud800",
        "é" * 600,
    ]
    values += ["loku,icul,influence", "so-npo-lora", "../..", "/etc/passwd", "'; DROP", "%00", "tofu:forget10"]
    for _ in range(300):
        params = {draw.choice(keys): draw.choice(values) for _ in range(draw.randrange(8))}
        setup = config_from_query(params)
        assert setup.config.lanes, params
        assert all(0 < len(trouble) < 700 and trouble.endswith(".") for trouble in setup.troubles), params
        json.dumps(setup.troubles).encode()
        "".join(setup.troubles).encode()


def test_a_race_with_an_objective_that_is_not_loaded_has_no_address():
    gone = tuple(lane.but(objective=ObjectiveConfig(name="gone")) for lane in USUAL.lanes)
    with pytest.raises(ConfigError, match="There is no objective “gone”"):
        query_of(USUAL.but(lanes=gone))
