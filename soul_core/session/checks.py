"""Settings that cannot work together, told before anything runs. It loads no weights and runs nothing."""

from soul_core.config import LaneConfig, RaceConfig
from soul_core.data.schema import ForgetTask
from soul_core.errors import ConfigError
from soul_core.models.layers import chosen_layers
from soul_core.models.loading import LoadedModel
from soul_core.objectives import find_objective, needs_of, options_of
from soul_core.optim import check_optimizer
from soul_core.session.prompted import PromptLane
from soul_core.session.references import layer_of


def check_race(config: RaceConfig) -> None:
    """What can be told from the settings alone.

    Raises:
        ConfigError: A lane's settings are out of bounds or do not go together.
    """
    for lane in config.lanes:
        options_of(lane.objective)
        needs_of(lane.objective)
        _check_kind(lane)


def check_against(config: RaceConfig, task: ForgetTask, original: LoadedModel) -> None:
    """What can be told once the model is there.

    Raises:
        ConfigError: A lane wants layers that the model does not have, or a LoRA rank that is larger than a layer.
        ModelError: A lane's prompt is too long for the model.
    """
    if original.template.context is not None:
        raise ConfigError(
            f"“{original.name}” is a prompt put to “{original.base}”, and a race would train its weights alone. "
            f"Choose “{original.base}” as the model."
        )
    for lane in config.lanes:
        kind = find_objective(lane.objective.name).kind
        if kind == "prompt":
            PromptLane(lane, config, task, original)
        if kind != "trained":
            continue
        if needs_of(lane.objective).hidden:
            layer_of(lane.objective, original)
        if lane.weights.kind == "lora" and original.base:
            raise ConfigError(
                f"“{original.name}” is an adapter on “{original.base}”, and {lane.label} cannot put a second one "
                f"on top. Choose “{original.base}” as the model, or train all weights."
            )
        if lane.weights.kind == "lora":
            chosen_layers(original.model, lane.weights.targets, rank=lane.weights.rank)


def _check_kind(lane: LaneConfig) -> None:
    objective = find_objective(lane.objective.name)
    if objective.kind == "trained":
        check_optimizer(lane.optimizer)
        if lane.weights.init == "fila" and lane.weights.kind != "lora":
            raise ConfigError(f"{lane.label} starts with FILA, which is a start of LoRA. Set weights to lora.")
        return
    if lane.weights.kind != "float32":
        why = "changes no weights" if objective.kind == "prompt" else "takes one step of all weights"
        raise ConfigError(f"{objective.label} {why}, so it cannot have {lane.weights.kind} weights. Use float32.")
