// A picture large: with its variations, places to send it to, and downloads made in the browser.
Object.assign(window.ganHub, (() => {
    "use strict";
    const { make, t } = window.ganHub;
    let items = [], index = 0, varied = null, dialog = null, vary = null, variationsOf = null, isInAddress = false;

    // The pictures that fill a view of `side` pixels by whole pixels.
    const fitted = (size, side) => (size >= side ? side : Math.floor(side / size) * size);
    const shown = () => varied ?? items[index];

    function button(text, act, attributes = {}) {
        const made = make("button", { type: "button", ...attributes }, text);
        made.addEventListener("click", () => act(made));
        return made;
    }

    function build() {
        dialog = make("dialog", { class: "large", "aria-labelledby": "large-caption" });
        dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
        dialog.addEventListener("close", () => {
            if (!new URL(location.href).searchParams.has("chosen")) return;
            window.ganHub.address(withChosen(null));
        });
        dialog.addEventListener("keydown", (event) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            event.stopPropagation();
            if (step && items.length > 1) move(step);
        });
        document.body.append(dialog);
    }

    function withChosen(seed) {
        const link = new URLSearchParams(location.search);
        if (seed === null) link.delete("chosen"); else link.set("chosen", seed);
        return "?" + String(link).replaceAll("%2C", ",");
    }

    function move(step) {
        index = (index + step + items.length) % items.length;
        varied = variationsOf = null;
        fill();
        if (isInAddress) window.ganHub.address(withChosen(items[index].seed));
    }

    function picture(item) {
        const image = make("img", { class: "px", src: item.src, alt: item.alt });
        image.addEventListener("load", () => {
            const side = Math.min(384, innerWidth - 96);
            const longer = Math.max(image.naturalWidth, image.naturalHeight);
            image.style.width = `${(image.naturalWidth * fitted(longer, side)) / longer}px`;
        });
        return image;
    }

    function actions(item) {
        const parts = [];
        if (item.seed !== undefined) {
            const send = window.ganHub.destinations().map(({ title, send }) => button(title, () => { dialog.close(); send(item); }));
            parts.push(make("div", { class: "acts" }, make("span", {}, t("send")), ...send));
        }
        const keep = item.kept ? null : button(t("keep"), (made) => { window.ganHub.keep(item); made.textContent = t("kept"); }, { class: "keep" });
        const down = [1, 4, 8].map((times) =>
            button(times === 1 ? t("original") : `× ${times}`, () => download(item, times), { "data-times": times }));
        parts.push(make("div", { class: "acts" }, make("span", {}, t("download")), ...down, keep));
        if (item.kept) parts.push(make("div", { class: "acts" }, button(t("revisit"), () => { dialog.close(); window.ganHub.revisit(item); })));
        return parts;
    }

    function variations(item) {
        if (item.seed === undefined && !varied) return null;
        if (variationsOf?.items && variationsOf.seed === items[index].seed) {
            const each = variationsOf.items.map((one) => {
                const made = make("button", { type: "button", class: one === varied ? "picture pressed" : "picture" },
                    make("img", { class: "px", src: one.src, alt: one.alt }));
                made.addEventListener("click", () => { varied = one; fill(one.file); });
                made.dataset.focus = one.file;
                return made;
            });
            return make("div", { class: "pictures", role: "group", "aria-label": t("vary") }, ...each);
        }
        return vary ? button(t("vary"), (made) => {
            made.textContent = t("varying");
            variationsOf = { seed: item.seed };
            vary({ seed: item.seed, label: item.label ?? null });
        }, { class: "vary", "data-focus": "vary" }) : null;
    }

    function fill(focus = null) {
        const item = shown();
        const step = (by, key, sign) => items.length > 1 ? button(sign, () => move(by), { class: "step", "aria-label": t(key), "data-focus": key }) : null;
        dialog.replaceChildren(
            make("div", { class: "large-head" },
                make("strong", { id: "large-caption", "aria-live": "polite" }, item.caption),
                varied ? button(t("back_to_seed"), () => { varied = null; fill(); }) : null,
                button("×", () => dialog.close(), { class: "close", "aria-label": t("close"), "data-focus": "close" })),
            make("div", { class: "large-view" }, step(-1, "previous", "‹"), picture(item),
                item.map ? make("img", { class: "px large-map", src: item.map, alt: "" }) : null, step(1, "next", "›")),
            ...actions(item),
            variations(item) ?? "",
        );
        (focus && dialog.querySelector(`[data-focus="${focus}"]`) || dialog.querySelector(".close")).focus();
    }

    // Shows one of some pictures large. Each has src, alt, caption, file; one of a seed also seed, model and label.
    // Where it is one of the open tab's, the address says which.
    function enlarge(list, place, inAddress = false) {
        if (!dialog) build();
        [items, index, varied, variationsOf, isInAddress] = [list, place, null, null, inAddress];
        fill();
        if (!dialog.open) dialog.showModal();
    }

    // Lets a grid of pictures show each of them large at a click, and the one that a link has chosen.
    function enlargeFrom(element, props, watch) {
        element.addEventListener("click", (event) => {
            const place = event.target.closest("[data-index]")?.dataset.index;
            if (place === undefined) return;
            enlarge(props.value, Number(place), true);
            window.ganHub.address(withChosen(props.value[place].seed));
        });
        watch("value", () => {
            const place = (props.value || []).findIndex((item) => item.chosen);
            if (place >= 0) {
                element.querySelector(`[data-index="${place}"]`)?.focus({ preventScroll: true });
                enlarge(props.value, place, true);
            } else if (dialog?.open) dialog.close();
        });
        element.ganHubItems = () => props.value || [];
    }

    function connectVariations(props, trigger, watch) {
        vary = (picture) => trigger("submit", picture);
        watch("value", () => {
            if (!dialog?.open || props.value?.seed !== items[index].seed) return;
            variationsOf = props.value;
            fill(props.value.items[0].file);
        });
    }

    window.addEventListener("popstate", () => {
        if (dialog?.open && !new URL(location.href).searchParams.has("chosen")) dialog.close();
    });

    // ------------------------------------------------------------------------------------------------ downloads

    const bytesOf = (uri) => Uint8Array.from(atob(uri.split(",")[1]), (letter) => letter.charCodeAt(0));

    function save(bytes, type, name) {
        const address = URL.createObjectURL(new Blob([bytes], { type }));
        make("a", { href: address, download: name }).click();
        setTimeout(() => URL.revokeObjectURL(address), 10_000);
    }

    // The text chunks of a PNG: they say how the picture was made.
    function texts(png) {
        const view = new DataView(png.buffer), found = [];
        for (let at = 8; at < png.length; ) {
            const length = view.getUint32(at), end = at + 12 + length;
            if (["tEXt", "iTXt", "zTXt"].includes(String.fromCharCode(...png.subarray(at + 4, at + 8)))) found.push(png.subarray(at, end));
            at = end;
        }
        return found;
    }

    function joined(parts) {
        const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
        let at = 0;
        for (const part of parts) { whole.set(part, at); at += part.length; }
        return whole;
    }

    // A PNG enlarged by whole pixels, with the texts of the original.
    async function enlarged(uri, times) {
        const original = bytesOf(uri);
        if (times === 1) return original;
        const image = await createImageBitmap(new Blob([original], { type: "image/png" }));
        const canvas = make("canvas", { width: image.width * times, height: image.height * times });
        const context = canvas.getContext("2d");
        context.imageSmoothingEnabled = false;
        context.drawImage(image, 0, 0, canvas.width, canvas.height);
        const made = new Uint8Array(await (await new Promise((done) => canvas.toBlob(done, "image/png"))).arrayBuffer());
        const header = 8 + 25;  // the signature and the chunk IHDR
        return joined([made.subarray(0, header), ...texts(original), made.subarray(header)]);
    }

    async function download(item, times = 1) {
        save(await enlarged(item.src, times), "image/png", `${item.file}${times > 1 ? `-x${times}` : ""}.png`);
    }

    // The checksum of zip files (ISO 3309).
    function crc(bytes) {
        let rest = ~0;
        for (const byte of bytes) {
            rest ^= byte;
            for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
        }
        return ~rest >>> 0;
    }

    const little = (...pairs) => Uint8Array.from(pairs.flatMap(([value, size]) =>
        Array.from({ length: size }, (_, place) => (value >>> (8 * place)) & 255)));

    // A zip of stored files: PNG is compressed already.
    function zip(files) {
        const bodies = [], entries = [];
        let offset = 0;
        for (const { name, bytes } of files) {
            const letters = new TextEncoder().encode(name);
            const facts = [[20, 2], [0x800, 2], [0, 2], [0, 2], [0x21, 2], [crc(bytes), 4], [bytes.length, 4], [bytes.length, 4],
                [letters.length, 2], [0, 2]];
            const body = joined([little([0x04034b50, 4], ...facts), letters, bytes]);
            entries.push(joined([little([0x02014b50, 4], [20, 2], ...facts, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), letters]));
            bodies.push(body);
            offset += body.length;
        }
        const directory = joined(entries), count = files.length;
        const end = little([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [directory.length, 4], [offset, 4], [0, 2]);
        return joined([...bodies, directory, end]);
    }

    function downloadAll(id, name) {
        const all = document.querySelector(`#${id} .pictures`)?.parentElement.ganHubItems() || [];
        const files = all.map((item, place) => ({ name: `${String(place).padStart(2, "0")}-${item.file}.png`, bytes: bytesOf(item.src) }));
        if (files.length) save(zip(files), "application/zip", `${name.replace(/[^\w.-]+/g, "-")}.zip`);
    }

    return { enlarge, enlargeFrom, variations: connectVariations, download, downloadAll, enlarged };
})());
