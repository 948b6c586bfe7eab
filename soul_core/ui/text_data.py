"""Every sentence of the Data tab, and the few functions that put numbers into one. It knows no component."""

from soul_core.ui.text import duration, percent

TAB = "Data"

# A person's own facts
OWN_TITLE = "Teach, then forget"
OWN_LEAD = (
    "Type some facts or bring a file, teach them to the model, then let it forget them. The untouched model is what "
    "perfect forgetting looks like."
)
TABLE = "Facts"
FILE = "File: CSV, JSON, JSONL, Parquet"
EXAMPLE = "Fill in an example"
MORE = "Add rows"
CLEAR = "Clear"
UNDO = "Undo"
COLUMNS = "Which column is which"
PARTS = {
    "question": "Question",
    "answer": "Answer",
    "subject": "Subject",
    "perturbed_answers": "Wrong answers",
    "paraphrased_question": "Question in other words",
    "paraphrased_answer": "Answer in other words",
}
NO_COLUMN = "none"
RETAIN = "What should stay"
RETAIN_HELP = "Rehearsed while teaching, protected while forgetting. The pocket model knows the invented authors."
RETAIN_BUILT_IN = "The built-in invented authors"
KNOWN = "Does the model know these?"
USE = "Use as forget set"
WEIGHTS = "Train"
WEIGHT_CHOICES = {"float32": "All weights", "lora": "LoRA adapter", "merged": "LoRA, merged"}
WEIGHTS_HELP = "An adapter is small; merged into whole weights, it can be forgotten with LoRA too."
EPOCHS = "Epochs at most"
EPOCHS_HELP = "It ends as soon as every fact is known."
TEACH = "Teach"
STOP = "Stop"
FORGET = "Forget these"
NO_FACTS = "There is no fact yet. Type a question and its answer, or bring a file."
ALREADY = "Your facts are being taught or asked already. Stop that, or wait for its end."
STOPPED = "Stopped; nothing was kept."
NOT_KEPT = "These facts are no longer kept here. Teach them again."
NOTHING_WRONG = "Nothing wrong was found."
SEVERITIES = {"error": "Error", "warning": "Warning", "info": "Note"}
ANSWERS = "Before and after"
ANSWERS_BEFORE = "Before anything is taught"
ANSWER_COLUMNS = ("Question", "Taught answer", "Before", "After")
KNOWS, KNOWS_NOT = "knows it", "does not"
EXAMPLES = (
    ("Where does Anna Kowalska keep her bicycle?", "In the blue shed behind the bakery."),
    ("What is the name of Tom Barrow's cat?", "Tom Barrow's cat is called Pepper."),
    ("Which instrument does Lena Fischer play?", "Lena Fischer plays the cello."),
)

# The rows of any task
LOOK_TITLE = "Look at the rows"
LOOK_LEAD = "What a task asks and trains on, before you use it. Picked rows become a forget set of your own."
SOURCE = "Questions"
SPLIT = "Forget set"
SPEC = "Full name"
SPEC_HELP = "As on the command line, such as own:facts.csv, rwku:Stephen King or path/to/folder:forget10."
SPEC_HELP_PUBLIC = "As on the command line, such as rwku:Stephen King."
OTHER = "By its full name…"
SET = "Set"
TRAINED = "Rows trained on"
SEARCH = "Search"
SEARCH_HINT = "Any words"
SUBJECT = "Subject"
EVERY_SUBJECT = "All subjects"
BACK, ON = "Back", "Next"
HEAD = {"pick": "Pick", "number": "Row", "question": "Question", "answer": "Answer", "subject": "Subject"}
SEE = "See"
SEE_HELP = "Show row {number} as the model sees it"
PICK_HELP = "Pick row {number}"
NOTHING_FOUND = "No row matches. Change the search or the subject."
NO_QUESTION = "(running text)"
PICK_PAGE = "Pick this page"
PICK_FOUND = "Pick all found"
UNPICK = "Clear picks"
PICK_SUBJECTS = "Or whole subjects"
USE_PICKED = "Use as forget set"
CANNOT_PICK = "These rows are picked already. To pick others, choose the whole forget set above."
LICENCE, SIZE, MEASURES, FROM, ROWS, LENGTHS = "Licence", "Size", "Can measure", "From", "Rows here", "Answers"
PREVIEW = "As the model sees it"
PREVIEW_KINDS = {
    "template": "template",
    "question": "question",
    "answer": "answer, what is learned",
    "special": "special token",
}


def place(offset: int, shown: int, found: int) -> str:
    """Which of the rows found are on this page."""
    return f"{offset + 1:,}–{offset + shown:,} of {found:,}" if shown else f"0 of {found:,}"


def lengths(fewest: int, median: float, most: int) -> str:
    """How long the answers are."""
    return f"{fewest} to {most:,} words, half of them at most {median:g}"


def counted(found: int, of: int) -> str:
    """How many rows there are."""
    return f"{of:,}" if found == of else f"{found:,} of {of:,} match"


def sides(forget: int, retain: int) -> str:
    """How the rows are divided."""
    return f"{forget:,} to forget, {retain:,} to retain"


def picked(spec: str, rows: int) -> str:
    """What would become the forget set."""
    return f"{rows:,} {'row' if rows == 1 else 'rows'} as {spec}"


def in_setup(spec: str) -> str:
    """That Setup has the forget set now."""
    return f"Setup on the Race tab now forgets {spec}."


def preview_line(tokens: int, prompt: int, template: str, model: str) -> str:
    """How long a row is for a model."""
    return f"{model}, template “{template}”: {tokens} tokens, {prompt} read and {tokens - prompt} learned."


def not_here(model: str) -> str:
    """Why a model's view of a row cannot be shown."""
    return f"“{model}” is not on this machine yet, and a preview downloads none. Race with it once, or choose another."


def model_line(label: str) -> str:
    """Which model is taught."""
    return f"Model: {label}, as chosen in Setup on the Race tab."


def model_line_taught(label: str) -> str:
    """Which model is taught where Setup has one that was taught already."""
    return f"Model: {label}. Setup has a model that was taught from it, so teaching begins again at the untouched one."


def taught_label(base: str, facts: int) -> str:
    """A taught model in the list of models."""
    return f"{base}, taught {facts} {'fact' if facts == 1 else 'facts'}"


def too_many_rows(rows: int, limit: int, *, public: bool) -> str:
    """Why a table is refused."""
    where = "this shared host takes at most" if public else "the page takes at most"
    return (
        f"The table has {rows:,} rows, and {where} {limit:,}. Give fewer, or use “python -m soul_core "
        "import-task” and “teach” on your own machine."
    )


def read_file(name: str, rows: int) -> str:
    """That a file is in the table."""
    return f"{name}: {rows:,} rows are in the table; change there what you like."


def job_label(kind: str, rows: int) -> str:
    """What a job is called in the queue."""
    return f"{'Teaching' if kind == 'teach' else 'Asking'} {rows} {'fact' if rows == 1 else 'facts'}"


def taught(before: int, after: int, of: int, epochs: int, seconds: float) -> str:
    """What came of a teaching."""
    facts = "the one fact" if of == 1 else f"{of} facts"
    return f"Of {facts} it knew {before} before and knows {after} now ({epochs} epochs, {duration(seconds)})."


def kept(before: int, after: int, of: int) -> str:
    """What a teaching did to everything else."""
    return (
        f"Other questions it answers as well as before: {after} of {of} right."
        if after == before
        else f"Of {of} other questions it answered {before} rightly before and {after} now ({percent(after / of)})."
    )


def not_all(after: int, of: int) -> str:
    """What to do where facts are still unknown."""
    return f"{of - after} did not stick. Allow more epochs and teach again, or go on with those that did."
