"""The web page: one file a tab, plus models, validation, pictures, look and texts. Only app.py imports this room."""
