/* The page: settings, display, and jobs for the worker. */

import { parseSeed } from "./latents.js";
import { linkOf, settingsOf } from "./link.js";
import { offerOwn, own, refuseOwn, showOwn } from "./own.js";
import { sheet } from "./images.js";
import { $, cells, element, fail, idle, layOut, paint, wait } from "./screen.js";

const STEPS = 7; // images in the strip

document.documentElement.classList.add("started");

let model, worker;
let playing = 0;
const settings = { seed: "0", temperature: 1, label: null, a: 0, b: 1, t: 0.5 };
const requests = { grid: 0, morph: 0, strip: 0, own: 0 }; // id of the newest job of each kind
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
    throw new Error("model.json could not be fetched. Check the connection and reload.");
  }
  if (!response.ok) throw new Error(`model.json could not be fetched (${response.status}).`);
  try {
    model = await response.json();
  } catch {
    throw new Error("model.json is damaged: write this folder again with zoo demo.");
  }
  settings.temperature = model.temperature;
  if (!model.class_names.length) model.class_names = [...Array(model.classes).keys()].map(String);
  describe();
  offerClasses();
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => HANDLERS[data.kind](data);
  worker.onerror = () =>
    fail("problem", "worker.js could not start: reload the page, or use a newer browser.");
  worker.postMessage({ kind: "start", model });
  progress("Loading the model");
  listen();
  show(settingsOf(location.hash.slice(1), model.class_names));
  layOut(model, STEPS);
  update();
}

/* Messages of the worker */

const HANDLERS = {
  progress({ done, total }) {
    if (total > 2e6) progress(`Loading, ${megabytes(done)} of ${megabytes(total)}`);
  },

  ready({ threads }) {
    model.threads = threads;
    requests.began = performance.now(); // earlier requests waited for the model
    progress("Generating");
  },

  grid({ id, first, n, rgba, broken, last }) {
    if (id !== requests.grid) return;
    for (let i = 0; i < n; i++) {
      if (cells[first + i]) paint(cells[first + i].firstChild, rgba, i, model.size);
    }
    requests.broken += broken;
    const time = Math.round(performance.now() - requests.began);
    if (!last) {
      if (time > 300) progress(`${first + n} of ${cells.length}`);
      return;
    }
    idle(areas.grid);
    $("problem").hidden = true;
    const threads = model.threads > 1 ? ` on ${model.threads} threads` : "";
    announce(
      requests.broken
        ? `${requests.broken} of ${cells.length} images are not finite: lower the temperature.`
        : `${cells.length} images in ${time} ms${threads}`,
    );
  },

  morph({ id, rgba }) {
    paint($("live"), rgba, 0, model.size);
    if (id === requests.morph) idle(areas.morph);
  },

  strip({ id, first, rgba, last }) {
    if (id !== requests.strip) return;
    paint($("strip").children[first].firstChild, rgba, 0, model.size);
    if (last) idle(areas.strip);
  },

  own({ id, ...result }) {
    if (id !== requests.own || !own) return;
    ownDone();
    showOwn(result);
  },

  failed({ job, id, message }) {
    if (job === "own") {
      if (id !== requests.own || !own) return;
      ownDone();
      refuseOwn(message);
    } else {
      fail("problem", message);
      announce("");
      stop();
      Object.values(areas).forEach(idle);
    }
  },
};

function ownDone() {
  idle(areas.own);
  const busy = $("grid").getAttribute("aria-busy") === "true";
  if (!busy && $("progress").textContent) progress(""); // the encoder is loaded
}

/* Shows progress; only the final status is read aloud by screen readers. */
function progress(text) {
  clearTimeout(requests.slow);
  $("progress").textContent = text;
  $("status").textContent = "";
}

function announce(text) {
  progress("");
  $("status").textContent = text;
}

/* Jobs for the worker */

function request(kind, job) {
  requests[kind] += 1;
  wait(areas[kind]);
  worker.postMessage({ kind, id: requests[kind], ...job });
}

function update(kinds = ["grid", "morph", "strip"]) {
  const { temperature, t } = settings;
  if (kinds.includes("grid")) {
    requests.began = performance.now();
    requests.broken = 0;
    clearTimeout(requests.slow);
    if (model.threads) requests.slow = setTimeout(progress, 300, "Generating");
    const labels = model.classes ? cells.map((_, i) => labelOf(i)) : null;
    request("grid", { seed: parseSeed(settings.seed), temperature, labels, count: cells.length });
  }
  const ends = [own?.ready ? { own: true } : endOf(settings.a), endOf(settings.b)];
  if (kinds.includes("morph")) request("morph", { ends, t });
  if (kinds.includes("strip")) request("strip", { ends, steps: STEPS });
  mark();
  remember();
}

function endOf(index) {
  const { seed, temperature } = settings;
  return { seed: parseSeed(seed), index, temperature, label: labelOf(index) };
}

/* The class of image i: the chosen one, else the classes in turn. */
function labelOf(index) {
  return model.classes ? (settings.label ?? index % model.classes) : null;
}

/* Settings */

function listen() {
  addEventListener("hashchange", () => {
    if (location.hash === `#${linkOf(settings, model.class_names)}`) return;
    show(settingsOf(location.hash.slice(1), model.class_names));
    update();
  });
  let [width, height] = [innerWidth, innerHeight];
  addEventListener("resize", () => {
    const small = Math.abs(innerHeight - height) < height / 5; // the address bar of a phone
    if (innerWidth === width && small) return;
    [width, height] = [innerWidth, innerHeight];
    const before = cells.length;
    layOut(model, STEPS);
    if (cells.length !== before) update(["grid"]);
  });
  $("seed").oninput = () => {
    const text = $("seed").value.trim();
    const invalid = parseSeed(text) === null;
    $("seed-problem").hidden = !invalid;
    $("seed").setAttribute("aria-invalid", invalid);
    if (!invalid) change({ seed: text });
  };
  $("another").onclick = () => {
    show({ seed: String(Math.floor(Math.random() * 1e6)) });
    update();
  };
  $("temperature").oninput = () => {
    change({ temperature: Number($("temperature").value) });
  };
  $("class-choice").onchange = () => {
    const { value } = $("class-choice");
    change({ label: value === "" ? null : Number(value) });
  };
  $("t").oninput = () => {
    stop();
    change({ t: Number($("t").value) }, ["morph"]);
  };
  $("grid").onclick = (event) => choose(cells.indexOf(event.target.closest("button")));
  $("grid").onkeydown = moveFocus;
  $("grid").addEventListener("focusin", ({ target }) => {
    for (const cell of cells) cell.tabIndex = cell === target ? 0 : -1;
  });
  $("strip").onclick = (event) => {
    const index = [...$("strip").children].indexOf(event.target.closest("span"));
    if (index < 0) return;
    stop();
    seek(index / (STEPS - 1));
  };
  $("play").onclick = () => (playing ? stop() : play());
  $("link").onclick = copyLink;
  $("save-image").onclick = saveImage;
  $("save-grid").onclick = saveGrid;
  offerOwn({
    model,
    encode: (image, label) => request("own", { image, label }),
    label: () => labelOf(settings.b),
    changed() {
      if (!own && settings.a === settings.b) settings.a = settings.b ? 0 : 1;
      update(["morph", "strip"]);
    },
  });
}

function change(values, kinds) {
  Object.assign(settings, values);
  update(kinds);
}

/* Sets values and shows them in their controls. */
function show(values) {
  Object.assign(settings, values);
  $("seed").value = settings.seed;
  $("seed").removeAttribute("aria-invalid");
  $("seed-problem").hidden = true;
  $("temperature").value = settings.temperature;
  $("t").value = settings.t;
  $("class-choice").value = settings.label ?? "";
}

/* Makes an image of the grid the end that was chosen longer ago; always B if A is the user's own
 * image. */
let older = "a";
function choose(index) {
  if (index < 0 || index === settings.b || (index === settings.a && !own)) return;
  const end = own ? "b" : older;
  older = end === "a" ? "b" : "a";
  change({ [end]: index }, ["morph", "strip"]);
}

function moveFocus(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own keys
  const current = cells.indexOf(document.activeElement);
  const columns = Number($("grid").dataset.columns);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const places = { Home: 0, End: cells.length - 1 };
  const to = event.key in steps ? current + steps[event.key] : places[event.key];
  if (current < 0 || !cells[to]) return;
  event.preventDefault();
  cells[to].focus();
}

/* Moves to a position of the interpolation. */
function seek(t) {
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
      seek((1 - Math.cos(phase + (now - began) / 900)) / 2);
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

let addressTimer;
function remember() {
  clearTimeout(addressTimer); // browsers refuse an address that changes with every frame
  addressTimer = setTimeout(keepAddress, 400);
}

function keepAddress() {
  try {
    history.replaceState(null, "", `#${linkOf(settings, model.class_names)}`);
  } catch {
    // an embedded page may not be allowed to
  }
}

async function copyLink() {
  keepAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    announce("Link copied");
  } catch {
    announce("Copy the address of this page instead");
  }
}

/* Display */

/* The address comes from a graph: it is shown where it leads to. */
function paperLink() {
  try {
    const { protocol, host, href } = new URL(model.paper);
    if (protocol !== "https:") return null;
    return Object.assign(element("a", `Paper (${host})`), { href, rel: "noreferrer" });
  } catch {
    return null; // not an address
  }
}

function describe() {
  const { channels, size, bits, graphs, data } = model;
  const bytes = Object.values(graphs).reduce((sum, graph) => sum + graph.bytes, 0);
  const colors = channels === 1 ? "gray" : "color";
  const summary = [element("span", `Trained on ${data}`), element("span", `${megabytes(bytes)} in total`)];
  const paper = paperLink();
  if (paper) summary.unshift(paper);
  $("facts").append(...summary);
  const about = {
    Model: `${model.title}`,
    Data: data + (model.data_licence ? `, ${model.data_licence}` : ""),
    Images: `${size} x ${size} pixels, ${colors}, ${2 ** bits} levels`,
    Latents: `${model.latent_size} values, ${model.latent_distribution}`,
  };
  if (model.classes) about.Classes = listed(model.class_names);
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
  $("classes").hidden = $("own-class").hidden = false;
  const options = () => model.class_names.map((name, label) => new Option(name, label));
  $("class-choice").append(new Option("All in turn", ""), ...options());
  $("own-label").append(...options());
}

function mark() {
  const { a, b, temperature, t } = settings;
  cells.forEach((cell, i) => {
    const end = i === b ? "B" : i === a && !own?.ready ? "A" : "";
    const labelText = model.classes ? `, class ${model.class_names[labelOf(i)]}` : "";
    cell.dataset.end = end;
    cell.setAttribute("aria-pressed", Boolean(end));
    cell.setAttribute("aria-label", `Image ${i}${labelText}${end && `, end ${end}`}`);
  });
  $("end-a").lastElementChild.textContent = own?.ready ? "yours" : `image ${a}`;
  $("end-b").firstElementChild.textContent = `image ${b}`;
  $("temperature-value").textContent = temperature.toFixed(2);
  $("temperature").style.setProperty("--at", temperature / 1.5);
  $("t").style.setProperty("--at", t);
  $("t").setAttribute("aria-valuetext", `${Math.round(t * 100)}% of the way to B`);
}

/* The names, or the first of many and their number. */
function listed(names) {
  return names.length > 12 ? `${names.slice(0, 10).join(", ")}, ... (${names.length} classes)` : names.join(", ");
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/* Files */

function saveImage() {
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
