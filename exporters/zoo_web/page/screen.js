/* Elements, images on canvases, and the layout of the grid. */

export const $ = (id) => document.getElementById(id);

/** The buttons of the grid, each with a canvas. */
export const cells = [];

const WORK = 7.5e8; // maximum multiply-adds per grid: less than 0.1 s on two cores
const LATE = 400; // milliseconds
const timers = {};

/** Lays out the page for the window; `steps` is the number of images in the strip. */
export function layOut(model, steps) {
  const max = Math.min(64, Math.max(12, Math.floor(WORK / model.multiply_adds)));
  const width = $("grid").clientWidth;
  let { side, columns, gap, rows } = fit(width, model.size);
  if (columns * rows > max) {
    ({ side, columns, gap, rows } = fit(width, model.size, Math.sqrt((columns * rows) / max)));
  }
  rows = Math.max(1, Math.min(rows, Math.floor(max / columns)));
  const style = $("grid").style;
  style.setProperty("--side", `${side}px`);
  style.setProperty("--gap", `${gap}px`);
  style.setProperty("--columns", columns);
  $("grid").dataset.columns = columns;
  while (cells.length > rows * columns) cells.pop().remove();
  while (cells.length < rows * columns) cells.push(newCell(model.size));
  if (cells.every((cell) => cell.tabIndex < 0)) cells[0].tabIndex = 0;
  const stage = $("frame").clientWidth;
  const height = innerHeight * (innerWidth < 700 ? 0.36 : 0.72);
  const shown = (room) => shownSize(room, model.size);
  resize($("live"), shown(Math.min(stage, height)), model.size);
  resize($("own-original"), shown((stage - 16) / 2), model.size);
  resize($("own-back"), shown((stage - 16) / 2), model.size);
  while ($("strip").children.length < steps) {
    $("strip").append(element("span", ""));
    $("strip").lastChild.append(blank(model.size));
  }
  for (const step of $("strip").children) {
    resize(step.firstChild, shown((stage - 48) / steps), model.size);
  }
}

/** Paints image i of RGBA bytes, `size` x `size` pixels each, onto a canvas. */
export function paint(canvas, rgba, i, size) {
  const area = size ** 2 * 4;
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const pixels = new Uint8ClampedArray(rgba.buffer, i * area, area);
  canvas.getContext("2d").putImageData(new ImageData(pixels, size), 0, 0);
  canvas.classList.remove("waiting");
}

/** Marks the images of an area as outdated until they are painted again. They are dimmed only when
 * that takes long: the page is composited anew in every frame of a transition. */
export function wait(area) {
  $(area).setAttribute("aria-busy", "true");
  for (const canvas of $(area).querySelectorAll("canvas")) canvas.classList.add("waiting");
  clearTimeout(timers[area]);
  timers[area] = setTimeout(() => $(area).classList.add("late"), LATE);
}

/** Marks an area as complete. */
export function idle(area) {
  $(area).setAttribute("aria-busy", "false");
  clearTimeout(timers[area]);
  $(area).classList.remove("late");
}

/** Shows an error message in the element `id`. */
export function fail(id, message) {
  $(id).textContent = message;
  $(id).hidden = false;
}

/** A new element with text. */
export function element(name, text) {
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}

/* The size on the screen in CSS pixels: an integer number of device pixels per pixel, at most room. */
function shownSize(room, size) {
  const ratio = window.devicePixelRatio || 1;
  const factor = Math.floor((room * ratio) / size);
  return factor >= 1 ? (factor * size) / ratio : room;
}

/* Columns and rows of the grid: of the sizes with an integer number of device pixels per pixel, the
 * one that fills the width best, enlarged by `factor`. */
function fit(width, size, factor = 1) {
  const [min, max] = (width < 500 ? [46, 66] : [64, 96]).map((side) => side * factor);
  const step = size / (window.devicePixelRatio || 1);
  const sides = [];
  for (let side = step; side <= max; side += step) if (side >= min) sides.push(side);
  if (!sides.length) sides.push(shownSize(max, size));
  const fits = sides.map((side) => {
    const columns = Math.max(2, Math.floor((width + 8) / (side + 8)));
    const gap = (width - columns * side) / (columns - 1);
    const fitting = Math.floor((innerHeight * (innerWidth < 700 ? 0.5 : 0.72)) / (side + gap));
    return { side, columns, gap, rows: Math.max(4, fitting), filled: columns * side };
  });
  return fits.reduce((best, next) => (next.filled > best.filled ? next : best));
}

function newCell(size) {
  const cell = element("button", "");
  Object.assign(cell, { type: "button", tabIndex: -1 });
  cell.append(blank(size));
  $("grid").append(cell);
  return cell;
}

function blank(size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  return canvas;
}

function resize(canvas, side, size) {
  canvas.style.width = canvas.style.height = `${side}px`;
  canvas.classList.toggle("scaled", side < size);
}
