/* The user's own image: chosen, dropped or pasted, then encoded and decoded. */

import { prepare } from "./images.js";
import { $, element, fail, idle, paint } from "./screen.js";

/** The image: `bytes` [C, S, S], and `ready` once it is encoded; null if there is none. */
export let own = null;

let page;
let newest = 0; // the last file counts, however long each takes to read

/** Installs the listeners. `app` has `model`, `encode(image, label)`, which asks the worker,
 * `label()`, the initial class, and `changed()`, called when the interpolation has another end. */
export function offerOwn(app) {
  page = app;
  $("own").hidden = !page.model.graphs.encoder;
  $("file").onclick = () => ($("file").value = ""); // so that the same file can be chosen again
  $("file").onchange = () => take($("file").files[0]);
  $("forget").onclick = forget;
  $("invert").onchange = encode;
  $("own-label").onchange = encode;
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) addEventListener(kind, drag);
  addEventListener("paste", (event) => take(event.clipboardData.files[0]));
}

/** Shows the decoded image, its mean `difference` and the log-density in nats, or null. */
export function showOwn({ rgba, difference, logProb }) {
  own.ready = true;
  paint($("own-back"), rgba, 0, page.model.size);
  const error = difference < 1e-4 ? difference.toExponential(1) : difference.toFixed(3);
  const summary = `Mean absolute error ${error}, for values from 0 to 1.`;
  $("own-bits").hidden = logProb === null;
  $("own-facts").textContent = summary;
  if (logProb !== null) {
    const dimensions = page.model.channels * page.model.size ** 2;
    const bits = page.model.bits - logProb / (dimensions * Math.LN2);
    $("own-bits").replaceChildren(element("b", bits.toFixed(2)), " bits/dim");
    $("own-facts").textContent =
      `Density at the center of each pixel value, without dequantization noise. ${summary}`;
  }
  page.changed();
}

/** Shows why the image could not be encoded. */
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
    fail("own-problem", `This browser cannot read ${file.name} as an image: choose another file.`);
    return;
  }
  if (turn === newest) show(prepare(bitmap, page.model));
  bitmap.close();
}

function show(bytes) {
  const { classes, size } = page.model;
  own = { bytes, ready: false };
  if (classes) $("own-label").value = page.label();
  $("own-back").width = $("own-back").height = size; // clears it
  $("own-bits").hidden = true;
  $("own-facts").textContent = "";
  $("own-result").hidden = false;
  $("own").classList.add("taken");
  encode();
}

/* Quantizes to the model's levels, inverted if requested, and asks for the encoding. */
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
  if (!event.dataTransfer.types.includes("Files")) return; // text is left to the element under it
  event.preventDefault();
  const inside = event.type === "dragleave" && event.relatedTarget; // between two elements of the page
  if (!inside) document.body.classList.toggle("dragging", /enter|over/.test(event.type));
  if (event.type === "drop") take(event.dataTransfer.files[0]);
}
