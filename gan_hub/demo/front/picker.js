// The cards of the models, a group of radio buttons, and the pictures that move at the top of the page.
Object.assign(window.ganHub, (() => {
    "use strict";
    const { make, t, language } = window.ganHub;
    let cards = [];

    function card(item, chosen) {
        const strip = make("span", { class: "strip px", "aria-hidden": "true" });
        if (item.strip) strip.style.backgroundImage = `url("${item.strip}")`;
        return make(
            "button",
            { type: "button", role: "radio", class: "model-card", "data-model": item.name, title: item.name,
              "aria-checked": String(item.name === chosen), tabindex: item.name === chosen ? "0" : "-1" },
            strip,
            make("span", { class: "card-title" }, item.title[language]),
            make("span", { class: "card-line" }, item.line[language]),
            make("span", { class: "card-time" }, item.time[language]),
        );
    }

    function picker(element, props, trigger, watch) {
        let isOpen = false, filled = null;
        const row = element.querySelector(".cards"), group = element.querySelector(".group");
        const radios = () => [...element.querySelectorAll("[role=radio]")];

        function fill() {
            cards = props.cards || [];
            const chosen = cards.find((item) => item.name === props.value);
            isOpen ||= Boolean(chosen && !chosen.art);
            const shown = cards.filter((item) => item.art || isOpen), hidden = cards.length - shown.length;
            const focused = element.contains(document.activeElement);
            row.querySelector(".more")?.remove();
            if (hidden) row.append(make("button", { type: "button", class: "more" }, `${t("more_models")} (${hidden})`));
            group.replaceChildren(...shown.map((item) => card(item, props.value)));
            const there = group.querySelector("[aria-checked=true]");
            if (!there) group.querySelector("[role=radio]")?.setAttribute("tabindex", "0");
            if (there && props.value !== filled) reveal(there);
            if (focused) there?.focus({ preventScroll: true });
            filled = props.value;
        }

        function reveal(there) {
            const left = there.offsetLeft - (row.clientWidth - there.offsetWidth) / 2;
            row.scrollTo({ left, behavior: filled === null ? "instant" : "smooth" });
        }

        function choose(name) {
            if (name === props.value) return;
            props.value = name;
            fill();
            trigger("input");
        }

        element.addEventListener("click", (event) => {
            const radio = event.target.closest("[role=radio]");
            if (radio) choose(radio.dataset.model);
            if (event.target.closest(".more")) {
                isOpen = true;
                fill();
                radios().find((each) => !cards.find((item) => item.name === each.dataset.model).art)?.focus();
            }
        });
        element.addEventListener("keydown", (event) => {
            const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
            if (!step || !event.target.closest("[role=radio]")) return;
            event.preventDefault();
            event.stopPropagation();
            const all = radios(), place = all.indexOf(event.target.closest("[role=radio]"));
            choose(all[(place + step + all.length) % all.length].dataset.model);
        });
        watch(["value", "cards"], fill);
        fill();
    }

    // Three pictures that walk; until the server has drawn their walks, they fade between pictures of the model's card.
    function opening(element, props, watch) {
        const place = element.querySelector(".walks");
        let shown = null, paused = false;

        function tile(item, number) {
            const at = (index) => `${(100 * (index % item.tiles)) / Math.max(1, item.tiles - 1)}% 0`;
            return make("span", { class: "walk" }, ...[number, number + 3].map((index, layer) => {
                const face = make("span", { class: layer ? "face px over" : "face px" });
                face.style.background = `url("${item.strip}") ${at(index)} / ${100 * item.tiles}% 100%`;
                face.style.animationDelay = `${number}s`;
                return face;
            }));
        }

        function walk(item) {
            const film = make("img", { class: "px film", src: item.src, alt: "" });
            film.style.animationTimingFunction = `steps(${item.frames})`;
            film.style.animationDuration = `${item.frames * 0.11}s`;
            return make("span", { class: "walk" }, film);
        }

        function fill() {
            const model = window.ganHub.model() || document.querySelector("#model [aria-checked=true]")?.dataset.model;
            const item = cards.find((each) => each.name === model);
            const walks = props.value?.model === model ? props.value.walks : null;
            const key = `${model} ${Boolean(walks)}`;
            if (!item || key === shown || (!walks && !item.strip)) return;
            shown = key;
            const button = make("button", { type: "button", class: paused ? "still" : "", "aria-label": t(paused ? "play" : "pause") },
                ...(walks ? walks.map(walk) : [0, 1, 2].map((number) => tile(item, number))));
            button.addEventListener("click", () => {
                paused = !paused;
                button.classList.toggle("still", paused);
                button.setAttribute("aria-label", t(paused ? "play" : "pause"));
            });
            place.replaceChildren(button);
        }

        watch("value", fill);
        document.addEventListener("gan-hub-model", fill);
        setTimeout(fill);
    }

    return { picker, opening, card: (name) => cards.find((item) => item.name === name) };
})());
