"""Every term of the page in one plain sentence, and what the registries say of themselves. It knows no component."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from soul_core.evaluation.all_metrics import METRICS
from soul_core.objectives import OBJECTIVES, RETAINS
from soul_core.session.catalogue import optimizers

TERMS: dict[str, str] = {
    "Acc": "Share of questions whose generated answer is nearer to the right answer than to every wrong one.",
    "Forget": "The rows that should be forgotten: lower is better, down to what gold scores.",
    "Retain": "A fixed sample of the rows that should stay: higher is better.",
    "95 %": "Where the accuracy of all rows lies with 95 % confidence, given how many were asked (Wilson).",
    "ROUGE-L": "Share of the right answer's words that the generated answer repeats in the same order (recall).",
    "Probability": "How likely the model finds the right answer, per token: the mean of exp(-loss).",
    "Real / world": "Accuracy on real authors and on world facts, asked after the last epoch: it should not suffer.",
    "Clip share": "Share of weights whose step was cut to the largest size; near 100 % Sophia is sign momentum.",
    "Grad norm": "Length of the last step's gradient before it is clipped.",
    "Seconds": "Time spent on this lane's optimizer steps.",
    "FO": "First order: AdamW, which sees the gradient alone.",
    "SO": "Second order: Sophia, which divides by an estimate of the curvature.",
    "Sign": "Sign momentum: Sophia without curvature, as a control.",
    "Gold": "The same model trained from scratch without the forget set: what perfect forgetting would look like.",
    "Original": "The model before it forgets.",
    "Attack": "A way to ask that tries to bring a forgotten fact back, such as a paraphrase or its first words.",
    "Bits": "How improbable an answer is: each bit halves its chance, and 0 bits is certain.",
    "CKA": "How alike two models' hidden states are on the same text, from 0 to 1.",
    "Cloze": "A sentence with a gap where the fact would stand.",
    "Collapse": "The model forgets how to speak at all: its answers become empty, repeated or garbled.",
    "Control": "A lane that differs from another in one thing alone, so that the difference can be put down to it.",
    "Curvature": "How sharply the loss bends when a weight moves: large where a small step already matters.",
    "Epoch": "One pass over the whole forget set.",
    "Few-shot": "Putting some solved examples before the question.",
    "Forget quality": "Whether a model can be told apart from gold on the forget set: near 1 it cannot.",
    "Gauss-Newton-Bartlett": "An estimate of curvature from the squared gradients of answers that the model itself "
    "draws.",
    "Gibberish": "Words that make no sense in a row, which hides a fact but is not forgetting.",
    "Gradient": "For each weight, which way and how fast the loss rises.",
    "Hessian": "The table of all second derivatives of the loss: every weight's curvature, and how weights interact.",
    "Hutchinson": "An estimate of the Hessian's diagonal from products with random signs.",
    "Job": "One piece of work in this server's queue, such as a race or a scoring.",
    "Lane": "One runner of a race: a copy of the original with its own optimizer and objective.",
    "Learning rate": "How far one step moves a weight.",
    "Leak": "An answer that gives away what should be forgotten.",
    "LoRA": "Small matrices that are trained beside the model's own weights, which stay as they are.",
    "Loss": "The number that training makes small; for text, how surprised the model is by the right words.",
    "Matcher": "What decides which of several answers a generated one is nearest to.",
    "Membership inference": "Telling from a model alone whether a text was in its training set.",
    "Momentum": "A running average of past gradients, which a step follows in place of the last one alone.",
    "NLL": "Negative log-likelihood: how surprised the model is by an answer, 0 when it is sure of it.",
    "Newton's method": "Divides the gradient by the whole curvature, which leads to the bottom of a bowl in one step.",
    "Objective": "The loss that makes a model forget.",
    "Optimizer": "The rule that turns gradients into steps of the weights.",
    "Paraphrase": "The same question in other words.",
    "Pocket model": "The small model that ships with SOUL and knows a hundred invented authors by heart.",
    "Preset": "What a race holds equal between its lanes, and which settings it begins with.",
    "Quantization": "Storing weights with fewer bits, which rounds them.",
    "Race": "Several copies of one model that forget the same rows, in the same order and from the same start.",
    "Refusal": "An answer that declines to answer.",
    "Relearning": "Training a forgotten model a little on related rows, to see how fast the rest comes back.",
    "Retain term": "The part of an objective that protects what should stay.",
    "Run": "One race on disk: its settings, events, answers and weights.",
    "Seed": "The number that decides everything random, so that a run can be repeated.",
    "Sophia": "An optimizer that divides momentum by estimated curvature and cuts each step at the learning rate.",
    "Token": "The piece of text, often part of a word, that a model reads and writes one at a time.",
    "Truth ratio": "How likely the model finds wrong answers against the right one.",
    "Unlearning": "Changing a trained model so that it behaves as if some of its training rows had never been there.",
    "β1": "How long gradients are averaged: 0 keeps the last one alone.",
    "β2": "How long squared gradients or curvature are averaged.",
    "γ": "How much the retain term counts against the forget term.",
    "ρ": "Sophia's curvature scale: where momentum is more than ρ times the curvature, the step is cut.",
}
"""A term as the page writes it, and its one sentence; also the tooltip wherever ``html.term`` names it."""

RACE_TERMS = (
    "Acc",
    "Forget",
    "Retain",
    "95 %",
    "ROUGE-L",
    "Probability",
    "Real / world",
    "Clip share",
    "Grad norm",
    "Seconds",
    "FO",
    "SO",
    "Sign",
    "Gold",
    "Original",
)
"""Those that the numbers of a race are explained with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the glossary; ``anchor`` is the id of its place on the page."""

    word: str
    sentence: str
    anchor: str


def glossary() -> Mapping[str, tuple[Entry, ...]]:
    """All entries by section, each section in alphabetical order; objectives of a person's own are among them."""
    sections = {
        "terms": TERMS.items(),
        "objectives": ((entry.label, entry.sentence) for entry in OBJECTIVES.values()),
        "retain": ((entry.label, entry.sentence) for entry in RETAINS.values()),
        "optimizers": ((str(entry["label"]), str(entry["what"])) for entry in optimizers()),
        "metrics": ((metric.title, metric.meaning) for metric in METRICS),
    }
    return {
        section: tuple(
            Entry(word=word, sentence=sentence, anchor=anchor_of(section, word))
            for word, sentence in sorted(entries, key=lambda entry: _place(entry[0]))
        )
        for section, entries in sections.items()
    }


def anchor_of(section: str, word: str) -> str:
    """Where a word stands: ``soul-term-clip-share``; signs that an address cannot carry are spelled out."""
    spelled = word.lower().replace("%", "percent").replace("+", "plus").replace("/", "or")
    spelled = re.sub(r"[^\w-]+", "-", spelled).strip("-")
    return f"soul-{'term' if section == 'terms' else section}-{spelled}"


def _place(word: str) -> tuple[int, str]:
    """Letters of our alphabet first, Greek ones and digits last."""
    return (0 if word[0].isascii() and word[0].isalpha() else 1, word.casefold())
