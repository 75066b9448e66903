// The groups of the tab "Arithmetic": which of them gets the clicks, what is dropped on them, and their letters in the pool.
(() => {
    "use strict";
    const radios = () => [...document.querySelectorAll("#active-group input")];
    const names = ["A", "B", "C"];  // in the order of the radio buttons
    let active = "A", dragged = null;

    function mark() {
        for (const group of document.querySelectorAll("#equation [data-group]")) {
            const isActive = group.dataset.group === active;
            group.classList.toggle("active", isActive);
            group.querySelector(".letter").setAttribute("aria-pressed", String(isActive));
        }
    }
    function choose(name) {
        radios()[names.indexOf(name)]?.click();  // its change event marks the group
    }

    document.addEventListener("change", (event) => {
        const place = radios().indexOf(event.target);
        if (place < 0) return;
        active = names[place];
        mark();
    });
    document.addEventListener("keydown", (event) => {
        const name = { 1: "A", 2: "B", 3: "C" }[event.key];
        const typing = event.target instanceof Element && event.target.closest("textarea, select, input:not([type=radio]):not([type=checkbox]):not([type=range])");
        const open = document.querySelector("#equation")?.offsetParent;
        if (!name || typing || !open || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        choose(name);
    });

    ganHub.equation = (element, trigger, watch) => {
        let focus = null;
        const send = (value) => trigger("select", { index: 0, value });
        ganHub.presses(element, (button) => {
            const { preset, seed } = button.dataset, group = button.closest("[data-group]")?.dataset.group;
            if (preset) send({ act: "preset", place: Number(preset) });
            else if (seed) {
                focus = group;
                send({ act: "take", group, seed: Number(seed) });
            } else choose(group);
        });
        element.addEventListener("click", (event) => {  // the whole card chooses its group
            const group = !event.target.closest("button") && event.target.closest("[data-group]");
            if (group) choose(group.dataset.group);
        });
        element.addEventListener("dragover", (event) => {
            const over = dragged !== null && event.target.closest("[data-group]");
            for (const group of element.querySelectorAll("[data-group]")) group.classList.toggle("over", group === over);
            if (over) event.preventDefault();
        });
        element.addEventListener("drop", (event) => {
            const group = event.target.closest("[data-group]");
            if (dragged === null || !group) return;
            event.preventDefault();
            choose(group.dataset.group);
            send({ act: "drop", group: group.dataset.group, place: dragged });
        });
        watch("value", () => {
            mark();
            if (focus) element.querySelector(`[data-group="${focus}"] .few button, [data-group="${focus}"] .letter`)?.focus({ preventScroll: true });
            focus = null;
        });
        mark();
    };

    // The letters stand apart from the pictures: a click changes a few of them, and the pictures stay as they are.
    ganHub.marks = (element, watch) => {
        const pool = document.getElementById("pool");
        function show() {
            const letters = JSON.parse(element.querySelector("[data-marks]")?.dataset.marks || "{}");
            for (const picture of pool.querySelectorAll("[data-index]")) {
                const mine = letters[picture.dataset.index] || "";
                if ((picture.dataset.letters || "") === mine && picture.hasAttribute("aria-pressed")) continue;
                picture.setAttribute("aria-pressed", String(Boolean(mine)));
                picture.classList.toggle("pressed", Boolean(mine));
                if (mine) picture.dataset.letters = mine; else delete picture.dataset.letters;
                picture.querySelector(".letters")?.remove();
                const text = Object.assign(document.createElement("span"), { className: "letters", textContent: mine ? ` ${mine}` : "" });
                if (mine) picture.querySelector(".caption").append(text);
            }
        }
        pool.addEventListener("dragstart", (event) => {
            const picture = event.target.closest("[data-index]");
            if (!picture) return;
            dragged = Number(picture.dataset.index);
            // The groups may have been scrolled out of sight. Later: a page that changes at once ends the drag.
            setTimeout(() => { document.getElementById("equation").classList.toggle("awaits", dragged !== null); });
        });
        document.addEventListener("dragend", () => {
            dragged = null;
            document.getElementById("equation").classList.remove("awaits");
            document.querySelectorAll("#equation .over").forEach((group) => group.classList.remove("over"));
        });
        new MutationObserver(show).observe(pool, { childList: true, subtree: true });
        watch("value", show);
        show();
    };
})();
