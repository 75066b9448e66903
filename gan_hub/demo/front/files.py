"""The page's style sheets and scripts, gathered from its folders: those of the page first, then those of each tab."""

import json
from pathlib import Path

from gan_hub.demo.tabs import LEVELS
from gan_hub.demo.texts import TEXTS

FOLDER = Path(__file__).parent
# Gradio confines its css= to what lies inside the page's frame; this is the frame.
FRAME_STYLE = """
@media (max-width: 480px) { .gradio-container .main.app { padding: 14px !important; } }
#waiting { position: fixed; z-index: 9001; top: 10px; left: 50%; transform: translateX(-50%); padding: 6px 16px;
    border-radius: 999px; background: #1e293b; color: #fff; font: 600 14px system-ui, sans-serif;
    box-shadow: 0 2px 12px rgb(0 0 0 / 30%); }
#waiting[hidden] { display: none; }
"""
EARLY = "language.js"  # stands in the first HTML already, see first_page.py
SCRIPT_KEY = "js_"  # begins the keys of the texts that scripts use, see `ganHub.t`


def _own(suffix: str) -> list[str]:
    """The files of this folder with a suffix: the page's own first, since the others build on it."""
    files = [path for path in FOLDER.glob(f"*{suffix}") if path.name != EARLY]
    paths = sorted(files, key=lambda path: (path.stem != "page", path.name))
    return [path.read_text("utf-8") for path in paths]


def _texts(name: str) -> list[str]:
    """The files of a name in the folders of the tabs, in their order."""
    folders = [FOLDER.parent / "tabs" / tab.name for tabs in LEVELS.values() for tab in tabs]
    return [(folder / name).read_text("utf-8") for folder in folders if (folder / name).is_file()]


def css() -> str:
    """The style sheet of the page and its tabs."""
    return "\n".join([*_own(".css"), *_texts("style.css")])


def head() -> str:
    """What is added to the page's head: the scripts, and the tabs that they are about."""
    tabs = {
        "levels": {level: [tab.name for tab in tabs] for level, tabs in LEVELS.items()},
        "follows": [tab.name for tabs in LEVELS.values() for tab in tabs if tab.follows_model],
        "waiting": {chosen: [words["waiting_1"], words["waiting_n"]] for chosen, words in TEXTS.items()},
    }
    words = {
        chosen: {key: text for key, text in texts.items() if key.startswith(SCRIPT_KEY)}
        for chosen, texts in TEXTS.items()
    }
    scripts = [
        f"window.ganHubTabs = {json.dumps(tabs)};",
        f"window.ganHubTexts = {json.dumps(words)};",
        *_own(".js"),
        *_texts("script.js"),
    ]
    return f"<style>{FRAME_STYLE}</style>\n" + "\n".join(f"<script>\n{script}\n</script>" for script in scripts)
