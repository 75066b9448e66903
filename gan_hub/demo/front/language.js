// A link may name the language: the browser's own is replaced before Gradio asks for it, which it does before the page's other
// scripts are there.
(() => {
    const language = new URLSearchParams(location.search).get("lang");
    if (!["en", "pt"].includes(language)) return;
    Object.defineProperty(navigator, "language", { get: () => language });
    Object.defineProperty(navigator, "languages", { get: () => [language] });
})();
