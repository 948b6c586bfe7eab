"""Whether a race fits, how it is made to fit, and what is offered where it does not: from shapes alone."""

import pytest
import torch

from soul_core.config import LaneConfig, RaceConfig, WeightsConfig
from soul_core.errors import ConfigError, RunError
from soul_core.models import device as device_module
from soul_core.models.layers import LayerSize
from soul_core.models.memory import Forwarded, ModelShape
from soul_core.session import room
from soul_core.session.needed import WHOLE, Fit, Load, keeps_int8, needed_bytes, process_bytes
from soul_core.session.room import fits, require_room
from tests.session.tiny_race import tiny_config, tiny_lane

CPU = torch.device("cpu")
LAYERS = tuple(LayerSize(f"layers.{i}.q_proj", 1000, 1000) for i in range(10))
SHAPE = ModelShape(
    parameters=20_000_000, hidden=1000, inner=2000, layers=10, vocabulary=1000, cached=100, linear=LAYERS
)
LOAD = Load(batch=Forwarded(rows=16, tokens=1600, answers=800), asked_rows=10, asked_tokens=50, decode_steps=20)
MB = 1_000_000
# Of a step, by hand: 10 layers of 10 * 1000 + 4 * 2000 floats for each of 1600 tokens; 3 times the logits of 800
# answer tokens, since GradDiff reads likelihoods alone.
ACTIVATIONS, LOGITS = 4 * 1600 * 10 * 18_000, 3 * 4 * 800 * 1000
CHECKPOINTED = 4 * 1600 * (10 * 1000 + 18_000)
MODEL, ASKING = 4 * 20 * MB, 2 * 4 * 10 * 50 * 10 * 100


def race_of(*lanes: LaneConfig, **changes: object) -> RaceConfig:
    return tiny_config("pocket", lanes=lanes or (tiny_lane("fo"), tiny_lane("so")), batch_size=8, **changes)


def needed(config: RaceConfig, fit: Fit = WHOLE) -> int:
    return needed_bytes(config, SHAPE, gold=False, load=LOAD, fit=fit)


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch):
    """Set what the device has, in bytes."""
    return lambda amount: monkeypatch.setattr(room, "available_bytes", lambda _: float(amount))


def plan(config: RaceConfig):
    return require_room(config, SHAPE, CPU, gold=False, load=LOAD)


def refusal(config: RaceConfig) -> str:
    with pytest.raises(RunError) as error:
        plan(config)
    return str(error.value)


def test_a_race_by_hand():
    # The original, two lanes of weights and 2 states; of the lanes' steps, which take turns, one: gradient,
    # activations, logits.
    step = MODEL + ACTIVATIONS + LOGITS
    assert needed(race_of()) == MODEL + 2 * 3 * MODEL + step + ASKING
    # With a single epoch a lane gives up its states before the next has any.
    assert needed(race_of(epochs=1)) == MODEL + 2 * MODEL + 2 * MODEL + step + ASKING
    with_gold = needed_bytes(race_of(), SHAPE, gold=True, load=LOAD)
    assert with_gold == needed(race_of()) + MODEL
    assert needed(race_of(tiny_lane("fo"))) == MODEL + 3 * MODEL + step + ASKING


def test_checkpointing_and_parts_shrink_what_a_step_keeps_and_nothing_else():
    config = race_of()
    assert needed(config) - needed(config, Fit(True, 0)) == ACTIVATIONS - CHECKPOINTED
    # A quarter of the rows: a quarter of activations and logits.
    assert needed(config) - needed(config, Fit(False, 4)) == (ACTIVATIONS + LOGITS) * 3 // 4


def test_what_an_objective_reads_of_the_whole_batch_is_not_made_smaller_by_parts():
    # KL compares 4 + 2 tensors of the batch's logits, whatever is forwarded at a time.
    config = race_of(tiny_lane("fo", objective="ga-kl"))
    saved = needed(config) - needed(config, Fit(False, 4))
    assert saved == ACTIVATIONS * 3 // 4


def test_curvature_needs_room_of_its_own():
    gnb, squared, hutchinson = (
        needed(race_of(tiny_lane("so", curvature=name))) for name in ("gnb", "squared-gradient", "hutchinson")
    )
    assert squared == gnb  # squared as it is folded in, nothing is written beside the gradient
    assert hutchinson - gnb == 2 * MODEL + ACTIVATIONS


def test_int8_states_take_a_byte_a_number_and_a_scale_for_256():
    small = needed(race_of(tiny_lane("so", state="int8")))
    assert needed(race_of(tiny_lane("so"))) - small == 2 * MODEL - 2 * 20 * MB * (1 + 4 / 256)


def test_the_process_counts_where_it_shares_the_memory():
    assert process_bytes(race_of(), CPU, LOAD, bf16=False) == 660 << 20
    assert process_bytes(race_of(), CPU, LOAD, bf16=True) > 660 << 20
    assert process_bytes(race_of(), torch.device("meta"), LOAD, bf16=True) == 0


def test_the_order_in_which_it_is_made_to_fit():
    # 12 rows: whole, checkpointing, then half of the rows again and again.
    tried = [(False, 0), (True, 0), (True, 6), (True, 3), (True, 2), (True, 1)]
    assert list(fits(race_of(), 12)) == [Fit(*each) for each in tried]
    assert list(fits(race_of(checkpointing="on"), 4)) == [Fit(True, 0), Fit(True, 2), Fit(True, 1)]
    assert list(fits(race_of(checkpointing="off"), 4)) == [Fit(False, 0), Fit(False, 2), Fit(False, 1)]
    # What a person sets stays as it is.
    assert list(fits(race_of(micro_batch=3, checkpointing="off"), 16)) == [Fit(False, 3)]
    assert list(fits(race_of(micro_batch=16), 16)) == [Fit(False, 0), Fit(True, 0)]


def test_nothing_is_chosen_where_all_fits_and_nothing_is_said(has):
    has(needed(race_of()))
    found = plan(race_of())
    assert (found.fit, found.notes) == (WHOLE, ())
    done = found.applied(race_of())
    assert (done.checkpointing, done.micro_batch) == ("off", 0)


def test_first_checkpointing_then_fewer_rows(has):
    config = race_of()
    has(needed(config) - 1)
    found = plan(config)
    assert found.fit == Fit(True, 0)
    assert found.notes == (
        f"Gradient checkpointing: without it the race would need about {needed(config) / 1e9:.1f} GB of memory, and "
        f"there are {(needed(config) - 1) / 1e9:.1f}.",
    )
    assert found.applied(config).checkpointing == "on"
    has(needed(config, Fit(True, 4)))
    found = plan(config)
    assert found.fit == Fit(True, 4)
    assert found.notes[0].startswith("Gradient checkpointing and 4 rows at a time: without it")
    assert found.applied(config).micro_batch == 4


def test_what_is_set_is_said_to_be_set(has):
    has(1e12)
    assert plan(race_of(checkpointing="on", micro_batch=1)).notes == (
        "Gradient checkpointing and 1 row at a time: as set.",
    )


def test_a_race_that_would_fit_without_what_is_set_is_told_so(has):
    config = race_of(checkpointing="off", micro_batch=16)
    fit = Fit(True, 4)
    has(needed(config, fit))
    said = refusal(config)
    assert said.startswith(f"This race needs about {needed(config) / 1e9:.1f} GB of memory, and cpu has ")
    assert (
        f"It would fit with gradient checkpointing and 4 rows at a time ({needed(config, fit) / 1e9:.1f} GB)" in said
    )


def test_smaller_weights_are_offered_nearest_first(has):
    config = race_of()
    bf16 = tuple(lane.but(weights=WeightsConfig(kind="bfloat16")) for lane in config.lanes)
    small = needed(config.but(lanes=bf16), Fit(True, 1))
    has(small)
    said = refusal(config)
    assert "even with gradient checkpointing and 1 row at a time" in said
    order = [said.index(words) for words in ("bf16 weights and stochastic rounding", "LoRA", "FO alone")]
    assert order == sorted(order)
    assert (
        f"with bf16 weights and stochastic rounding, gradient checkpointing and 1 row at a time ({small / 1e9:.1f}"
        in said
    )
    # A byte less, and bf16 is not offered any more.
    has(small - 1)
    assert "bf16" not in refusal(config) and "LoRA" in refusal(config)


def test_where_nothing_fits_a_smaller_model_is_named(has):
    # LoRA itself needs the original's 80 MB.
    has(30 * MB)
    said = refusal(race_of())
    assert "No settings make it fit, not even with LoRA: choose a model of at most " in said
    most = 30 * MB / (needed(race_of(), Fit(True, 1)) / SHAPE.parameters)
    assert f"at most {most / 1e6:.1f} million parameters." in said  # the pocket model has 4 million: too many
    has(200 * MB)
    lora = tiny_lane("fo").but(weights=WeightsConfig(kind="lora"))
    big = ModelShape(parameters=60 * MB, hidden=1000, inner=2000, layers=10, vocabulary=1000, linear=LAYERS)
    with pytest.raises(RunError, match=r"No settings make it fit: .* such as Pocket") as error:
        require_room(race_of(lora), big, CPU, gold=False, load=LOAD)
    assert "not even" not in str(error.value)


def test_bf16_weights_on_a_device_without_bf16_are_refused_with_what_works(has, monkeypatch):
    has(1e12)
    monkeypatch.setattr(device_module, "has_bf16", lambda _: False)
    plan(race_of())
    lane = tiny_lane("fo").but(weights=WeightsConfig(kind="bfloat16"))
    with pytest.raises(ConfigError, match=r"Weights are bfloat16, which .* Choose float32 or lora\."):
        plan(race_of(lane))


def test_int8_counts_for_optimizers_that_read_it_alone():
    adamw, sophia = tiny_lane("fo", state="int8"), tiny_lane("so", state="int8")
    assert needed(race_of(adamw)) == needed(race_of(tiny_lane("fo")))
    assert needed(race_of(sophia)) < needed(race_of(tiny_lane("so")))
    assert not keeps_int8(adamw.optimizer) and keeps_int8(sophia.optimizer)
