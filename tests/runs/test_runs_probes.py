"""What probes found is kept and read back."""

from pathlib import Path

import pytest

from soul_core.errors import RunError
from soul_core.probing.results import (
    AttackResult,
    Bench,
    Inspection,
    Relearning,
    RelearnPoint,
    Try,
    Turn,
    WeightChange,
)
from soul_core.runs.probes import ProbeFolder, kind_of, probes_of

BENCH = Bench(
    epoch=2,
    results=(
        AttackResult(
            model="fo",
            attack="cloze",
            share=0.5,
            low=None,
            tries=(Try(question="q", truth="t", turns=(Turn(role="user", text="<b>"),), said="ü", leaks=1),),
        ),
    ),
    settings={"rows": 24},
    titles={"cloze": "Cloze"},
)
POINT = RelearnPoint(model="so", step=0, acc=0.1, low=0.0, high=0.2, probability=0.3, rouge_l=0.4)


def test_what_was_found_comes_back_as_it_was(tmp_path: Path):
    folder = probes_of(tmp_path)
    relearned = Relearning(on="retain", points=(POINT,))
    change = WeightChange(model="fo", values=((0.1, None),), whole=0.1)
    inspection = Inspection(layers=("1",), modules=("q", "k"), changes=(change,))
    for finding in (BENCH, relearned, inspection):
        folder.write(finding)
    assert folder.read("bench") == BENCH
    assert dict(folder.read_all().found) == {"bench": BENCH, "relearn-retain": relearned, "inspection": inspection}
    assert BENCH.find("fo", "cloze") == BENCH.results[0] and BENCH.find("so", "cloze") is None


def test_a_relearning_on_forget_rows_does_not_replace_one_on_retain_rows(tmp_path: Path):
    assert {kind_of(Relearning(on="forget")), kind_of(Relearning(on="retain"))} == {"relearn-forget", "relearn-retain"}


def test_a_damaged_file_is_one_sentence_and_hides_no_other(tmp_path: Path):
    folder = ProbeFolder(tmp_path)
    folder.write(BENCH)
    (tmp_path / "rounding.json").write_text('{"how": 3')
    read = folder.read_all()
    assert list(read.found) == ["bench"] and len(read.troubles) == 1
    with pytest.raises(RunError, match="damaged"):
        folder.read("rounding")


def test_the_signature_changes_with_what_is_there(tmp_path: Path):
    folder = ProbeFolder(tmp_path / "probes")
    assert folder.signature() == () and folder.read("bench") is None
    folder.write(BENCH)
    assert folder.signature() != ()
