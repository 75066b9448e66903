// A link may name the language: the browser's own is replaced before Gradio asks for it.
(() => {
    const language = new URLSearchParams(location.search).get("lang");
    if (!["en", "pt"].includes(language)) return;
    Object.defineProperty(navigator, "language", { get: () => language });
    Object.defineProperty(navigator, "languages", { get: () => [language] });
})();

// A visitor's way through the page: the open tab, the model that each tab shows, the address, Back and Forward.
window.ganHub = (() => {
    "use strict";
    const levels = window.ganHubTabs.levels;  // {level: [tab, ...]}
    const follows = new Set(window.ganHubTabs.follows);  // the tabs that show the chosen model
    const kept = ["lang", "__theme", "view"];  // of the page's address, beside what the open tab shows
    const opened = Object.fromEntries(Object.entries(levels).map(([level, tabs]) => [level, tabs[0]]));
    const shown = {}, links = {}, calls = {};
    let level = Object.keys(levels)[0], model = null, router = null, wanted = null;
    let restoring = true, lastChange = 0;

    const levelOf = (tab) => Object.keys(levels).find((name) => levels[name].includes(tab));
    const current = () => opened[level];
    const body = (tab) => document.getElementById("tab-" + tab);

    // The veil over a tab's pictures while the server draws them.
    function busy(tab, by = 1) {
        calls[tab] = Math.max(0, (calls[tab] || 0) + by);
        body(tab)?.setAttribute("aria-busy", String(calls[tab] > 0));
    }

    function draw(tab) {
        shown[tab] = null;
        busy(tab);
        router.trigger("draw_" + tab);
    }

    function drawWhereOld() {
        const tab = current();
        if (shown[tab] === undefined || (follows.has(tab) && shown[tab] !== null && shown[tab] !== model)) draw(tab);
    }

    function drawn(tab, itsModel) {
        busy(tab, -1);
        shown[tab] = itsModel;
        drawWhereOld();
    }

    // Writes what a tab shows into the address: a step that Back undoes, unless it follows another within a second.
    function address(link, tab = current()) {
        if (!link || restoring) return;
        const here = new URL(location.href), there = new URL(link, location.href);
        for (const key of kept) if (here.searchParams.has(key)) there.searchParams.set(key, here.searchParams.get(key));
        links[tab] = there.search;
        if (there.href === here.href || tab !== current()) return;
        const step = lastChange && Date.now() - lastChange > 1000 ? "pushState" : "replaceState";
        lastChange = Date.now();
        history[step](history.state, "", there);
    }

    function open(tab) {
        level = levelOf(tab);
        opened[level] = tab;
        if (restoring || !router) return;
        const isCurrent = shown[tab] === model || !follows.has(tab);
        address((isCurrent && links[tab]) || "?" + new URLSearchParams(follows.has(tab) ? { tab, model } : { tab }));
        drawWhereOld();
    }

    function restored(itsModel, place) {
        const tab = JSON.parse(place || "{}").tab || current();
        model = itsModel;
        level = levelOf(tab);
        opened[level] = tab;
        restoring = false;
        draw(tab);
    }

    window.addEventListener("popstate", () => {
        restoring = true;
        router?.trigger("restore");
    });

    // Marks the part of the form that a note is about.
    function note(element, watch) {
        watch("value", () => {
            const place = element.closest("[id^=tab-]") || document;
            place.querySelectorAll("[aria-invalid=true]").forEach((field) => field.removeAttribute("aria-invalid"));
            const id = element.querySelector("[data-wrong]")?.dataset.wrong;
            const field = id && document.getElementById(id)?.querySelector("textarea, input");
            if (field) field.setAttribute("aria-invalid", "true");
        });
    }

    // A grid of pictures: clicks call the server, and the focus stays on its place when the pictures change.
    function grid(element, trigger, watch) {
        let place = null;
        element.addEventListener("focusin", (event) => { place = event.target.closest("[data-index]")?.dataset.index; });
        element.addEventListener("focusout", (event) => { if (event.relatedTarget) place = null; });
        watch("value", () => {
            if (place !== null) element.querySelector(`[data-index="${place}"]`)?.focus({ preventScroll: true });
        });
        element.addEventListener("click", (event) => {
            const picture = event.target.closest("[data-index]");
            if (picture) trigger("select", { index: Number(picture.dataset.index), value: null });
        });
    }

    // Buttons with data-pick-model choose a model, wherever they stand.
    document.addEventListener("click", (event) => {
        const button = event.target instanceof Element && event.target.closest("[data-pick-model]");
        if (!button) return;
        wanted = button.dataset.pickModel;
        router?.trigger("pick");
    });

    return {
        connect: (trigger) => { router = { trigger }; },
        busy: (tab) => busy(tab),
        idle: (tab) => busy(tab, -1),
        picked: (name) => { model = name; drawWhereOld(); },
        openLevel: (name) => open(opened[name]),
        wanted: () => wanted,
        open, drawn, restored, address, note, grid,
    };
})();
