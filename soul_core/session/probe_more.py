"""Every probe of a run but lens and attacks, under one roof for page and command line. It knows none from inside."""

from soul_core.session.inspection import inspect_run
from soul_core.session.probe_verdict import verdicts_of_run
from soul_core.session.relearning import relearn_run
from soul_core.session.rounding import round_run

__all__ = ["inspect_run", "relearn_run", "round_run", "verdicts_of_run"]
