"""A race's settings as the query of an address and as a program in Python. It knows no page and runs nothing.

A query says what :func:`soul_core.session.command.command_of` says, with the same names: ``so.rho=0.1`` for one lane,
``gamma=2`` for all.
"""

import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from soul_core.config import RaceConfig
from soul_core.session.address import LABEL, QUESTION, SharedSetup, config_from_query
from soul_core.session.changes import differences
from soul_core.session.command import ALWAYS, said_of, who_runs
from soul_core.session.presets import CONTROL

__all__ = ["SharedSetup", "config_from_query", "python_of", "query_of"]


def query_of(config: RaceConfig, *, question: str = "", extra: Mapping[str, str] | None = None) -> str:
    """The query of an address that sets up this race, without the question mark.

    Args:
        config: The race.
        question: Put in where there is one.
        extra: Further parameters, such as ``lesson``; empty ones are left out.

    Raises:
        ConfigError: An objective of the race is not loaded.
    """
    said = said_of(config)
    _, usual = who_runs(config)
    for lane, as_usual in zip(config.lanes, usual, strict=True):
        if lane.label != as_usual.label:
            said[f"{lane.name}.{LABEL}"] = lane.label
    said |= {key: value for key, value in {QUESTION: question, **(extra or {})}.items() if value}
    return urlencode(said, quote_via=quote, safe=":,/", errors="replace")


def python_of(config: RaceConfig) -> str:
    """A short program with the public Python API that runs this race and prints its curves.

    Raises:
        ConfigError: An objective of the race is not loaded.
    """
    imports = {
        "soul_core.config": ["RaceConfig"],
        "soul_core.events": ["EpochReport"],
        "soul_core.runs.store": ["RunStore"],
        "soul_core.session.race": ["race"],
    }
    who, usual = who_runs(config)
    preset = _literal(config.preset)
    if "methods" in who:
        imports["soul_core.session.methods"] = ["lane_of"]
        each = [f"    lane_of({_literal(method)}, {preset})," for method in who["methods"].split(",")]
        lanes = ["lanes = [", *each, "]"]
    else:
        imports["soul_core.session.presets"] = ["lanes_for"]
        names = [lane.name for lane in config.lanes]
        control = ", control=True" if CONTROL in names else ""
        lanes = [f"lanes = lanes_for({preset}, {_literal(who['objective'])}{control})"]
        if names != ["fo", "so", CONTROL][: 3 if control else 2]:
            lanes.append("by_name = {lane.name: lane for lane in lanes}")
            lanes.append(f"lanes = [by_name[name] for name in {json.dumps(names)}]")
    pairs = list(zip(config.lanes, usual, strict=True))
    changes = [(lane.name, *change) for lane, other in pairs for change in differences(lane, other).items()]
    if changes:
        imports["soul_core.config"].insert(0, "LaneSetting")
        imports["soul_core.session.changes"] = ["changed_lanes"]
        written = [f"    LaneSetting({', '.join(_literal(part) for part in change)})," for change in changes]
        lanes += ["changes = [", *written, "]", "lanes = changed_lanes(lanes, {}, changes)"]
    labels = {lane.name: lane.label for lane, other in pairs if lane.label != other.label}
    if labels:
        lanes.append(f"labels = {json.dumps(labels, ensure_ascii=False)}")
        lanes.append("lanes = [lane.but(label=labels.get(lane.name, lane.label)) for lane in lanes]")
    fields = RaceConfig.model_fields
    said = [
        f"    {name}={_literal(getattr(config, name))},"
        for name in fields
        if name != "lanes" and (name in ALWAYS or _is_other(config, name))
    ]
    head = [f"from {module} import {', '.join(names)}" for module, names in sorted(imports.items())]
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            *head,
            "",
            *lanes,
            "config = RaceConfig(",
            *said,
            "    lanes=tuple(lanes),",
            ")",
            'folder = RunStore(Path("runs")).create(config)',
            "for event in race(config, folder):",
            "    if isinstance(event, EpochReport):",
            '        print(event.lane, event.epoch, event.scores["forget"].acc, event.scores["retain"].acc)',
            'print(folder.path / "report.html")',
            "",
        ]
    )


def _literal(value: object) -> str:
    """A value as Python writes it, texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _is_other(config: RaceConfig, name: str) -> bool:
    return bool(getattr(config, name) != RaceConfig.model_fields[name].default)
