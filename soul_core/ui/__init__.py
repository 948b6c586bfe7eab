"""The Gradio page: text, figures, view models, panels. Nothing below it knows that it exists."""
