// A visitor's way through the page: the open tab, the model that each tab shows, the address, Back and Forward.
window.ganHub = (() => {
    "use strict";
    const levels = window.ganHubTabs.levels;  // {level: [tab, ...]}
    const follows = new Set(window.ganHubTabs.follows);  // the tabs that show the chosen model
    const kept = ["lang", "__theme", "view"];  // of the page's address, beside what the open tab shows
    const opened = Object.fromEntries(Object.entries(levels).map(([level, tabs]) => [level, tabs[0]]));
    const shown = {}, asked = {}, links = {}, calls = {};  // of each tab
    const drawing = new Set();
    const stay = 10_000;  // milliseconds
    let level = Object.keys(levels)[0], model = null, router = null, wanted = null;
    let restoring = true, lastChange = 0, walking = null, staying = null, cardIsOpen = false, cardOf = null;

    const levelOf = (tab) => Object.keys(levels).find((name) => levels[name].includes(tab));
    const current = () => opened[level];
    const body = (tab) => document.getElementById("tab-" + tab);

    // The veil over a tab's pictures while the server draws them. Each event counts once: of quick calls Gradio drops some, which
    // begin and never end.
    function veil(tab) {
        body(tab)?.setAttribute("aria-busy", String((calls[tab]?.size || 0) > 0 || drawing.has(tab)));
    }

    function busy(tab, event) {
        (calls[tab] ||= new Set()).add(event);
        veil(tab);
    }

    function idle(tab, event) {
        calls[tab]?.delete(event);
        veil(tab);
    }

    function draw(tab) {
        shown[tab] = null;
        drawing.add(tab);
        veil(tab);
        router.trigger("draw_" + tab);
    }

    function drawWhereOld() {
        const tab = current();
        if (shown[tab] === undefined || (follows.has(tab) && shown[tab] !== null && shown[tab] !== model)) draw(tab);
    }

    // What the first HTML shows until the page is there.
    const uncover = () => document.getElementById("cover")?.remove();

    // The walk at the top, after the pictures. It costs the server ten times as much as they do: of a model that was chosen
    // meanwhile it is drawn for a visitor who stays, and until then pictures of its card fade into each other.
    function ornament(itsModel) {
        clearTimeout(staying);
        if (walking === itsModel) return;
        staying = setTimeout(() => {
            walking = itsModel;
            router.trigger("walk");
        }, walking === null ? 0 : stay);
    }

    // The model that was asked for: until it is drawn, another one may have been chosen.
    function drawn(tab) {
        drawing.delete(tab);
        veil(tab);
        uncover();
        shown[tab] = asked[tab];
        ornament(shown[tab]);
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

    function chosen(itsModel) {
        model = itsModel;
        document.title = `${model} · gan_hub`;
        document.dispatchEvent(new Event("gan-hub-model"));
    }

    // The card of the model is for those who read it. The line about the model comes with it, and with the pictures of a tab.
    function about(needsLine = false) {
        if (!needsLine && !(cardIsOpen && cardOf !== model)) return;
        cardOf = model;
        router?.trigger("about");
    }

    function restored(itsModel, place) {
        const tab = JSON.parse(place || "{}").tab || current();
        chosen(itsModel);
        level = levelOf(tab);
        opened[level] = tab;
        restoring = false;
        draw(tab);
        about();
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

    // An element with attributes and children; texts go in as texts.
    function make(tag, attributes = {}, ...children) {
        const element = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
        }
        element.append(...children.filter((child) => child !== null && child !== undefined));
        return element;
    }

    const language = (navigator.language || "en").toLowerCase().startsWith("pt") ? "pt" : "en";

    // A text of the page in the visitor's language, with {values} filled in.
    function t(key, values = {}) {
        const text = window.ganHubTexts[language]["js_" + key] ?? key;
        return text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
    }

    // A grid of pictures: clicks call the server, and the focus stays on its place when the pictures change.
    function grid(element, props, trigger, watch) {
        let place = null;
        const picture = (item, index) => make(
            "button",
            { type: "button", class: item.pressed ? "picture pressed" : "picture", "data-index": index,
              "aria-pressed": item.pressed ? "true" : null },
            make("img", { class: "px", src: item.src, alt: item.alt ?? "" }),
            item.map ? make("img", { class: "px map", src: item.map, alt: "" }) : null,
            make("span", { class: "caption" }, item.caption ?? ""),
        );
        function fill() {
            const kept = place;
            element.querySelector(".pictures").replaceChildren(...(props.value || []).map(picture));
            if (kept !== null) element.querySelector(`[data-index="${kept}"]`)?.focus({ preventScroll: true });
        }
        element.addEventListener("focusin", (event) => { place = event.target.closest("[data-index]")?.dataset.index ?? null; });
        element.addEventListener("focusout", (event) => { if (event.relatedTarget) place = null; });
        element.addEventListener("click", (event) => {
            const picture = event.target.closest("[data-index]");
            if (picture) trigger("select", { index: Number(picture.dataset.index), value: null });
        });
        watch("value", fill);
        fill();
    }

    // Opens a link of the page inside it: no reload, and Back returns.
    function go(link) {
        const there = new URL(link, location.href), here = new URL(location.href);
        for (const key of kept) if (here.searchParams.has(key)) there.searchParams.set(key, here.searchParams.get(key));
        history.pushState(history.state, "", there);
        lastChange = Date.now();
        restoring = true;
        router?.trigger("restore");
        document.querySelector(".levels")?.scrollIntoView({ block: "nearest" });
    }

    // Calls `handle(button)` for every press of a button inside an element whose content the server replaces: one that is
    // replaced between pointer down and up gets no click.
    function presses(element, handle) {
        let down = null, handled = false;
        element.addEventListener("pointerdown", (event) => { down = event.target.closest("button"); handled = false; });
        document.addEventListener("pointerup", () => {
            if (down && !down.isConnected && !down.disabled) {
                handled = true;  // lest a click that comes all the same counts twice
                setTimeout(() => { handled = false; });
                handle(down);
            }
            down = null;
        });
        element.addEventListener("click", (event) => {
            const button = event.target.closest("button");
            if (button && !button.disabled && !handled) handle(button);
        });
    }

    // Saves a file that the server has made, unless it is the one that was saved last: then there was none to make.
    let saved = null;
    function save(file) {
        if (!file?.url || file.url === saved) return;
        saved = file.url;
        const link = Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name || "" });
        document.body.append(link);
        link.click();
        link.remove();
    }

    // Gradio calls `expand` where the server opens an accordion, and not where a visitor does.
    document.addEventListener("click", (event) => {
        const head = event.target instanceof Element && event.target.closest("#about-model .label-wrap");
        if (head) setTimeout(() => { cardIsOpen = head.classList.contains("open"); about(); });
    });

    // Buttons with data-pick-model choose a model, wherever they stand.
    document.addEventListener("click", (event) => {
        const button = event.target instanceof Element && event.target.closest("[data-pick-model]");
        if (!button) return;
        wanted = button.dataset.pickModel;
        router?.trigger("pick");
    });

    return {
        connect: (trigger) => {
            router = { trigger };
            setTimeout(uncover, 4000);  // milliseconds; a page without pictures is better than pictures without a page
        },
        busy, idle,
        picked: (name) => { chosen(name); drawWhereOld(); about(!follows.has(current())); return ""; },
        openLevel: (name) => open(opened[name]),
        wanted: () => wanted,
        asked: (tab, itsModel) => { asked[tab] = itsModel; },
        model: () => model,
        link: (tab) => links[tab] || null,
        isOpen: (tab) => current() === tab,
        language, make, t, go, open, drawn, restored, address, note, grid, presses, save,
    };
})();
