"""The id of every element and the lanes' looks that Python, CSS, JavaScript and tests share. It knows no component."""

from dataclasses import dataclass

from soul_core.runs.styles import Marker, lane_style, style_key

HEADER = "soul-header"
THEME = "soul-theme"
COLUMNS = "soul-columns"
MAIN = "soul-main"
SETUP = "soul-setup"
RACE = "soul-race"
ASK = "soul-ask"

TABS = "soul-tabs"
SCORES = "soul-scores"

MODEL = "soul-model"
TASK = "soul-task"
SPLIT = "soul-split"
AUTHORS = "soul-authors"
SPEC = "soul-spec"
MODE = "soul-mode"
IDEA = "soul-idea"
OBJECTIVE = "soul-objective"
NO_PAIR = "soul-no-pair"
TO_METHODS = "soul-to-methods"
METHODS = "soul-methods"
METHODS_NOTE = "soul-methods-note"
CHANGES = "soul-changes"
FORMULA = "soul-formula"
PRESET = "soul-preset"
EPOCHS = "soul-epochs"
SEED = "soul-seed"
CONTROL = "soul-control"
ADVANCED = "soul-advanced"
ESTIMATE = "soul-estimate"
COMMAND = "soul-command"
TRAIN_GOLD = "soul-train-gold"
STOP_GOLD = "soul-stop-gold"
GOLD_PROGRESS = "soul-gold-progress"
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

SCORES_RUNS = "soul-scores-runs"
SCORES_ROWS = "soul-scores-rows"
SCORES_SLOW = "soul-scores-slow"
SCORES_START = "soul-scores-start"
SCORES_STOP = "soul-scores-stop"
SCORES_PROGRESS = "soul-scores-progress"
SCORES_NOTICE = "soul-scores-notice"
SCORES_VIEW = "soul-scores-view"
SCORES_INTERVALS = "soul-scores-intervals"
SCORES_PUBLISHED = "soul-scores-published"
SCORES_TOOLS = "soul-scores-tools"
SCORES_FILTER = "soul-scores-filter"
SCORES_SAID = "soul-scores-said"
SCORES_TABLE = "soul-scores-table"
SCORES_ACROSS = "soul-scores-across"
SCORES_UP = "soul-scores-up"
SCORES_CHART = "soul-scores-chart"
SCORES_FRONT = "soul-scores-front"
SCORES_FIRST = "soul-scores-first"
SCORES_SECOND = "soul-scores-second"
SCORES_NUMBER = "soul-scores-number"
SCORES_DIFFERENCE = "soul-scores-difference"
SCORES_IMPORT = "soul-scores-import"
SCORES_LOG = "soul-scores-log"
SCORES_GOLD_LOG = "soul-scores-gold-log"
SCORES_NAME = "soul-scores-name"
SCORES_IMPORT_BUTTON = "soul-scores-import-button"
SCORES_LOGS = "soul-scores-logs"
SCORES_REMOVE = "soul-scores-remove"
SCORES_UNDO = "soul-scores-undo"
SCORES_IMPORT_NOTICE = "soul-scores-import-notice"

DATA = "soul-data"
DATA_SOURCE = "soul-data-source"
DATA_SPLIT = "soul-data-split"
DATA_SPEC = "soul-data-spec"
DATA_SET = "soul-data-set"
DATA_SEARCH = "soul-data-search"
DATA_SUBJECT = "soul-data-subject"
DATA_FACTS = "soul-data-facts"
DATA_ROWS = "soul-data-rows"
DATA_BACK = "soul-data-back"
DATA_ON = "soul-data-on"
DATA_PLACE = "soul-data-place"
DATA_PICK_PAGE = "soul-data-pick-page"
DATA_PICK_FOUND = "soul-data-pick-found"
DATA_UNPICK = "soul-data-unpick"
DATA_SUBJECTS = "soul-data-subjects"
DATA_PICKED = "soul-data-picked"
DATA_USE_PICKED = "soul-data-use-picked"
DATA_NOTICE = "soul-data-notice"
OWN_FILE = "soul-own-file"
OWN_TABLE = "soul-own-table"
OWN_COLUMNS = "soul-own-columns"
OWN_EXAMPLE = "soul-own-example"
OWN_MORE = "soul-own-more"
OWN_CLEAR = "soul-own-clear"
OWN_UNDO = "soul-own-undo"
OWN_RETAIN = "soul-own-retain"
OWN_FINDINGS = "soul-own-findings"
OWN_KNOWN = "soul-own-known"
OWN_USE = "soul-own-use"
OWN_NOTICE = "soul-own-notice"
TEACH_MODEL = "soul-teach-model"
TEACH_WEIGHTS = "soul-teach-weights"
TEACH_EPOCHS = "soul-teach-epochs"
TEACH = "soul-teach"
TEACH_STOP = "soul-teach-stop"
TEACH_PROGRESS = "soul-teach-progress"
TEACH_RESULT = "soul-teach-result"
TEACH_FORGET = "soul-teach-forget"

BROWSER_STORE = "soul"
BROWSER_SECRET = "soul-page-state"  # noqa: S105 - nothing secret: it keeps the state readable after a restart


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLook:
    """How a lane is drawn: the style it has everywhere, its colour as a variable that follows the page's mode.

    Attributes:
        colour: CSS variable of the line and the text.
        band: CSS variable of the interval's shade.
        dash: Plotly's name of the dash.
        svg_dash: The same dash for an SVG line.
        marker: Plotly's name of the marker; empty for none.
        svg_marker: The same marker for an SVG.
    """

    colour: str
    band: str
    dash: str
    svg_dash: str
    marker: str
    svg_marker: Marker


_MARKERS: dict[Marker, str] = {
    "circle": "circle",
    "square": "square",
    "triangle": "triangle-up",
    "diamond": "diamond",
    "cross": "x",
    "down": "triangle-down",
    "plus": "cross",
    "star": "star",
    "hexagon": "hexagon",
    "none": "",
}


def look_of(lane: str, position: int = 0) -> LaneLook:
    """The look of a lane: its own, or that of its place in the race, counted from 0."""
    style, key = lane_style(lane, position), style_key(lane, position)
    return LaneLook(
        colour=f"var(--lane-{key})",
        band=f"var(--lane-{key}-band)",
        dash=",".join(f"{length}px" for length in style.dash.split()) or "solid",
        svg_dash=style.dash,
        marker=_MARKERS[style.marker],
        svg_marker=style.marker,
    )
