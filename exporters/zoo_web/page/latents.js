/* Latents of a seed, equal to those of zoo.sampling.latents in Python, and their interpolation.
 *
 * Philox-4x32-10 (Salmon et al. 2011) with the seed as key and (block, image index) as counter.
 * A seed is [low, high], two 32-bit numbers. */

/** Latents of images first ... first + n - 1, a Float32Array [n * size]. */
export function latents(n, size, distribution, seed, first = 0) {
  const values = new Float32Array(n * size);
  const words = new Uint32Array(4);
  const four = new Float64Array(4);
  for (let image = 0; image < n; image++) {
    const index = first + image;
    for (let offset = 0, block = 0; offset < size; offset += 4, block++) {
      philox(words, block >>> 0, Math.floor(block / 2 ** 32), index >>> 0,
        Math.floor(index / 2 ** 32), seed[0], seed[1]);
      transform(four, words, distribution);
      const start = image * size + offset;
      for (let i = 0; i < 4 && offset + i < size; i++) values[start + i] = four[i];
    }
  }
  return values;
}

/** The latent at t, 0 to 1, between a and b: spherical interpolation of normal latents (White 2016),
 * linear of others. */
export function interpolate(a, b, t, distribution) {
  let [weightA, weightB] = [1 - t, t];
  if (distribution === "normal") {
    const angle = angleBetween(a, b);
    const sine = Math.sin(angle);
    if (sine >= 1e-6) {
      weightA = Math.sin((1 - t) * angle) / sine;
      weightB = Math.sin(t * angle) / sine;
    }
  }
  return Float32Array.from(a, (value, i) => weightA * value + weightB * b[i]);
}

/** Parses a seed, decimal digits, into [low, high]; null unless it is in 0 ... 2^64 - 1. */
export function parseSeed(text) {
  if (!/^\d{1,20}$/.test(text)) return null;
  let [low, high] = [0, 0];
  for (const digit of text) {
    low = low * 10 + Number(digit);
    high = high * 10 + Math.floor(low / 2 ** 32);
    low %= 2 ** 32;
  }
  return high < 2 ** 32 ? [low, high] : null;
}

/* Ten rounds of Philox-4x32 into the four 32-bit words of out. */
function philox(out, c0, c1, c2, c3, k0, k1) {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* The upper 32 bits of a product, from 16-bit halves whose sums stay below 2^32. */
function multiplyHigh(a, b) {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (other >>> 16);
}

/* Four values of the distribution from four words. */
function transform(out, words, distribution) {
  for (let i = 0; i < 4; i += distribution === "normal" ? 2 : 1) {
    const u = (words[i] + 0.5) / 2 ** 32;
    if (distribution === "normal") {
      const radius = Math.sqrt(-2 * Math.log(u));
      const angle = (2 * Math.PI * (words[i + 1] + 0.5)) / 2 ** 32;
      out[i] = radius * Math.cos(angle);
      out[i + 1] = radius * Math.sin(angle);
    } else {
      out[i] = distribution === "logistic" ? Math.log(u) - Math.log1p(-u) : u;
    }
  }
}

function angleBetween(a, b) {
  let [dot, lengthA, lengthB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    lengthA += a[i] * a[i];
    lengthB += b[i] * b[i];
  }
  const cosine = dot / Math.max(Math.sqrt(lengthA) * Math.sqrt(lengthB), Number.MIN_VALUE);
  return Math.acos(Math.min(1, Math.max(-1, cosine)));
}
