"""What the browser gets beside Gradio's own: theme, style sheets, and the scripts of the page's head."""
