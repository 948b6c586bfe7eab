"""The queue: one worker runs one job at a time; anyone may watch. It knows no page."""

from soul_core.jobs.jobs import Jobs
from soul_core.jobs.view import JobView

__all__ = ["JobView", "Jobs"]
