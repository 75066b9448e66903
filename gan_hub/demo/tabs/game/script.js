// Arrow keys, N and W press the game's buttons while its tab is open; a click on one of its pictures does as well.
// Where arrows have a meaning already (text, sliders, radio buttons) they keep it.
window.ganHubGame = (() => {
    "use strict";
    const busy = "input:not([type=checkbox]), textarea, select, [contenteditable=true], [role=slider], [role=listbox]";
    const keys = { ArrowLeft: "pick-left", ArrowRight: "pick-right", n: "next-round", w: "why" };
    const press = (id) => {
        const button = document.getElementById(id);
        if (button && button.offsetParent !== null && !button.disabled) { button.click(); return true; }
        return false;
    };
    let chosen = null;  // what of the game's form a pointer pressed last: after that, arrows are for the pair again
    document.addEventListener("pointerdown", (event) => {
        chosen = event.target instanceof Element && event.target.closest("#game-kind, #game-level, #todays-ten, #start-over");
    });
    document.addEventListener("keydown", (event) => {
        chosen = null;
        if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.target instanceof Element && event.target.closest(busy)) return;
        const id = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
        if (id && press(id)) event.preventDefault();
    });
    document.addEventListener("click", (event) => {
        if (!(event.target instanceof Element)) return;
        const half = event.target.closest("[data-pick]"), action = event.target.closest("[data-sheet-do]");
        if (half) press("pick-" + half.dataset.pick);
        if (action) actions[action.dataset.sheetDo](action.closest(".sheet"), action);
    });

    // A button that was pressed and cannot be pressed any more loses the focus, which then stands at the start of the page.
    function keepFocus(element) {
        const active = document.activeElement;
        const isLost = active === document.body || ["pick-left", "pick-right", "next-round"].includes(active?.id);
        if ((!isLost && !chosen?.contains(active)) || element.offsetParent === null) return;
        chosen = null;
        element.querySelector(".pair, .sheet")?.focus({ preventScroll: true });
    }

    function table(element, watch) {
        watch("value", () => {
            keepFocus(element);
            const share = element.querySelector('[data-sheet-do="share"]');
            if (share) share.hidden = !navigator.canShare?.({ files: [new File([], "a.png", { type: "image/png" })] });
        });
    }

    // --------------------------------------------------------------------------------- the sheet as a picture

    const font = (size, weight = 400) => `${weight} ${size}px system-ui, sans-serif`;

    function paint(sheet) {
        const words = JSON.parse(sheet.dataset.sheet);
        const figures = [...sheet.querySelectorAll("figure")];
        const width = 1080, columns = 2, gap = 24, margin = 48, head = 190, below = 44;
        const side = (width - 2 * margin - (columns - 1) * gap) / columns;
        const first = figures[0].querySelector("img");
        const high = Math.round(side * first.naturalHeight / first.naturalWidth);
        const rows = Math.ceil(figures.length / columns);
        const canvas = document.createElement("canvas");
        canvas.width = width;
        canvas.height = head + rows * (high + below + gap) + margin;
        const pen = canvas.getContext("2d");
        pen.fillStyle = "#ffffff";
        pen.fillRect(0, 0, canvas.width, canvas.height);
        pen.textBaseline = "alphabetic";
        const write = (text, x, y, style, color, align = "left", room = width - 2 * margin) => {
            pen.font = style;
            pen.fillStyle = color;
            pen.textAlign = align;
            pen.fillText(text, x, y, room);
        };
        write(words.title, margin, 70, font(30, 600), "#475569");
        write(words.score, margin, 120, font(42, 700), "#0f172a");
        write(words.under + "   " + words.marks, margin, 160, font(24), "#475569");
        pen.imageSmoothingEnabled = false;
        figures.forEach((figure, index) => {
            const x = margin + (index % columns) * (side + gap), y = head + Math.floor(index / columns) * (high + below + gap);
            pen.drawImage(figure.querySelector("img"), x, y, side, high);
            const [left, right] = figure.querySelectorAll(".halves span"), isRight = figure.classList.contains("good");
            for (const [half, middle] of [[left, 0.25], [right, 0.75]]) {
                const isAnswer = half.classList.contains("answer");
                write(half.innerText, x + side * middle, y + high + 28, font(18, isAnswer ? 700 : 400), "#0f172a", "center",
                    side / 2 - 8);
            }
            pen.strokeStyle = isRight ? "#15803d" : "#b91c1c";
            pen.lineWidth = 4;
            pen.setLineDash(isRight ? [] : [12, 8]);
            pen.strokeRect(x - 2, y - 2, side + 4, high + 4);
        });
        return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    }

    const text = (sheet) => {
        const words = JSON.parse(sheet.dataset.sheet);
        return [`${words.title} ${words.score}`, words.marks, words.under, location.href].join("\n");
    };

    const actions = {
        again: () => press("start-over"),
        async save(sheet) {
            const link = document.createElement("a");
            link.href = URL.createObjectURL(await paint(sheet));
            link.download = "real-or-fake.png";
            link.click();
            setTimeout(() => URL.revokeObjectURL(link.href), 10000);
        },
        async share(sheet) {
            const file = new File([await paint(sheet)], "real-or-fake.png", { type: "image/png" });
            await navigator.share({ files: [file], text: text(sheet) }).catch(() => {});  // who closes the menu is no failure
        },
        async copy(sheet, button) {
            const area = document.createElement("textarea");  // the clipboard's own call needs a safe connection
            area.value = text(sheet);
            document.body.append(area);
            area.select();
            const done = document.execCommand("copy");
            area.remove();
            button.focus({ preventScroll: true });
            if (done) button.dataset.done = "true";
        },
    };
    return { table };
})();
