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

REPLAY_OPEN = "soul-replay-open"
REPLAY = "soul-replay"
REPLAY_WHY = "soul-replay-why"
REPLAY_BANNER = "soul-replay-banner"
REPLAY_WHICH = "soul-replay-which"
REPLAY_SPEED = "soul-replay-speed"
REPLAY_PLAY = "soul-replay-play"
REPLAY_HALT = "soul-replay-halt"
REPLAY_SKIP = "soul-replay-skip"
REPLAY_CLOSE = "soul-replay-close"
REPLAY_PROGRESS = "soul-replay-progress"
REPLAY_FORGET = "soul-replay-forget"
REPLAY_RETAIN = "soul-replay-retain"
REPLAY_VERDICT = "soul-replay-verdict"
REPLAY_NUMBERS = "soul-replay-numbers"
REPLAY_PICK = "soul-replay-pick"
REPLAY_BOARD = "soul-replay-board"

ADDRESS_NOTICE = "soul-address-notice"
COPIES = "soul-copies"
RUNS = "soul-runs"
RUNS_NOTICE = "soul-runs-notice"
RUNS_FIND = "soul-runs-find"
RUNS_SAID = "soul-runs-said"
RUNS_LIST = "soul-runs-list"
RUNS_IMPORT = "soul-runs-import"
RUNS_TRASH = "soul-runs-trash"
RUN_ONE = "soul-run-one"
RUN_HEAD = "soul-run-head"
RUN_OPEN = "soul-run-open"
RUN_USE = "soul-run-use"
RUN_RESUME = "soul-run-resume"
RUN_DELETE = "soul-run-delete"
RUN_FORGET = "soul-run-forget"
RUN_RETAIN = "soul-run-retain"
RUN_ANSWERS = "soul-run-answers"
RUN_SETTINGS = "soul-run-settings"
RUN_NOTE = "soul-run-note"
RUN_NOTED = "soul-run-noted"
RUN_WHAT = "soul-run-what"
RUN_EXPORT = "soul-run-export"
RUN_PUSH = "soul-run-push"
PUSH_LANE = "soul-push-lane"
PUSH_REPO = "soul-push-repo"
PUSH_PRIVATE = "soul-push-private"
PUSH_TOKEN = "soul-push-token"  # noqa: S105 - the name of a field
PUSH_BUTTON = "soul-push-button"
PUSH_PROGRESS = "soul-push-progress"
PUSH_NOTICE = "soul-push-notice"
RUN_TWO = "soul-run-two"
TWO_HEAD = "soul-two-head"
TWO_FORGET = "soul-two-forget"
TWO_RETAIN = "soul-two-retain"
TWO_SETTINGS = "soul-two-settings"
TWO_ANSWERS = "soul-two-answers"
TWO_EXPORT = "soul-two-export"

PROBE = "soul-probe"
PROBE_START = "soul-probe-start"
PROBE_RUN = "soul-probe-run"
PROBE_STATUS = "soul-probe-status"
PROBE_PROGRESS = "soul-probe-progress"
PROBE_STOP = "soul-probe-stop"
PROBE_NOTICE = "soul-probe-notice"
PROBE_VERDICTS = "soul-probe-verdicts"
PROBE_BENCH = "soul-probe-bench"
PROBE_BENCH_START = "soul-probe-bench-start"
PROBE_BENCH_NOTICE = "soul-probe-bench-notice"
PROBE_BENCH_MORE = "soul-probe-bench-more"
PROBE_ATTACKS = "soul-probe-attacks"
PROBE_OWN = "soul-probe-own"
PROBE_ROWS = "soul-probe-rows"
PROBE_SAMPLES = "soul-probe-samples"
PROBE_TABLE = "soul-probe-table"
PROBE_TRANSCRIPTS = "soul-probe-transcripts"
PROBE_CSV = "soul-probe-csv"
PROBE_JSON = "soul-probe-json"
PROBE_SCRUB = "soul-probe-scrub"
PROBE_EPOCH = "soul-probe-epoch"
PROBE_SOURCE = "soul-probe-source"
PROBE_PICK = "soul-probe-pick"
PROBE_QUESTION = "soul-probe-question"
PROBE_ANSWER = "soul-probe-answer"
PROBE_ASK = "soul-probe-ask"
PROBE_SCRUB_NOTICE = "soul-probe-scrub-notice"
PROBE_MAP = "soul-probe-map"
PROBE_ANSWERS = "soul-probe-answers"
PROBE_WHEN = "soul-probe-when"
PROBE_WHEN_SAID = "soul-probe-when-said"
PROBE_LENS = "soul-probe-lens"
PROBE_TOKENS = "soul-probe-tokens"
PROBE_RELEARN = "soul-probe-relearn"
PROBE_RELEARN_START = "soul-probe-relearn-start"
PROBE_RELEARN_ON = "soul-probe-relearn-on"
PROBE_RELEARN_CHART = "soul-probe-relearn-chart"
PROBE_RELEARN_SAID = "soul-probe-relearn-said"
PROBE_ROUNDING = "soul-probe-rounding"
PROBE_ROUNDING_START = "soul-probe-rounding-start"
PROBE_ROUNDED = "soul-probe-rounded"
PROBE_WHERE = "soul-probe-where"
PROBE_WHERE_START = "soul-probe-where-start"
PROBE_HEAT = "soul-probe-heat"
PROBE_CKA_FORGET = "soul-probe-cka-forget"
PROBE_CKA_RETAIN = "soul-probe-cka-retain"
PROBE_CLIP = "soul-probe-clip"

LEARN = "soul-learn"
LEARN_STRIP = "soul-learn-strip"
LEARN_HIDDEN = "soul-learn-hidden"
LEARN_BACK = "soul-learn-back"
LEARN_NOTICE = "soul-learn-notice"
LEARN_LESSON = "soul-learn-lesson"
LEARN_PROGRESS = "soul-learn-progress"
LEARN_RESET = "soul-learn-reset"
LEARN_LEAD = "soul-learn-lead"
LEARN_PREDICT = "soul-learn-predict"
LEARN_ACTION = "soul-learn-action"
LEARN_SET_UP = "soul-learn-set-up"
LEARN_OPEN_TAB = "soul-learn-open-tab"
LEARN_CHECK = "soul-learn-check"
LEARN_FOUND = "soul-learn-found"
LEARN_LINK = "soul-learn-link"
LEARN_LAND = "soul-learn-land"
LEARN_LAND_NOTICE = "soul-learn-land-notice"
LEARN_CONTROLS = "soul-learn-controls"
LEARN_CHART = "soul-learn-chart"
LEARN_PLAYER = "soul-learn-player"
LEARN_SEEN = "soul-learn-seen"
LEARN_PATHS = "soul-learn-paths"
LEARN_GLOSSARY = "soul-learn-glossary"
LEARN_FIND = "soul-learn-find"

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
