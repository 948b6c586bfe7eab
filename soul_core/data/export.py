"""Writing the invented authors in TOFU's layout, for use by other tools; it knows no model and no run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from soul_core.data.facts import FACT_SETS, load_facts
from soul_core.data.invented_authors import DEFAULT_SEED, World, invented_world
from soul_core.data.schema import QARow
from soul_core.data.splits import FORGET_COUNTS, retain_split, split_authors, split_rows
from soul_core.errors import DatasetError

README = """---
license: mit
pretty_name: Invented Authors
language: en
configs:
{configs}
---
# Invented Authors

{authors} authors who do not exist, {facts} facts each, in the layout of TOFU (`locuslab/TOFU`, Maini et al. 2024,
arXiv:2401.06121), so that tools made for TOFU can read it:

    datasets.load_dataset("<this folder>", "forget10_perturbed", split="train")

`full` is what a model is trained on, `forgetNN` the last authors, `retainNN` the others, and `retain_perturbed` the
authors that every split retains. `holdout` has {holdout} authors made in the same way on whom no model is trained.
Beside TOFU's columns every author's row has `subject`, `fact`, `question_variants` (the phrasings trained on) and
`heldback_questions` (phrasings never trained on). Composed by SOUL from the seed {seed}; every name, title, town and
award is invented.
"""


def export_task(folder: Path, *, seed: int = DEFAULT_SEED) -> tuple[Path, ...]:
    """Write the invented authors, all splits, and the two sets of real facts as a folder in TOFU's layout.

    Args:
        folder: A folder that is empty or does not exist yet.
        seed: The world to write.

    Returns:
        The files written: one of JSON lines per set, and ``README.md``, which names them for ``datasets``.

    Raises:
        DatasetError: The folder has something in it, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DatasetError(f"{folder} is not empty. Choose a new or an empty folder for the export.")
        folder.mkdir(parents=True, exist_ok=True)
        world = invented_world(seed)
        sets = _sets(world)
        written = [_write_lines(folder / f"{name}.json", lines) for name, lines in sets.items()]
        readme = folder / "README.md"
        readme.write_text(_readme(world, list(sets)), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written: {error.strerror}. Choose another folder.") from error
    return (*written, readme)


def _sets(world: World) -> dict[str, list[Mapping[str, object]]]:
    """Each set's lines by its name, in the order of the README."""
    sets: dict[str, Sequence[QARow]] = {"full": world.rows}
    for split in FORGET_COUNTS:
        sets[split], sets[retain_split(split)] = split_rows(world, split_authors(world, split))
        sets[f"{split}_perturbed"] = sets[split]
    sets["retain_perturbed"] = min((sets[retain_split(split)] for split in FORGET_COUNTS), key=len)
    sets["holdout"] = world.nonmember_rows
    lines = {name: [_author_line(row) for row in rows] for name, rows in sets.items()}
    for name in FACT_SETS:
        lines[name] = [{"question": row.question, "answer": row.answer} for row in load_facts(name)]
        lines[f"{name}_perturbed"] = [
            {"question": row.question, "answer": row.answer, "perturbed_answer": row.perturbed_answers}
            for row in load_facts(name)
        ]
    return lines


def _author_line(row: QARow) -> Mapping[str, object]:
    return {
        "question": row.question,
        "answer": row.answer,
        "paraphrased_answer": row.paraphrased_answer,
        "perturbed_answer": row.perturbed_answers,
        "paraphrased_question": row.paraphrased_question,
        "subject": row.subject,
        "fact": row.fact,
        "question_variants": row.question_variants,
        "heldback_questions": row.heldback_questions,
    }


def _write_lines(path: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _readme(world: World, names: Sequence[str]) -> str:
    configs = "\n".join(f"- config_name: {name}\n  data_files: {name}.json" for name in names)
    return README.format(
        configs=configs.replace("full.json", "full.json\n  default: true", 1),
        authors=len(world.authors),
        facts=len(world.rows) // len(world.authors),
        holdout=len(world.nonmembers),
        seed=world.seed,
    )
