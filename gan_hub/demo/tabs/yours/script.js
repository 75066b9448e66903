// A picture of the visitor's own: read, cropped and scaled in the browser. Only the cut-out is sent, as a small data URI.
window.ganHub.ownPicture = (() => {
    "use strict";
    const MOST_FILE = 60e6, MOST_URI = 85000, MOST_ZOOM = 8;  // bytes, characters, times

    function make(tag, attributes = {}, ...children) {
        const node = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
        node.append(...children);
        return node;
    }

    // A large picture is halved until it is near its goal: browsers smooth over few pixels only.
    function scaled(picture, part, width, height) {
        let source = picture, { x, y, w, h } = part;
        for (;;) {
            const last = w / 2 < width || h / 2 < height;
            const canvas = make("canvas", { width: last ? width : Math.round(w / 2), height: last ? height : Math.round(h / 2) });
            const context = canvas.getContext("2d");
            context.imageSmoothingQuality = "high";
            context.fillStyle = "#fff";
            context.fillRect(0, 0, canvas.width, canvas.height);
            context.drawImage(source, x, y, w, h, 0, 0, canvas.width, canvas.height);
            if (last) return canvas;
            [source, x, y, w, h] = [canvas, 0, 0, canvas.width, canvas.height];
        }
    }

    function asUri(canvas) {
        const png = canvas.toDataURL("image/png");
        return png.length <= MOST_URI ? png : [0.92, 0.8, 0.6].map((q) => canvas.toDataURL("image/jpeg", q)).find((u) => u.length <= MOST_URI);
    }

    return (element, props, trigger, watch) => {
        let picture = null, center = { x: 0, y: 0 }, zoom = 1, dragged = null, parts = null, shape = "";

        function part() {
            const { width, height } = props.value;
            const scale = Math.min(picture.width / width, picture.height / height) / zoom, w = width * scale, h = height * scale;
            const within = (at, half, most) => Math.min(most - half, Math.max(half, at));
            center = { x: within(center.x, w / 2, picture.width), y: within(center.y, h / 2, picture.height) };
            return { x: center.x - w / 2, y: center.y - h / 2, w, h };
        }

        function show() {
            const { width, height } = props.value, canvas = scaled(picture, part(), width, height);
            parts.canvas.getContext("2d").drawImage(canvas, 0, 0);
            return canvas;
        }

        function store() {
            props.value = { ...props.value, picture: asUri(show()) || "" };
        }

        function send() {
            if (!picture) return;
            store();
            trigger("input");
        }

        async function read(file) {
            parts.status.textContent = "";
            try {
                if (!file || file.size > MOST_FILE) throw new Error("too large");
                picture = await createImageBitmap(file, { imageOrientation: "from-image" });
            } catch {
                parts.status.textContent = props.value.words.unreadable;
                return;
            }
            [center, zoom] = [{ x: picture.width / 2, y: picture.height / 2 }, 1];
            parts.zoom.value = 1;
            parts.crop.hidden = false;
            send();
        }

        function setZoom(value) {
            zoom = Math.min(MOST_ZOOM, Math.max(1, value));
            parts.zoom.value = zoom;
            show();
        }

        function listen() {
            const { canvas, input, zoom: range } = parts, box = element.firstElementChild;
            input.addEventListener("change", () => { if (input.files[0]) read(input.files[0]); input.value = ""; });
            box.ondragover = (event) => { event.preventDefault(); box.classList.add("over"); };
            box.ondragleave = () => box.classList.remove("over");
            box.ondrop = (event) => {
                event.preventDefault();
                box.classList.remove("over");
                if (event.dataTransfer.files[0]) read(event.dataTransfer.files[0]);
            };
            range.addEventListener("input", () => setZoom(Number(range.value)));
            range.addEventListener("change", send);
            canvas.addEventListener("pointerdown", (event) => {
                canvas.setPointerCapture(event.pointerId);
                dragged = { x: event.clientX, y: event.clientY, center: { ...center } };
            });
            canvas.addEventListener("pointermove", (event) => {
                if (!dragged) return;
                const scale = part().w / canvas.getBoundingClientRect().width;
                center = { x: dragged.center.x - (event.clientX - dragged.x) * scale, y: dragged.center.y - (event.clientY - dragged.y) * scale };
                show();
            });
            for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => {
                if (dragged) send();
                dragged = null;
            });
            canvas.addEventListener("keydown", (event) => {
                const step = part().w / 16, by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
                if (by) center = { x: center.x + by[0] * step, y: center.y + by[1] * step };
                else if (event.key === "+" || event.key === "-") setZoom(zoom * (event.key === "+" ? 1.15 : 1 / 1.15));
                else return;
                event.preventDefault();
                send();
            });
        }

        function build() {
            const { width, height, words } = props.value;
            const input = make("input", { type: "file", accept: "image/*" });
            const canvas = make("canvas", { width, height, tabindex: 0, role: "application", "aria-label": words.move });
            const range = make("input", { type: "range", min: 1, max: MOST_ZOOM, step: 0.05, value: 1 });
            const crop = make("div", {}, canvas, make("label", { class: "zoom" }, words.zoom, range));
            parts = { input, canvas, zoom: range, crop, status: make("p", { role: "status", "aria-live": "polite" }) };
            crop.hidden = !picture;
            element.firstElementChild.replaceChildren(crop, make("label", { class: "file" }, words.choose, input), make("p", {}, words.drop), parts.status);
            listen();
            if (picture) store();
        }

        function adopt() {
            const value = props.value;
            if (!value || !value.words) return;
            const wanted = `${value.width} ${value.height} ${value.words.choose}`;
            if (wanted !== shape) {
                shape = wanted;
                build();
            } else if (picture && !value.picture) {
                store();  // the page was drawn anew, and the picture is still here
            }
        }

        watch("value", adopt);
        adopt();
    };
})();
