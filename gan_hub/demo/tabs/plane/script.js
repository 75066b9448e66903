// Draws fields, points and curves on canvases: sharp on any screen, in light and dark.
window.ganHubPlane = (() => {
    "use strict";
    const REAL = [37, 99, 235], FAKE = [234, 88, 12];
    const isDark = () => document.body.classList.contains("dark") || document.documentElement.classList.contains("dark");
    const bytes = (text) => Uint8Array.from(atob(text || ""), (letter) => letter.charCodeAt(0));

    // A canvas as large as its place, in the screen's own pixels.
    function sized(element, ratio) {
        const canvas = element.querySelector("canvas");
        if (!canvas || !canvas.clientWidth) return null;
        const scale = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * scale);
        canvas.width = width;
        canvas.height = Math.round(width * ratio);
        canvas.style.aspectRatio = String(1 / ratio);
        return [canvas.getContext("2d"), canvas.width, canvas.height, scale];
    }

    function drawField(element, value) {
        const place = sized(element, 1);
        if (!place || !value?.reals) return;
        const [context, size, , scale] = place, paper = isDark() ? 24 : 255, verdicts = bytes(value.field);
        context.fillStyle = `rgb(${paper},${paper},${paper})`;
        context.fillRect(0, 0, size, size);
        if (verdicts.length) {
            const small = new OffscreenCanvas(value.side, value.side), pixels = new ImageData(value.side, value.side);
            verdicts.forEach((verdict, index) => {
                const lean = verdict / 127.5 - 1, color = lean > 0 ? REAL : FAKE, share = 0.55 * Math.abs(lean);
                for (let channel = 0; channel < 3; channel++) {
                    pixels.data[4 * index + channel] = paper + share * (color[channel] - paper);
                }
                pixels.data[4 * index + 3] = 255;
            });
            small.getContext("2d").putImageData(pixels, 0, 0);
            context.imageSmoothingEnabled = true;
            context.drawImage(small, 0, 0, size, size);
        }
        dots(context, value.reals, size, 2.2 * scale, (x, y, radius) => {
            context.beginPath();
            context.arc(x, y, radius, 0, 7);
            context.stroke();
        }, isDark() ? "rgba(147,197,253,.55)" : "rgba(30,64,175,.45)");
        dots(context, value.fakes, size, 1.9 * scale, (x, y, radius) => {
            context.beginPath();
            context.arc(x, y, radius, 0, 7);
            context.fill();
        }, isDark() ? "rgba(253,186,116,.95)" : "rgba(154,52,18,.9)");
    }

    function dots(context, text, size, radius, mark, color) {
        const places = new Uint16Array(bytes(text).buffer);
        context.fillStyle = context.strokeStyle = color;
        context.lineWidth = Math.max(1, radius / 2);
        for (let index = 0; index < places.length; index += 2) {
            mark(places[index] / 65535 * size, (1 - places[index + 1] / 65535) * size, radius);
        }
    }

    function drawCurves(element, value) {
        const place = sized(element, 0.24);
        if (!place || !value?.curves) return;
        const [context, width, height, scale] = place, curves = Object.entries(value.curves);
        const all = curves.flatMap(([, means]) => means).filter(Number.isFinite).sort((a, b) => a - b);
        if (!all.length) return;
        // One leap must not flatten the rest: the scale leaves out the outermost two hundredths.
        const low = Math.min(0, all[Math.floor(0.02 * all.length)]), high = Math.max(all[Math.ceil(0.98 * all.length) - 1], low + 1e-6);
        const pad = 6 * scale, y = (mean) => height - pad - (mean - low) / (high - low) * (height - 2 * pad);
        context.font = `${11 * scale}px sans-serif`;
        context.fillStyle = context.strokeStyle = isDark() ? "#9ca3af" : "#6b7280";
        context.lineWidth = 0.5 * scale;
        context.beginPath();
        context.moveTo(0, y(0));
        context.lineTo(width, y(0));
        context.stroke();
        context.fillText(high.toPrecision(2), pad, pad + 9 * scale);
        curves.forEach(([name, means], number) => {
            context.strokeStyle = number ? (isDark() ? "#fb923c" : "#c2410c") : (isDark() ? "#60a5fa" : "#1d4ed8");
            context.setLineDash(number ? [5 * scale, 4 * scale] : []);
            context.lineWidth = 1.6 * scale;
            context.beginPath();
            means.forEach((mean, index) => {
                const x = means.length > 1 ? index / (means.length - 1) * width : 0;
                context.lineTo(x, Math.min(height, Math.max(0, y(mean))));
            });
            context.stroke();
        });
        context.setLineDash([]);
    }

    // Draws anew with each value, when the place becomes visible or larger, and when light and dark change.
    function connected(draw) {
        return (element, props, watch) => {
            const again = () => requestAnimationFrame(() => draw(element, props.value));
            watch("value", again);
            new ResizeObserver(again).observe(element);
            new MutationObserver(again).observe(document.body, { attributeFilter: ["class"] });
        };
    }

    return { field: connected(drawField), curves: connected(drawCurves) };
})();
