"""The web page: one file a tab; app.py composes and serves them. The only room that imports gradio."""
