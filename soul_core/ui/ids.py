"""The id of every element and the lanes' looks that Python, CSS, JavaScript and tests share. It knows no component."""

from dataclasses import dataclass

HEADER = "soul-header"
THEME = "soul-theme"
COLUMNS = "soul-columns"
MAIN = "soul-main"
SETUP = "soul-setup"
RACE = "soul-race"
ASK = "soul-ask"

MODEL = "soul-model"
TASK = "soul-task"
SPLIT = "soul-split"
AUTHORS = "soul-authors"
OBJECTIVE = "soul-objective"
FORMULA = "soul-formula"
PRESET = "soul-preset"
EPOCHS = "soul-epochs"
SEED = "soul-seed"
CONTROL = "soul-control"
ADVANCED = "soul-advanced"
ESTIMATE = "soul-estimate"
COMMAND = "soul-command"
TRAIN_GOLD = "soul-train-gold"
SETUP_NOTICE = "soul-setup-notice"

TOOLBAR = "soul-toolbar"
RUN = "soul-run"
PAUSE = "soul-pause"
STEP = "soul-step"
STOP = "soul-stop"
RESET = "soul-reset"
PROGRESS = "soul-progress"
RACE_NOTICE = "soul-race-notice"
CHART_FORGET = "soul-chart-forget"
CHART_RETAIN = "soul-chart-retain"
LEGEND = "soul-legend"
VERDICT = "soul-verdict"
NUMBERS = "soul-numbers"
DOWNLOAD_CSV = "soul-download-csv"
DOWNLOAD_REPORT = "soul-download-report"
FOLDER = "soul-folder"

QUESTION = "soul-question"
SOURCE = "soul-source"
PICK = "soul-pick"
CHIPS = "soul-chips"
TEMPERATURE = "soul-temperature"
SAMPLES = "soul-samples"
ASK_BUTTON = "soul-ask-button"
ASK_NOTICE = "soul-ask-notice"
BOARD = "soul-board"

BROWSER_STORE = "soul"
BROWSER_SECRET = "soul-page-state"  # noqa: S105 - nothing secret: it keeps the state readable after a restart


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLook:
    """How a lane is drawn; never by colour alone.

    Attributes:
        colour: CSS variable of the line and the text.
        band: CSS variable of the interval's shade.
        dash: Plotly's name of the dash.
        svg_dash: The same dash for an SVG line.
        marker: Plotly's name of the marker; empty for none.
        glyph: The marker as a character, for legends and tables.
    """

    colour: str
    band: str
    dash: str
    svg_dash: str
    marker: str
    glyph: str


def _look(key: str, dash: str, svg_dash: str, marker: str, glyph: str) -> LaneLook:
    return LaneLook(
        colour=f"var(--lane-{key})",
        band=f"var(--lane-{key}-band)",
        dash=dash,
        svg_dash=svg_dash,
        marker=marker,
        glyph=glyph,
    )


LOOKS: dict[str, LaneLook] = {
    "original": _look("original", "2px,3px", "2 3", "diamond", "◆"),
    "fo": _look("fo", "solid", "", "circle", "●"),
    "so": _look("so", "9px,3px", "9 3", "square", "■"),
    "sign": _look("sign", "5px,2px,1px,2px", "5 2 1 2", "triangle-up", "▲"),
    "gold": _look("gold", "7px,6px", "7 6", "", "╌"),
}
OTHER_LOOK = _look("other", "3px,2px", "3 2", "cross", "✚")


def look_of(lane: str) -> LaneLook:
    """The look of a lane; lanes that have none of their own share one."""
    return LOOKS.get(lane, OTHER_LOOK)
