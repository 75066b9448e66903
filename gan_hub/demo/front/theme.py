"""The look of the page: Gradio's theme with colours and sizes of our own."""

from gradio.themes import Default

# Only fonts that systems have already: a GoogleFont would be a request to another server.
THEME = Default(
    primary_hue="indigo",
    secondary_hue="indigo",
    neutral_hue="slate",
    radius_size="lg",
    font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "monospace"],
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_950",
    body_text_color_subdued="*neutral_600",  # 7.2 : 1 on this ground; Gradio's own has 2.5
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_400",
    color_accent="*primary_600",  # the open tab's name: 6 : 1; Gradio's own, 500, has 4.3, and page.css has that of the dark page
    button_primary_background_fill="*primary_600",  # 6.3 : 1 under white; Gradio's own has 4.46
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
    button_large_text_weight="600",
    button_large_text_size="*text_md",
    button_large_padding="10px",
    block_shadow="none",
)
