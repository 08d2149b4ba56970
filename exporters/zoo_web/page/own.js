/* A picture of the user's own: chosen, dropped or pasted, and what the model makes of it. */

import { prepare } from "./pictures.js";
import { $, element, fail, idle, paint } from "./screen.js";

/** The picture, bytes [C, S, S], and whether the model has taken it; null where there is none. */
export let own = null;

let page;
let newest = 0; // of several files the last counts, however long each takes to read

/** Starts to listen. `of` is what the page has: `model`, `encode(image, label)` asks the worker,
 * `label()` gives the class to begin with, `changed()` is called where a walk has another end. */
export function offerOwn(of) {
  page = of;
  $("own").hidden = !page.model.graphs.encoder;
  $("file").onclick = () => ($("file").value = ""); // so that the same file can be taken again
  $("file").onchange = () => take($("file").files[0]);
  $("forget").onclick = forget;
  $("invert").onchange = encode;
  $("own-label").onchange = encode;
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) addEventListener(kind, drag);
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
}

/** Shows what came back, `difference` from it on average, with the log-density in nats or null. */
export function showOwn({ rgba, difference, logProb }) {
  own.ready = true;
  paint($("own-back"), rgba, 0, page.model.size);
  const off = difference < 1e-4 ? difference.toExponential(1) : difference.toFixed(3);
  const back = `What comes back is ${off} off, on average, of 1.`;
  $("own-bits").hidden = logProb === null;
  $("own-facts").textContent = back;
  if (logProb !== null) {
    const dimensions = page.model.channels * page.model.size ** 2;
    const bits = page.model.bits - logProb / (dimensions * Math.LN2);
    $("own-bits").replaceChildren(element("b", bits.toFixed(2)), " bits/dim");
    $("own-facts").textContent =
      `Counted at the centre of each pixel value, without dequantisation noise. ${back}`;
  }
  page.changed();
}

/** Says why the model did not take it. */
export function refuseOwn(message) {
  fail("own-problem", message);
  own.ready = false;
  $("own-bits").hidden = true;
  $("own-facts").textContent = "";
  page.changed();
}

async function take(file) {
  if (!file || !page.model.graphs.encoder) return;
  const turn = ++newest;
  $("own-problem").hidden = true;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    if (turn !== newest) return;
    fail("own-problem", `${file.name} is no picture that this browser can read: choose another.`);
    return;
  }
  if (turn === newest) show(prepare(bitmap, page.model));
  bitmap.close();
}

function show(bytes) {
  const { classes, size } = page.model;
  own = { bytes, ready: false };
  if (classes) $("own-label").value = page.label();
  $("own-back").width = $("own-back").height = size; // which empties it
  $("own-bits").hidden = true;
  $("own-facts").textContent = "";
  $("own-result").hidden = false;
  $("own").classList.add("taken");
  encode();
}

/* In the model's own number of levels, inverted where that is asked. */
function encode() {
  const { bits, channels, classes, size } = page.model;
  const inverted = $("invert").checked;
  const levels = 2 ** bits - 1;
  const image = Float32Array.from(own.bytes, (v) => ((inverted ? 255 - v : v) >> (8 - bits)) / levels);
  const area = size ** 2;
  const rgba = new Uint8ClampedArray(area * 4).fill(255);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) rgba[i * 4 + c] = image[(channels === 1 ? 0 : c) * area + i] * 255;
  }
  $("own-problem").hidden = true;
  page.encode(image, classes ? Number($("own-label").value) : null);
  paint($("own-original"), rgba, 0, size);
}

function forget() {
  own = null;
  newest += 1;
  $("own-result").hidden = true;
  $("own").classList.remove("taken");
  $("own-problem").hidden = true;
  idle("own-result");
  page.changed();
  $("file").focus();
}

function drag(event) {
  if (!event.dataTransfer.types.includes("Files")) return; // a text goes where it is dropped
  event.preventDefault();
  const inside = event.type === "dragleave" && event.relatedTarget; // from one element to another
  if (!inside) document.body.classList.toggle("dragging", /enter|over/.test(event.type));
  if (event.type === "drop") take(event.dataTransfer.files[0]);
}
