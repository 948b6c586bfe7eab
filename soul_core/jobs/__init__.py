"""The queue: one worker runs one job at a time; anyone may watch. It knows no page."""
