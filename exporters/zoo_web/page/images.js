/* Images: preparation for a model, and sheets to save. */

/** Bytes [C, S, S] of an image in the model's shape, prepared as genzoo prepares training data: on
 * white, gray by ITU-R 601, center crop, Lanczos resampling. */
export function prepare(bitmap, { size, pad, channels }) {
  const square = Math.min(bitmap.width, bitmap.height);
  const border = square < size && square + 2 * pad >= size;
  const side = border ? size : Math.min(square, Math.max(1024, size)); // larger images, in two steps
  const scale = border ? 1 : side / square;
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "black";
  context.fillRect(0, 0, side, side);
  const [left, top] = [width, height].map((length) =>
    length <= side ? Math.floor((side - length) / 2) : -Math.floor((length - side) / 2),
  );
  context.fillStyle = "white";
  context.fillRect(left, top, width, height);
  context.drawImage(bitmap, left, top, width, height);
  const { data } = context.getImageData(0, 0, side, side);
  const planes = new Uint8ClampedArray(channels * size * size);
  for (let c = 0; c < channels; c++) {
    const plane = new Float64Array(side * side);
    for (let i = 0; i < plane.length; i++) {
      const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
      plane[i] = channels === 1 ? (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16 : data[4 * i + c];
    }
    planes.set(lanczos(lanczos(plane, side, side, size), side, size, size), c * size * size);
  }
  return planes;
}

/** A canvas with `canvases`, squares of one size, in rows on gray, enlarged by an integer factor. */
export function sheet(canvases, columns, factor, margin) {
  const side = canvases[0].width * factor;
  const step = side + margin;
  const rows = Math.ceil(canvases.length / columns);
  const canvas = document.createElement("canvas");
  canvas.width = columns * step + margin;
  canvas.height = rows * step + margin;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.fillStyle = "rgb(128 128 128)";
  context.fillRect(0, 0, canvas.width, canvas.height);
  canvases.forEach((image, i) => {
    const [left, top] = [margin + (i % columns) * step, margin + Math.floor(i / columns) * step];
    context.drawImage(image, left, top, side, side);
  });
  return canvas;
}

/* Resamples the rows of a plane, width x height, to `to` pixels, and transposes it. */
function lanczos(plane, width, height, to) {
  const out = new Uint8ClampedArray(to * height);
  const scale = width / to;
  const stretch = Math.max(scale, 1);
  const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  for (let x = 0; x < to; x++) {
    const center = (x + 0.5) * scale;
    const from = Math.max(0, Math.floor(center - 3 * stretch + 0.5));
    const end = Math.min(width, Math.floor(center + 3 * stretch + 0.5));
    const weights = [];
    for (let i = from; i < end; i++) {
      const distance = (i - center + 0.5) / stretch;
      weights.push(Math.abs(distance) < 3 ? sinc(distance) * sinc(distance / 3) : 0);
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let y = 0; y < height; y++) {
      let value = 0;
      for (let i = from; i < end; i++) value += plane[y * width + i] * weights[i - from];
      out[x * height + y] = value / sum;
    }
  }
  return out;
}
