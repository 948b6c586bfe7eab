"""Keeps the browser free while events stream: one place is marked as busy for all. It knows no event by itself."""

import gradio as gr


def hush(page: gr.Blocks, place: gr.components.Component) -> None:
    """Give all events that show no progress one place to mark, once the page is built.

    At every message of any event Gradio's page updates the mark of each component that an event ever had as an
    output, shown or not, and for that copies its value and those of everything inside it. With hundreds of components
    this takes the browser longer than the time between two messages of a race.

    Args:
        page: The whole page.
        place: A component without value and children to speak of.
    """
    for listener in page.fns.values():
        if listener.show_progress == "hidden":
            listener.show_progress_on = [place]
