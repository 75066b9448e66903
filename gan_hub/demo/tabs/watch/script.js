// The time-lapse: one slider moves the frame, the mark in every curve, and the numbers beside their names.
window.ganHubWatch = (() => {
    "use strict";
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const pace = () => (calm.matches ? 900 : 300);  // milliseconds between frames

    function connect(element, watch) {
        let timer = null;
        const find = (selector) => element.querySelector(selector);

        function show(frame) {
            const slider = find("input[type=range]");
            if (!slider) return;
            slider.value = frame;
            const told = JSON.parse(slider.dataset.told)[frame];
            slider.setAttribute("aria-valuetext", told);
            find("output").textContent = told;
            const last = Number(slider.max), film = find(".film");
            film.style.backgroundPosition = `0 ${last ? 100 * frame / last : 0}%`;
            const x = JSON.parse(find(".watch").dataset.places)[frame];
            element.querySelectorAll(".cursor").forEach((line) => { line.setAttribute("x1", x); line.setAttribute("x2", x); });
            element.querySelectorAll("[data-values]").forEach((value) => {
                value.textContent = value.dataset.values.split("|")[frame];
            });
        }

        function remember() {
            const slider = find("input[type=range]");
            if (slider) ganHub.address(`${slider.dataset.link}&frame=${Number(slider.value) + 1}`, "watch");
        }

        function stop() {
            if (timer === null) return;
            clearInterval(timer);
            timer = null;
            const button = find("[data-watch-play]");
            if (button) { button.textContent = button.dataset.play; button.setAttribute("aria-pressed", "false"); }
            remember();
        }

        function play() {
            const slider = find("input[type=range]"), button = find("[data-watch-play]");
            if (slider.value === slider.max) show(0);
            button.textContent = button.dataset.pause;
            button.setAttribute("aria-pressed", "true");
            timer = setInterval(() => {
                if (slider.value === slider.max || element.offsetParent === null || !slider.isConnected) return stop();
                show(Number(slider.value) + 1);
            }, pace());
        }

        element.addEventListener("input", (event) => {
            if (event.target.matches("input[type=range]")) { stop(); show(Number(event.target.value)); }
        });
        element.addEventListener("change", (event) => { if (event.target.matches("input[type=range]")) remember(); });
        element.addEventListener("click", (event) => {
            if (event.target.closest("[data-watch-play]")) (timer === null ? play : stop)();
        });
        const begin = () => {
            clearInterval(timer);
            timer = null;
            const slider = find("input[type=range]");
            if (slider) show(Number(slider.getAttribute("value")));
        };
        watch("value", begin);
        begin();
    }
    return { connect };
})();
