/* What is on the screen: elements, pictures on canvases, and how many there is room for. */

export const $ = (id) => document.getElementById(id);

/** The grid's buttons, a canvas in each. */
export const cells = [];

const WORK = 7.5e8; // multiply-adds of a grid, which two cores do in less than a tenth of a second
const LONG = 400; // milliseconds
const late = {};

/** Lays out the page for the size that its window has; `steps` are the pictures of the strip. */
export function layOut(model, steps) {
  const most = Math.min(64, Math.max(12, Math.floor(WORK / model.multiply_adds)));
  const width = $("grid").clientWidth;
  let { side, columns, gap, rows } = fit(width, model.size);
  if (columns * rows > most) {
    ({ side, columns, gap, rows } = fit(width, model.size, Math.sqrt((columns * rows) / most)));
  }
  rows = Math.max(1, Math.min(rows, Math.floor(most / columns)));
  const style = $("grid").style;
  style.setProperty("--side", `${side}px`);
  style.setProperty("--gap", `${gap}px`);
  style.setProperty("--columns", columns);
  $("grid").dataset.columns = columns;
  while (cells.length > rows * columns) cells.pop().remove();
  while (cells.length < rows * columns) cells.push(newCell(model.size));
  if (cells.every((one) => one.tabIndex < 0)) cells[0].tabIndex = 0;
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
  for (const one of $("strip").children) {
    resize(one.firstChild, shown((stage - 48) / steps), model.size);
  }
}

/** Puts picture i of RGBA bytes, each `size` pixels high and wide, onto a canvas. */
export function paint(canvas, rgba, i, size) {
  const area = size ** 2 * 4;
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const pixels = new Uint8ClampedArray(rgba.buffer, i * area, area);
  canvas.getContext("2d").putImageData(new ImageData(pixels, size), 0, 0);
  canvas.classList.remove("waiting");
}

/** Marks the pictures of an area as those of before, until they are painted again: to be seen only
 * when that takes long, since while an opacity changes the page is composed anew all the time. */
export function wait(area) {
  $(area).setAttribute("aria-busy", "true");
  for (const canvas of $(area).querySelectorAll("canvas")) canvas.classList.add("waiting");
  clearTimeout(late[area]);
  late[area] = setTimeout(() => $(area).classList.add("late"), LONG);
}

/** Says that nothing more will come for an area. */
export function idle(area) {
  $(area).setAttribute("aria-busy", "false");
  clearTimeout(late[area]);
  $(area).classList.remove("late");
}

/** Shows a sentence where problems are told. */
export function fail(where, message) {
  $(where).textContent = message;
  $(where).hidden = false;
}

/** A new element with a text. */
export function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/* The size on the screen, in CSS pixels: about as large as room, whole factors of the device's. */
function shownSize(room, size) {
  const ratio = window.devicePixelRatio || 1;
  const factor = Math.floor((room * ratio) / size);
  return factor >= 1 ? (factor * size) / ratio : room;
}

/* Columns of the grid: of the sizes that whole factors give, that which fills the width best; and
 * as many rows as there is room for. Fewer pictures are larger, by `factor`. */
function fit(width, size, factor = 1) {
  const [least, most] = (width < 500 ? [46, 66] : [64, 96]).map((side) => side * factor);
  const step = size / (window.devicePixelRatio || 1);
  const sides = [];
  for (let side = step; side <= most; side += step) if (side >= least) sides.push(side);
  if (!sides.length) sides.push(shownSize(most, size));
  const fits = sides.map((side) => {
    const columns = Math.max(2, Math.floor((width + 8) / (side + 8)));
    const gap = (width - columns * side) / (columns - 1);
    const high = Math.floor((innerHeight * (innerWidth < 700 ? 0.5 : 0.72)) / (side + gap));
    return { side, columns, gap, rows: Math.max(4, high), filled: columns * side };
  });
  return fits.reduce((best, one) => (one.filled > best.filled ? one : best));
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
