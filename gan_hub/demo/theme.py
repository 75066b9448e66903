"""The look of the page and the keys of the game: theme, style sheet and a script for the page's head."""

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
    button_large_text_weight="600",
    button_large_text_size="*text_md",
    button_large_padding="10px",
    block_shadow="none",
)

CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto !important; }
#head h1 { font-size: 1.9rem; line-height: 1.15; margin: .4rem 0 .3rem; letter-spacing: -.02em; }
#head h1 em { font-style: normal; color: var(--primary-500); }
#head p { max-width: 52rem; color: var(--body-text-color-subdued); }
#line { align-self: center; flex: 1 1 280px; min-width: 280px; }
#line p { color: var(--body-text-color-subdued); }
.picks button { min-height: 3.4rem; }
.status, .note p, p.note { color: var(--body-text-color-subdued); font-size: .9rem; }
.block.status .html-container { padding: 0; }

p.notice { white-space: pre-line; }

/* Small pictures, enlarged: pixels stay pixels. */
.px, .crisp img { image-rendering: pixelated; }
.crisp .image-frame img { width: 100%; height: auto; object-fit: contain !important; }
.crisp .image-container, .crisp .image-frame, .crisp .image-container button { width: 100%; height: auto; }
.crisp .grid-wrap { min-height: 0 !important; max-height: none !important; height: auto !important; }
.crisp .thumbnail-item { border-radius: 10px; overflow: hidden; aspect-ratio: auto; height: auto; display: flex;
    flex-direction: column; background: var(--block-background-fill); }
.crisp .thumbnail-item img { width: 100%; height: auto; aspect-ratio: auto 1; }
.crisp .caption-label { position: static; max-width: none; width: 100%; border: 0; text-align: center; font-size: .72rem;
    line-height: 1.25; padding: 3px 2px; white-space: normal; background: none; opacity: 1 !important; }
#sample-gallery .grid-container { grid-template-columns: repeat(auto-fill, minmax(94px, 1fr)) !important; }
#pool .grid-container { grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)) !important; }
.crisp .grid-container { grid-auto-rows: auto !important; }

.chosen-row { align-items: center; }
.chosen figure { margin: 0 auto; width: 148px; }
.chosen img { width: 100%; border-radius: 10px; display: block; }
.chosen figcaption { text-align: center; font-size: .85rem; padding-top: .3rem; }

/* mean(A) − mean(B) + mean(C) = nine pictures */
.equation { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: .6rem 1rem; padding: .8rem 0; }
.operand { width: 148px; text-align: center; }
.operand .letter { font-weight: 700; color: var(--primary-500); }
.operand .mean { width: 112px; height: 112px; object-fit: contain; border-radius: 10px; margin: 0 auto; display: block; }
.operand .caption { font-size: .8rem; color: var(--body-text-color-subdued); padding: .2rem 0; }
.operand .few { display: flex; flex-wrap: wrap; justify-content: center; gap: 3px; }
.operand .few img { width: 34px; height: 34px; object-fit: contain; border-radius: 4px; }
.operand .empty { border: 2px dashed var(--border-color-primary); border-radius: 10px; padding: 2rem .4rem;
    color: var(--body-text-color-subdued); font-size: .85rem; }
.operand.result { width: 312px; }
.sign { font-size: 2rem; font-weight: 300; }
.nine { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }
.nine img { width: 100%; border-radius: 8px; }
.nine .middle { outline: 3px solid var(--primary-500); outline-offset: 1px; }

/* The game: two cards, cut from one picture. */
#game { max-width: 620px; margin: 0 auto; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; }
.card { border: 3px solid var(--border-color-primary); border-radius: 14px; overflow: hidden; text-align: center; }
.card .half { aspect-ratio: var(--shape); background-image: var(--pair); background-size: 200% 100%; image-rendering: pixelated;
    cursor: pointer; }
.card .half.left { background-position: left; }
.card .half.right { background-position: right; }
.card .caption { padding: .35rem; font-weight: 600; }
.card.real { border-color: #16a34a; }
.card.fake { border-color: #d97706; border-style: dashed; }
.card.real .half, .card.fake .half { cursor: default; }
.verdict { text-align: center; font-size: 1.1rem; min-height: 3.4em; display: flex; flex-direction: column;
    justify-content: center; }
.good { color: #15803d; } .bad { color: #b91c1c; }
.dark .good { color: #4ade80; } .dark .bad { color: #f87171; }
.score { display: grid; grid-template-columns: repeat(5, 1fr); gap: 6px; text-align: center; }
.figure { display: flex; flex-direction: column; padding: .5rem .1rem; border-radius: 10px;
    border: 1px solid var(--border-color-primary); background: var(--block-background-fill); font-size: .78rem;
    line-height: 1.2; overflow-wrap: anywhere; hyphens: auto; }
.figure .number { font-size: 1.6rem; font-weight: 700; line-height: 1.1; }
.history { font-size: .85rem; padding-top: .6rem; overflow-wrap: anywhere; }
.history .who { display: inline-block; min-width: 7.5em; color: var(--body-text-color-subdued); }

footer .divider { display: none; }

@media (max-width: 480px) {
    .tab-container button { padding: 0 .45rem; font-size: .86rem; }
    #head h1 { font-size: 1.5rem; }
    .stage { flex-direction: column-reverse; }
    .chosen-row { flex-direction: column; }
    .operand { width: 86px; }
    .operand .mean { width: 84px; height: 84px; }
    .operand .few img { width: 26px; height: 26px; }
    .equation { gap: .35rem; }
    .sign { font-size: 1.2rem; }
    .score { grid-template-columns: repeat(3, 1fr); }
}
"""

# Arrow keys and N press the game's buttons while its tab is open; a click on one of its pictures does as well.
# Where arrows have a meaning already (text, sliders, tabs, radio buttons) they keep it.
# The style is here because Gradio confines its css= to what lies inside the page's frame, and this is the frame.
HEAD = """
<style>@media (max-width: 480px) { .gradio-container .main.app { padding: 14px !important; } }</style>
<script>
(() => {
    const busy = "input, textarea, select, [contenteditable=true], [role=slider], [role=tab], [role=listbox]";
    const press = (id) => {
        const button = document.getElementById(id);
        if (button && button.offsetParent !== null && !button.disabled) { button.click(); return true; }
        return false;
    };
    document.addEventListener("keydown", (event) => {
        if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.target instanceof Element && event.target.closest(busy)) return;
        const id = { ArrowLeft: "pick-left", ArrowRight: "pick-right", n: "next-round", N: "next-round" }[event.key];
        if (id && press(id)) event.preventDefault();
    });
    document.addEventListener("click", (event) => {
        const half = event.target instanceof Element && event.target.closest("[data-pick]");
        if (half) press("pick-" + half.dataset.pick);
    });
})();
</script>
"""
