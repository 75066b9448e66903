// A walk in the browser: its player, and the buttons of its keyframes.
(() => {
    "use strict";
    const still = matchMedia("(prefers-reduced-motion: reduce)");

    // Plays the frames of one figure; returns what stops it. `state` lasts from one walk to the next.
    function play(figure, state) {
        const data = figure.dataset, count = Number(data.count), columns = Number(data.columns);
        const find = (selector) => figure.querySelector(selector);
        const canvas = find("canvas"), context = canvas.getContext("2d"), sheet = find(".sheet");
        const scrub = find(".scrub"), at = find(".at"), button = find(".play"), speed = find(".speed"), marker = find(".marker");
        const { width, height } = canvas;
        let frame = 0, step = 1, before = null, waited = 0, alive = true;

        function show(to) {
            frame = Math.min(Math.max(to, 0), count - 1);
            context.clearRect(0, 0, width, height);
            context.drawImage(sheet, (frame % columns) * width, Math.floor(frame / columns) * height, width, height, 0, 0, width, height);
            scrub.value = frame + 1;
            scrub.setAttribute("aria-valuetext", data.said.replace("{frame}", frame + 1).replace("{count}", count));
            at.textContent = `${frame + 1} / ${count}`;
            for (const end of ["x1", "x2"]) marker.setAttribute(end, frame);
        }
        // A walk that does not return goes back and forth.
        function next() {
            if (data.loop === "1") return show((frame + 1) % count);
            if (frame + step < 0 || frame + step >= count) step = -step;
            show(frame + step);
        }
        function setPlaying(playing) {
            state.playing = playing;
            button.textContent = playing ? data.pauseWord : data.playWord;
            before = null;
        }
        function tick(now) {
            if (!alive || !figure.isConnected) return;
            requestAnimationFrame(tick);
            if (!state.playing || canvas.offsetParent === null) { before = null; return; }
            if (before !== null) waited += (now - before) * state.speed;
            before = now;
            if (waited < 1000 * data.seconds) return;
            waited %= 1000 * data.seconds;
            next();
        }
        const choose = (to) => { setPlaying(false); show(to); };

        data.playWord = button.dataset.play;
        data.pauseWord = button.dataset.pause;
        speed.value = String(state.speed);
        scrub.addEventListener("input", () => choose(Number(scrub.value) - 1));
        button.addEventListener("click", () => setPlaying(!state.playing));
        speed.addEventListener("change", () => { state.speed = Number(speed.value); });
        find(".curve").addEventListener("click", (event) => {
            const box = find(".curve").getBoundingClientRect(), last = count - (data.loop === "1" ? 0 : 1);
            choose(Math.round((event.clientX - box.left) / box.width * last) % count);
        });
        figure.showFrame = choose;
        setPlaying(state.playing);
        sheet.decode().then(() => { if (alive) show(0); requestAnimationFrame(tick); }, () => {});
        return () => { alive = false; };
    }

    ganHub.player = (element, watch) => {
        const state = { playing: !still.matches, speed: 1 };
        let stop = () => {};
        const start = () => {
            stop();
            const figure = element.querySelector(".player");
            stop = figure ? play(figure, state) : () => {};
        };
        still.addEventListener("change", () => { if (still.matches) { state.playing = false; start(); } });
        watch("value", start);
        start();
    };

    // Keys on a keyframe: Delete removes it, Shift with an arrow moves it. What was pressed keeps the focus where it goes.
    ganHub.stops = (element, trigger, watch) => {
        let focus = null, dragged = null;
        const items = () => [...element.querySelectorAll(".stop[data-index]")];
        function ask(item, act, to) {
            const index = Number(item.dataset.index);
            const landed = act === "left" ? index - 1 : act === "right" ? index + 1 : act === "place" ? to : index;
            focus = { place: landed, act: act === "place" ? null : act };
            trigger("select", { index, value: { act, seed: Number(item.dataset.seed), to } });
        }
        ganHub.presses(element, (button) => {
            const item = button.closest(".stop");
            if (button.dataset.act) ask(item, button.dataset.act);
            else document.querySelector("#walk-player .player")?.showFrame?.(Number(button.dataset.frame));
        });
        element.addEventListener("keydown", (event) => {
            const item = event.target.closest(".stop[data-index]");
            const act = event.key === "Delete" ? "remove" : event.shiftKey && { ArrowLeft: "left", ArrowRight: "right" }[event.key];
            if (!item || !act || item.querySelector(`[data-act=${act}]`).disabled) return;
            event.preventDefault();
            ask(item, act);
        });
        element.addEventListener("dragstart", (event) => { dragged = event.target.closest(".stop[data-index]"); });
        element.addEventListener("dragover", (event) => {
            const item = event.target.closest(".stop[data-index]");
            for (const each of items()) each.classList.toggle("over", each === item && item !== dragged);
            if (dragged && item) event.preventDefault();
        });
        element.addEventListener("dragend", () => items().forEach((each) => each.classList.remove("over")));
        element.addEventListener("drop", (event) => {
            const item = event.target.closest(".stop[data-index]");
            if (!dragged || !item || item === dragged) return;
            event.preventDefault();
            ask(dragged, "place", Number(item.dataset.index));
        });
        watch("value", () => {
            if (!focus) return;
            const item = items()[Math.min(Math.max(focus.place, 0), items().length - 1)];
            const button = item?.querySelector(`[data-act=${focus.act}]`);
            (button && !button.disabled ? button : item?.querySelector(".picture"))?.focus({ preventScroll: true });
            focus = null;
        });
    };
})();
