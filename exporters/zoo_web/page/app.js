/* The page: what is set, what is shown, and what is asked of the worker. */

import { parseSeed } from "./latents.js";
import { linkOf, settingsOf } from "./link.js";
import { offerOwn, own, refuseOwn, showOwn } from "./own.js";
import { sheet } from "./pictures.js";
import { $, cells, element, fail, idle, layOut, paint, wait } from "./screen.js";

const STEPS = 7; // pictures of the strip

document.documentElement.classList.add("started");

let model, worker;
let playing = 0;
const settings = { seed: "0", temperature: 1, label: null, a: 0, b: 1, t: 0.5 };
const asked = { grid: 0, morph: 0, strip: 0, own: 0 }; // the newest job of each kind
const areas = { grid: "grid", morph: "frame", strip: "strip", own: "own-result" };

start().catch((error) => {
  fail("problem", error.message);
  Object.values(areas).forEach(idle);
});

async function start() {
  let response;
  try {
    response = await fetch("model.json");
  } catch {
    throw new Error("model.json could not be fetched. Check the connection and load again.");
  }
  if (!response.ok) throw new Error(`model.json could not be fetched (${response.status}).`);
  try {
    model = await response.json();
  } catch {
    throw new Error("model.json is damaged: write this folder again with zoo demo.");
  }
  settings.temperature = model.temperature;
  describe();
  offerClasses();
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => HEARD[data.kind](data);
  worker.onerror = () =>
    fail("problem", "worker.js could not be started: load the page again, or in a newer browser.");
  worker.postMessage({ kind: "start", model });
  progress("Loading the model");
  listen();
  show(settingsOf(location.hash.slice(1), model.classes));
  layOut(model, STEPS);
  redraw();
}

/* What the worker says */

const HEARD = {
  progress({ done, total }) {
    if (total > 2e6) progress(`Loading, ${megabytes(done)} of ${megabytes(total)}`);
  },

  ready({ threads }) {
    model.threads = threads;
    asked.began = performance.now(); // what was asked before waited for the model
    progress("Drawing");
  },

  grid({ id, first, n, rgba, broken, last }) {
    if (id !== asked.grid) return;
    for (let i = 0; i < n; i++) {
      if (cells[first + i]) paint(cells[first + i].firstChild, rgba, i, model.size);
    }
    asked.broken += broken;
    const time = Math.round(performance.now() - asked.began);
    if (!last) {
      if (time > 300) progress(`${first + n} of ${cells.length}`);
      return;
    }
    idle(areas.grid);
    $("problem").hidden = true;
    const threads = model.threads > 1 ? ` on ${model.threads} threads` : "";
    tell(
      asked.broken
        ? `${asked.broken} of ${cells.length} pictures are not finite: lower the temperature.`
        : `${cells.length} pictures in ${time} ms${threads}`,
    );
  },

  morph({ id, rgba }) {
    paint($("live"), rgba, 0, model.size);
    if (id === asked.morph) idle(areas.morph);
  },

  strip({ id, first, rgba, last }) {
    if (id !== asked.strip) return;
    paint($("strip").children[first].firstChild, rgba, 0, model.size);
    if (last) idle(areas.strip);
  },

  own({ id, ...found }) {
    if (id !== asked.own || !own) return;
    ownDone();
    showOwn(found);
  },

  failed({ job, id, message }) {
    if (job === "own") {
      if (id !== asked.own || !own) return;
      ownDone();
      refuseOwn(message);
    } else {
      fail("problem", message);
      tell("");
      stop();
      Object.values(areas).forEach(idle);
    }
  },
};

function ownDone() {
  idle(areas.own);
  const drawing = $("grid").getAttribute("aria-busy") === "true";
  if (!drawing && $("progress").textContent) progress(""); // the encoder is loaded
}

/* Says what goes on; only what it ends with is read aloud. */
function progress(text) {
  clearTimeout(asked.slow);
  $("progress").textContent = text;
  $("status").textContent = "";
}

function tell(text) {
  progress("");
  $("status").textContent = text;
}

/* What is asked of it */

function ask(kind, job) {
  asked[kind] += 1;
  wait(areas[kind]);
  worker.postMessage({ kind, id: asked[kind], ...job });
}

function redraw(kinds = ["grid", "morph", "strip"]) {
  const { temperature, t } = settings;
  if (kinds.includes("grid")) {
    asked.began = performance.now();
    asked.broken = 0;
    clearTimeout(asked.slow);
    if (model.threads) asked.slow = setTimeout(progress, 300, "Drawing");
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
    if (location.hash === `#${linkOf(settings)}`) return;
    show(settingsOf(location.hash.slice(1), model.classes));
    redraw();
  });
  let [width, height] = [innerWidth, innerHeight];
  addEventListener("resize", () => {
    const less = Math.abs(innerHeight - height) < height / 5; // as a phone's bar that comes and goes
    if (innerWidth === width && less) return;
    [width, height] = [innerWidth, innerHeight];
    const before = cells.length;
    layOut(model, STEPS);
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
    change({ temperature: Number($("temperature").value) });
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
  $("grid").addEventListener("focusin", ({ target }) => {
    for (const cell of cells) cell.tabIndex = cell === target ? 0 : -1;
  });
  $("strip").onclick = (event) => {
    const index = [...$("strip").children].indexOf(event.target.closest("span"));
    if (index < 0) return;
    stop();
    go(index / (STEPS - 1));
  };
  $("play").onclick = () => (playing ? stop() : play());
  $("link").onclick = copyLink;
  $("save-picture").onclick = () => savePicture();
  $("save-grid").onclick = () => saveGrid();
  offerOwn({
    model,
    encode: (image, label) => ask("own", { image, label }),
    label: () => labelOf(settings.b),
    changed() {
      if (!own && settings.a === settings.b) settings.a = settings.b ? 0 : 1;
      redraw(["morph", "strip"]);
    },
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
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own keys
  const at = cells.indexOf(document.activeElement);
  const columns = Number($("grid").dataset.columns);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const places = { Home: 0, End: cells.length - 1 };
  const to = event.key in steps ? at + steps[event.key] : places[event.key];
  if (at < 0 || !cells[to]) return;
  event.preventDefault();
  cells[to].focus();
}

/* Goes to a place of the walk. */
function go(t) {
  $("t").value = t;
  change({ t }, ["morph"]);
}

function play() {
  $("play").textContent = "Pause";
  const phase = Math.acos(1 - 2 * settings.t);
  let began;
  const frame = (now) => {
    began ??= now;
    if ($("frame").getAttribute("aria-busy") === "false") {
      go((1 - Math.cos(phase + (now - began) / 900)) / 2);
    }
    playing = requestAnimationFrame(frame);
  };
  playing = requestAnimationFrame(frame);
}

function stop() {
  cancelAnimationFrame(playing);
  playing = 0;
  $("play").textContent = "Play";
}

let remembering;
function remember() {
  clearTimeout(remembering); // browsers refuse an address that changes with every frame
  remembering = setTimeout(keepAddress, 400);
}

function keepAddress() {
  try {
    history.replaceState(null, "", `#${linkOf(settings)}`);
  } catch {
    // a page inside another may not be allowed to
  }
}

async function copyLink() {
  keepAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    tell("Link copied");
  } catch {
    tell("The address of this page is the link");
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
