"""The page on a Hugging Face Space, and `python app.py [--model NAME_OR_ID] [--port N] [--share]`."""

from gan_hub.imports import collector_paused

with collector_paused():
    from gan_hub.demo.app import compose, main

# A Space and tests import the page under this name; run as a script it is composed after the flags are read.
demo = main() if __name__ == "__main__" else compose()
