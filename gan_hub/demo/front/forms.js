// The sliders of a model's concepts. Their value is a text, "brightness=1.5,ginger=-0.5".
Object.assign(window.ganHub, (() => {
    "use strict";
    const { make } = window.ganHub;

    function parsed(text) {
        return Object.fromEntries(String(text || "").split(",").filter(Boolean).map((part) => {
            const [name, amount] = part.split("=");
            return [name, Number(amount)];
        }));
    }

    function sliders(element, props, trigger, watch) {
        const ranges = () => [...element.querySelectorAll("input")];
        let built = "";

        function row(item) {
            const range = make("input", { type: "range", min: -props.most, max: props.most, step: 0.1, "aria-label": item.title,
                "data-concept": item.name });
            range.addEventListener("input", () => {
                say(range, item);
                props.value = ranges().filter((each) => Number(each.value)).map((each) => `${each.dataset.concept}=${each.value}`).join(",");
                trigger("input");
            });
            range.addEventListener("dblclick", () => { range.value = 0; range.dispatchEvent(new Event("input")); });
            const [less, more] = item.ends;
            return make("label", { class: "concept" }, make("span", { class: "concept-title" }, item.title), range,
                make("span", { class: "ends" }, make("span", {}, less), make("output", {}), make("span", {}, more)));
        }

        function say(range, item) {
            const amount = Number(range.value);
            range.setAttribute("aria-valuetext", `${amount} (${item.ends[amount < 0 ? 0 : 1]})`);
            range.parentElement.querySelector("output").textContent = amount ? amount.toFixed(1).replace("-", "−") : "0";
        }

        function fill() {
            const items = props.sliders || [], key = JSON.stringify(items);
            if (key !== built) {
                element.querySelector(".sliders").replaceChildren(...items.map(row));
                built = key;
            }
            const values = parsed(props.value);
            ranges().forEach((range, place) => {
                range.value = values[range.dataset.concept] || 0;
                say(range, items[place]);
            });
        }

        watch(["value", "sliders"], fill);
        fill();
    }

    return { sliders };
})());
