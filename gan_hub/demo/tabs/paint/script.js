// The canvas of the tab "Paint": tools, a palette, undo, and a map that travels as text (see maps.py) in the component's value.
window.ganHub.painter = (() => {
    "use strict";
    const SIZES = [1, 3, 5, 9], MOST_STEPS = 60, LIVE = 300;  // brushes in pixels; steps of undo; ms between pictures of a stroke
    const TOOLS = { brush: "b", rectangle: "r", fill: "f" };

    // -------------------------------------------------------------------------------------- maps as text

    function encode(cells, width, height) {
        const lines = [];
        for (let y = 0; y < height; y++) {
            const runs = [];
            for (let x = 0; x < width;) {
                const start = x, number = cells[y * width + x];
                while (x < width && cells[y * width + x] === number) x++;
                runs.push(x === width ? String(number) : `${number}x${x - start}`);
            }
            const line = runs.join("_"), last = lines[lines.length - 1];
            if (last && last[0] === line) last[1]++;
            else lines.push([line, 1]);
        }
        return lines.map(([line, count]) => (count === 1 ? line : `${line}~${count}`)).join(".");
    }

    function decode(text, width, height) {
        const cells = new Uint8Array(width * height);
        let y = 0;
        for (const part of text.split(".")) {
            const [line, count] = part.split("~"), row = new Uint8Array(width);
            let x = 0;
            for (const run of line.split("_")) {
                const [number, length] = run.split("x").map(Number);
                const end = length ? x + length : width;
                row.fill(number, x, end);
                x = end;
            }
            for (let times = Number(count || 1); times > 0 && y < height; times--, y++) cells.set(row, y * width);
        }
        return cells;
    }

    // --------------------------------------------------------------------------------------- shapes on maps

    function stamp(map, x, y, size, number) {
        const radius = size / 2, from = Math.floor(size / 2);
        for (let dy = -from; dy <= from; dy++) for (let dx = -from; dx <= from; dx++) {
            const inside = dx * dx + dy * dy <= radius * radius && x + dx >= 0 && x + dx < map.width;
            if (inside && y + dy >= 0 && y + dy < map.height) map.cells[(y + dy) * map.width + x + dx] = number;
        }
    }

    function line(map, from, to, size, number) {
        const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
        for (let step = 0; step <= steps; step++) {
            const share = step / steps;
            stamp(map, Math.round(from.x + (to.x - from.x) * share), Math.round(from.y + (to.y - from.y) * share), size, number);
        }
    }

    function rectangle(map, from, to, number) {
        const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
        for (let y = Math.min(from.y, to.y); y <= Math.max(from.y, to.y); y++)
            map.cells.fill(number, y * map.width + left, y * map.width + right + 1);
    }

    function flood(map, place, number) {
        const { cells, width, height } = map, old = cells[place.y * width + place.x], waiting = [place.y * width + place.x];
        if (old === number) return;
        while (waiting.length) {
            const at = waiting.pop();
            if (cells[at] !== old) continue;
            cells[at] = number;
            if (at % width > 0) waiting.push(at - 1);
            if (at % width < width - 1) waiting.push(at + 1);
            if (at >= width) waiting.push(at - width);
            if (at < width * (height - 1)) waiting.push(at + width);
        }
    }

    // ------------------------------------------------------------------------------------------ the component

    function make(tag, attributes = {}, ...children) {
        const node = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
        node.append(...children);
        return node;
    }

    return (element, props, trigger, watch) => {
        const map = { cells: new Uint8Array(0), width: 0, height: 0 };
        let tool = "brush", size = 3, chosen = 2, undo = [], redo = [], colors = [], words = {}, titles = [];
        let stroke = null, cursor = { x: 0, y: 0 }, sent = 0, timer = 0, parts = null;

        function show() {
            const context = parts.canvas.getContext("2d"), image = context.createImageData(map.width, map.height);
            map.cells.forEach((number, at) => image.data.set([...(colors[number] || [0, 0, 0]), 255], at * 4));
            context.putImageData(image, 0, 0);
            parts.undo.disabled = !undo.length;
            parts.redo.disabled = !redo.length;
        }

        function send() {
            clearTimeout(timer);
            timer = 0;
            sent = Date.now();
            props.value = { ...props.value, map: encode(map.cells, map.width, map.height) };
            trigger("input");
        }

        function sendSoon() {
            if (!timer) timer = setTimeout(send, Math.max(0, sent + LIVE - Date.now()));
        }

        function remember() {
            undo.push(map.cells.slice());
            if (undo.length > MOST_STEPS) undo.shift();
            redo = [];
        }

        function step(from, to) {
            if (!from.length) return;
            to.push(map.cells.slice());
            map.cells = from.pop();
            show();
            send();
        }

        function clear() {
            remember();
            map.cells.fill(0);
            show();
            send();
        }

        function begin(place) {
            remember();
            stroke = { from: place, last: place, before: map.cells.slice() };
            if (tool === "fill") flood(map, place, chosen);
            move(place);
        }

        function move(place) {
            if (tool === "brush") line(map, stroke.last, place, size, chosen);
            if (tool === "rectangle") {
                map.cells.set(stroke.before);
                rectangle(map, stroke.from, place, chosen);
            }
            stroke.last = place;
            show();
            if (tool === "brush") sendSoon();
        }

        function end() {
            stroke = null;
            send();
        }

        function cancel() {
            if (!stroke) return;
            map.cells.set(stroke.before);
            undo.pop();
            stroke = null;
            show();
            send();
        }

        function placeOf(event) {
            const box = parts.canvas.getBoundingClientRect();
            const at = (value, start, length, count) =>
                Math.min(count - 1, Math.max(0, Math.floor(((value - start) / length) * count)));
            return { x: at(event.clientX, box.left, box.width, map.width), y: at(event.clientY, box.top, box.height, map.height) };
        }

        function point(place) {
            cursor = place;
            const side = tool === "brush" ? size : 1, half = Math.floor(side / 2);
            const share = (value, count) => `${(100 * value) / count}%`;
            Object.assign(parts.cursor.style, {
                display: "block", left: share(place.x - half, map.width), top: share(place.y - half, map.height),
                width: share(side, map.width), height: share(side, map.height), borderRadius: side > 1 ? "50%" : "0",
            });
        }

        function press(buttons, isPressed) {
            buttons.forEach((button) => button.setAttribute("aria-pressed", String(isPressed(button))));
        }

        function choose(what, value) {
            if (what === "tool") tool = value;
            if (what === "size") [size, tool] = [value, "brush"];
            if (what === "class") chosen = value;
            press(parts.tools, (button) => button.dataset.tool === tool);
            press(parts.sizes, (button) => tool === "brush" && Number(button.dataset.size) === size);
            press(parts.classes, (button) => Number(button.dataset.number) === chosen);
        }

        function keydown(event) {
            const key = event.key.toLowerCase(), far = event.shiftKey ? 8 : 1;
            if (event.altKey) return;
            if (event.ctrlKey || event.metaKey) {
                if (key !== "z" && key !== "y") return;
                if (key === "y" || event.shiftKey) step(redo, undo);
                else step(undo, redo);
            } else if (key.startsWith("arrow")) {
                const by = { arrowleft: [-far, 0], arrowright: [far, 0], arrowup: [0, -far], arrowdown: [0, far] }[key];
                const place = {
                    x: Math.min(map.width - 1, Math.max(0, cursor.x + by[0])),
                    y: Math.min(map.height - 1, Math.max(0, cursor.y + by[1])),
                };
                if (stroke) move(place);
                point(place);
                parts.place.textContent = `${place.x + 1}, ${place.y + 1}: ${titles[map.cells[place.y * map.width + place.x]]}`;
            } else if (key === " " || key === "enter") {
                if (stroke) end();
                else begin(cursor);
                if (stroke && tool !== "rectangle") end();  // a rectangle waits for its other corner
            } else if (key === "escape") {
                cancel();
            } else if (key === "+" || key === "-") {
                choose("class", (chosen + (key === "+" ? 1 : colors.length - 1)) % colors.length);
                parts.place.textContent = titles[chosen];
            } else {
                const named = Object.keys(TOOLS).find((name) => TOOLS[name] === key);
                if (!named) return;
                choose("tool", named);
            }
            event.preventDefault();
            event.stopPropagation();
        }

        function listen(canvas) {
            canvas.addEventListener("pointerdown", (event) => {
                if (event.button || stroke) return;
                canvas.setPointerCapture(event.pointerId);
                point(placeOf(event));
                begin(cursor);
            });
            canvas.addEventListener("pointermove", (event) => {
                point(placeOf(event));
                if (stroke && canvas.hasPointerCapture(event.pointerId)) move(cursor);
            });
            canvas.addEventListener("pointerup", () => { if (stroke) end(); });
            canvas.addEventListener("pointercancel", cancel);
            canvas.addEventListener("pointerleave", () => { if (!stroke) parts.cursor.style.display = "none"; });
            canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) point(cursor); });
            canvas.addEventListener("blur", () => { parts.cursor.style.display = "none"; });
            canvas.addEventListener("keydown", keydown);
        }

        function button(text, attributes, pressed) {
            const node = make("button", { type: "button", ...attributes }, text);
            node.addEventListener("click", pressed);
            return node;
        }

        function build(value) {
            const canvas = make("canvas", { width: map.width, height: map.height, tabindex: 0, role: "application" });
            canvas.setAttribute("aria-label", words.help);
            parts = { canvas, cursor: make("div", { class: "cursor", style: "display: none" }) };
            parts.tools = Object.keys(TOOLS).map((name) => button(words[name], { "data-tool": name }, () => choose("tool", name)));
            parts.sizes = SIZES.map((wide) => {
                const dot = make("i", { style: `width: ${4 + 2 * wide}px; height: ${4 + 2 * wide}px` });
                const label = words.brush_size.replace("{size}", wide);
                return button(dot, { class: "size", "data-size": wide, "aria-label": label }, () => choose("size", wide));
            });
            parts.undo = button(words.undo, {}, () => step(undo, redo));
            parts.redo = button(words.redo, {}, () => step(redo, undo));
            parts.classes = value.classes.map(({ title, color }, number) => {
                const swatch = make("span", { class: "swatch", style: `background: rgb(${color.join(" ")})` });
                const node = button(swatch, { "data-number": number }, () => choose("class", number));
                node.append(title);
                return node;
            });
            parts.place = make("p", { class: "place", role: "status", "aria-live": "polite" });
            const bar = (label, nodes, kind = "") => make("div", { class: `bar ${kind}`, role: "group", "aria-label": label }, ...nodes);
            element.firstElementChild.replaceChildren(
                make("div", {},
                    bar(words.tools, [...parts.tools, ...parts.sizes]),
                    bar(words.palette, parts.classes, "classes"),
                    bar(words.undo, [parts.undo, parts.redo, button(words.clear, {}, clear)])),
                make("div", { class: "sheet" }, canvas, parts.cursor),
                parts.place,
            );
            listen(canvas);
        }

        function adopt() {
            const value = props.value;
            if (!value || !value.classes) return;  // a link's map, which the server completes
            const same = parts && JSON.stringify(value.classes) === JSON.stringify(titles.map((title, n) => ({ title, color: colors[n] })));
            const cells = decode(value.map, value.width, value.height);
            if (!same || map.width !== value.width || map.height !== value.height) {
                [map.width, map.height, words] = [value.width, value.height, value.words];
                [titles, colors] = [value.classes.map((each) => each.title), value.classes.map((each) => each.color)];
                [undo, redo, map.cells] = [[], [], cells];
                build(value);
                choose("class", Math.min(chosen, colors.length - 1));
            } else if (cells.some((number, at) => number !== map.cells[at])) {
                remember();
                map.cells = cells;
            }
            show();
        }

        watch("value", adopt);
        adopt();
    };
})();
