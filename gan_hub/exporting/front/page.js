// Draws a model's pictures from seeds in this browser alone. The page's HTML holds what is to be known of the model, as JSON.
"use strict";

// ------------------------------------------------------------------------------------------------ random numbers

/** Mersenne Twister (Matsumoto & Nishimura 1998), MT19937, seeded by one number as torch and numpy do: 32 bits a call. */
function mersenneTwister(seed) {
  const size = 624, state = new Uint32Array(size);
  state[0] = seed;
  for (let i = 1; i < size; i++) {
    const last = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, last) + i;
  }
  let place = size;
  return () => {
    if (place === size) {
      for (let i = 0; i < size; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % size] & 0x7fffffff);
        state[i] = state[(i + 397) % size] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      place = 0;
    }
    let y = state[place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** The latent of a seed, Float32Array(size), as the library's `latents.sample` makes it, to the last bits of float32. */
function latentsOf(seed, size, seedsLike) {
  const next = mersenneTwister(seed), z = new Float32Array(size);
  if (seedsLike === "numpy") return polarNormals(next, z);
  const uniform = () => (next() & 0xffffff) / 2 ** 24;
  if (seedsLike === "uniform") return z.map(() => uniform() * 2 - 1);
  return size < 16 ? doubleNormals(next, z) : blockNormals(uniform, z);
}

/** torch's normal_ of 16 numbers and more: Box and Muller's formula for blocks of 16; a last, partial block is drawn anew. */
function blockNormals(uniform, z) {
  const transform = (start) => {
    for (let i = start; i < start + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - z[i])), angle = 2 * Math.PI * z[i + 8];
      z[i] = radius * Math.cos(angle);
      z[i + 8] = radius * Math.sin(angle);
    }
  };
  for (let i = 0; i < z.length; i++) z[i] = uniform();
  for (let start = 0; start + 16 <= z.length; start += 16) transform(start);
  if (z.length % 16) {
    for (let i = z.length - 16; i < z.length; i++) z[i] = uniform();
    transform(z.length - 16);
  }
  return z;
}

/** torch's normal_ of fewer than 16 numbers: pairs of Box and Muller's, of 53 bits each. */
function doubleNormals(next, z) {
  const uniform = () => {
    const high = next() & 0x1fffff;
    return (high * 2 ** 32 + next()) / 2 ** 53;
  };
  for (let i = 0; i < z.length; i += 2) {
    const angle = 2 * Math.PI * uniform(), radius = Math.sqrt(-2 * Math.log1p(-uniform()));
    z[i] = radius * Math.cos(angle);
    if (i + 1 < z.length) z[i + 1] = radius * Math.sin(angle);
  }
  return z;
}

/** numpy's RandomState.randn: Marsaglia's polar method, the second of a pair first. */
function polarNormals(next, z) {
  const uniform = () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 2 ** 53;
  for (let i = 0; i < z.length; i += 2) {
    let x, y, square;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    z[i] = factor * y;
    if (i + 1 < z.length) z[i + 1] = factor * x;
  }
  return z;
}

/** A point on the arc between two latents (Shoemake 1985), as the library's `latents.slerp`; nearly parallel ones by a line. */
function slerp(a, b, t) {
  if (t === 0) return a;
  if (t === 1) return b;
  const norm = (x) => Math.hypot(...x), normA = norm(a), normB = norm(b);
  const line = () => a.map((x, i) => x + t * (b[i] - x));
  if (!normA || !normB) return line();
  const cosine = a.reduce((sum, x, i) => sum + (x / normA) * (b[i] / normB), 0);
  const across = Array.from(b, (x, i) => x / normB - (cosine * a[i]) / normA), sine = norm(across);
  if (sine < 1e-4) return line();
  const angle = Math.atan2(sine, cosine), size = normA + t * (normB - normA);
  return a.map((x, i) => size * ((Math.cos(t * angle) * x) / normA + (Math.sin(t * angle) * across[i]) / sine));
}

// ------------------------------------------------------------------------------------------------------- drawing

/** Base64 → bytes. */
function decoded(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Loads a script that lies beside this one. A page opened as a file may load scripts and nothing else. */
function loadScript(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = name;
    script.onload = resolve;
    script.onerror = () => reject(new Error(name));
    document.head.append(script);
  });
}

/** The bytes of an ONNX file. */
async function graphBytes(name) {
  if (location.protocol === "file:") {
    await loadScript(`${name}.js`);
    return decoded(FILES[name]);
  }
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The model's networks in ONNX Runtime Web, in one thread, so that a page needs no headers of its server. */
class Generator {
  static async load(model) {
    await loadScript("onnxruntime/ort.wasm.min.js");
    await loadScript("onnxruntime/wasm.js");
    const packed = new Blob([decoded(RUNTIME.wasm)]).stream().pipeThrough(new DecompressionStream("gzip"));
    ort.env.wasm.wasmBinary = await new Response(packed).arrayBuffer();
    ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([RUNTIME.mjs], { type: "text/javascript" })) };
    ort.env.wasm.numThreads = 1;
    const sessions = {};
    for (const name of model.files) {
      sessions[name.replace(".onnx", "")] = await ort.InferenceSession.create(await graphBytes(name), { logSeverityLevel: 3 });
    }
    return new Generator(model, sessions);
  }

  constructor(model, sessions) {
    this.model = model;
    this.sessions = sessions;
  }

  /** A latent → its picture: ImageData of the model's own size. `condition`: the number of a class or of an example map. */
  async draw(z, condition, psi) {
    const { model, sessions } = this, inputs = { z: new ort.Tensor("float32", Float32Array.from(z), [1, z.length]) };
    if (model.maps) inputs.maps = this.map(condition);
    else if (model.label_names) inputs.labels = new ort.Tensor("int64", BigInt64Array.of(BigInt(condition)), [1]);
    if (sessions.generator) {
      inputs.z.data.forEach((x, i, data) => (data[i] = psi * x));
      return this.picture((await sessions.generator.run(inputs)).images);
    }
    const { w } = await sessions.mapping.run(inputs), size = model.w_avg.length, rows = new Float32Array(model.rows * size);
    for (let i = 0; i < rows.length; i++) {
      const mean = model.w_avg[i % size];
      rows[i] = psi === 1 ? w.data[i % size] : mean + psi * (w.data[i % size] - mean);
    }
    return this.picture((await sessions.synthesis.run({ w: new ort.Tensor("float32", rows, [1, model.rows, size]) })).images);
  }

  map(number) {
    const { height, width, maps } = this.model, start = number * height * width;
    const pixels = BigInt64Array.from(maps.subarray(start, start + height * width), BigInt);
    return new ort.Tensor("int64", pixels, [1, height, width]);
  }

  /** (1, C, H, W) in [-1, 1] → ImageData; C is 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity. */
  picture(images) {
    const { channels, height, width } = this.model, image = new ImageData(width, height), plane = height * width;
    const level = (channel, i) => Math.round((Math.min(1, Math.max(-1, images.data[channel * plane + i])) + 1) * 127.5);
    for (let i = 0; i < plane; i++) {
      for (let color = 0; color < 3; color++) image.data[4 * i + color] = level(channels < 3 ? 0 : color, i);
      image.data[4 * i + 3] = channels % 2 ? 255 : level(channels - 1, i);
    }
    return image;
  }
}

// ---------------------------------------------------------------------------------------------------------- page

const MAX_SEED = 2 ** 32 - 1, SHEET = 24;
const WORDS = {
  en: {
    licence: "Licence of the weights:", unknown: "unknown", made_up: "The pictures are made up; none shows anything real.",
    seed: "Seed", before: "Seed before", after: "Next seed", random: "Any seed", class: "Class", map: "Map",
    each: "each seed its own", truncation: "Variety (truncation ψ)", typical: "typical", varied: "varied", walk: "Walk to seed", place: "How far",
    play: "Play", stop: "Stop", save: "Save picture", share: "Copy link", copied: "Copied", sheet: "Other seeds",
    more: "Others", language: "Language", keys: "Arrow keys: the seed before, the next one.", loading: "Loading the model …",
    picture: "seed {seed}", walked: "from seed {seed} to seed {to}, {percent} %", speed: "{ms} ms a picture, in this browser",
    local: "Drawn in this browser by {runtime}. Nothing is sent anywhere.", files: "The model as ONNX:",
    not_for: "What it must not be used for", wrong_seed: "A seed is a whole number from 0 to 4294967295.",
    failed: "The model could not be loaded ({why}). The whole folder of this page has to lie beside it.",
  },
  pt: {
    licence: "Licença dos pesos:", unknown: "desconhecida", made_up: "As imagens são inventadas; nenhuma mostra algo real.",
    seed: "Semente", before: "Semente anterior", after: "Semente seguinte", random: "Qualquer semente", class: "Classe", map: "Mapa",
    each: "cada semente a sua", truncation: "Variedade (truncamento ψ)", typical: "típica", varied: "variada", walk: "Ir até a semente",
    place: "Até onde", play: "Tocar", stop: "Parar", save: "Salvar imagem", share: "Copiar link", copied: "Copiado",
    sheet: "Outras sementes", more: "Outras", language: "Idioma", keys: "Setas do teclado: a semente anterior, a seguinte.",
    loading: "Carregando o modelo …", picture: "semente {seed}", walked: "da semente {seed} à semente {to}, {percent} %",
    speed: "{ms} ms por imagem, neste navegador", local: "Desenhado neste navegador por {runtime}. Nada é enviado a lugar nenhum.",
    files: "O modelo em ONNX:", not_for: "Para que não deve ser usado",
    wrong_seed: "Uma semente é um número inteiro de 0 a 4294967295.",
    failed: "O modelo não pôde ser carregado ({why}). A pasta inteira desta página precisa estar junto dela.",
  },
};

const page = {
  model: null, generator: null, language: "en", state: { seed: 7, to: 8, at: 0, choice: "each", psi: 1 },
  first: 0, waiting: [], wanted: false, busy: false, milliseconds: null, playing: null,
};
const element = (id) => document.getElementById(id);
const word = (key, values = {}) => WORDS[page.language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** A seed as it was typed; null for anything but a whole number in range. */
function seedOf(text) {
  const seed = /^\d{1,10}$/.test(String(text).trim()) ? Number(text) : NaN;
  return seed <= MAX_SEED ? seed : null;
}

/** The number of classes or of example maps to choose from; 0 without. */
const choices = () => (page.model.maps ? page.model.map_count : (page.model.label_names || []).length);
/** The class or the map of a seed: the chosen one, or the seed's own. */
const conditionOf = (seed) => (page.state.choice === "each" ? seed % Math.max(1, choices()) : page.state.choice);
const conditionName = (number) => (page.model.maps ? `${word("map")} ${number + 1}` : page.model.label_names[number]);

/** The state that an address asks for, over the one of the page; what is no number in range is told and left out. */
function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1)), state = { ...page.state, at: 0, psi: 1 };
  for (const name of ["seed", "to"]) {
    const seed = asked.has(name) ? seedOf(asked.get(name)) : state[name];
    if (seed === null) tell(word("wrong_seed"));
    else state[name] = seed;
  }
  for (const name of ["at", "psi"]) {
    const number = Number.parseFloat(asked.get(name));
    if (number >= 0 && number <= 1) state[name] = number;
  }
  const choice = Number(asked.get("class") ?? asked.get("map") ?? NaN);
  state.choice = Number.isInteger(choice) && choice >= 0 && choice < choices() ? choice : "each";
  page.state = state;
}

function writeAddress() {
  const { seed, to, at, choice, psi } = page.state, asked = new URLSearchParams({ seed });
  if (at > 0) for (const [name, value] of Object.entries({ to, at })) asked.set(name, value);
  if (choice !== "each") asked.set(page.model.maps ? "map" : "class", choice);
  if (psi !== 1) asked.set("psi", psi);
  history.replaceState(null, "", `#${asked}`);
}

/** Shows a sentence beside the controls; "" takes it away. */
const tell = (sentence) => (element("message").textContent = sentence);

/** Changes the state, shows it in the form and has the picture drawn. */
function change(part) {
  page.state = { ...page.state, ...part };
  tell("");
  showState();
  writeAddress();
  page.wanted = true;
  if ("choice" in part || "psi" in part) drawSheet();
  else markTile();
  work();
}

function showState() {
  const { seed, to, at, choice, psi } = page.state;
  for (const [id, value] of Object.entries({ seed, to, at, psi })) {
    if (document.activeElement !== element(id) || element(id).type === "range") element(id).value = value;
  }
  element("choice").value = choice;
  element("at-value").textContent = `${Math.round(100 * at)} %`;
  element("psi-value").textContent = psi.toFixed(2);
}

/** Draws what waits, one picture at a time, the large one first; the browser may answer its visitor between two. */
async function work() {
  if (page.busy || !page.generator) return;
  page.busy = true;
  try {
    while (page.wanted || page.waiting.length) {
      if (page.wanted) await drawLarge();
      else await drawTile(page.waiting.shift());
      await new Promise((resolve) => setTimeout(resolve));
    }
    caption();
  } catch (error) {
    tell(word("failed", { why: error.message }));
  } finally {
    page.busy = false;
  }
}

const zOf = (seed) => latentsOf(seed, page.model.latent_size, page.model.seeds_like);

/** A picture, and in the page's state how long it took; the first one of a session takes longer than all others. */
async function timed(...latent) {
  const began = performance.now(), image = await page.generator.draw(...latent);
  page.milliseconds = performance.now() - began;
  return image;
}

async function drawLarge() {
  page.wanted = false;
  const address = location.hash, { seed, to, at, psi } = page.state, z = at > 0 ? slerp(zOf(seed), zOf(to), at) : zOf(seed);
  const condition = conditionOf(seed), image = await timed(z, condition, psi);
  element("picture").getContext("2d").putImageData(image, 0, 0);
  if (page.model.maps) element("map").getContext("2d").putImageData(mapPicture(condition), 0, 0);
  caption();
  element("picture").dataset.shown = address;
}

/** The example map of a number in flat colors, far from each other. */
function mapPicture(number) {
  const { height, width, maps } = page.model, image = new ImageData(width, height), start = number * height * width;
  for (let i = 0; i < height * width; i++) {
    const hue = (maps[start + i] * 137.5) % 360, light = 0.42 + 0.14 * (maps[start + i] % 3);
    for (let k = 0; k < 3; k++) {
      const turn = ([0, 8, 4][k] + hue / 30) % 12;
      image.data[4 * i + k] = 255 * (light - 0.3 * Math.max(-1, Math.min(turn - 3, 9 - turn, 1)));
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

function caption() {
  const { seed, to, at } = page.state, parts = [];
  parts.push(at > 0 ? word("walked", { seed, to, percent: Math.round(100 * at) }) : word("picture", { seed }));
  if (choices()) parts.push(conditionName(conditionOf(seed)));
  element("picture").setAttribute("aria-label", parts.join(", "));
  const milliseconds = page.milliseconds && page.milliseconds.toFixed(page.milliseconds < 10 ? 1 : 0);
  if (page.milliseconds !== null) parts.push(word("speed", { ms: milliseconds }));
  element("caption").textContent = page.generator ? parts.join(" · ") : word("loading");
}

async function drawTile(tile) {
  const seed = Number(tile.value), image = await timed(zOf(seed), conditionOf(seed), page.state.psi);
  tile.firstChild.getContext("2d").putImageData(image, 0, 0);
  tile.dataset.drawn = "true";
}

/** Has all small pictures drawn anew. */
function drawSheet() {
  page.waiting = [];
  for (const [place, tile] of [...element("sheet").children].entries()) {
    const seed = (page.first + place) % 2 ** 32, name = choices() ? `, ${conditionName(conditionOf(seed))}` : "";
    tile.value = seed;
    tile.setAttribute("aria-label", word("picture", { seed }) + name);
    tile.title = tile.getAttribute("aria-label");
    delete tile.dataset.drawn;
    page.waiting.push(tile);
  }
  markTile();
}

function markTile() {
  for (const tile of element("sheet").children) tile.setAttribute("aria-pressed", Number(tile.value) === page.state.seed);
}

/** As large as fits, a pixel of the model being a whole number of the page's. */
function layOut() {
  const { width, height } = page.model, figure = element("figure");
  const room = Math.min(figure.clientWidth / width, (0.72 * innerHeight) / height, Math.max(1, 576 / width));
  const scale = room >= 1 ? Math.floor(room) : room;
  element("picture").style.width = `${scale * width}px`;
  element("map").style.width = `${Math.max(1, Math.round(scale / 3)) * width}px`;
}

function speak(language) {
  page.language = language;
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-word]")) each.textContent = word(each.dataset.word);
  for (const each of document.querySelectorAll("[data-name]")) {
    each.setAttribute("aria-label", word(each.dataset.name));
    each.title = word(each.dataset.name);
  }
  for (const each of document.querySelectorAll("[data-language]")) {
    each.setAttribute("aria-pressed", each.dataset.language === language);
  }
  element("licence").textContent = page.model.license === "unknown" ? word("unknown") : page.model.license;
  element("local").textContent = word("local", { runtime: page.model.runtime });
  element("play").textContent = word(page.playing ? "stop" : "play");
  fillChoices();
  showState();
  caption();
  drawSheet();
  work();
}

function fillChoices() {
  element("choices").hidden = !choices();
  element("choice-name").textContent = word(page.model.maps ? "map" : "class");
  const options = [new Option(word("each"), "each")];
  for (let i = 0; i < choices(); i++) options.push(new Option(conditionName(i), i));
  element("choice").replaceChildren(...options);
}

/** Walks to the second seed and back until it is stopped. */
function play() {
  if (page.playing) {
    cancelAnimationFrame(page.playing);
    page.playing = null;
  } else {
    const began = performance.now(), from = Math.acos(1 - 2 * page.state.at);
    const step = (now) => {
      page.playing = requestAnimationFrame(step);
      if (!page.wanted) change({ at: Math.round(500 * (1 - Math.cos(from + (now - began) / 1300))) / 1000 });
    };
    page.playing = requestAnimationFrame(step);
  }
  element("play").textContent = word(page.playing ? "stop" : "play");
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    tell(word("copied"));
  } catch {
    tell(location.href); // no right to the clipboard: to be copied by hand
  }
}

function savePicture() {
  const link = document.createElement("a");
  link.href = element("picture").toDataURL("image/png");
  link.download = `${page.model.name}-seed${page.state.seed}.png`;
  link.click();
}

function listen() {
  const step = (by) => change({ seed: (page.state.seed + by + 2 ** 32) % 2 ** 32, at: 0 });
  const actions = {
    before: () => step(-1), after: () => step(1), play, save: savePicture, share: copyLink,
    random: () => change({ seed: Math.floor(Math.random() * 2 ** 32), at: 0 }),
    more: () => {
      page.first = (page.first + SHEET) % 2 ** 32;
      drawSheet();
      work();
    },
  };
  for (const [id, action] of Object.entries(actions)) element(id).addEventListener("click", action);
  for (const id of ["seed", "to"]) {
    element(id).addEventListener("input", () => {
      const seed = seedOf(element(id).value);
      if (seed === null) tell(word("wrong_seed"));
      else change(id === "seed" ? { seed, at: 0 } : { to: seed });
    });
    element(id).addEventListener("blur", showState);
  }
  for (const id of ["at", "psi"]) element(id).addEventListener("input", () => change({ [id]: Number(element(id).value) }));
  element("choice").addEventListener("change", ({ target }) => {
    change({ choice: target.value === "each" ? "each" : Number(target.value) });
  });
  element("sheet").addEventListener("click", ({ target }) => {
    const tile = target.closest("button");
    if (tile) change({ seed: Number(tile.value), at: 0 });
  });
  for (const each of document.querySelectorAll("[data-language]")) {
    each.addEventListener("click", () => speak(each.dataset.language));
  }
  document.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way && !event.altKey && !event.ctrlKey && !event.metaKey && !event.target.closest("input, select")) step(way);
  });
  element("controls").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("resize", layOut);
  addEventListener("hashchange", () => {
    readAddress();
    showState();
    page.wanted = true;
    drawSheet();
    work();
  });
}

function fillPage() {
  const { model } = page;
  element("title").textContent = model.name;
  for (const id of ["picture", "map"]) Object.assign(element(id), { width: model.width, height: model.height });
  element("map").hidden = !model.maps;
  element("files").replaceChildren(
    ...model.files.map((name) => Object.assign(document.createElement("a"), { href: name, textContent: name })),
  );
  element("not-for").hidden = !model.not_for;
  element("not-for-text").textContent = model.not_for || "";
  const size = Math.min(128, Math.max(1, Math.round(72 / model.width)) * model.width);
  element("sheet").style.gridTemplateColumns = `repeat(auto-fill, ${size + 12}px)`;
  const tiles = Array.from({ length: SHEET }, () => {
    const tile = document.createElement("button"), canvas = document.createElement("canvas");
    Object.assign(canvas, { width: model.width, height: model.height });
    canvas.style.width = `${size}px`;
    tile.append(canvas);
    return tile;
  });
  element("sheet").replaceChildren(...tiles);
}

async function start() {
  page.model = JSON.parse(element("model").textContent);
  if (page.model.maps) page.model.maps = decoded(page.model.maps);
  const asked = new URLSearchParams(location.search).get("lang") || navigator.language;
  fillPage();
  layOut();
  page.language = asked.toLowerCase().startsWith("pt") ? "pt" : "en";
  readAddress();
  speak(page.language);
  listen();
  try {
    page.generator = await Generator.load(page.model);
  } catch (error) {
    element("caption").textContent = "";
    return tell(word("failed", { why: error.message }));
  }
  caption();
  page.wanted = true;
  work();
}

if (document.getElementById("model")) start();
