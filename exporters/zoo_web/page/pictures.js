/* Pictures in and out: brought to a model's shape, and put together to be kept. */

/** Bytes [C, S, S] of a picture, brought to the model's shape as genzoo brings pictures to it: laid
 * on white, grey by ITU-R 601, the centre square, scaled by Lanczos. */
export function prepare(bitmap, { size: wanted, pad, channels }) {
  const square = Math.min(bitmap.width, bitmap.height);
  const border = square < wanted && square + 2 * pad >= wanted;
  const side = border ? wanted : Math.min(square, Math.max(1024, wanted)); // larger ones, in two goes
  const scale = border ? 1 : side / square;
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "black";
  context.fillRect(0, 0, side, side);
  const [left, top] = [width, height].map((one) =>
    one <= side ? Math.floor((side - one) / 2) : -Math.floor((one - side) / 2),
  );
  context.fillStyle = "white";
  context.fillRect(left, top, width, height);
  context.drawImage(bitmap, left, top, width, height);
  const { data } = context.getImageData(0, 0, side, side);
  const planes = new Uint8ClampedArray(channels * wanted * wanted);
  for (let c = 0; c < channels; c++) {
    const plane = new Float64Array(side * side);
    for (let i = 0; i < plane.length; i++) {
      const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
      plane[i] = channels === 1 ? (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16 : data[4 * i + c];
    }
    planes.set(lanczos(lanczos(plane, side, side, wanted), side, wanted, wanted), c * wanted * wanted);
  }
  return planes;
}

/** A canvas with those of `canvases`, square and of one size, in rows on grey, each enlarged by a whole
 * factor. */
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
  canvases.forEach((one, i) => {
    const [left, top] = [margin + (i % columns) * step, margin + Math.floor(i / columns) * step];
    context.drawImage(one, left, top, side, side);
  });
  return canvas;
}

/* Scales the rows of a plane, width x height, to `to` pixels and turns it on its side. */
function lanczos(plane, width, height, to) {
  const out = new Uint8ClampedArray(to * height);
  const scale = width / to;
  const stretch = Math.max(scale, 1);
  const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  for (let x = 0; x < to; x++) {
    const centre = (x + 0.5) * scale;
    const from = Math.max(0, Math.floor(centre - 3 * stretch + 0.5));
    const end = Math.min(width, Math.floor(centre + 3 * stretch + 0.5));
    const weights = [];
    for (let i = from; i < end; i++) {
      const far = (i - centre + 0.5) / stretch;
      weights.push(Math.abs(far) < 3 ? sinc(far) * sinc(far / 3) : 0);
    }
    const sum = weights.reduce((total, one) => total + one, 0);
    for (let y = 0; y < height; y++) {
      let value = 0;
      for (let i = from; i < end; i++) value += plane[y * width + i] * weights[i - from];
      out[x * height + y] = value / sum;
    }
  }
  return out;
}
