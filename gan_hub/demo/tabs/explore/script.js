// The plane: a sheet of pictures to move over without asking the server, which draws exactly where one stops.
Object.assign(window.ganHub, (() => {
    "use strict";
    const { make, t } = window.ganHub;
    const STOP = 220;  // milliseconds without a move
    let exactOf = null, move = null;

    function plane(element, props, trigger, watch) {
        const place = element.querySelector(".plane");
        const sheet = new Image(), canvas = make("canvas", { class: "px", width: 64, height: 64, role: "img" });
        const context = canvas.getContext("2d");
        const cross = make("span", { class: "cross" });
        const square = make("div", { class: "square", role: "slider", tabindex: "0", "aria-label": t("plane"), "aria-valuemin": 0, "aria-valuemax": 100 });
        const caption = make("p", { class: "plane-caption", "aria-hidden": "true" });
        const more = make("button", { type: "button", class: "plane-more", disabled: true }, t("large"));
        const around = make("div", { class: "corners" });
        let x = 0.5, y = 0.5, timer = null, cell = -1, shown = null;

        place.append(
            make("div", { class: "plane-map" }, square, around),
            make("div", { class: "plane-large" }, canvas, caption, more),
        );

        // Shows the picture of the sheet that is nearest to the place.
        function look() {
            cross.style.left = `${100 * x}%`;
            cross.style.top = `${100 * y}%`;
            const side = props.value?.side;
            if (!side || !sheet.complete || !sheet.naturalWidth) return;
            const column = Math.round(x * (side - 1)), row = Math.round(y * (side - 1)), next = row * side + column;
            if (next === cell) return;
            cell = next;
            const width = sheet.naturalWidth / side, height = sheet.naturalHeight / side;
            if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
            context.drawImage(sheet, column * width, row * height, width, height, 0, 0, width, height);
        }

        function say() {
            const values = { across: Math.round(100 * x), down: Math.round(100 * y) };
            caption.textContent = t("place", values);
            canvas.setAttribute("aria-label", t("place", values));
            square.setAttribute("aria-valuenow", values.across);
            square.setAttribute("aria-valuetext", t("place", values));
        }

        function stop() {
            clearTimeout(timer);
            timer = setTimeout(() => {
                say();
                trigger("submit", { x, y });
            }, STOP);
        }

        move = (toX, toY) => {
            x = Math.min(1, Math.max(0, toX));
            y = Math.min(1, Math.max(0, toY));
            shown = null;
            more.disabled = true;
            look();
            stop();
        };

        function follow(event) {
            const box = square.getBoundingClientRect();
            move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
        }

        square.addEventListener("pointerdown", (event) => {
            square.setPointerCapture?.(event.pointerId);
            follow(event);
        });
        square.addEventListener("pointermove", (event) => { if (event.buttons || event.pointerType === "touch") follow(event); });
        square.addEventListener("keydown", (event) => {
            const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
            if (!step) return;
            event.preventDefault();
            event.stopPropagation();
            const by = event.shiftKey ? 5 : 1, side = (props.value?.side || 15) - 1;
            move(x + (by * step[0]) / side, y + (by * step[1]) / side);
        });
        more.addEventListener("click", () => { if (shown) window.ganHub.enlarge([shown], 0); });

        function corner(item, index) {
            const made = make("button", { type: "button", class: "picture", "aria-label": t("corner", { seed: item.seed }) },
                make("img", { class: "px", src: item.src, alt: "" }), make("span", { class: "caption" }, `${item.seed} ↻`));
            made.addEventListener("click", () => trigger("input", { corner: index }));
            return made;
        }

        function fill() {
            const value = props.value;
            if (!value) return;
            sheet.onload = () => {
                cell = -1;
                if (!shown) look();
                if (!value.is_fine) trigger("select", { index: 0, value: null });
            };
            sheet.src = value.src;
            const map = make("img", { class: "sheet px", src: value.src, alt: "" });
            const [across, up] = value.ends;
            const end = (name, text) => make("span", { class: `end ${name}`, "aria-hidden": "true" }, text);
            square.replaceChildren(map, cross, ...(up ? [end("left", across[0]), end("right", across[1]), end("bottom", up[0]), end("top", up[1])] : []));
            const focused = around.contains(document.activeElement) ? [...around.children].indexOf(document.activeElement) : -1;
            if (up) {
                const other = make("button", { type: "button", class: "other" }, `↻ ${t("base")}`);
                other.addEventListener("click", () => trigger("input", { corner: 0 }));
                around.replaceChildren(other);
            } else around.replaceChildren(...value.corners.map(corner));
            if (focused >= 0) around.children[focused]?.focus({ preventScroll: true });
        }

        exactOf = (item) => {
            if (!item.asked) [x, y] = [item.x, item.y];  // of a link, or of another plane
            if (Math.abs(item.x - x) > 0.001 || Math.abs(item.y - y) > 0.001) return;  // one has moved on
            const image = new Image();
            image.onload = () => {
                if (Math.abs(item.x - x) > 0.001 || Math.abs(item.y - y) > 0.001) return;
                canvas.width = image.naturalWidth;
                canvas.height = image.naturalHeight;
                context.drawImage(image, 0, 0);
                [shown, cell] = [item, -1];
                more.disabled = false;
                say();
            };
            image.src = item.src;
            look();
        };
        watch("value", fill);
        fill();
        say();
    }

    function planeExact(props, watch) {
        const show = () => { if (props.value) exactOf?.(props.value); };
        watch("value", show);
        show();
    }

    return { plane, planeExact, planeMove: (x, y) => move?.(x, y) };
})());
