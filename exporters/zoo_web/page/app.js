/* The page: what is set, what is shown, and what is asked of the worker. */

import { parseSeed } from "./latents.js";
import { prepare, sheet } from "./pictures.js";

const STEPS = 7; // pictures of the strip
const $ = (id) => document.getElementById(id);

document.documentElement.classList.add("started");

let model, worker;
let own = null; // { id, bytes: the prepared picture, 0 to 255 }
let cells = [];
let playing = 0;
const settings = { seed: "0", temperature: 1, label: null, a: 0, b: 1, t: 0.5 };
const asked = { grid: 0, morph: 0, strip: 0, own: 0 }; // the newest job of each kind
const areas = { grid: "grid", morph: "stage", strip: "strip", own: "own-result" };

start().catch((error) => fail("problem", error.message));

async function start() {
  let response;
  try {
    response = await fetch("model.json");
  } catch {
    throw new Error("model.json could not be fetched. Check the connection and load again.");
  }
  if (!response.ok) throw new Error(`model.json could not be fetched (${response.status}).`);
  model = await response.json();
  settings.temperature = model.temperature;
  describe();
  offerClasses();
  $("own").hidden = !model.graphs.encoder;
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => HEARD[data.kind](data);
  worker.onerror = () => fail("problem", "worker.js could not be started: load the page again.");
  worker.postMessage({ kind: "start", model });
  $("status").textContent = "Loading the model";
  listen();
  restore();
  layOut();
  redraw();
}

/* What the worker says */

const HEARD = {
  progress({ done, total }) {
    if (total > 2e6) $("status").textContent = `Loading, ${megabytes(done)} of ${megabytes(total)}`;
  },

  ready({ threads }) {
    model.threads = threads;
    asked.began = performance.now(); // what was asked before waited for the model
  },

  grid({ id, first, n, rgba, broken, last }) {
    if (id !== asked.grid) return;
    for (let i = 0; i < n; i++) {
      if (cells[first + i]) paint(cells[first + i].firstChild, rgba, i);
    }
    asked.broken += broken;
    const time = Math.round(performance.now() - asked.began);
    if (!last) {
      if (time > 300) $("status").textContent = `${first + n} of ${cells.length}`;
      return;
    }
    idle("grid");
    $("problem").hidden = true;
    const threads = model.threads > 1 ? ` on ${model.threads} threads` : "";
    $("status").textContent = asked.broken
      ? `${asked.broken} pictures are not finite: lower the temperature.`
      : `${cells.length} pictures in ${time} ms${threads}`;
  },

  morph({ id, rgba }) {
    paint($("live"), rgba, 0);
    if (id === asked.morph) idle("morph");
  },

  strip({ id, first, rgba, last }) {
    if (id !== asked.strip) return;
    paint($("strip").children[first].firstChild, rgba, 0);
    if (last) idle("strip");
  },

  own({ id, rgba, difference, logProb }) {
    if (id !== asked.own || !own) return;
    own.ready = true;
    $("status").textContent = "";
    paint($("own-back"), rgba, 0);
    tellOwn(difference, logProb);
    idle("own");
    redraw(["morph", "strip"]);
  },

  failed({ job, id, message }) {
    if (job === "own") {
      if (id !== asked.own || !own) return;
      fail("own-problem", message);
      own.ready = false;
      redraw(["morph", "strip"]);
    } else {
      fail("problem", message);
      $("status").textContent = "";
    }
    (job === "own" ? ["own"] : Object.keys(areas)).forEach(idle);
  },
};

function fail(where, message) {
  $(where).textContent = message;
  $(where).hidden = false;
}

function idle(kind) {
  $(areas[kind]).setAttribute("aria-busy", "false");
}

/* What is asked of it */

function ask(kind, job) {
  asked[kind] += 1;
  $(areas[kind]).setAttribute("aria-busy", "true");
  worker.postMessage({ kind, id: asked[kind], ...job });
}

function redraw(kinds = ["grid", "morph", "strip"]) {
  const { temperature, t } = settings;
  if (kinds.includes("grid")) {
    asked.began = performance.now();
    asked.broken = 0;
    const labels = model.classes ? cells.map((_, i) => labelOf(i)) : null;
    ask("grid", { seed: parseSeed(settings.seed), temperature, labels, count: cells.length });
  }
  const ends = [own?.ready ? { own: true } : sampled(settings.a), sampled(settings.b)];
  if (kinds.includes("morph")) ask("morph", { ends, t });
  if (kinds.includes("strip")) ask("strip", { ends, steps: STEPS });
  mark();
  remember();
}

function sampled(index) {
  const { seed, temperature } = settings;
  return { seed: parseSeed(seed), index, temperature, label: labelOf(index) };
}

/* The class of picture i: the chosen one, else the classes in turn. */
function labelOf(index) {
  return model.classes ? (settings.label ?? index % model.classes) : null;
}

/* What is set */

function listen() {
  addEventListener("hashchange", () => {
    if (decodeURI(location.hash) === `#${hash()}`) return;
    restore();
    redraw();
  });
  addEventListener("resize", () => {
    const before = cells.length;
    layOut();
    if (cells.length !== before) redraw(["grid"]);
  });
  $("seed").oninput = () => {
    const text = $("seed").value.trim();
    const wrong = parseSeed(text) === null;
    $("seed-problem").hidden = !wrong;
    $("seed").setAttribute("aria-invalid", wrong);
    if (!wrong) change({ seed: text });
  };
  $("another").onclick = () => {
    show({ seed: String(Math.floor(Math.random() * 1e6)) });
    redraw();
  };
  $("temperature").oninput = () => {
    show({ temperature: Number($("temperature").value) });
    redraw();
  };
  $("class-choice").onchange = (event) => {
    change({ label: event.target.value === "" ? null : Number(event.target.value) });
  };
  $("t").oninput = () => {
    stop();
    change({ t: Number($("t").value) }, ["morph"]);
  };
  $("grid").onclick = (event) => choose(cells.indexOf(event.target.closest("button")));
  $("grid").onkeydown = walkThroughGrid;
  $("strip").onclick = (event) => {
    const index = [...$("strip").children].indexOf(event.target.closest("span"));
    if (index < 0) return;
    stop();
    show({ t: index / (STEPS - 1) });
    redraw(["morph"]);
  };
  $("play").onclick = () => (playing ? stop() : play());
  $("link").onclick = copyLink;
  $("save-picture").onclick = () => savePicture();
  $("save-grid").onclick = () => saveGrid();
  $("file").onchange = () => take($("file").files[0]);
  $("forget").onclick = forget;
  $("invert").onchange = encode;
  $("own-label").onchange = encode;
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dragging", kind === "dragenter" || kind === "dragover");
      if (kind === "drop" && model.graphs.encoder) take(event.dataTransfer.files[0]);
    });
  }
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length && model.graphs.encoder) {
      take(event.clipboardData.files[0]);
    }
  });
}

function change(values, kinds) {
  Object.assign(settings, values);
  redraw(kinds);
}

/* Sets values and shows them in their controls. */
function show(values) {
  Object.assign(settings, values);
  $("seed").value = settings.seed;
  $("seed").removeAttribute("aria-invalid");
  $("seed-problem").hidden = true;
  $("temperature").value = settings.temperature;
  $("t").value = settings.t;
  for (const one of $("class-choice").querySelectorAll("input")) {
    one.checked = one.value === String(settings.label ?? "");
  }
  const select = $("class-choice").querySelector("select");
  if (select) select.value = settings.label ?? "";
}

/* Makes a picture of the grid the end that was chosen longer ago; with a picture of the user's own
 * as A, always B. */
let older = "a";
function choose(index) {
  if (index < 0 || index === settings.b || (index === settings.a && !own)) return;
  const end = own ? "b" : older;
  older = end === "a" ? "b" : "a";
  change({ [end]: index }, ["morph", "strip"]);
}

function walkThroughGrid(event) {
  const at = cells.indexOf(document.activeElement);
  const columns = Number($("grid").dataset.columns);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const places = { Home: 0, End: cells.length - 1 };
  const to = event.key in steps ? at + steps[event.key] : places[event.key];
  if (at < 0 || !cells[to]) return;
  event.preventDefault();
  cells.forEach((cell, i) => (cell.tabIndex = i === to ? 0 : -1));
  cells[to].focus();
}

function play() {
  $("play").setAttribute("aria-pressed", "true");
  $("play").textContent = "Pause";
  const phase = Math.acos(1 - 2 * settings.t);
  let began;
  const frame = (now) => {
    began ??= now;
    if ($("stage").getAttribute("aria-busy") === "false") {
      show({ t: (1 - Math.cos(phase + (now - began) / 900)) / 2 });
      redraw(["morph"]);
    }
    playing = requestAnimationFrame(frame);
  };
  playing = requestAnimationFrame(frame);
}

function stop() {
  cancelAnimationFrame(playing);
  playing = 0;
  $("play").setAttribute("aria-pressed", "false");
  $("play").textContent = "Play";
}

/* The address carries the settings. */

function hash() {
  const { seed, temperature, label, a, b, t } = settings;
  const values = { seed, temperature: temperature.toFixed(2), a, b, t: t.toFixed(3) };
  if (label !== null) values.label = label;
  return new URLSearchParams(values).toString();
}

let remembering;
function remember() {
  clearTimeout(remembering); // browsers refuse an address that changes with every frame
  remembering = setTimeout(() => history.replaceState(null, "", `#${hash()}`), 200);
}

function restore() {
  const given = new URLSearchParams(location.hash.slice(1));
  const number = (key, from, to, whole) => {
    const value = given.get(key) ? Number(given.get(key)) : NaN;
    return value >= from && value <= to && (!whole || Number.isInteger(value)) ? value : undefined;
  };
  const seed = given.get("seed");
  const values = {
    seed: parseSeed(seed ?? "") ? seed : undefined,
    temperature: number("temperature", 0, 1.5),
    label: number("label", 0, model.classes - 1, true) ?? (location.hash ? null : undefined),
    a: number("a", 0, 1e6, true),
    b: number("b", 0, 1e6, true),
    t: number("t", 0, 1),
  };
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  show(Object.fromEntries(known));
}

async function copyLink() {
  history.replaceState(null, "", `#${hash()}`);
  try {
    await navigator.clipboard.writeText(location.href);
    $("status").textContent = "Link copied";
  } catch {
    $("status").textContent = "The address of this page is the link";
  }
}

/* What is shown */

function describe() {
  const { channels, size, bits, graphs, data } = model;
  const bytes = Object.values(graphs).reduce((sum, one) => sum + one.bytes, 0);
  const colours = channels === 1 ? "grey" : "colour";
  const facts = [element("span", `Trained on ${data}`), element("span", `${megabytes(bytes)} in all`)];
  if (/^https?:/.test(model.paper)) {
    facts.unshift(Object.assign(element("a", "Paper"), { href: model.paper }));
  }
  $("facts").append(...facts);
  const about = {
    Model: `${model.title}`,
    Data: data + (model.data_licence ? `, ${model.data_licence}` : ""),
    Pictures: `${size} x ${size} pixels, ${colours}, ${2 ** bits} levels`,
    "Drawn from": `${model.latent_size} numbers, ${model.latent_distribution}`,
  };
  const parity = Object.values(graphs).flatMap((graph) => Object.entries(graph.parity));
  for (const [name, { file, bytes }] of Object.entries(graphs)) {
    about[name === "sampler" ? "Sampler" : "Encoder"] = `${file}, ${megabytes(bytes)}`;
  }
  if (parity.length) {
    const within = ([output, error]) =>
      `${output.replace("_", " ")} within ${Number(error).toExponential(1)}`;
    about.Parity = `${parity.map(within).join(", ")} of the trained network in float64`;
  }
  about.Exported = `by genzoo ${model.genzoo_version}`;
  for (const [term, text] of Object.entries(about)) {
    $("about").append(element("dt", term), element("dd", text));
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function offerClasses() {
  if (!model.classes) return;
  const all = [...Array(model.classes).keys()];
  $("classes").hidden = $("own-class").hidden = false;
  $("own-label").append(...all.map((one) => new Option(one, one)));
  if (model.classes > 16) {
    const select = element("select", "");
    select.setAttribute("aria-label", "Class");
    select.append(new Option("in turn", ""), ...all.map((one) => new Option(one, one)));
    $("class-choice").append(select);
    return;
  }
  for (const one of ["", ...all]) {
    const label = element("label", "");
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name: "class", value: one, checked: one === "" });
    label.append(input, element("span", one === "" ? "In turn" : one));
    $("class-choice").append(label);
  }
}

/* The size on the screen, in CSS pixels: about as large as room, whole factors of the device's. */
function shownSize(room) {
  const ratio = window.devicePixelRatio || 1;
  const factor = Math.floor((room * ratio) / model.size);
  return factor >= 1 ? (factor * model.size) / ratio : room;
}

function layOut() {
  const { side, columns, gap } = fit($("grid").clientWidth);
  const fits = Math.floor((innerHeight * (innerWidth < 700 ? 0.5 : 0.72)) / (side + gap));
  const most = model.graphs.sampler.bytes > 2e7 ? 24 : 64;
  const rows = Math.max(1, Math.min(Math.max(4, fits), Math.floor(most / columns)));
  const style = $("grid").style;
  style.setProperty("--side", `${side}px`);
  style.setProperty("--gap", `${gap}px`);
  style.setProperty("--columns", columns);
  $("grid").dataset.columns = columns;
  while (cells.length > rows * columns) cells.pop().remove();
  while (cells.length < rows * columns) cells.push(newCell(cells.length));
  const stage = document.querySelector(".frame").clientWidth;
  size($("live"), shownSize(innerWidth < 700 ? Math.min(stage, innerHeight * 0.36) : stage));
  size($("own-original"), shownSize((stage - 16) / 2));
  size($("own-back"), shownSize((stage - 16) / 2));
  while ($("strip").children.length < STEPS) {
    $("strip").append(document.createElement("span"));
    $("strip").lastChild.append(blank());
  }
  for (const one of $("strip").children) size(one.firstChild, shownSize((stage - 48) / STEPS));
}

/* Columns of the grid: of the sizes that whole factors give, that which fills the width best. */
function fit(width) {
  const [least, most] = width < 500 ? [46, 66] : [64, 96];
  const step = model.size / (window.devicePixelRatio || 1);
  const sides = [];
  for (let side = step; side <= most; side += step) if (side >= least) sides.push(side);
  if (!sides.length) sides.push(shownSize(most));
  const fits = sides.map((side) => {
    const columns = Math.max(2, Math.floor((width + 8) / (side + 8)));
    return { side, columns, gap: (width - columns * side) / (columns - 1), filled: columns * side };
  });
  return fits.reduce((best, one) => (one.filled > best.filled ? one : best));
}

function newCell(index) {
  const cell = element("button", "");
  Object.assign(cell, { type: "button", tabIndex: index ? -1 : 0 });
  cell.append(blank());
  $("grid").append(cell);
  return cell;
}

function blank() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = model.size;
  return canvas;
}

function size(canvas, side) {
  canvas.style.width = canvas.style.height = `${side}px`;
  canvas.classList.toggle("scaled", side < model.size);
}

/* Picture i of RGBA bytes onto a canvas. */
function paint(canvas, rgba, i) {
  const area = model.size ** 2 * 4;
  if (canvas.width !== model.size) canvas.width = canvas.height = model.size;
  const pixels = new Uint8ClampedArray(rgba.buffer, i * area, area);
  canvas.getContext("2d").putImageData(new ImageData(pixels, model.size), 0, 0);
}

function mark() {
  const { a, b, temperature, t } = settings;
  cells.forEach((cell, i) => {
    const end = i === b ? "B" : i === a && !own?.ready ? "A" : "";
    const classed = model.classes ? `, class ${labelOf(i)}` : "";
    cell.dataset.end = end;
    cell.setAttribute("aria-pressed", Boolean(end));
    cell.setAttribute("aria-label", `Picture ${i}${classed}${end && `, end ${end}`}`);
  });
  $("end-a").lastElementChild.textContent = own?.ready ? "yours" : `picture ${a}`;
  $("end-b").firstElementChild.textContent = `picture ${b}`;
  $("temperature-value").textContent = temperature.toFixed(2);
  $("temperature").style.setProperty("--at", temperature / 1.5);
  $("t").style.setProperty("--at", t);
  $("t").setAttribute("aria-valuetext", `${Math.round(t * 100)}% of the way to B`);
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/* A picture of the user's own */

async function take(file) {
  if (!file) return;
  $("own-problem").hidden = true;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    fail("own-problem", `${file.name} is no picture that this browser can read: choose another.`);
    return;
  }
  own = { bytes: prepare(bitmap, model), ready: false };
  if (model.classes) $("own-label").value = labelOf(settings.b);
  $("own-result").hidden = false;
  $("own").classList.add("taken");
  encode();
}

/* In the model's own number of levels, inverted where that is asked. */
function encode() {
  const { bits } = model;
  const inverted = $("invert").checked;
  const image = Float32Array.from(own.bytes, (v) => ((inverted ? 255 - v : v) >> (8 - bits)) / (2 ** bits - 1));
  const area = model.size ** 2;
  const rgba = new Uint8ClampedArray(area * 4).fill(255);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) rgba[i * 4 + c] = image[(model.channels === 1 ? 0 : c) * area + i] * 255;
  }
  paint($("own-original"), rgba, 0);
  $("own-problem").hidden = true;
  ask("own", { image, label: model.classes ? Number($("own-label").value) : null });
}

function tellOwn(difference, logProb) {
  const off = difference < 1e-4 ? difference.toExponential(1) : difference.toFixed(3);
  const back = `What comes back is ${off} off, on average, of 1.`;
  $("own-bits").hidden = logProb === null;
  $("own-facts").textContent = back;
  if (logProb === null) return;
  const dimensions = model.channels * model.size ** 2;
  const bits = model.bits - logProb / (dimensions * Math.LN2);
  $("own-bits").replaceChildren(element("b", bits.toFixed(2)), " bits/dim");
  $("own-facts").textContent =
    `Counted at the centre of each pixel value, without dequantisation noise. ${back}`;
}

function forget() {
  own = null;
  asked.own += 1;
  $("file").value = "";
  $("own-result").hidden = true;
  $("own").classList.remove("taken");
  $("own-problem").hidden = true;
  redraw(["morph", "strip"]);
  $("file").focus();
}

/* Files to keep */

function savePicture() {
  const factor = Math.max(1, Math.round(256 / model.size));
  save(sheet([$("live")], 1, factor, 0), `${model.model}-${settings.seed}-${settings.a}-${settings.b}.png`);
}

function saveGrid() {
  const columns = Number($("grid").dataset.columns);
  const factor = Math.max(1, Math.round(64 / model.size));
  const margin = Math.max(1, Math.floor((model.size * factor) / 8));
  const canvases = cells.map((cell) => cell.firstChild);
  save(sheet(canvases, columns, factor, margin), `${model.model}-${settings.seed}.png`);
}

function save(canvas, name) {
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}
