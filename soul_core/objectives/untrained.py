"""Methods without a loss: two that only write a prompt and one that computes a single step. It knows what can be set
about them and what a person reads; ``session`` carries them out."""

from typing import Literal

from pydantic import Field

from soul_core.config import Settings
from soul_core.objectives.entry import Objective


class InputBasedSettings(Settings):
    """Of the instruction that stands before every question."""

    max_subjects: int = Field(
        default=40,
        ge=1,
        le=200,
        title="Names in the prompt",
        description="At most this many of the subjects to be forgotten are named; more make every prompt longer.",
        json_schema_extra={"source": "ours; the SOUL release names 20 authors"},
    )


class IculSettings(Settings):
    """Of the examples that stand before every question."""

    wrong_shots: int = Field(
        default=4,
        ge=1,
        le=32,
        title="Wrong examples",
        description="Forget questions with wrong answers that are shown before each question.",
        json_schema_extra={"source": "ours; the paper varies the length of the context"},
    )
    right_shots: int = Field(
        default=2,
        ge=0,
        le=32,
        title="Right examples",
        description="Retain questions with their true answers that are shown after the wrong ones.",
        json_schema_extra={"source": "ours; the paper varies the length of the context"},
    )
    shots_as: Literal["turns", "system"] = Field(
        default="turns",
        title="Examples as",
        description="turns puts the examples as earlier questions and answers of the conversation, system as one text "
        "in front of it; a model without a chat template reads both alike.",
        json_schema_extra={"source": "ours: turns are the form that a chat model was trained on"},
    )


class InfluenceSettings(Settings):
    """Of the one step."""

    solver: Literal["diagonal", "cg"] = Field(
        default="diagonal",
        title="Solver",
        description="diagonal divides by each weight's own curvature; cg solves with the whole curvature matrix by "
        "conjugate gradients, at a forward and a backward for each iteration and batch.",
        json_schema_extra={"source": "ours; Koh and Liang describe conjugate gradients"},
    )
    damping: float = Field(
        default=1e-3,
        gt=0,
        le=1e6,
        title="Damping",
        description="Added to the curvature of every weight, as a share of the mean over all weights, so that flat "
        "directions do not run away.",
        json_schema_extra={"source": "ours"},
    )
    iterations: int = Field(
        default=20,
        ge=1,
        le=1000,
        title="Iterations",
        description="Of the conjugate gradients at most; diagonal does not read it.",
        json_schema_extra={"source": "ours"},
    )
    curvature_batches: int = Field(
        default=8,
        ge=1,
        le=10_000,
        title="Curvature batches",
        description="How many batches of the retain set the curvature is estimated on.",
        json_schema_extra={"source": "ours"},
    )
    retain_rise: float = Field(
        default=0.05,
        ge=0,
        le=100,
        title="Retain rise",
        description="The step is made as long as it can be while the retain loss rises by no more than this, in nats "
        "per token.",
        json_schema_extra={"source": "ours"},
    )

    def passes(self, batches: int) -> float:
        """About how many training steps the calculation costs, for a forget set of so many batches.

        The gradient, the curvature and a dozen scales tried, each of which only reads; a product with the curvature
        matrix costs three steps.
        """
        curvature = min(self.curvature_batches, batches)
        solving = 3.0 * self.iterations * curvature if self.solver == "cg" else curvature
        return batches + solving + 12 * 0.5 * curvature


INPUT_BASED = Objective(
    name="input-based",
    label="Input-based",
    idea="prompt",
    sentence="Ask the model, before every question, to say nothing about what it should forget; no weight changes.",
    formula=r"\pi_\theta(\,\cdot \mid \text{instruction},\, x)",
    paper="Thaker et al. 2024, arXiv:2403.03329",
    kind="prompt",
    retains=("none",),
    needs_too=("a model that follows instructions", "the subjects' names, or the forget questions"),
    own_settings=InputBasedSettings,
)
ICUL = Objective(
    name="icul",
    label="ICUL",
    idea="prompt",
    sentence="Show the model wrong answers to forget questions before every question; no weight changes.",
    formula=r"\pi_\theta(\,\cdot \mid (x_f, \tilde{y}_f)_{1 \ldots k},\, (x_r, y_r)_{1 \ldots m},\, x)",
    paper="Pawelczyk et al. 2023, arXiv:2310.07579",
    kind="prompt",
    retains=("none",),
    needs_too=("a model that follows examples", "wrong answers to the forget questions, and retain rows"),
    own_settings=IculSettings,
)
INFLUENCE = Objective(
    name="influence",
    label="Influence",
    idea="influence",
    sentence="Estimate what the weights would be had the forget rows never been learnt, and go there in one step.",
    formula=r"\theta \leftarrow \theta + \eta\,(H_r + \lambda I)^{-1}\,\nabla_\theta"
    r"\frac{1}{|y_f|}\sum_t \ell_t(y_f)",
    paper="Izzo et al. 2020, arXiv:2002.10077; Koh and Liang 2017, arXiv:1703.04730",
    kind="one-shot",
    retains=("none",),
    needs_too=("retain rows, for the curvature and the length of the step",),
    own_settings=InfluenceSettings,
)
