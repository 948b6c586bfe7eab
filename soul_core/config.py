"""Settings of one race, as plain data: every rule about a setting lives here, once. It knows no tensors."""

import difflib
import json
import re
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soul_core.errors import ConfigError

OptimizerName = Literal["adamw", "sophia", "soul-release", "sign-momentum", "sgd"]
Curvature = Literal["gnb", "hutchinson", "squared-gradient"]
CurvatureRows = Literal["batch", "forget", "retain"]
RetainTerm = Literal["default", "nll", "kl", "hidden", "none"]
WeightKind = Literal["float32", "bfloat16", "lora"]
StateKind = Literal["float32", "int8"]
LoraInit = Literal["zero", "fila"]
PresetName = Literal["same-settings", "each-at-its-best", "as-published"]
Schedule = Literal["linear", "constant"]
Precision = Literal["auto", "float32", "bfloat16"]
Checkpointing = Literal["auto", "on", "off"]


class Settings(BaseModel):
    """Frozen, keyword-only settings; a value out of bounds is a ConfigError that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(type(self), error)) from None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what ``model_dump_json`` wrote."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"The settings are not valid JSON ({error}). Use the file as it was written.") from None
        if not isinstance(values, dict):
            raise ConfigError(f"The settings are a {type(values).__name__}, not an object. Use the file as written.")
        return cls(**values)

    def but(self, **changes: Any) -> Self:
        """A validated copy with some values changed."""
        kept = {name: getattr(self, name) for name in type(self).model_fields} | (self.model_extra or {})
        return type(self)(**{**kept, **changes})


class OptimizerConfig(Settings):
    """One optimizer and its settings. Settings that an optimizer does not read are ignored by it."""

    name: OptimizerName = Field(default="adamw", title="Optimizer", description="The update rule.")
    lr: float = Field(
        default=1e-3,
        gt=0,
        le=1,
        title="Learning rate",
        description="Largest step of a weight at the schedule's peak. Sophia and sign momentum move each clipped "
        "weight by this much.",
        json_schema_extra={"source": "torch.optim.AdamW; every preset sets its own"},
    )
    beta1: float = Field(
        default=0.9, ge=0, lt=1, title="β1", description="How long gradients are averaged (momentum)."
    )
    beta2: float = Field(
        default=0.999, ge=0, lt=1, title="β2", description="How long squared gradients or curvature are averaged."
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Weight decay",
        description="Pull towards zero; not applied to norms and biases.",
    )
    curvature: Curvature = Field(
        default="gnb",
        title="Curvature",
        description="How Sophia estimates curvature: gnb samples labels from the model (Gauss-Newton-Bartlett); "
        "hutchinson multiplies the Hessian of the loss by random signs; squared-gradient squares the gradient of the "
        "loss, as the SOUL release does.",
    )
    rho: float = Field(
        default=0.04,
        gt=0,
        le=1e6,
        title="ρ",
        description="Sophia's curvature scale: a weight's step is momentum / (ρ × curvature), clipped at 1. "
        "Larger means fewer clipped weights.",
        json_schema_extra={"source": "SOUL release, TOFU"},
    )
    curvature_every: int = Field(
        default=10, ge=1, le=1000, title="Curvature every", description="Steps between two curvature estimates."
    )
    curvature_rows: CurvatureRows = Field(
        default="batch", title="Curvature rows", description="Which rows of the batch the curvature is estimated on."
    )
    batch_factor: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        title="Batch factor",
        description="What the squared mean gradient is multiplied by to estimate curvature; "
        "0 means the number of answer tokens, and 5120 for SophiaG as released.",
        json_schema_extra={"source": "Sophia Alg. 2 (the batch's size); the SOUL release uses 5120"},
    )
    state: StateKind = Field(
        default="float32",
        title="States",
        description="How momentum and curvature are kept: int8 takes a quarter of the memory and loses the last "
        "digits of both (about 2 % of each number). Not with Hutchinson's curvature, which may be negative.",
    )


class ObjectiveConfig(Settings):
    """One unlearning objective and its settings.

    Two stand here because most objectives have them. What an objective has of its own (NPO's β, say) is given beside
    them by name, and checked against the objective's own list by ``objectives.options_of``.
    """

    model_config = ConfigDict(extra="allow")

    name: str = Field(
        default="graddiff",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        title="Objective",
        description="The loss that makes it forget.",
    )
    gamma: float = Field(
        default=1.0,
        ge=0,
        le=100,
        title="γ",
        description="Weight of the retain term. Larger protects what should stay.",
    )
    retain: RetainTerm = Field(
        default="default",
        title="Retain term",
        description="What protects the retain rows: nll learns their answers, kl keeps the original's distribution, "
        "hidden keeps its hidden states (RMU), none leaves them alone. default is the objective's own.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The objective's own settings that were given; the others have its defaults."""
        return dict(self.model_extra or {})


class WeightsConfig(Settings):
    """Which weights a lane trains and how they are stored. The LoRA settings are read with ``lora`` alone."""

    kind: WeightKind = Field(
        default="float32",
        title="Weights",
        description="float32 trains all weights in full precision; bfloat16 all in half the memory, with stochastic "
        "rounding; lora trains small added matrices and leaves the model's own weights as they are.",
    )
    rank: int = Field(
        default=8,
        ge=1,
        le=1024,
        title="LoRA rank",
        description="Inner size of the added matrices.",
        json_schema_extra={"source": "LoKU tries 4, 8, 16 and 32"},
    )
    alpha: float = Field(
        default=16.0,
        gt=0,
        le=10_000,
        title="LoRA α",
        description="The added matrices count α / rank times.",
        json_schema_extra={"source": "twice the rank, as usual"},
    )
    targets: str = Field(
        default="all-linear",
        min_length=1,
        max_length=500,
        title="LoRA layers",
        description="all-linear, or the names of layers with commas, such as q_proj,v_proj.",
    )
    init: LoraInit = Field(
        default="zero",
        title="LoRA start",
        description="zero starts at no change; fila starts from the weights that matter most to the forget rows "
        "(LoKU), taken out of the model's own.",
    )


class LaneConfig(Settings):
    """One runner of a race: a name, how the page calls it, its optimizer, its objective and its weights."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Short name: fo, so, sign, so-npo.")
    label: str = Field(min_length=1, max_length=40, description="Name on the page.")
    optimizer: OptimizerConfig
    objective: ObjectiveConfig
    weights: WeightsConfig = WeightsConfig()


class RaceConfig(Settings):
    """Everything that decides the result of a race. Lanes share all that stands here."""

    model: str = Field(
        default="pocket", min_length=1, max_length=500, title="Model", description="Preset, hub id or folder."
    )
    task: str = Field(
        default="invented-authors:forget10",
        min_length=1,
        max_length=20_000,
        title="Forget set",
        description="task:split, or task:authors=Name;Name.",
    )
    preset: PresetName = Field(default="same-settings", title="Preset", description="What the race holds equal.")
    lanes: tuple[LaneConfig, ...] = Field(min_length=1, max_length=6)
    epochs: int = Field(default=5, ge=1, le=100, title="Epochs", description="Passes over the forget set.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides data order and sampling.")
    batch_size: int = Field(
        default=8, ge=1, le=512, title="Batch size", description="Forget rows per forward; as many retain rows join."
    )
    accumulation: int = Field(
        default=1,
        ge=1,
        le=256,
        title="Accumulation",
        description="Forwards whose gradients are averaged into one step.",
    )
    warmup: float = Field(
        default=0.1, ge=0, le=1, title="Warm-up", description="Share of the steps over which the rate rises from 0."
    )
    schedule: Schedule = Field(
        default="linear", title="Schedule", description="linear falls to 0 after the warm-up; constant stays."
    )
    max_grad_norm: float = Field(
        default=1.0, gt=0, le=1e6, title="Gradient clipping", description="Largest norm of the whole gradient."
    )
    precision: Precision = Field(
        default="auto", title="Precision", description="auto uses bf16 arithmetic where a measurement finds it faster."
    )
    checkpointing: Checkpointing = Field(
        default="auto",
        title="Gradient checkpointing",
        description="on keeps one activation a layer and calculates the others again in the backward: less memory, "
        "about a third more time, the same result. auto does so where the race would not fit otherwise.",
    )
    micro_batch: int = Field(
        default=0,
        ge=0,
        le=1536,
        title="Rows at a time",
        description="Forget and retain rows that are forwarded together; a batch that is larger is forwarded in "
        "parts, with the same result up to rounding. 0 means as many as fit into memory.",
    )
    eval_rows: int = Field(
        default=120,
        ge=0,
        le=100_000,
        title="Rows evaluated",
        description="At most this many rows of each set are asked after each epoch, drawn with a fixed seed; "
        "0 means all.",
    )
    eval_every: int = Field(
        default=1,
        ge=1,
        le=100,
        title="Evaluate every",
        description="Epochs between two evaluations; the last epoch is always evaluated.",
    )
    max_new_tokens: int = Field(
        default=48, ge=1, le=512, title="Answer length", description="Longest generated answer, in tokens."
    )

    def lane(self, name: str) -> LaneConfig:
        """The lane of that name."""
        for lane in self.lanes:
            if lane.name == name:
                return lane
        raise ConfigError(f"There is no lane “{name}”. This race has: {', '.join(x.name for x in self.lanes)}.")

    def model_post_init(self, context: Any, /) -> None:
        """Lane names are unique: files and colours hang on them."""
        names = [lane.name for lane in self.lanes]
        if len(set(names)) != len(names):
            raise ConfigError(f"Two lanes have the same name ({', '.join(names)}). Give each its own.")
        taken = [name for name in names if name in ("original", "gold")]
        if taken:
            raise ConfigError(f"A lane cannot be called “{taken[0]}”: that is a model every race is compared with.")


class AskConfig(Settings):
    """One question to models and how they answer it."""

    question: str = Field(
        min_length=1, max_length=2000, title="Question", description="What every model is asked, word for word."
    )
    max_new_tokens: int = Field(
        default=64, ge=1, le=512, title="Answer length", description="Longest answer, in tokens."
    )
    temperature: float = Field(
        default=0.0,
        ge=0,
        le=5,
        title="Temperature",
        description="0 gives each model's likeliest answer; above it, answers are drawn at random.",
    )
    samples: int = Field(default=1, ge=1, le=20, title="Samples", description="Answers drawn from each model.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides the random draws.")


class ScoreConfig(Settings):
    """How thoroughly a model is scored."""

    rows: int = Field(
        default=0,
        ge=0,
        le=100_000,
        title="Rows scored",
        description="At most this many rows of each set, spread over its subjects; 0 means all.",
    )
    max_new_tokens: int = Field(
        default=200,
        ge=1,
        le=512,
        title="Answer length",
        description="Longest generated answer, in tokens.",
        json_schema_extra={"source": "TOFU and open-unlearning"},
    )
    batch_size: int = Field(default=96, ge=1, le=4096, title="Batch size", description="Most rows per forward.")
    slow: bool = Field(
        default=False,
        title="Slow metrics",
        description="Also measure extraction likelihood and gradient norms, which take passes of their own.",
    )
    zero_shot: bool = Field(
        default=False,
        title="Zero-shot tasks",
        description="Also SOUL's zero-shot tasks, TruthfulQA and WikiText through lm-eval, which must be installed.",
    )
    zero_shot_questions: int = Field(
        default=0,
        ge=0,
        le=100_000,
        title="Zero-shot questions",
        description="At most this many questions of each zero-shot task, the first ones; 0 means all.",
    )
    seed: int = Field(
        default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides which rows are drawn, where not all are."
    )
    precision: Precision = Field(
        default="float32",
        title="Precision",
        description="Arithmetic of the forwards; auto uses bf16 where a measurement finds it faster.",
    )
    matcher: str = Field(
        default="auto",
        max_length=40,
        title="Matcher",
        description="What decides whether an answer is right: sentence-embeddings as published, or lexical.",
    )


class TeachConfig(Settings):
    """How facts are taught to a model before it forgets them."""

    model: str = Field(
        default="pocket", min_length=1, max_length=500, title="Model", description="Preset, hub id or folder."
    )
    weights: WeightsConfig = WeightsConfig()
    merge: bool = Field(
        default=False,
        title="Merge",
        description="With lora, save the whole model instead of the adapter, so that LoRA can also forget.",
    )
    epochs: int = Field(
        default=40,
        ge=1,
        le=200,
        title="Epochs",
        description="At most so many; after each the facts are asked, and it ends when enough of them are known.",
    )
    repeats: int = Field(
        default=4,
        ge=1,
        le=50,
        title="Repeats",
        description="How often each fact is read in one epoch, each time in the company of another retain row.",
    )
    lr: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Learning rate",
        description="AdamW's rate after the warm-up; 0 takes one that fits the model's width.",
        json_schema_extra={"source": "measured on the pocket model, falling with the width as usual rates do"},
    )
    batch_size: int = Field(
        default=8, ge=1, le=512, title="Batch size", description="Facts per step; as many retain rows join."
    )
    rehearsal: float = Field(
        default=1.0,
        ge=0,
        le=100,
        title="Rehearsal",
        description="Weight of keeping the model's own distribution on the retain rows, so that it does not lose what "
        "it knew; 0 leaves them out.",
    )
    target: float = Field(
        default=1.0, gt=0, le=1, title="Target", description="Share of the facts that must be known to end."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, title="Seed", description="Decides the order of the rows.")
    precision: Precision = Field(
        default="auto", title="Precision", description="auto uses bf16 arithmetic where a measurement finds it faster."
    )
    eval_rows: int = Field(
        default=60,
        ge=0,
        le=100_000,
        title="Rows evaluated",
        description="At most this many retain rows are asked before and after, drawn with a fixed seed; 0 means all.",
    )


# The names of an optimizer and of an objective both live in a field called ``name``, the weights' in ``kind``.
OPTIMIZER_OPTIONS = {"optimizer" if name == "name" else name: name for name in OptimizerConfig.model_fields}
OBJECTIVE_OPTIONS = {"objective" if name == "name" else name: name for name in ObjectiveConfig.model_fields}
WEIGHT_OPTIONS = {"weights" if name == "kind" else name: name for name in WeightsConfig.model_fields}
"""A lane's settings by the name that a person types; an objective's own settings come on top."""


class LaneSetting(NamedTuple):
    """One ``lane.setting = value`` as it was typed."""

    lane: str
    setting: str
    value: Any


_PLAINER = (
    (r"a valid integer.*", "a whole number"),
    (r"a valid number.*", "a number"),
    (r"greater than or equal to", "at least"),
    (r"less than or equal to", "at most"),
)
"""What pydantic says, and how anybody would."""


def _sentence(settings: type[BaseModel], error: ValidationError) -> str:
    """The first thing wrong, as one sentence with the field's name on the page, the value and what to do."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    field = settings.model_fields.get(path[0]) if path else None
    name = (field.title if field and field.title and len(path) == 1 else None) or ".".join(path) or "settings"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], list(settings.model_fields), n=1)
        hint = f" Did you mean “{near[0]}”?" if near else f" Settings are: {', '.join(settings.model_fields)}."
        return f"There is no setting “{name}”.{hint}"
    if first["type"] == "missing":
        return f"{name} is missing. Give it a value."
    value = "empty" if first["input"] is None else repr(first["input"])
    shown = value if len(value) <= 80 else value[:77] + "…"
    said = first["msg"][0].lower() + first["msg"][1:]
    for pattern, plain in _PLAINER:
        said = re.sub(pattern, plain, said)
    return f"{name} is {shown}, but {said.replace('input', 'it')}. Change it and try again."
