// Arrow keys and N press the game's buttons while its tab is open; a click on one of its pictures does as well.
// Where arrows have a meaning already (text, sliders, radio buttons) they keep it.
(() => {
    const busy = "input, textarea, select, [contenteditable=true], [role=slider], [role=listbox]";
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
