"""Named views of scorecards: which numbers stand side by side, in groups, and what is told about each.

It knows no scorecard's origin and no markup.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from soul_core.data.sets import SETS, set_kind
from soul_core.evaluation.all_metrics import METRICS
from soul_core.evaluation.registry import MODEL_METRICS, SET_METRICS, Direction, Explained, SetMetric, explained

WHOLE, ZERO_SHOT = "Whole model", "Zero-shot tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Columns under one heading."""

    title: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A choice of columns.

    Attributes:
        name: Its key in ``VIEWS``.
        title: Its name on the page.
        sentence: What it is for.
        groups: Its columns in order; empty stands for every number there is.
    """

    name: str
    title: str
    sentence: str
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One number of every row, with all that is told about it.

    Attributes:
        key: The scorecard's key.
        group: The heading it stands under.
        title: Its header.
        better: Which way is better for what it measures.
        about: Meaning, convention, formula, source and decimals.
    """

    key: str
    group: str
    title: str
    better: Direction
    about: Explained

    @property
    def full_title(self) -> str:
        """Header with heading, where the header alone would be one of several alike."""
        return f"{self.group}: {self.title}" if "." in self.key else self.title


def _sets(metrics: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{metric}" for name in names for metric in metrics.split())


def _each_set(metrics: str, *names: str) -> tuple[Group, ...]:
    return tuple(Group(title=set_kind(name).title, keys=_sets(metrics, name)) for name in names)


_MIA_SHARES = (10, 20, 30, 40, 50, 60)
_MIA = " ".join(f"mia_min_k_{share}" for share in _MIA_SHARES)

_ZERO_SHOT = "zero_shot_"
_ZERO_SHOT_TASKS = ("boolq", "rte", "hellaswag", "winogrande", "arc_challenge", "arc_easy", "openbookqa", "piqa")

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            name="soul",
            title="SOUL Table 1",
            sentence="What the SOUL paper reports on TOFU: how much is forgotten, and what stays.",
            groups=(
                Group(
                    title="Forget",
                    keys=(
                        "same_model_ks",
                        *_sets("readable acc acc_reworded rouge_l", "forget"),
                        "soul_table_mia",
                    ),
                ),
                *_each_set("acc acc_reworded rouge_l", "retain"),
                *_each_set("acc rouge_l", "real_authors", "world_facts"),
            ),
        ),
        View(
            name="tofu",
            title="TOFU",
            sentence="Forget quality against a gold model, and model utility, by both conventions in use.",
            groups=(
                Group(
                    title="Forget quality",
                    keys=(
                        "forget_quality",
                        "forget_quality_log10",
                        "forget_quality_d",
                        "forget_quality_arithmetic",
                        "forget_quality_first300",
                    ),
                ),
                Group(title="Model utility", keys=("model_utility", "model_utility_arithmetic")),
                *_each_set("probability rouge_l truth_ratio truth_ratio_arithmetic", "forget", "retain"),
                *_each_set(
                    "probability probability_normalised rouge_l truth_ratio truth_ratio_arithmetic",
                    "real_authors",
                    "world_facts",
                ),
            ),
        ),
        View(
            name="memorization",
            title="Memorization",
            sentence="Whether the texts themselves are still inside, word for word.",
            groups=(
                *_each_set("exact_memorization extraction_strength memorization_accuracy", "forget", "retain"),
                Group(title=WHOLE, keys=("el_3", "el_5", "el_10")),
            ),
        ),
        View(
            name="privacy",
            title="Privacy",
            sentence="Whether an attacker can tell that the forget set was trained on; near to gold is best.",
            groups=(
                Group(title="PrivLeak", keys=("privleak", "privleak_gold")),
                Group(
                    title="Attacks (AUC)",
                    keys=(
                        *("mia_loss", "mia_zlib", "mia_reference"),
                        *_MIA.split(),
                        *("mia_min_k_plus_20", "mia_min_k_plus_40", "mia_gradient_norm"),
                    ),
                ),
                Group(
                    title="As SOUL computes it",
                    keys=("soul_table_mia", *(f"soul_mia_{share}" for share in _MIA_SHARES)),
                ),
            ),
        ),
        View(
            name="copyright",
            title="Copyright",
            sentence="What the SOUL paper reports on copyrighted text: how much of it the model still writes on.",
            groups=(
                Group(title="Prompt of 100 tokens", keys=("bleu_100", "rouge_l_100")),
                Group(title="Prompt of 300 tokens", keys=("bleu_300", "rouge_l_300")),
                Group(
                    title="Utility",
                    keys=(
                        "perplexity",
                        "perplexity_retain_answers",
                        "wikitext_word_perplexity",
                        "zero_shot_acc",
                        "truthfulqa",
                    ),
                ),
                Group(title=ZERO_SHOT, keys=tuple(f"{_ZERO_SHOT}{task}" for task in _ZERO_SHOT_TASKS)),
            ),
        ),
        View(name="everything", title="Everything", sentence="Every number that was measured."),
    )
}

_LM_EVAL = "SOUL, Jia et al. 2024, arXiv:2404.18239, Table 2; lm-eval"
_ELSEWHERE: dict[str, tuple[Explained, Direction]] = {
    about.name: (about, better)  # type: ignore[misc]
    for about, better in (
        (
            Explained(
                name="wikitext_word_perplexity",
                title="Perplexity, WikiText",
                group="SOUL",
                meaning="How surprised the model is by Wikipedia's text: between how many equally likely words it "
                "wavers.",
                convention="Per word, as lm-eval's wikitext task counts it, so models with different tokenizers "
                "compare.",
                formula="exp(sum of NLL over all tokens / number of words)",
                source=_LM_EVAL,
                digits=2,
            ),
            "lower",
        ),
        (
            Explained(
                name="zero_shot_acc",
                title="Zero-shot accuracy",
                group="SOUL",
                meaning="How many questions of common benchmarks are answered right without an example.",
                convention="Mean over lm-eval's tasks; which ones are meant decides the number.",
                formula="mean over tasks of right answers / questions",
                source=_LM_EVAL,
            ),
            "higher",
        ),
        (
            Explained(
                name="truthfulqa",
                title="TruthfulQA",
                group="SOUL",
                meaning="How often the model prefers a true answer to a common falsehood.",
                convention="lm-eval's truthfulqa with one right choice (mc1).",
                formula="questions whose true choice is likeliest / questions",
                source=_LM_EVAL,
            ),
            "higher",
        ),
    )
}
"""Numbers of lm-eval, which no metric here computes."""


def _zero_shot(key: str) -> Explained:
    """What is told about one task of lm-eval."""
    task = key.removeprefix(_ZERO_SHOT)
    return Explained(
        name=key,
        title=task.replace("_", " ").capitalize(),
        group="SOUL",
        meaning=f"How many questions of the benchmark “{task}” are answered right without an example.",
        convention="lm-eval's accuracy: an answer counts as given if it is the likeliest of the choices.",
        formula="right answers / questions",
        source=_LM_EVAL,
    )


def columns_of(view: View, keys: Collection[str]) -> tuple[Column, ...]:
    """The view's columns in order, without those that nobody has.

    Args:
        view: Which view.
        keys: Every key that some row has a number for.
    """
    groups = view.groups or _everything(keys)
    listed = [column_of(key, group.title) for group in groups for key in group.keys if key in keys]
    return tuple(column for column in listed if column is not None)


def column_of(key: str, group: str = "") -> Column | None:
    """What is told about a key; None for a key that nothing here explains."""
    metric = explained(key)
    if isinstance(metric, SetMetric):
        kind = set_kind(key.partition(".")[0])
        return Column(
            key=key, group=group or kind.title, title=metric.title, better=metric.better[kind.role], about=metric
        )
    if metric is not None:
        return Column(key=key, group=group or WHOLE, title=metric.title, better=metric.better, about=metric)
    if key in _ELSEWHERE:
        about, better = _ELSEWHERE[key]
        return Column(key=key, group=group or WHOLE, title=about.title, better=better, about=about)
    if key.startswith(_ZERO_SHOT):
        about = _zero_shot(key)
        return Column(key=key, group=group or ZERO_SHOT, title=about.title, better="higher", about=about)
    return None


def _everything(keys: Iterable[str]) -> tuple[Group, ...]:
    """Every key: the whole model's numbers in the registry's order, then each set's."""
    present = list(dict.fromkeys(keys))
    whole = [name for name in (*MODEL_METRICS, *_ELSEWHERE) if name in present]
    names = dict.fromkeys(key.partition(".")[0] for key in present if key.partition(".")[2] in SET_METRICS)
    ordered = sorted(names, key=lambda name: list(SETS).index(name) if name in SETS else len(SETS))
    of_sets = [
        Group(
            title=set_kind(name).title,
            keys=tuple(f"{name}.{metric.name}" for metric in METRICS if isinstance(metric, SetMetric)),
        )
        for name in ordered
    ]
    zero_shot = [key for key in present if key.startswith(_ZERO_SHOT) and key not in _ELSEWHERE]
    return (Group(title=WHOLE, keys=tuple(whole)), *of_sets, Group(title=ZERO_SHOT, keys=tuple(zero_shot)))
