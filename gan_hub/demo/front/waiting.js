// "3 visitors before you": while a call waits for more than a second, a line at the top says how many come first.
// Gradio reads the messages of its queue itself; here they are read along. Two requests of its page on the calls are answered
// here: they ask for what this server does not offer, and would be errors in the browser's log.
(() => {
    "use strict";
    const words = window.ganHubTabs.waiting;
    const patience = 1000;  // milliseconds before anything is said
    const ended = ["process_starts", "process_completed", "close_stream", "unexpected_error", "server_stopped"];
    const calls = new Map();  // event → {since, before}
    let line = null;

    function show() {
        const before = [...calls.values()].filter((call) => Date.now() - call.since >= patience).map((call) => call.before);
        const most = Math.max(0, ...before);
        if (!line && !most) return;
        if (!line) {
            line = document.createElement("div");
            line.id = "waiting";
            line.setAttribute("role", "status");
            document.body.append(line);
        }
        const language = document.documentElement.lang.startsWith("pt") ? "pt" : "en";
        const sentence = most ? words[language][most === 1 ? 0 : 1].replace("{count}", most) : "";
        if (line.textContent !== sentence) line.textContent = sentence;
        line.hidden = !most;
    }

    function hear(message) {
        if (message.msg === "estimation") {
            const known = calls.get(message.event_id);
            calls.set(message.event_id, { since: known ? known.since : Date.now(), before: message.rank });
            if (!known) setTimeout(show, patience);
        } else if (ended.includes(message.msg)) {
            if (message.event_id) calls.delete(message.event_id);
            else calls.clear();
        }
        show();
    }

    async function readAlong(response) {
        const decoder = new TextDecoder();
        let text = "";
        try {
            for (const reader = response.body.getReader(); ;) {
                const { done, value } = await reader.read();
                if (done) break;
                text += decoder.decode(value, { stream: true });
                const lines = text.split("\n");
                text = lines.pop();
                for (const data of lines) if (data.startsWith("data:")) hear(JSON.parse(data.slice(5)));
            }
        } catch { /* the connection broke, or was given up; Gradio sees to that */ }
        calls.clear();
        show();
    }

    const fetched = window.fetch;
    window.fetch = async (...request) => {
        const address = String(request[0] instanceof Request ? request[0].url : request[0]);
        if (address.endsWith("/monitoring/summary")) return new Response('{"functions": {}}');
        if (address.endsWith("/mcp/schema") && !window.gradio_config?.mcp_server) return new Response(null, { status: 404 });
        const response = await fetched(...request);
        if (response.body && address.includes("/queue/data?")) readAlong(response.clone());
        return response;
    };
})();
