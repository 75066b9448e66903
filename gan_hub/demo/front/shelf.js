// The shelf: pictures that a visitor keeps, in this browser only, and the places that a picture can be sent to.
Object.assign(window.ganHub, (() => {
    "use strict";
    const { make, t } = window.ganHub;
    const STORE = "gan-hub-shelf", MOST = 24, LONGEST = 60_000;  // pictures, and characters of each one's data
    let strip = null;

    function kept() {
        try {
            const list = JSON.parse(localStorage.getItem(STORE) || "[]");
            return Array.isArray(list) ? list.filter((item) => typeof item?.src === "string" && item.src.startsWith("data:image/")) : [];
        } catch { return []; }
    }

    function write(list) {
        try { localStorage.setItem(STORE, JSON.stringify(list)); } catch { /* a browser that keeps nothing: the strip stays as it is */ }
        fill();
    }

    async function small(item) {
        if (item.src.length <= LONGEST) return item.src;
        const image = await createImageBitmap(await (await fetch(item.src)).blob());
        const scale = 128 / Math.max(image.width, image.height);
        const canvas = make("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
        canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
        return canvas.toDataURL("image/png");
    }

    // Keeps a picture, the newest first; one that is there already moves to the front.
    async function keep(item) {
        const { seed, model, label, alt, caption, file } = item;
        const link = item.link ?? linkTo(item);
        const entry = { src: await small(item), seed, model, label, alt, caption, file, link, kept: true };
        write([entry, ...kept().filter((each) => each.src !== entry.src)].slice(0, MOST));
    }

    // The address that draws a picture of the open tab: a single seed of what the tab shows.
    function linkTo(item) {
        const link = new URLSearchParams(location.search);
        if (item.seed !== undefined && link.get("tab") === "sample") {
            link.set("seeds", item.seed);
            link.delete("chosen");
        }
        return "?" + String(link).replaceAll("%2C", ",");
    }

    // Opens the link under which a kept picture was drawn.
    const revisit = (item) => window.ganHub.go(item.link);

    // The last link of a tab if it shows this model, else a link to it with its own defaults.
    function linkOf(tab, model) {
        const last = new URLSearchParams(window.ganHub.link(tab) || "");
        return last.get("model") === model ? last : new URLSearchParams({ tab, model });
    }

    const go = (link) => window.ganHub.go("?" + String(link).replaceAll("%2C", ","));

    function toInterpolate(item) {
        const link = linkOf("interpolate", item.model), before = (link.get("seeds") || "").split(",").filter(Boolean);
        const others = before.length ? before : [String((item.seed + 1) % 2 ** 32)];
        link.set("seeds", [...others.filter((seed) => seed !== String(item.seed)), item.seed].slice(-16).join(","));
        go(link);
    }

    const sent = {};  // what a visitor has put into the groups of Arithmetic: the first picture replaces what was there

    function toGroup(group, item) {
        const key = group.toLowerCase(), place = `${item.model} ${key}`, link = linkOf("arithmetic", item.model);
        sent[place] = [...(sent[place] || []).filter((seed) => seed !== item.seed), item.seed].slice(-12);
        link.set(key, sent[place].join(","));
        go(link);
    }

    // A game that begins with this picture: which one does the discriminator prefer?
    function toDiscriminator(item) {
        const link = new URLSearchParams({ tab: "game", model: item.model, kind: "preferred", seed: item.seed });
        if (item.label) link.set("label", item.label);
        go(link);
    }

    function destinations() {
        return [
            { title: t("to_interpolate"), send: toInterpolate },
            ...["A", "B", "C"].map((group) => ({ title: t("to_arithmetic", { group }), send: (item) => toGroup(group, item) })),
            { title: t("to_game"), send: toDiscriminator },
        ];
    }

    function card(item, _, list) {
        const open = make("button", { type: "button", class: "picture", "aria-label": t("open", { caption: item.caption }) },
            make("img", { class: "px", src: item.src, alt: "" }));
        open.addEventListener("click", () => window.ganHub.enlarge(list, list.indexOf(item)));
        const away = make("button", { type: "button", class: "away", "aria-label": t("remove", { caption: item.caption }) }, "×");
        away.addEventListener("click", () => {
            write(kept().filter((each) => each.src !== item.src));
            (strip.querySelector("button") || strip).focus();
        });
        return make("li", {}, open, away);
    }

    function fill() {
        if (!strip) return;
        const list = kept();
        strip.hidden = false;
        strip.replaceChildren(make("h2", {}, t("shelf")),
            list.length ? make("ul", {}, ...list.map(card)) : make("p", {}, t("shelf_empty")));
    }

    function shelf(element) {
        strip = element.querySelector(".shelf");
        fill();
    }

    window.addEventListener("storage", (event) => { if (event.key === STORE) fill(); });  // another window of this browser
    return { shelf, keep, destinations, revisit };
})());
